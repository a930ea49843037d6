//! Logs that are held only from a position on.

use super::*;

/// `a` wrote, `b` and `c` hold it, and `d` has met nobody yet.
fn written(records: usize) -> World {
    let mut world = World::new(&["a", "b", "c", "d"]);
    let at = |n: u8| address(n);
    world.step(0, Input::Candidates(vec![at(2), at(3)]));
    world.step(1, Input::Candidates(vec![at(1), at(3)]));
    world.run(5_000_000);
    for n in 0..records {
        world.write(0, &format!("record {n}"));
    }
    world.run(5_000_000);
    for n in [1, 2] {
        assert_eq!(world.nodes[n].logs.vector(), world.nodes[0].logs.vector());
    }
    world
}

/// The first records of the log of `a` are history elsewhere.
fn trim(world: &mut World, n: usize, records: usize) -> Head {
    let logs = &mut world.nodes[n].logs;
    let base = logs.logs[&log("a")][records - 1].2;
    logs.logs.get_mut(&log("a")).unwrap().drain(..records);
    logs.bases.insert(log("a"), base);
    world.step(n, Input::Based { log: log("a"), base: base.position });
    base
}

fn join(world: &mut World, n: usize) {
    let others = (1..=4).filter(|other| *other != n as u8 + 1).map(address).collect();
    world.step(n, Input::Candidates(others));
}

/// The checkpoint came, and the log goes on at `head`.
fn taken(world: &mut World, n: usize, head: Head) {
    let peer = world.nodes[n].taken.last().unwrap().1;
    world.step(n, Input::CheckpointEnded { peer, whole: true });
    world.nodes[n].logs.start_at(&log("a"), head);
    world.step(n, Input::Based { log: log("a"), base: head.position });
    world.step(n, Input::Durable { log: log("a"), head, ranges: vec![] });
}

fn messages(world: &World, from: u8, wanted: impl Fn(&Message) -> bool) -> usize {
    let sent = world.seen.iter().filter(|(sender, ..)| *sender == address(from));
    let packets = sent.map(|(.., bytes)| Packet::read(bytes).unwrap());
    packets.flat_map(|packet| packet.messages).filter(wanted).count()
}

#[test]
fn what_nobody_holds_from_far_enough_back_is_taken_from_one_checkpoint_and_then_fetched_on() {
    let mut world = written(20);
    for n in 0..3 {
        trim(&mut world, n, 15);
    }
    join(&mut world, 3);
    world.run(4_000_000);
    assert!(world.nodes[3].taken.is_empty(), "others may turn up");
    // Meanwhile what others write now comes as ever.
    let fresh = world.write(1, "fresh");
    world.run(1_000_000);
    assert_eq!(world.nodes[3].logs.head(&log("b")), Some(fresh));
    world.run(60_000_000);
    assert_eq!(world.nodes[3].taken.len(), 1);
    assert_eq!(world.nodes[3].taken[0].0, [log("a")]);
    let wants =
        |message: &Message| matches!(message, Message::Want { log: of, .. } if *of == log("a"));
    assert!(messages(&world, 4, wants) < 8, "{}", messages(&world, 4, wants));
    let somewhere = world.nodes[0].logs.logs[&log("a")][2].2;
    taken(&mut world, 3, somewhere);
    world.run(5_000_000);
    world.write(0, "more");
    world.run(5_000_000);
    let heads =
        |world: &World| world.nodes.iter().map(|n| n.engine.vector().clone()).collect::<Vec<_>>();
    assert!(heads(&world).windows(2).all(|pair| pair[0] == pair[1]), "{:?}", heads(&world));
    assert_eq!(world.nodes[3].taken.len(), 1);
}

#[test]
fn as_long_as_somebody_holds_it_from_far_enough_back_that_one_is_asked() {
    for base in [1, 15] {
        let mut world = written(20);
        trim(&mut world, 0, 15);
        trim(&mut world, 2, base);
        trim(&mut world, 2, 1);
        join(&mut world, 3);
        world.run(10_000_000);
        assert_eq!(world.nodes[3].logs.vector(), world.nodes[1].logs.vector());
        assert!(world.nodes[3].taken.is_empty());
    }
}

