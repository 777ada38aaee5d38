//! A month of polls in no time: the whole policy against three hundred imagined servers, with the clock handed in. Every
//! server keeps a log, and the log is what is judged.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use model::Why;
use url::Url;

use crate::hints::Hints;
use crate::moves::{Answer, Move, moved};
use crate::network::{Network, Witness};
use crate::schedule::{Intervals, NextPoll, Turn, Written};

const FEEDS: i64 = 300;
const TICK: TimeDelta = TimeDelta::minutes(5);
const MONTH: TimeDelta = TimeDelta::days(30);

const INTERVALS: Intervals = Intervals {
    min: Duration::from_mins(30),
    max: Duration::from_hours(24),
};

fn start() -> DateTime<Utc> {
    "2026-11-01T00:00:00Z".parse().unwrap()
}

/// Our own network is away for six hours of the twelfth day.
fn outage() -> (DateTime<Utc>, DateTime<Utc>) {
    let from = start() + TimeDelta::days(11) + TimeDelta::hours(9);
    (from, from + TimeDelta::hours(6))
}

/// What a feed's server is like.
struct Server {
    host: String,
    /// A post each so many hours; 0 is never.
    writes_each: i64,
    fresh_for: Option<Duration>,
    hints: Hints,
    /// Nobody listens, all month.
    dead: bool,
    /// It has had enough on the tenth day, and says so for a day.
    refuses: bool,
    /// It redirects for good from the fifth day on.
    moves: bool,
    log: Vec<DateTime<Utc>>,
}

impl Server {
    fn new(feed: i64) -> Self {
        let mut hints = Hints::default();
        match feed % 7 {
            0 => hints.syndication(Some("hourly"), Some("1")),
            1 => hints.ttl(Duration::from_hours(3)),
            2 => (0..6).for_each(|hour| hints.skip_hour(&hour.to_string())),
            _ => {}
        }
        Self {
            host: format!("{feed}.example"),
            writes_each: [6, 24, 72, 168, 400, 0][(feed % 6) as usize],
            fresh_for: [None, Some(0), Some(600), Some(7_200)][(feed % 4) as usize].map(Duration::from_secs),
            hints,
            dead: feed % 30 == 0,
            refuses: feed % 30 == 1,
            moves: feed % 30 == 2,
            log: Vec::new(),
        }
    }

    /// How many posts there are at `now`, and the dates of the last ten; some lie before the month.
    fn posts(&self, now: DateTime<Utc>) -> (i64, Vec<DateTime<Utc>>) {
        if self.writes_each == 0 {
            return (0, Vec::new());
        }
        let last = (now - start()).num_hours() / self.writes_each;
        let dates = (last - 9..=last).map(|n| start() + TimeDelta::hours(n * self.writes_each));
        (last + 10, dates.collect())
    }

    fn refuses_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let from = start() + TimeDelta::days(9);
        let until = from + TimeDelta::days(1);
        (self.refuses && now >= from && now < until).then_some(until)
    }
}

/// What is stored of a feed.
struct Stored {
    polls: i64,
    next: NextPoll,
    retry_after_at: Option<DateTime<Utc>>,
    failures: u32,
    posts: i64,
    moved: Option<(Url, DateTime<Utc>)>,
    settled_at: Option<DateTime<Utc>>,
}

/// What happened in the month.
#[derive(Default)]
struct Month {
    /// For each feed: when it was asked, and what was set then.
    asked: BTreeMap<i64, Vec<(DateTime<Utc>, NextPoll)>>,
    settled: BTreeMap<i64, DateTime<Utc>>,
    refused: Vec<(i64, DateTime<Utc>, DateTime<Utc>)>,
    not_modified: usize,
    changed: usize,
    most_failures: BTreeMap<i64, u32>,
}

/// The month of all tests; it is the same each time.
static MONTH_LIVED: LazyLock<(Month, Vec<Server>)> = LazyLock::new(live);

