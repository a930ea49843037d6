//! How nodes find each other.

use serde_json::Value as Json;

use crate::cluster::{Daemon, daemon, member};
use crate::support::Home;

fn net(home: &Home) -> Json {
    serde_json::from_str(&home.run(&["--json", "doctor", "net"]).out).unwrap()
}

/// Asks again and again, for at most 10 s.
#[expect(clippy::disallowed_methods, reason = "looks from outside, as a person would")]
pub(crate) fn within<T>(ask: impl Fn() -> Option<T>) -> T {
    for _ in 0..200 {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no answer within 10 s");
}

/// Two nodes that have met, the second one by `--peer`.
fn met() -> (Home, Daemon, Home, Daemon) {
    let one = Home::new();
    let other = member(&one, "laptop");
    let first = daemon(&one, &[]);
    let second = daemon(&other, &[&first.address]);
    one.run(&["set", "companies/acme", "city=Dallas", "--wait", "1"]).ok();
    (one, first, other, second)
}

#[test]
fn a_node_that_met_its_peer_finds_it_again_without_being_told_where() {
    let (one, first, other, mut second) = met();
    second.end();
    let kept = other.read(".cocli/peers.json");
    assert!(kept.contains("pi1") && kept.contains(&first.address), "{kept}");
    let _again = daemon(&other, &[]);
    other.run(&["set", "companies/acme", "city=Austin", "--wait", "1"]).ok();
    assert_eq!(one.run(&["get", "companies/acme", "city"]).ok(), "Austin\n");
    let net = net(&other);
    let address = &net["daemon"]["addresses"][0];
    assert_eq!(address["address"], first.address.as_str());
    assert_eq!(address["from"][0]["layer"], "remembered", "{net}");
    assert_eq!((&address["node"], &address["live"]), (&"pi1".into(), &true.into()), "{net}");
}

#[test]
fn damage_to_what_is_remembered_is_told_and_stops_nothing() {
    let (_one, first, other, mut second) = met();
    second.end();
    std::fs::write(other.file(".cocli/peers.json"), "[{").unwrap();
    other.run(&["doctor", "net"]).fails(5, "1 finding");
    let mut again = daemon(&other, &[&first.address]);
    assert!(again.says("peers.json").contains("forgotten"));
    other.run(&["set", "companies/acme", "city=Austin", "--wait", "1"]).ok();
    again.end();
    assert!(other.read(".cocli/peers.json").contains(&first.address));
}

#[test]
fn a_node_that_joins_another_cluster_forgets_whom_it_met() {
    let (_one, _first, other, mut second) = met();
    second.end();
    let ticket = Home::new().run(&["ticket"]).ok();
    other.input(&["join", "-"], ticket.as_bytes()).ok();
    assert!(!other.file(".cocli/peers.json").exists());
}

#[test]
fn the_doctor_says_which_layer_gave_which_address_and_who_answers_there() {
    let (one, first, other, _second) = met();
    let seen = net(&other);
    let address = &seen["daemon"]["addresses"][0];
    assert_eq!(address["from"][0]["layer"], "configured", "{seen}");
    assert_eq!(address["from"][0]["name"], first.address.as_str(), "{seen}");
    assert_eq!(seen["daemon"]["mdns"]["runs"], false, "on loopback: {seen}");
    let seen = net(&one);
    assert_eq!(seen["daemon"]["addresses"][0]["from"], Json::Array(Vec::new()), "{seen}");
    let told = one.run(&["doctor", "net"]).ok();
    for words in ["laptop answers  (it came to us)", "skipped: it leads back", "5353", "Docker"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn without_a_daemon_the_doctor_says_whom_it_would_ask_and_who_has_the_port() {
    let home = Home::new();
    let taken = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let set = |port: u32| {
        let settings = format!(
            "[gossip]\nport = {port}\npeers = [\"pi1.local\"]\nfallback = [\"cloud1.example:1\"]\n"
        );
        std::fs::write(home.file(".cocli/config.toml"), settings).unwrap();
    };
    set(port.into());
    std::fs::create_dir_all(home.file("campaigns/road-map")).unwrap();
    let campaign = "[prospecting.scaling.cocli5x1]\ngm-list = 1\n";
    std::fs::write(home.file("campaigns/road-map/config.toml"), campaign).unwrap();
    let told = home.run(&["doctor", "net"]).fails(5, "1 finding").out;
    for words in [
        "configured: pi1.local",
        "campaign: cocli5x1",
        "fallback: cloud1.example:1  (when nobody else answers for 30 s)",
        "cannot be had",
        "--port",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    // Not the same one: a child of another test may hold it for a moment yet. The system gives none out
    // below 32,768 by itself.
    set(10_000 + std::process::id() % 20_000);
    assert!(home.run(&["doctor", "net"]).ok().contains("is free"));
}

#[test]
fn machines_that_a_campaign_names_are_asked_and_a_settings_file_that_does_not_read_is_told() {
    let home = Home::new();
    for (campaign, settings) in [
        (
            "clients/road-map",
            "[prospecting.scaling.\"127.0.0.9\"]\n[prospecting.scaling.fargate]\n",
        ),
        ("broken", "[prospecting\n"),
    ] {
        let folder = home.file("campaigns").join(campaign);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), settings).unwrap();
    }
    let running = daemon(&home, &[]);
    running.says("campaigns/broken/config.toml");
    let campaign = within(|| {
        let seen = net(&home);
        let addresses = seen["daemon"]["addresses"].as_array().unwrap().clone();
        addresses.into_iter().find(|entry| entry["from"][0]["layer"] == "campaign")
    });
    assert_eq!(campaign["address"], "127.0.0.9:9999");
    home.run(&["doctor", "net"]).fails(5, "2 findings");
}
