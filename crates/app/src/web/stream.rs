//! Server-sent events: that a page shows something that is otherwise now, and the rows of the live page.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::feed::{Link, Row, Told};
use super::pages::live;
use super::site::Site;

/// Who watches is told at most so often that a page changed.
const TICK: Duration = Duration::from_millis(250);
/// Ticks between two looks at the cluster.
const CLUSTER: u32 = 8;
/// Ticks between two words to whoever hears nothing, so that either side notices that the other is gone.
const BEAT: u32 = 60;
/// Rows at once, and bytes of them as they are sent; of more it is told how many.
const ROWS_MAX: usize = 60;
const ROWS_BYTES_MAX: usize = 48 * 1024;
/// Targets that a page may be about.
pub(super) const TARGETS_MAX: usize = 64;
/// How long a browser may take nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// Words that wait for a browser: what it does not take is held for it, and each may be long.
const WAITING: usize = 1;

/// What somebody watches.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Topic {
    /// The nodes.
    Cluster,
    /// Datagrams as they come.
    Live,
    /// A collection, or all that anybody writes.
    Any(Option<String>),
    /// Some targets.
    Targets(Vec<String>),
}

impl Topic {
    fn read(text: &str) -> Self {
        match text {
            "cluster" => Self::Cluster,
            "live" => Self::Live,
            "conflicts" => Self::Any(None),
            "companies" | "people" => Self::Any(Some(format!("{text}/"))),
            other => {
                let targets = other.split_whitespace().take(TARGETS_MAX);
                Self::Targets(targets.map(ToOwned::to_owned).collect())
            }
        }
    }

    /// Whether what was told may change the page.
    fn is_of(&self, told: &Told) -> bool {
        match (self, told) {
            (Self::Cluster | Self::Live, Told::Link) => true,
            (Self::Any(None), Told::Row(_)) | (_, Told::Many { .. }) => true,
            (Self::Any(Some(prefix)), Told::Row(row)) => row.target.starts_with(prefix),
            (Self::Targets(targets), Told::Row(row)) => {
                targets.iter().any(|target| row.is_about(target))
            }
            _ => false,
        }
    }
}

/// An event as it goes over the line. Whatever ends a line there ends one in the text, too, and nothing else.
fn event(name: &str, text: &str) -> Bytes {
    let mut event = format!("event: {name}\n");
    for line in text.split(['\n', '\r']) {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    event.into()
}

/// Opens a stream, if there is room for one.
pub(super) fn open(site: &Arc<Site>, topic: &str) -> Response {
    let Ok(seat) = Arc::clone(&site.streams).try_acquire_owned() else {
        let many = site.streams_max;
        let words =
            format!("{many} pages are watched already: close some, and load this one again.\n");
        return (StatusCode::SERVICE_UNAVAILABLE, words).into_response();
    };
    let (out, words) = mpsc::channel(WAITING);
    let watcher = Watcher { site: Arc::clone(site), topic: Topic::read(topic), out, _seat: seat };
    // Who got an answer hears all that comes after it.
    tokio::spawn(watcher.watch(site.feed.hear()));
    let stream = futures_util::stream::unfold(words, |mut words| async {
        let word: Bytes = words.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(word), words))
    });
    let mut response = Body::from_stream(stream).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

struct Watcher {
    site: Arc<Site>,
    topic: Topic,
    out: mpsc::Sender<Bytes>,
    _seat: OwnedSemaphorePermit,
}

/// What is to be said at the next tick.
#[derive(Default)]
struct Pending {
    changed: bool,
    delays: bool,
    /// All who watch share them; they are put into words when these can be sent.
    rows: Vec<Come>,
    missed: u64,
}

/// What is a row of the live page.
enum Come {
    One(Arc<Row>),
    Many(String, u64),
}

impl Come {
    fn told(&self) -> String {
        match self {
            Self::One(row) => live::row(row).into_string(),
            Self::Many(log, bytes) => live::many(log, *bytes).into_string(),
        }
    }
}

impl Watcher {
    async fn watch(self, mut heard: Receiver<Told>) {
        let mut stopped = self.site.stopped.clone();
        let (mut pending, mut ticks, mut quiet, mut look) =
            (Pending::default(), 0_u32, 0_u32, None);
        let mut tick = ticking();
        if !self.say(self.link()).await {
            return;
        }
        loop {
            tokio::select! {
                _ = stopped.changed() => return,
                () = self.out.closed() => return,
                told = heard.recv() => match told {
                    Ok(Told::Link) if !self.say(self.link()).await => return,
                    Ok(told) => self.take(&told, &mut pending),
                    Err(RecvError::Lagged(missed)) => {
                        pending.missed += missed;
                        pending.changed = true;
                    }
                    Err(RecvError::Closed) => return,
                },
                _ = tick.tick() => {
                    ticks = ticks.wrapping_add(1);
                    if self.topic == Topic::Cluster && ticks.is_multiple_of(CLUSTER) {
                        let now = self.look().await;
                        pending.changed |= look.is_some() && now != look;
                        look = now;
                    }
                    quiet += 1;
                    let words = self.words(std::mem::take(&mut pending));
                    let beat = (words.is_empty() && quiet >= BEAT).then(|| Bytes::from_static(b":\n\n"));
                    for word in words.into_iter().chain(beat) {
                        quiet = 0;
                        if !self.say(word).await {
                            return;
                        }
                    }
                }
            }
        }
    }

