use alloc::collections::BTreeMap;
use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::datagram::Causality;
use crate::merge::Entry;
use crate::name::NodeId;
use crate::stamp::Stamp;

const ID: &str = "t01hzz0000ab-k3xm";

fn node(name: &str) -> NodeId {
    NodeId::read(name).unwrap()
}

fn entry(at: i64, by: &str, value: Value) -> Entry {
    let stamp = Stamp { instant: Instant::from_micros(at).unwrap(), node: node(by) };
    Entry { stamp, value, causality: Causality::unsaid() }
}

fn claim(n: u64, step: Step, by: &str, attempt: u32) -> Claim {
    let token = format!("{by}{n}");
    Claim { n, step, node: node(by), token, attempt, beat: 0, expires_ms: 100, reason: None }
}

fn a_step() -> impl Strategy<Value = Step> {
    prop::sample::select(vec![Step::Held, Step::Failed, Step::Done, Step::Sideline, Step::Retry])
}

fn a_state() -> impl Strategy<Value = TaskState> {
    prop::sample::select(vec![TaskState::Waiting, TaskState::Done, TaskState::Sideline])
}

/// What one node wrote of a task: its own field, or its claim's.
fn a_write() -> impl Strategy<Value = (Field, Entry)> {
    let by = prop::sample::select(vec!["pi1", "pi2"]);
    (0i64..6, by, a_state(), prop::option::of((a_step(), 1u64..4, 1u32..4))).prop_map(
        |(at, by, state, claimed)| match claimed {
            None => {
                let value = Task::new(ID.into(), json!({"x": 1}), true).value(state, None, None);
                (Field::read(ID).unwrap(), entry(at, by, value))
            }
            Some((step, n, attempt)) => {
                let value = Value::json(&claim(n, step, by, attempt).json());
                (claim_field(ID).unwrap(), entry(at, by, value))
            }
        },
    )
}

fn merged<'a>(writes: impl Iterator<Item = &'a (Field, Entry)>) -> Entity {
    let mut entity = Entity::default();
    writes.for_each(|(field, entry)| {
        entity.merge(field.clone(), entry.clone());
    });
    entity
}

proptest! {
    #[test]
    fn the_same_histories_give_the_same_tasks_in_any_order(
        one in prop::collection::vec(a_write(), 0..12),
        other in prop::collection::vec(a_write(), 0..12),
        seed in any::<u64>(),
    ) {
        let expected = Task::all(&merged(one.iter().chain(&other)));
        prop_assert_eq!(&Task::all(&merged(other.iter().chain(&one))), &expected);
        prop_assert_eq!(&Task::all(&merged(one.iter().chain(&other).chain(&one))), &expected);
        let mut shuffled: Vec<_> = one.iter().chain(&other).collect();
        shuffled.sort_by_cached_key(|write| crate::digest::hash(format!("{seed}{write:?}").as_bytes()));
        prop_assert_eq!(&Task::all(&merged(shuffled.into_iter())), &expected);
    }

    #[test]
    fn done_beats_every_claim_whenever_that_was_made(
        claims in prop::collection::vec((a_step(), 1u64..9, 0i64..100), 0..9),
        done_at in 0i64..100,
    ) {
        let task = Task::new(ID.into(), json!(1), false);
        let mut entity = Entity::default();
        entity.merge(Field::read(ID).unwrap(), entry(done_at, "pi1", task.value(TaskState::Done, None, None)));
        for (step, n, at) in claims {
            let value = Value::json(&claim(n, step, "pi2", 1).json());
            entity.merge(claim_field(ID).unwrap(), entry(at, "pi2", value));
        }
        let read = Task::one(&entity, ID).unwrap();
        prop_assert_eq!(read.state, TaskState::Done);
        // And it waits again only when that was written after it.
        entity.merge(Field::read(ID).unwrap(), entry(done_at + 1, "pi1", task.value(TaskState::Waiting, None, None)));
        prop_assert!(!Task::one(&entity, ID).unwrap().state.is_over());
    }

    #[test]
    fn a_claim_reads_as_it_was_written_and_garbage_is_none(
        step in a_step(), n in any::<u64>(), attempt in any::<u32>(), reason in prop::option::of(".{0,20}"),
        bytes in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let claim = Claim { reason, ..claim(n, step, "pi1", attempt) };
        prop_assert_eq!(Claim::read(&claim.text()), Some(claim.clone()));
        prop_assert_eq!(Claim::of_json(&Value::json(&claim.json()).to_json()), Some(claim));
        if let Some(read) = Claim::read(&bytes) {
            prop_assert_eq!(Claim::read(&read.text()), Some(read));
        }
    }

    /// Workers that take, fail, die and finish at random, and a person who puts back what was laid aside.
    #[test]
    fn a_task_is_tried_as_often_as_it_may_be_and_done_at_most_once(
        moves in prop::collection::vec((0u8..5, any::<bool>()), 1..60), attempts in 1u32..5,
    ) {
        let mut chain: Vec<Claim> = Vec::new();
        let (mut tried, mut done) = (0, 0);
        for (what, late) in moves {
            let newest = chain.last().cloned();
            match (Claim::next(newest.as_ref(), late, attempts), newest) {
                (Next::Take(attempt), newest) => {
                    tried += 1;
                    prop_assert_eq!(attempt, tried);
                    prop_assert!(attempt <= attempts);
                    let n = newest.map_or(1, |newest| newest.n + 1);
                    chain.push(claim(n, Step::Held, "pi1", attempt));
                }
                (Next::GiveUp, Some(newest)) => chain.push(newest.then(Step::Sideline)),
                (Next::Over(step), Some(newest)) => {
                    prop_assert_eq!(step, newest.step);
                    if step == Step::Sideline && what == 0 {
                        chain.push(Claim { attempt: 0, ..newest.then(Step::Retry) });
                        tried = 0;
                    }
                }
                (Next::Wait, Some(mut newest)) => match what {
                    0 | 1 => {
                        done += 1;
                        chain.push(newest.then(Step::Done));
                    }
                    2 => {
                        newest.step = Step::Failed;
                        *chain.last_mut().unwrap() = newest;
                    }
                    _ => {}
                },
                (next, None) => prop_assert!(false, "{next:?} of nothing"),
            }
            prop_assert!(done <= 1);
            prop_assert!(chain.iter().zip(1..).all(|(claim, n)| claim.n == n));
        }
    }

    #[test]
    fn a_claim_is_late_when_it_did_not_change_for_its_time_and_never_before(
        looks in prop::collection::vec((1u64..60_000, 0u64..3), 1..30),
    ) {
        let (mut watch, mut now, mut last, mut since) = (Watch::default(), 0, None, 0);
        for (passed, beat) in looks {
            now += passed;
            let seen = Claim { beat, ..claim(1, Step::Held, "pi1", 1) };
            if last.as_ref() != Some(&seen) {
                (last, since) = (Some(seen.clone()), now);
            }
            prop_assert_eq!(watch.wait(ID, &seen, now) == 0, now - since >= 100_000);
        }
        // A clock that began anew says nothing of before.
        let seen = last.unwrap();
        prop_assert_eq!(watch.wait(ID, &seen, 0), 100_000);
    }

    #[test]
    fn ids_sort_as_their_times_do_and_are_fields(one in 0i64..1 << 53, other in 0i64..1 << 53) {
        let of = |micros| id(Instant::from_micros(micros).unwrap(), "k3xm");
        prop_assert_eq!(of(one).cmp(&of(other)), one.cmp(&other));
        prop_assert!(is_id(&of(one)) && Field::read(&of(one)).unwrap().as_str() == of(one));
        prop_assert!(!is_id(claim_field(&of(one)).unwrap().as_str()));
    }
}

