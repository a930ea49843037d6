//! On real sockets of the loopback, two threads a stream.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use super::*;
use crate::key::Key;
use crate::listen_at;

const CLUSTER: Cluster = *b"cluster of tests";
/// Longer than any test takes when it passes.
const LONG: Duration = Duration::from_secs(20);
/// A deadline to wait for.
const SHORT: Duration = Duration::from_millis(300);

fn key(n: u8) -> Key {
    Key::from_bytes([n; 32])
}

/// What one side holds.
struct Side {
    ring: Ring,
    cluster: Cluster,
    identity: Identity,
    timeouts: Timeouts,
}

impl Side {
    fn new(ring: &[u8], cluster: Cluster) -> Self {
        let mut keys = Ring::new(key(ring[0]));
        for n in &ring[1..] {
            keys.add(key(*n)).unwrap();
        }
        let timeouts = Timeouts { handshake: LONG, idle: LONG };
        Self { ring: keys, cluster, identity: Identity::fresh().unwrap(), timeouts }
    }

    fn hurried(mut self) -> Self {
        self.timeouts.handshake = SHORT;
        self
    }

    fn party(&self) -> Party<'_> {
        let Self { ring, cluster, identity, timeouts } = self;
        Party { ring, cluster, identity, timeouts: *timeouts }
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = listen_at((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Runs the one called in a thread of its own and gives what both sides got.
fn meet<C>(
    called: &Side,
    caller: impl FnOnce(SocketAddr) -> C,
) -> (Result<Stream, StreamError>, C) {
    let (listener, address) = listener();
    thread::scope(|scope| {
        let called = scope.spawn(move || {
            let (tcp, peer) = listener.accept().unwrap();
            let pass = Gate::default().enter(&tcp, peer).unwrap();
            accept(tcp, peer, &called.party(), pass)
        });
        let got = caller(address);
        (called.join().unwrap(), got)
    })
}

fn streams() -> (Stream, Stream) {
    let (one, two) = (Side::new(&[1], CLUSTER), Side::new(&[1], CLUSTER));
    let (called, caller) = meet(&one, |address| connect(address, &two.party()));
    (called.unwrap(), caller.unwrap())
}

/// A connection without the program, that has sent `bytes`.
fn raw(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(LONG)).unwrap();
    tcp.write_all(bytes).unwrap();
    tcp
}

/// All bytes that came back until the other side closed. A time-out is a failure: nobody closed.
fn answer(mut tcp: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match tcp.read_to_end(&mut bytes) {
        Err(e) if e.kind() != ErrorKind::ConnectionReset => panic!("not closed: {e}"),
        _ => bytes,
    }
}

/// What `connect` sends first.
fn first_flight(side: &Side) -> Vec<u8> {
    let (listener, address) = listener();
    thread::scope(|scope| {
        let called = scope.spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            let mut flight = vec![0; 56];
            tcp.read_exact(&mut flight).unwrap();
            flight
        });
        let refused = connect(address, &side.party()).err().expect("nobody answered");
        assert!(matches!(refused.what, Broken::Unanswered(_)), "{refused}");
        called.join().unwrap()
    })
}

/// Both sides of a conversation at once: a message may be longer than the system's buffers.
fn carry(from: &mut Stream, to: &mut Stream, message: &[u8], max: usize) -> Vec<u8> {
    thread::scope(|scope| {
        scope.spawn(|| from.send(message).unwrap());
        to.recv(max).unwrap()
    })
}

#[test]
fn two_nodes_with_the_key_learn_each_others_own_key() {
    let (one, two) = (Side::new(&[1], CLUSTER), Side::new(&[1], CLUSTER));
    let (called, caller) = meet(&one, |address| connect(address, &two.party()));
    let (called, caller) = (called.unwrap(), caller.unwrap());
    assert_eq!(called.remote_key(), two.identity.public());
    assert_eq!(caller.remote_key(), one.identity.public());
    assert_eq!(called.key_id(), key(1).id());
}

