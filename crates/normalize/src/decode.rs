//! Bytes to text. A byte order mark decides, then valid UTF-8, then the labels, then a guess; what is left is
//! replaced one character for one bad byte. Never fails, and borrows what is UTF-8 already.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How far into a document its own label is looked for.
const LABEL_BYTES: usize = 1024;

/// Text, and whether it lied about its encoding.
pub(crate) struct Decoded<'a> {
    /// Without byte order mark.
    pub(crate) text: Cow<'a, str>,
    /// The label that was wrong and the encoding that was right.
    pub(crate) mismatch: Option<(&'static str, &'static str)>,
    /// Whether it had been encoded as UTF-8 twice.
    pub(crate) twice: bool,
}

/// Decodes a document that came with this `Content-Type`.
pub(crate) fn decode<'a>(body: &'a [u8], content_type: Option<&str>) -> Decoded<'a> {
    let mut decoded = decode_once(body, content_type);
    if let Some(text) = undo_second_encoding(&decoded.text) {
        decoded.text = Cow::Owned(text);
        decoded.twice = true;
    }
    decoded
}

fn decode_once<'a>(body: &'a [u8], content_type: Option<&str>) -> Decoded<'a> {
    // Before UTF-16, whose mark begins that of UTF-32.
    if let Some(text) = utf32(body) {
        return Decoded {
            text: Cow::Owned(text),
            mismatch: None,
            twice: false,
        };
    }
    if let Some((encoding, bom)) = Encoding::for_bom(body) {
        return sure(encoding, &body[bom..]);
    }
    // UTF-16 without a mark: the zeros around its first two characters give it away. One zero is junk.
    match body {
        [b'<' | b'{', 0, _, 0, ..] => return sure(UTF_16LE, body),
        [0, b'<' | b'{', 0, _, ..] => return sure(UTF_16BE, body),
        _ => {}
    }
    let http = content_type.and_then(charset_parameter).and_then(label);
    let own = own_label(&body[..body.len().min(LABEL_BYTES)]);
    if let Ok(text) = simdutf8::basic::from_utf8(body) {
        if [http, own].contains(&Some(ISO_2022_JP)) && body.contains(&0x1b) {
            return sure(ISO_2022_JP, body);
        }
        // A wrong label harms nobody while all is ASCII.
        let wrong = [http, own]
            .into_iter()
            .flatten()
            .find(|&encoding| encoding != UTF_8);
        return Decoded {
            text: Cow::Borrowed(text),
            mismatch: wrong
                .filter(|_| !text.is_ascii())
                .map(|encoding| (encoding.name(), UTF_8.name())),
            twice: false,
        };
    }
    // Letters of two bytes look like UTF-8 here and there.
    let in_pairs = |encoding: &'static Encoding| encoding != UTF_8 && !encoding.is_single_byte();
    let most_bad = if [http, own].into_iter().flatten().any(in_pairs) {
        0.1
    } else {
        1.0
    };
    if is_nearly_utf8(body, most_bad) {
        return Decoded {
            text: Cow::Owned(mend_utf8(body)),
            mismatch: Some((UTF_8.name(), "a mixture of UTF-8 and windows-1252")),
            twice: false,
        };
    }
    for encoding in [http, own]
        .into_iter()
        .flatten()
        .filter(|&encoding| encoding != UTF_8)
    {
        if let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(body) {
            let mismatch =
                (http == Some(UTF_8) || own == Some(UTF_8)).then(|| (UTF_8.name(), encoding.name()));
            return Decoded {
                text,
                mismatch,
                twice: false,
            };
        }
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(body, true);
    let encoding = detector.guess(None, Utf8Detection::Deny);
    let declared = http.or(own).unwrap_or(UTF_8);
    Decoded {
        text: encoding.decode_without_bom_handling(body).0,
        mismatch: Some((declared.name(), encoding.name())),
        twice: false,
    }
}

/// UTF-32, by its mark or by the zeros around the first two characters, which no other encoding has there.
fn utf32(body: &[u8]) -> Option<String> {
    let (start, unit): (usize, fn([u8; 4]) -> u32) = match body {
        [0, 0, 0xfe, 0xff, ..] => (4, u32::from_be_bytes),
        [0xff, 0xfe, 0, 0, ..] => (4, u32::from_le_bytes),
        [0, 0, 0, b'<' | b'{', 0, 0, 0, _, ..] => (0, u32::from_be_bytes),
        [b'<' | b'{', 0, 0, 0, _, 0, 0, 0, ..] => (0, u32::from_le_bytes),
        _ => return None,
    };
    let units = body[start..].as_chunks::<4>().0.iter();
    Some(
        units
            .map(|&bytes| char::from_u32(unit(bytes)).unwrap_or('\u{fffd}'))
            .collect(),
    )
}

