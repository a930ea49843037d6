//! Browsers that come, each connection a task: how many, how long they may take, and how they end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};

use super::line::Line;

/// Connections at once: all streams, and as many again as pages need.
const CONNECTIONS_MAX: usize = 1_200;
/// How long a browser may take to say what it wants.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);
/// How long a browser may take nothing of what it is sent.
const TAKING_PATIENCE: Duration = Duration::from_secs(30);
/// Bytes held of a request before its body.
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// How long those who are served may go on when the process is to end.
const FAREWELL: Duration = Duration::from_millis(1_000);
/// How long nobody is let in after the system refused one.
const REFUSED: Duration = Duration::from_millis(100);

/// Lets in who comes until it is stopped, and then sees those off who are there.
///
/// # Errors
/// When the listener cannot be watched.
pub(super) async fn serve(
    listener: std::net::TcpListener,
    app: Router,
    mut stopped: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Whoever is served holds one end; nothing is ever sent.
    let (here, mut all_gone) = mpsc::channel::<()>(1);
    loop {
        let next = async {
            let seat = Arc::clone(&seats).acquire_owned().await;
            (seat, listener.accept().await)
        };
        let (seat, socket) = tokio::select! {
            _ = stopped.changed() => break,
            (seat, met) = next => match met {
                Ok((socket, _)) => (seat, socket),
                Err(_) => {
                    tokio::time::sleep(REFUSED).await;
                    continue;
                }
            },
        };
        let (app, stopped, here) = (app.clone(), stopped.clone(), here.clone());
        tokio::spawn(async move {
            one(socket, app, stopped).await;
            drop((seat, here));
        });
    }
    drop((here, listener));
    let _ = tokio::time::timeout(FAREWELL, all_gone.recv()).await;
    Ok(())
}

async fn one(socket: TcpStream, app: Router, mut stopped: watch::Receiver<bool>) {
    let _ = socket.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_PATIENCE);
    http.max_buf_size(HEADER_BYTES_MAX);
    let line = TokioIo::new(Line::new(socket, TAKING_PATIENCE));
    let connection = http.serve_connection(line, TowerToHyperService::new(app));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
