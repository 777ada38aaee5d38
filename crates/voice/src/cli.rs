//! The command line: what `--help` says and what may be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Brings a network's blogs together: polls their feeds, sanitises and tags the posts, and serves one river, one
/// combined feed and a weekly digest.
///
/// Without a command, `voice` serves: it reads feeds.toml, polls what is due and answers at
/// http://127.0.0.1:8080. To see all of it without the internet, try `voice demo`.
#[derive(Debug, Parser)]
#[command(name = "voice", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Options that stand before or after any command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The registry and settings
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "VOICE_CONFIG",
        default_value = "feeds.toml"
    )]
    pub(crate) config: PathBuf,
    /// Where entries are stored; made, with its folder, on first use
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite://data/voice.db"
    )]
    pub(crate) database: String,
    /// One JSON document on stdout and nothing else there
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What is logged to stderr: error, warn, info, debug, or a filter such as info,poll=debug
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "VOICE_LOG",
        default_value = "info"
    )]
    pub(crate) log: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Poll on schedule and serve the site (what bare `voice` does)
    Serve(ServeArguments),
    /// Poll feeds once
    Poll(PollArguments),
    /// Show what the Voice makes of a blog or a feed, and what is wrong with it
    ///
    /// Finds the feed of a web page, fetches and reads it, and shows the entries as readers would see them.
    /// Stores nothing, and needs neither a database nor a config.
    Check(CheckArguments),
    /// See, bring in or carry away the list of feeds
    #[command(subcommand)]
    Feeds(FeedsCommand),
    /// Look into the rules by which posts get their topics
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// A moderator's hand on single entries
    #[command(subcommand)]
    Entries(EntriesCommand),
    /// Show who did what to what, when, and why; the latest first
    Audit {
        /// How many lines
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        limit: u32,
    },
    /// Print a week's digest
    Digest(DigestArguments),
    /// Write out everything that is stored
    Export(ExportArguments),
    /// Copy the database into a file, while it is used or not
    ///
    /// SQLite copies itself; PostgreSQL is copied by pg_dump. The copy is as the database stood at one moment, and
    /// nothing of it is left if it could not be finished. A file that is there is never overwritten.
    Backup {
        /// The copy; it must not exist yet
        file: PathBuf,
    },
    /// Put a copy made by `voice backup` in the place of the database
    ///
    /// The copy is checked from end to end before anything is touched. Stop the Voice first.
    Restore(RestoreArguments),
    /// Carry everything from one database to another, SQLite or PostgreSQL
    ///
    /// FROM is only read. TO must be empty; what it holds afterwards is compared with FROM before it is made to last. A
    /// second run changes nothing.
    MigrateDatabase {
        /// The database that has everything, like sqlite://data/voice.db
        from: String,
        /// The database that is to have it, like postgres://voice@localhost/voice
        to: String,
    },
    /// Exit with 0 if the server at the configured address answers (for containers)
    Healthcheck,
    /// Show the Voice with a small blogosphere of examples, without the internet
    ///
    /// Polls example blogs that ship with the program into a temporary database and serves the result, until
    /// Ctrl-C. Nothing is left behind.
    Demo,
}

#[derive(Debug, Default, Args)]
pub(crate) struct ServeArguments {
    /// What this process does, where several share a database
    #[arg(long, value_enum, default_value_t = Role::All)]
    pub(crate) role: Role,
}

/// What a serving process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Role {
    /// Polls on schedule and serves the site
    #[default]
    All,
    /// Serves the site and never polls
    Web,
    /// Polls on schedule, shares the feeds with other fetchers, and serves /healthz and /metrics alone
    Fetch,
}

