//! Branches of one log, while things go on.

use super::*;

/// Puts a record of a clone behind what a node holds of a log.
fn branch(world: &mut World, n: usize, of: &LogId, text: &str) {
    let from = world.nodes[n].logs.head(of).map_or(0, |head| head.position);
    world.nodes[n].logs.append(of, day(), format!("{text}\x1e").as_bytes());
    let head = world.nodes[n].logs.head(of).unwrap();
    let ranges = world.nodes[n].logs.read(of, from, u64::MAX, 1_000).into_iter().collect();
    world.step(n, Input::Durable { log: of.clone(), head, ranges });
}

fn holds(world: &World, n: usize, text: &str) -> bool {
    let text = format!("{text}\x1e");
    world.nodes[n].logs.logs.values().flatten().any(|(_, record, _)| record == text.as_bytes())
}

#[test]
fn a_fork_is_settled_while_the_log_is_written_without_a_pause() {
    let mut world = World::met(&["a", "b", "c"]);
    world.write(0, "common");
    world.run(1_000_000);
    // What c holds was written by a clone that is gone. The origin hears only b.
    world.blocked = vec![(1, 3), (3, 1), (2, 3), (3, 2)];
    branch(&mut world, 2, &log("a"), "zeta");
    world.write(0, "alpha");
    // A sync takes 50 ms at b: something always waits for the next.
    world.nodes[1].hold_sync = true;
    let mut syncs = VecDeque::new();
    for n in 0..300 {
        if n == 100 {
            world.blocked = vec![(1, 3), (3, 1)];
        }
        world.write(0, &format!("record {n}"));
        world.run(10_000);
        if core::mem::take(&mut world.nodes[1].syncs) > 0 {
            syncs.push_back((n + 5, world.synced(1)));
        }
        if let Some((_, done)) = syncs.pop_front_if(|(at, _)| *at <= n) {
            world.step(1, done);
        }
    }
    let aside = world.nodes[1].logs.logs.get(&log("b")).map_or(0, Vec::len);
    assert!(aside > 100, "{aside} records of the branch that lost are in b's own log");
    world.nodes[1].hold_sync = false;
    world.nodes[1].syncs = 0;
    for (_, done) in syncs {
        world.step(1, done);
    }
    world.blocked.clear();
    world.run(60_000_000);
    assert!(world.level());
    for n in 0..3 {
        assert!(["alpha", "zeta", "record 299"].iter().all(|text| holds(&world, n, text)), "{n}");
    }
}

#[test]
fn who_waits_for_what_was_not_copied_is_told_when_others_hold_the_closed_log() {
    let mut world = World::met(&["a", "b"]);
    world.blocked = vec![(1, 2), (2, 1)];
    let head = world.write(0, "waited for");
    world.step(0, Input::Wait { id: 5, log: log("a"), position: head.position, nodes: 1 });
    // A batch of two, of which a disk that failed leaves the first.
    let trusted = Head { position: head.position + 5, hash: head.hash.next(day(), b"kept\x1e") };
    world.write(0, "kept\x1ecopied");
    world.flying.clear();
    let fresh = log("a~abcdefg2");
    world.nodes[0].logs.cut(&log("a"), trusted);
    world.nodes[0].logs.append(&fresh, day(), b"copied\x1e");
    let copied = world.nodes[0].logs.head(&fresh).unwrap();
    world.step(0, Input::NewEpoch { log: fresh, trusted, copied });
    world.blocked.clear();
    world.run(3_000_000);
    assert!(world.level());
    assert_eq!(world.nodes[0].waited, [(5, vec![NodeId::read("b").unwrap()])]);
}

#[test]
fn two_branches_of_one_log_become_one_and_the_other_lives_on_elsewhere() {
    for (mine, theirs) in [("alpha", "beta"), ("beta", "alpha")] {
        let mut world = World::met(&["a", "b", "c"]);
        world.write(0, "common");
        world.run(1_000_000);
        // What b holds of a's log was written by a clone of a.
        world.blocked = vec![(1, 2), (2, 1), (1, 3), (3, 1)];
        world.nodes[1].logs.append(&log("a"), day(), format!("{theirs}\x1e").as_bytes());
        let head = world.nodes[1].logs.head(&log("a")).unwrap();
        let ranges = world.nodes[1].logs.read(&log("a"), 7, u64::MAX, 1000).into_iter().collect();
        world.step(1, Input::Durable { log: log("a"), head, ranges });
        world.write(0, mine);
        world.run(3_000_000);
        world.blocked.clear();
        world.run(120_000_000);
        assert!(world.level(), "{mine}");
        let held = |n: usize, text: &str| {
            let text = format!("{text}\x1e");
            world.nodes[n].logs.logs.values().flatten().any(|r| r.1 == text.as_bytes())
        };
        for n in 0..3 {
            assert!(held(n, "alpha") && held(n, "beta"), "{mine} {n}");
        }
        let name = &world.nodes[2].logs.logs[&log("a")];
        assert_eq!(name[1].1, b"beta\x1e");
    }
}
