//! Markup that is broken at random, the same in every run: sanitising it twice changes nothing, and no tag but the
//! allowed ones comes out. `fuzz/` goes further, with a compiler that can.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use normalize::sanitize;
use url::Url;

/// Pieces that parsers stumble over when they meet.
const PIECES: [&str; 72] = [
    "<p>",
    "</p>",
    "<div>",
    "</div>",
    "<a href=x>",
    "</a>",
    "<b>",
    "</b>",
    "<i lang=cy>",
    "</i>",
    "<table>",
    "</table>",
    "<tr>",
    "<td>",
    "</td>",
    "<caption>",
    "<colgroup>",
    "<col>",
    "<ul>",
    "</ul>",
    "<li>",
    "<dl>",
    "<dt>",
    "<dd>",
    "<pre>",
    "</pre>",
    "\n",
    "\n\n",
    "\r",
    "&#13;",
    "&#10;",
    "<h1>",
    "</h1>",
    "<h3>",
    "</h4>",
    "<ruby>",
    "<rt>",
    "<rp>",
    "<svg>",
    "</svg>",
    "<math>",
    "<mi>",
    "<foreignObject>",
    "<style>",
    "</style>",
    "<title>",
    "</title>",
    "<noscript>",
    "</noscript>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<select>",
    "<option>",
    "<form>",
    "</form>",
    "<button>",
    "<template>",
    "<img src=a.png>",
    "<img alt=' ' src=data:x>",
    "<img data-src=a width=1 height=1>",
    "<iframe src=//x.example>",
    "<video><source src=//x.example/a>",
    "<object>",
    "<marquee>",
    "<code class=language-a>",
    "<q title=\"<h1>\">",
    "text & more ",
    "&lt;b&gt;",
    "\u{a0}\u{2003}",
    "<details><summary>",
];

/// Numbers that look random and are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

#[test]
fn broken_markup_comes_to_rest() {
    let base = Url::parse("https://blog.example/2026/").unwrap();
    let rounds = option_env!("VOICE_MUTATIONS").map_or(4_000, |rounds| rounds.parse().unwrap());
    let mut dice = Dice(0x5eed_0fab_1e00_0001);
    for _ in 0..rounds {
        let mut raw = String::new();
        for _ in 0..=dice.throw(24) {
            raw.push_str(PIECES[dice.throw(PIECES.len())]);
        }
        // Sometimes a byte is lost.
        if dice.throw(3) == 0 {
            let at = raw.floor_char_boundary(dice.throw(raw.len()));
            raw.remove(at);
        }
        let once = sanitize(&raw, Some(&base)).into_string();
        assert_eq!(sanitize(&once, Some(&base)).as_str(), once, "out of {raw:?}");
        for refused in [
            "<script",
            "<style",
            "<iframe",
            "<svg",
            "<math",
            "<form",
            "<object",
            "<template",
            "<title",
            "<img on",
        ] {
            assert!(!once.contains(refused), "{once} out of {raw:?}");
        }
    }
}