    fn take(&self, told: &Told, pending: &mut Pending) {
        if self.topic != Topic::Live {
            pending.changed |= self.topic.is_of(told);
            return;
        }
        let come = match told {
            Told::Row(row) => {
                pending.delays |= row.delay_ms.is_some() && !row.own;
                Come::One(Arc::clone(row))
            }
            Told::Many { log, bytes } => Come::Many(log.clone(), *bytes),
            Told::Link => return,
        };
        match pending.rows.len() {
            0..ROWS_MAX => pending.rows.push(come),
            _ => pending.missed += 1,
        }
    }

    fn words(&self, mut pending: Pending) -> Vec<Bytes> {
        if self.topic != Topic::Live {
            return if pending.changed { vec![event("changed", "")] } else { Vec::new() };
        }
        // The newest stands first.
        let mut words: Vec<Bytes> = Vec::new();
        if !pending.rows.is_empty() {
            let (rows, left) = in_words(&pending.rows);
            pending.missed += left;
            words.push(event("row", &rows));
        }
        if pending.missed > 0 {
            words.push(event("row", &live::missed(pending.missed).into_string()));
        }
        if pending.delays {
            words.push(event("delays", &live::delays(&self.site.feed.delays()).into_string()));
        }
        words
    }

    fn link(&self) -> Bytes {
        match self.site.feed.link() {
            Link::Live => event("link", "live"),
            Link::Down => event("link", "no daemon runs"),
            Link::Mute(_) => event("link", "the daemon says nothing"),
        }
    }

    /// What the cluster looks like.
    async fn look(&self) -> Option<u64> {
        let site = Arc::clone(&self.site);
        let look = move || site.home().ok().map(|home| site.seen(&home).look());
        tokio::task::spawn_blocking(look).await.ok().flatten()
    }

    /// Whether it was taken.
    async fn say(&self, word: Bytes) -> bool {
        matches!(timeout(PATIENCE, self.out.send(word)).await, Ok(Ok(())))
    }
}

/// The rows as they are sent, the newest first, and how many there was no room for.
fn in_words(rows: &[Come]) -> (String, u64) {
    let (mut told, mut bytes, mut left) = (Vec::new(), 0, 0);
    for row in rows {
        let row = row.told();
        if bytes + row.len() > ROWS_BYTES_MAX {
            left += 1;
            continue;
        }
        bytes += row.len();
        told.push(row);
    }
    told.reverse();
    (told.concat(), left)
}

fn ticking() -> Interval {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_begins_another_event() {
        let sent = event("row", "<td>a\r\nevent: link\ndata: x</td>\n\n:");
        assert_eq!(
            std::str::from_utf8(&sent).unwrap(),
            "event: row\ndata: <td>a\ndata: \ndata: event: link\ndata: data: x</td>\ndata: \ndata: :\n\n"
        );
    }

    #[test]
    fn one_stream_more_than_there_may_be_is_told_so_and_one_that_ends_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        let (site, _stop) = super::super::site::tests::site(dir.path());
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut open: Vec<Response> = (0..2).map(|_| super::open(&site, "live")).collect();
            assert!(open.iter().all(|response| response.status() == StatusCode::OK));
            let refused = super::open(&site, "live");
            assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
            open.pop();
            // The task of the one that is gone gives its room back.
            let room = Arc::clone(&site.streams).acquire_owned();
            drop(timeout(PATIENCE, room).await.unwrap().unwrap());
            assert_eq!(super::open(&site, "live").status(), StatusCode::OK);
        });
    }

    #[test]
    fn rows_are_sent_up_to_so_many_bytes_and_of_the_others_is_told_how_many() {
        let row = Row { value: "\"".repeat(400), ..Row::default() };
        let rows: Vec<Come> = (0..60).map(|_| Come::One(Arc::new(row.clone()))).collect();
        let (told, left) = in_words(&rows);
        assert!(told.len() <= ROWS_BYTES_MAX && left > 0, "{} {left}", told.len());
        assert_eq!(told.matches("<tr>").count() as u64 + left, 60);
        assert_eq!(in_words(&rows[..2]).1, 0);
    }

    #[test]
    fn who_watches_a_page_hears_of_what_it_shows() {
        let row = |target: &str| {
            let row = super::super::feed::Row { target: target.into(), ..Default::default() };
            Told::Row(Arc::new(row))
        };
        let is = |topic: &str, told: &Told| Topic::read(topic).is_of(told);
        assert!(is("companies", &row("companies/a")) && !is("companies", &row("people/a")));
        assert!(
            is("companies/a", &row("companies/a/notes/1"))
                && !is("companies/a", &row("companies/b"))
        );
        assert!(
            is("companies/a people/b", &row("people/b"))
                && !is("companies/a people/b", &row("people/c")),
            "who stands on the page of a company"
        );
        assert!(
            is("conflicts", &row("people/a"))
                && !is("cluster", &row("people/a"))
                && is("cluster", &Told::Link)
        );
    }
}
