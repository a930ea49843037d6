//! Values that were lost unseen: shown, the same everywhere, and settled.

use cocli_core::{Causality, Datagram, Entry, Field, Stamp, Target, Value, usv};

use crate::support::Home;

/// Two nodes that wrote at the same time, and one who says what it saw.
fn journals(home: &Home) {
    let line = |second: u8, node: &str, target: &str, field: &str, value: &str, saw: &str| {
        let text = format!("2026-11-01T10:00:{second:02}.000000+00:00@{node}");
        let entry = Entry {
            stamp: Stamp::read(&text).unwrap(),
            value: Value::read(value),
            causality: Causality::read(saw).unwrap(),
        };
        let target = Target::read(&format!("companies/{target}")).unwrap();
        let mut record = Vec::new();
        usv::write(&Datagram { target, field: Field::read(field).unwrap(), entry }, &mut record);
        record
    };
    let attic = [
        line(1, "attic", "acme", "city", "Rome", "-"),
        line(1, "attic", "acme", "name", "Acme", "-"),
        line(1, "attic", "acme", "average_rating", "3", "-"),
        line(1, "attic", "acme", "tags.lead", "null", "-"),
        line(1, "attic", "bolt", "city", "Metz", "-"),
        line(1, "attic", "gone", "city", "Metz", "-"),
    ];
    let barn = [
        line(2, "barn", "acme", "city", "Oslo", "-"),
        line(2, "barn", "acme", "average_rating", "4", "-"),
        line(2, "barn", "acme", "tags.lead", "true", "-"),
        line(3, "barn", "acme", "name", "ACME", "2026-11-01T10:00:01.000000+00:00@attic"),
        line(3, "barn", "bolt", "city", "Metz", "-"),
        line(3, "barn", "gone", "city", "Lyon", "-"),
        line(4, "barn", "gone", "_deleted", "true", "-"),
    ];
    std::fs::write(home.path.join("wal/20261101_attic.usv"), attic.concat()).unwrap();
    std::fs::write(home.path.join("wal/20261101_barn.usv"), barn.concat()).unwrap();
}

#[test]
fn what_was_lost_unseen_is_shown_on_every_node_and_settled_once_for_all() {
    let [one, other] = [Home::new(), Home::new()];
    [&one, &other].into_iter().for_each(journals);
    one.run(&["compact"]).ok();
    let told = one.run(&["--json", "conflicts"]).ok();
    assert_eq!(told, other.run(&["--json", "conflicts"]).ok());
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(told.contains("\"field\":\"city\",\"lost\":[{") && told.contains("Rome"), "{told}");
    let told = one.run(&["conflicts", "acme"]).ok();
    assert!(told.contains("1  stands  Oslo") && told.contains("2  lost    Rome"), "{told}");
    assert!(told.contains("1  stands  in it") && told.contains("2  lost    not in it"), "{told}");
    one.run(&["resolve", "acme", "city"]).fails(2, "expected `--keep N` or `--value V`");
    one.run(&["resolve", "acme", "city", "--keep", "3"]).fails(2, "3 is none of the values 1 to 2");
    one.run(&["resolve", "companies/bolt", "city", "--keep", "1"])
        .fails(3, "has no conflict at city");
    assert!(one.run(&["resolve", "acme", "city", "--keep", "2"]).ok().contains("city is Rome"));
    // To keep what stands there is a word of its own.
    one.run(&["resolve", "acme", "tags.lead", "--keep", "1"]).ok();
    assert_eq!(one.run(&["get", "acme", "city"]).ok(), "Rome\n");
    assert!(one.run(&["list", "companies", "--where", "tags=lead"]).ok().contains("acme"));
    assert!(one.run(&["conflicts"]).ok().contains("no conflicts"));
    // Who hears of it has nothing left to settle.
    let today = one.journals().pop().unwrap();
    std::fs::copy(today, other.path.join("wal/20261102_elsewhere.usv")).unwrap();
    assert!(other.run(&["conflicts"]).ok().contains("no conflicts"));
}

#[test]
fn conflicts_are_gone_through_one_after_the_other() {
    let home = Home::new();
    journals(&home);
    let asked = home.input(&["resolve"], b"9\n2\n\n");
    asked.fails(0, "9 is none of the values");
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Rome\n");
    assert_eq!(home.run(&["--json", "conflicts"]).ok().lines().count(), 1);
    home.input(&["resolve"], b"=x\n").ok();
    assert!(home.run(&["conflicts"]).ok().contains("no conflicts"));
}
