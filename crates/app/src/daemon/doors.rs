//! The daemon's side of the door: one line in, one line out, a thread each but for who only wakes it.
//! Whoever follows is told line after line.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use cocli_node::{Home, NodeError, Serving};
use rustix::net::RecvFlags;
use serde_json::{Value as Json, json};

use super::alive::Alive;
use super::follow::follow;
use super::{Event, callers};
use crate::door::{self, VERSION};
use crate::failure::{Exit, Failure};

/// Bytes of a request.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Bytes that are looked at of who only wakes the daemon.
const WAKE_BYTES_MAX: usize = 1024;

/// How long somebody who knocked may take to say what for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the door; it is closed when this is dropped, and only then another daemon may begin.
#[derive(Debug)]
pub(super) struct Door {
    path: PathBuf,
    _serving: Serving,
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Listens at the door of the home.
///
/// # Errors
/// When a daemon runs already, or the socket cannot be made.
pub(super) fn listen(home: &Home, events: Sender<Event>) -> Result<Door, Failure> {
    let (path, name) = (door::path(home), home.name());
    let Some(serving) = home.serving().map_err(|error| shut_out(home, error))? else {
        let message = format!("{}: a daemon runs already", home.path().display());
        return Err(Failure::new(Exit::Conflict, message).hint(
            "`cocli status` shows it, unless its door was deleted: then end it where it runs",
        ));
    };
    // No other daemon runs: what stands there was left by one that was killed.
    let _ = std::fs::remove_file(&path);
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failed, format!("{}: cannot listen: {error}", path.display()))
    };
    let listener = door::at(&path, |address| UnixListener::bind(address)).map_err(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    let alive = Alive::new("the thread at the door", &events);
    let home = home.again()?;
    std::thread::spawn(move || {
        let _alive = alive;
        callers::each(
            || listener.accept(),
            |(socket, _)| {
                let said = said(&socket);
                if wakes(&said, &name, &events) {
                    return;
                }
                let (events, name) = (events.clone(), name.clone());
                let Ok(home) = home.again() else { return };
                let _ = callers::serve(move || {
                    if let Some(socket) = serve(socket, &said, &name, &events) {
                        follow(&home, socket, &events);
                    }
                });
            },
        );
    });
    Ok(Door { path, _serving: serving })
}

/// A home that this process may not write to.
fn shut_out(home: &Home, error: NodeError) -> Failure {
    let read_only = error.refusal() == Some(ErrorKind::ReadOnlyFilesystem);
    let failure = Failure::from(error);
    if !read_only {
        return failure;
    }
    let path = home.path().display();
    let message = format!("{path} cannot be written to: {failure}");
    Failure::new(Exit::Failed, message).hint(format!(
        "the unit of the package may write to /home/USER/cocli alone; for this home `sudo systemctl edit cocli@USER` \
         wants `[Service]` and `ReadWritePaths={path}`"
    ))
}

/// What somebody who knocked has said by now.
fn said(socket: &UnixStream) -> Vec<u8> {
    let mut said = vec![0; WAKE_BYTES_MAX];
    let there = rustix::net::recv(socket, &mut said[..], RecvFlags::DONTWAIT);
    said.truncate(there.map_or(0, |(bytes, _)| bytes));
    said
}

/// Who only wakes the daemon, as each write does, waits for no answer: it takes no thread. Whether it was one.
fn wakes(said: &[u8], name: &str, events: &Sender<Event>) -> bool {
    let line = std::str::from_utf8(said).ok().filter(|said| said.ends_with('\n'));
    let request = line.and_then(|line| request(line, name).ok());
    let Some(request) = request.filter(|it| it["verb"] == door::WAKE) else { return false };
    events.send(Event::Door { request, answer: channel().0 }).is_ok()
}

/// Answers somebody who has `said` the beginning of what it wants by now; gives who wants to follow.
fn serve(
    mut socket: UnixStream,
    said: &[u8],
    name: &str,
    events: &Sender<Event>,
) -> Option<UnixStream> {
    // Whoever knocks and says nothing keeps no thread.
    let _ = socket.set_read_timeout(Some(PATIENCE));
    let mut line = String::new();
    let all = said.chain(&socket).take(LINE_BYTES_MAX);
    BufReader::new(all).read_line(&mut line).ok()?;
    let answer = match request(&line, name) {
        Err(why) => json!({ "error": why }),
        Ok(request) if request["verb"] == door::FOLLOW => return Some(socket),
        Ok(request) => {
            let (answer, answers) = channel();
            let sent = events.send(Event::Door { request, answer });
            sent.ok()
                .and_then(|()| answers.recv().ok())
                .unwrap_or(json!({"error": "the daemon ends"}))
        }
    };
    let _ = socket.write_all(format!("{answer}\n").as_bytes());
    None
}

fn request(line: &str, name: &str) -> Result<Json, String> {
    let request: Json =
        serde_json::from_str(line).map_err(|error| format!("no request: {error}"))?;
    if request.get("door").and_then(Json::as_u64) != Some(VERSION) {
        return Err(format!("this daemon speaks version {VERSION} of the door: restart it"));
    }
    if request.get("home").and_then(Json::as_str) != Some(name) {
        return Err("this daemon serves another home".into());
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use super::*;

    #[test]
    fn a_whole_wake_takes_no_thread_and_everything_else_is_served_with_what_was_said_of_it() {
        let (events, heard) = channel();
        let wake = "{\"door\":1,\"home\":\"n\",\"log\":\"n\",\"position\":7,\"verb\":\"wake\"}\n";
        let (mut caller, socket) = UnixStream::pair().unwrap();
        assert!(!wakes(&said(&socket), "n", &events), "nothing was said yet");
        caller.write_all(&wake.as_bytes()[..20]).unwrap();
        let first = said(&socket);
        assert_eq!(first, wake.as_bytes()[..20]);
        assert!(!wakes(&first, "n", &events), "half of it");
        caller.write_all(&wake.as_bytes()[20..]).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| serve(socket, &first, "n", &events));
            let Ok(Event::Door { request, answer }) = heard.recv() else { panic!("no request") };
            assert_eq!(request["verb"], door::WAKE);
            answer.send(json!({})).unwrap();
        });
        assert!(wakes(wake.as_bytes(), "n", &events));
        let Ok(Event::Door { request, .. }) = heard.try_recv() else { panic!("no wake") };
        assert_eq!(request["position"], 7);
        assert!(!wakes(wake.as_bytes(), "another home", &events));
        assert!(!wakes(wake.replace("wake", "stop").as_bytes(), "n", &events));
        assert!(!wakes(b"\xff\n", "n", &events));
        assert!(heard.try_recv().is_err());
    }
}
