//! Each with a clear error, and nothing lost.

use crate::support::Home;

#[test]
fn targets_and_fields_outside_the_grammar_are_refused() {
    let home = Home::new();
    let before = home.written();
    let long = format!("companies/{}", "a".repeat(300));
    for target in ["companies/../etc", "/companies/a", long.as_str(), "companies/a b"] {
        home.run(&["set", target, "name=x"]).fails(2, "is not a name here");
    }
    home.run(&["set", "companies/a", "my field=x"]).fails(2, "my%20field");
    home.run(&["set", "companies/a", "nothing"]).fails(2, "FIELD=VALUE");
    assert_eq!(home.written(), before, "nothing was written");
}

#[test]
fn values_with_separators_and_newlines_come_back_as_they_were() {
    let home = Home::new();
    for value in [
        "a\u{1e}b\u{1f}c",
        "two\nlines\n",
        "---\nx: y\n---\n",
        "null",
        "[not json",
        "\"q\"",
        "é\u{202e}",
    ] {
        let line = serde_json::json!({"target": "companies/a", "field": "note", "value": value});
        home.input(&["set", "--from", "-"], line.to_string().as_bytes()).ok();
        assert_eq!(home.run(&["get", "companies/a", "note"]).ok(), format!("{value}\n"));
        home.run(&["compact"]).ok();
        assert_eq!(home.run(&["get", "companies/a", "note"]).ok(), format!("{value}\n"));
    }
}

#[test]
fn a_value_of_20_mb_and_bytes_that_are_no_text_are_refused() {
    let home = Home::new();
    let before = home.written();
    let line =
        serde_json::json!({"target": "companies/a", "field": "x", "value": "y".repeat(20 << 20)});
    home.input(&["set", "--from", "-"], line.to_string().as_bytes()).fails(2, "at most");
    home.input(&["set", "--from", "-"], b"\xff\xfe{}").fails(2, "not UTF-8");
    assert_eq!(home.written(), before);
}

#[test]
fn a_damaged_journal_loses_only_the_damaged_record() {
    let home = Home::new();
    for (field, value) in [("city", "Dallas"), ("state", "TX"), ("country", "US")] {
        home.run(&["set", "companies/a", &format!("{field}={value}")]).ok();
    }
    let journal = home.journals().remove(0);
    let mut bytes = std::fs::read(&journal).unwrap();
    let at = bytes.windows(2).position(|w| w == b"TX").unwrap();
    bytes[at] = b'Z';
    std::fs::write(&journal, &bytes).unwrap();
    assert_eq!(home.run(&["get", "companies/a", "city"]).ok(), "Dallas\n");
    assert_eq!(home.run(&["get", "companies/a", "country"]).ok(), "US\n");
    home.run(&["get", "companies/a", "state"]).fails(3, "no state");
    let out = home.run(&["doctor"]).ok();
    assert!(out.contains("note  pi1 at ") && out.contains("check"), "{out}");
}

#[test]
fn a_torn_tail_is_cut_and_a_folder_in_a_journals_place_is_named() {
    let home = Home::new();
    home.run(&["set", "companies/a", "city=Dallas"]).ok();
    let journal = home.journals().remove(0);
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes.extend_from_slice(b"2026-11-23T00:00:00");
    std::fs::write(&journal, &bytes).unwrap();
    home.run(&["set", "companies/a", "state=TX"]).ok();
    assert_eq!(home.run(&["get", "companies/a", "state"]).ok(), "TX\n");
    std::fs::create_dir(home.file("wal/20200101_other.usv")).unwrap();
    assert_eq!(home.run(&["get", "companies/a", "city"]).ok(), "Dallas\n");
    let ran = home.run(&["doctor"]);
    assert!(ran.out.contains("20200101_other.usv"), "{}{}", ran.out, ran.err);
}

#[test]
fn an_empty_journal_is_no_trouble() {
    let home = Home::new();
    std::fs::create_dir_all(home.file("wal")).unwrap();
    std::fs::write(home.file("wal/20200101_other.usv"), b"").unwrap();
    home.run(&["set", "companies/a", "city=Dallas"]).ok();
    assert_eq!(home.run(&["get", "companies/a", "city"]).ok(), "Dallas\n");
}

#[test]
fn two_processes_that_append_at_once_lose_nothing() {
    let home = Home::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let home = &home;
            scope.spawn(move || {
                for n in 0..10 {
                    home.run(&["set", "companies/a", &format!("f{writer}_{n}=x{n}")]).ok();
                }
            });
        }
    });
    let all = home.run(&["--json", "get", "companies/a"]).ok();
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    assert_eq!(all.as_object().unwrap().len(), 40);
}

#[test]
fn an_odd_record_is_told_as_a_fact_that_needs_nobody() {
    let home = Home::new();
    home.run(&["set", "companies/a", "city=Dallas"]).ok();
    let journal = home.journals().remove(0);
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes.extend_from_slice(b"no record at all\x1e\n");
    std::fs::write(&journal, &bytes).unwrap();
    home.run(&["set", "companies/a", "state=TX"]).ok();
    assert!(home.run(&["status"]).ok().contains("1 odd records are kept apart"));
    let status: serde_json::Value =
        serde_json::from_str(&home.run(&["--json", "status"]).ok()).unwrap();
    assert_eq!((&status["odd"], &status["problems"]), (&1.into(), &serde_json::json!([])));
    let out = home.run(&["doctor"]).ok();
    assert!(out.contains("note") && out.contains("are sound"), "{out}");
    let found: serde_json::Value =
        serde_json::from_str(home.run(&["--json", "doctor"]).ok().trim()).unwrap();
    assert_eq!((&found["open"], &found["mended"]), (&false.into(), &false.into()), "{found}");
}
