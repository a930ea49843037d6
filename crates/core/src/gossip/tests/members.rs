//! Who is there, told by several engines.

use super::*;

/// How node `of` appears to node `n`, and whether `n` hears it.
fn standing(world: &World, n: usize, of: usize) -> Option<(Standing, bool)> {
    let status = world.nodes[n].engine.status();
    let peer = status.peers.iter().find(|peer| peer.address == world.nodes[of].at)?;
    Some((peer.standing, peer.live))
}

#[test]
fn nodes_that_know_only_one_node_find_each_other() {
    let mut world = World::new(&["hub", "a", "b", "c"]);
    let hub = world.nodes[0].at;
    for n in 1..4 {
        world.step(n, Input::Candidates(vec![hub]));
    }
    world.run(10_000_000);
    for (n, of) in [(1, 2), (2, 3), (3, 1), (0, 3)] {
        assert_eq!(standing(&world, n, of), Some((Standing::Alive, true)), "{n} of {of}");
    }
}

#[test]
fn a_dead_node_is_down_for_all_within_ten_seconds_and_alive_again_when_it_comes_back() {
    let mut world = World::met(&["a", "b", "c", "d"]);
    world.blocked = (1..=3).flat_map(|n| [(n, 4), (4, n)]).collect();
    world.run(12_000_000);
    for n in 0..3 {
        assert_eq!(standing(&world, n, 3), Some((Standing::Down, true)), "{n}");
        assert_eq!(standing(&world, n, (n + 1) % 3), Some((Standing::Alive, true)), "{n}");
    }
    world.run(2 * LIVE_US);
    assert_eq!(standing(&world, 0, 3), Some((Standing::Down, false)));
    world.blocked.clear();
    // The longest pause between two hellos, and a few rounds.
    world.run(70_000_000);
    for n in 0..3 {
        assert_eq!(standing(&world, n, 3), Some((Standing::Alive, true)), "{n}");
        assert_eq!(standing(&world, 3, n), Some((Standing::Alive, true)), "{n}");
    }
}

#[test]
fn one_whom_only_others_hear_is_alive() {
    let mut world = World::met(&["a", "b", "c", "d"]);
    world.blocked = vec![(4, 1)];
    world.run(2 * LIVE_US);
    assert_eq!(standing(&world, 0, 3), Some((Standing::Alive, false)));
}

#[test]
fn one_who_leaves_is_down_at_once() {
    let mut world = World::met(&["a", "b", "c"]);
    world.step(2, Input::Leave);
    world.run(2_000_000);
    for n in 0..2 {
        assert_eq!(standing(&world, n, 2), Some((Standing::Down, false)), "{n}");
    }
}

#[test]
fn when_one_side_of_a_cut_meets_the_other_all_do_within_seconds() {
    let mut world = World::met(&["a", "b", "c", "d", "e"]);
    let sides = [(1, 3), (1, 4), (1, 5), (2, 3), (2, 4), (2, 5)];
    world.blocked = sides.into_iter().flat_map(|(n, m)| [(n, m), (m, n)]).collect();
    world.run(10 * 60_000_000);
    world.blocked.clear();
    let all = |world: &World| {
        let live = |n: u8, m: u8| standing(world, (n - 1).into(), (m - 1).into());
        sides.iter().filter(|(n, m)| live(*n, *m).is_some_and(|(_, live)| live)).count()
    };
    while all(&world) == 0 {
        world.run(100_000);
    }
    world.run(2_000_000);
    assert_eq!(all(&world), sides.len());
}

#[test]
fn a_lost_answer_to_the_last_hello_leaves_nobody_a_stranger() {
    let mut world = World::new(&["a", "b"]);
    world.step(1, Input::Candidates(vec![address(1)]));
    let mut kept = 0;
    while let Some((from, to, bytes)) = world.flying.front().cloned() {
        let packet = Packet::read(&bytes).unwrap();
        let last = |m: &Message| matches!(m, Message::Hello { cookie: 0, echo } if *echo != 0);
        // By this b would know that a hears it; and all else that a sends it then is lost as well.
        if from == address(1) && (kept > 0 || packet.messages.iter().any(last)) {
            kept += 1;
            world.flying.pop_front();
        } else {
            world.deliver();
        }
        assert!(to == address(1) || to == address(2));
    }
    assert!(kept > 0);
    assert_eq!(standing(&world, 0, 1), Some((Standing::Alive, true)));
    assert_eq!(standing(&world, 1, 0), None);
    world.run(2_000_000);
    assert_eq!(standing(&world, 1, 0), Some((Standing::Alive, true)));
}