#[test]
fn whoever_lacks_the_key_is_refused_at_the_first_message_without_a_byte() {
    let called = Side::new(&[1], CLUSTER);
    let flight = first_flight(&Side::new(&[2], CLUSTER));
    let (outcome, bytes) = meet(&called, |address| answer(raw(address, &flight)));
    assert!(matches!(outcome.err().unwrap().what, Broken::UnknownKey(id) if id == key(2).id()));
    assert_eq!(bytes, []);
}

#[test]
fn whoever_names_the_key_but_lacks_it_is_refused_without_a_byte() {
    let called = Side::new(&[1], CLUSTER);
    let mut flight = first_flight(&Side::new(&[2], CLUSTER));
    flight[4..8].copy_from_slice(&key(1).id().0);
    let (outcome, bytes) = meet(&called, |address| answer(raw(address, &flight)));
    assert!(matches!(outcome.err().unwrap().what, Broken::NoProof(id) if id == key(1).id()));
    assert_eq!(bytes, []);
}

#[test]
fn another_cluster_with_the_same_key_is_refused_without_a_byte() {
    let called = Side::new(&[1], CLUSTER);
    let flight = first_flight(&Side::new(&[1], *b"another cluster!"));
    let (outcome, bytes) = meet(&called, |address| answer(raw(address, &flight)));
    assert!(matches!(outcome.err().unwrap().what, Broken::NoProof(_)));
    assert_eq!(bytes, []);
}

#[test]
fn a_flipped_bit_in_any_byte_of_the_first_flight_is_refused_without_a_byte() {
    let called = Side::new(&[1], CLUSTER);
    let flight = first_flight(&called);
    let greeting = 0..8 * 8;
    let message = (8 * 8..flight.len() * 8).step_by(9);
    for bit in greeting.chain(message) {
        let mut changed = flight.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let (outcome, bytes) = meet(&called, |address| answer(raw(address, &changed)));
        // The highest bit of an X25519 key counts for nothing, but for the transcript it does.
        assert!(outcome.is_err(), "bit {bit}");
        assert_eq!(bytes, [], "bit {bit}");
    }
}

#[test]
fn another_programs_greeting_and_another_version_are_refused_without_a_byte() {
    let called = Side::new(&[1], CLUSTER);
    let http = b"GET / HTTP/1.1\r\nHost: pi1\r\n\r\n";
    let (outcome, bytes) = meet(&called, |address| answer(raw(address, http)));
    assert!(matches!(outcome.err().unwrap().what, Broken::NotOurs));
    assert_eq!(bytes, []);
    let mut flight = first_flight(&called);
    flight[3] = 2;
    let (outcome, bytes) = meet(&called, |address| answer(raw(address, &flight)));
    assert!(matches!(outcome.err().unwrap().what, Broken::Version(2)));
    assert_eq!(bytes, []);
}

#[test]
fn a_refused_caller_is_told_by_its_own_machine_what_it_may_lack() {
    let (called, caller) = (Side::new(&[1], CLUSTER), Side::new(&[2], CLUSTER));
    let (_, outcome) = meet(&called, |address| connect(address, &caller.party()));
    let refused = outcome.err().unwrap();
    assert!(matches!(refused.what, Broken::Unanswered(id) if id == key(2).id()));
    let message = refused.to_string();
    assert!(message.contains(&refused.peer.to_string()), "{message}");
    assert!(message.contains("lack the key"), "{message}");
}

#[test]
fn during_a_rotation_the_caller_may_choose_the_key_that_the_other_has() {
    let (behind, ahead) = (Side::new(&[1], CLUSTER), Side::new(&[2, 1], CLUSTER));
    let (called, caller) =
        meet(&behind, |address| connect_under(address, &ahead.party(), key(1).id()));
    assert_eq!(called.unwrap().key_id(), caller.unwrap().key_id());
    let (called, caller) = meet(&ahead, |address| connect(address, &behind.party()));
    assert_eq!(called.unwrap().key_id(), caller.unwrap().key_id());
    let unknown = connect_under("127.0.0.1:9".parse().unwrap(), &behind.party(), key(2).id());
    assert!(matches!(unknown.err().unwrap().what, Broken::UnknownKey(_)));
}

