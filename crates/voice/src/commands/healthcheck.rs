//! `voice healthcheck`: whether the server at the configured address answers.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cli::Options;
use crate::context;

const TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let address = context::settings_or_defaults(options)?.server.reachable_at();
    let answer = tokio::time::timeout(TIMEOUT, ask(address))
        .await
        .with_context(|| {
            format!(
                "the server at {address} did not answer within {} s",
                TIMEOUT.as_secs()
            )
        })?
        .with_context(|| format!("no server answers at {address}"))?;
    if !answer.starts_with("HTTP/1.1 200 ") {
        bail!(
            "the server at {address} answers, but not that it is well: {}",
            answer.lines().next().unwrap_or_default()
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer).await?;
    Ok(answer)
}
