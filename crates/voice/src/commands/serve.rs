//! `voice serve`: polls on schedule and serves the site, until Ctrl-C.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use model::{Site, SystemClock};
use poll::{Looker, Poller};
use registry::Settings;
use serve::App;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::cli::{Options, Role, ServeArguments};
use crate::{context, signals};

/// How long a Voice that stops waits for its database to be closed.
const CLOSING: Duration = Duration::from_secs(2);

pub(crate) async fn run(options: &Options, arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    let settings = context::settings(options)?;
    let role = arguments.role;
    let store = Store::open(&options.database).await?;
    // The members belong to whoever polls, so that web servers with another file do not undo what it says.
    if role != Role::Web {
        context::merge(&store, &settings).await?;
    }
    let listener = listen(&settings).await?;
    let address = listener.local_addr()?;
    let schedule = &settings.fetch.schedule;
    match role {
        Role::All => tracing::info!(
            feeds = settings.feeds.len(),
            config = %options.config.display(),
            "the Voice is at http://{address}/ - polling what is due now, then by the schedule {schedule:?}; Ctrl-C stops",
        ),
        Role::Web => tracing::info!("the Voice is at http://{address}/, and polls nothing; Ctrl-C stops"),
        Role::Fetch => tracing::info!(
            feeds = settings.feeds.len(),
            "polling what is due now, then by the schedule {schedule:?}; http://{address}/metrics tells how it goes; Ctrl-C stops",
        ),
    }
    poll_and_serve(settings, store, listener, role, Some(options)).await?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn listen(settings: &Settings) -> anyhow::Result<TcpListener> {
    let address = settings.server.listen;
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; stop what uses it, or set another with [server] listen or VOICE_SERVER_LISTEN")
    })
}

/// Runs the poller and the web server side by side, as far as the role wants both, until a signal stops them. With
/// `reload`, SIGHUP reads the config again.
pub(crate) async fn poll_and_serve(
    settings: Settings,
    store: Store,
    listener: TcpListener,
    role: Role,
    reload: Option<&Options>,
) -> anyhow::Result<()> {
    let stop = signals::stop()?;
    let site = Arc::new(settings.site.clone());
    let poller = Arc::new(context::poller(&settings, Arc::clone(&site), store.clone())?);
    let schedule = context::digest_schedule(&site)?;
    let intervals = context::intervals(&settings);
    let (live, site_changes, poller_changes) = Live::new(role, site, poller);
    let post_office = context::post_office(&settings, store.clone())?;
    let (looked_through, site_of_mails) = (poller_changes.clone(), site_changes.clone());
    let app = App {
        site: site_changes,
        looker: Arc::new(Looker::new(looked_through)),
        sends_mail: settings.mail.is_some(),
        store: store.clone(),
        clock: Arc::new(SystemClock),
        poll_stale_after: stale_after(&settings),
        due: Arc::new(move |now| intervals.due(now)),
        next_digest_close: Arc::new(move |after| schedule.next_after(after)),
        retag: Arc::new(|site, post, decisions| {
            poll::retagged(&normalize::Tagger::new(&site.topics), site, post, decisions)
        }),
        admins: context::admins()?,
        trusted_proxies: settings.server.trusted_proxies.clone(),
        serves_readers: role != Role::Fetch,
    };
    let polling = (role != Role::Web)
        .then(|| tokio::spawn(poll::run(poller_changes, context::issues(&store), stop.clone())));
    // Mail belongs to whoever polls: several of them share the work.
    let posting = (role != Role::Web).then(|| {
        let stop = stop.clone();
        tokio::spawn(async move { post_office.run(site_of_mails, stop).await })
    });
    let mut stopping = stop.clone();
    let serving = serve::serve(listener, app, async move {
        // An error means that the signal handler is gone, which is as good a reason to stop.
        let _ = stopping.wait_for(|&stop| stop).await;
    });
    tokio::select! {
        served = serving => served.context("the web server stopped")?,
        never = live.reload_on_hangup(reload, &store) => never?,
    }
    if let Some(polling) = polling {
        polling.await.context("the poller stopped")?;
    }
    if let Some(posting) = posting {
        posting.await.context("the sending of mail stopped")?;
    }
    // Whoever still reads is not waited for: the next start makes up for it.
    let _ = tokio::time::timeout(CLOSING, store.close()).await;
    Ok(())
}

/// The parts of a running Voice that a reload replaces.
struct Live {
    role: Role,
    site: watch::Sender<Arc<Site>>,
    poller: watch::Sender<Arc<Poller>>,
}

impl Live {
    fn new(
        role: Role,
        site: Arc<Site>,
        poller: Arc<Poller>,
    ) -> (Self, watch::Receiver<Arc<Site>>, watch::Receiver<Arc<Poller>>) {
        let (site, site_changes) = watch::channel(site);
        let (poller, poller_changes) = watch::channel(poller);
        (Self { role, site, poller }, site_changes, poller_changes)
    }

    /// Reads the config at each SIGHUP. One with errors leaves the running configuration in place.
    async fn reload_on_hangup(&self, options: Option<&Options>, store: &Store) -> anyhow::Result<()> {
        let mut hangup = signals::reload()?;
        while hangup.recv().await.is_some() {
            let Some(options) = options else { continue };
            match self.reload(options, store).await {
                Ok(()) => tracing::info!(config = %options.config.display(), "the config was read again"),
                Err(error) => {
                    tracing::error!("the config was not taken over; the old one goes on:\n{error:#}");
                }
            }
        }
        std::future::pending().await
    }

    async fn reload(&self, options: &Options, store: &Store) -> anyhow::Result<()> {
        let settings = context::settings(options)?;
        let site = Arc::new(settings.site.clone());
        let poller = context::poller(&settings, Arc::clone(&site), store.clone())?;
        if self.role != Role::Web {
            context::merge(store, &settings).await?;
        }
        self.site.send_replace(site);
        self.poller.send_replace(Arc::new(poller));
        Ok(())
    }
}

/// When no poll for so long means that something is wrong: three of the longest intervals.
fn stale_after(settings: &Settings) -> Duration {
    settings.fetch.max_interval.saturating_mul(3)
}