#[test]
fn a_caller_that_says_nothing_is_dropped_at_the_deadline() {
    let called = Side::new(&[1], CLUSTER).hurried();
    let (outcome, bytes) = meet(&called, |address| answer(raw(address, b"")));
    assert!(matches!(outcome.err().unwrap().what, Broken::Late { .. }));
    assert_eq!(bytes, []);
}

#[test]
fn a_caller_that_stops_in_the_middle_of_a_message_is_dropped_at_the_deadline() {
    let called = Side::new(&[1], CLUSTER).hurried();
    let flight = first_flight(&called);
    for bytes in [5, 8, 30, 55] {
        let (outcome, back) = meet(&called, |address| answer(raw(address, &flight[..bytes])));
        assert!(matches!(outcome.err().unwrap().what, Broken::Late { .. }), "{bytes}");
        assert_eq!(back, [], "{bytes}");
    }
}

#[test]
fn a_caller_that_stops_after_it_was_answered_is_dropped_at_the_deadline() {
    let mut called = Side::new(&[1], CLUSTER);
    let flight = first_flight(&called);
    called.timeouts.handshake = 5 * SHORT;
    let (outcome, back) = meet(&called, |address| answer(raw(address, &flight)));
    assert!(matches!(outcome.err().unwrap().what, Broken::Late { .. }));
    assert_eq!(back.len(), 96);
}

#[test]
fn a_caller_that_dribbles_is_dropped_at_the_one_deadline() {
    let called = Side::new(&[1], CLUSTER).hurried();
    let flight = first_flight(&called);
    let (outcome, sent) = meet(&called, |address| {
        let mut tcp = raw(address, b"");
        tcp.set_read_timeout(Some(SHORT / 10)).unwrap();
        // All of it would take more than five deadlines; no single wait is a tenth of one.
        flight
            .iter()
            .take_while(|byte| {
                let waited = tcp.read(&mut [0]).err().map(|e| e.kind());
                waited == Some(ErrorKind::WouldBlock) && tcp.write_all(&[**byte]).is_ok()
            })
            .count()
    });
    assert!(matches!(outcome.err().unwrap().what, Broken::Late { .. }));
    assert!(sent < flight.len(), "{sent}");
}

#[test]
fn one_that_is_called_and_never_answers_keeps_nobody_waiting() {
    let (_listener, address) = listener();
    let late = connect(address, &Side::new(&[1], CLUSTER).hurried().party()).err().unwrap();
    assert!(matches!(late.what, Broken::Late { after: SHORT, .. }), "{late}");
}

#[test]
fn a_port_where_nobody_listens_is_an_error_that_names_it() {
    let (listener, address) = listener();
    drop(listener);
    let refused = connect(address, &Side::new(&[1], CLUSTER).party()).err().unwrap();
    assert!(matches!(refused.what, Broken::Connect(_)));
    assert!(refused.to_string().contains(&address.to_string()), "{refused}");
}

#[test]
fn a_forged_answer_is_refused_by_the_caller() {
    let caller = Side::new(&[1], CLUSTER);
    let (listener, address) = listener();
    thread::scope(|scope| {
        scope.spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            tcp.read_exact(&mut [0; 56]).unwrap();
            tcp.write_all(&[7; 96]).unwrap();
            answer(tcp)
        });
        let forged = connect(address, &caller.party()).err().unwrap();
        assert!(matches!(forged.what, Broken::Forged(2)), "{forged}");
    });
}

