//! The fetcher over real sockets on loopback, against servers that say exactly what a test wants.
//!
//! The modules are marked as tests, which they are anyhow, because clippy otherwise takes their helpers for
//! something else.

#[cfg(test)]
mod environment;
#[cfg(test)]
mod form;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod http;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
