//! Which IP addresses are not on the public internet.
//!
//! The table is stricter than the IANA special-purpose registries (RFC 6890 and what followed): it also refuses
//! blocks that are reachable but serve a protocol, not web pages, and every IPv6 address outside the space that
//! is given out at all (2000::/3). `IpAddr::is_global` is unstable and knows neither.
//!
//! IPv4 within IPv6 comes in seven forms. Where the machine itself or its network's own translator reaches IPv4 by
//! them (mapped, NAT64, ISATAP), the IPv4 address decides; those by which a packet goes to somebody else's relay
//! (compatible, translated, local-use NAT64, 6to4, Teredo) are refused whole, for no blog has such an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// First address, prefix length, what the block is for and by which rule.
type Block<A> = (A, u32, &'static str);

/// The more particular first.
const V4: [Block<Ipv4Addr>; 23] = [
    // The first is of AWS, Google, Azure and most others, then Alibaba and Oracle. The last is public by number, but
    // on every Azure machine it is the host's own service.
    (Ipv4Addr::new(169, 254, 169, 254), 32, "cloud metadata, RFC 3927"),
    (Ipv4Addr::new(100, 100, 100, 200), 32, "cloud metadata, RFC 6598"),
    (Ipv4Addr::new(192, 0, 0, 192), 32, "cloud metadata, RFC 6890"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "cloud metadata"),
    (Ipv4Addr::UNSPECIFIED, 8, "“this network”, RFC 791"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private, RFC 1918"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared by a carrier, RFC 6598"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback, RFC 1122"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local, RFC 3927"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private, RFC 1918"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments, RFC 6890"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation, RFC 5737"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "AS112, RFC 7535"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "AMT, RFC 7450"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relays, RFC 7526"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private, RFC 1918"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "AS112, RFC 7534"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking, RFC 2544"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation, RFC 5737"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation, RFC 5737"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast, RFC 5771"),
    (Ipv4Addr::BROADCAST, 32, "broadcast, RFC 919"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved, RFC 1112"),
];

/// Blocks within 2000::/3 first; those outside it are here only to be called by their name.
const V6: [Block<Ipv6Addr>; 16] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "Teredo, RFC 4380"),
    (
        Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0),
        23,
        "protocol assignments, RFC 2928",
    ),
    (
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),
        32,
        "documentation, RFC 3849",
    ),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4, RFC 3056"),
    (
        Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0),
        48,
        "AS112, RFC 7534",
    ),
    (
        Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0),
        20,
        "documentation, RFC 9637",
    ),
    (Ipv6Addr::LOCALHOST, 128, "loopback, RFC 4291"),
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified, RFC 4291"),
    (Ipv6Addr::UNSPECIFIED, 96, "IPv4-compatible, RFC 4291"),
    (
        Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0),
        96,
        "IPv4-translated, RFC 2765",
    ),
    (
        Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0),
        48,
        "local-use NAT64, RFC 8215",
    ),
    (
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        128,
        "cloud metadata, RFC 4193",
    ),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "private, RFC 4193"),
    (
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0),
        10,
        "link-local, RFC 4291",
    ),
    (
        Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0),
        10,
        "site-local, RFC 3879",
    ),
    (
        Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0),
        8,
        "multicast, RFC 4291",
    ),
];

/// What kind of place this is, if it is one that is never connected to, and the rule that says so.
pub(crate) fn reserved_for(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(v4) => reserved_v4(v4),
        IpAddr::V6(v6) => reserved_v6(v6),
    }
}

fn reserved_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    V4.iter()
        .find(|(first, prefix, _)| (bits ^ first.to_bits()) >> (32 - prefix) == 0)
        .map(|&(_, _, name)| name)
}

