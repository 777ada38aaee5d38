//! Signals: Ctrl-C and SIGTERM stop, SIGHUP reloads.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Turns true when Ctrl-C or SIGTERM comes.
pub(crate) fn stop() -> anyhow::Result<watch::Receiver<bool>> {
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping: what is in flight is finished or rolled back");
        stop.send_replace(true);
        // The channel stays open as long as anybody may wait for it.
        stop.closed().await;
    });
    Ok(stopped)
}

/// Comes each time that the configuration is to be read again.
pub(crate) fn reload() -> anyhow::Result<Signal> {
    listen(SignalKind::hangup())
}

fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("cannot listen for signals")
}
