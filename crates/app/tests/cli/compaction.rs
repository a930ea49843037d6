//! Merging journals into the checkpoint, by hand and by a daemon.

use std::fmt::Write as _;

use crate::cluster::{daemon, until};
use crate::support::Home;

/// Puts a journal of more than a mebibyte there, as another program leaves it.
fn scraped(home: &Home) {
    let mut text = String::new();
    for n in 0..20_000 {
        let time =
            format!("2026-11-01T{:02}:{:02}:{:02}.000000+00:00", n / 3600, n / 60 % 60, n % 60);
        let company = n % 50;
        write!(text, "{time}\x1fscraper\x1fcompanies/s{company}\x1fg{}\x1fv{n}\x1f\x1e", n % 400)
            .unwrap();
    }
    std::fs::write(home.path.join("wal/20261101_scraper.usv"), text).unwrap();
}

#[test]
fn a_daemon_merges_what_is_long_by_itself_and_the_cards_show_it() {
    let home = Home::new();
    scraped(&home);
    let foretold = home.run(&["compact", "--dry-run"]).ok();
    assert!(foretold.contains("would be merged"), "{foretold}");
    let _daemon = daemon(&home, &[]);
    until(|| home.run(&["compact", "--dry-run"]).ok().contains("nothing is new"));
    until(|| {
        std::fs::read_to_string(home.path.join("companies/s7/_index.md"))
            .is_ok_and(|card| card.contains("v19957"))
    });
}

#[test]
fn a_daemons_compaction_merges_only_what_it_is_told_is_durable() {
    let home = Home::new();
    home.run(&["compact", "--no-cards"]).ok();
    home.run(&["set", "companies/acme", "city=Rome"]).ok();
    assert_eq!(home.input(&["compact", "--beside", "--due"], b"").ok(), "little\n");
    // Of a log that is no longer so, nothing.
    let other = format!("pi1 150 {}\n", "0".repeat(32));
    assert_eq!(home.input(&["compact", "--beside", "--due"], other.as_bytes()).ok(), "little\n");
    let foretold = home.run(&["compact", "--dry-run"]).ok();
    assert!(foretold.contains("would be merged"), "{foretold}");
    home.input(&["compact", "--beside"], b"pi1 150\n")
        .fails(2, "expected a log, a position and a hash");
}
