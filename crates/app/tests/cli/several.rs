//! Several nodes on loopback, each its own process.

use crate::cluster::{daemon, level, member};
use crate::support::{Home, cocli, run};

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
    ran.fails(1, "on 0 of 1 other nodes");
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
fn a_wait_that_is_over_says_who_holds_it_and_who_does_not() {
    let one = Home::new();
    let (other, away) = (member(&one, "laptop"), member(&one, "cloud1"));
    let first = daemon(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    {
        let _third = daemon(&away, &[&first.address]);
        level(&[&one, &other, &away]);
    }
    let ran = one.run(&["set", "companies/acme", "city=Dallas", "--wait", "2", "--timeout", "2"]);
    ran.fails(1, "after 2 s durably on 1 of 2 other nodes: laptop; not on cloud1");
}

#[test]
fn joining_waits_for_the_daemon_to_end_and_keeps_what_a_person_wrote_in_the_settings() {
    let (one, other) = (Home::new(), Home::new());
    let ticket = one.run(&["ticket", "--address", "192.0.2.1"]).ok();
    let keys = other.read(".cocli/keys");
    let mut running = daemon(&other, &[]);
    let ran = other.input(&["join", "-"], ticket.as_bytes()).fails(4, "a daemon runs");
    assert!(ran.err.contains("next: end it"), "{}", ran.err);
    assert_eq!(other.read(".cocli/keys"), keys);
    running.kill();
    let settings = other.read(".cocli/config.toml").replace("[cards]", "# mine\n[cards]");
    std::fs::write(other.file(".cocli/config.toml"), settings).unwrap();
    let joined = other.input(&["--json", "join", "-"], ticket.as_bytes()).ok();
    let joined: serde_json::Value = serde_json::from_str(&joined).unwrap();
    assert!(one.read(".cocli/id").contains(joined["cluster"].as_str().unwrap()), "{joined}");
    assert_eq!(other.read(".cocli/keys"), one.read(".cocli/keys"));
    let settings = other.read(".cocli/config.toml");
    assert!(settings.contains("# mine\n[cards]") && settings.contains("192.0.2.1"), "{settings}");
}

#[test]
fn a_wrong_ticket_is_refused_plainly() {
    let home = Home::none();
    run(cocli(home.dir.path()).args(["init", "home", "--join", "rubbish"]), b"").fails(2, "ticket");
    assert!(!home.path.join(".cocli").exists());
}

#[test]
fn a_hand_edit_on_one_node_is_in_the_card_of_the_other() {
    let one = Home::new();
    one.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    let other = member(&one, "laptop");
    let first = daemon(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    level(&[&one, &other]);
    let card = "companies/acme/_index.md";
    let text = other.read(card);
    std::fs::write(other.file(card), text.replace("city: Dallas", "city: Austin")).unwrap();
    one.run(&["set", "companies/acme", "state=TX", "--wait", "1"]).ok();
    level(&[&one, &other]);
    assert!(one.read(card).contains("city: Austin"), "{}", one.read(card));
    assert!(other.read(card).contains("state: TX"), "{}", other.read(card));
}

#[test]
fn status_tells_how_far_each_log_is_held_as_the_daemon_knows_it() {
    let one = Home::new();
    let other = member(&one, "laptop");
    let first = daemon(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    one.run(&["set", "companies/acme", "city=Dallas", "--wait", "1"]).ok();
    level(&[&one, &other]);
    for home in [&one, &other] {
        let told = home.run(&["status", "--cluster"]).ok();
        for log in ["  pi1  ", "  laptop~"] {
            let line = told.lines().find(|line| line.starts_with(log) && line.contains(" bytes "));
            assert!(line.is_some(), "{told}");
        }
    }
}

#[test]
fn a_clone_of_a_home_loses_nothing() {
    let one = Home::new();
    one.run(&["set", "companies/acme", "city=Dallas"]).ok();
    let clone = Home::none();
    let copied = std::process::Command::new("cp")
        .args(["-a", &one.path.display().to_string(), &clone.path.display().to_string()])
        .status();
    assert!(copied.unwrap().success());
    one.run(&["set", "companies/acme", "state=TX"]).ok();
    clone.run(&["set", "companies/acme", "country=US"]).ok();
    let first = daemon(&one, &[]);
    let _second = daemon(&clone, &[&first.address]);
    level(&[&one, &clone]);
    for home in [&one, &clone] {
        for (field, value) in [("city", "Dallas"), ("state", "TX"), ("country", "US")] {
            assert_eq!(home.run(&["get", "companies/acme", field]).ok(), format!("{value}\n"));
        }
    }
}

#[test]
fn a_peer_whose_name_leads_nowhere_is_told_and_keeps_nobody_waiting() {
    let one = Home::new();
    let other = member(&one, "laptop");
    let first = daemon(&one, &[]);
    // RFC 6761: `.invalid` never resolves.
    let second = daemon(&other, &["nobody.invalid", &first.address]);
    other.run(&["set", "companies/acme", "city=Austin", "--wait", "1"]).ok();
    assert!(second.says("nobody.invalid").contains("no address"));
}

#[test]
fn rubbish_by_udp_is_counted_and_keeps_nobody_waiting() {
    let one = Home::new();
    let other = member(&one, "laptop");
    let first = daemon(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..5_000 {
        let _ = socket.send_to(&[7; 1_200], &first.address);
    }
    one.run(&["set", "companies/acme", "city=Dallas", "--wait", "1"]).ok();
    let status = one.run(&["--json", "status"]).ok();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert!(status["daemon"]["packets_refused"].as_u64() > Some(0), "{status}");
    assert_eq!(status["daemon"]["packets_dropped"], 0, "nothing of a member: {status}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_flood_that_names_the_key_is_shed_unread_and_a_node_that_is_new_gets_in() {
    let one = Home::new();
    let other = member(&one, "laptop");
    let first = daemon(&one, &[]);
    let key = cocli_net::KeyId::read(&one.run(&["key", "list"]).ok()[..8]).unwrap();
    let mut forged = [7; 1_200];
    forged[..4].copy_from_slice(&[0xC0, 0xC1, b'P', 1]);
    forged[4..8].copy_from_slice(&key.0);
    // All of 127.0.0.0/8 is this machine.
    let socket = std::net::UdpSocket::bind("127.0.0.2:0").unwrap();
    for _ in 0..5_000 {
        let _ = socket.send_to(&forged, &first.address);
    }
    let _second = daemon(&other, &[&first.address]);
    one.run(&["set", "companies/acme", "city=Dallas", "--wait", "1"]).ok();
    let status = one.run(&["--json", "status"]).ok();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let counted = |what: &str| status["daemon"][what].as_u64().unwrap();
    assert!(counted("packets_shed") > 4_000 && counted("packets_refused") < 1_000, "{status}");
    assert!(one.run(&["status"]).ok().contains("dropped unread"));
}

#[test]
fn idle_connections_keep_nobody_out_of_streams() {
    let one = Home::new();
    let other = member(&one, "laptop");
    let first = daemon(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    one.run(&["set", "companies/acme", "city=Dallas", "--wait", "1"]).ok();
    let knock = |_| std::net::TcpStream::connect(&first.address);
    let _idle: Vec<_> = (0..100).map(knock).collect();
    // Too long for a packet: it goes by a stream, well before an idle handshake is given up.
    let long = format!("description={}", "long ".repeat(1_000));
    one.run(&["set", "companies/acme", &long, "--wait", "1", "--timeout", "3"]).ok();
}

#[test]
fn a_lost_node_key_is_made_anew_and_told_to_the_others() {
    let one = Home::new();
    let other = member(&one, "laptop");
    let first = daemon(&one, &[]);
    for damage in [None, Some(&b"short"[..])] {
        let before = other.run(&["get", "nodes/laptop", "key"]).ok();
        match damage {
            None => std::fs::remove_file(other.file(".cocli/identity")).unwrap(),
            Some(bytes) => std::fs::write(other.file(".cocli/identity"), bytes).unwrap(),
        }
        other.run(&["daemon", "--port", "0"]).fails(1, "`cocli doctor --repair` makes a new one");
        assert!(other.run(&["doctor"]).fails(5, "1 finding").out.contains(".cocli/identity"));
        assert!(other.run(&["doctor", "--repair"]).ok().contains("mended  .cocli/identity"));
        other.run(&["doctor"]).ok();
        let key = other.run(&["get", "nodes/laptop", "key"]).ok();
        assert_ne!(key, before);
        let _second = daemon(&other, &[&first.address]);
        level(&[&one, &other]);
        assert_eq!(one.run(&["get", "nodes/laptop", "key"]).ok(), key);
    }
    other.run(&["undo"]).fails(3, "nothing to undo");
}

/// `cocli log -f`, its lines as they come.
struct Follower {
    child: std::process::Child,
    lines: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
}

impl Follower {
    fn new(home: &Home, words: &[&str]) -> Self {
        let mut command = home.command();
        command.args(["log", "-f", "--json"]).args(words).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = std::io::BufReader::new(child.stdout.take().unwrap());
        Self { child, lines: std::io::BufRead::lines(out) }
    }

    /// The next line: who wrote what.
    fn next(&mut self) -> String {
        let line: serde_json::Value =
            serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap();
        ["node", "target", "field", "value"].map(|key| line[key].as_str().unwrap()).join(" ")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_log_is_followed_with_what_is_there_what_is_written_and_what_comes_from_others() {
    let one = Home::new();
    one.run(&["set", "companies/acme", "city=Dallas"]).ok();
    let mut all = Follower::new(&one, &["companies/acme"]);
    let mut cities = Follower::new(&one, &["companies/acme", "city", "--node", "laptop"]);
    assert_eq!(all.next(), "pi1 companies/acme city Dallas");
    one.run(&["set", "companies/other", "city=Waco"]).ok();
    one.run(&["set", "companies/acme", "state=TX"]).ok();
    assert_eq!(all.next(), "pi1 companies/acme state TX");
    let other = member(&one, "laptop");
    let first = daemon(&one, &[]);
    let _second = daemon(&other, &[&first.address]);
    level(&[&one, &other]);
    other.run(&["set", "companies/acme", "city=Austin", "--wait", "1"]).ok();
    one.run(&["set", "companies/acme", "country=US"]).ok();
    assert_eq!(all.next(), "laptop companies/acme city Austin");
    assert_eq!(all.next(), "pi1 companies/acme country US");
    assert_eq!(cities.next(), "laptop companies/acme city Austin");
}

#[test]
fn a_follower_whose_reader_went_away_ends_quietly() {
    let one = Home::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = one.command();
    command.args(["log", "-f"]).stdout(writer).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    drop(command);
    drop(reader);
    let ran: crate::support::Ran = child.wait_with_output().unwrap().into();
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}
