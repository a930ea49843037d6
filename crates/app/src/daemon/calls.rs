//! Streams: those that peers open to ask, and those that we open.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use cocli_net::{Gate, Guests, Identity, Party, Ring, Stream, Timeouts, accept, connect};

use super::ahead::{MORE, answers, goes_on};
use super::alive::Alive;
use super::handover::{self, Post};
use super::keys::Keys;
use super::{Event, callers};

/// Bytes of one message over a stream: a chunk holds one record at the most.
const MESSAGE_BYTES_MAX: usize = cocli_core::limits::RECORD_BYTES_MAX + 64 * 1024;

/// Bytes of a question: the longest tells a new key and who is given it.
const QUESTION_BYTES_MAX: usize = handover::BYTES_MAX;

/// The answer to a question, and what will be asked after it, where that is known.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) bytes: Vec<u8>,
    pub(super) next: Option<Vec<u8>>,
}

/// This side of every stream.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) keys: Keys,
    pub(super) cluster: [u8; 16],
    pub(super) identity: Identity,
}

impl Side {
    pub(super) fn party<'a>(&'a self, ring: &'a Ring) -> Party<'a> {
        Party {
            ring,
            cluster: &self.cluster,
            identity: &self.identity,
            timeouts: Timeouts::default(),
        }
    }

    /// Whether the key that let both sides in still does, and the other side is not left out: a stream must
    /// not outlive either. Under a retired key only a new one is handed on.
    fn admits(&self, stream: &Stream, bytes: &[u8]) -> bool {
        let (held, key) = (self.keys.now(), stream.key_id());
        held.ring.find(key).is_some()
            && !held.refuses_key(&stream.remote_key())
            && (asks_for_keys(bytes) || !held.retires(key))
    }
}

fn asks_for_keys(question: &[u8]) -> bool {
    question.first() == Some(&handover::KIND)
}

/// Lets peers in and answers their questions, a thread each.
pub(super) fn listen(listener: TcpListener, side: Arc<Side>, post: Post, events: Sender<Event>) {
    let alive = Alive::new("the thread that lets peers in", &events);
    std::thread::spawn(move || {
        let _alive = alive;
        let (gate, guests) = (Gate::default(), Guests::default());
        callers::each(
            || listener.accept(),
            |(tcp, peer)| {
                let Ok(pass) = gate.enter(&tcp, peer) else { return };
                let (side, events, guests) = (Arc::clone(&side), events.clone(), guests.clone());
                let post = post.clone();
                let _ = callers::serve(move || {
                    // Whoever fails the handshake gets no answer and no line in the log.
                    let Ok(stream) = accept(tcp, peer, &side.party(&side.keys.now().ring), pass)
                    else {
                        return;
                    };
                    let Some(_seat) = guests.sit(stream.remote_key()) else { return };
                    answer(stream, &side, &post, &events);
                });
            },
        );
    });
}

/// Whoever fetches a log asks for its next bytes when it has taken the last ones: they are read while
/// those are on their way.
fn answer(mut stream: Stream, side: &Side, post: &Post, events: &Sender<Event>) {
    let (answer, answers) = channel();
    let ask =
        |bytes: Vec<u8>| events.send(Event::Question { bytes, answer: answer.clone() }).is_ok();
    let mut ahead: Option<Vec<u8>> = None;
    while let Ok(question) = stream.recv(QUESTION_BYTES_MAX) {
        if !side.admits(&stream, &question) {
            return;
        }
        if asks_for_keys(&question) {
            let told = post.ask(stream.remote_key(), stream.key_id(), &question);
            if told.is_none_or(|told| stream.send(&told).is_err()) {
                return;
            }
            continue;
        }
        let foreseen = ahead.as_ref().is_some_and(|next| question == MORE || *next == question);
        if ahead.take().is_some() && !foreseen && answers.recv().is_err() {
            return;
        }
        if !foreseen && !ask(question) {
            return;
        }
        let Ok(Answered { bytes, next }) = answers.recv() else { return };
        ahead = next;
        if ahead.as_ref().is_some_and(|next| !ask(next.clone())) {
            return;
        }
        if !side.admits(&stream, &[]) || stream.send(&bytes).is_err() {
            return;
        }
    }
}

/// Opens a stream and carries questions there and answers back, until the questions end.
pub(super) fn call(
    call: u64,
    to: SocketAddr,
    side: Arc<Side>,
    events: Sender<Event>,
) -> Sender<Vec<u8>> {
    let (ask, questions) = channel();
    let broke = events.clone();
    let served = callers::serve(move || {
        if carry(call, to, &side, &questions, &events).is_none() {
            let _ = events.send(Event::Answer { call, bytes: None });
        }
    });
    if served.is_err() {
        let _ = broke.send(Event::Answer { call, bytes: None });
    }
    ask
}

/// `None` when the stream broke before the questions ended.
fn carry(
    call: u64,
    to: SocketAddr,
    side: &Side,
    questions: &Receiver<Vec<u8>>,
    events: &Sender<Event>,
) -> Option<()> {
    let mut stream = connect(to, &side.party(&side.keys.now().ring)).ok()?;
    let mut coming = || drop(events.send(Event::Coming { call }));
    let mut early: Option<Vec<u8>> = None;
    while let Ok(question) = questions.recv() {
        if !side.admits(&stream, &[]) {
            return None;
        }
        let bytes = match early.take().filter(|early| answers(early, &question)) {
            Some(early) => early,
            None => {
                stream.send(&question).ok()?;
                stream.recv_telling(MESSAGE_BYTES_MAX, &mut coming).ok()?
            }
        };
        let goes_on = goes_on(&question, &bytes);
        if goes_on {
            stream.send(MORE).ok()?;
        }
        events.send(Event::Answer { call, bytes: Some(bytes) }).ok()?;
        if goes_on {
            early = Some(stream.recv_telling(MESSAGE_BYTES_MAX, &mut coming).ok()?);
        }
    }
    Some(())
}
