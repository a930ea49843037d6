//! `cocli web`: pages made on this machine. They read and write by the library, as the commands do, and hold no rule
//! about data; what is live comes from the door of the daemon, by one reader for all who watch.

mod add;
mod chart;
mod cluster;
mod feed;
mod guard;
mod line;
mod pages;
mod routes;
mod shell;
mod site;
mod speech;
mod stream;
mod visits;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;

use cocli_node::Home;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;
use tokio::sync::watch;

use crate::failure::{Exit, Failure};
use crate::render::Screen;
use site::Site;

/// Threads that read and write the home; more only wait for each other.
const READERS: usize = 8;
/// Threads that talk to browsers.
const TALKERS: usize = 2;

/// Streams at once.
pub(crate) const STREAMS_MAX: usize = 1_000;

/// What a person chose.
#[derive(Debug)]
pub(crate) struct Options {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// What browsers have to know; nothing where everybody may come who can.
    pub(crate) token: Option<String>,
    /// Names of this machine beside its own.
    pub(crate) hosts: Vec<String>,
    /// Streams at once.
    pub(crate) streams: usize,
}

/// Serves until somebody asks the process to end.
///
/// # Errors
/// When the address is taken, or the system refuses threads.
pub(crate) fn serve(home: &Home, options: Options, screen: Screen) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::new(Exit::Failed, format!("cannot listen at {}: {error}", options.listen))
            .hint("`cocli web --listen 127.0.0.1:8080` takes another port")
    };
    let listener = std::net::TcpListener::bind(options.listen).map_err(cannot)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    allow_many_files();
    let token = options.token.clone();
    let (stop, stopped) = watch::channel(false);
    let site = Arc::new(Site::new(home, options, address, stopped.clone()));
    ctrlc::set_handler(move || {
        let _ = stop.send(true);
    })
    .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(TALKERS)
        .max_blocking_threads(READERS)
        .enable_all()
        .build()?;
    site.prepare();
    feed::begin(Arc::clone(&site.feed), home.path().to_path_buf());
    tell(screen, address, token.as_deref());
    runtime.block_on(visits::serve(listener, routes::all(site), stopped))?;
    // Who is still reading a home holds nobody up.
    runtime.shutdown_background();
    Ok(())
}

/// Says where the pages are. The token is part of it: who reads this terminal owns the home.
fn tell(screen: Screen, address: SocketAddr, token: Option<&str>) {
    // Everywhere is no place to go to.
    let name = if address.ip().is_unspecified() {
        hostname::get().unwrap_or_default().to_string_lossy().into_owned()
    } else if let SocketAddr::V6(six) = address {
        format!("[{}]", six.ip())
    } else {
        address.ip().to_string()
    };
    let base = format!("http://{name}:{}/", address.port());
    let url = token.map_or_else(|| base.clone(), |token| format!("{base}?token={token}"));
    match screen.json {
        true => screen.object(&json!({"listening": address.to_string(), "url": url})),
        false => screen.line(format!("{} (Ctrl-C ends it)", screen.safe(&url))),
    }
    if !address.ip().is_loopback() {
        screen.note("what goes over the network is not encrypted: where others may listen, put it behind TLS or an SSH tunnel (docs/web.md)");
    }
}

/// Each who watches takes a file of the process.
fn allow_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where the system refuses there are fewer.
    let _ = setrlimit(Resource::Nofile, limit);
}
