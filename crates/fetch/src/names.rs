//! Who turns a name into addresses. The program has one way, the system's; tests hand in their own.
//!
//! What is found here is not trusted: the guard judges each address, and hands on to the connection exactly those
//! that it let through, so that a second look-up cannot say otherwise.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;

/// A look-up under way.
pub type LookUp = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Looks up names.
pub trait Names: Send + Sync + 'static {
    /// All addresses of `name`, in the order in which they should be tried. An error whose kind is
    /// [`io::ErrorKind::NotFound`] says that there is no such name; any other, that it could not be told just now.
    fn look_up(&self, name: &str) -> LookUp;
}

/// The resolver of the system, hosts file and all.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, name: &str) -> LookUp {
        let name = name.to_owned();
        Box::pin(async move {
            match tokio::net::lookup_host((name, 0)).await {
                Ok(found) => Ok(found.map(|address| address.ip()).collect()),
                Err(error) => Err(sorted(error)),
            }
        })
    }
}

/// `getaddrinfo` tells "no such name" from "try again" only by its text (glibc, musl, macOS).
fn sorted(error: io::Error) -> io::Error {
    let text = error.to_string();
    let unknown = [
        "not known",
        "does not resolve",
        "does not exist",
        "No address associated",
    ];
    if unknown.iter().any(|phrase| text.contains(phrase)) {
        io::Error::new(io::ErrorKind::NotFound, error)
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_name_is_told_from_a_look_up_that_failed() {
        let kind = |text: &str| sorted(io::Error::other(text)).kind();
        for text in [
            "failed to lookup address information: Name or service not known",
            "failed to lookup address information: No address associated with hostname",
            "failed to lookup address information: Name does not resolve",
        ] {
            assert_eq!(kind(text), io::ErrorKind::NotFound, "{text}");
        }
        assert_eq!(
            kind("failed to lookup address information: Temporary failure in name resolution"),
            io::ErrorKind::Other
        );
    }
}
