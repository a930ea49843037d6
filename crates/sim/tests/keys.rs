//! Key rings change while the cluster runs: who lacks a key hears nothing of what is sealed with it.

use cocli_sim::{Fault, Options, Report, World};

const SECOND: u64 = 1_000;
const NODES: usize = 3;
/// What one machine goes through: the new key is added, used, and the old one removed.
const STEPS: [[u8; 3]; 3] = [[1, 2, 0], [2, 1, 0], [2, 0, 0]];
const ORDERS: [[usize; NODES]; 6] =
    [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

fn world(seed: u64) -> World {
    let mut world = World::new(Options { writes: 0, ..Options::calm(seed, NODES) });
    world.pass(5 * SECOND);
    world
}

fn end(mut world: World) -> Report {
    world.settle();
    world.report().sound()
}

/// A machine gets to its next step, everybody writes, and somebody is cut off from the power.
fn step(world: &mut World, number: usize, machine: usize, ring: [u8; 3], text: &str) {
    world.happen(Fault::Keys { machine, ring });
    for at in 0..NODES {
        assert!(world.say(at, &format!("{text} on {at}")));
    }
    match number % 4 {
        0 => world.happen(Fault::Crash { machine, down_ms: 200 }),
        1 => world.happen(Fault::Kill { machine: (machine + 1) % NODES, down_ms: 200 }),
        2 => world.happen(Fault::Crash { machine: (machine + 2) % NODES, down_ms: 700 }),
        _ => {}
    }
}

#[test]
fn a_key_changed_step_by_step_in_any_order_and_with_crashes_between_parts_nobody() {
    for number in 0..ORDERS.len().pow(3) {
        let mut world = world(number as u64);
        let orders = [number % 6, number / 6 % 6, number / 36].map(|order| ORDERS[order]);
        for (phase, order) in orders.into_iter().enumerate() {
            for (nth, machine) in order.into_iter().enumerate() {
                let text = format!("{phase} {nth}");
                step(&mut world, number + nth + phase, machine, STEPS[phase], &text);
                let mut waited = 0;
                while !world.is_level() {
                    world.pass(SECOND);
                    waited += 1;
                    assert!(waited < 10, "{orders:?}, {text}");
                }
            }
        }
        end(world);
    }
}

#[test]
fn keys_changed_in_the_wrong_order_part_the_nodes_for_a_while_and_lose_nothing() {
    let mut orders = vec![Vec::new()];
    for _ in 0..NODES * STEPS.len() {
        let longer = |order: &Vec<usize>| {
            let machines = 0..NODES;
            let order = order.clone();
            let open = machines.filter(move |at| {
                let done = order.iter().filter(|other| *other == at).count();
                done < STEPS.len()
            });
            open.collect::<Vec<_>>()
        };
        orders = (orders.iter())
            .flat_map(|order| longer(order).into_iter().map(|at| [&order[..], &[at]].concat()))
            .collect();
    }
    assert_eq!(orders.len(), 1_680);
    for (number, order) in orders.into_iter().enumerate().step_by(9) {
        let mut world = world(number as u64);
        let mut done = [0; NODES];
        for (nth, machine) in order.iter().enumerate() {
            step(&mut world, number + nth, *machine, STEPS[done[*machine]], &format!("{nth}"));
            done[*machine] += 1;
            // Now and then for so long that all who hear nothing are given up.
            world.pass(if number % 5 == 0 { 40 * SECOND } else { 2 * SECOND });
        }
        let report = end(world);
        assert!(report.level_after_ms < 130_000, "{order:?}: {report}");
    }
}

#[test]
fn a_node_with_another_key_hears_nothing_and_is_heard_by_nobody() {
    let mut world = world(1);
    world.happen(Fault::Keys { machine: 2, ring: [3, 0, 0] });
    world.say(0, "for those who have the key");
    world.say(2, "from one who lacks it");
    world.pass(60 * SECOND);
    assert!(world.holds(1, "for those who have the key"));
    assert!(!world.holds(2, "for those who have the key"));
    assert!(!world.holds(0, "from one who lacks it"));
    world.happen(Fault::Keys { machine: 2, ring: [3, 1, 0] });
    world.pass(130 * SECOND);
    // It opens what they seal, and they nothing of what it seals.
    assert!(!world.holds(0, "from one who lacks it"));
    world.happen(Fault::Keys { machine: 2, ring: [1, 3, 0] });
    end(world);
}
