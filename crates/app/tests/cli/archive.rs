//! Old journals in the archive, by the verbs that people type.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::cluster::{daemon, level, member, until};
use crate::support::Home;

/// Two days of a log that ended long ago, as they come by a stick.
fn two_days(home: &Home) {
    for (day, city) in [("2026-01-01", "Rome"), ("2026-01-02", "Oslo")] {
        let record = format!(
            "{day}T08:00:00.000000+00:00\x1fold\x1fcompanies/acme\x1fcity\x1f{city}\x1f\x1e"
        );
        let path = home.path.join(format!("wal/{}_old.usv", day.replace('-', "")));
        std::fs::write(&path, record).unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_400_000);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    }
}

fn archived(home: &Home) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(home.path.join("archive")) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn compact_archives_old_journals_and_everything_is_told_as_before() {
    let home = Home::new();
    two_days(&home);
    let log = home.run(&["log", "companies/acme"]).ok();
    let out = home.run(&["compact"]).ok();
    assert!(out.contains("; 2 journals archived"), "{out}");
    assert_eq!(archived(&home).len(), 2);
    assert_eq!(home.journals().len(), 1, "only the own one is left");
    assert_eq!(home.run(&["log", "companies/acme"]).ok(), log);
    let at = ["get", "companies/acme", "city", "--at", "2026-01-01T12:00:00Z"];
    assert_eq!(home.run(&at).ok(), "Rome\n");
    assert_eq!(home.run(&["get", "companies/acme", "city"]).ok(), "Oslo\n");
    home.run(&["undo", "companies/acme", "--node", "old", "--since", "2026-01-02T00:00:00Z"]).ok();
    assert_eq!(home.run(&["get", "companies/acme", "city"]).ok(), "Rome\n");
    let status = home.run(&["status", "--json"]).ok();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["history"]["since"], 20_260_101);
    assert!(status["history"]["archived_bytes"].as_u64().unwrap() > 0, "{status}");
    assert!(home.run(&["status"]).ok().contains("history since 20260101"));
    home.run(&["doctor"]).ok();
    let again = home.run(&["compact"]).ok();
    assert!(!again.contains("archived"), "{again}");
}

#[test]
fn doctor_names_what_is_damaged_in_the_archive() {
    let home = Home::new();
    two_days(&home);
    home.run(&["compact"]).ok();
    let path = archived(&home).swap_remove(0);
    let sound = std::fs::read(&path).unwrap();
    for (at, says) in [(20, "bytes are damaged"), (sound.len() - 30, "its index is damaged")] {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let ran = home.run(&["doctor"]);
        assert_eq!(ran.code, 5, "{}{}", ran.out, ran.err);
        assert!(ran.out.contains(says), "{at}: {}", ran.out);
    }
    home.run(&["doctor", "--repair"]);
    home.run(&["compact"]).ok();
    assert_eq!(std::fs::read(&path).unwrap(), sound, "it is written anew");
}

#[test]
fn a_daemon_archives_by_itself() {
    let home = Home::new();
    two_days(&home);
    // It compacts what is long at once.
    let long: String = (0..12_000)
        .map(|n| {
            let (company, field) = (n % 50, n % 400);
            let at = format!("2026-01-03T08:00:00.{n:06}+00:00");
            format!("{at}\x1fold\x1fcompanies/c{company}\x1fg{field}\x1f{n:060}\x1f\x1e")
        })
        .collect();
    std::fs::write(home.path.join("wal/20260103_old.usv"), long).unwrap();
    let _daemon = daemon(&home, &[]);
    let is_whole = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "zst");
    until(|| archived(&home).iter().filter(is_whole).count() == 2);
    until(|| home.journals().len() == 2);
    assert_eq!(home.run(&["get", "companies/acme", "city"]).ok(), "Oslo\n");
}

#[test]
fn what_rots_where_nobody_looks_is_found_by_a_daemon_and_healed_by_another() {
    let one = Home::new();
    let two = member(&one, "pi2");
    let records: String = (0..1_000)
        .map(|n| {
            let (target, value) = (n % 50, "v".repeat(100));
            format!(
                "2026-01-01T08:00:00Z\x1fold\x1fcompanies/c{target}\x1ff\x1f{n} {value}\x1f\x1e"
            )
        })
        .collect();
    std::fs::write(one.path.join("wal/20260101_old.usv"), records).unwrap();
    let path = two.path.join("wal/20260101_old.usv");
    {
        let first = daemon(&one, &[]);
        let _second = daemon(&two, &[&first.address]);
        level(&[&one, &two]);
    }
    let sound = std::fs::read(&path).unwrap();
    // All of it is merged: nobody reads it any more.
    two.run(&["compact"]);
    std::fs::write(two.path.join(".cocli/scrub.json"), "").unwrap();
    let journal =
        || archived(&two).into_iter().find(|path| path.to_str().unwrap().contains("_old@"));
    let rotten = journal().unwrap_or_else(|| path.clone());
    let mut bytes = std::fs::read(&rotten).unwrap();
    // Several blocks of a journal, side by side; in the archive they stand in one frame.
    let block = 64 * 1024;
    for at in (block / 2..bytes.len()).step_by(block) {
        bytes[at] ^= 1;
    }
    std::fs::write(&rotten, bytes).unwrap();
    let first = daemon(&one, &[]);
    let _second = daemon(&two, &[&first.address]);
    until(|| std::fs::read(&path).is_ok_and(|bytes| bytes == sound));
    let status = two.run(&["--json", "status"]).out;
    let status: serde_json::Value = serde_json::from_str(status.lines().next().unwrap()).unwrap();
    assert!(status["read_through"]["so_far"]["blocks"].as_u64() >= Some(2), "{status}");
    until(|| two.run(&["status"]).out.contains(" blocks of journals"));
    assert!(two.run(&["doctor"]).out.contains("was read through on"));
}
