//! The way from the address that was asked for to the one that answered, hop by hop.
//!
//! Hops are followed here and not by the HTTP library, because only here can each be judged by the guard and
//! the permanent ones be told from the rest. Goes round no circle, and never from https down to http.

use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use url::Url;

use crate::outcome::{Failure, FailureKind, Hop};

/// How many redirects are followed.
const MAX_HOPS: usize = 10;

/// Where a fetch stands on its way.
#[derive(Debug)]
pub(crate) struct Journey {
    /// The address in hand, without a fragment.
    pub(crate) url: Url,
    /// The end of the leading run of permanent redirects.
    pub(crate) permanent_target: Option<Url>,
    /// The status of the last answer.
    pub(crate) status: Option<StatusCode>,
    /// The requests that were made.
    pub(crate) hops: Vec<Hop>,
    visited: Vec<Url>,
    only_permanent_so_far: bool,
}

impl Journey {
    pub(crate) fn from(url: &Url) -> Self {
        let mut url = url.clone();
        url.set_fragment(None);
        Self {
            url,
            permanent_target: None,
            status: None,
            hops: Vec::new(),
            visited: Vec::new(),
            only_permanent_so_far: true,
        }
    }

    /// Where the bytes of the answer in hand are counted.
    pub(crate) fn received(&mut self) -> &mut u64 {
        let hop = self.hops.last_mut();
        &mut hop.expect("an answer belongs to a hop").bytes
    }

    /// Goes on to where a redirect (RFC 9110 section 15.4) points. Whether that may be connected to is for the
    /// guard to say.
    pub(crate) fn follow(
        &mut self,
        status: StatusCode,
        location: Option<&HeaderValue>,
    ) -> Result<(), Failure> {
        let failed = |message: String| Failure::new(FailureKind::Redirects, message);
        let Some(location) = location else {
            return Err(failed(format!(
                "the server answered {status} without saying where to (no Location)"
            )));
        };
        let mut target = self.url.join(&escaped(location)).map_err(|_| {
            let location = String::from_utf8_lossy(location.as_bytes());
            failed(format!(
                "{} redirects to {location:?}, which is no address",
                self.url
            ))
        })?;
        target.set_fragment(None);
        if self.url.scheme() == "https" && target.scheme() == "http" {
            return Err(failed(format!(
                "{} redirects to {target}, from an encrypted address down to one that is not, which the Voice does \
                 not follow; let the redirect lead to https",
                self.url
            )));
        }
        let left = std::mem::replace(&mut self.url, target);
        self.visited.push(left);
        if self.visited.contains(&self.url) {
            return Err(failed(format!(
                "the redirects go round in a circle, back to {}",
                self.url
            )));
        }
        if self.visited.len() > MAX_HOPS {
            return Err(failed(format!(
                "there are more than {MAX_HOPS} redirects one after the other; give the address at their end"
            )));
        }
        self.only_permanent_so_far &= matches!(
            status,
            StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT
        );
        if self.only_permanent_so_far {
            self.permanent_target = Some(self.url.clone());
        }
        Ok(())
    }
}

/// Whether this status sends the client elsewhere. 300 leaves the choice to a person, 304 and 305 do not redirect.
pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// `Location` as text. Many servers send it raw, in UTF-8 or in whatever their disk has; a byte that is not ASCII
/// is percent-encoded as it stands, which is what the right spelling of the same address has there.
fn escaped(location: &HeaderValue) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(location.len());
    for &byte in location.as_bytes() {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            let [high, low] = [byte >> 4, byte & 15].map(|digit| char::from(HEX[usize::from(digit)]));
            text.extend(['%', high, low]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(start: &str, hops: &[(u16, &[u8])]) -> (Journey, Result<(), Failure>) {
        let mut journey = Journey::from(&Url::parse(start).unwrap());
        for &(status, location) in hops {
            let location = HeaderValue::from_bytes(location).unwrap();
            let result = journey.follow(StatusCode::from_u16(status).unwrap(), Some(&location));
            if result.is_err() {
                return (journey, result);
            }
        }
        (journey, Ok(()))
    }

    #[test]
    fn the_leading_permanent_run_is_kept() {
        for (hops, target) in [
            (vec![301, 308], Some("http://example.org/2")),
            (vec![301, 302, 301], Some("http://example.org/1")),
            (vec![302, 301], None),
            (vec![303], None),
            (vec![307], None),
        ] {
            let locations: Vec<String> = (1..=hops.len()).map(|n| format!("/{n}")).collect();
            let hops: Vec<(u16, &[u8])> = hops
                .iter()
                .copied()
                .zip(locations.iter().map(String::as_bytes))
                .collect();
            let (journey, result) = walk("http://example.org/#top", &hops);
            assert_eq!(result, Ok(()));
            assert_eq!(
                journey.permanent_target.as_ref().map(Url::as_str),
                target,
                "{hops:?}"
            );
        }
    }

    #[test]
    fn locations_as_servers_write_them() {
        for (location, url) in [
            ("/café?q=é".as_bytes(), "http://example.org/caf%C3%A9?q=%C3%A9"),
            (b"/caf\xe9", "http://example.org/caf%E9"),
            (
                "http://bücher.example/".as_bytes(),
                "http://xn--bcher-kva.example/",
            ),
            (b"//www.example.org/x#y", "http://www.example.org/x"),
            (b"../feed me", "http://example.org/feed%20me"),
            (b"?page=1", "http://example.org/a/b?page=1"),
        ] {
            assert_eq!(
                walk("http://example.org/a/b", &[(302, location)]).0.url.as_str(),
                url
            );
        }
    }

    #[test]
    fn ways_that_lead_nowhere() {
        let hops: Vec<Vec<u8>> = (0..11).map(|n| format!("/{n}").into_bytes()).collect();
        let many: Vec<(u16, &[u8])> = hops.iter().map(|to| (301, to.as_slice())).collect();
        assert_eq!(walk("http://example.org/", &many[..10]).1, Ok(()));
        for (start, hops, word) in [
            ("http://example.org/", many.as_slice(), "more than 10"),
            ("http://example.org/", &[(301, b"/"), (301, b"/")], "circle"),
            ("http://example.org/", &[(301, b"/a"), (302, b"/")], "circle"),
            (
                "https://example.org/",
                &[(301, b"http://example.org/")],
                "encrypted",
            ),
            ("http://example.org/", &[(301, b"http://exa mple/")], "no address"),
        ] {
            let failure = walk(start, hops).1.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Redirects);
            assert!(failure.message.contains(word), "{}", failure.message);
        }
        let mut journey = Journey::from(&Url::parse("http://example.org/").unwrap());
        assert!(
            journey
                .follow(StatusCode::FOUND, None)
                .unwrap_err()
                .message
                .contains("no Location")
        );
    }
}
