//! Law: what no layer above touches, and what the layers hold, is the state, each target once.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use cocli_core::{Datagram, Entity, State, Target};
use cocli_store::reader::Layer;
use cocli_store::{FakeDisk, Reader, checkpoint};
use proptest::prelude::*;
use support::*;

type Rows = BTreeMap<Target, Entity>;

fn reader(disk: &FakeDisk) -> Reader {
    Reader::open(&mut open(disk, "pi1").unwrap()).unwrap()
}

/// Takes rows that come in order.
fn taken(rows: &mut Rows) -> impl FnMut(&Target, &Entity) -> ControlFlow<()> {
    |target, entity| {
        let is_next = rows.last_key_value().is_none_or(|(last, _)| last < target);
        assert!(is_next, "{target} came out of order");
        rows.insert(target.clone(), entity.clone());
        ControlFlow::Continue(())
    }
}

fn layer(reader: &Reader, layer: Layer) -> Rows {
    let mut rows = Rows::new();
    if reader.layer_key(layer).is_some() {
        assert!(reader.layer_in_order(layer, taken(&mut rows)).unwrap().is_continue());
    }
    rows
}

/// The state as a query puts it together.
fn together(reader: &Reader) -> State {
    let mut base = Rows::new();
    for shards in [0..=127, 128..=255] {
        let mut rows = Rows::new();
        assert!(reader.base_in_order(shards, taken(&mut rows)).unwrap().is_continue());
        base.append(&mut rows);
    }
    let mut all = base;
    for layer in [layer(reader, Layer::Runs), layer(reader, Layer::Tail)] {
        let touched: BTreeSet<&str> = layer.keys().map(Target::entity).collect();
        let untold = |target: &&Target| touched.contains(target.entity());
        let below: Vec<&Target> = all.keys().filter(untold).collect();
        for target in below {
            assert!(layer.contains_key(target), "{target} is not whole");
        }
        all.extend(layer);
    }
    State::from(all)
}

fn merge(disk: &FakeDisk, share: u64) {
    let (mut journals, lock) = (open(disk, "pi1").unwrap(), take_lock(disk).unwrap());
    checkpoint::compact_by(&lock, &mut journals, &means(1 << 24, share)).unwrap();
}

/// Some values, and whether all is merged behind them: not, into a run, into the shards.
fn step() -> impl Strategy<Value = (Vec<(usize, usize, usize)>, usize)> {
    (prop::collection::vec((0..8_usize, 0..3_usize, 0..4_usize), 1..6), 0..3_usize)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn the_layers_together_are_the_state(steps in prop::collection::vec(step(), 1..8)) {
        let disk = home();
        let mut at = 10;
        let mut keys = BTreeSet::new();
        for (values, merged) in steps {
            let put = |(entity, below, field): &(usize, usize, usize)| {
                at += 1;
                let below = ["", "/notes/a", "/notes/b"][*below];
                let field = ["name", "city", "_deleted", "tags.a"][*field];
                put("pi1", &format!("companies/c{entity}{below}"), field, "x", at)
            };
            let batch: Vec<Datagram> = values.iter().map(put).collect();
            append(&disk, "pi1", "20261122", &batch).unwrap();
            let behind = reader(&disk);
            prop_assert!(keys.insert(behind.layer_key(Layer::Tail)), "another tail, the same key");
            prop_assert_eq!(together(&behind), behind.state().unwrap());
            if merged > 0 {
                merge(&disk, [0, 0, 8][merged]);
                let merged = reader(&disk);
                prop_assert_eq!(merged.layer_key(Layer::Tail), None);
                prop_assert_eq!(together(&merged), merged.state().unwrap());
            }
        }
    }
}

#[test]
fn a_tail_of_many_entities_is_the_same_as_one_of_few() {
    let disk = home();
    let all = |value: &str, step: usize, at: i64| -> Vec<Datagram> {
        let entities = (0..1_300).step_by(step);
        entities.map(|n| put("pi1", &format!("companies/c{n}"), "city", value, at)).collect()
    };
    append(&disk, "pi1", "20261122", &all("a", 1, 10)).unwrap();
    merge(&disk, 8);
    append(&disk, "pi1", "20261122", &all("b", 40, 20)).unwrap();
    merge(&disk, 0);
    assert_eq!(reader(&disk).manifest().runs(), 1);
    append(&disk, "pi1", "20261122", &all("c", 2, 30)).unwrap();
    let reader = reader(&disk);
    assert_eq!(layer(&reader, Layer::Tail).len(), 650);
    assert_eq!(together(&reader), reader.state().unwrap());
}
