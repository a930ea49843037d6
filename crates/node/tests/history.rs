//! History that moved into the archive, and history that is not kept: nothing is lost, nothing comes
//! back, and what cannot be told is said.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use cocli_core::gossip::Holdings;
use cocli_core::{Field, Instant, Target, Value};
use cocli_node::change::{Change, Intent};
use cocli_node::{Home, LetGo, NodeError, Wanted};
use cocli_store::archive::Trim;

/// 2026-11-23T12:00:00Z.
const START: i64 = 1_795_435_200_000_000;
const DAY: i64 = 86_400_000_000;

fn at(days: i64) -> Instant {
    Instant::from_micros(START + days * DAY).unwrap()
}

fn home(dir: &tempfile::TempDir, name: &str) -> Home {
    support::home(dir.path(), name, at(-1));
    let config = dir.path().join(".cocli/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(config, format!("{text}\n[archive]\nbudget = \"0 B\"\n")).unwrap();
    Home::open(dir.path(), support::rim()).unwrap()
}

fn acme() -> Target {
    Target::read("companies/acme").unwrap()
}

fn put(home: &Home, now: Instant, field: &str, value: Value, revive: bool) {
    let change = Change::new(acme(), Field::read(field).unwrap(), Intent::Put(value));
    let written = home.session(now).unwrap().write("set", &[change], revive).unwrap();
    assert!(written.refused.is_empty());
}

fn compact_and_archive(home: &Home, now: Instant) -> usize {
    support::compact(home, now);
    home.archive(now).unwrap().days
}

fn city(home: &Home, now: Instant) -> Result<Option<String>, NodeError> {
    let entity = home.entity_at(&acme(), now)?;
    let value = entity.value(None, &Field::read("city").unwrap());
    Ok(value.map(|value| value.shown().into_owned()))
}

#[test]
fn history_in_the_archive_is_told_and_taken_back_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir, "n");
    for (day, value) in ["Paris", "Lyon", "Metz"].iter().enumerate() {
        put(&home, at(day as i64), "city", Value::text(value), false);
    }
    // The node introduced itself on the day before.
    assert_eq!(compact_and_archive(&home, at(400)), 4);
    assert_eq!(std::fs::read_dir(dir.path().join("wal")).unwrap().count(), 0);
    for (day, value) in ["Paris", "Lyon", "Metz"].iter().enumerate() {
        assert_eq!(city(&home, at(day as i64)).unwrap().unwrap(), *value);
    }
    assert_eq!(home.history(Some(&acme()), None).unwrap().len(), 3);
    let mut session = home.session(at(401)).unwrap();
    let plan = session.plan_undo(&Wanted::default()).unwrap();
    session.write("undo", &plan.changes, false).unwrap();
    drop(session);
    assert_eq!(city(&home, at(402)).unwrap().unwrap(), "Lyon");
    let held = home.history_held().unwrap();
    assert_eq!((held.since, held.cut.len()), (Some(at(-1).day()), 0));
    assert!(held.archived > 0 && held.journals > 0);
}

#[test]
fn journals_stay_in_wal_for_as_many_days_as_the_machine_says() {
    let dir = tempfile::tempdir().unwrap();
    put(&home(&dir, "n"), at(0), "city", Value::text("Paris"), false);
    std::fs::write(dir.path().join(".cocli/config.toml"), "[archive]\nafter = 30\n").unwrap();
    let home = Home::open(dir.path(), support::rim()).unwrap();
    assert_eq!(compact_and_archive(&home, at(28)), 0);
    assert_eq!(compact_and_archive(&home, at(32)), 2);
}

#[test]
fn what_only_history_that_is_gone_could_tell_is_said_and_not_guessed() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir, "n");
    put(&home, at(0), "city", Value::text("Paris"), false);
    put(&home, at(0), "name", Value::text("Acme"), false);
    put(&home, at(1), "city", Value::text("Lyon"), false);
    compact_and_archive(&home, at(400));
    let old = |trim: &Trim<'_>| trim.day <= at(0).day();
    assert_eq!(home.trim_archive(&old).unwrap().unwrap().len(), 2);
    assert_eq!(home.history_lost_until().unwrap(), Some(at(0).day()));
    let forgotten = city(&home, at(0)).unwrap_err();
    assert!(
        matches!(&forgotten, NodeError::Forgotten { until, .. } if *until == at(0).day()),
        "{forgotten}"
    );
    assert_eq!(city(&home, at(1)).unwrap().unwrap(), "Lyon");
    let entity = home.entity_at(&acme(), at(1)).unwrap();
    let name = entity.value(None, &Field::read("name").unwrap());
    assert_eq!(name.unwrap(), Value::text("Acme"), "what stands there still is known");
    let mut session = home.session(at(401)).unwrap();
    let plan = session.plan_undo(&Wanted::default()).unwrap();
    assert!(plan.changes.is_empty(), "{plan:?}");
    assert_eq!(plan.forgotten, [(acme(), Field::read("city").unwrap())]);
}

#[test]
fn nothing_goes_while_somebody_else_compacts_and_that_is_said_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir, "n");
    put(&home, at(0), "city", Value::text("Paris"), false);
    compact_and_archive(&home, at(400));
    let look = || home.let_history_go(&Holdings::new()).unwrap();
    let turn = home.turn().unwrap();
    assert_eq!(look(), LetGo { bytes: 0, kept: None, busy: true });
    drop(turn);
    let looked = look();
    assert!(!looked.busy);
    assert_eq!(looked.kept.unwrap().holders, 0);
}

#[test]
fn a_stale_log_that_turns_up_after_a_year_changes_nothing_that_was_removed() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let stale_dir = tempfile::tempdir().unwrap();
    let [keeps, archives] = dirs.each_ref().map(|dir| home(dir, "n"));
    // A scraper that was away wrote to it before and after it was removed.
    let scraper = home(&stale_dir, "scraper");
    put(&scraper, at(0), "phone", Value::text("1"), false);
    put(&scraper, at(9), "city", Value::text("Rome"), false);
    for one in [&keeps, &archives] {
        put(one, at(1), "city", Value::text("Paris"), false);
        put(one, at(2), "name", Value::text("Acme"), false);
        put(one, at(3), "_deleted", Value::truth(), false);
    }
    compact_and_archive(&archives, at(300));
    archives.trim_archive(&|trim: &Trim<'_>| trim.day <= at(1).day()).unwrap();
    for entry in std::fs::read_dir(stale_dir.path().join("wal")).unwrap() {
        let path = entry.unwrap().path();
        for dir in &dirs {
            std::fs::copy(&path, dir.path().join("wal").join(path.file_name().unwrap())).unwrap();
        }
    }
    let same = || {
        assert_eq!(archives.state().unwrap(), keeps.state().unwrap());
        assert_eq!(archives.health().unwrap().digest, keeps.health().unwrap().digest);
    };
    same();
    assert!(archives.removed(&acme()).unwrap().is_some(), "it stays hidden");
    assert!(compact_and_archive(&archives, at(800)) >= 2, "the late log is archived, too");
    same();
    assert!(archives.removed(&acme()).unwrap().is_some());
    for one in [&keeps, &archives] {
        put(one, at(801), "_deleted", Value::null(), true);
    }
    same();
    assert!(archives.removed(&acme()).unwrap().is_none());
    for (field, value) in [("city", "Rome"), ("phone", "1"), ("name", "Acme")] {
        assert_eq!(archives.text(&acme(), field).unwrap().unwrap(), value, "it is back whole");
    }
}
