//! Whoever follows at the door is told of each datagram that became durable here. Each reads the journals by a
//! thread of its own: one that reads slowly holds nobody up, and misses nothing but what is too much to be looked at.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cocli_core::{Datagram, Instant, LogId};
use cocli_node::Home;
use serde_json::{Value as Json, json};

use super::Event;
use crate::clock;
use crate::door::BEAT;

/// Of a log that brings more bytes at once only their number is told.
const BYTES_MAX: u64 = 256 * 1024;
/// Characters of a value that are told.
const CHARS_MAX: usize = 400;
/// A datagram that is older when it comes tells nothing of how fast they travel.
const FRESH_US: i64 = 60_000_000;
/// How long one who follows may keep a line from being written.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far the logs have come since one who follows looked last, and when that was heard.
type Heads = BTreeMap<LogId, (u64, Instant)>;

/// What one who follows has yet to be told of.
#[derive(Debug, Default)]
pub(super) struct Feed {
    heads: Mutex<Heads>,
    grown: Condvar,
}

impl Feed {
    fn heads(&self) -> MutexGuard<'_, Heads> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has come; nothing when that lasts longer than a beat.
    fn next(&self) -> Heads {
        let quiet = |heads: &mut Heads| heads.is_empty();
        let waited = self.grown.wait_timeout_while(self.heads(), BEAT, quiet);
        std::mem::take(&mut *waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

/// All who follow.
#[derive(Debug, Default)]
pub(super) struct Followers(Vec<Arc<Feed>>);

impl Followers {
    pub(super) fn add(&mut self, feed: Arc<Feed>) {
        self.0.push(feed);
    }

    /// A log that stays is durable up to there.
    pub(super) fn advanced(&mut self, log: &LogId, position: u64) {
        // Who went away holds its feed no longer.
        self.0.retain(|feed| Arc::strong_count(feed) > 1);
        if self.0.is_empty() || log.month.is_some() {
            return;
        }
        let now = clock::now();
        for feed in &self.0 {
            feed.heads().insert(log.clone(), (position, now));
            feed.grown.notify_one();
        }
    }
}

/// Tells line after line, until whoever follows, or the daemon, is gone.
pub(super) fn follow(home: &Home, mut socket: UnixStream, events: &Sender<Event>) {
    let (from, start) = channel();
    let feed = Arc::new(Feed::default());
    let sent = events.send(Event::Follow { feed: Arc::clone(&feed), from });
    let Some(vector) = sent.ok().and_then(|()| start.recv().ok()) else { return };
    let seen = vector.0.into_iter().map(|(log, head)| (log, head.position)).collect();
    let _ = socket.set_write_timeout(Some(PATIENCE));
    let _ = tell(home, &mut socket, &feed, seen);
}

fn tell(
    home: &Home,
    socket: &mut UnixStream,
    feed: &Feed,
    mut seen: BTreeMap<LogId, u64>,
) -> io::Result<()> {
    say(socket, &json!({"follows": true}))?;
    loop {
        let heads = feed.next();
        if heads.is_empty() {
            say(socket, &json!({}))?;
        }
        for (log, (end, at)) in heads {
            // One that lost a branch is shorter now, and is followed from there.
            let from = seen.insert(log.clone(), end).unwrap_or(0);
            let bytes = end.saturating_sub(from);
            if bytes > BYTES_MAX {
                say(socket, &json!({"log": log.to_string(), "bytes": bytes}))?;
                continue;
            }
            // What cannot be read now is told of by `doctor`; the next bytes are told all the same.
            let own = log.node == *home.node();
            for datagram in home.written_between(&log, from, end).unwrap_or_default() {
                say(socket, &line(&datagram, &log, own, at))?;
            }
        }
    }
}

fn say(socket: &mut UnixStream, line: &Json) -> io::Result<()> {
    socket.write_all(format!("{line}\n").as_bytes())
}

fn line(datagram: &Datagram, log: &LogId, own: bool, at: Instant) -> Json {
    let entry = &datagram.entry;
    let shown = entry.value.shown();
    let end = shown.char_indices().nth(CHARS_MAX).map(|(end, _)| end);
    let mut line = json!({
        "node": entry.stamp.node.as_str(), "log": log.to_string(), "target": datagram.target.as_str(),
        "field": datagram.field.as_str(), "value": &shown[..end.unwrap_or(shown.len())],
        "removed": entry.value.is_null(), "at": entry.stamp.instant.to_string(), "own": own,
    });
    if end.is_some() {
        line["cut"] = json!(true);
    }
    let age = at.micros() - entry.stamp.instant.micros();
    if (0..FRESH_US).contains(&age) {
        line["delay_ms"] = json!(age / 1000);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_read_is_told_of_each_log_as_it_stands_and_takes_no_room_for_more() {
        let (feed, mut followers) = (Arc::new(Feed::default()), Followers::default());
        followers.add(Arc::clone(&feed));
        let (pi, hub) = (LogId::read("pi").unwrap(), LogId::read("hub").unwrap());
        for position in 1..=9 {
            followers.advanced(&pi, position);
        }
        followers.advanced(&hub, 4);
        let heads = feed.next();
        let positions: Vec<u64> = heads.values().map(|(position, _)| *position).collect();
        assert_eq!((heads.len(), positions), (2, vec![4, 9]));
        drop(feed);
        followers.advanced(&pi, 10);
        assert!(followers.0.is_empty(), "who went away is forgotten");
    }
}
