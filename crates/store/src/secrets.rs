//! Secrets that are given out once: the link to a member's own page, the code of a mail, the cookie of a session.
//!
//! Only their hashes are stored, so that who reads the database holds none of them. They are random and long, which
//! is why a plain hash is enough.

use std::fmt;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::StoreError;

/// A secret of 256 random bits, in hexadecimal. It never shows in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// [`StoreError::NoRandomness`] if the operating system has none to give.
    pub fn new() -> Result<Self, StoreError> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| StoreError::NoRandomness {
            message: error.to_string(),
        })?;
        Ok(Self(hexadecimal(&bytes)))
    }

    /// One that was given out before and comes back, such as from a form; `None` if it never was one.
    pub fn read(text: &str) -> Option<Self> {
        let is_secret = text.len() == 64
            && text
                .bytes()
                .all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
        is_secret.then(|| Self(text.to_owned()))
    }

    /// The secret itself, for whom it is meant.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub(crate) fn hash(&self) -> String {
        hash(&[&self.0])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// SHA-256 of these texts, which no way of cutting them makes equal to that of others; hexadecimal.
pub(crate) fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hexadecimal(&hash.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes every text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_random_and_do_not_show() {
        let (one, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.reveal().len(), 64);
        assert_eq!(Secret::read(one.reveal()), Some(one.clone()));
        for bad in ["", "abc", &one.reveal()[1..], &one.reveal().to_uppercase()] {
            assert!(Secret::read(bad).is_none() || bad == one.reveal(), "{bad}");
        }
        assert!(!format!("{one:?}").contains(one.reveal()));
        assert_ne!(one.hash(), one.reveal());
    }

    #[test]
    fn where_a_text_is_cut_counts() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
    }
}
