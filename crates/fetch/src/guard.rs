//! Decides what may be connected to: by address, by name, and again by what a name resolves to.
//!
//! Three layers, since none sees everything: the address of each hop (the HTTP library resolves no literal IP),
//! the resolver (a name may lead anywhere), and the peer of the connection that was made. It never trusts
//! that two look-ups of one name agree: the resolver hands on exactly the addresses that it has judged.
//!
//! Ports: 80, 443, and from 1024 on all that are not another service's. `allow` opens addresses, and nothing but
//! those that it names: neither ports nor user information, and no IPv4 address through an IPv6 block.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::address::reserved_for;
use crate::names::Names;

/// From here on a server needs no privilege to listen, and people run web servers.
const FREE_PORTS: u16 = 1024;

/// Ports from [`FREE_PORTS`] on that belong to other services: the bad ports of the Fetch standard (section 2.9,
/// "Port blocking", which browsers refuse too), and those of databases, caches, queues, remote desktops and cluster
/// control, to which a stranger's feed address has no errand.
const OTHER_SERVICES: [u16; 50] = [
    1433, 1434, 1521, 1719, 1720, 1723, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 3659, 4045, 4190,
    5060, 5061, 5432, 5672, 5900, 5985, 5986, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
    9042, 9092, 9200, 9300, 10080, 10250, 10255, 11211, 15672, 25672, 26257, 27017, 27018, 27019, 50000,
    61616,
];

/// Ends of names that only ever mean something near by (RFC 6761, RFC 6762, RFC 8375; `internal` by ICANN).
const LOCAL_ENDS: [&str; 4] = [".localhost", ".local", ".internal", ".home.arpa"];

/// What may be connected to.
#[derive(Debug)]
pub(crate) struct Guard {
    allow: Vec<IpNet>,
}

/// The guard's refusal, in words for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(String);

/// A name that leads nowhere, in words for people.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Unresolved {
    /// Whether the look-up succeeded and found that there is no such name.
    pub(crate) missing: bool,
    message: String,
}

impl Unresolved {
    fn missing(name: &str) -> Self {
        Self {
            missing: true,
            message: format!(
                "the name {name} does not exist; check the spelling, or whether the domain was renewed"
            ),
        }
    }

    fn new(name: &str, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            return Self::missing(name);
        }
        Self {
            missing: false,
            message: format!(
                "the name {name} could not be looked up just now ({error}); if that goes on, the name servers of the \
                 domain are out of order"
            ),
        }
    }
}

impl Guard {
    /// A guard that lets through the public internet and what `allow` lists.
    pub(crate) fn new(allow: Vec<IpNet>) -> Self {
        let allow = allow.into_iter().map(canonical).collect();
        Self { allow }
    }

    /// Judges the address of one hop: scheme, user information, port, and the host as far as it can be judged
    /// without a look-up.
    pub(crate) fn check_url(&self, url: &Url) -> Result<(), Refused> {
        if !matches!(url.scheme(), "http" | "https") {
            let scheme = url.scheme();
            return Err(Refused(format!(
                "the address begins with {scheme}:, and the Voice reads only http: and https:"
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused(
                "the address holds a user name or a password, which the Voice never sends; take it out"
                    .to_owned(),
            ));
        }
        match url.host() {
            Some(Host::Ipv4(ip)) => {
                self.judge(IpAddr::V4(ip), "address")?;
            }
            Some(Host::Ipv6(ip)) => {
                self.judge(IpAddr::V6(ip), "address")?;
            }
            // Where something is allowed, the resolver finds out whether this name leads there.
            Some(Host::Domain(name)) if is_local(name) && self.allow.is_empty() => {
                return Err(Refused(format!(
                    "the name {name} means a private network, which the Voice does not fetch; \
                     give the name that the whole internet knows"
                )));
            }
            Some(Host::Domain(_)) => {}
            None => return Err(Refused("the address names no host".to_owned())),
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if matches!(port, 80 | 443) || (port >= FREE_PORTS && !OTHER_SERVICES.contains(&port)) {
            return Ok(());
        }
        Err(Refused(format!(
            "port {port} is not one of the web's; the Voice connects to 80, 443 and those from {FREE_PORTS} on that \
             no other service is known by"
        )))
    }

    /// Judges the peer of a connection that was made.
    pub(crate) fn check_peer(&self, ip: IpAddr) -> Result<(), Refused> {
        self.judge(ip, "connection").map(drop)
    }

    /// Whether `ip` is exempt (`true`) or public (`false`); refused if neither.
    fn judge(&self, ip: IpAddr, subject: &str) -> Result<bool, Refused> {
        if self.is_allowed(ip) {
            return Ok(true);
        }
        match reserved_for(ip) {
            None => Ok(false),
            Some(block) => Err(refused(subject, ip, block)),
        }
    }

    fn is_allowed(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.allow.iter().any(|net| net.contains(&ip))
    }

    /// What is left of the addresses found for `name` when the forbidden ones are dropped: for a local name
    /// the exempt ones, for any other also the public ones.
    fn permitted(
        &self,
        name: &str,
        found: Vec<IpAddr>,
    ) -> Result<Vec<IpAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let local = is_local(name);
        let mut first_refusal = None;
        let mut kept = Vec::new();
        for address in found {
            let refusal = match self.judge(address, &format!("name {name}")) {
                Ok(exempt) if exempt || !local => {
                    kept.push(address);
                    continue;
                }
                Ok(_) => refused(&format!("name {name}"), address, "by its name"),
                Err(refusal) => refusal,
            };
            first_refusal.get_or_insert(refusal);
        }
        match first_refusal {
            Some(refusal) if kept.is_empty() => Err(refusal.into()),
            None if kept.is_empty() => Err(Unresolved::missing(name).into()),
            _ => Ok(kept),
        }
    }
}

fn refused(subject: &str, ip: IpAddr, block: &str) -> Refused {
    Refused(format!(
        "the {subject} leads to a private or reserved network ({ip}, {block}), \
         which the Voice never fetches unless its operator allows it under [fetch] allow"
    ))
}

/// Whether an address can only mean something near by: a private or reserved number, or a name that is none of the
/// internet's. What a name leads to is not looked up.
pub fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => reserved_for(IpAddr::V4(ip)).is_some(),
        Some(Host::Ipv6(ip)) => reserved_for(IpAddr::V6(ip)).is_some(),
        Some(Host::Domain(name)) => is_local(name),
        None => true,
    }
}

