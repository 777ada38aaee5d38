//! How often one caller may do what costs us something. Callers are sorted into a fixed number of boxes, so that no
//! flood of addresses can make this grow; which box, nobody outside can tell.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZero;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::caller::Caller;
use crate::failure::Failure;

type Limiter = RateLimiter<u16, HashMapStateStore<u16>, DefaultClock>;

/// What is counted, each for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// A form was sent.
    Form,
    /// We are to look at somebody's server.
    Look,
    /// A password, token or link that was wrong.
    WrongKey,
}

/// The limits of all callers.
pub(crate) struct Throttle {
    boxes: RandomState,
    clock: DefaultClock,
    forms: Limiter,
    looks: Limiter,
    wrong_keys: Limiter,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            boxes: RandomState::new(),
            clock: DefaultClock::default(),
            // A workshop behind one address, everybody registering at once, should not notice.
            forms: RateLimiter::hashmap(quota(60, Duration::from_secs(1))),
            looks: RateLimiter::hashmap(quota(30, Duration::from_secs(10))),
            wrong_keys: RateLimiter::hashmap(quota(10, Duration::from_mins(1))),
        }
    }
}

impl Throttle {
    /// Counts one effort of this caller.
    ///
    /// # Errors
    /// [`Failure::TooMany`] when it was one too many.
    pub(crate) fn count(&self, effort: Effort, caller: Caller) -> Result<(), Failure> {
        let limiter = match effort {
            Effort::Form => &self.forms,
            Effort::Look => &self.looks,
            Effort::WrongKey => &self.wrong_keys,
        };
        let into = (self.boxes.hash_one(caller) & u64::from(u16::MAX)) as u16;
        limiter
            .check_key(&into)
            .map_err(|until| Failure::TooMany(until.wait_time_from(self.clock.now())))
    }
}

/// `burst` at once, and one more after each `then`.
fn quota(burst: u32, then: Duration) -> Quota {
    let burst = NonZero::new(burst).unwrap_or(NonZero::<u32>::MIN);
    Quota::with_period(then)
        .expect("a period longer than nothing")
        .allow_burst(burst)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::http::{Extensions, HeaderMap};

    use super::*;
    use crate::caller::Peer;

    fn caller(address: impl Into<IpAddr>) -> Caller {
        let mut extensions = Extensions::new();
        extensions.insert(Peer((address.into(), 1).into()));
        Caller::of(&extensions, &HeaderMap::new(), &[])
    }

    #[test]
    fn one_caller_is_slowed_and_the_others_are_not() {
        let throttle = Throttle::default();
        let (eager, other) = (caller([192, 0, 2, 1]), caller([192, 0, 2, 2]));
        let taken = (0..1000)
            .filter(|_| throttle.count(Effort::WrongKey, eager).is_ok())
            .count();
        assert_eq!(taken, 10);
        assert!(matches!(
            throttle.count(Effort::WrongKey, eager),
            Err(Failure::TooMany(wait)) if wait <= Duration::from_mins(1)
        ));
        assert!(throttle.count(Effort::Form, eager).is_ok());
        assert!(throttle.count(Effort::WrongKey, other).is_ok());
    }

    #[test]
    fn a_flood_of_addresses_does_not_make_it_grow() {
        let throttle = Throttle::default();
        for number in 0..200_000_u32 {
            let _ = throttle.count(Effort::Form, caller(number.to_be_bytes()));
        }
        assert!(throttle.forms.len() <= usize::from(u16::MAX) + 1);
    }
}