fn sure<'a>(encoding: &'static Encoding, body: &'a [u8]) -> Decoded<'a> {
    let text = match std::str::from_utf8(body) {
        Err(_) if encoding == UTF_8 => Cow::Owned(mend_utf8(body)),
        _ => encoding.decode_without_bom_handling(body).0,
    };
    Decoded {
        text,
        mismatch: None,
        twice: false,
    }
}

/// The `charset` of a `Content-Type` (RFC 9110 section 8.3.2).
fn charset_parameter(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches(['"', '\'']))
    })
}

/// The encoding of a label: of the Encoding Standard, or in the spelling of Python, Java and Windows (`euc_kr`, `cp936`,
/// `win-1251`, `mac-cyrillic`).
fn label(name: &str) -> Option<&'static Encoding> {
    let known = |name: &str| Encoding::for_label(name.as_bytes());
    let spelt = || {
        let dashed = name.trim().to_ascii_lowercase().replace('_', "-");
        let squeezed = dashed.replace(['-', ' '], "");
        let page = ["cp", "win", "ms", "x"]
            .iter()
            .find_map(|prefix| squeezed.strip_prefix(prefix))
            .map(|page| match page {
                "932" => "shift_jis".to_owned(),
                "936" => "gbk".to_owned(),
                "950" => "big5".to_owned(),
                page => format!("windows-{page}"),
            });
        known(&dashed)
            .or_else(|| known(&squeezed))
            .or_else(|| known(&format!("x-{dashed}")))
            .or_else(|| known(&page?))
    };
    // What ASCII reads cannot be UTF-16, whatever the label says.
    known(name).or_else(spelt).map(Encoding::output_encoding)
}

/// What the document says of itself: the XML declaration, or `charset=` in an HTML `meta`.
fn own_label(head: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(head);
    let value = head
        .find("<?xml")
        .and_then(|start| head[start..].split("?>").next())
        .and_then(|declaration| declaration.split_once("encoding"))
        .map(|(_, rest)| rest)
        .or_else(|| head.split_once("charset").map(|(_, rest)| rest))?;
    let value = value
        .trim_start()
        .strip_prefix('=')?
        .trim_start()
        .trim_start_matches(['"', '\'']);
    label(value.split(['"', '\'', '?', '>', ' ', '/', ';']).next()?)
}

/// The text before its second encoding, if its letters beyond ASCII are mostly what UTF-8 looks like when it is
/// taken for windows-1252 (`Ã©` for é) and encoded again. No language writes so.
fn undo_second_encoding(text: &str) -> Option<String> {
    const ENOUGH: usize = 3;
    let bytes = text.as_bytes();
    // `Â` to `ô`, which the first bytes of UTF-8 become, and a letter beyond ASCII right behind.
    let is_suspect = |at: usize| {
        bytes.get(at + 1).is_some_and(|byte| (0x82..=0xb4).contains(byte))
            && bytes.get(at + 2).is_some_and(|byte| !byte.is_ascii())
    };
    if !memchr::memchr_iter(0xc3, bytes).any(is_suspect) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let (mut undone, mut others) = (0, 0);
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| !c.is_ascii()) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c: char| c.is_ascii()).unwrap_or(rest.len());
        let run = &rest[..end];
        let first: Option<Vec<u8>> = run.chars().map(windows_1252_byte).collect();
        if let Some(run) = first.and_then(|bytes| String::from_utf8(bytes).ok()) {
            out.push_str(&run);
            undone += 1;
        } else {
            out.push_str(run);
            others += 1;
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    (undone >= ENOUGH && undone > others).then_some(out)
}

fn windows_1252_byte(c: char) -> Option<u8> {
    match u32::from(c) {
        // The five that windows-1252 leaves open are control characters in practice.
        code @ (0x81 | 0x8d | 0x8f | 0x90 | 0x9d | 0xa0..=0xff) => Some(code as u8),
        _ => (0x80..=0x9f).find(|&byte| crate::entities::numbered(u32::from(byte)) == Some(c)),
    }
}

/// Whether what is not ASCII is well-formed UTF-8 but for fewer than `most_bad` bytes to a letter: a few stray bytes do
/// not make it another encoding.
fn is_nearly_utf8(body: &[u8], most_bad: f64) -> bool {
    let (mut good, mut bad) = (0_u32, 0_u32);
    for chunk in body.utf8_chunks() {
        let letters = chunk.valid().bytes().filter(|&byte| byte >= 0xc0).count();
        good += letters as u32;
        bad += chunk.invalid().len() as u32;
    }
    f64::from(bad) < f64::from(good) * most_bad
}