fn reserved_v6(address: Ipv6Addr) -> Option<&'static str> {
    let embedded = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // An IPv6-only machine reaches all of IPv4 through these (RFC 6052), so the IPv4 address within decides.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => return reserved_v4(embedded(high, low)),
        // An ISATAP interface (RFC 5214 section 6.1) sends these to the IPv4 address within.
        [.., 0 | 0x200, 0x5efe, high, low] if reserved_v4(embedded(high, low)).is_some() => {
            return Some("ISATAP into a private network, RFC 5214");
        }
        _ => {}
    }
    let bits = address.to_bits();
    V6.iter()
        .find(|(first, prefix, _)| (bits ^ first.to_bits()) >> (128 - prefix) == 0)
        .map(|&(_, _, name)| name)
        .or((bits >> 125 != 0b001).then_some("reserved, RFC 4291"))
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;

    /// One line of the public table.
    struct Special {
        net: IpNet,
        globally_reachable: &'static str,
        verdict: &'static str,
    }

    fn special() -> Vec<Special> {
        include_str!("../tests/fixtures/special-addresses.csv")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let fields: Vec<&str> = line.split(';').collect();
                let [net, _, _, globally_reachable, verdict] = fields[..] else {
                    panic!("{line}")
                };
                Special {
                    net: net.parse().unwrap(),
                    globally_reachable,
                    verdict,
                }
            })
            .collect()
    }

    /// Addresses spread over a block: both ends, and a walk between them in steps of no pattern.
    fn samples(net: IpNet) -> Vec<IpAddr> {
        let mut samples = vec![net.network(), net.broadcast()];
        let mut state = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835_u128;
        for _ in 0..200 {
            state = state.wrapping_mul(0xda94_2042_e4dd_58b5).rotate_left(41) ^ state;
            samples.push(match net {
                IpNet::V4(net) => IpAddr::V4(Ipv4Addr::from_bits(
                    net.network().to_bits() | (state as u32 & net.hostmask().to_bits()),
                )),
                IpNet::V6(net) => IpAddr::V6(Ipv6Addr::from_bits(
                    net.network().to_bits() | (state & net.hostmask().to_bits()),
                )),
            });
        }
        samples
    }

    /// The neighbours on both sides of the blocks of the table, and well-known public servers.
    const PUBLIC: &[&str] = &[
        "1.0.0.0",
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "168.63.129.17",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.1.255",
        "192.0.3.0",
        "192.31.195.255",
        "192.31.197.0",
        "192.52.192.255",
        "192.52.194.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "192.175.47.255",
        "192.175.49.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2000::1",
        "2001:200::",
        "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db9::",
        "2001:4860:4860::8888",
        "2003::",
        "2606:4700:4700::1111",
        "2606:4700::5efe:8.8.8.8",
        "2606:4700::1:5efe:10.0.0.1",
        "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff",
        "2620:4f:8001::",
        "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "3fff:1000::",
    ];

    #[test]
    fn every_special_purpose_block_is_refused_from_end_to_end() {
        for line in special().iter().filter(|line| line.verdict == "refused") {
            for address in samples(line.net) {
                assert!(reserved_for(address).is_some(), "{address} of {}", line.net);
            }
        }
    }

    #[test]
    fn what_the_registry_calls_unreachable_is_never_public() {
        let lines = special();
        assert!(
            lines
                .iter()
                .filter(|line| line.globally_reachable == "no")
                .count()
                >= 30
        );
        for line in lines.iter().filter(|line| line.globally_reachable == "no") {
            for address in samples(line.net) {
                // What a mapped address means is said by the lines of IPv4.
                let address = address.to_canonical();
                let listed = lines
                    .iter()
                    .any(|line| line.verdict == "refused" && line.net.contains(&address));
                assert_eq!(
                    reserved_for(address).is_some(),
                    listed,
                    "{address} of {}",
                    line.net
                );
            }
        }
    }

    #[test]
    fn ipv4_within_ipv6_is_judged_by_what_it_leads_to() {
        for line in special() {
            let IpNet::V4(net) = line.net else { continue };
            for v4 in samples(IpNet::V4(net)) {
                let IpAddr::V4(v4) = v4 else { unreachable!() };
                let [a, b] = [(v4.to_bits() >> 16) as u16, v4.to_bits() as u16];
                for within in [
                    Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, a, b),
                    Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b),
                    Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0x5efe, a, b),
                    Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0x200, 0x5efe, a, b),
                    // These are refused whatever is within.
                    Ipv6Addr::new(0, 0, 0, 0, 0, 0, a, b),
                    Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, a, b),
                    Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, a, b),
                    Ipv6Addr::new(0x2002, a, b, 0, 0, 0, 0, 1),
                    Ipv6Addr::new(0x2001, 0, 0x4136, 0xe378, 0x8000, 0x63bf, !a, !b),
                ] {
                    assert!(reserved_for(IpAddr::V6(within)).is_some(), "{within} for {v4}");
                }
            }
        }
    }

    #[test]
    fn the_neighbours_are_public() {
        for address in PUBLIC {
            assert_eq!(reserved_for(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn what_the_table_does_not_list_is_public() {
        // A walk over all of IPv4 in steps of a prime meets every large block of the table many times, and another
        // goes over what is given out of IPv6.
        let nets: Vec<IpNet> = special().iter().map(|line| line.net).collect();
        let v4 = (0..=u32::MAX)
            .step_by(104_729)
            .map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)));
        let v6 = (0x2000_0000..0x4000_0000_u32)
            .step_by(8_191)
            .map(|bits| IpAddr::V6(Ipv6Addr::from_bits(u128::from(bits) << 96 | 0x1234)));
        for address in v4.chain(v6) {
            let listed = nets.iter().any(|net| net.contains(&address));
            assert_eq!(reserved_for(address).is_some(), listed, "{address}");
        }
    }

    #[test]
    fn blocks_have_names() {
        for (address, name) in [
            ("127.0.0.1", "loopback, RFC 1122"),
            ("::ffff:127.0.0.1", "loopback, RFC 1122"),
            ("169.254.169.254", "cloud metadata, RFC 3927"),
            ("64:ff9b::a9fe:a9fe", "cloud metadata, RFC 3927"),
            ("fd00:ec2::254", "cloud metadata, RFC 4193"),
            ("::7f00:1", "IPv4-compatible, RFC 4291"),
            ("::ffff:0:127.0.0.1", "IPv4-translated, RFC 2765"),
            ("2001::1", "Teredo, RFC 4380"),
            ("2002:7f00:1::", "6to4, RFC 3056"),
            ("64:ff9b:1::7f00:1", "local-use NAT64, RFC 8215"),
            (
                "2606:4700::5efe:10.0.0.1",
                "ISATAP into a private network, RFC 5214",
            ),
            ("2001:2::1", "protocol assignments, RFC 2928"),
            ("5f00::1", "reserved, RFC 4291"),
            ("255.255.255.255", "broadcast, RFC 919"),
        ] {
            assert_eq!(reserved_for(address.parse().unwrap()), Some(name), "{address}");
        }
    }
}