#[test]
fn what_is_no_task_is_none() {
    for value in ["text", "null", "[1]", "3"] {
        assert_eq!(Task::read(ID, &Value::read(value), None), None, "{value}");
    }
    let odd = Value::read(r#"{"state":7,"claims":[]}"#);
    let read = Task::read(ID, &odd, Some(&Value::read("[1]"))).unwrap();
    assert_eq!((read.state, read.at_bucket, read.payload), (TaskState::Waiting, false, Json::Null));
    for bad in ["", "a.b", "a%20", "../x", "-x", "_x", "x-claim", "a/b"] {
        assert!(!is_id(bad), "{bad}");
    }
    for bad in ["", "-a", "A", "a/b", "..", "a b"] {
        assert!(queue("roadmap", bad).is_err(), "{bad}");
    }
    assert!(queue("roadmap", "gm-list").unwrap().may_expire());
}

#[test]
fn the_examples_of_the_document_are_what_is_written() {
    let text = include_str!("../../../../docs/queues.md");
    let example = |nth: usize| {
        let block = text.split("```json\n").nth(nth).unwrap();
        Value::read(block.split("\n```").next().unwrap())
    };
    let (value, held) = (example(1), example(2));
    let task = Task::read(ID, &value, Some(&held)).unwrap();
    assert_eq!((task.state, task.at_bucket), (TaskState::Held, true));
    assert_eq!(task.value(TaskState::Waiting, None, None), value);
    assert_eq!(Value::json(&task.claim.unwrap().json()), held);
}

#[test]
fn what_is_carried_over_is_a_task_that_is_not_done_with_its_claim() {
    let target = queue("roadmap", "enrichment").unwrap();
    let task = Task::new(ID.into(), json!(1), true);
    let carried = |value: Value| crate::expiry::is_unfinished(&target, &entry(1, "pi1", value));
    let states = BTreeMap::from([
        (TaskState::Waiting, true),
        (TaskState::Done, false),
        (TaskState::Sideline, true),
    ]);
    for (state, stays) in states {
        assert_eq!(carried(task.value(state, None, None)), stays, "{state:?}");
    }
    for (step, stays) in [(Step::Held, true), (Step::Done, false), (Step::Sideline, true)] {
        assert_eq!(carried(Value::json(&claim(1, step, "pi1", 1).json())), stays, "{step:?}");
    }
}
