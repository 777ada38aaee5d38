//! Manners towards one host: how many requests at once, and what counts as one host.
//!
//! A platform that carries many people's blogs under their own names is one host, since one set of machines
//! answers for all of them. Nothing is kept of a host once nobody asks it anything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::{Host, Url};

/// Domains under which a platform gives each tenant a name.
const PLATFORMS: [&str; 35] = [
    "bearblog.dev",
    "blog.gov.uk",
    "blogger.com",
    "blogspot.com",
    "buttondown.email",
    "dreamwidth.org",
    "feedburner.com",
    "ghost.io",
    "github.io",
    "gitlab.io",
    "hashnode.dev",
    "hatenablog.com",
    "herokuapp.com",
    "jimdofree.com",
    "livejournal.com",
    "mataroa.blog",
    "medium.com",
    "micro.blog",
    "neocities.org",
    "netlify.app",
    "over-blog.com",
    "pages.dev",
    "pika.page",
    "posthaven.com",
    "prose.sh",
    "squarespace.com",
    "substack.com",
    "svbtle.com",
    "tumblr.com",
    "typepad.com",
    "vercel.app",
    "weebly.com",
    "wixsite.com",
    "wordpress.com",
    "write.as",
];

/// How many idle hosts are remembered before they are swept out.
const SWEEP_FROM: usize = 64;

/// What counts as one host: the platform of a tenant, else the name without `www.`, else the IP address; never
/// the port.
pub fn politeness_key(url: &Url) -> String {
    let name = match url.host() {
        Some(Host::Domain(name)) => name.trim_end_matches('.'),
        Some(Host::Ipv4(ip)) => return ip.to_string(),
        Some(Host::Ipv6(ip)) => return ip.to_canonical().to_string(),
        None => return String::new(),
    };
    let within = |domain: &str| {
        name.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if let Some(platform) = PLATFORMS.into_iter().find(|platform| within(platform)) {
        return platform.to_owned();
    }
    // Blogger answers for the same blog under the domains of many countries: name.blogspot.co.uk.
    if name.contains(".blogspot.") {
        return "blogspot.com".to_owned();
    }
    name.strip_prefix("www.").unwrap_or(name).to_owned()
}

/// Hands out turns at hosts.
#[derive(Debug)]
pub(crate) struct Hosts {
    per_host: usize,
    turns: Mutex<Turns>,
}

#[derive(Debug)]
struct Turns {
    by_host: HashMap<String, Arc<Semaphore>>,
    sweep_at: usize,
}

impl Hosts {
    /// At most `per_host` turns at once at any host.
    pub(crate) fn new(per_host: usize) -> Self {
        let turns = Turns {
            by_host: HashMap::new(),
            sweep_at: SWEEP_FROM,
        };
        Self {
            per_host,
            turns: Mutex::new(turns),
        }
    }

    /// Waits for a turn at the host of `url`; it ends when the permit is dropped.
    pub(crate) async fn turn(&self, url: &Url) -> OwnedSemaphorePermit {
        self.semaphore(politeness_key(url))
            .acquire_owned()
            .await
            .expect("the semaphores of hosts are never closed")
    }

    fn semaphore(&self, host: String) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.by_host.len() >= turns.sweep_at {
            // Whoever has or awaits a turn holds a second reference. Sweeping when the map has doubled keeps the
            // cost of it constant per call.
            turns
                .by_host
                .retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
            turns.sweep_at = SWEEP_FROM.max(2 * turns.by_host.len());
        }
        let semaphore = turns
            .by_host
            .entry(host)
            .or_insert_with(|| Arc::new(Semaphore::new(self.per_host)));
        Arc::clone(semaphore)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_of_a_platform_are_one_host() {
        for (url, key) in [
            ("https://example.wordpress.com/feed/", "wordpress.com"),
            ("https://wordpress.com/", "wordpress.com"),
            ("https://examplewordpress.com/", "examplewordpress.com"),
            ("https://medium.com/feed/@example", "medium.com"),
            ("http://example.blogspot.co.uk/", "blogspot.com"),
            ("http://Example.Blogspot.com./", "blogspot.com"),
            ("https://www.example.org:8443/", "example.org"),
            ("https://blog.example.org/", "blog.example.org"),
            ("http://127.0.0.1:8099/a.xml", "127.0.0.1"),
            ("http://2130706433/", "127.0.0.1"),
            ("http://[::ffff:127.0.0.1]:81/", "127.0.0.1"),
            ("http://[2001:4860::1]/", "2001:4860::1"),
        ] {
            assert_eq!(politeness_key(&Url::parse(url).unwrap()), key, "{url}");
        }
    }

    #[tokio::test]
    async fn idle_hosts_are_forgotten_and_busy_ones_are_not() {
        let hosts = Hosts::new(1);
        let busy = Url::parse("http://busy.example/").unwrap();
        let turn = hosts.turn(&busy).await;
        for n in 0..10_000 {
            drop(
                hosts
                    .turn(&Url::parse(&format!("http://h{n}.example/")).unwrap())
                    .await,
            );
        }
        assert!(hosts.turns.lock().unwrap().by_host.len() <= SWEEP_FROM);
        assert_eq!(hosts.semaphore("busy.example".to_owned()).available_permits(), 0);
        drop(turn);
        assert_eq!(hosts.semaphore("busy.example".to_owned()).available_permits(), 1);
    }
}
