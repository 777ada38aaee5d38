//! Is it they, or is it us? When most of the hosts that answered yesterday cannot be reached at the same time, our own
//! network is down, and no feed is blamed.
//!
//! A host bears witness only if its feed was well before: those that have failed for a month say nothing of our
//! network, though a round may consist of them alone. Any answer at all counts as reached, be it a 500 or a bad
//! certificate.

use std::collections::BTreeMap;

/// From how many unreachable hosts on it is likelier to be us than all of them.
const ENOUGH: usize = 3;

/// The state of our own network, as far as a round of polls can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// Some of the hosts were reached.
    #[default]
    Up,
    /// None could be reached, or few of those that should have been.
    Down,
}

/// What one poll says of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness<'a> {
    /// The host, as politeness counts it ([`fetch::politeness_key`]): tenants of a platform are one witness.
    pub host: &'a str,
    /// Whether any server was reached ([`fetch::Fetch::reached`]).
    pub reached: bool,
    /// Whether the feed's last poll before this one had succeeded.
    pub was_well: bool,
}

impl Network {
    /// The state after a round, from the state before it. Down if more than half of the hosts that were well, and at
    /// least three, could not be reached; and while it is down, until some host is reached again.
    #[must_use]
    pub fn after<'a>(self, round: impl IntoIterator<Item = Witness<'a>>) -> Self {
        // For each host: whether it was reached, and whether it was well before.
        let mut hosts: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
        for witness in round {
            let (reached, was_well) = hosts.entry(witness.host).or_default();
            *reached |= witness.reached;
            *was_well |= witness.was_well;
        }
        let count = |is: fn(&(bool, bool)) -> bool| hosts.values().filter(|host| is(host)).count();
        let well = count(|&(_, was_well)| was_well);
        let lost = count(|&(reached, was_well)| was_well && !reached);
        let nobody = !hosts.is_empty() && count(|&(reached, _)| reached) == 0;
        let most = lost >= ENOUGH && lost * 2 > well;
        // A round in which nobody was asked says nothing.
        if most || (self == Self::Down && (nobody || hosts.is_empty())) {
            Self::Down
        } else {
            Self::Up
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many hosts: well and reached, well and lost, ill and reached, ill and lost.
    fn after(before: Network, [good, lost, mended, ill]: [usize; 4]) -> Network {
        let kinds = [
            (good, true, true),
            (lost, false, true),
            (mended, true, false),
            (ill, false, false),
        ];
        let hosts: Vec<(String, bool, bool)> = kinds
            .iter()
            .enumerate()
            .flat_map(|(kind, &(count, reached, was_well))| {
                (0..count).map(move |n| (format!("{kind}-{n}.example"), reached, was_well))
            })
            .collect();
        before.after(hosts.iter().map(|(host, reached, was_well)| Witness {
            host,
            reached: *reached,
            was_well: *was_well,
        }))
    }

    #[test]
    fn most_at_once_is_us_and_some_are_they() {
        for (round, verdict) in [
            ([300, 0, 0, 0], Network::Up),
            ([0, 300, 0, 0], Network::Down),
            ([0, 3, 0, 0], Network::Down),
            ([10, 290, 0, 20], Network::Down),
            // Half of ten thousand, or two of two, are they.
            ([5_000, 5_000, 0, 0], Network::Up),
            ([4_999, 5_000, 0, 0], Network::Down),
            ([0, 2, 0, 0], Network::Up),
            ([0, 1, 0, 50], Network::Up),
            // A round of feeds that have failed for weeks.
            ([0, 0, 0, 50], Network::Up),
            ([2, 0, 0, 50], Network::Up),
            ([0, 0, 0, 0], Network::Up),
        ] {
            assert_eq!(after(Network::Up, round), verdict, "{round:?}");
        }
    }

    #[test]
    fn down_until_somebody_is_reached() {
        for (round, verdict) in [
            ([0, 1, 0, 0], Network::Down),
            ([0, 0, 0, 1], Network::Down),
            ([0, 0, 0, 0], Network::Down),
            ([1, 0, 0, 0], Network::Up),
            ([0, 2, 1, 0], Network::Up),
            ([1, 30, 0, 0], Network::Down),
        ] {
            assert_eq!(after(Network::Down, round), verdict, "{round:?}");
        }
    }

    #[test]
    fn a_thousand_tenants_are_one_witness() {
        let tenant = |reached| Witness {
            host: "wordpress.com",
            reached,
            was_well: true,
        };
        assert_eq!(Network::Up.after(vec![tenant(false); 1_000]), Network::Up);
        let other = Witness {
            host: "example.org",
            reached: true,
            was_well: true,
        };
        let mut round = vec![tenant(false); 999];
        round.extend([tenant(true), other]);
        assert_eq!(Network::Down.after(round), Network::Up);
    }
}
