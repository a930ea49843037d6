//! Several nodes on loopback, each its own process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::support::{Home, cocli, run};

struct Daemon {
    child: Child,
    address: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn daemon(home: &Home, peers: &[&str]) -> Daemon {
    let mut command = home.command();
    command.args(["--json", "daemon", "--bind", "127.0.0.1", "--port", "0"]);
    for peer in peers {
        command.args(["--peer", peer]);
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    Daemon { child, address: ready["listening"].as_str().unwrap().to_string() }
}

fn member(of: &Home, node: &str) -> Home {
    let ticket = of.run(&["ticket"]).ok();
    let home = Home::none();
    run(
        cocli(home.dir.path()).args(["init", "home", "--node", node, "--join", "-"]),
        ticket.as_bytes(),
    )
    .ok();
    home
}

#[test]
fn a_write_is_on_the_other_node_when_wait_returns_both_ways() {
    let one = Home::new();
    let other = member(&one, "laptop");
    let first = daemon(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    one.run(&["set", "companies/acme", "city=Dallas", "--wait", "1"]).ok();
    assert_eq!(other.run(&["get", "companies/acme", "city"]).ok(), "Dallas\n");
    other.run(&["set", "companies/acme", "city=Austin", "--wait", "1"]).ok();
    assert_eq!(one.run(&["get", "companies/acme", "city"]).ok(), "Austin\n");
}

#[test]
fn a_node_without_the_key_gets_nothing() {
    let one = Home::new();
    let stranger = Home::new();
    let first = daemon(&one, &[]);
    let _second = daemon(&stranger, &[&first.address]);
    let ran = one.run(&["set", "companies/acme", "city=Dallas", "--wait", "1", "--timeout", "2"]);
    ran.fails(1, "not yet on 1 other nodes");
    stranger.run(&["get", "companies/acme", "city"]).fails(3, "acme");
}

#[test]
fn a_taken_port_and_a_second_daemon_are_errors_that_say_what_to_do() {
    let (one, other) = (Home::new(), Home::new());
    let first = daemon(&one, &[]);
    let port = first.address.rsplit_once(':').unwrap().1.to_string();
    other.run(&["daemon", "--bind", "127.0.0.1", "--port", &port]).fails(1, "--port");
    one.run(&["daemon", "--bind", "127.0.0.1", "--port", "0"]).fails(4, "a daemon runs already");
}

#[test]
fn wait_without_a_daemon_says_that_it_is_written_here() {
    let home = Home::new();
    home.run(&["set", "companies/acme", "city=Dallas", "--wait", "1"]).fails(1, "cocli daemon");
    assert_eq!(home.run(&["get", "companies/acme", "city"]).ok(), "Dallas\n");
}

#[test]
fn a_wrong_ticket_is_refused_plainly() {
    let home = Home::none();
    run(cocli(home.dir.path()).args(["init", "home", "--join", "rubbish"]), b"").fails(2, "ticket");
    assert!(!home.path.join(".cocli").exists());
}