#[test]
fn a_place_in_the_door_is_given_back_when_the_handshake_is_over_and_the_stream_stays() {
    let (one, two) = (Side::new(&[1], CLUSTER), Side::new(&[1], CLUSTER));
    let gate = Gate::default();
    let (listener, address) = listener();
    thread::scope(|scope| {
        let called = scope.spawn(|| {
            let (tcp, peer) = listener.accept().unwrap();
            let pass = gate.enter(&tcp, peer).unwrap();
            accept(tcp, peer, &one.party(), pass).unwrap()
        });
        let mut caller = connect(address, &two.party()).unwrap();
        let mut stream = called.join().unwrap();
        // More of the same address than may stand in the door.
        let others: Vec<_> = (0..HALF_OPEN_MAX)
            .map(|_| (TcpStream::connect(address).unwrap(), listener.accept().unwrap()))
            .collect();
        let passes: Vec<_> =
            others.iter().map(|(_, (tcp, peer))| gate.enter(tcp, *peer).unwrap()).collect();
        assert_eq!(carry(&mut caller, &mut stream, b"still there", 100), b"still there");
        drop(passes);
    });
}

#[test]
fn messages_of_every_length_around_a_frame_arrive_as_they_were() {
    let (mut one, mut two) = streams();
    let whole = PART_MAX - LENGTH_BYTES;
    for bytes in [0, 1, whole - 1, whole, whole + 1, whole + PART_MAX, whole + PART_MAX + 1] {
        let message: Vec<u8> = (0..bytes).map(|n| n.to_le_bytes()[0]).collect();
        assert!(carry(&mut one, &mut two, &message, bytes) == message, "{bytes}");
        assert!(carry(&mut two, &mut one, &message, bytes) == message, "{bytes} back");
    }
}

#[test]
fn a_message_of_five_megabytes_arrives_as_it_was() {
    let (mut one, mut two) = streams();
    let message: Vec<u8> = (0..5_000_000_u32).map(|n| (n / 7).to_le_bytes()[0]).collect();
    assert!(carry(&mut one, &mut two, &message, message.len()) == message);
}

#[test]
fn a_length_of_four_gigabytes_is_refused_when_the_first_frame_is_open() {
    let (mut one, mut two) = streams();
    // The rest never comes: who waited for it, or filled memory first, would not return this.
    one.send_frame(&[&u32::MAX.to_be_bytes()[..], b"the beginning"].concat()).unwrap();
    let refused = two.recv(1 << 20).unwrap_err().what;
    let max = 1 << 20;
    assert!(
        matches!(refused, Broken::TooLong { bytes, max: m } if bytes == u32::MAX as usize && m == max)
    );
    assert!(matches!(two.recv(max).unwrap_err().what, Broken::Spent));
}

#[test]
fn a_message_one_byte_above_the_ceiling_is_refused() {
    let (mut one, mut two) = streams();
    assert_eq!(carry(&mut one, &mut two, &[7; 100], 100), [7; 100]);
    one.send(&[7; 101]).unwrap();
    let refused = two.recv(100).unwrap_err().what;
    assert!(matches!(refused, Broken::TooLong { bytes: 101, max: 100 }));
}

#[test]
fn a_message_may_take_longer_than_the_time_out_as_long_as_its_frames_come() {
    let (mut one, mut two) = streams();
    two.set_idle(SHORT).unwrap();
    let message = vec![7; 8 * PART_MAX];
    let got = thread::scope(|scope| {
        let got = scope.spawn(|| two.recv(message.len()));
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        one.send_frame(&length).unwrap();
        for part in message.chunks(PART_MAX) {
            thread::park_timeout(SHORT / 3);
            one.send_frame(part).unwrap();
        }
        got.join().unwrap()
    });
    assert!(got.unwrap() == message);
}

/// What was told of a message while it came.
#[derive(Default)]
struct Heard {
    starts: Vec<(usize, usize)>,
    more: u128,
    answer: Option<&'static [u8]>,
}

impl Hears for Heard {
    fn begins(&mut self, start: &[u8], length: usize) -> Option<&'static [u8]> {
        self.starts.push((start.len(), length));
        self.answer
    }

    fn more(&mut self) {
        self.more += 1;
    }
}

