//! Streams: those that peers open to ask, and those that we open.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use cocli_core::limits::{RECORD_BYTES_MAX, STREAM_SLOW_US};
use cocli_net::{
    Closer, Gate, Guests, Hears, Identity, KeyId, Party, Ring, Stream, TOLD_EVERY, Timeouts,
    accept, connect,
};

use super::ahead::{MORE, answers, goes_on};
use super::alive::Alive;
use super::handover::{self, Post};
use super::keys::Keys;
use super::{Event, callers};

/// Bytes of one message over a stream: a chunk holds one record at the most.
const MESSAGE_BYTES_MAX: usize = RECORD_BYTES_MAX + 64 * 1024;

/// Bytes of a question: the longest tells a new key and who is given it.
const QUESTION_BYTES_MAX: usize = handover::BYTES_MAX;

// Whoever waits for more is told well before it takes the stream for slow.
const _: () = assert!(10 * TOLD_EVERY.as_micros() <= STREAM_SLOW_US as u128);

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
    pub(super) fn admits(&self, (key, remote): (KeyId, [u8; 32]), bytes: &[u8]) -> bool {
        let held = self.keys.now();
        held.ring.find(key).is_some()
            && !held.refuses_key(&remote)
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
    let other = (stream.key_id(), stream.remote_key());
    let mut ahead: Option<Vec<u8>> = None;
    while let Ok(question) = stream.recv(QUESTION_BYTES_MAX) {
        if !side.admits(other, &question) {
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
        if !side.admits(other, &[]) || stream.send(&bytes).is_err() {
            return;
        }
    }
}

/// A call under way. When it is dropped the stream ends at once, whatever is on its way.
#[derive(Debug)]
pub(super) struct Call {
    questions: Sender<Vec<u8>>,
    line: Arc<Line>,
}

impl Call {
    /// Asks there; the answer comes as an event.
    pub(super) fn ask(&self, question: Vec<u8>) {
        let _ = self.questions.send(question);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.line.end();
    }
}

/// The stream of a call, for whoever hangs up.
#[derive(Debug, Default)]
struct Line(Mutex<Stands>);

#[derive(Debug, Default)]
enum Stands {
    #[default]
    Rings,
    Open(Closer),
    Ended,
}

impl Line {
    /// `None` when it was hung up meanwhile, or cannot be from here on.
    fn open(&self, stream: &Stream) -> Option<()> {
        let mut stands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*stands, Stands::Ended) {
            return None;
        }
        *stands = Stands::Open(stream.closer().ok()?);
        Some(())
    }

    fn end(&self) {
        let mut stands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Stands::Open(closer) = std::mem::replace(&mut *stands, Stands::Ended) {
            closer.close();
        }
    }
}

/// Opens a stream and carries questions there and answers back, until it is hung up.
pub(super) fn call(call: u64, to: SocketAddr, side: Arc<Side>, events: Sender<Event>) -> Call {
    let (questions, queue) = channel();
    let line = Arc::new(Line::default());
    let (broke, other) = (events.clone(), Arc::clone(&line));
    let served = callers::serve(move || {
        let carried = carry(call, to, &side, (&other, &queue), &events);
        other.end();
        if carried.is_none() {
            let _ = events.send(Event::Answer { call, bytes: None });
        }
    });
    if served.is_err() {
        let _ = broke.send(Event::Answer { call, bytes: None });
    }
    Call { questions, line }
}

/// `None` when the stream broke before the questions ended.
fn carry(
    call: u64,
    to: SocketAddr,
    side: &Side,
    (line, questions): (&Line, &Receiver<Vec<u8>>),
    events: &Sender<Event>,
) -> Option<()> {
    let stream = connect(to, &side.party(&side.keys.now().ring)).ok()?;
    line.open(&stream)?;
    let other = (stream.key_id(), stream.remote_key());
    let mut carried = Carried { call, side, stream, other, events, owed: false };
    let mut early: Option<Vec<u8>> = None;
    while let Ok(question) = questions.recv() {
        if !side.admits(other, &[]) {
            return None;
        }
        let bytes = match early.take().filter(|early| answers(early, &question)) {
            Some(early) => early,
            None => carried.ask(&question)?,
        };
        events.send(Event::Answer { call, bytes: Some(bytes) }).ok()?;
        if carried.owed {
            early = Some(carried.recv(Some(&question))?);
        }
    }
    Some(())
}

/// A stream that answers come over.
struct Carried<'a> {
    call: u64,
    side: &'a Side,
    stream: Stream,
    /// The key that let both sides in, and the other's own.
    other: (KeyId, [u8; 32]),
    events: &'a Sender<Event>,
    /// What follows the last answer was asked for, and has not come.
    owed: bool,
}

impl Carried<'_> {
    fn ask(&mut self, question: &[u8]) -> Option<Vec<u8>> {
        if self.owed {
            // It is of another question.
            self.recv(None)?;
        }
        self.stream.send(question).ok()?;
        self.recv(Some(question))
    }

    /// The next answer. As soon as it is seen that a chunk is not the last one of its question, the next is
    /// asked for.
    fn recv(&mut self, question: Option<&[u8]>) -> Option<Vec<u8>> {
        let Self { call, side, other, events, .. } = *self;
        let mut arriving = Arriving { call, side, other, question, events, asked: false };
        let bytes = self.stream.recv_heard(MESSAGE_BYTES_MAX, &mut arriving).ok()?;
        self.owed = arriving.asked;
        Some(bytes)
    }
}

