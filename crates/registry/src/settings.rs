//! The whole file as checked settings: which sections there are, which keys they have, and what holds when a key
//! is left out. Feeds and topics have files of their own; how a single value is read stands in `units`.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use chrono_tz::Tz;
use ipnet::IpNet;
use model::{FeedSpec, HashtagGroup, Pictures, Site, Topics};
use url::Url;

use crate::document::{Document, Table};
use crate::report::{Place, Report};
use crate::units::{self, choice};
use crate::{RegistryError, feeds, topics};

const MINUTE: Duration = Duration::from_mins(1);

/// Everything that `feeds.toml` says, checked, with defaults where it is silent.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What outputs show: `[site]`, `[digest]`, `[websub]`, `[network]`, `[[hashtag]]` and `[[topic]]`.
    pub site: Site,
    /// `[server]`.
    pub server: ServerSettings,
    /// `[fetch]`.
    pub fetch: FetchSettings,
    /// `[mail]`; `None` when no mail server is named.
    pub mail: Option<MailSettings>,
    /// `[[feed]]`, in the order of the file.
    pub feeds: Vec<FeedSpec>,
    /// What the operator should know at start, one sentence each.
    pub warnings: Vec<String>,
}

/// Where the server listens, and whom it believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// The address to listen at.
    pub listen: SocketAddr,
    /// Those who may say `X-Forwarded-For`.
    pub trusted_proxies: Vec<IpNet>,
}

impl ServerSettings {
    /// Where the same machine reaches the server: one that listens on every address is on loopback too.
    pub fn reachable_at(&self) -> SocketAddr {
        let ip = match self.listen.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        SocketAddr::new(ip, self.listen.port())
    }
}

/// How feeds are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchSettings {
    /// Six cron fields, in UTC: when to wake and poll what is due.
    pub schedule: String,
    /// No feed is polled more often than this on schedule.
    pub min_interval: Duration,
    /// No healthy feed is polled less often than this.
    pub max_interval: Duration,
    /// For a whole fetch, redirects included.
    pub timeout: Duration,
    /// The size of a body after decompression.
    pub max_body_bytes: u64,
    /// Fetches at once.
    pub concurrency: usize,
    /// Fetches at once on one host.
    pub per_host: usize,
    /// Exempt from the private-address guard.
    pub allow: Vec<IpNet>,
}

/// How mail is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSettings {
    /// `smtp://` or `smtps://`, with the user but never the password.
    pub smtp: Url,
    /// The sender's address.
    pub from: String,
}

/// Reads the file at `path`. `overrides` are the environment's `VOICE_SECTION_KEY` variables with their values;
/// those that name no section are ignored.
///
/// # Errors
///
/// When the file is missing or unreadable, or with every mistake in it.
pub fn load(path: &Path, overrides: &[(String, String)]) -> Result<Settings, RegistryError> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => RegistryError::Missing(format!(
            "{name}: there is no such file; write one with a [[feed]] in it that has a url and a name \
             (all else has defaults), or name another with --config PATH or VOICE_CONFIG"
        )),
        _ => RegistryError::Unreadable(format!(
            "{name}: cannot be read ({error}); make it a file that this user may read"
        )),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.split(|&byte| byte == b'\n').count();
        RegistryError::Unreadable(format!(
            "{name}:{line}: this is not UTF-8; save the file as UTF-8"
        ))
    })?;
    parse(&name, &text, overrides)
}

/// Reads `text`, which messages call `name`; `overrides` as for [`load`].
///
/// # Errors
///
/// With every mistake, each with its line or variable.
pub fn parse(name: &str, text: &str, overrides: &[(String, String)]) -> Result<Settings, RegistryError> {
    let report = Report::new(name);
    let settings = Document::parse(text, overrides, &report).map(read);
    let (settings, warnings) = report.finish(settings)?;
    Ok(Settings { warnings, ..settings })
}

/// The settings without any file; `overrides` as for [`load`].
///
/// # Errors
///
/// With every override that cannot be taken.
pub fn defaults(overrides: &[(String, String)]) -> Result<Settings, RegistryError> {
    parse("", "", overrides)
}

fn read(mut document: Document<'_>) -> Settings {
    let server = read_server(document.section("server"));
    let fetch = read_fetch(document.section("fetch"));
    let mail = read_mail(document.section("mail"));
    let mut site = read_site(document.section("site"), &server);
    let mut digest = document.section("digest");
    if let Some(schedule) = digest.text("schedule", units::cron_line) {
        site.digest_schedule = schedule;
    }
    // Ten years: far beyond use, and safe to reckon dates with.
    if let Some(days) = digest.integer("late_days", 0..=3650) {
        site.digest_late_days = days as u32;
    }
    digest.finish();
    let mut websub = document.section("websub");
    site.hub = websub.text("hub", units::web_address);
    websub.finish();
    let mut network = document.section("network");
    if let Some(hashtags) = network.list("hashtags", units::hashtag) {
        site.network_hashtags = hashtags;
    }
    network.finish();
    site.hashtag_groups = read_hashtag_groups(document.tables("hashtag"));
    site.topics = topics::read(document.tables("topic"));
    let feeds = feeds::read(document.tables("feed"));
    document.finish();
    Settings {
        site,
        server,
        fetch,
        mail,
        feeds,
        warnings: Vec::new(),
    }
}

