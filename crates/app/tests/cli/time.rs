//! Clocks that were wrong: what they wrote is taken, and whoever saw it writes after it. The clock of
//! this machine is right; journals put there by hand tell what another one would have written.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;

use crate::cluster::{daemon, level, member};
use crate::support::Home;

/// The newest day of the home's own log.
fn today(home: &Home, node: &str) -> Date {
    let name = own_journals(home, node).pop().unwrap();
    let name = name.file_name().unwrap().to_string_lossy().into_owned();
    Date::strptime("%Y%m%d", &name[..8]).unwrap()
}

/// The journals of a node, in the order of their days.
fn own_journals(home: &Home, node: &str) -> Vec<PathBuf> {
    let of_node = |path: &PathBuf| path.display().to_string().contains(&format!("_{node}"));
    home.journals().into_iter().filter(of_node).collect()
}

fn epoch(home: &Home) -> String {
    let epoch = home.read(".cocli/epoch");
    if epoch.is_empty() { epoch } else { format!("~{epoch}") }
}

/// What the node would have written with its clock at ten o'clock of that day.
fn wrote(home: &Home, node: &str, day: Date, fields: &[(&str, &str)]) {
    let path = home.file(&format!("wal/{}_{node}{}.usv", day.strftime("%Y%m%d"), epoch(home)));
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    for (field, value) in fields {
        let at = day.strftime("%Y-%m-%dT10:00:00.000000+00:00");
        let record = format!("{at}\x1f{node}\x1fcompanies/acme\x1f{field}\x1f{value}\x1f\x1e");
        file.write_all(record.as_bytes()).unwrap();
    }
}

/// The stamps of each field in the order of the log never go back.
fn never_goes_back(home: &Home, node: &str) -> usize {
    let mut last = BTreeMap::new();
    let journals = own_journals(home, node);
    let text: String = journals.iter().map(|p| std::fs::read_to_string(p).unwrap()).collect();
    let records = text.split_terminator('\x1e').inspect(|record| {
        let parts: Vec<&str> = record.split('\x1f').collect();
        let key = (parts[2].to_string(), parts[3].to_string());
        let before = last.insert(key, parts[0].to_string());
        assert!(before.is_none_or(|before| before.as_str() < parts[0]), "{record:?}");
    });
    records.count()
}

#[test]
fn a_clock_that_goes_back_a_day_writes_on_in_the_journal_of_tomorrow() {
    let one = Home::new();
    let other = member(&one, "laptop");
    one.run(&["set", "companies/acme", "city=Waco"]).ok();
    let tomorrow = today(&one, "pi1").checked_add(1.day()).unwrap();
    wrote(&one, "pi1", tomorrow, &[("city", "Dallas"), ("name", "Acme")]);
    let before: Vec<u64> =
        own_journals(&one, "pi1").iter().map(|path| path.metadata().unwrap().len()).collect();
    one.run(&["set", "companies/acme", "city=Austin", "state=TX"]).ok();
    one.run(&["set", "companies/acme", "city=Houston"]).ok();
    let journals = own_journals(&one, "pi1");
    assert_eq!((journals.len(), today(&one, "pi1")), (2, tomorrow));
    assert_eq!(journals[0].metadata().unwrap().len(), before[0], "the day is over");
    assert!(journals[1].metadata().unwrap().len() > before[1]);
    let first = daemon(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    one.run(&["set", "companies/acme", "country=US", "--wait", "1"]).ok();
    level(&[&one, &other]);
    // The key of the node, Waco, Dallas, Acme, Austin, TX, Houston, US.
    for home in [&one, &other] {
        assert_eq!(never_goes_back(home, "pi1"), 8);
        for (field, value) in
            [("city", "Houston"), ("name", "Acme"), ("state", "TX"), ("country", "US")]
        {
            assert_eq!(home.run(&["get", "companies/acme", field]).ok(), format!("{value}\n"));
        }
        home.run(&["doctor"]).ok();
    }
}

#[test]
fn what_wrong_clocks_wrote_is_taken_and_beaten_by_whoever_saw_it() {
    let one = Home::new();
    let other = member(&one, "laptop");
    let now = today(&other, "laptop");
    wrote(&other, "laptop", now, &[("country", "US")]);
    wrote(&other, "laptop", now.checked_add(2.days()).unwrap(), &[("city", "Dallas")]);
    wrote(&other, "laptop", now.checked_add(30.years()).unwrap(), &[("state", "TX")]);
    let first = daemon(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    level(&[&one, &other]);
    for (writer, suffix) in [(&one, "1"), (&other, "2"), (&one, "3")] {
        for field in ["country", "city", "state"] {
            let change = format!("{field}={field}{suffix}");
            writer.run(&["set", "companies/acme", &change, "--wait", "1"]).ok();
            for home in [&one, &other] {
                let got = home.run(&["get", "companies/acme", field]).ok();
                assert_eq!(got, format!("{field}{suffix}\n"));
            }
        }
    }
    level(&[&one, &other]);
    for home in [&one, &other] {
        let lines = home.run(&["log", "companies/acme"]).ok().lines().count();
        assert_eq!(lines, 3 + 9, "nothing is refused for its stamp");
        let status: serde_json::Value =
            serde_json::from_str(&home.run(&["--json", "status"]).ok()).unwrap();
        assert_eq!(status["odd"], 0, "{status}");
    }
    never_goes_back(&other, "laptop");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "looks from outside, as a person would")]
fn the_clock_of_each_peer_is_measured_and_shown() {
    let one = Home::new();
    let other = member(&one, "laptop");
    let first = daemon(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    level(&[&one, &other]);
    let began = std::time::Instant::now();
    for home in [&one, &other] {
        let ahead = loop {
            let status: serde_json::Value =
                serde_json::from_str(&home.run(&["--json", "status"]).ok()).unwrap();
            if let Some(ahead) = status["daemon"]["peers"][0]["clock_ahead_us"].as_i64() {
                break ahead;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{status}");
            std::thread::sleep(Duration::from_millis(50));
        };
        // One clock, seen twice; a busy machine may read it late.
        assert!(ahead.abs() < 1_000_000, "{ahead}");
        let cluster = home.run(&["status", "--cluster"]).ok();
        assert!(cluster.contains("  clock  ") && cluster.contains("  right  "), "{cluster}");
        assert!(!home.run(&["status"]).ok().contains("clock"));
    }
}