fn live() -> (Month, Vec<Server>) {
    let mut servers: Vec<Server> = (0..FEEDS).map(Server::new).collect();
    let mut feeds: Vec<Stored> = (0..FEEDS)
        .map(|_| Stored {
            polls: 0,
            next: NextPoll {
                at: start(),
                why: Why::Rhythm,
            },
            retry_after_at: None,
            failures: 0,
            posts: 0,
            moved: None,
            settled_at: None,
        })
        .collect();
    let mut month = Month::default();
    let mut network = Network::Up;
    let mut now = start();
    while now < start() + MONTH {
        let away = now >= outage().0 && now < outage().1;
        let due: Vec<usize> = (0..feeds.len())
            .filter(|&n| feeds[n].next.at <= now && !INTERVALS.due(now).is_refused(feeds[n].retry_after_at))
            .collect();
        network = network.after(due.iter().map(|&n| Witness {
            host: &servers[n].host,
            reached: !away && !servers[n].dead,
            was_well: feeds[n].failures == 0,
        }));
        for n in due {
            let (feed, server) = (&mut feeds[n], &mut servers[n]);
            let id = n as i64;
            feed.polls += 1;
            let turn = Turn {
                feed: id,
                poll: feed.polls,
            };
            if away || server.dead {
                feed.next = if network == Network::Down {
                    INTERVALS.after_outage(now, turn)
                } else {
                    feed.failures += 1;
                    INTERVALS.after_trouble(now, feed.failures, turn)
                };
            } else {
                server.log.push(now);
                answered(feed, server, id, turn, now, &mut month);
            }
            let most = month.most_failures.entry(id).or_default();
            *most = feed.failures.max(*most);
            if !away {
                month.asked.entry(id).or_default().push((now, feed.next));
            }
        }
        now += TICK;
    }
    (month, servers)
}

fn answered(feed: &mut Stored, server: &Server, id: i64, turn: Turn, now: DateTime<Utc>, month: &mut Month) {
    if let Some(until) = server.refuses_until(now) {
        feed.failures += 1;
        feed.retry_after_at = Some(until);
        feed.next = INTERVALS.after_refusal(now, until, feed.failures, turn);
        month.refused.push((id, now, until));
        return;
    }
    feed.failures = 0;
    feed.retry_after_at = None;
    let (posts, dates) = server.posts(now);
    if posts == feed.posts && feed.polls > 1 {
        month.not_modified += 1;
    } else {
        month.changed += 1;
    }
    feed.posts = posts;
    feed.next = INTERVALS.after_answer(
        now,
        Written::of(&dates, now),
        server.fresh_for,
        &server.hints,
        turn,
    );

    let old: Url = format!("https://{}/feed", server.host).parse().unwrap();
    let new: Url = format!("https://www.{}/feed", server.host).parse().unwrap();
    let redirects = server.moves && now >= start() + TimeDelta::days(4) && feed.settled_at.is_none();
    let answer = Answer {
        asked: &old,
        from: if redirects { &new } else { &old },
        permanent_target: redirects.then_some(&new),
        is_feed: true,
    };
    let before = feed.moved.as_ref().map(|(to, since)| (to, *since));
    feed.moved = match moved(before, &answer, now) {
        Move::None => None,
        Move::Announced { to, since } => Some((to, since)),
        Move::Settled { .. } => {
            feed.settled_at = Some(now);
            month.settled.insert(id, now);
            None
        }
    };
}

#[test]
fn a_month_of_good_manners() {
    let (month, servers) = &*MONTH_LIVED;
    let tick = TICK.to_std().unwrap();
    for (id, asked) in &month.asked {
        let server = &servers[*id as usize];
        for pair in asked.windows(2) {
            let [(asked_at, set), (again, _)] = pair else {
                unreachable!()
            };
            let gap = (*again - *asked_at).to_std().unwrap();
            // At most one request for each computed interval, which is one of the operator's.
            assert!(*again >= set.at, "{id}: {again} before {set:?}");
            assert!(gap >= INTERVALS.min, "{id}: {asked_at}, then {again}");
            // And not much later: no feed starves.
            let over_outage = *asked_at < outage().1 && *again >= outage().0;
            let patience = if over_outage { 6 * 3_600 + 600 } else { 0 };
            let bound = INTERVALS.max + 2 * tick + Duration::from_secs(patience);
            assert!(
                gap <= bound || set.why == Why::RetryAfter,
                "{id}: {gap:?} by {set:?}"
            );
            if let Some(fresh) = server.fresh_for
                && set.why != Why::BackOff
            {
                assert!(gap >= fresh.min(INTERVALS.max), "{id}: {gap:?} within {fresh:?}");
            }
        }
        if let Some(asks) = server.hints.interval
            && !server.dead
        {
            let closest = asked
                .windows(2)
                .filter(|pair| pair[0].1.why != Why::BackOff)
                .map(|pair| pair[1].0 - pair[0].0)
                .min();
            assert!(
                closest.unwrap().to_std().unwrap() >= asks,
                "{id}: {closest:?} for {asks:?}"
            );
        }
        // Skipped hours are kept, where the operator's longest interval does not forbid it.
        if !server.dead && server.hints.skip_hours != 0 {
            let skipped = asked
                .iter()
                .filter(|(at, _)| server.hints.first_open(*at) != *at)
                .filter(|(at, _)| *at != start())
                .count();
            assert!(skipped * 20 <= asked.len(), "{id}: {skipped} of {}", asked.len());
        }
    }
}

