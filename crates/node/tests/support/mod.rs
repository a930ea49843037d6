//! A home that is alone in its cluster and keeps no cards.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file takes what it needs of this"
)]

use std::path::Path;

use cocli_core::{ClusterId, Epoch, Field, Instant, NodeId, Target, Value};
use cocli_node::change::{Change, Intent};
use cocli_node::{Birth, Home, Membership, Rim};

/// 2026-11-28T08:00:00Z.
pub const START: i64 = 1_795_852_800_000_000;

/// So many seconds behind that.
pub fn at(second: i64) -> Instant {
    Instant::from_micros(START + second * 1_000_000).unwrap()
}

pub fn rim() -> Rim {
    Rim { machine: "m".into(), epoch: || Epoch::from_random([1; 8]) }
}

/// What a home of the node of this name is made of.
pub fn birth(name: &str) -> Birth {
    let membership =
        Membership { cluster: ClusterId([7; 16]), keys: Vec::new(), peers: Vec::new() };
    Birth {
        node: NodeId::written(name).unwrap(),
        membership,
        identity: vec![0; 32],
        identity_public: "00".into(),
        cards: false,
        maybe_known: false,
    }
}

/// Makes one in a folder, of the node of this name.
pub fn home(path: &Path, name: &str, now: Instant) -> Home {
    Home::create(path, &birth(name), rim(), now).unwrap()
}

/// Writes a field `city`.
pub fn write_city(home: &Home, now: Instant, target: &str, city: &str) {
    let target = Target::read(target).unwrap();
    let city = Intent::Put(Value::text(city));
    let change = Change::new(target, Field::read("city").unwrap(), city);
    home.session(now).unwrap().write("set", &[change], false).unwrap();
}

/// Merges all that came, months too.
pub fn compact(home: &Home, now: Instant) {
    let turn = home.turn().unwrap();
    let mut session = home.session(now).unwrap();
    session.compact(turn, None, &mut |month, error| panic!("{month}: {error}")).unwrap();
}
