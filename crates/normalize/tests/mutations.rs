//! Feeds damaged at random, the same way every time: whatever the bytes, reading ends soon, without a panic, and
//! says the same of the same bytes.
//!
//! `VOICE_TEST_MUTATIONS` sets how many damaged feeds are read (for a long run), `VOICE_TEST_SHARED` adds feeds to
//! damage. A finding is cut down to its smallest bytes and becomes a fixture. `fuzz/` does the same under libFuzzer.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use normalize::{Document, Source, Tagger, read};
use url::Url;

const MUTATIONS: usize = 3_000;
/// No feed may take longer, in a debug build on a busy machine.
const SLOWEST: Duration = Duration::from_secs(10);

/// What breaks readers: pieces of markup that open, close, quote and refer.
const PIECES: [&[u8]; 36] = [
    b"<",
    b">",
    b"&",
    b"\"",
    b"'",
    b"/>",
    b"]]>",
    b"<![CDATA[",
    b"<!--",
    b"-->",
    b"<?xml version='1.0' encoding='utf-16'?>",
    b"<!DOCTYPE a [<!ENTITY b \"&b;&b;\">]>",
    b"&b;",
    b"&#0;",
    b"&#x110000;",
    b"&nbsp;",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xc3",
    b"\x80",
    b"<item>",
    b"</item>",
    b"<entry>",
    b"</channel>",
    b"<title>",
    b"</x:y>",
    b"<a xmlns:a='b' a:c=d e f=\"",
    b" xml:base=':::'",
    b"<content type='xhtml'>",
    b"{\"items\":[",
    b"null,",
    b"\\u0000",
    b"99999999999999999999",
    b"+99:99",
    b"\xc3\x83\xc2\xa9",
];

/// A generator of numbers (xorshift64*), so that every run damages alike.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }
}

fn damage(seed: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=numbers.below(8) {
        let at = numbers.below(bytes.len() + 1);
        let end = at + numbers.below((bytes.len() - at).min(200) + 1);
        match numbers.below(7) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at),
            2 => {
                let piece = bytes[at..end].to_vec();
                let times = 1 + numbers.below(40);
                bytes.splice(at..at, piece.repeat(times));
            }
            3 if at < bytes.len() => bytes[at] = numbers.below(256) as u8,
            4 => {
                let from = numbers.below(other.len());
                let to = from + numbers.below((other.len() - from).min(400) + 1);
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                let piece = PIECES[numbers.below(PIECES.len())];
                let times = if numbers.below(20) == 0 {
                    1 + numbers.below(500)
                } else {
                    1
                };
                bytes.splice(at..at, piece.repeat(times));
            }
        }
    }
    bytes
}

fn seeds(folder: &Path, found: &mut Vec<PathBuf>) {
    for file in fs::read_dir(folder).expect("the folder is there") {
        let path = file.expect("it can be listed").path();
        if path.is_dir() {
            seeds(&path, found);
        } else {
            found.push(path);
        }
    }
    found.sort();
}

fn ids(document: &Document) -> Vec<&str> {
    document
        .entries
        .iter()
        .map(|entry| entry.source_id.as_str())
        .collect()
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a long run is asked for by the environment"
)]
fn damaged_feeds_are_read_without_panic_and_alike() {
    let mut paths = Vec::new();
    seeds(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"),
        &mut paths,
    );
    if let Ok(shared) = std::env::var("VOICE_TEST_SHARED") {
        seeds(&Path::new(&shared).join("blogs"), &mut paths);
    }
    let seeds: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| fs::read(path).unwrap())
        .filter(|seed| seed.len() < 100_000)
        .collect();
    let wanted = std::env::var("VOICE_TEST_MUTATIONS").ok();
    let wanted = wanted.and_then(|number| number.parse().ok()).unwrap_or(MUTATIONS);
    let url = Url::parse("https://blog.example/feed").unwrap();
    let tagger = Tagger::new(&[]);
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut feeds = 0;
    for _ in 0..wanted {
        let seed = &seeds[numbers.below(seeds.len())];
        let other = &seeds[numbers.below(seeds.len())];
        let body = damage(seed, other, &mut numbers);
        let source = Source {
            body: &body,
            content_type: [
                None,
                Some("text/xml; charset=utf-16"),
                Some("text/xml; charset=gb2312"),
            ][numbers.below(30).min(2)],
            url: (numbers.below(2) == 0).then_some(&url),
            timezone: chrono_tz::Europe::London,
        };
        let began = Instant::now();
        let kept = std::env::temp_dir().join("voice-damaged-feed");
        let outcome = std::panic::catch_unwind(|| read(&source));
        if outcome.is_err() || began.elapsed() > SLOWEST {
            fs::write(&kept, &body).unwrap();
            panic!(
                "{} was read in {:?}, panic: {}",
                kept.display(),
                began.elapsed(),
                outcome.is_err()
            );
        }
        let (Ok(Ok(document)), Ok(again)) = (outcome, read(&source)) else {
            continue;
        };
        feeds += 1;
        assert_eq!(ids(&document), ids(&again));
        assert!(document.problems.is_sorted_by_key(|problem| problem.severity));
        if let Some(entry) = document.entries.first() {
            entry.finish(&tagger);
        }
    }
    assert!(
        feeds > wanted / 10,
        "damage leaves nothing to read: {feeds} of {wanted}"
    );
}
