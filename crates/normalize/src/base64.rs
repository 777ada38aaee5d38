//! Base64 (RFC 4648 section 4), as Atom 0.3 and binary content of Atom 1.0 use it. White space and a missing
//! padding are forgiven.

/// The bytes; `None` if there is anything else in it.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=')
    {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn known_values() {
        assert_eq!(decode("Zm9v\nYmE=").as_deref(), Some(&b"fooba"[..]));
        assert_eq!(decode("PHA+w7w8L3A+").as_deref(), Some("<p>ü</p>".as_bytes()));
        assert_eq!(decode("").as_deref(), Some(&b""[..]));
        assert_eq!(decode("a.b"), None);
    }
}
