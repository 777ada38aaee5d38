//! What can go wrong with the store, said to the person who has to mend it.

use std::path::PathBuf;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database's URL names a kind of database that the Voice does not speak. Only the scheme is shown: the
    /// rest may hold a password.
    #[error(
        "the Voice speaks sqlite:// and postgres://, and not {scheme:?}; name the database like sqlite://data/voice.db or postgres://voice@localhost/voice"
    )]
    UnsupportedUrl {
        /// What stands before the colon.
        scheme: String,
    },
    /// The database's URL cannot be read.
    #[error(
        "the database's URL cannot be read: {message}; write it like sqlite://data/voice.db or postgres://voice@localhost/voice"
    )]
    BadUrl {
        /// What is wrong with it.
        message: String,
    },
    /// The folder of the database is not there and cannot be made.
    #[error("the folder {} for the database cannot be made: {source}; make it, or name another with --database", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database cannot be opened or made.
    #[error("the database {} cannot be opened or made: {message}; check that its folder is there and may be written", path.display())]
    Unopened {
        /// The file.
        path: PathBuf,
        /// Why, in the database's words.
        message: String,
    },
    /// The file is something else.
    #[error("{} is not a SQLite database; move it away or name another with --database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The database holds tables of another program.
    #[error(
        "{database} holds tables of another program ({table}, for one), and nothing of the Voice; name an empty one with --database"
    )]
    NotOurs {
        /// What people call it.
        database: String,
        /// One of the tables.
        table: String,
    },
    /// The server does not answer.
    #[error(
        "{database} cannot be reached: {message}; see that the server runs and that host and port are right"
    )]
    Unreachable {
        /// What people call it.
        database: String,
        /// Why.
        message: String,
    },
    /// The server does not let the user in.
    #[error(
        "{database} does not let us in: {message}; check the user and the password in --database or DATABASE_URL"
    )]
    Refused {
        /// What people call it.
        database: String,
        /// In the database's words.
        message: String,
    },
    /// The server has no such database.
    #[error("{database} is not there; make it first: createdb --owner=USER NAME")]
    NoDatabase {
        /// What people call it.
        database: String,
    },
    /// A newer version of the program has been here.
    #[error(
        "{database} was migrated by a newer version of this program (to migration {version}); run that version, or restore a backup made by this one"
    )]
    Newer {
        /// What people call it.
        database: String,
        /// A migration that this build does not know.
        version: i64,
    },
    /// A migration failed; the database is as it was before.
    #[error("{database} could not be migrated and was left as it was: {source}")]
    Migration {
        /// What people call it.
        database: String,
        /// Why.
        source: sqlx::migrate::MigrateError,
    },
    /// No room is left.
    #[error(
        "the disk is full: {message}; nothing of this poll was stored; make room, and the next poll brings it"
    )]
    Full {
        /// In the database's words.
        message: String,
    },
    /// Another program holds the database.
    #[error(
        "the database was locked by another program for too long: {message}; nothing was stored; see what else has it open"
    )]
    Locked {
        /// In the database's words.
        message: String,
    },
    /// The database may be read and not written.
    #[error(
        "the database may not be written: {message}; check the owner and the permissions of the file and its folder"
    )]
    ReadOnly {
        /// In the database's words.
        message: String,
    },
    /// The server went away in the middle of it.
    #[error(
        "the database does not answer: {message}; nothing of this was stored; it is tried again when the server is back"
    )]
    Away {
        /// In the database's words.
        message: String,
    },
    /// A feed is stated as a further feed of a member that is not there.
    #[error(
        "the feed {feed} is a further feed of {member:?}, and there is no member of that slug; give the member's first feed too, or the right slug"
    )]
    UnknownMember {
        /// The feed's address.
        feed: String,
        /// The slug that names nobody.
        member: String,
    },
    /// A stored value is none that this program writes.
    #[error("{table}.{column} of row {row} cannot be read: {message}; restore a backup, or mend the value")]
    Unreadable {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The row's first column, which names it.
        row: String,
        /// What is wrong with it.
        message: String,
    },
    /// There is no such database file.
    #[error("there is no database at {}; name the right one", path.display())]
    NoFile {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The database holds nothing of the Voice.
    #[error("{database} holds no Voice; name one that does")]
    NoVoice {
        /// What people call it.
        database: String,
    },
    /// The database waits for the migrations of this version.
    #[error(
        "{database} was last used by an older version of this program; open it once with this one (`voice export --format opml --database URL`), which brings it up to date, and try again"
    )]
    Older {
        /// What people call it.
        database: String,
    },
    /// A file stands where a copy should go.
    #[error("{} is there already and stays as it is; give another name, or move it away", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A copy could not be made.
    #[error("the copy {} could not be made, and nothing of it is left: {message}", path.display())]
    NotCopied {
        /// The file that it was to become.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The file is no copy that this program can restore.
    #[error("{} cannot be restored: {reason}; nothing was touched", path.display())]
    BadBackup {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Restoring would replace a database.
    #[error("{} is there already; --force replaces it, and keeps it beside under another name", path.display())]
    WouldReplace {
        /// The database.
        path: PathBuf,
    },
    /// Another program has the database open.
    #[error("{} is in use by another program; stop the Voice, and whatever else has it open, and try again", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// A backup could not be put into its place.
    #[error("{} could not be put into its place: {message}", path.display())]
    NotRestored {
        /// The database.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The database of a server is not empty.
    #[error(
        "{database} is not empty (it holds {table}, for one), and a backup is only restored into one that is; make one: createdb --owner=USER NAME"
    )]
    NotEmpty {
        /// What people call it.
        database: String,
        /// One of its tables.
        table: String,
    },
    /// A tool of PostgreSQL is not there.
    #[error(
        "{tool} is not on the PATH; install PostgreSQL's client programs (on Debian: postgresql-client), or use what your provider of the database gives you for its backups"
    )]
    NoTool {
        /// Its name.
        tool: &'static str,
    },
    /// A tool of PostgreSQL failed.
    #[error("{tool} failed: {message}")]
    Tool {
        /// Its name.
        tool: &'static str,
        /// In its own words.
        message: String,
    },
    /// The database that should take another's contents has its own.
    #[error(
        "{database} holds other data than {from} (the table {table} differs) and was left as it is; name an empty database"
    )]
    OtherData {
        /// What people call it.
        database: String,
        /// What people call the other.
        from: String,
        /// The first table that differs.
        table: String,
    },
    /// A database could not be carried over.
    #[error("the table {table} could not be carried over, and nothing was: {message}")]
    NotCarried {
        /// The table.
        table: String,
        /// Why.
        message: String,
    },
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers: {message}; without them no secret can be made")]
    NoRandomness {
        /// Why.
        message: String,
    },
    /// Anything else that the database says.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether it is the database that is in trouble and not what was to be written, so that no other write fares better.
    pub fn is_of_all(&self) -> bool {
        matches!(
            self,
            Self::Full { .. } | Self::Locked { .. } | Self::ReadOnly { .. } | Self::Away { .. }
        )
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let message = |error: &sqlx::Error| {
            error
                .as_database_error()
                .map_or_else(|| error.to_string(), |error| error.message().to_owned())
        };
        match crate::db::fault(&error) {
            Some(crate::db::Fault::Full) => Self::Full {
                message: message(&error),
            },
            Some(crate::db::Fault::Locked) => Self::Locked {
                message: message(&error),
            },
            Some(crate::db::Fault::ReadOnly) => Self::ReadOnly {
                message: message(&error),
            },
            Some(crate::db::Fault::Unreachable) => Self::Away {
                message: message(&error),
            },
            _ => Self::Database(error),
        }
    }
}
