//! What sanitising costs beside ammonia alone, on the same posts, in CPU time of one run: `cargo bench -p normalize
//! --bench sanitize`. Prints both and their ratio, which is to stay at 1.3 or below. The posts are those of the real
//! blogs beside the project, where there are any, else a few of our own.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends here")]
#![allow(missing_docs, reason = "a program")]

use std::path::Path;
use std::time::Duration;

use url::Url;

/// How often each of the two goes over all posts when it is its turn, and how many turns it has.
const TURN: usize = 40;
const TURNS: usize = 8;

/// The markup of every post of the blogs, as it stands in the feeds.
fn posts_of(blogs: &Path) -> Vec<String> {
    let mut posts = Vec::new();
    for file in std::fs::read_dir(blogs).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let feed = feed_rs::parser::parse(bytes.as_slice()).unwrap();
        posts.extend(feed.entries.into_iter().filter_map(|entry| {
            let content = entry.content.and_then(|content| content.body);
            content.or(entry.summary.map(|summary| summary.content))
        }));
    }
    posts
}

/// Posts of the usual kinds: plain, with pictures of WordPress, with lists and quotes, with a player.
fn own_posts() -> Vec<String> {
    let paragraph = "<p>We asked <a href=\"https://council.example/?a=1&amp;b=2\">forty people</a> what they &#8220;need&#8221; \
                     from the service, and <em>wrote down</em> what they said.</p>\n";
    let picture = "<figure class=\"wp-block-image\"><img loading=\"lazy\" decoding=\"async\" width=\"1024\" height=\"576\" \
                   src=\"https://blog.example/a-1024x576.png\" alt=\"A chart\" class=\"wp-image-1\" \
                   srcset=\"https://blog.example/a-300x169.png 300w, https://blog.example/a-1024x576.png 1024w\">\
                   <figcaption>The chart</figcaption></figure>\n";
    let list = "<h2>What we learned</h2><ul><li>Ask first</li><li>Write it <strong>down</strong></li></ul>\
                <blockquote><p>It was worth it</p></blockquote>\n";
    let player =
        "<p><iframe src=\"https://www.youtube.com/embed/abc\" title=\"A day\" width=\"560\"></iframe></p>\n";
    vec![
        paragraph.repeat(12),
        format!("{}{picture}{}", paragraph.repeat(5), paragraph.repeat(5)),
        format!("{}{list}{}", paragraph.repeat(4), paragraph.repeat(6)),
        format!("{list}{picture}{}{list}", paragraph.repeat(8)),
        paragraph.repeat(20),
        format!("{}{player}", paragraph.repeat(10)),
    ]
}

/// The CPU time of this thread until now (Linux: nanoseconds on a processor); elsewhere the time of the clock.
fn cpu_time(start: std::time::Instant) -> Duration {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|stat| stat.split(' ').next()?.parse().ok())
        .map_or_else(|| start.elapsed(), Duration::from_nanos)
}

fn main() {
    let posts = option_env!("VOICE_TEST_SHARED")
        .map_or_else(own_posts, |shared| posts_of(&Path::new(shared).join("blogs")));
    let base = Url::parse("https://blog.example/2026/").unwrap();
    let start = std::time::Instant::now();
    // The processor's time is counted in ticks of some milliseconds, so each takes its turn for many of them.
    let over_all = |work: &dyn Fn(&str) -> usize| {
        let begun = cpu_time(start);
        for _ in 0..TURN {
            let length: usize = posts.iter().map(|post| work(post)).sum();
            assert!(length > 0, "the posts hold something");
        }
        cpu_time(start).saturating_sub(begun)
    };
    let (mut whole, mut alone) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..TURNS {
        alone += over_all(&|post| ammonia::clean(post).len());
        whole += over_all(&|post| normalize::sanitize(post, Some(&base)).as_str().len());
    }
    let rounds = u32::try_from(TURN * TURNS).expect("a few hundred");
    (whole, alone) = (whole / rounds, alone / rounds);
    println!(
        "{} posts, {} bytes: sanitize {whole:.2?}, ammonia alone {alone:.2?}, ratio {:.2}",
        posts.len(),
        posts.iter().map(String::len).sum::<usize>(),
        whole.as_secs_f64() / alone.as_secs_f64()
    );
}
