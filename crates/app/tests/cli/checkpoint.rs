//! A home that joins when those who are there have let their history go.

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::Value as Json;

use crate::cluster::{daemon, level, member, until};
use crate::support::Home;

/// Puts old journals there, as another program leaves them.
fn scraped(home: &Home) {
    for day in 1..=4 {
        let mut text = String::new();
        for n in 0..2_000 {
            let time = format!("2026-11-0{day}T{:02}:{:02}:00.000000+00:00", n / 60 % 24, n % 60);
            let value = format!("{day} {n} {}", "v".repeat(100));
            write!(text, "{time}\x1fscraper\x1fcompanies/s{}\x1fg{n}\x1f{value}\x1f\x1e", n % 50)
                .unwrap();
        }
        std::fs::write(home.path.join(format!("wal/2026110{day}_scraper.usv")), text).unwrap();
    }
}

fn history_of(home: &Home) -> Json {
    let status = home.run(&["--json", "status"]).out;
    let status: Json = serde_json::from_str(status.lines().next().unwrap()).unwrap();
    status["history"].clone()
}

/// Whether history of some log is no longer held.
fn has_let_go(home: &Home) -> bool {
    history_of(home)["not_from_start"].as_array().is_some_and(|logs| !logs.is_empty())
}

/// Whether a day is beyond the budget that too few others hold.
fn keeps_a_day(home: &Home) -> bool {
    let history = history_of(home);
    history["budget_bytes"] == 0 && history["kept"]["holders"].as_u64().is_some_and(|n| n < 2)
}

#[test]
fn who_comes_when_the_old_days_are_gone_takes_the_state_and_says_that_history_is_missing() {
    let one = Home::new();
    let homes = [&one, &member(&one, "pi2"), &member(&one, "pi3")];
    for home in homes {
        let path = home.file(".cocli/config.toml");
        let mut config = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        config.write_all(b"\n[archive]\nbudget = \"0 B\"\n").unwrap();
    }
    scraped(&one);
    {
        let first = daemon(&one, &[]);
        let _others = homes[1..].iter().map(|home| daemon(home, &[&first.address]));
        let _others: Vec<_> = _others.collect();
        level(&homes);
        until(|| homes[1..].iter().all(|home| home.file("wal/20261104_scraper.usv").exists()));
    }
    for home in homes {
        // What a daemon that is gone had begun beside it goes on for a moment.
        until(|| {
            home.run(&["compact"]).ok();
            !home.file("wal/20261101_scraper.usv").exists()
        });
    }
    {
        let first = daemon(&one, &[]);
        let _others = homes[1..].iter().map(|home| daemon(home, &[&first.address]));
        let _others: Vec<_> = _others.collect();
        until(|| homes.iter().any(|home| has_let_go(home)));
        // The others say which day they keep, and why.
        until(|| homes.iter().filter(|home| keeps_a_day(home)).count() >= 2);
        let keeping = homes.iter().find(|home| keeps_a_day(home)).unwrap();
        for verb in ["status", "doctor"] {
            let told = keeping.run(&[verb]).out;
            assert!(told.contains("that this one may count on; two have to"), "{told}");
            assert!(told.contains("of 0 bytes that `[archive] budget` allows"), "{told}");
        }
    }
    // Each day is still held by two.
    let gone: Vec<&&Home> = homes.iter().filter(|home| has_let_go(home)).collect();
    assert_eq!(gone.len(), 1);
    let host = gone[0];
    let serving = daemon(host, &[]);
    let fresh = member(host, "pi4");
    fresh.run(&["set", "companies/own", "city=Rome"]).ok();
    let taking = daemon(&fresh, &[&serving.address]);
    taking.says("taking the state from");
    level(&[host, &fresh]);
    let value = fresh.run(&["get", "companies/s7", "g7"]).ok();
    assert_eq!(value, format!("4 7 {}\n", "v".repeat(100)));
    let log = fresh.run(&["log", "companies/s7", "g7"]);
    assert!(log.err.contains("not kept here"), "{}{}", log.out, log.err);
    assert!(!fresh.path.join("checkpoint/incoming/whole.json").exists());
    // What is written now goes both ways, and those who were away come back to a cluster that is level.
    host.run(&["set", "companies/s7", "city=Paris"]).ok();
    fresh.run(&["set", "companies/s8", "city=Oslo"]).ok();
    let _others: Vec<_> = homes
        .iter()
        .filter(|home| home.path != host.path)
        .map(|home| daemon(home, &[&serving.address]))
        .collect();
    let all: Vec<&Home> = homes.into_iter().chain([&fresh]).collect();
    level(&all);
    until(|| all.iter().all(|h| h.run(&["get", "companies/own", "city"]).out == "Rome\n"));
}
