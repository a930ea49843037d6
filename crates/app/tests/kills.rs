//! Kill -9 at random moments, on the real binary and the real disk. Takes minutes: `.ci/long kills`.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
#![expect(clippy::disallowed_methods, reason = "a kill needs a moment; nothing waits for it")]

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
