//! The door between commands and a running daemon: a Unix socket, JSON lines, version and home
//! first. Commands, and later `top` and `web`, talk to a daemon through it and in no other way.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cocli_core::Target;
use cocli_node::{End, Home, NodeError};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use serde_json::{Value as Json, json};

use crate::clock;
use crate::failure::{Exit, Failure};

/// Version of the lines; a door of another version says so and closes.
pub(crate) const VERSION: u64 = 1;
/// The verb of who tells that the own log grew.
pub(crate) const WAKE: &str = "wake";
/// The verb of who wants to be told of each datagram that becomes durable.
pub(crate) const FOLLOW: &str = "follow";
/// A daemon says something at least this often to who follows: its lines, or an empty one.
pub(crate) const BEAT: Duration = Duration::from_secs(10);
/// A longer path does not fit a socket's address everywhere.
const PATH_BYTES_MAX: usize = 100;
/// Seconds that a daemon may take for an answer that waits for nothing.
const ANSWER_S: u64 = 5;

/// Where the socket stands: in the home. Where a path is too long for an address and there is no `/proc` to make
/// it short, in the runtime folder.
pub(crate) fn path(home: &Home) -> PathBuf {
    let inside = home.socket_path();
    if inside.as_os_str().len() <= PATH_BYTES_MAX || cfg!(target_os = "linux") {
        return inside;
    }
    let name = cocli_core::digest::hash(inside.as_os_str().as_encoded_bytes());
    let folder = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    folder.join(format!("cocli-{name:032x}.sock"))
}

/// Lends the address of a socket that stands there: through its folder, where its own path is too long.
pub(crate) fn at<T>(path: &Path, take: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let short = path.as_os_str().len() <= PATH_BYTES_MAX;
    let (Some(folder), Some(name), false) = (path.parent(), path.file_name(), short) else {
        return take(path);
    };
    let folder = std::fs::File::open(folder)?;
    let through = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    take(&through.join(name))
}

/// Whether a daemon runs, of whatever version and however busy.
pub(crate) fn is_open(home: &Home) -> bool {
    !matches!(connect(home), Ok(None))
}

/// The daemon of this home; `None` when none runs. It waits for nobody: where too many stand before the
/// door already, as before a daemon that is stopped, it says so (`WouldBlock`).
fn connect(home: &Home) -> io::Result<Option<UnixStream>> {
    let path = path(home);
    match knock(&path) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            Ok(None)
        }
        Err(e) => Err(e),
        Ok(socket) => owned_alike(&path, home.path()).map(|()| Some(socket)),
    }
}

fn knock(path: &Path) -> io::Result<UnixStream> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    let socket = UnixStream::from(socket);
    socket.set_nonblocking(true)?;
    at(path, |address| Ok(rustix::net::connect(&socket, &SocketAddrUnix::new(address)?)?))?;
    socket.set_nonblocking(false)?;
    Ok(socket)
}

/// Outside of the home anybody may have put a socket: only whoever owns the home is believed there.
fn owned_alike(socket: &Path, home: &Path) -> io::Result<()> {
    let owner = |path: &Path| std::fs::symlink_metadata(path).map(|data| data.uid());
    if socket.starts_with(home) || owner(socket)? == owner(home)? {
        return Ok(());
    }
    Err(io::Error::new(ErrorKind::PermissionDenied, "the socket is that of another user"))
}

/// Asks a running daemon; `None` when none runs.
pub(crate) fn ask(home: &Home, request: &Json) -> Result<Option<Json>, Failure> {
    ask_for(home, request, Duration::from_secs(ANSWER_S))
}

pub(crate) fn ask_for(
    home: &Home,
    request: &Json,
    patience: Duration,
) -> Result<Option<Json>, Failure> {
    let Some(socket) = send(home, request).map_err(|e| mute(home, &e))? else {
        return Ok(None);
    };
    socket.set_read_timeout(Some(patience)).map_err(|e| mute(home, &e))?;
    let mut answer = String::new();
    BufReader::new(socket).read_line(&mut answer).map_err(|e| mute(home, &e))?;
    if answer.is_empty() {
        // It ended before it answered.
        return Ok(None);
    }
    let answer: Json = serde_json::from_str(&answer).map_err(|error| {
        let path = path(home);
        Failure::new(Exit::Failed, format!("{}: the daemon's answer: {error}", path.display()))
    })?;
    match answer.get("error").and_then(Json::as_str) {
        Some(error) => Err(Failure::new(Exit::Failed, error.to_string())),
        None => Ok(Some(answer)),
    }
}

/// A daemon that runs and does not answer.
fn mute(home: &Home, error: &io::Error) -> Failure {
    let late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
    let why = if late { "it is busy, or stopped (Ctrl-Z)".to_owned() } else { error.to_string() };
    let message = format!("the daemon does not answer at {}: {why}", path(home).display());
    Failure::new(Exit::Failed, message)
        .hint("`fg` where it runs lets a stopped one go on; else end it, and `cocli daemon`")
}

