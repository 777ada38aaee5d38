//! What commands are made of: the settings, the store, the fetcher and the poller, wired once.

use std::ffi::OsStr;
use std::sync::Arc;

use chrono_tz::Tz;
use fetch::{FetchConfig, Fetcher};
use mail::{PostOffice, SmtpSettings};
use model::{Clock, Site, SystemClock, Week};
use poll::{CronLine, Intervals, IssueStep, Issues, Poller, PollerSettings};
use registry::Settings;
use store::Store;

use crate::cli::Options;

/// A variable of the environment, if it is set and readable.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The variables that may override a setting: `VOICE_SECTION_KEY`.
fn overrides() -> Vec<(String, String)> {
    let readable =
        |name: &OsStr, value: &OsStr| Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()));
    std::env::vars_os()
        .filter_map(|(name, value)| readable(&name, &value))
        .filter(|(name, _)| name.starts_with("VOICE_"))
        .collect()
}

/// Those who may sign in at `/admin`, by the environment alone.
pub(crate) fn admins() -> anyhow::Result<Vec<serve::Admin>> {
    let wrong = |variable: &str| {
        let variable = variable.to_owned();
        move |message: String| {
            Misuse(format!(
                "{variable}: {message}; write it as name:role:token, with commas between"
            ))
        }
    };
    let set = |variable: &str| environment(variable).filter(|value| !value.trim().is_empty());
    let mut admins = match set("VOICE_ADMIN_TOKENS") {
        Some(tokens) => serve::Admin::list(&tokens).map_err(wrong("VOICE_ADMIN_TOKENS"))?,
        None => Vec::new(),
    };
    if admins.is_empty()
        && let Some(token) = set("VOICE_ADMIN_TOKEN")
    {
        admins.push(serve::Admin::alone(&token).map_err(wrong("VOICE_ADMIN_TOKEN"))?);
    }
    for admin in admins.iter().filter(|admin| admin.is_weak()) {
        tracing::warn!(
            name = admin.name(),
            "the token for /admin has fewer than 20 characters and can be guessed in time; make one with `openssl rand -hex 32`"
        );
    }
    Ok(admins)
}

/// The environment says something that cannot be meant.
#[derive(Debug)]
pub(crate) struct Misuse(String);

impl std::fmt::Display for Misuse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

/// Reads the config, with what the environment overrides, and says what is worth a warning.
pub(crate) fn settings(options: &Options) -> Result<Settings, registry::RegistryError> {
    registry::load(&options.config, &overrides()).inspect(warn)
}

/// The config if there is one, and the built-in settings otherwise.
pub(crate) fn settings_or_defaults(options: &Options) -> Result<Settings, registry::RegistryError> {
    if options.config.exists() {
        registry::load(&options.config, &overrides())
    } else {
        registry::defaults(&overrides())
    }
}

/// The settings of the demonstration, whose config ships with the program.
pub(crate) fn demo_settings(config: &str) -> Result<Settings, registry::RegistryError> {
    registry::parse("the demonstration's config", config, &overrides())
}

/// Says what of the settings is worth a warning.
pub(crate) fn warn(settings: &Settings) {
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
}

/// Opens the store and brings the config's members into it.
pub(crate) async fn store_with_registry(options: &Options, settings: &Settings) -> anyhow::Result<Store> {
    let store = Store::open(&options.database).await?;
    merge(&store, settings).await?;
    Ok(store)
}

/// Brings the config's members into the store, and logs what that changed.
pub(crate) async fn merge(store: &Store, settings: &Settings) -> anyhow::Result<()> {
    let report = store
        .merge_registry(&settings.feeds, SystemClock.now(), settings.site.timezone)
        .await?;
    for (feeds, what) in [
        (&report.added, "new in the config"),
        (&report.changed, "changed in the config"),
        (&report.resumed, "back in the config: polled again"),
        (
            &report.retired,
            "no longer in the config: not polled, its entries stay",
        ),
    ] {
        if !feeds.is_empty() {
            tracing::info!(count = feeds.len(), feeds = few(feeds), "{what}");
        }
    }
    for feed in &report.kept {
        tracing::warn!(
            feed,
            "a decision made here (a pause, a removal, or a feed that is gone or was turned down) wins over the config"
        );
    }
    for feed in &report.withheld {
        tracing::warn!(
            feed,
            "was withdrawn or turned down here, which wins over the config: not added again; take it out of the config"
        );
    }
    Ok(())
}

/// The first names of a list that may be long.
fn few(names: &[String]) -> String {
    match names.get(..8) {
        Some(few) if names.len() > 8 => format!("{} …", few.join(" ")),
        _ => names.join(" "),
    }
}

/// The client for every request that this program makes.
pub(crate) fn fetcher(settings: &Settings) -> anyhow::Result<Fetcher> {
    let version = env!("CARGO_PKG_VERSION");
    Ok(Fetcher::new(FetchConfig {
        user_agent: format!("LocalGovDigitalVoice/{version} (+{})", settings.site.contact),
        timeout: settings.fetch.timeout,
        max_body_bytes: settings.fetch.max_body_bytes,
        concurrency: settings.fetch.concurrency,
        per_host: settings.fetch.per_host,
        allow: settings.fetch.allow.clone(),
    })?)
}

/// The operator's bounds on how often a feed is polled.
pub(crate) fn intervals(settings: &Settings) -> Intervals {
    Intervals {
        min: settings.fetch.min_interval,
        max: settings.fetch.max_interval,
    }
}

/// What sends mail to members, by the server that the config names, if it names one.
pub(crate) fn post_office(settings: &Settings, store: Store) -> anyhow::Result<PostOffice> {
    let smtp = settings.mail.as_ref().map(|mail| SmtpSettings {
        server: mail.smtp.clone(),
        password: environment("VOICE_SMTP_PASSWORD").filter(|password| !password.is_empty()),
        from: mail.from.clone(),
    });
    Ok(PostOffice::new(store, Arc::new(SystemClock), smtp)?)
}

/// A poller that writes to `store`.
pub(crate) fn poller(settings: &Settings, site: Arc<Site>, store: Store) -> anyhow::Result<Poller> {
    let poller_settings = PollerSettings {
        intervals: intervals(settings),
        schedule: CronLine::parse(&settings.fetch.schedule, Tz::UTC)?,
        concurrency: settings.fetch.concurrency,
        per_host: settings.fetch.per_host,
    };
    Ok(Poller::new(
        store,
        fetcher(settings)?,
        Arc::new(SystemClock),
        site,
        poller_settings,
    ))
}

/// When digests are closed.
pub(crate) fn digest_schedule(site: &Site) -> anyhow::Result<CronLine> {
    Ok(CronLine::parse(&site.digest_schedule, site.timezone)?)
}

/// Who closes and corrects the issues of the digest in this store.
pub(crate) fn issues(store: &Store) -> Arc<dyn Issues> {
    Arc::new(StoredIssues(store.clone()))
}

struct StoredIssues(Store);

impl Issues for StoredIssues {
    fn close<'a>(&'a self, site: &'a Site, week: Week) -> IssueStep<'a, bool> {
        Box::pin(async move {
            // The registry has checked the line; without one a week closes as it ends.
            let schedule = digest_schedule(site).ok();
            let next = |after| schedule.as_ref()?.next_after(after);
            serve::close_issue(&self.0, site, week, SystemClock.now(), &next).await
        })
    }

    fn settle<'a>(&'a self, site: &'a Site) -> IssueStep<'a, Vec<Week>> {
        Box::pin(serve::settle_issues(&self.0, site, SystemClock.now()))
    }
}
