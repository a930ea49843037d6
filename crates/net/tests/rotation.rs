//! Two machines change the cluster's key, each at its own pace.

use cocli_net::{Cluster, Key, Refused, Ring, open, seal};

const CLUSTER: Cluster = *b"cluster of tests";

fn old() -> Key {
    Key::from_bytes([1; 32])
}

fn new() -> Key {
    Key::from_bytes([2; 32])
}

/// One of the three steps of a rotation, in the only order that a machine can take them.
fn step(ring: &mut Ring, done: usize) {
    match done {
        0 => ring.add(new()),
        1 => ring.use_key(new().id()),
        _ => ring.remove(old().id()),
    }
    .expect("a step of the rotation");
}

fn hears(listener: &Ring, speaker: &Ring) -> Result<(), Refused> {
    let mut packet = Vec::new();
    seal(speaker, &CLUSTER, b"hello", &mut packet).expect("sealed");
    open(listener, &CLUSTER, &packet).map(|_| ())
}

/// All orders in which two machines can each take three steps, as the machine of each step.
fn orders() -> Vec<[usize; 6]> {
    (0..1 << 6)
        .map(|bits: usize| std::array::from_fn(|n| bits >> n & 1))
        .filter(|order: &[usize; 6]| order.iter().sum::<usize>() == 3)
        .collect()
}

#[test]
fn whoever_waits_for_the_other_between_the_steps_is_never_refused() {
    let mut kept = 0;
    for order in orders() {
        let mut rings = [Ring::new(old()), Ring::new(old())];
        let mut done = [0, 0];
        for machine in order {
            if done[machine] > done[1 - machine] {
                break;
            }
            step(&mut rings[machine], done[machine]);
            done[machine] += 1;
            let [a, b] = &rings;
            assert_eq!((hears(a, b), hears(b, a)), (Ok(()), Ok(())), "{order:?} at {done:?}");
        }
        kept += usize::from(done == [3, 3]);
    }
    assert_eq!(kept, 8);
}

#[test]
fn in_every_order_a_refusal_names_the_key_that_is_missing_and_the_end_is_level() {
    let mut refused = 0;
    for order in orders() {
        let mut rings = [Ring::new(old()), Ring::new(old())];
        let mut done = [0, 0];
        for machine in order {
            step(&mut rings[machine], done[machine]);
            done[machine] += 1;
            for (listener, speaker) in [(0, 1), (1, 0)] {
                let id = rings[speaker].in_use().id();
                let expected = match (done[speaker], done[listener]) {
                    (2.., 0) | (..2, 3) => Err(Refused::UnknownKey(id)),
                    _ => Ok(()),
                };
                refused += usize::from(expected.is_err());
                assert_eq!(hears(&rings[listener], &rings[speaker]), expected, "{order:?}");
            }
        }
        let [a, b] = &rings;
        assert_eq!((hears(a, b), hears(b, a)), (Ok(()), Ok(())), "{order:?}");
        assert_eq!(a.list(), [new().id()]);
    }
    assert!(refused > 0);
}
