//! What the daemon tells whoever started it: events of `tracing`, as lines for people or for programs. They are
//! written by a thread of its own, since a terminal that is held (Ctrl-S, a suspended pane) takes nothing, and the
//! daemon goes on.

mod line;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use cocli_core::NodeId;
use cocli_core::gossip::{PeerStatus, Standing};
use serde_json::json;
use tracing::Dispatch;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::render::Screen;
use line::{Clock, Human};

/// Notes that wait to be written, at most.
const WAITING_MAX: usize = 256;
/// Who ends waits so long for what was noted last.
const END: Duration = Duration::from_millis(200);
/// Whose events are told as the level says; of what others are told only warnings: at finer levels libraries may
/// tell what is secret.
const OURS: &str = "cocli";

/// How notes are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log {
    /// A JSON object a line.
    pub(crate) json: bool,
    pub(crate) level: LevelFilter,
}

impl Default for Log {
    fn default() -> Self {
        Self { json: false, level: LevelFilter::INFO }
    }
}

enum Note {
    Line(Vec<u8>),
    /// All before it is written.
    End(SyncSender<()>),
}

/// Where notes are left.
#[derive(Clone)]
pub(super) struct Notes(Queue);

/// Lines on their way to the thread that writes them.
#[derive(Clone)]
struct Queue {
    notes: SyncSender<Note>,
    /// How many found no room.
    left_out: Arc<AtomicU64>,
}

impl Notes {
    /// Starts the thread that writes them to standard error, and has events of the whole process go there.
    pub(super) fn start(log: Log) -> Self {
        let write = |line: &[u8]| drop(io::stderr().write_all(line));
        let queue = Queue::written_by(log.json, write);
        // A process has one; that there is one already can only be in a test.
        let _ = subscriber(log, Screen::of_notes(), &queue).try_init();
        Self(queue)
    }

    /// Leaves a note; waits for nobody.
    #[expect(clippy::unused_self, reason = "who has notes may leave some")]
    pub(super) fn tell(&self, text: impl AsRef<str>) {
        tracing::info!(target: OURS, "{}", text.as_ref());
    }

    /// Leaves a note about what is not as it should be.
    #[expect(clippy::unused_self, reason = "who has notes may leave some")]
    pub(super) fn warn(&self, text: impl AsRef<str>) {
        tracing::warn!(target: OURS, "{}", text.as_ref());
    }

    /// Waits a moment until all that was noted is written.
    pub(super) fn end(&self) {
        self.0.end();
    }
}

/// Who was up when that was looked at last.
#[derive(Debug, Default)]
pub(super) struct Up(BTreeMap<NodeId, bool>);

impl Up {
    /// Notes who came and who went since.
    pub(super) fn look(&mut self, peers: &[PeerStatus]) {
        let is = |peer: &PeerStatus| peer.live && peer.standing != Standing::Down;
        self.note(peers.iter().map(|peer| (&peer.node, peer.address, is(peer))));
    }

    fn note<'p>(&mut self, peers: impl IntoIterator<Item = (&'p NodeId, SocketAddr, bool)>) {
        let mut now = BTreeMap::new();
        for (node, address, is) in peers {
            match (self.0.get(node), is) {
                (None | Some(false), true) => {
                    tracing::info!(target: OURS, %node, %address, "a peer is here");
                }
                (Some(true), false) => {
                    tracing::warn!(target: OURS, %node, %address, "a peer is gone");
                }
                _ => {}
            }
            now.insert(node.clone(), is);
        }
        self.0 = now;
    }
}

fn subscriber(log: Log, screen: Screen, queue: &Queue) -> Dispatch {
    let others = LevelFilter::WARN.min(log.level);
    let whose = Targets::new().with_default(others).with_target(OURS, log.level);
    let lines = queue.clone();
    let layer = fmt::layer().with_writer(move || lines.clone()).with_ansi(false);
    let all = tracing_subscriber::registry().with(whose);
    match log.json {
        true => all.with(layer.json().flatten_event(true).with_timer(Clock)).into(),
        false => all.with(layer.event_format(Human { screen })).into(),
    }
}

impl Queue {
    fn written_by(json: bool, write: impl Fn(&[u8]) + Send + 'static) -> Self {
        let (notes, queue) = sync_channel(WAITING_MAX);
        let left_out = Arc::new(AtomicU64::new(0));
        let others = Arc::clone(&left_out);
        let more = move |count: u64| {
            let text = format!("{count} more notes found no room while nothing could be written");
            let line = match json {
                true => json!({"level": "WARN", "message": text}).to_string(),
                false => text,
            };
            format!("{line}\n").into_bytes()
        };
        std::thread::spawn(move || write_each(&queue, &others, &write, &more));
        Self { notes, left_out }
    }

    fn end(&self) {
        let (done, written) = sync_channel(1);
        if self.notes.try_send(Note::End(done)).is_ok() {
            let _ = written.recv_timeout(END);
        }
    }
}

/// Takes a line at a time, as a subscriber writes them.
impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.notes.try_send(Note::Line(line.to_vec())).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_each(
    queue: &Receiver<Note>,
    left_out: &AtomicU64,
    write: &impl Fn(&[u8]),
    more: &impl Fn(u64) -> Vec<u8>,
) {
    for note in queue {
        let end = match note {
            Note::Line(line) => {
                write(&line);
                None
            }
            Note::End(done) => Some(done),
        };
        let others = left_out.swap(0, Ordering::Relaxed);
        if others > 0 {
            write(&more(others));
        }
        if let Some(done) = end {
            let _ = done.send(());
        }
    }
}

#[cfg(test)]
mod tests;
