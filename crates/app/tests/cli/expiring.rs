//! Heartbeats and tasks, as they come from other nodes: shown, not counted, and gone in time.

use crate::support::Home;
use cocli_core::{Causality, Datagram, Entry, Field, Instant, NodeId, Stamp, Target, Value, usv};

/// A journal of another node, as it comes by stick.
fn plant(home: &Home, month: &str, node: &str, values: &[(&str, &str, &str)]) {
    let mut bytes = Vec::new();
    for (target, field, value) in values {
        let stamp = Stamp {
            instant: Instant::read("2020-01-05T10:00:00Z").unwrap(),
            node: NodeId::read(node).unwrap(),
        };
        let entry = Entry { stamp, value: Value::read(value), causality: Causality::nothing() };
        let (target, field) = (Target::read(target).unwrap(), Field::read(field).unwrap());
        usv::write(&Datagram { target, field, entry }, &mut bytes);
    }
    std::fs::write(home.file(&format!("wal/{month}_{node}.usv")), bytes).unwrap();
}

#[test]
fn what_expires_is_shown_where_it_is_asked_for_and_is_not_in_the_state() {
    let home = Home::new();
    home.run(&["add", "company", "Apple"]).ok();
    let before = (home.run(&["state"]).ok(), home.run(&["state", "--digest"]).ok());
    let queue = "campaigns/roadmap/queues/enrichment";
    plant(
        &home,
        "209911",
        "pi9",
        &[("nodes/pi9", "beat", "hot"), (queue, "t1", r#"{"state":"pending"}"#)],
    );
    for _ in 0..2 {
        assert_eq!(home.run(&["get", "nodes/pi9", "beat"]).ok(), "hot\n");
        assert_eq!(home.run(&["get", queue, "t1"]).ok(), "{\"state\":\"pending\"}\n");
        assert!(home.run(&["show", "nodes/pi9"]).ok().contains("hot"));
        assert!(home.run(&["log", "nodes/pi9"]).ok().contains("beat=hot"));
        assert!(!home.run(&["log"]).ok().contains("beat"));
        assert_eq!((home.run(&["state"]).ok(), home.run(&["state", "--digest"]).ok()), before);
        home.run(&["compact"]).ok();
    }
    // A write beats what it sees there.
    home.run(&["set", "nodes/pi9", "beat=cold"]).ok();
    assert_eq!(home.run(&["get", "nodes/pi9", "beat"]).ok(), "cold\n");
}

#[test]
fn a_month_that_is_over_goes_with_the_next_compaction_and_its_open_tasks_stay() {
    let home = Home::new();
    let queue = "campaigns/roadmap/queues/enrichment";
    plant(
        &home,
        "202001",
        "pi9",
        &[
            ("nodes/pi9", "beat", "hot"),
            (queue, "open", r#"{"state":"pending"}"#),
            (queue, "over", r#"{"state":"done"}"#),
        ],
    );
    // Nobody else has written for years: it may be this clock that is wrong.
    home.run(&["compact"]).ok();
    assert_eq!(home.run(&["get", "nodes/pi9", "beat"]).ok(), "hot\n");
    plant(&home, "209911", "pi8", &[("nodes/pi8", "beat", "cold")]);
    home.run(&["compact"]).ok();
    home.run(&["get", "nodes/pi9", "beat"]).fails(3, "");
    assert_eq!(home.run(&["get", queue, "open"]).ok(), "{\"state\":\"pending\"}\n");
    home.run(&["get", queue, "over"]).fails(3, "");
    assert!(!home.file("wal/202001_pi9.usv").exists() && !home.file("checkpoint/202001").exists());
    let names = home.all_journals().into_iter().map(|path| path.file_name().unwrap().to_owned());
    let own = names.filter(|name| name.to_string_lossy().ends_with("_pi1.usv")).count();
    assert_eq!(own, 2, "the log that stays, and this month's with the task");
}

#[test]
fn a_month_that_cannot_go_is_told_as_that_and_nothing_else_fails() {
    let home = Home::new();
    home.run(&["add", "company", "Apple"]).ok();
    // A folder that no month leaves behind, which nobody here takes away.
    std::fs::create_dir_all(home.file("checkpoint/202001/other")).unwrap();
    let ran = home.run(&["compact"]);
    assert!(ran.out.contains("new records merged"), "{ran:?}");
    assert!(ran.err.contains("months that are over stay"), "{ran:?}");
    assert!(ran.err.contains("checkpoint/202001/other"), "{ran:?}");
    assert!(!ran.err.contains("the checkpoint"), "{ran:?}");
    ran.ok();
    let beside = home.run(&["compact", "--beside", "--due"]);
    assert!(beside.err.contains("months that are over stay"), "{beside:?}");
    assert_eq!(beside.out.trim_end(), "little");
    beside.ok();
}

#[test]
fn a_month_that_cannot_be_merged_stops_neither_what_stays_nor_other_months() {
    let home = Home::new();
    home.run(&["add", "company", "Apple"]).ok();
    plant(&home, "209910", "pi9", &[("nodes/pi9", "beat", "hot")]);
    plant(&home, "209911", "pi8", &[("nodes/pi8", "beat", "warm")]);
    // Its manifest cannot be written.
    let stands = home.file("checkpoint/209910/manifest.json.new");
    std::fs::create_dir_all(&stands).unwrap();
    let run = home.run(&["compact"]).fails(1, "209910 are not merged");
    assert!(run.out.contains("merged into"), "{}", run.out);
    assert!(run.err.contains("all else is"), "{}", run.err);
    assert!(home.file("checkpoint/manifest.json").exists());
    assert!(home.file("checkpoint/209911/manifest.json").exists());
    assert_eq!(home.run(&["get", "nodes/pi9", "beat"]).ok(), "hot\n");
    std::fs::remove_dir(stands).unwrap();
    home.run(&["compact"]).ok();
    assert!(home.file("checkpoint/209910/manifest.json").exists());
}