#[test]
fn of_a_long_message_it_is_told_that_more_has_come_and_not_for_each_part_or_for_a_trickle() {
    let (mut one, mut two) = streams();
    for (part, expected) in [(TOLD_BYTES / 4, 1..=5), (100, 0..=0)] {
        let (parts, mut heard, began) = (20, Heard::default(), now());
        thread::scope(|scope| {
            scope.spawn(|| {
                one.send_frame(&u32::try_from(parts * part).unwrap().to_be_bytes()).unwrap();
                for _ in 0..parts {
                    thread::park_timeout(TOLD_EVERY / 10);
                    one.send_frame(&vec![7; part]).unwrap();
                }
            });
            two.recv_heard(parts * part, &mut heard).unwrap();
        });
        let most = began.elapsed().as_millis() / TOLD_EVERY.as_millis();
        assert!(expected.contains(&heard.more) && heard.more <= most, "{} of {most}", heard.more);
        assert_eq!(heard.starts, [(part, parts * part)]);
    }
}

#[test]
fn a_message_is_answered_while_most_of_it_is_still_to_come() {
    let (mut one, mut two) = streams();
    let message = vec![7; 3 * PART_MAX];
    let mut heard = Heard { answer: Some(b"more"), ..Heard::default() };
    let got = thread::scope(|scope| {
        let got = scope.spawn(|| two.recv_heard(message.len(), &mut heard));
        one.send_frame(&u32::try_from(message.len()).unwrap().to_be_bytes()).unwrap();
        one.send_frame(&message[..PART_MAX]).unwrap();
        // The rest comes after the answer.
        assert_eq!(one.recv(9).unwrap(), b"more");
        message[PART_MAX..].chunks(PART_MAX).for_each(|part| one.send_frame(part).unwrap());
        got.join().unwrap()
    });
    assert!(got.unwrap() == message);
    assert_eq!(heard.starts, [(PART_MAX, message.len())]);
    // A short one, that is all in its first frame.
    one.send(b"short").unwrap();
    assert_eq!(two.recv_heard(9, &mut heard).unwrap(), b"short");
    assert_eq!(heard.starts[1..], [(5, 5)]);
    assert_eq!(one.recv(9).unwrap(), b"more");
}

#[test]
fn parts_that_do_not_fit_their_message_are_refused() {
    let broken = |frames: &[(&[u8], &[u8])]| {
        let (mut one, mut two) = streams();
        for (head, part) in frames {
            one.send_frame(&[*head, *part].concat()).unwrap();
        }
        two.recv(1000).unwrap_err().what
    };
    let ten = 10_u32.to_be_bytes();
    for frames in [
        &[(&[][..], &b""[..])][..],
        &[(&[0, 0, 1][..], &b""[..])],
        &[(&ten[..], &b"more than ten bytes"[..])],
        &[(&ten[..], &b"nine byte"[..]), (&[][..], &b"two"[..])],
        &[(&ten[..], &b"nine byte"[..]), (&[][..], &b""[..])],
    ] {
        assert!(matches!(broken(frames), Broken::Malformed(_)), "{frames:?}");
    }
}

