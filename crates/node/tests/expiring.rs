//! Heartbeats and tasks as later writers record them: real homes on a real disk.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use cocli_core::{Field, Instant, Target, Value};
use cocli_node::change::{Change, Intent};
use cocli_node::{Home, NodeError};

const DAY: i64 = 86_400_000_000;
/// 2026-11-23T12:00:00Z.
const START: i64 = 1_795_435_200_000_000;

fn at(days: i64) -> Instant {
    Instant::from_micros(START + days * DAY).unwrap()
}

fn home() -> (Home, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (support::home(dir.path(), "pi1", at(0)), dir)
}

fn value(target: &str, field: &str, value: &str) -> (Target, Field, Value) {
    (Target::read(target).unwrap(), Field::read(field).unwrap(), Value::read(value))
}

fn text(home: &Home, target: &str, field: &str) -> Option<String> {
    home.text(&Target::read(target).unwrap(), field).unwrap()
}

#[test]
fn a_record_is_one_batch_of_real_differences_that_beats_all_it_sees() {
    let (home, dir) = home();
    let queue = "campaigns/roadmap/queues/enrichment";
    let values = [value("nodes/pi1", "beat", "a"), value(queue, "t1", r#"{"n":1}"#)];
    let recorded = home.session(at(0)).unwrap().record_expiring("beat", &values).unwrap();
    assert_eq!((recorded.datagrams, recorded.end.log.to_string()), (2, "pi1~~202611".into()));
    let again = home.session(at(1)).unwrap().record_expiring("beat", &values).unwrap();
    assert_eq!((again.datagrams, again.end), (0, recorded.end));
    // A clock a month behind: the log is another, and the value still beats.
    let values = [value("nodes/pi1", "beat", "b")];
    let recorded = home.session(at(-30)).unwrap().record_expiring("beat", &values).unwrap();
    assert_eq!(recorded.end.log.to_string(), "pi1~~202610");
    assert_eq!(text(&home, "nodes/pi1", "beat").as_deref(), Some("b"));
    // What stands in a log that stays is beaten, and beats, as well.
    let target = Target::read("nodes/pi1").unwrap();
    let put = Intent::Put(Value::text("c"));
    let change = Change::new(target, Field::read("beat").unwrap(), put);
    assert_eq!(home.session(at(-60)).unwrap().write("set", &[change], false).unwrap().datagrams, 1);
    assert_eq!(text(&home, "nodes/pi1", "beat").as_deref(), Some("c"));
    let values = [value("nodes/pi1", "beat", "d")];
    home.session(at(-90)).unwrap().record_expiring("beat", &values).unwrap();
    assert_eq!(text(&home, "nodes/pi1", "beat").as_deref(), Some("d"));
    assert!(dir.path().join("wal/202608_pi1.usv").exists());
    assert_eq!(home.expiring("campaigns/").unwrap().len(), 1);
    let refused = home.session(at(0)).unwrap().record_expiring(
        "beat",
        &[value("nodes/pi1", "beat", "e"), value("companies/a", "b", "c")],
    );
    assert!(matches!(refused, Err(NodeError::Stays { .. })));
    assert_eq!(text(&home, "nodes/pi1", "beat").as_deref(), Some("d"), "nothing was written");
}

#[test]
fn heartbeats_of_a_year_leave_four_or_five_months_and_the_task_that_is_open() {
    let (home, dir) = home();
    let queue = "campaigns/roadmap/queues/enrichment";
    let task = [value(queue, "t1", r#"{"state":"pending"}"#)];
    home.session(at(0)).unwrap().record_expiring("task", &task).unwrap();
    for day in (0..365).step_by(5) {
        let beat = [value("nodes/pi1", "beat", &format!("day {day}"))];
        home.session(at(day)).unwrap().record_expiring("beat", &beat).unwrap();
        home.expire_if_due(at(day)).unwrap();
        if day % 25 == 0 {
            support::compact(&home, at(day));
        }
    }
    let journals = std::fs::read_dir(dir.path().join("wal")).unwrap();
    let names = journals.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let expiring = names.filter(|name| name.len() == "202611_pi1.usv".len()).count();
    assert!((4..=5).contains(&expiring), "{expiring}");
    assert_eq!(text(&home, "nodes/pi1", "beat").as_deref(), Some("day 360"));
    assert!(text(&home, queue, "t1").is_some());
    let doubt = home.session(at(366)).unwrap().end().unwrap().log.to_string();
    assert_eq!(doubt, "pi1", "no log was closed on the way");
}
