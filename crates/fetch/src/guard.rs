//! Decides what may be connected to: by address, by name, and again by what a name resolves to.
//!
//! Three layers, since none sees everything: the address of each hop (the HTTP library resolves no literal IP),
//! the resolver (a name may lead anywhere), and the peer of the connection that was made. It never trusts
//! that two look-ups of one name agree: the resolver hands on exactly the addresses that it has judged.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use url::{Host, Url};

use crate::address::reserved_for;

/// The bad ports of the Fetch standard, section 2.9 "Port blocking": services that can be made to take an HTTP
/// request for something else. Browsers refuse them too.
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
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
#[error("{0}")]
pub(crate) struct Unresolved(String);

impl Guard {
    /// A guard that lets through the public internet and what `allow` lists.
    pub(crate) fn new(allow: Vec<IpNet>) -> Self {
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
        // Where a host is exempt, or is left to the resolver to be found exempt, so is every port of it.
        let exempt = match url.host() {
            Some(Host::Ipv4(ip)) => self.judge(IpAddr::V4(ip), "address")?,
            Some(Host::Ipv6(ip)) => self.judge(IpAddr::V6(ip), "address")?,
            Some(Host::Domain(name)) if is_local(name) => {
                if self.allow.is_empty() {
                    return Err(Refused(format!(
                        "the name {name} means a private network, which the Voice does not fetch; \
                         give the name that the whole internet knows"
                    )));
                }
                true
            }
            Some(Host::Domain(_)) => false,
            None => return Err(Refused("the address names no host".to_owned())),
        };
        match url.port() {
            Some(port) if !exempt && BAD_PORTS.contains(&port) => Err(Refused(format!(
                "port {port} belongs to a service that is no web server, so the Voice does not connect to it"
            ))),
            _ => Ok(()),
        }
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
        self.allow
            .iter()
            .any(|net| net.contains(&ip) || net.contains(&ip.to_canonical()))
    }

    /// What is left of the addresses found for `name` when the forbidden ones are dropped: for a local name
    /// the exempt ones, for any other also the public ones.
    fn permitted(
        &self,
        name: &str,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let local = is_local(name);
        let mut first_refusal = None;
        let mut kept = Vec::new();
        for address in found {
            match self.judge(address.ip(), &format!("name {name}")) {
                Ok(exempt) if exempt || !local => kept.push(address),
                Ok(_) => first_refusal = Some(refused(&format!("name {name}"), address.ip(), "by its name")),
                Err(refusal) => {
                    first_refusal.get_or_insert(refusal);
                }
            }
        }
        match first_refusal {
            Some(refusal) if kept.is_empty() => Err(refusal.into()),
            None if kept.is_empty() => Err(Unresolved(format!("the name {name} has no address")).into()),
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

/// Whether a name can only mean something near by: one label, or a special-use end.
fn is_local(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    !name.contains('.') || LOCAL_ENDS.iter().any(|end| name.ends_with(end))
}

/// Resolves names with the system's resolver and hands on only what the guard permits.
pub(crate) struct GuardedResolver(pub(crate) Arc<Guard>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            // Port 0 is replaced by the port of the request.
            let found = lookup_host((name.as_str(), 0))
                .await
                .map_err(|error| unresolved(name.as_str(), &error))?;
            let addresses: Addrs = Box::new(guard.permitted(name.as_str(), found)?.into_iter());
            Ok(addresses)
        })
    }
}

/// `getaddrinfo` tells "no such name" from "try again" only by its text (glibc, musl, macOS).
fn unresolved(name: &str, error: &std::io::Error) -> Unresolved {
    let text = error.to_string();
    let unknown = ["not known", "does not resolve", "No address associated"]
        .iter()
        .any(|phrase| text.contains(phrase));
    Unresolved(if unknown {
        format!("the name {name} does not exist; check the spelling, or whether the domain was renewed")
    } else {
        format!("the name {name} could not be looked up just now ({text})")
    })
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
            "http://１２７.０.０.１/",
            "http://0/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::127.0.0.1]/",
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
    fn schemes_users_and_ports() {
        let open = guard(&[]);
        for url in [
            "https://example.org/feed",
            "http://example.org:8080/",
            "http://example.org:81/",
            "http://8.8.8.8:8443/",
        ] {
            assert_eq!(check(&open, url), Ok(()), "{url}");
        }
        for (url, word) in [
            ("ftp://example.org/feed", "ftp:"),
            ("file:///etc/passwd", "file:"),
            ("data:text/xml,x", "data:"),
            ("http://me@example.org/", "user name"),
            ("http://:secret@example.org/", "password"),
            ("http://example.org:25/", "port 25"),
            ("https://example.org:6667/", "port 6667"),
            ("http://example.org:0/", "port 0"),
        ] {
            let message = check(&open, url).unwrap_err();
            assert!(message.contains(word), "{url}: {message}");
        }
    }

    #[test]
    fn what_is_allowed_is_exempt_with_every_port_and_nothing_else_is() {
        let guard = guard(&["127.0.0.0/8", "::1/128"]);
        for url in [
            "http://127.0.0.1:25/",
            "http://[::1]:6000/",
            "http://[::ffff:127.0.0.1]/",
            "http://localhost:22/",
        ] {
            assert_eq!(check(&guard, url), Ok(()), "{url}");
        }
        for url in [
            "http://10.0.0.1/",
            "http://[::2]/",
            "http://example.org:25/",
            "http://me@127.0.0.1/",
        ] {
            assert!(check(&guard, url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_resolver_keeps_only_what_it_may() {
        let found = |ips: &[&str]| -> Vec<SocketAddr> {
            ips.iter()
                .map(|ip| SocketAddr::new(ip.parse().unwrap(), 0))
                .collect()
        };
        let permitted = |allow: &[&str], name: &str, ips: &[&str]| {
            guard(allow)
                .permitted(name, found(ips).into_iter())
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
            message.contains("name inside.example") && message.contains("(10.0.0.1, private)"),
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
                .contains("has no address")
        );
    }

    #[test]
    fn a_missing_name_is_told_from_a_look_up_that_failed() {
        let said = |text: &str| unresolved("example.org", &std::io::Error::other(text)).to_string();
        assert!(
            said("failed to lookup address information: Name or service not known")
                .contains("does not exist")
        );
        assert!(
            said("failed to lookup address information: Temporary failure in name resolution")
                .contains("just now")
        );
    }
}