/// Reads stray bytes as windows-1252, which is what they nearly always are.
fn mend_utf8(body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len() + 16);
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CP1252: &[u8] = b"<?xml version='1.0' encoding='iso-8859-1'?><t>Bront\xeb\x92s \x96 \xa35</t>";

    fn text<'a>(body: &'a [u8], content_type: Option<&str>) -> Cow<'a, str> {
        decode(body, content_type).text
    }

    #[test]
    fn utf8_beats_every_label() {
        let body = "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><t>café</t>".as_bytes();
        let decoded = decode(body, Some("text/xml; charset=windows-1252"));
        assert!(matches!(decoded.text, Cow::Borrowed(text) if text.contains("café")));
        assert_eq!(decoded.mismatch, Some(("windows-1252", "UTF-8")));
        assert_eq!(
            decode(b"<t>cafe</t>", Some("text/xml; charset=iso-8859-1")).mismatch,
            None
        );
    }

    #[test]
    fn labels_that_lie_about_windows_1252() {
        let decoded = decode(CP1252, Some("application/rss+xml; charset=UTF-8"));
        assert!(decoded.text.contains("Brontë’s – £5"));
        assert_eq!(decoded.mismatch, Some(("UTF-8", "windows-1252")));
        assert_eq!(decode(CP1252, None).mismatch, None);
    }

    #[test]
    fn one_bad_byte_changes_one_character() {
        let mut body = "naïve café – ".as_bytes().to_vec();
        body.push(0x93);
        body.extend_from_slice("and “more”".as_bytes());
        assert_eq!(
            text(&body, Some("text/xml; charset=utf-8")),
            "naïve café – “and “more”"
        );
        assert_eq!(
            text(&body, Some("text/xml; charset=iso-8859-1")),
            "naïve café – “and “more”"
        );
    }

    #[test]
    fn marks_and_utf16() {
        assert_eq!(text(b"\xef\xbb\xbf{}", Some("text/plain; charset=utf-16")), "{}");
        let utf16: Vec<u8> = "\u{feff}<a>é</a>"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        assert_eq!(text(&utf16, None), "<a>é</a>");
        for zeros in ["\0", "\0\0\0"] {
            let text = text(&[zeros.as_bytes(), "<a>é</a>".as_bytes()].concat(), None).into_owned();
            assert_eq!(text, format!("{zeros}<a>é</a>"), "zeros alone say nothing");
        }
        let bare: Vec<u8> = "<a>é</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(text(&bare, None), "<a>é</a>");
        for to_bytes in [u32::to_be_bytes, u32::to_le_bytes] {
            for said in ["\u{feff}<a>é😀</a>", "<a>é😀</a>"] {
                let utf32: Vec<u8> = said.chars().flat_map(|c| to_bytes(u32::from(c))).collect();
                assert_eq!(text(&utf32, Some("text/xml; charset=utf-8")), "<a>é😀</a>");
            }
        }
    }

    #[test]
    fn labels_are_known_in_every_spelling() {
        for (name, encoding) in [
            ("euc_kr", "EUC-KR"),
            ("tis_620", "windows-874"),
            ("ISO 8859-2", "ISO-8859-2"),
            ("win-1251", "windows-1251"),
            ("CP1250", "windows-1250"),
            ("cp_936", "GBK"),
            ("mac-cyrillic", "x-mac-cyrillic"),
            ("utf_16", "UTF-8"),
        ] {
            assert_eq!(label(name).map(Encoding::name), Some(encoding), "{name}");
        }
        assert_eq!(label("bogus"), None);
    }

    #[test]
    fn letters_of_two_bytes_are_not_mistaken_for_utf8() {
        let said = "<?xml version='1.0' encoding='gb18030'?><t>Ελληνικά</t>";
        let body = encoding_rs::GB18030.encode(said).0;
        assert!(std::str::from_utf8(&body).is_err());
        assert_eq!(text(&body, None), said);
    }

    #[test]
    fn no_label_is_a_guess() {
        assert_eq!(
            text("Привет, мир, как дела".replace('х', "").as_bytes(), None),
            "Привет, мир, как дела"
        );
        let koi8 = encoding_rs::KOI8_R
            .encode("<t>Открытые данные и местное самоуправление</t>")
            .0
            .into_owned();
        assert_eq!(
            text(&koi8, None),
            "<t>Открытые данные и местное самоуправление</t>"
        );
        assert_eq!(
            text(b"\x1b$B$\"\x1b(B", Some("text/xml; charset=iso-2022-jp")),
            "あ"
        );
    }
}
