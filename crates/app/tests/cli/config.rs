//! The settings of a machine, one at a time.

use serde_json::{Value as Json, json};

use crate::support::Home;

#[test]
fn a_setting_is_read_changed_and_made_the_default_again() {
    let home = Home::new();
    assert_eq!(home.run(&["config", "get", "gossip.port"]).ok(), "9999\n");
    std::fs::write(home.file(".cocli/config.toml"), "# mine\n[gossip]\nport = 1 # taken\n")
        .unwrap();
    assert_eq!(home.run(&["config", "set", "gossip.port", "7000"]).ok(), "gossip.port  7000\n");
    assert_eq!(home.read(".cocli/config.toml"), "# mine\n[gossip]\nport = 7000 # taken\n");
    home.run(&["config", "set", "gossip.peers", "pi4:9999,cloud"]).ok();
    let got: Json =
        serde_json::from_str(&home.run(&["--json", "config", "get", "gossip.peers"]).ok()).unwrap();
    let peers = json!({"key": "gossip.peers", "value": ["pi4:9999", "cloud"], "default": false});
    assert_eq!(got, peers);
    let all = home.run(&["config", "list"]).ok();
    assert!(
        all.lines().any(|line| line.starts_with("gossip.port ") && line.ends_with("  7000")),
        "{all}"
    );
    assert!(
        all.lines()
            .any(|line| line.starts_with("archive.after ") && line.ends_with("2  (default)")),
        "{all}"
    );
    let lines = home.run(&["--json", "config", "list"]).ok();
    assert_eq!(lines.lines().count(), all.lines().count());
    assert_eq!(home.run(&["config", "get"]).ok(), all);
    home.run(&["config", "set", "gossip.port", ""]).ok();
    assert_eq!(home.run(&["config", "get", "gossip.port"]).ok(), "9999\n");
}

#[test]
fn what_the_program_would_not_start_with_is_not_written() {
    let home = Home::new();
    let before = home.read(".cocli/config.toml");
    home.run(&["config", "set", "gossip.prot", "1"]).fails(2, "the nearest is `gossip.port`");
    home.run(&["config", "get", "gossip.prot"]).fails(2, "the nearest is `gossip.port`");
    home.run(&["config", "set", "gossip.port", "70000"])
        .fails(2, "gossip.port cannot be \"70000\"");
    home.run(&["config", "set", "cadence.lead", "2 weks"]).fails(2, "the nearest name is `weeks`");
    home.run(&["config", "get", "bucket.url"]).fails(3, "cocli config set bucket.url VALUE");
    assert_eq!(home.read(".cocli/config.toml"), before);
    home.run(&["config", "set", "cadence.lead", "2 weeks"]).ok();
    home.run(&["add", "company", "Acme", "--set", "tags=lead"]).ok();
    assert!(home.run(&["today"]).ok().contains("never"));
}
