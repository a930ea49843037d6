//! What becomes durable here, as the daemon tells it: one reader for all who watch.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cocli_node::Home;
use serde_json::Value as Json;
use tokio::sync::broadcast;

use crate::{clock, door};

/// Datagrams that are shown to who comes now.
pub(super) const KEPT: usize = 200;
/// Delays that percentiles are told of.
const DELAYS: usize = 1_000;
/// Who reads so many lines too slowly misses some.
const WAITING: usize = 1_024;
/// How long a daemon is not looked for after it was not there.
const AWAY: Duration = Duration::from_millis(500);

/// What a line says.
#[derive(Debug, Clone)]
pub(super) enum Told {
    /// A datagram.
    Row(Arc<Row>),
    /// So many bytes of a log at once.
    Many { log: String, bytes: u64 },
    /// The daemon runs, or not.
    Link,
}

/// A datagram, as a person is shown it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) node: String,
    pub(super) target: String,
    pub(super) field: String,
    pub(super) value: String,
    pub(super) removed: bool,
    pub(super) cut: bool,
    pub(super) at: String,
    pub(super) own: bool,
    pub(super) delay_ms: Option<u64>,
}

impl Row {
    fn read(line: &Json) -> Option<Self> {
        let text = |key: &str| line.get(key).and_then(Json::as_str).map(ToOwned::to_owned);
        let is = |key: &str| line.get(key).and_then(Json::as_bool) == Some(true);
        let value = match line.get("value") {
            Some(Json::String(value)) => value.clone(),
            None | Some(Json::Null) => String::new(),
            Some(other) => other.to_string(),
        };
        Some(Self {
            node: text("node")?,
            target: text("target")?,
            field: text("field")?,
            value,
            removed: is("removed"),
            cut: is("cut"),
            at: text("at").unwrap_or_default(),
            own: is("own"),
            delay_ms: line.get("delay_ms").and_then(Json::as_u64),
        })
    }

    /// Whether it may change what a page about a target shows.
    pub(super) fn is_about(&self, target: &str) -> bool {
        let below = |of: &str| {
            of == target || of.strip_prefix(target).is_some_and(|rest| rest.starts_with('/'))
        };
        let slug = target.rsplit('/').next().unwrap_or(target);
        // Who belongs to a company stands with the person.
        below(&self.target) || (self.target.starts_with("people/") && self.value.contains(slug))
    }
}

/// Whether there is something live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    /// The daemon tells.
    Live,
    /// No daemon runs.
    Down,
    /// One runs, and this is why it does not tell.
    Mute(String),
}

#[derive(Debug)]
struct Kept {
    link: Link,
    rows: VecDeque<Arc<Row>>,
    delays: VecDeque<u64>,
}

/// The one reader's, and all who watch.
#[derive(Debug)]
pub(super) struct Feed {
    told: broadcast::Sender<Told>,
    kept: Mutex<Kept>,
}

impl Feed {
    pub(super) fn new() -> Self {
        let kept = Kept { link: Link::Down, rows: VecDeque::new(), delays: VecDeque::new() };
        Self { told: broadcast::channel(WAITING).0, kept: Mutex::new(kept) }
    }

    /// Hears what comes from now on.
    pub(super) fn hear(&self) -> broadcast::Receiver<Told> {
        self.told.subscribe()
    }

    pub(super) fn link(&self) -> Link {
        self.kept().link.clone()
    }

    /// The newest first.
    pub(super) fn rows(&self) -> Vec<Arc<Row>> {
        self.kept().rows.iter().rev().cloned().collect()
    }

    /// How long the last datagrams of other nodes took, in milliseconds, sorted.
    pub(super) fn delays(&self) -> Vec<u64> {
        let mut delays: Vec<u64> = self.kept().delays.iter().copied().collect();
        delays.sort_unstable();
        delays
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn links(&self, link: Link) {
        let before = std::mem::replace(&mut self.kept().link, link.clone());
        if before != link {
            // Nobody may watch.
            let _ = self.told.send(Told::Link);
        }
    }

    fn take(&self, line: &Json) {
        if let Some(row) = Row::read(line).map(Arc::new) {
            let mut kept = self.kept();
            kept.rows.push_back(Arc::clone(&row));
            if kept.rows.len() > KEPT {
                kept.rows.pop_front();
            }
            if let Some(delay) = row.delay_ms.filter(|_| !row.own) {
                kept.delays.push_back(delay);
                if kept.delays.len() > DELAYS {
                    kept.delays.pop_front();
                }
            }
            drop(kept);
            let _ = self.told.send(Told::Row(row));
        } else if let Some(bytes) = line.get("bytes").and_then(Json::as_u64) {
            let log = line.get("log").and_then(Json::as_str).unwrap_or_default().to_owned();
            let _ = self.told.send(Told::Many { log, bytes });
        }
    }
}

/// Reads as long as the process lives; a daemon that ends is waited for.
pub(super) fn begin(feed: Arc<Feed>, home: PathBuf) {
    std::thread::spawn(move || {
        loop {
            feed.links(follow(&feed, &home));
            clock::pass(AWAY);
        }
    });
}

/// Hands on what one daemon tells, and gives why it tells no more.
fn follow(feed: &Feed, home: &Path) -> Link {
    let home = match Home::open(home, clock::rim()) {
        Ok(home) => home,
        Err(error) => return Link::Mute(error.to_string()),
    };
    match door::follow(&home) {
        Ok(None) => Link::Down,
        Err(failure) => Link::Mute(failure.whole()),
        Ok(Some(lines)) => {
            feed.links(Link::Live);
            lines.for_each(|line| feed.take(&line));
            Link::Down
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_feed_keeps_the_last_rows_and_the_delays_of_others() {
        let feed = Feed::new();
        let mut heard = feed.hear();
        for n in 0..KEPT + 10 {
            let own = n % 2 == 0;
            feed.take(&json!({"node": "a", "log": "a", "target": "companies/x", "field": "f", "value": n.to_string(), "own": own, "delay_ms": n}));
        }
        feed.take(&json!({}));
        feed.take(&json!({"node": 7, "target": ["x"]}));
        feed.take(&json!({"log": "b", "bytes": 1_000_000}));
        let rows = feed.rows();
        assert_eq!((rows.len(), rows[0].value.as_str()), (KEPT, "209"));
        let delays = feed.delays();
        assert_eq!((delays.len(), delays[0], delays[104]), ((KEPT + 10) / 2, 1, 209));
        let told = std::iter::from_fn(|| heard.try_recv().ok());
        assert_eq!(
            told.filter(|told| matches!(told, Told::Many { log, bytes: 1_000_000 } if log == "b"))
                .count(),
            1
        );
    }

    #[test]
    fn a_row_is_about_its_target_and_what_that_stands_below() {
        let row = |target: &str, value: &str| Row {
            target: target.into(),
            value: value.into(),
            ..Row::default()
        };
        assert!(row("companies/acme", "").is_about("companies/acme"));
        assert!(row("companies/acme/notes/1", "").is_about("companies/acme"));
        assert!(!row("companies/acme-inc", "").is_about("companies/acme"));
        assert!(row("people/jane", "acme").is_about("companies/acme"));
        assert!(!row("people/jane", "other").is_about("companies/acme"));
    }
}
