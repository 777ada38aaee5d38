//! Logs, to stderr: for people, or as JSON for machines (`VOICE_LOG_FORMAT=json`).

use std::io::{IsTerminal, stderr};

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::context::environment;

/// Starts logging what `filter` lets through.
pub(crate) fn start(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .parse(filter)
        .with_context(|| format!("--log {filter:?} is no log filter; try info, debug, or info,poll=debug"))?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_target(false);
    match environment("VOICE_LOG_FORMAT").as_deref() {
        Some("json") => logs.json().init(),
        None | Some("" | "text") => logs.compact().with_ansi(stderr().is_terminal()).init(),
        Some(other) => anyhow::bail!("VOICE_LOG_FORMAT is {other:?}; it can be text or json"),
    }
    Ok(())
}
