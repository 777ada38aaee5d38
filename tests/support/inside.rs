//! A Voice inside the test, with a clock that is handed in: what it would take a running one years to live through.

use std::sync::Arc;

use chrono_tz::Tz;
use fetch::{FetchConfig, Fetcher};
use model::{Clock as _, FixedClock};
use poll::{CronLine, Intervals, Network, Poller, PollerSettings, Selection};
use registry::Settings;
use store::Store;
use tokio::sync::watch;

pub(crate) struct Inside {
    pub(crate) store: Store,
    pub(crate) poller: Poller,
}

impl Inside {
    /// With the feeds of `settings` in the database at `url`, as of now by the clock.
    pub(crate) async fn open(url: &str, settings: &Settings, clock: &Arc<FixedClock>) -> Self {
        let store = Store::open(url).await.unwrap();
        store
            .merge_registry(&settings.feeds, clock.now(), settings.site.timezone)
            .await
            .unwrap();
        let fetcher = Fetcher::new(FetchConfig {
            user_agent: "Example".to_owned(),
            timeout: settings.fetch.timeout,
            max_body_bytes: settings.fetch.max_body_bytes,
            concurrency: 1,
            per_host: 1,
            allow: settings.fetch.allow.clone(),
        });
        let how = PollerSettings {
            intervals: Intervals {
                min: settings.fetch.min_interval,
                max: settings.fetch.max_interval,
            },
            schedule: CronLine::parse(&settings.fetch.schedule, Tz::UTC).unwrap(),
            concurrency: 1,
            per_host: 1,
        };
        let site = Arc::new(settings.site.clone());
        let poller = Poller::new(store.clone(), fetcher.unwrap(), Arc::clone(clock) as _, site, how);
        Self { store, poller }
    }

    /// Polls every feed, one after another, so that posts arrive in the same order in every Voice.
    pub(crate) async fn poll(&self) {
        let (_sender, stop) = watch::channel(false);
        let (mut feeds, _) = self.poller.select(Selection::All).await.unwrap();
        feeds.sort_by(|one, other| one.slug.cmp(&other.slug));
        for feed in feeds {
            let mut network = Network::default();
            let summary = self.poller.poll(vec![feed], &mut network, &stop, &|_| ()).await;
            assert_eq!(summary.feeds, 1, "{summary:?}");
        }
    }
}
