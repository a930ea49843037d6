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

fn entries(outputs: &[Output]) -> Vec<LogId> {
    let packets = outputs.iter().filter_map(|output| match output {
        Output::Send { bytes, .. } => Packet::read(bytes).ok(),
        _ => None,
    });
    let told = packets.flat_map(|packet| packet.messages).filter_map(|message| match message {
        Message::Entries(entries) => Some(entries),
        _ => None,
    });
    told.flatten().map(|(log, _)| log).collect()
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

#[test]
fn a_log_that_rests_is_told_however_many_others_change() {
    let mut asker = Asker::new();
    let head = |position| Head { position, hash: crate::digest::ChainHash([7; 16]) };
    let heads = |names: core::ops::Range<u32>, position| -> Vec<(LogId, Head)> {
        names.map(|n| (log(&format!("n{n:03}")), head(position))).collect()
    };
    asker.step(Input::Synced { heads: heads(0..300, 1), lost: vec![] });
    let mut told = BTreeSet::new();
    for position in 2..40 {
        asker.step(Input::Synced { heads: heads(0..200, position), lost: vec![] });
        asker.counter += 1;
        let mut packet = Writer::new(&NodeId::read("b").unwrap(), Boot(102), asker.counter);
        assert!(packet.put(&Message::Sum { hash: 1, sent: 1 }));
        let out = asker.step(Input::Packet { from: address(2), bytes: packet.finish() });
        told.extend(entries(&out));
    }
    let untold: Vec<_> = heads(0..300, 1).into_iter().filter(|(n, _)| !told.contains(n)).collect();
    assert!(untold.is_empty(), "{} logs were never told: {:?}", untold.len(), untold[0].0);
}

#[test]
fn what_came_early_of_logs_that_nobody_has_any_more_takes_no_room_from_others() {
    let mut asker = Asker::new();
    let early = |asker: &mut Asker, name: &str, position: u64| {
        asker.counter += 1;
        let mut packet = Writer::new(&NodeId::read("b").unwrap(), Boot(102), asker.counter);
        let bytes = [&[b'x'; 999][..], b"\x1e"].concat();
        let hash_before = crate::digest::ChainHash([7; 16]);
        let (log, day) = (log(name), day());
        let range = crate::frame::Range { log, day, position, hash_before, bytes };
        assert!(packet.put(&Message::Range(range)));
        asker.step(Input::Packet { from: address(2), bytes: packet.finish() });
        asker.world.nodes[0].engine.status().counts.ranges_full
    };
    let names: Vec<_> = (0..66).map(|n| format!("n{n:02}")).collect();
    for name in &names {
        (0..64).for_each(|n| assert!(early(&mut asker, name, 5 + n * 1_000) < 200));
    }
    let before = early(&mut asker, "q", 5);
    assert!(before > 0, "there is no room any more");
    for name in &names {
        asker.hear(name, 0);
    }
    let now = asker.world.now;
    while asker.world.now < now + 10_000_000 {
        asker.world.now = asker.world.now.max(asker.world.nodes[0].engine.deadline());
        asker.step(Input::Tick);
    }
    assert_eq!(early(&mut asker, "q", 5), before);
}