/// Sends a request; `None` when no daemon runs.
fn send(home: &Home, request: &Json) -> io::Result<Option<UnixStream>> {
    // No socket, or one that nobody listens at: no daemon runs.
    let Some(mut socket) = connect(home)? else { return Ok(None) };
    socket.set_write_timeout(Some(Duration::from_secs(ANSWER_S)))?;
    let mut line = request.clone();
    line["door"] = json!(VERSION);
    line["home"] = json!(home.name());
    socket.write_all(format!("{line}\n").as_bytes())?;
    Ok(Some(socket))
}

/// What becomes durable here, line by line as `docs/watching.md` says, until the daemon ends, is silent for
/// longer than it may be, or says something that is no line of it. `None` when none runs.
///
/// # Errors
/// When it does not answer, or is one that cannot be followed.
pub(crate) fn follow(home: &Home) -> Result<Option<impl Iterator<Item = Json> + use<>>, Failure> {
    let Some(socket) = send(home, &json!({"verb": FOLLOW})).map_err(|e| mute(home, &e))? else {
        return Ok(None);
    };
    socket.set_read_timeout(Some(BEAT * 3)).map_err(|e| mute(home, &e))?;
    let mut lines = BufReader::new(socket).lines();
    let Some(first) = lines.next().transpose().map_err(|e| mute(home, &e))? else {
        return Ok(None);
    };
    let first: Json = serde_json::from_str(&first).unwrap_or_default();
    if let Some(error) = first.get("error").and_then(Json::as_str) {
        return Err(Failure::new(Exit::Failed, error.to_string()).hint("restart the daemon"));
    }
    let line = |line: io::Result<String>| serde_json::from_str(&line.ok()?).ok();
    Ok(Some(lines.map_while(line)))
}

/// The cards that somebody may have touched, as a daemon knows that watches them: of its answer to `status`.
pub(crate) fn touched(daemon: Option<&Json>) -> Option<Vec<Target>> {
    let all = daemon?.get("touched")?.as_array()?.iter();
    all.map(|target| target.as_str().and_then(|target| Target::read(target).ok())).collect()
}

/// Tells a running daemon that the own log grew, and waits for no answer. That none runs, or that it is
/// slow, changes nothing of what was written: it finds it by its own rescan.
pub(crate) fn wake(home: &Home, end: &End) {
    let _ = send(home, &place(end, WAKE));
}

/// Has a running daemon look at the journals: something came to them beside it.
///
/// # Errors
/// When the home cannot be locked.
pub(crate) fn look(home: &Home) -> Result<(), NodeError> {
    wake(home, &home.session(clock::now())?.end()?);
    Ok(())
}

/// Waits until `nodes` others hold the log durably up to `end`; tells how many do.
pub(crate) fn wait(home: &Home, end: &End, nodes: usize, seconds: f64) -> Result<usize, Failure> {
    let patience = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(10));
    let mut request = place(end, "wait");
    request["nodes"] = json!(nodes);
    request["timeout_ms"] = json!(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX));
    let answer = ask_for(home, &request, patience + Duration::from_secs(ANSWER_S))?;
    let Some(answer) = answer else {
        return Err(Failure::new(
            Exit::Failed,
            "it is written here, but no daemon runs to spread it",
        )
        .hint("`cocli daemon`"));
    };
    let names = |key: &str| -> Vec<String> {
        let nodes = answer.get(key).and_then(Json::as_array).into_iter().flatten();
        nodes.filter_map(|node| node.as_str().map(ToString::to_string)).collect()
    };
    let (have, mut lack) = (names("nodes"), names("lack"));
    if have.len() >= nodes {
        return Ok(have.len());
    }
    let known = home.known_nodes().unwrap_or_default().into_iter();
    let known = known.filter(|one| one.node != *home.node());
    let gone: Vec<String> = known
        .clone()
        .filter(|one| one.removed.is_some() || one.left.is_some())
        .map(|one| one.node.to_string())
        .collect();
    lack.extend(known.map(|one| one.node.to_string()).filter(|node| !have.contains(node)));
    lack.retain(|node| !gone.contains(node));
    lack.sort();
    lack.dedup();
    let mut message = format!(
        "it is written here, but after {seconds} s durably on {} of {nodes} other nodes",
        have.len()
    );
    if !have.is_empty() {
        message = format!("{message}: {}", have.join(", "));
    }
    if !lack.is_empty() {
        message = format!("{message}; not on {}", lack.join(", "));
    }
    Err(Failure::new(Exit::Failed, message).hint("`cocli status` says who is silent"))
}

fn place(end: &End, verb: &str) -> Json {
    json!({
        "verb": verb, "log": end.log.to_string(), "position": end.head.position,
        "hash": end.head.hash.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_outside_of_the_home_is_that_of_whoever_owns_the_home_or_nobodys() {
        let (home, outside) =
            (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        owned_alike(outside.path(), home.path()).unwrap();
        // Another user's: by root one is made, and what is root's is that of another for everybody else.
        let foreign = match std::os::unix::fs::chown(outside.path(), Some(4_242), None) {
            Ok(()) => outside.path(),
            Err(_) => Path::new("/"),
        };
        let refused = owned_alike(foreign, home.path()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        owned_alike(&home.path().join("sock"), home.path()).unwrap();
    }
}
