//! Signals: Ctrl-C and SIGTERM stop, SIGHUP reloads.

use anyhow::{Context, bail};
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

/// Does `work`, which leaves nothing when it is dropped half-way, unless Ctrl-C or SIGTERM comes first.
pub(crate) async fn unless_stopped<T, E: Into<anyhow::Error>>(
    work: impl Future<Output = Result<T, E>>,
) -> anyhow::Result<T> {
    let mut stop = stop()?;
    tokio::select! {
        done = work => done.map_err(Into::into),
        _ = stop.wait_for(|&stop| stop) => bail!("stopped before it was done; nothing was changed"),
    }
}

/// Comes each time that the configuration is to be read again.
pub(crate) fn reload() -> anyhow::Result<Signal> {
    listen(SignalKind::hangup())
}

fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("cannot listen for signals")
}