/// An answer while it comes.
struct Arriving<'a> {
    call: u64,
    side: &'a Side,
    other: (KeyId, [u8; 32]),
    question: Option<&'a [u8]>,
    events: &'a Sender<Event>,
    /// What follows it was asked for.
    asked: bool,
}

impl Hears for Arriving<'_> {
    fn begins(&mut self, start: &[u8], length: usize) -> Option<&'static [u8]> {
        let goes_on = self.question.is_some_and(|question| goes_on(question, start, length));
        self.asked = goes_on && self.side.admits(self.other, &[]);
        self.asked.then_some(MORE)
    }

    fn more(&mut self) {
        let _ = self.events.send(Event::Coming { call: self.call });
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use cocli_core::frame::Range;
    use cocli_core::gossip::stream::{Answer, Question};
    use cocli_core::{ChainHash, Day, Head, LogId};
    use cocli_net::{Broken, Key, listen_at};

    use super::*;
    use crate::ring::Held;

    fn side(key: Key) -> Arc<Side> {
        let keys = Keys::new(Held { ring: Ring::new(key), rekey: None });
        Arc::new(Side { keys, cluster: [0; 16], identity: Identity::fresh().unwrap() })
    }

    /// Two sides of one cluster, and the door of the second.
    fn sides() -> (Arc<Side>, Arc<Side>, TcpListener) {
        let key = Key::fresh().unwrap();
        (side(key.clone()), side(key), listen_at((Ipv4Addr::LOCALHOST, 0).into()).unwrap())
    }

    fn let_in(listener: &TcpListener, side: &Side) -> Stream {
        let (tcp, from) = listener.accept().unwrap();
        let pass = Gate::default().enter(&tcp, from).unwrap();
        let ring = side.keys.now().ring.clone();
        accept(tcp, from, &side.party(&ring), pass).unwrap()
    }

    #[test]
    fn a_call_that_is_hung_up_ends_at_once_though_its_answer_is_on_its_way() {
        let (here, there, listener) = sides();
        let to = listener.local_addr().unwrap();
        let (events, _queue) = channel();
        let call = call(1, to, here, events);
        call.ask(vec![1]);
        let mut stream = let_in(&listener, &there);
        assert_eq!(stream.recv(9).unwrap(), [1]);
        stream.set_idle(Duration::from_secs(20)).unwrap();
        drop(call);
        let ended = stream.recv(9).unwrap_err();
        assert!(!matches!(ended.what, Broken::Silent { .. }), "{ended}");
    }

    #[test]
    fn a_call_that_is_hung_up_before_somebody_answers_asks_nothing() {
        let line = Line::default();
        line.end();
        let (here, there, listener) = sides();
        let to = listener.local_addr().unwrap();
        let answers = std::thread::spawn(move || let_in(&listener, &there).recv(9).unwrap_err());
        let (asks, questions) = channel();
        asks.send(vec![1]).unwrap();
        let (events, _queue) = channel();
        assert_eq!(carry(1, to, &here, (&line, &questions), &events), None);
        assert!(matches!(answers.join().unwrap().what, Broken::Closed));
    }

    /// A chunk of `pi` with so many bytes before it.
    fn chunk(position: u64) -> Vec<u8> {
        let (log, day) = (LogId::read("pi").unwrap(), Day::read("20261123").unwrap());
        let hash_before = ChainHash([7; 16]);
        Answer::Chunk(Range { log, day, position, hash_before, bytes: vec![b'x', 0x1e] }).write()
    }

    fn fetch(position: u64, until: u64) -> Vec<u8> {
        let from = Head { position, hash: ChainHash([7; 16]) };
        Question::Fetch { log: LogId::read("pi").unwrap(), from, until, max: 9 }.write()
    }

    #[test]
    fn what_was_asked_ahead_answers_the_question_for_its_place_and_no_other_one() {
        let (here, there, listener) = sides();
        let to = listener.local_addr().unwrap();
        // What is asked there, in this order, and what is answered.
        let script = [
            (fetch(10, 99), chunk(10)),
            (MORE.to_vec(), chunk(12)),
            (MORE.to_vec(), chunk(14)),
            (MORE.to_vec(), chunk(16)),
            (Question::Checkpoint.write(), Answer::Lacks.write()),
        ];
        let answers = std::thread::spawn(move || {
            let mut stream = let_in(&listener, &there);
            for (question, answer) in script {
                assert_eq!(stream.recv(QUESTION_BYTES_MAX).unwrap(), question);
                stream.send(&answer).unwrap();
            }
        });
        let (events, queue) = channel();
        let call = call(1, to, here, events);
        for (question, answer) in [
            (fetch(10, 99), chunk(10)),
            (fetch(12, 99), chunk(12)),
            // The two chunks behind are on their way, and nobody's answer.
            (Question::Checkpoint.write(), Answer::Lacks.write()),
        ] {
            call.ask(question);
            match queue.recv_timeout(Duration::from_secs(20)).unwrap() {
                Event::Answer { call: 1, bytes: Some(bytes) } => assert_eq!(bytes, answer),
                other => panic!("{other:?}"),
            }
        }
        answers.join().unwrap();
    }
}
