//! A card's copy is worked out from what a log wrote since it was last looked at; where the log lost
//! that branch, from everything.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use cocli_core::{Day, Field, Head, Instant, LogId, Target, Value, Vector};
use cocli_node::change::{Change, Intent};
use cocli_node::{Beside, Home};

/// 2026-11-23T12:00:00Z.
const START: i64 = 1_795_435_200_000_000;

fn home(dir: &tempfile::TempDir) -> Home {
    support::home(dir.path(), "n", Instant::from_micros(START).unwrap())
}

fn write(home: &Home, after: i64, target: &str, city: &str) -> Head {
    let target = Target::read(target).unwrap();
    let change = Change::new(target, Field::read("city").unwrap(), Intent::Put(Value::text(city)));
    let now = Instant::from_micros(START + after * 1_000_000).unwrap();
    home.session(now).unwrap().write("set", &[change], false).unwrap();
    *home.vector().unwrap().0.values().next().unwrap()
}

#[test]
fn of_a_log_that_lost_a_branch_any_target_may_have_changed() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [one, clone] = dirs.each_ref().map(home);
    let common = write(&one, 1, "companies/acme", "Paris");
    assert_eq!(write(&clone, 1, "companies/acme", "Paris"), common);
    let theirs = write(&clone, 2, "companies/apple", "Lyon");
    let ours = write(&one, 2, "companies/bolt", "Metz");
    let log = one.vector().unwrap().0.into_keys().next().unwrap();
    let touched = |from: Option<Head>| one.touched(&log, from, ours.position).unwrap();
    assert_eq!(touched(Some(common)), Some([Target::read("companies/bolt").unwrap()].into()));
    assert_eq!(touched(Some(theirs)), None);
    assert!(touched(None).unwrap().contains(&Target::read("companies/acme").unwrap()));
}

#[test]
fn a_compaction_beside_writers_hands_on_what_only_the_checkpoint_still_holds() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir);
    write(&home, 1, "companies/acme", "Paris");
    let now = Instant::from_micros(START + 5_000_000).unwrap();
    support::compact(&home, now);
    // A journal set back, as by hand, and bytes of another log that wait to be merged.
    let wal = dir.path().join("wal");
    for file in std::fs::read_dir(&wal).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            std::fs::remove_file(path).unwrap();
        }
    }
    let bytes =
        b"2026-11-23T12:00:00.000000+00:00\x1fmac\x1fcompanies/bolt\x1fcity\x1fLyon\x1f\x1e";
    std::fs::write(wal.join("20261123_mac.usv"), bytes).unwrap();
    let mac = LogId::read("mac").unwrap();
    let hash = Head::start(&home.cluster(), &mac).hash.over(Day::read("20261123").unwrap(), bytes);
    let known = Vector([(mac, Head { position: bytes.len() as u64, hash })].into());
    let ended = home.compact_beside(&known, true, now, &|_, _| ()).unwrap();
    assert!(matches!(ended, Beside::Merged(_)), "{ended:?}");
    // Not even the checkpoint is needed any more.
    std::fs::remove_dir_all(dir.path().join("checkpoint")).unwrap();
    std::fs::create_dir(dir.path().join("checkpoint")).unwrap();
    for (name, city) in [("acme", "Paris"), ("bolt", "Lyon")] {
        let target = Target::read(&format!("companies/{name}")).unwrap();
        assert_eq!(home.text(&target, "city").unwrap().as_deref(), Some(city));
    }
}
