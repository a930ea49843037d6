//! A command that changes many targets: written with some of them in memory at a time it comes to what it
//! comes to with all of them, and is one command.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use cocli_core::entity::DELETED;
use cocli_core::{Field, Instant, Target, Value};
use cocli_node::change::{Change, Intent};
use cocli_node::{Home, Wanted, Written};

fn at(seconds: i64) -> Instant {
    Instant::from_micros(1_795_435_200_000_000 + seconds * 1_000_000).unwrap()
}

fn put(target: &str, field: &str, value: Value) -> Change {
    Change::new(Target::read(target).unwrap(), Field::read(field).unwrap(), Intent::Put(value))
}

/// A removed company, and changes of it and of very many notes below it and of others, some of them twice.
fn removed(dir: &tempfile::TempDir) -> (Home, Vec<Change>) {
    let home = support::home(dir.path(), "pi1", at(0));
    let (name, gone) = (Value::text("Acme"), Value::truth());
    let first = [put("companies/acme", "name", name), put("companies/b", "city", Value::text("0"))];
    home.session(at(1)).unwrap().write("set", &first, false).unwrap();
    let gone = [put("companies/acme", DELETED, gone)];
    home.session(at(2)).unwrap().write("rm", &gone, false).unwrap();
    let text = |n: usize| Value::text(&format!("text {n}"));
    let notes = (0..1500).map(|n| put(&format!("companies/acme/notes/n{n}"), "text", text(n)));
    let twice = (0..1500).map(|n| put(&format!("companies/c{}", n % 700), "city", text(n / 700)));
    let others = ["1", "1", "2"].map(|n| put("companies/b", "city", Value::text(n)));
    (home, notes.chain(twice).chain(others).collect())
}

fn told(written: &Written) -> (usize, usize, usize, usize) {
    (written.datagrams, written.unchanged, written.new.len(), written.refused.len())
}

#[test]
fn changes_of_many_targets_come_to_the_same_however_many_of_them_are_in_memory() {
    for revive in [true, false] {
        let (at_once, in_turn) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, changes) = removed(&at_once);
        let (two, _) = removed(&in_turn);
        let written = one.session(at(3)).unwrap().write("set", &changes, revive).unwrap();
        let many = two.session(at(3)).unwrap().write_many("set", changes.iter().collect(), revive);
        assert_eq!(told(&many.unwrap()), told(&written));
        assert_eq!(two.state().unwrap().digest(), one.state().unwrap().digest());
    }
}

#[test]
fn a_command_of_many_targets_is_undone_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let (home, changes) = removed(&dir);
    let shown = |home: &Home, target: &str, field: &str| {
        home.text(&Target::read(target).unwrap(), field).unwrap()
    };
    let before = home.ends().unwrap();
    home.session(at(3)).unwrap().write_many("set", changes.iter().collect(), true).unwrap();
    assert_eq!(shown(&home, "companies/acme/notes/n1499", "text").as_deref(), Some("text 1499"));
    assert_eq!(shown(&home, "companies/b", "city").as_deref(), Some("2"));
    assert_eq!(home.ends().unwrap().len(), before.len());
    let mut session = home.session(at(4)).unwrap();
    let plan = session.plan_undo(&Wanted::default()).unwrap();
    assert!(plan.kept.is_empty() && plan.forgotten.is_empty());
    session.write_many("undo", plan.changes.iter().collect(), true).unwrap();
    drop(session);
    for n in [0, 700, 1499] {
        assert_eq!(shown(&home, &format!("companies/acme/notes/n{n}"), "text"), None);
    }
    assert_eq!(shown(&home, "companies/c5", "city"), None);
    assert_eq!(shown(&home, "companies/b", "city").as_deref(), Some("0"));
    let acme = home.entity(&Target::read("companies/acme").unwrap()).unwrap();
    assert!(acme.removed().is_some());
}
