//! The door between commands and a daemon, when the daemon is stopped or about to begin.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

use crate::cluster::{daemon, level, member, start};
use crate::support::{Home, run};

/// Knocks until there is no room before the door.
fn crowd(home: &Home) {
    let door = SocketAddrUnix::new(home.file(".cocli/sock")).unwrap();
    loop {
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        let socket = UnixStream::from(socket);
        socket.set_nonblocking(true).unwrap();
        if let Err(error) = rustix::net::connect(&socket, &door) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            return;
        }
    }
}

#[test]
fn a_daemon_that_is_stopped_keeps_nobody_from_writing_and_status_says_so() {
    let home = Home::new();
    let daemon = daemon(&home, &[]);
    daemon.signal("-STOP");
    crowd(&home);
    home.run(&["add", "company", "Acme"]).ok();
    assert_eq!(home.run(&["get", "companies/acme", "name"]).ok(), "Acme\n");
    let status = home.run(&["status"]).fails(5, "needs a person");
    assert!(status.out.contains("the daemon runs and does not answer"), "{}", status.out);
    assert!(status.out.contains("1 company"), "{}", status.out);
    assert!(status.out.contains("Ctrl-Z"), "{}", status.out);
    // The new key is in the ring by then, and its line is shown only once.
    let added = home.run(&["key", "add"]).fails(1, "it is in the key file, but the daemon");
    assert_eq!(added.out.trim().len(), 8 + 1 + 64, "{}", added.out);
    daemon.signal("-CONT");
}

#[test]
fn of_two_daemons_of_a_home_the_second_is_refused_even_when_the_first_lost_its_door() {
    let home = Home::new();
    let mut first = daemon(&home, &[]);
    let begin = ["daemon", "--bind", "127.0.0.1", "--port", "0"];
    home.run(&begin).fails(4, "a daemon runs already");
    std::fs::remove_file(home.file(".cocli/sock")).unwrap();
    home.run(&begin).fails(4, "a daemon runs already");
    first.kill();
    let _second = daemon(&home, &[]);
    home.run(&["status"]).ok();
}

/// The lines that a daemon tells whoever follows, from the first datagram on.
fn follow(home: &Home) -> impl Iterator<Item = serde_json::Value> + use<> {
    let mut socket = UnixStream::connect(home.file(".cocli/sock")).unwrap();
    let status = home.run(&["status", "--json"]).out;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let text = |key: &str| status[key].as_str().unwrap();
    let name = format!("{}@{}", text("node"), text("cluster"));
    let request = serde_json::json!({"door": 1, "home": name, "verb": "follow"});
    socket.write_all(format!("{request}\n").as_bytes()).unwrap();
    let lines = BufReader::new(socket).lines();
    let mut lines =
        lines.map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap());
    assert_eq!(lines.next().unwrap(), serde_json::json!({"follows": true}));
    lines.filter(|line| line != &serde_json::json!({}))
}

#[test]
fn whoever_follows_is_told_of_each_datagram_of_this_node_and_of_others_once_it_is_durable_here() {
    let home = Home::new();
    let pi = member(&home, "pi");
    let here = daemon(&home, &[]);
    let _there = daemon(&pi, &[&here.address]);
    home.run(&["add", "company", "Acme"]).ok();
    level(&[&home, &pi]);
    let mut told = follow(&home).filter(|line| line["field"] == "email");
    home.run(&["set", "acme", "email=a@acme.example"]).ok();
    let own = told.next().unwrap();
    assert_eq!((&own["own"], &own["value"]), (&true.into(), &"a@acme.example".into()));
    assert_eq!(own["target"], "companies/acme");
    let long = format!("email={}@acme.example", "é".repeat(500));
    pi.run(&["set", "acme", &long]).ok();
    let other = told.next().unwrap();
    assert_eq!((&other["own"], &other["node"]), (&false.into(), &"pi".into()));
    assert_eq!(
        (other["value"].as_str().unwrap().chars().count(), &other["cut"]),
        (400, &true.into())
    );
    assert!(other["delay_ms"].as_u64().unwrap() < 60_000);
}

#[test]
#[cfg(target_os = "linux")]
fn the_door_of_a_home_with_a_long_path_is_found_from_any_environment() {
    let mut home = Home::none();
    home.path = home.dir.path().join("long".repeat(40));
    home.run(&["init", home.path.to_str().unwrap(), "--node", "pi1"]).ok();
    let folders = ["one", "other"].map(|name| home.dir.path().join(name));
    folders.iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    let mut command = home.command();
    command.env("TMPDIR", &folders[0]).env("XDG_RUNTIME_DIR", &folders[0]);
    let _daemon = start(command, &[], &[]);
    assert!(home.file(".cocli/sock").exists());
    let mut command = home.command();
    command.env("TMPDIR", &folders[1]).env_remove("XDG_RUNTIME_DIR").arg("status");
    let told = run(&mut command, b"").ok();
    assert!(told.contains("the daemon runs"), "{told}");
}
