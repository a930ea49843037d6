//! Out of the cluster, and back.

use crate::cluster::{daemon, level, member};
use crate::support::Home;

#[test]
fn who_leaves_is_safe_elsewhere_forgets_the_key_and_can_come_back() {
    let one = Home::new();
    let other = member(&one, "laptop");
    let first = daemon(&one, &[]);
    let second = daemon(&other, &[&first.address]);
    level(&[&one, &other]);
    other.run(&["set", "companies/acme", "city=Dallas"]).ok();
    // As a kill in the middle of a change of keys leaves it.
    std::fs::write(other.file(".cocli/rekey.new"), "half of a secret").unwrap();
    let told = other.run(&["leave"]).ok();
    assert!(!other.file(".cocli/rekey.new").exists());
    assert!(told.contains("pi1 holds all that is here"), "{told}");
    drop(second);
    assert_eq!(one.run(&["get", "companies/acme", "city"]).ok(), "Dallas\n");
    let status = one.run(&["status"]).ok();
    assert!(status.contains("left the cluster"), "{status}");
    assert!(other.run(&["doctor", "net"]).fails(5, "").out.contains("left its cluster"));
    // The files stay, and go on being written; the network does not.
    other.run(&["set", "companies/acme", "city=Austin"]).ok();
    for words in [&["daemon", "--port", "0"][..], &["ticket"], &["key", "list"], &["leave"]] {
        other.run(words).fails(1, "left its cluster").fails(1, "cocli join");
    }
    let ticket = one.run(&["ticket"]).ok();
    other.input(&["join", "-"], ticket.as_bytes()).ok();
    let _again = daemon(&other, &[&first.address]);
    level(&[&one, &other]);
    assert_eq!(one.run(&["get", "companies/acme", "city"]).ok(), "Austin\n");
}

#[test]
fn nobody_leaves_with_what_only_he_holds() {
    let alone = Home::new();
    alone.run(&["set", "companies/acme", "city=Dallas"]).ok();
    alone.run(&["leave"]).fails(1, "no daemon runs");
    let daemon = daemon(&alone, &[]);
    alone.run(&["leave", "--timeout", "1"]).fails(1, "0 of 1");
    alone.run(&["ticket"]).ok();
    drop(daemon);
}