#[test]
fn nobody_is_asked_inside_a_retry_after() {
    let (month, servers) = &*MONTH_LIVED;
    assert_eq!(
        month.refused.len(),
        10,
        "one refusal for each that refuses: {:?}",
        month.refused
    );
    for (id, from, until) in &month.refused {
        let inside = |at: &&DateTime<Utc>| **at > *from && **at < *until;
        assert_eq!(servers[*id as usize].log.iter().filter(inside).count(), 0, "{id}");
        let after = servers[*id as usize].log.iter().find(|at| **at >= *until);
        assert!(
            *after.unwrap() - *until <= TimeDelta::minutes(35),
            "{id}: {after:?}"
        );
    }
}

#[test]
fn an_outage_of_ours_blames_nobody_and_starves_nobody() {
    let (month, servers) = &*MONTH_LIVED;
    let (from, until) = outage();
    for (id, most) in &month.most_failures {
        let server = &servers[*id as usize];
        if server.dead {
            assert!(*most > 30, "{id} has failed {most} times");
            continue;
        }
        assert_eq!(*most, u32::from(server.refuses), "{id}");
        assert!(server.log.iter().all(|at| *at < from || *at >= until));
        // What was due while the network was away comes as soon as it is back.
        let before = server.log.iter().rfind(|at| **at < from).unwrap();
        let set = month.asked[id].iter().find(|(at, _)| at == before).unwrap().1;
        if set.at < until {
            let back = server.log.iter().find(|at| **at >= until).unwrap();
            assert!(*back - until <= TimeDelta::minutes(10), "{id}: {back}");
        }
    }
    // The dead are asked for ever, once a day in the end.
    let dead = month.asked[&0].iter().filter(|(at, _)| *at >= until).count();
    assert!((16..=24).contains(&dead), "{dead} in the last 18 days");
}

#[test]
fn moves_settle_after_a_week_and_nothing_else_does() {
    let (month, servers) = &*MONTH_LIVED;
    let announced = start() + TimeDelta::days(4);
    for (id, server) in servers.iter().enumerate() {
        match month.settled.get(&(id as i64)) {
            Some(at) => {
                assert!(server.moves, "{id}");
                let after = *at - announced;
                assert!(
                    after >= TimeDelta::days(7) && after <= TimeDelta::days(10),
                    "{id}: {after}"
                );
            }
            None => assert!(!server.moves, "{id}"),
        }
    }
}

#[test]
fn most_answers_are_a_304_and_the_same_month_comes_twice() {
    let (month, servers) = &*MONTH_LIVED;
    let asked: usize = servers.iter().map(|server| server.log.len()).sum();
    assert_eq!(asked, month.not_modified + month.changed + month.refused.len());
    let share = month.not_modified as f64 / (month.not_modified + month.changed) as f64;
    let per_day = asked as f64 / FEEDS as f64 / 30.0;
    println!(
        "{asked} requests, {per_day:.1} a day and feed, {:.1} % of them 304",
        share * 100.0
    );
    assert!(share >= 0.90, "{share}");
    assert!(per_day <= 12.0, "{per_day}");

    let (_, again) = live();
    let logs = |servers: &[Server]| -> Vec<Vec<DateTime<Utc>>> {
        servers.iter().map(|server| server.log.clone()).collect()
    };
    assert!(logs(servers) == logs(&again));
    // Nor do they come at once, in any five minutes but the first ones and those after the outage.
    let mut at_once: BTreeMap<DateTime<Utc>, usize> = BTreeMap::new();
    for at in servers.iter().flat_map(|server| &server.log) {
        *at_once.entry(*at).or_default() += 1;
    }
    let calm = start() + TimeDelta::days(2);
    let busiest = at_once
        .iter()
        .filter(|(at, _)| **at >= calm && (**at < outage().0 || **at >= outage().1 + TimeDelta::days(2)))
        .max_by_key(|(_, count)| **count);
    assert!(*busiest.unwrap().1 <= 30, "{busiest:?} of {FEEDS} at once");
}
