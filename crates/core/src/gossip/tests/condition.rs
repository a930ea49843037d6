//! How nodes are, told to each other.

use super::*;
use crate::limits::{CONDITION_MIN_US, CONDITION_US};

fn said(problems: u64) -> Condition {
    Condition { problems: Some(problems), ..Condition::default() }
}

fn told(world: &mut World, n: usize, problems: u64, soon: bool) {
    world.step(n, Input::Condition { condition: alloc::boxed::Box::new(said(problems)), soon });
}

/// What node `n` knows of node `of`, and how old that is.
fn heard(world: &World, n: usize, of: usize) -> Option<(u64, Micros)> {
    let status = world.nodes[n].engine.status();
    let peer = status.peers.into_iter().find(|peer| peer.address == world.nodes[of].at)?;
    let (condition, age) = peer.condition?;
    Some((condition.problems?, age))
}

/// Conditions that were sent from `n` since the last time somebody asked.
fn sent(world: &mut World, n: usize) -> usize {
    let from = world.nodes[n].at;
    let seen = core::mem::take(&mut world.seen);
    let packets = seen.iter().filter(|(at, ..)| *at == from);
    let messages = packets.flat_map(|(.., bytes)| Packet::read(bytes).unwrap().messages);
    messages.filter(|message| matches!(message, Message::Condition(_))).count()
}

#[test]
fn each_live_peer_hears_it_at_once_and_every_five_seconds() {
    let mut world = World::met(&["a", "b", "c"]);
    assert_eq!(heard(&world, 1, 0), None, "nobody said anything");
    told(&mut world, 0, 1, false);
    world.run(1_000);
    assert_eq!((heard(&world, 1, 0).unwrap().0, heard(&world, 2, 0).unwrap().0), (1, 1));
    told(&mut world, 0, 2, false);
    world.run(CONDITION_US / 2);
    assert_eq!(heard(&world, 1, 0).unwrap().0, 1, "no worse");
    sent(&mut world, 0);
    world.run(10 * CONDITION_US);
    assert_eq!(sent(&mut world, 0), 20);
    let (problems, age) = heard(&world, 2, 0).unwrap();
    assert!(problems == 2 && age <= CONDITION_US, "{problems} {age}");
}

#[test]
fn what_got_worse_is_told_soon_and_not_more_than_once_a_second() {
    let mut world = World::met(&["a", "b"]);
    told(&mut world, 0, 0, false);
    world.run(CONDITION_MIN_US);
    told(&mut world, 0, 1, true);
    world.run(1_000);
    assert_eq!(heard(&world, 1, 0).unwrap().0, 1);
    sent(&mut world, 0);
    for problems in 2..42 {
        told(&mut world, 0, problems, true);
        world.run(CONDITION_MIN_US / 10);
    }
    let count = sent(&mut world, 0);
    assert!((3..=5).contains(&count), "{count}");
    world.run(CONDITION_MIN_US);
    assert_eq!(heard(&world, 1, 0).unwrap().0, 41);
}

#[test]
fn who_comes_is_told_and_what_was_overtaken_on_its_way_counts_no_more() {
    let mut world = World::new(&["a", "b"]);
    told(&mut world, 0, 7, false);
    world.run(CONDITION_US / 4);
    let to = world.nodes[0].at;
    world.step(1, Input::Candidates(vec![to]));
    world.run(CONDITION_US / 4);
    assert_eq!(heard(&world, 1, 0).unwrap().0, 7);
    let packet = |counter, problems| {
        let mut packet = Writer::new(&NodeId::read("a").unwrap(), Boot(101), counter);
        assert!(packet.put(&Message::Condition(alloc::boxed::Box::new(said(problems)))));
        Input::Packet { from: address(1), bytes: packet.finish() }
    };
    world.step(1, packet(901, 9));
    world.step(1, packet(900, 8));
    assert_eq!(heard(&world, 1, 0).unwrap().0, 9);
}

#[test]
fn a_level_pair_that_tells_conditions_goes_on_measuring_its_clocks() {
    let mut world = World::met(&["a", "b"]);
    let wall = crate::time::Instant::from_micros(1_795_000_000_000_000).unwrap();
    let ahead = crate::time::Instant::from_micros(wall.micros() + 9_000_000).unwrap();
    for n in 0..2 {
        let now = world.now;
        world.nodes[n].engine.set_wall(now, wall);
        told(&mut world, n, 0, false);
    }
    world.run(60_000_000);
    let now = world.now;
    let since = i64::try_from(now).unwrap();
    let step = crate::time::Instant::from_micros(ahead.micros() + since).unwrap();
    world.nodes[1].engine.set_wall(now, step);
    world.run(LIVE_US);
    let skew = world.nodes[0].engine.status().peers[0].clock_ahead_us.unwrap();
    assert!(skew > 8_000_000, "{skew}");
}
