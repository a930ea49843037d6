//! Kill -9 at random moments, on the real binary and the real disk. Takes minutes: `.ci/long kills`.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
#![expect(clippy::disallowed_methods, reason = "a kill needs a moment; nothing waits for it")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

#[path = "cli/cluster.rs"]
mod cluster;
#[path = "cli/support.rs"]
#[expect(dead_code, reason = "shared with the other tests of the binary")]
mod support;

use cluster::{daemon, level, member};
use support::Home;

/// How often each is killed.
fn kills() -> u64 {
    std::env::var("KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

/// A number that depends on the seed alone (Steele, Lea, Flood: splitmix64).
fn dice(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Every acknowledged value stands there, and every card is whole.
fn check(home: &Home, acked: &[u64]) {
    let state = home.run(&["--json", "list", "companies"]).ok();
    for n in acked {
        let value = format!("\"f{n}\":\"v{n}\"");
        assert!(state.contains(&value), "{n} was acknowledged and is lost");
    }
    home.run(&["compact"]).ok();
    let digest = home.run(&["--json", "state", "--digest"]).ok();
    assert!(digest.contains("\"cards_level\":true"), "{digest}");
    home.run(&["doctor"]).ok();
}

#[test]
#[ignore = "takes minutes: .ci/long kills"]
fn a_killed_writer_loses_nothing_acknowledged_and_tears_no_card() {
    let home = Home::new();
    let mut seed = 1;
    let mut acked = Vec::new();
    let mut killed = 0;
    for n in 0.. {
        if killed == kills() {
            break;
        }
        let (target, change) = (format!("companies/c{}", n % 7), format!("f{n}=v{n}"));
        let mut command = home.command();
        command.args(["set", &target, &change]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_micros(dice(&mut seed) % 40_000));
        let _ = child.kill();
        if child.wait().unwrap().success() {
            acked.push(n);
        } else {
            killed += 1;
        }
    }
    check(&home, &acked);
    println!("writer: {killed} kills, {} acknowledged, 0 lost", acked.len());
}

/// Appends what another program wrote in the meantime.
fn scraped(home: &Home, from: u64, count: u64) {
    let path = home.path.join("wal/20261101_scraper.usv");
    let mut journal = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    let mut text = String::new();
    for n in from..from + count {
        let time = format!(
            "2026-11-01T{:02}:{:02}:{:02}.{:06}+00:00",
            n / 3600 % 24,
            n / 60 % 60,
            n % 60,
            n % 1_000_000
        );
        let (company, field) = (n * 7919 % 5000, n % 9);
        writeln!(text, "{time}\x1fscraper\x1fcompanies/s{company}\x1fg{field}\x1fv{n}\x1f\x1e")
            .unwrap();
    }
    journal.write_all(text.replace('\n', "").as_bytes()).unwrap();
}

#[test]
#[ignore = "takes minutes: .ci/long kills"]
fn a_killed_compaction_loses_nothing_and_leaves_a_checkpoint_that_says_what_the_journals_say() {
    let home = Home::new();
    let mut seed = 3;
    let (mut acked, mut killed, mut scrapes) = (Vec::new(), 0, 0);
    for n in 0.. {
        if killed == kills() {
            break;
        }
        home.run(&["set", &format!("companies/c{}", n % 7), &format!("f{n}=v{n}")]).ok();
        acked.push(n);
        if n % 4 == 0 {
            scraped(&home, scrapes, 2000);
            scrapes += 2000;
        }
        let mut command = home.command();
        command.args(["compact", "--no-cards"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_micros(dice(&mut seed) % 120_000));
        let _ = child.kill();
        killed += u64::from(!child.wait().unwrap().success());
        if killed % 50 == 0 {
            home.run(&["doctor"]).ok();
        }
    }
    home.run(&["compact", "--no-cards"]).ok();
    let merged = home.run(&["--json", "state", "--digest"]).ok();
    std::fs::remove_dir_all(home.path.join("checkpoint")).unwrap();
    let read = home.run(&["--json", "state", "--digest"]).ok();
    let digest =
        |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["digest"].clone();
    assert_eq!(digest(&merged), digest(&read));
    check(&home, &acked);
    println!(
        "compaction: {killed} kills, {} acknowledged and {scrapes} scraped, 0 lost",
        acked.len()
    );
}

#[test]
#[ignore = "takes minutes: .ci/long kills"]
fn a_killed_daemon_loses_nothing_acknowledged_and_tears_no_card() {
    let one = Home::new();
    let other = member(&one, "laptop");
    let first = daemon(&one, &[]);
    let mut seed = 2;
    let mut acked = Vec::new();
    for n in 0..kills() {
        let mut second = daemon(&other, &[&first.address]);
        let writer = if n % 2 == 0 { &one } else { &other };
        for k in 0..3 {
            let id = n * 3 + k;
            let (target, change) = (format!("companies/c{}", id % 7), format!("f{id}=v{id}"));
            writer.run(&["set", &target, &change]).ok();
            acked.push(id);
        }
        std::thread::sleep(Duration::from_micros(dice(&mut seed) % 150_000));
        second.kill();
    }
    let _second = daemon(&other, &[&first.address]);
    level(&[&one, &other]);
    check(&one, &acked);
    check(&other, &acked);
    println!("daemon: {} kills, {} acknowledged, 0 lost", kills(), acked.len());
}
