//! The Python program and ours read each other's cards: compared with PyYAML itself.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use cocli_core::schema::Type;
use cocli_core::{Field, Kind, Value};
use cocli_store::card::{parse, render, shown};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Reads `{"text", "fields", "numbers", "body"}` lines; the front matter is found by the Python
/// program's own rule: between the first two later occurrences of `---`.
const READER: &str = include_str!("cards/reader.py");

/// Writes cards as the Python program does, with the values that it means.
const WRITER: &str = include_str!("cards/writer.py");

#[expect(clippy::print_stdout, reason = "a test that was passed over says so")]
fn python(script: &str, input: &str) -> Option<String> {
    let present =
        Command::new("python3").args(["-c", "import yaml"]).stderr(Stdio::null()).status();
    if !present.is_ok_and(|status| status.success()) {
        println!("python3 with PyYAML is not here: passed over");
        return None;
    }
    let mut child = Command::new("python3")
        .args(["-c", script])
        .env("PYTHONUTF8", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let feed = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    feed.join().unwrap().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

fn text() -> impl Strategy<Value = String> {
    let hostile = proptest::sample::select(
        &[
            "---",
            "----",
            "a --- b",
            "no",
            "Y",
            "~",
            "1e3",
            "0o17",
            "0x1f",
            "1_000",
            "9:30",
            "9:30.5",
            "2026-02-18",
            "2026-02-18 10:00",
            "a: b",
            "#",
            "- a",
            "'",
            "\"",
            "\\",
            "\n",
            "\r\n",
            "\t",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "\u{0}",
            "\u{7f}",
            "\u{fffe}",
            "\u{1f600}",
            "Ü",
            "<<",
            "=",
            "...",
            ":",
            " x ",
            "\u{a0}",
            "+.inf",
            ".nan",
            "0b1",
            "012",
            "1.",
            "+1",
            "-0.0",
            "!!python/object:x",
            "",
        ][..],
    );
    prop_oneof![
        3 => hostile.clone().prop_map(str::to_owned),
        2 => vec(hostile, 0..4).prop_map(|parts| parts.concat()),
        2 => "[ -~]{0,40}",
        2 => any::<String>(),
        1 => "[a-z ]{100,300}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let json = |json: serde_json::Value| Value::read(&json.to_string());
    prop_oneof![
        6 => text().prop_map(|text| Value::text(&text)),
        2 => vec(text(), 1..4).prop_map(move |list| json(list.into())),
        2 => btree_map(text(), text(), 1..4).prop_map(move |map| json(serde_json::json!(map))),
        1 => btree_map(text(), vec(text(), 0..3), 1..3).prop_map(move |map| json(serde_json::json!([map, null]))),
        1 => proptest::sample::select(&["42", "-7", "4.5", "007", "1e3"][..]).prop_map(Value::text),
    ]
}

fn field(kind: Kind) -> impl Strategy<Value = Field> {
    let known: Vec<&str> = kind.fields().iter().map(|spec| spec.name).collect();
    prop_oneof![
        4 => proptest::sample::select(known).prop_map(|name| Field::read(name).unwrap()),
        1 => text().prop_filter_map("no field", |key| Field::of_key(&key).ok()),
    ]
}

/// What the Python program should make of a body: it trims, and reads any line break as one.
fn trimmed(text: &str) -> String {
    let white = |c: char| c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}');
    text.trim_matches(white).to_owned()
}

/// A card, and what is to be read of it.
fn case(kind: Kind, fields: &BTreeMap<Field, Value>) -> serde_json::Value {
    let text = render(kind, fields);
    let mut front = shown(kind, fields);
    let body = Field::read(kind.body()).unwrap();
    let under = !text.contains(&format!("\n{}:", kind.body()));
    let body = if under { front.remove(&body) } else { None };
    let number =
        |field: &&Field| matches!(kind.type_of(field.as_str()), Some(Type::Int | Type::Float));
    let numbers: Vec<String> = front.keys().filter(number).map(Field::key).collect();
    let fields: BTreeMap<String, serde_json::Value> =
        front.iter().map(|(field, value)| (field.key(), value.to_json())).collect();
    let body = body.map(|body| trimmed(&body.shown())).unwrap_or_default();
    serde_json::json!({"text": text, "fields": fields, "numbers": numbers, "body": body})
}

#[test]
fn the_python_program_reads_what_we_write() {
    let mut runner = TestRunner::deterministic();
    let mut input = String::new();
    for kind in Kind::ALL {
        let cards = btree_map(field(kind), value(), 0..8);
        for _ in 0..if kind == Kind::Company { 1200 } else { 150 } {
            let fields = cards.new_tree(&mut runner).unwrap().current();
            input.push_str(&format!("{}\n", case(kind, &fields)));
        }
    }
    if let Some(said) = python(READER, &input) {
        assert_eq!(said, "");
    }
}

#[test]
fn we_read_what_the_python_program_writes() {
    let Some(said) = python(WRITER, "") else { return };
    for line in said.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let yaml = case["yaml"].as_str().unwrap();
        let card = parse(format!("---\n{yaml}---\n").as_bytes());
        let card = card.unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        let fields = card.fields(Kind::Company);
        for (key, value) in case["data"].as_object().unwrap() {
            let Ok(field) = Field::of_key(key) else { continue };
            if field.as_str().starts_with('_') {
                continue;
            }
            assert_eq!(fields.get(&field), Some(&Value::json(value)), "{key:?}\n{yaml}");
        }
    }
}
