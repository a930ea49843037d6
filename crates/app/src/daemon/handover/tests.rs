use cocli_net::{Key, Ring};
use cocli_node::KnownNode;

use super::*;
use crate::rekey::NODES_MAX;

fn name(text: &str) -> NodeId {
    NodeId::written(text).unwrap()
}

fn key(n: u8) -> Key {
    Key::from_bytes([n; 32])
}

fn cluster() -> Vec<KnownNode> {
    let known = |node: &str, n: u8| {
        let key = Some(cocli_net::to_hex(&[n; 32]));
        KnownNode { node: name(node), key, removed: None, left: None }
    };
    vec![known("pi1", 1), known("pi2", 2), known("laptop", 3)]
}

/// A node of the cluster under key 1, without a rekey.
fn fresh() -> Held {
    Held { ring: Ring::new(key(1)), rekey: None }
}

/// `pi1` after `node rm laptop`, with key `n`.
fn first(n: u8, made: i64) -> Held {
    let mut held = fresh();
    let me = name("pi1");
    let mut rekey = Rekey::begin(made, key(n), (&me, [1; 32]), &name("laptop"), &cluster(), None);
    rekey.enter(&mut held.ring, None).unwrap();
    held.rekey = Some(rekey);
    held
}

fn told(by: &Held) -> Told {
    let rekey = by.rekey.as_ref().unwrap();
    let used = rekey.phase(&by.ring) != Phase::Taken;
    Told::read(&rekey.to_told(used)).unwrap()
}

/// `pi2` hears what `by` tells.
fn hears(held: &mut Held, by: &Held) -> Result<Option<String>, String> {
    take_told(held, told(by), (&name("pi2"), [2; 32]), 1_000)
}

#[test]
fn the_key_is_taken_then_used_then_alone_and_each_learns_of_the_other() {
    let (mut one, mut other) = (first(9, 10), fresh());
    assert!(hears(&mut other, &one).unwrap().unwrap().contains("leaves out laptop"));
    assert_eq!(other.phase(), Some(Phase::Taken));
    assert_eq!(other.ring.in_use().id(), key(1).id());
    take_told(&mut one, told(&other), (&name("pi1"), [1; 32]), 1_000).unwrap();
    assert_eq!(one.rekey.as_ref().unwrap().lacking().count(), 0);
    use_key(&mut one);
    assert_eq!((one.phase(), one.ring.in_use().id()), (Some(Phase::Used), key(9).id()));
    // It is told that it is used, and uses it.
    hears(&mut other, &one).unwrap();
    assert_eq!(other.phase(), Some(Phase::Used));
    assert!(other.retires(key(1).id()) && !other.retires(key(9).id()));
    drop_old(&mut other);
    assert_eq!((other.phase(), other.ring.list()), (Some(Phase::Done), vec![key(9).id()]));
    // Once more changes nothing.
    let before = other.clone();
    assert_eq!(hears(&mut other, &one), Ok(None));
    assert_eq!(other, before);
}

#[test]
fn what_is_told_to_a_stream_depends_on_whose_it_is() {
    let held = first(9, 10);
    let tells = |whose: Public, under: u8| telling(&held, &whose, key(under).id());
    assert!(tells([2; 32], 1).unwrap().len() > 1, "it is given to pi2");
    assert_eq!(tells([3; 32], 1), None, "not to who is out");
    assert_eq!(tells([3; 32], 9), None, "whatever else it has");
    assert_eq!(tells([4; 32], 1), Some(vec![KIND]), "a stranger with the old key learns nothing");
    assert!(tells([4; 32], 9).unwrap().len() > 1, "who has the key may know who else has");
    assert_eq!(telling(&fresh(), &[2; 32], key(1).id()), Some(vec![KIND]));
}

#[test]
fn a_key_of_tomorrow_and_one_for_others_are_not_taken() {
    let (mut held, before) = (fresh(), fresh());
    assert!(hears(&mut held, &first(9, 1_001)).is_err());
    let not_me = take_told(&mut held, told(&first(9, 10)), (&name("pi2"), [7; 32]), 1_000);
    assert!(not_me.is_err());
    let out = take_told(&mut held, told(&first(9, 10)), (&name("laptop"), [3; 32]), 1_000);
    assert!(out.is_err());
    assert_eq!(held, before);
}

#[test]
fn of_two_keys_that_leave_out_the_same_all_take_the_later_one() {
    let (early, late) = (first(8, 10), first(9, 20));
    for order in [[&early, &late], [&late, &early]] {
        let mut held = fresh();
        order.into_iter().for_each(|by| drop(hears(&mut held, by).unwrap()));
        assert_eq!(held.rekey.as_ref().unwrap().key.id(), key(9).id());
    }
}

#[test]
fn of_two_that_contradict_each_other_neither_is_taken_and_it_says_what_to_do() {
    let mut held = first(9, 10);
    let mut theirs = fresh();
    let laptop = (&name("laptop"), [3; 32]);
    let mut rekey = Rekey::begin(500, key(8), laptop, &name("pi1"), &cluster(), None);
    rekey.enter(&mut theirs.ring, None).unwrap();
    theirs.rekey = Some(rekey);
    let before = held.clone();
    let why = hears(&mut held, &theirs).unwrap_err();
    assert!(why.contains("`cocli node rm pi1`"), "{why}");
    assert_eq!(held, before);
}

#[test]
fn the_document_tells_these_numbers() {
    let text = include_str!("../../../../../docs/gossip.md");
    let seconds = |time: Duration| time.as_secs();
    for words in [
        format!(
            "(when there are none, after {} s), or after {} s",
            seconds(ALONE),
            seconds(PATIENCE)
        ),
        format!("and {} s have passed", seconds(GRACE)),
        format!("At most {NODES_MAX} nodes are given it and {NODES_MAX} are left out"),
        format!(
            "at most once in\n{} s, and after a call that brought nothing twice as late each time up to {} s ({} s when a\npeer is live there); {} addresses are remembered, {} calls",
            seconds(calling::REST),
            seconds(calling::REST_MAX),
            seconds(calling::REST_MAX_OF_PEER),
            calling::ADDRESSES_MAX,
            calling::CALLS_MAX
        ),
        format!("kind {KIND}, then the rekey"),
    ] {
        assert!(text.contains(&words), "{words}");
    }
}