/// Whether a name can only mean something near by: one label, or a special-use end.
fn is_local(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    !name.contains('.') || LOCAL_ENDS.iter().any(|end| name.ends_with(end))
}

/// An allowed block as the addresses are compared: IPv4 written as IPv6 is IPv4.
fn canonical(net: IpNet) -> IpNet {
    if let IpNet::V6(v6) = net
        && let Some(v4) = v6.network().to_ipv4_mapped()
        && let Some(prefix) = v6.prefix_len().checked_sub(96)
        && let Ok(v4) = Ipv4Net::new(v4, prefix)
    {
        return IpNet::V4(v4);
    }
    net
}

/// Looks names up and hands on only what the guard permits.
pub(crate) struct GuardedResolver {
    pub(crate) guard: Arc<Guard>,
    pub(crate) names: Arc<dyn Names>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.guard);
        let looking = self.names.look_up(name.as_str());
        Box::pin(async move {
            let found = looking
                .await
                .map_err(|error| Unresolved::new(name.as_str(), &error))?;
            let permitted = guard.permitted(name.as_str(), found)?;
            // Port 0 is replaced by the port of the request.
            let addresses: Addrs = Box::new(permitted.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str]) -> Guard {
        Guard::new(allow.iter().map(|net| net.parse().unwrap()).collect())
    }

    fn check(guard: &Guard, url: &str) -> Result<(), String> {
        guard
            .check_url(&Url::parse(url).unwrap())
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn every_spelling_of_a_forbidden_address_is_refused() {
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://127.0.0.1./",
            "http://127.0.0.1.:8080/",
            "http://１２７.０.０.１/",
            "http://127。0。0。1/",
            "http://%31%32%37.0.0.1/",
            "http://0x7F.0X0.0.1/",
            "http://0000000177.0.0.01/",
            "http:\\\\127.0.0.1\\",
            "http:/127.0.0.1/",
            "ht\ntp://127.0\t.0.1/",
            "http://0/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[0:0:0:0:0:ffff:127.0.0.1]/",
            "http://[::FFFF:127.0.0.1]:8080/",
            "http://[::ffff:0:127.0.0.1]/",
            "http://[64:ff9b::127.0.0.1]/",
            "http://[64:ff9b:1::127.0.0.1]/",
            "http://[2002:7f00:1::]/",
            "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
            "http://[2606:4700::5efe:127.0.0.1]/",
            "http://[fd00:ec2::254]/",
            "http://[fe80::1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://100.100.100.200/",
            "http://168.63.129.16/",
        ] {
            let message = check(&guard(&[]), url).unwrap_err();
            assert!(
                message.contains("private or reserved network ("),
                "{url}: {message}"
            );
        }
    }

    #[test]
    fn names_that_mean_something_near_by_are_refused() {
        for name in [
            "localhost",
            "LOCALHOST.",
            "blog.localhost",
            "printer.local",
            "metadata.google.internal",
            "nas.home.arpa",
            "intranet",
            "com.",
        ] {
            let message = check(&guard(&[]), &format!("http://{name}/")).unwrap_err();
            assert!(message.contains("means a private network"), "{name}: {message}");
        }
        assert_eq!(check(&guard(&[]), "http://notlocal.example/"), Ok(()));
    }

    #[test]
    fn what_is_no_address_never_becomes_one() {
        for text in [
            "http://[fe80::1%25eth0]/",
            "http://[fe80::1%eth0]/",
            "http://[::1/",
            "http://[127.0.0.1]/",
            "http://127.0.0.1.1/",
            "http://256.0.0.1/",
            "http://0x100000000/",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn schemes_users_and_ports() {
        let open = guard(&[]);
        for url in [
            "https://example.org/feed",
            "http://example.org:443/",
            "http://example.org:8080/",
            "http://8.8.8.8:8443/",
            "http://example.org:1024/",
            "http://example.org:65535/",
        ] {
            assert_eq!(check(&open, url), Ok(()), "{url}");
        }
        for (url, word) in [
            ("ftp://example.org/feed", "ftp:"),
            ("file:///etc/passwd", "file:"),
            ("data:text/xml,x", "data:"),
            ("gopher://example.org:70/", "gopher:"),
            ("http://me@example.org/", "user name"),
            ("http://:secret@example.org/", "password"),
            ("http://example.org:0/", "port 0 is not"),
            ("http://example.org:22/", "port 22 is not"),
            ("http://example.org:25/", "port 25 is not"),
            ("http://example.org:81/", "port 81 is not"),
            ("http://example.org:1023/", "port 1023 is not"),
            ("http://example.org:5432/", "port 5432 is not"),
            ("http://example.org:6379/", "port 6379 is not"),
            ("https://example.org:6667/", "port 6667 is not"),
            ("http://example.org:11211/", "port 11211 is not"),
        ] {
            let message = check(&open, url).unwrap_err();
            assert!(message.contains(word), "{url}: {message}");
        }
    }

    #[test]
    fn what_is_allowed_is_exempt_and_nothing_else_is() {
        let some = guard(&["127.0.0.0/8", "::1/128", "::ffff:10.1.0.0/112", "fd00::/8"]);
        for url in [
            "http://127.0.0.1:8099/",
            "http://[::1]:3000/",
            "http://[::ffff:127.0.0.1]/",
            "http://localhost:8080/",
            "http://10.1.255.255/",
            "http://[fd12::1]/",
        ] {
            assert_eq!(check(&some, url), Ok(()), "{url}");
        }
        for url in [
            "http://10.0.0.1/",
            "http://10.2.0.0/",
            "http://[::2]/",
            "http://[64:ff9b::127.0.0.1]/",
            "http://[::127.0.0.1]/",
            "http://example.org:25/",
            "http://127.0.0.1:25/",
            "http://[::1]:6379/",
            "http://me@127.0.0.1/",
        ] {
            assert!(check(&some, url).is_err(), "{url}");
        }
        // All of IPv6 is not all of IPv4, though each IPv4 address can be written as one of IPv6.
        let all_v6 = guard(&["::/0"]);
        assert!(check(&all_v6, "http://[::ffff:127.0.0.1]/").is_err());
        assert_eq!(check(&all_v6, "http://[::1]/"), Ok(()));
    }

    #[test]
    fn the_resolver_keeps_only_what_it_may() {
        let found = |ips: &[&str]| -> Vec<IpAddr> { ips.iter().map(|ip| ip.parse().unwrap()).collect() };
        let permitted = |allow: &[&str], name: &str, ips: &[&str]| {
            guard(allow)
                .permitted(name, found(ips))
                .map_err(|error| error.to_string())
        };
        // A public name that points inside as well: the inside is dropped.
        assert_eq!(
            permitted(&[], "mixed.example", &["10.0.0.1", "8.8.8.8", "::1"]),
            Ok(found(&["8.8.8.8"]))
        );
        // Only inside: refused, and the first rule is told.
        let message = permitted(&[], "inside.example", &["10.0.0.1", "::1"]).unwrap_err();
        assert!(
            message.contains("name inside.example") && message.contains("(10.0.0.1, private, RFC 1918)"),
            "{message}"
        );
        // A local name gets exempt addresses only.
        assert_eq!(
            permitted(&["127.0.0.0/8"], "localhost", &["::1", "127.0.0.1"]),
            Ok(found(&["127.0.0.1"]))
        );
        assert!(permitted(&["127.0.0.0/8"], "intranet", &["8.8.8.8"]).is_err());
        assert!(
            permitted(&[], "empty.example", &[])
                .unwrap_err()
                .contains("does not exist")
        );
    }
}