#[derive(Debug, Args)]
pub(crate) struct PollArguments {
    /// Poll every active feed, whether due or not (a running Retry-After is still obeyed)
    #[arg(long, conflicts_with = "feeds")]
    pub(crate) all: bool,
    /// Feeds to poll, by address or slug; without any, what is due
    #[arg(value_name = "URL|SLUG")]
    pub(crate) feeds: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// A web page, a feed's address, a file, or - for standard input
    #[arg(value_name = "SOURCE", required = true)]
    pub(crate) sources: Vec<String>,
    /// The address that a file or standard input was read from, for its relative links
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<url::Url>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FeedsCommand {
    /// List the feeds and how each fares
    List,
    /// Add a feed, with its member if they are new; it is polled from now on
    Add(AddFeed),
    /// Take on feeds that wait for approval, or were turned down; they are polled at once
    Approve {
        /// The feeds, by slug; `voice feeds list` shows which are pending
        #[arg(value_name = "SLUG", required = true)]
        feeds: Vec<String>,
    },
    /// Turn down feeds that wait for approval; their addresses are not added again by accident
    Reject {
        /// The feeds, by slug
        #[arg(value_name = "SLUG", required = true)]
        feeds: Vec<String>,
        /// Why: their bloggers read it
        #[arg(long, value_name = "WORDS")]
        reason: String,
    },
    /// Let feeds go, whatever the config says: they are not polled, and their entries stay, unless --withdraw is given
    Remove {
        /// The feeds, by slug
        #[arg(value_name = "SLUG", required = true)]
        feeds: Vec<String>,
        /// Erase the feeds with all their entries, and members with their last feed. This cannot be undone
        #[arg(long)]
        withdraw: bool,
        /// Why: their bloggers read it
        #[arg(long, value_name = "WORDS")]
        reason: Option<String>,
    },
    /// Make one member of two: all that FROM has is INTO's from now on, whatever the config says
    Merge {
        /// The member who goes, by slug
        from: String,
        /// The member who stays, by slug
        into: String,
    },
    /// Make a new private link for a member whom you know; all older ones end
    Link {
        /// The member, by slug
        member: String,
    },
    /// Stop polling feeds until they are resumed; their entries stay
    Pause {
        /// The feeds, by slug
        #[arg(value_name = "SLUG", required = true)]
        feeds: Vec<String>,
    },
    /// Poll feeds again that are paused or gone, and take what was held for a person to look at
    Resume {
        /// The feeds, by slug
        #[arg(value_name = "SLUG", required = true)]
        feeds: Vec<String>,
    },
    /// Add the feeds of an OPML or TOML file to the database
    Import {
        /// An OPML file, or a TOML file with `[[feed]]` tables; - for standard input
        file: PathBuf,
    },
    /// Write the list of feeds to stdout
    Export {
        /// The format
        #[arg(long, value_enum, default_value = "toml")]
        format: FeedListFormat,
    },
}

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub(crate) struct AddFeed {
    /// Where the feed is; `voice check` finds it for a web page
    pub(crate) url: url::Url,
    /// The member's name
    #[arg(long, required_unless_present = "member")]
    pub(crate) name: Option<String>,
    /// Instead of a name: the slug of the member whose further feed it is
    #[arg(long, value_name = "SLUG", conflicts_with = "name")]
    pub(crate) member: Option<String>,
    /// Where they work
    #[arg(long)]
    pub(crate) organisation: Option<String>,
    /// It is a team's blog
    #[arg(long)]
    pub(crate) team: bool,
    /// Show whole posts: their owner agreed
    #[arg(long)]
    pub(crate) full: bool,
    /// Take tagged posts alone: for a mixed blog
    #[arg(long)]
    pub(crate) tagged: bool,
    /// SPDX identifier or address of the licence
    #[arg(long)]
    pub(crate) licence: Option<String>,
    /// Add it though it was withdrawn or turned down before
    #[arg(long)]
    pub(crate) again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FeedListFormat {
    Toml,
    Opml,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EntriesCommand {
    /// Hide an entry for good: it leaves everything, and its text is erased
    Hide {
        /// The entry's key: the end of its page's address
        key: String,
        /// Why: everybody who asks why it is not here reads it
        #[arg(long, value_name = "WORDS")]
        reason: String,
    },
    /// Set or remove topics of one entry by hand; what is decided so outlives every change of the rules
    Topics(TopicsOfEntry),
}

#[derive(Debug, Args)]
pub(crate) struct TopicsOfEntry {
    /// The entry's key: the end of its page's address
    pub(crate) key: String,
    /// It has this topic, whatever the rules say
    #[arg(long, value_name = "TOPIC")]
    pub(crate) set: Vec<String>,
    /// It has not this topic, whatever the rules say
    #[arg(long, value_name = "TOPIC")]
    pub(crate) remove: Vec<String>,
    /// The rules shall say again
    #[arg(long, value_name = "TOPIC")]
    pub(crate) reset: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TopicsCommand {
    /// List the topics, with their projects and how many rules each has
    List,
    /// Show how every topic fares in a post, and which words of the post say so
    ///
    /// For whoever writes the rules: the points of each topic, the words that earned or cost them and where they
    /// stand, and why a topic holds, nearly holds, or is outweighed by another.
    Explain {
        /// A post: an HTML file, a text file whose first line is the title (.txt, .md), a file of JSON lines like those
        /// of `evaluate` (.json, .jsonl; each is explained), or - for any of these from standard input
        file: PathBuf,
        /// Show every topic that any word speaks for, not only those that hold or nearly hold
        #[arg(long)]
        all: bool,
    },
    /// Show what the present rules would add to the archive and remove from it, before they go live
    ///
    /// Writes nothing. A running Voice takes changed rules over, in the background, when it reads its config again.
    Replay,
    /// Measure the rules against labelled posts: precision, recall and F1
    Evaluate {
        /// Labelled posts, one JSON object a line: {"id", "title", "html", "categories", "topics", "hashtags"}
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DigestArguments {
    /// The ISO week, like 2015-W06 [default: the last full week]
    #[arg(value_parser = week)]
    pub(crate) week: Option<model::Week>,
    /// The format
    #[arg(long, value_enum, default_value = "markdown")]
    pub(crate) format: DigestFormat,
    /// Close the week as the schedule would, and every week before it that is still open
    ///
    /// Those who have not answered since the week ended are asked first, for half an hour at most.
    #[arg(long)]
    pub(crate) close: bool,
}

/// A week, which may be written small.
fn week(text: &str) -> Result<model::Week, model::WeekError> {
    text.to_ascii_uppercase().parse()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DigestFormat {
    Json,
    Markdown,
    Html,
    Text,
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// The format: jsonl is one entry a line
    #[arg(long, value_enum, default_value = "jsonl")]
    pub(crate) format: ExportFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Jsonl,
    Opml,
    Atom,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// The copy
    pub(crate) file: PathBuf,
    /// Replace a database that is there; it is kept beside under another name
    #[arg(long)]
    pub(crate) force: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_stand_before_or_after_the_command() {
        let before = Cli::parse_from(["voice", "--json", "--config", "a.toml", "poll", "--all"]);
        let after = Cli::parse_from(["voice", "poll", "--all", "--config", "a.toml", "--json"]);
        for cli in [before, after] {
            assert!(cli.options.json);
            assert_eq!(cli.options.config, PathBuf::from("a.toml"));
            assert!(matches!(
                cli.command,
                Some(Command::Poll(PollArguments { all: true, .. }))
            ));
        }
    }
}
