//! Many logs and few places: each log has its turn.

use alloc::collections::BTreeSet;

use super::*;
use crate::limits::{FETCHES_MAX, STREAM_TURN_BYTES, WANTS_MAX};

/// A node that answers nothing, and what it is told that `b`, its peer, holds.
struct Asker {
    world: World,
    counter: u64,
}

impl Asker {
    fn new() -> Self {
        let mut world = World::met(&["a", "b"]);
        world.blocked = vec![(1, 2), (2, 1)];
        world.flying.clear();
        Self { world, counter: 9_000 }
    }

    fn step(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.world.nodes[0].engine.step(self.world.now, input, &mut out);
        out
    }

    /// `b` says how far it holds a log.
    fn hear(&mut self, name: &str, position: u64) -> Vec<Output> {
        self.counter += 1;
        let mut packet = Writer::new(&NodeId::read("b").unwrap(), Boot(102), self.counter);
        let head = Head { position, hash: crate::digest::ChainHash([7; 16]) };
        assert!(packet.put(&Message::Entries(vec![(log(name), head)])));
        self.step(Input::Packet { from: address(2), bytes: packet.finish() })
    }
}

fn wanted(outputs: &[Output]) -> Vec<LogId> {
    let packets = outputs.iter().filter_map(|output| match output {
        Output::Send { bytes, .. } => Packet::read(bytes).ok(),
        _ => None,
    });
    let wants = packets.flat_map(|packet| packet.messages).filter_map(|message| match message {
        Message::Want { log, .. } => Some(log),
        _ => None,
    });
    wants.collect()
}

fn fetched(outputs: &[Output]) -> Vec<LogId> {
    let fetches = outputs.iter().filter_map(|output| match output {
        Output::Fetch { log, .. } => Some(log.clone()),
        _ => None,
    });
    fetches.collect()
}

#[test]
fn who_waits_longest_for_an_answer_by_packets_is_asked_for_next() {
    let mut asker = Asker::new();
    let names: Vec<_> = (0..3 * WANTS_MAX).rev().map(|n| format!("n{n:02}")).collect();
    let mut order = Vec::new();
    for name in &names {
        order.extend(wanted(&asker.hear(name, 100)));
    }
    assert_eq!(order.len(), WANTS_MAX);
    // None is answered: places are free when the time for the answers is over.
    while order.len() < 6 * WANTS_MAX {
        let deadline = asker.world.nodes[0].engine.deadline();
        asker.world.now = asker.world.now.max(deadline);
        order.extend(wanted(&asker.step(Input::Tick)));
    }
    for round in order.chunks(names.len()).take(2) {
        let asked: BTreeSet<_> = round.iter().collect();
        assert_eq!(asked.len(), names.len(), "one was asked for twice before another once");
    }
}

#[test]
fn those_who_wait_for_a_place_are_not_looked_at_before_one_is_free() {
    let mut asker = Asker::new();
    for n in 0..FETCHES_MAX + 30 {
        asker.hear(&format!("n{n:02}"), 1 << 20);
    }
    // The streams bring nothing for now.
    let now = asker.world.now;
    let mut ticks = 0;
    while asker.world.nodes[0].engine.deadline() < now + 5_000_000 {
        asker.world.now = asker.world.now.max(asker.world.nodes[0].engine.deadline());
        asker.step(Input::Tick);
        ticks += 1;
    }
    assert!(ticks < 40, "{ticks} times in 5 s");
}

#[test]
fn a_stream_that_never_ends_leaves_its_place_to_one_who_waits() {
    let mut asker = Asker::new();
    let mut begun = Vec::new();
    for n in 0..FETCHES_MAX {
        begun.extend(fetched(&asker.hear(&format!("a{n}"), 1 << 40)));
    }
    assert_eq!(begun.len(), FETCHES_MAX);
    let first = log("a0");
    let mut at = asker.world.nodes[0].logs.start(&first);
    let mut come = |asker: &mut Asker, bytes: u64| {
        let record = [&[b'x'; 1023][..], b"\x1e"].concat();
        let bytes = record.repeat(usize::try_from(bytes / 1024).unwrap());
        let (log, day) = (log("a0"), day());
        let range =
            crate::frame::Range { log, day, position: at.position, hash_before: at.hash, bytes };
        at = range.end();
        asker.step(Input::Fetched(range));
        asker.world.nodes[0].engine.is_turn_over(&first)
    };
    assert!(!come(&mut asker, STREAM_TURN_BYTES), "nobody waits");
    assert_eq!(fetched(&asker.hear("z", 1 << 20)), []);
    assert!(come(&mut asker, 1024));
    let out =
        asker.step(Input::FetchEnded { log: log("a0"), peer: Boot(102), end: FetchEnd::Turn });
    assert_eq!(fetched(&out), [log("z")]);
    let out = asker.step(Input::FetchEnded { log: log("a1"), peer: Boot(102), end: FetchEnd::Cut });
    assert_eq!(fetched(&out), [log("a0")], "it waits for its next turn");
}