/// The wire bytes of a frame that is not sent.
fn sealed(from: &mut Stream, plain: &[u8]) -> Vec<u8> {
    let mut wire = vec![0; PREFIX_BYTES + plain.len() + TAG_BYTES];
    from.noise.write_message(plain, &mut wire[PREFIX_BYTES..]).unwrap();
    let length = u16::try_from(wire.len() - PREFIX_BYTES).unwrap();
    wire[..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
    wire
}

#[test]
fn a_stream_cut_at_any_edge_is_an_error() {
    let length = 2 * (PREFIX_BYTES + TAG_BYTES + 10) + LENGTH_BYTES;
    // Around each edge: the first frame's length and end, the second's length and end.
    for end in [0, 1, 2, 3, 31, 32, 33, 34, 35, 59, length] {
        let (mut one, mut two) = streams();
        let mut wire = sealed(&mut one, b"\0\0\0\x14first half");
        wire.extend(sealed(&mut one, b"and second"));
        assert_eq!(wire.len(), length);
        one.tcp.write_all(&wire[..end]).unwrap();
        drop(one);
        let came = two.recv(20).map_err(|e| e.what);
        match end {
            0 => assert!(matches!(came, Err(Broken::Closed)), "{came:?}"),
            _ if end < length => {
                assert!(matches!(came, Err(Broken::Cut { .. })), "{end}: {came:?}")
            }
            _ => assert_eq!(came.unwrap(), b"first halfand second"),
        }
    }
}

#[test]
fn a_message_that_ends_between_two_of_its_frames_is_cut() {
    let (mut one, mut two) = streams();
    one.send_frame(&[&20_u32.to_be_bytes()[..], b"first half"].concat()).unwrap();
    drop(one);
    assert!(matches!(two.recv(20).unwrap_err().what, Broken::Cut { came: 0, .. }));
}

#[test]
fn a_changed_a_repeated_and_a_left_out_frame_do_not_open() {
    let spoiled = |frames: fn(&mut Stream) -> Vec<u8>| {
        let (mut one, mut two) = streams();
        let frames = frames(&mut one);
        one.tcp.write_all(&frames).unwrap();
        drop(one);
        loop {
            if let Err(e) = two.recv(100) {
                return e.what;
            }
        }
    };
    const EMPTY: &[u8] = &[0; LENGTH_BYTES];
    let changed = spoiled(|one| {
        let mut frame = sealed(one, EMPTY);
        frame[PREFIX_BYTES + 3] ^= 1;
        frame
    });
    assert!(matches!(changed, Broken::Changed), "{changed}");
    let repeated = spoiled(|one| sealed(one, EMPTY).repeat(2));
    assert!(matches!(repeated, Broken::Changed), "{repeated}");
    let left_out = spoiled(|one| {
        sealed(one, EMPTY);
        sealed(one, EMPTY)
    });
    assert!(matches!(left_out, Broken::Changed), "{left_out}");
    let short = spoiled(|_| vec![0, 15]);
    assert!(matches!(short, Broken::Malformed(_)), "{short}");
}

#[test]
fn silence_between_messages_leaves_the_stream_as_it_was_and_silence_within_one_does_not() {
    let (mut one, mut two) = streams();
    two.set_idle(Duration::from_millis(20)).unwrap();
    assert!(matches!(two.recv(100).unwrap_err().what, Broken::Silent { .. }));
    one.send(b"after all").unwrap();
    assert_eq!(two.recv(100).unwrap(), b"after all");
    one.send_frame(&[&20_u32.to_be_bytes()[..], b"first half"].concat()).unwrap();
    assert!(matches!(two.recv(100).unwrap_err().what, Broken::Stalled { came: 0, .. }));
    assert!(matches!(two.recv(100).unwrap_err().what, Broken::Spent));
    assert!(matches!(two.send(b"hello").unwrap_err().what, Broken::Spent));
}

#[test]
fn a_peer_that_takes_nothing_ends_the_sending() {
    let (mut one, _two) = streams();
    one.set_idle(Duration::from_millis(50)).unwrap();
    let what = one.send(&vec![7; 64 << 20]).unwrap_err().what;
    assert!(matches!(what, Broken::NotTaken { .. }), "{what}");
}

#[test]
fn a_stream_can_be_closed_from_another_thread() {
    let (mut one, mut two) = streams();
    let closer = two.closer().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| two.recv(100).unwrap_err().what);
        closer.close();
        let what = waiting.join().unwrap();
        assert!(matches!(what, Broken::Closed), "{what}");
    });
    assert!(matches!(one.recv(100).unwrap_err().what, Broken::Closed));
    closer.close();
}
