//! Values that were lost unseen: shown, the same everywhere, and settled.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

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

/// The first line that a person is shown and asked about; the process waits for the answer.
fn asked(home: &Home) -> (std::process::Child, BufReader<std::process::ChildStderr>) {
    let mut command = home.command();
    command.arg("resolve").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut questions = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    questions.read_line(&mut line).unwrap();
    assert!(line.contains("1 of 2"), "{line}");
    (child, questions)
}

#[test]
fn what_came_while_a_person_thought_about_it_is_not_replaced_unseen() {
    let home = Home::new();
    journals(&home);
    let (mut child, mut questions) = asked(&home);
    home.run(&["set", "companies/acme", "city=Bergen"]).ok();
    child.stdin.take().unwrap().write_all(b"2\n1\n").unwrap();
    let mut told = String::new();
    questions.read_to_string(&mut told).unwrap();
    assert!(child.wait().unwrap().success() && told.contains("was changed meanwhile"), "{told}");
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Bergen\n");
    // The other one is settled.
    assert_eq!(home.run(&["--json", "conflicts"]).ok().lines().count(), 1);
}

#[test]
fn settling_is_told_to_programs_as_objects_and_takes_values_as_set_does() {
    let home = Home::new();
    journals(&home);
    let told = home.input(&["--json", "resolve"], b"1\n\n").ok();
    assert_eq!(told.lines().count(), 3, "{told}");
    for line in told.lines() {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(json["target"] == "companies/acme", "{line}");
    }
    journals(&home);
    home.run(&["resolve", "acme", "tags.lead", "--value", ""]).ok();
    assert_eq!(home.run(&["get", "acme", "tags"]).code, 3);
}

#[test]
fn status_counts_what_was_lost_without_reading_the_journals() {
    let home = Home::new();
    assert!(!home.run(&["status"]).ok().contains("lost unseen"));
    journals(&home);
    assert!(
        home.run(&["status"])
            .ok()
            .contains("2 conflicts: values were lost unseen (`cocli conflicts`)")
    );
    home.run(&["compact"]).ok();
    let status = home.run(&["--json", "status"]).ok();
    assert!(status.contains("\"conflicts\":{\"fields\":2,\"many\":false"), "{status}");
    home.run(&["resolve", "acme", "city", "--keep", "1"]).ok();
    assert!(home.run(&["status"]).ok().contains("1 conflict: values were lost unseen"));
    std::fs::remove_dir_all(home.file("cache")).unwrap();
    assert!(home.run(&["status"]).ok().contains("is not known yet (`cocli conflicts` looks)"));
    home.run(&["conflicts"]).ok();
    assert!(home.run(&["status"]).ok().contains("1 conflict: values were lost unseen"));
}
