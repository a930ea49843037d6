//! Many cards at once: scripts that edit them, and old ones that come back.

use std::path::PathBuf;

use crate::support::Home;

/// A home of so many companies, each with a card.
fn companies(count: usize) -> Home {
    let home = Home::new();
    set(&home, count, "name", "First");
    home
}

fn set(home: &Home, count: usize, field: &str, value: &str) {
    let line = |n| {
        format!(
            "{{\"target\":\"companies/c{n}\",\"field\":\"{field}\",\"value\":\"{value} {n}\"}}\n"
        )
    };
    let lines: String = (0..count).map(line).collect();
    home.input(&["set", "--from", "-"], lines.as_bytes()).ok();
}

fn card(home: &Home, n: usize) -> PathBuf {
    home.file(&format!("companies/c{n}/_index.md"))
}

/// How often people's edits were written, each time all at once.
fn edits(home: &Home) -> usize {
    home.read(".cocli/commands").lines().filter(|line| line.contains("\"edit\"")).count()
}

#[test]
fn ten_thousand_cards_that_a_script_edits_are_taken_in_once_and_by_difference() {
    const COUNT: usize = 10_000;
    let home = companies(COUNT);
    set(&home, 100, "city", "Dallas");
    for n in 0..COUNT {
        let text = std::fs::read_to_string(card(&home, n)).unwrap();
        std::fs::write(card(&home, n), text.replace("name: First", "name: Second")).unwrap();
    }
    let records = || {
        let bytes = home.journals().into_iter().flat_map(|path| std::fs::read(path).unwrap());
        bytes.filter(|byte| *byte == 0x1e).count()
    };
    let (before, batches) = (records(), edits(&home));
    let told = home.run(&["--json", "compact"]).ok();
    assert!(told.contains("\"edits\":10000"), "{told}");
    assert_eq!((records(), edits(&home)), (before + COUNT, batches + 1));
    assert_eq!(home.run(&["get", "companies/c77", "name"]).ok(), "Second 77\n");
    assert_eq!(home.run(&["get", "companies/c77", "city"]).ok(), "Dallas 77\n");
    let cards: Vec<_> = (0..COUNT)
        .map(|n| card(&home, n).metadata().unwrap().modified())
        .map(Result::unwrap)
        .collect();
    let told = home.run(&["--json", "compact"]).ok();
    assert!(told.contains("\"edits\":0") && told.contains("\"cards\":0"), "{told}");
    assert_eq!(records(), before + COUNT);
    for (n, modified) in cards.into_iter().enumerate() {
        assert_eq!(card(&home, n).metadata().unwrap().modified().unwrap(), modified, "card {n}");
    }
}

#[test]
fn an_old_checkout_changes_nothing_as_long_as_its_revs_are_known_and_else_waits() {
    const COUNT: usize = 201;
    let home = companies(COUNT);
    let old: Vec<Vec<u8>> = (0..COUNT).map(|n| std::fs::read(card(&home, n)).unwrap()).collect();
    let check_out =
        || old.iter().enumerate().for_each(|(n, old)| std::fs::write(card(&home, n), old).unwrap());
    set(&home, COUNT, "name", "Second");
    set(&home, COUNT, "city", "Dallas");
    let written = home.written();
    check_out();
    home.run(&["status"]).ok();
    home.run(&["compact"]).ok();
    assert_eq!(home.written(), written);
    let stands = home.read("companies/c7/_index.md");
    assert!(stands.contains("name: Second 7") && stands.contains("city: Dallas 7"), "{stands}");
    // What was kept of them is gone, as after thirty days and eight changes.
    std::fs::remove_dir_all(home.file(".cocli/cards")).unwrap();
    check_out();
    home.run(&["compact"]).ok();
    home.run(&["status"]).fails(5, "201 things need a person");
    assert_eq!(home.written(), written);
    assert!(home.read("companies/c7/_index.md").contains("name: First 7"), "it waits as it is");
    home.run(&["reject"]).ok();
    assert_eq!(home.read("companies/c7/_index.md"), stands);
    home.run(&["status"]).ok();
    assert_eq!(home.written(), written);
}

#[test]
fn a_save_of_an_old_buffer_does_not_say_again_what_was_taken_in_before() {
    let home = companies(1);
    let buffer = home.read("companies/c0/_index.md").replace("First", "Mine");
    std::fs::write(card(&home, 0), &buffer).unwrap();
    home.run(&["compact"]).ok();
    home.run(&["set", "companies/c0", "name=Theirs"]).ok();
    std::fs::write(card(&home, 0), buffer.replace("name:", "city: Dallas\nname:")).unwrap();
    assert_eq!(home.run(&["get", "companies/c0", "city"]).ok(), "Dallas\n");
    assert_eq!(home.run(&["get", "companies/c0", "name"]).ok(), "Theirs\n");
}