fn read_site(mut table: Table<'_>, server: &ServerSettings) -> Site {
    let title = table.text("title", units::words);
    let subtitle = table.text("subtitle", units::any_text);
    let url = table
        .text("url", units::origin)
        .unwrap_or_else(|| format!("http://{}", server.reachable_at()));
    let language = table.text("language", units::language);
    let timezone = table.text("timezone", units::timezone);
    let contact_given = table.has("contact");
    let contact = table
        .text("contact", units::contact)
        .unwrap_or_else(|| format!("{url}/about"));
    if !contact_given {
        table.report.warning(
            &Place::Default,
            format!(
                "[site] contact is not set, so the User-Agent points publishers at {contact}; \
                 set contact = \"https://…\" to where they reach you"
            ),
        );
    }
    let email = table.text("email", units::email);
    let pictures = table.text("pictures", |text| {
        choice(&[("origin", Pictures::Origin), ("off", Pictures::Off)], text)
    });
    let ai_training = table.text("ai_training", |text| {
        choice(&[("no", false), ("yes", true)], text)
    });
    table.finish();
    Site {
        title: title.unwrap_or_else(|| "LocalGov Digital Voice".to_owned()),
        subtitle: subtitle
            .unwrap_or_else(|| "What people in and around local government digital are writing".to_owned()),
        url,
        language: language.unwrap_or_else(|| "en-GB".to_owned()),
        timezone: timezone.unwrap_or(Tz::Europe__London),
        contact,
        email,
        pictures: pictures.unwrap_or(Pictures::Origin),
        ai_training: ai_training.unwrap_or(false),
        hub: None,
        network_hashtags: vec!["localgovdigital".to_owned()],
        hashtag_groups: Vec::new(),
        topics: Topics::BuiltIn(topics::builtin_topics),
        digest_schedule: "0 0 7 * * Mon".to_owned(),
        digest_late_days: 28,
    }
}

fn read_server(mut table: Table<'_>) -> ServerSettings {
    let listen = table.text("listen", |text| {
        text.trim().parse().map_err(|_| {
            format!("{text:?} is no address to listen at; write an IP address and a port, such as \"127.0.0.1:8080\"")
        })
    });
    let trusted_proxies = table.list("trusted_proxies", units::network);
    table.finish();
    ServerSettings {
        listen: listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
        trusted_proxies: trusted_proxies.unwrap_or_default(),
    }
}

fn read_fetch(mut table: Table<'_>) -> FetchSettings {
    let schedule = table.text("schedule", units::cron_line);
    let (min_place, max_place) = (table.place_of("min_interval"), table.place_of("max_interval"));
    let min_given = table.has("min_interval");
    let min_interval = table.text("min_interval", units::duration).unwrap_or(30 * MINUTE);
    let max_interval = table
        .text("max_interval", units::duration)
        .unwrap_or(24 * 60 * MINUTE);
    if min_interval > max_interval {
        let (min, max) = (
            units::duration_text(min_interval),
            units::duration_text(max_interval),
        );
        let (place, key, mend) = if min_given {
            (min_place, "min_interval", format!("write at most {max:?}"))
        } else {
            (max_place, "max_interval", format!("write at least {min:?}"))
        };
        let complaint = format!("min_interval {min:?} is longer than max_interval {max:?}; {mend}");
        table.complain(&place, key, &complaint);
    }
    let timeout = table.text("timeout", units::positive_duration);
    let max_body_bytes = table.text_or_integer("max_body", units::size_bytes);
    let concurrency = table.integer("concurrency", 1..=1024);
    let per_host = table.integer("per_host", 1..=1024);
    let allow = table.list("allow", units::network);
    table.finish();
    FetchSettings {
        schedule: schedule.unwrap_or_else(|| "0 */5 * * * *".to_owned()),
        min_interval,
        max_interval,
        timeout: timeout.unwrap_or(Duration::from_secs(20)),
        max_body_bytes: max_body_bytes.unwrap_or(8 << 20),
        concurrency: concurrency.unwrap_or(32) as usize,
        per_host: per_host.unwrap_or(2) as usize,
        allow: allow.unwrap_or_default(),
    }
}

fn read_mail(mut table: Table<'_>) -> Option<MailSettings> {
    let (smtp_given, from_given) = (table.has("smtp"), table.has("from"));
    if smtp_given && !from_given {
        table.lacks("from", "from = \"voice@example.org\"");
    }
    if from_given && !smtp_given {
        table.report.warning(
            &table.place_of("from"),
            "[mail] has no smtp, so no mail is sent; add smtp = \"smtps://user@host:465\"",
        );
    }
    let smtp = table.text("smtp", units::smtp);
    let from = table.text("from", units::email);
    table.finish();
    Some(MailSettings {
        smtp: smtp?,
        from: from?,
    })
}

fn read_hashtag_groups(tables: Vec<Table<'_>>) -> Vec<HashtagGroup> {
    let mut groups: Vec<HashtagGroup> = Vec::new();
    for mut table in tables {
        let place = table.place_of("tag");
        if !table.has("tag") {
            table.lacks("tag", "tag = \"ukgovcamp\"");
        }
        let tag = table.text("tag", units::hashtag);
        let also = table.list("also", units::hashtag_pattern).unwrap_or_default();
        if let Some(tag) = tag {
            if groups.iter().any(|group| group.tag == tag) {
                let complaint = format!("{tag:?} is gathered twice; put all its tags into one [[hashtag]]");
                table.complain(&place, "tag", &complaint);
            }
            groups.push(HashtagGroup { tag, also });
        }
        table.finish();
    }
    groups
}

#[cfg(test)]
mod tests;
