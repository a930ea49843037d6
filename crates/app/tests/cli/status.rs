//! `status` with real daemons: what follows from the door's answers is tested beside the command.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value as Json;

use crate::cluster::{Daemon, daemon, daemon_with, level, member, until};
use crate::support::{Home, run};

fn json(home: &Home, words: &[&str]) -> Json {
    let ran = home.run(&[&["--json"], words].concat());
    serde_json::from_str(ran.out.lines().next().unwrap()).unwrap()
}

#[test]
fn what_is_watched_goes_on_as_an_object_a_line_until_somebody_ends_it() {
    let home = Home::new();
    let mut command = home.command();
    command.args(["status", "--json", "--watch", "0.1"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let companies = |line: String| {
        let line: Json = serde_json::from_str(&line).unwrap();
        line["companies"].as_u64().unwrap()
    };
    assert_eq!(companies(lines.next().unwrap().unwrap()), 0);
    home.run(&["add", "company", "Acme"]).ok();
    assert!(lines.by_ref().map(|line| companies(line.unwrap())).any(|count| count == 1));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(lines.map(|line| companies(line.unwrap())).last().unwrap_or(1), 1);
    assert!(child.wait().unwrap().success(), "to end it is no failure");
}

#[test]
fn how_often_is_said_in_seconds_and_nothing_else() {
    let home = Home::new();
    for odd in ["0", "-1", "often", "99999"] {
        home.run(&["status", &format!("--watch={odd}")]).fails(2, "expected seconds");
    }
}

#[test]
fn a_card_that_waits_is_told_where_a_daemon_watches_without_a_look_at_all() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    home.run(&["add", "company", "Borealis"]).ok();
    let _daemon = daemon(&home, &[]);
    // From its first look on the daemon knows which cards somebody touched.
    until(|| json(&home, &["status"])["daemon"]["touched"].is_array());
    home.run(&["status"]).ok();
    let card = home.file("companies/acme/_index.md");
    std::fs::write(&card, "---\nname: [\n---\n").unwrap();
    until(|| home.run(&["status"]).code == 5);
    let told = home.run(&["status"]).out;
    assert!(told.contains("companies/acme/_index.md: left alone"), "{told}");
    assert!(!told.contains("borealis"), "{told}");
    // Nothing is told of it once it is mended.
    std::fs::write(&card, "---\nname: Acme Inc\n---\n").unwrap();
    until(|| home.run(&["status"]).code == 0);
}

#[test]
fn prometheus_is_told_of_the_home_and_of_its_daemon() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    let told = home.run(&["status", "--metrics"]).ok();
    assert!(
        told.contains("\ncocli_companies 1\n") && told.contains("\ncocli_daemon_up 0\n"),
        "{told}"
    );
    let _daemon = daemon(&home, &[]);
    let told = home.run(&["status", "--metrics"]).ok();
    assert!(told.contains("\ncocli_daemon_up 1\n"), "{told}");
    assert!(told.contains("cocli_packets_unread_total{reason=\"shed\"} 0\n"), "{told}");
}

/// Whether some bytes, as they are or as hex, stand in a text.
fn holds(text: &str, bytes: &[u8]) -> bool {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.as_bytes().windows(bytes.len()).any(|window| window == bytes) || text.contains(&hex)
}

#[track_caller]
fn check(home: &Home, path: &str) -> Json {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(path.starts_with(home.file(".cocli/dumps").to_str().unwrap()), "{path}");
    let keys = home.read(".cocli/keys");
    let secrets = keys.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.len() >= 32);
    let secrets: Vec<&str> = secrets.collect();
    assert!(!secrets.is_empty(), "the test finds no key in {keys}");
    for secret in secrets {
        assert!(!text.contains(secret), "a key stands in {text}");
    }
    assert!(!holds(&text, &std::fs::read(home.file(".cocli/identity")).unwrap()));
    assert!(!text.contains("jane@acme.example") && !text.contains("secret"), "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_dump_tells_how_all_is_and_holds_no_key_and_no_value() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "email=jane@acme.example"]).ok();
    home.run(&["config", "set", "bucket.endpoint", "https://ann:secret@127.0.0.1:9/?x=secret"])
        .ok();
    let path = home.run(&["doctor", "dump"]).ok();
    let dump = check(&home, path.trim_end());
    assert_eq!(dump["daemon"]["status"]["none"], "no daemon runs");
    assert_eq!(dump["health"]["companies"], 1);
    assert!(dump["settings"]["bucket.endpoint"].as_str().unwrap().contains("127.0.0.1"), "{dump}");
    let mut daemon = daemon(&home, &[]);
    let path = json(&home, &["doctor", "dump"])["dump"].as_str().unwrap().to_owned();
    let dump = check(&home, &path);
    assert_eq!(dump["daemon"]["status"]["listening"], daemon.address.as_str());
    assert!(dump["process"]["each_thread"].as_array().unwrap().len() > 3, "{dump}");
    // The daemon writes one itself when it is told to, and goes on.
    daemon.signal("-USR1");
    let said = daemon.says("dump: ");
    let dump = check(&home, said.split_once("dump: ").unwrap().1);
    assert!(dump["process"]["VmRSS"].as_str().unwrap().ends_with(" kB"), "{dump}");
    daemon.end();
}

fn notes(of: &Daemon, words: &str) -> Json {
    serde_json::from_str(&of.says(words)).unwrap()
}

#[test]
fn a_daemon_tells_who_comes_as_lines_or_as_objects_and_no_more_than_it_is_asked_to() {
    let one = Home::new();
    let other = member(&one, "laptop");
    let first = daemon_with(&one, &[], &["--log", "json", "--log-level", "debug"]);
    let mut second = daemon(&other, &[&first.address]);
    one.run(&["add", "company", "Acme"]).ok();
    level(&[&one, &other]);
    let came = notes(&first, "a peer is here");
    assert_eq!((&came["node"], &came["level"]), (&"laptop".into(), &"INFO".into()), "{came}");
    assert!(second.says("a peer is here").contains("node=pi1"));
    one.run(&["status"]).ok();
    assert_eq!(notes(&first, "asked at the door")["level"], "DEBUG");
    second.end();
    let mut odd = one.command();
    let odd = run(odd.args(["daemon"]).env("COCLI_LOG", "loud"), b"");
    odd.fails(2, "$COCLI_LOG is \"loud\"");
}
