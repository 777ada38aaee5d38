//! Who asks: the address of a client, seen through the proxies that the operator trusts. It is used to slow down
//! those who ask too often, and is neither stored nor logged.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

/// The other end of a connection, put into each of its requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The address that a request came from. An IPv6 address stands for its /64, which one subscriber has to himself.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Caller(IpAddr);

impl Caller {
    /// The peer; where that is a trusted proxy, the right-most entry of `X-Forwarded-For` that is none: what
    /// stands further left was written by whoever asked.
    pub(crate) fn of(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let is_trusted = |address: &IpAddr| trusted.iter().any(|block| block.contains(address));
        let peer = extensions
            .get::<Peer>()
            .map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip().to_canonical());
        let mut caller = peer;
        if is_trusted(&peer) {
            let entries: Vec<&str> = headers
                .get_all("x-forwarded-for")
                .iter()
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(','))
                .collect();
            for entry in entries.into_iter().rev() {
                let Some(address) = read(entry) else { break };
                caller = address;
                if !is_trusted(&address) {
                    break;
                }
            }
        }
        Self(match caller {
            IpAddr::V4(_) => caller,
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
        })
    }
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn read(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(peer: &str, forwarded: &[&str]) -> Caller {
        let mut extensions = Extensions::new();
        extensions.insert(Peer(peer.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|block| block.parse().unwrap());
        Caller::of(&extensions, &headers, &trusted)
    }

    fn is(address: &str) -> Caller {
        Caller(address.parse().unwrap())
    }

    #[test]
    fn only_a_trusted_proxy_may_speak_for_another() {
        for (peer, forwarded, expected) in [
            ("192.0.2.1:5000", &[][..], "192.0.2.1"),
            ("192.0.2.1:5000", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1:5000", &["198.51.100.7"], "198.51.100.7"),
            // What stands left of it was written by the client.
            ("10.0.0.1:5000", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            (
                "10.0.0.1:5000",
                &["203.0.113.9", "198.51.100.7, 10.0.0.2"],
                "198.51.100.7",
            ),
            ("10.0.0.1:5000", &["198.51.100.7:1234"], "198.51.100.7"),
            ("10.0.0.1:5000", &["198.51.100.7, unknown"], "10.0.0.1"),
            ("10.0.0.1:5000", &[], "10.0.0.1"),
            ("[fd00::1]:5000", &["[2001:db8:1:2:3::4]:99"], "2001:db8:1:2::"),
            ("[::ffff:10.0.0.1]:5000", &["::ffff:198.51.100.7"], "198.51.100.7"),
        ] {
            assert_eq!(caller(peer, forwarded), is(expected), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn neighbours_of_one_network_are_one_caller() {
        let one = caller("[2001:db8:1:2::1]:5", &[]);
        assert_eq!(one, caller("[2001:db8:1:2:ffff::9]:5", &[]));
        assert_ne!(one, caller("[2001:db8:1:3::1]:5", &[]));
    }
}