#[test]
fn who_holds_more_and_turns_up_later_is_asked_instead() {
    let mut world = written(20);
    trim(&mut world, 0, 15);
    trim(&mut world, 2, 15);
    let b = |n| [(2, n), (n, 2)];
    world.blocked = [1, 3, 4].into_iter().flat_map(b).collect();
    join(&mut world, 3);
    world.run(20_000_000);
    assert_eq!(world.nodes[3].taken.len(), 1);
    world.blocked.clear();
    world.run(120_000_000);
    assert_eq!(world.nodes[3].logs.vector(), world.nodes[1].logs.vector());
}

#[test]
fn a_checkpoint_that_did_not_come_is_asked_of_another_and_ever_later() {
    let mut world = written(20);
    for n in 0..3 {
        trim(&mut world, n, 15);
    }
    join(&mut world, 3);
    let mut at = Vec::new();
    for _ in 0..6 {
        let before = world.nodes[3].taken.len();
        while world.nodes[3].taken.len() == before {
            world.run(500_000);
        }
        at.push(world.now);
        let peer = world.nodes[3].taken[before].1;
        world.step(3, Input::CheckpointEnded { peer, whole: false });
    }
    let peers = world.nodes[3].taken.iter().map(|(_, peer)| *peer).collect::<Vec<_>>();
    assert!(peers.windows(2).all(|pair| pair[0] != pair[1]), "{peers:?}");
    let pauses: Vec<Micros> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.windows(2).all(|pair| pair[1] > pair[0] * 3 / 2), "{pauses:?}");
}

#[test]
fn a_base_is_told_once_and_again_when_something_below_it_is_asked_for() {
    let mut world = written(20);
    let bases = |message: &Message| matches!(message, Message::Bases(_));
    for n in 0..3 {
        trim(&mut world, n, 15);
    }
    while world.deliver() {}
    world.run(300_000_000);
    assert_eq!(messages(&world, 1, bases), 2);
    // What was told is lost; who asks below hears it again, and gives up asking there.
    world.blocked = vec![(1, 4), (2, 4), (3, 4)];
    join(&mut world, 3);
    world.run(300_000);
    world.blocked.clear();
    world.run(30_000_000);
    assert_eq!(world.nodes[3].taken.len(), 1);
}

#[test]
fn of_those_who_hold_a_day_the_first_two_never_count_on_each_other() {
    let mut world = written(20);
    for n in 0..3 {
        world.step(n, Input::AskBases(vec![log("a")]));
    }
    world.run(1_000_000);
    let counted = |world: &World, n: usize| world.nodes[n].engine.holdings()[&log("a")].clone();
    let mut counts: Vec<usize> = (0..3).map(|n| counted(&world, n).len()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [0, 1, 2]);
    let last = (0..3).find(|n| counted(&world, *n).len() == 2).unwrap();
    let end = world.nodes[0].logs.head(&log("a")).unwrap();
    assert_eq!(counted(&world, last), [(0, end), (0, end)]);
    let first = (0..3).find(|n| counted(&world, *n).is_empty()).unwrap();
    let base = trim(&mut world, first, 5).position;
    world.run(1_000_000);
    let mut told = counted(&world, last);
    told.sort_unstable_by_key(|(base, _)| *base);
    assert_eq!(told, [(0, end), (base, end)]);
}

#[test]
fn a_state_that_is_damaged_here_is_taken_from_anybody() {
    let mut world = written(3);
    world.step(1, Input::StateLost);
    world.run(1_000_000);
    let (logs, peer) = world.nodes[1].taken[0].clone();
    assert!(logs.is_empty());
    world.step(1, Input::CheckpointEnded { peer, whole: true });
    world.run(1_000_000_000);
    assert_eq!(world.nodes[1].taken.len(), 1);
}

#[test]
fn numbers_about_bases_and_checkpoints_in_the_document_are_those_of_the_code() {
    use crate::limits::*;
    let text = include_str!("../../../../../docs/gossip.md");
    let seconds = |us: u64| format!("{} s", us / 1_000_000);
    for number in [
        format!("bases up to {BASES_BYTES} bytes"),
        format!("at most {} MiB; lacks: there is none", MANIFEST_BYTES_MAX >> 20),
        format!("a base beyond that, for {}, the log is", seconds(STRANDED_US)),
        format!("of another peer after {}, then", seconds(CHECKPOINT_MIN_US)),
        format!("up to {}; one that came", seconds(CHECKPOINT_MAX_US)),
        format!("not joined within {}", seconds(JOIN_US)),
    ] {
        assert!(text.contains(&number), "{number:?}");
    }
}
