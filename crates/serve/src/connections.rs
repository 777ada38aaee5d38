//! Connections: accepted, driven, and let go of. A client that is slow to ask loses its connection; when the
//! program is asked to stop, requests in flight are answered and the rest is not waited for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use crate::app::{App, assemble};
use crate::caller::Peer;

/// How long a client may take over the headers of a request, and how long an idle connection is kept.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);

/// How long connections may take to finish once the program is asked to stop.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// How long to wait when the system has no connection to give (too many open files).
const BREATH: Duration = Duration::from_millis(100);

/// Serves the Voice on `listener` until `shutdown` is done; then answers the requests in flight and returns
/// within seconds.
///
/// # Errors
///
/// When the listener itself is broken; what happens on one connection ends that connection only.
pub async fn serve(
    listener: TcpListener,
    app: App,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (state, router) = assemble(app);
    let service = TowerToHyperService::new(router);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_passing(&error) => continue,
                Err(error) => {
                    tracing::warn!(error = %error, "could not accept a connection; trying again");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        // Answers are written whole, so waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let (state, service) = (Arc::clone(&state), service.clone());
        let answer = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            let again = state.again(&request).ok_or_else(|| {
                request.extensions_mut().insert(Peer(peer));
                service.call(request)
            });
            async move {
                match again {
                    Ok(response) => Ok(response),
                    Err(made) => made.await,
                }
            }
        });
        let connection = http.serve_connection(TokioIo::new(stream), answer);
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(FINISH_WITHIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::info!("some clients did not take their answers in time; leaving them");
    }
    Ok(())
}

/// The client was gone before it was let in.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;
    use crate::testing::Client;

    #[tokio::test]
    async fn stopping_does_not_wait_for_idle_or_slow_clients() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let app = Client::new().await.app;
        let server = tokio::spawn(serve(listener, app, async {
            let _ = stopped.await;
        }));
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = vec![0; 15];
        idle.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 200 OK");
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
        stop.send(()).unwrap();
        let returned = tokio::time::timeout(FINISH_WITHIN + Duration::from_secs(2), server).await;
        returned.expect("in time").unwrap().unwrap();
    }
}
