//! The keys of a cluster, changed while it runs.

use std::time::{Duration, Instant};

use cocli_core::LogId;
use cocli_core::gossip::stream::{Answer, Question};
use cocli_net::{Identity, OPEN_MAX_OF_ONE, Party, Ring, Stream, Ticket, Timeouts, connect};

use crate::cluster::{Daemon, daemon, level, member, until};
use crate::support::Home;

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

struct Node {
    home: Home,
    daemon: Daemon,
}

/// Three nodes that know each other.
fn three() -> Vec<Node> {
    let one = Home::new();
    let homes = [member(&one, "laptop"), member(&one, "cloud1")];
    let first = daemon(&one, &[]);
    let mut peers = vec![first.address.clone()];
    let mut nodes = vec![Node { home: one, daemon: first }];
    for home in homes {
        let known: Vec<&str> = peers.iter().map(String::as_str).collect();
        let daemon = daemon(&home, &known);
        peers.push(daemon.address.clone());
        nodes.push(Node { home, daemon });
    }
    nodes
}

/// Kills a daemon and starts it again, with all the others as its peers.
fn restart(nodes: &mut [Node], at: usize) {
    nodes[at].daemon.kill();
    let others = nodes.iter().enumerate().filter(|(n, _)| *n != at);
    let peers: Vec<String> = others.map(|(_, node)| node.daemon.address.clone()).collect();
    let peers: Vec<&str> = peers.iter().map(String::as_str).collect();
    nodes[at].daemon = daemon(&nodes[at].home, &peers);
}

fn write(nodes: &[Node], at: usize, count: &mut usize) {
    *count += 1;
    nodes[at].home.run(&["set", "companies/acme", &format!("f{count}=v{count}")]).ok();
    level(&nodes.iter().map(|node| &node.home).collect::<Vec<_>>());
}

#[test]
fn keys_change_in_every_order_while_the_cluster_writes_and_dies() {
    let mut nodes = three();
    let mut count = 0;
    write(&nodes, 0, &mut count);
    for (round, order) in ORDERS.into_iter().enumerate() {
        let old = nodes[0].home.run(&["key", "list"]).ok()[..8].to_string();
        let line = nodes[order[0]].home.run(&["key", "add"]).ok();
        let new = line[..8].to_string();
        write(&nodes, order[1], &mut count);
        for at in &order[1..] {
            nodes[*at].home.input(&["key", "add", "-"], line.as_bytes()).ok();
        }
        restart(&mut nodes, order[round % 3]);
        for at in [order[2], order[0], order[1]] {
            nodes[at].home.run(&["key", "use", &new]).ok();
            write(&nodes, at, &mut count);
        }
        restart(&mut nodes, order[(round + 1) % 3]);
        for at in order {
            nodes[at].home.run(&["key", "remove", &old]).ok();
            write(&nodes, at, &mut count);
        }
    }
    for node in &nodes {
        assert_eq!(node.home.run(&["key", "list"]).ok().lines().count(), 1);
        for n in 1..=count {
            let got = node.home.run(&["get", "companies/acme", &format!("f{n}")]).ok();
            assert_eq!(got, format!("v{n}\n"));
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "looks from outside, as a person would")]
fn a_key_that_is_lacking_is_named_with_who_uses_it_and_heals_when_it_is_added() {
    let nodes = three();
    let mut count = 0;
    write(&nodes, 0, &mut count);
    let line = nodes[0].home.run(&["key", "add"]).ok();
    let id = &line[..8];
    nodes[0].home.run(&["key", "use", id]).ok();
    nodes[0].home.run(&["set", "companies/acme", "city=Dallas"]).ok();
    let began = Instant::now();
    loop {
        let status = nodes[1].home.run(&["status"]).ok();
        if status.contains(id) && status.contains(&nodes[0].daemon.address) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{status}");
        std::thread::sleep(Duration::from_millis(50));
    }
    nodes[1].home.run(&["get", "companies/acme", "city"]).fails(3, "no city");
    for node in &nodes[1..] {
        node.home.input(&["key", "add", "-"], line.as_bytes()).ok();
    }
    write(&nodes, 1, &mut count);
    assert!(!nodes[1].home.run(&["status"]).ok().contains(id));
    // The others use the old one still: whoever removes it hears them no more, and is told so.
    let list = nodes[0].home.run(&["key", "list"]).ok();
    let old = list.lines().find(|line| !line.starts_with(id)).unwrap()[..8].to_string();
    let removed = nodes[0].home.run(&["key", "remove", &old]);
    assert!(removed.err.contains("cut off: cloud1, laptop sealed with it"), "{}", removed.err);
    assert!(removed.err.contains(&format!("`cocli key use {id}` there")), "{}", removed.err);
    for node in &nodes[1..] {
        node.home.run(&["key", "use", id]).ok();
    }
    write(&nodes, 1, &mut count);
    // That all have the same says nothing of who told whom: each must have heard each under the new key.
    let old_is_heard = format!("\"seals_with\":\"{old}\"");
    until(|| nodes.iter().all(|n| !n.home.run(&["--json", "status"]).out.contains(&old_is_heard)));
    for node in &nodes[1..] {
        let removed = node.home.run(&["key", "remove", &old]);
        assert!(removed.code == 0 && !removed.err.contains("cut off"), "{}", removed.err);
    }
}

#[test]
fn a_ring_refuses_what_would_lock_out() {
    let home = Home::new();
    let id = home.run(&["key", "list"]).ok()[..8].to_string();
    home.run(&["key", "remove", &id]).fails(4, "in use");
    home.run(&["key", "use", "00000000"]).fails(3, "00000000");
    home.run(&["key", "use", "x"]).fails(2, "eight hexadecimal digits");
    home.input(&["key", "add", "-"], b"no key").fails(2, "cocli key add");
    home.run(&["key", "add"]).ok();
    home.run(&["key", "add"]).ok();
    home.run(&["key", "add"]).fails(4, "key remove");
    assert_eq!(home.run(&["--json", "key", "list"]).ok().lines().count(), 3);
}

/// What a member needs to open streams as a node of its own.
struct Member {
    ring: Ring,
    cluster: [u8; 16],
    identity: Identity,
}

impl Member {
    fn of(home: &Home) -> Self {
        let Ticket { key, cluster, .. } = Ticket::from_text(&home.run(&["ticket"]).ok()).unwrap();
        Self { ring: Ring::new(key), cluster, identity: Identity::fresh().unwrap() }
    }

    fn stream(&self, to: &Daemon) -> Stream {
        let Self { ring, cluster, identity } = self;
        let party = Party { ring, cluster, identity, timeouts: Timeouts::default() };
        connect(to.address.parse().unwrap(), &party).unwrap()
    }
}

/// Whether a stream is answered: whatever a member asks, it gets an answer.
fn answered(stream: &mut Stream) -> bool {
    let log = LogId::read("pi9").unwrap();
    let question = Question::Common { log, heads: Vec::new() }.write();
    let answer = stream.send(&question).and_then(|()| stream.recv(1_000));
    answer.is_ok_and(|bytes| Answer::read(&bytes) == Some(Answer::Common(0)))
}

#[test]
fn a_stream_does_not_outlive_the_key_that_let_it_in() {
    let home = Home::new();
    let running = daemon(&home, &[]);
    let member = Member::of(&home);
    let mut stream = member.stream(&running);
    assert!(answered(&mut stream));
    let new = home.run(&["key", "add"]).ok()[..8].to_string();
    home.run(&["key", "use", &new]).ok();
    assert!(answered(&mut stream), "the key is there until it is removed");
    home.run(&["key", "remove", &member.ring.in_use().id().to_string()]).ok();
    assert!(!answered(&mut stream));
}

#[test]
fn one_node_holds_only_so_many_streams_open_and_another_is_still_answered() {
    let home = Home::new();
    let running = daemon(&home, &[]);
    let (greedy, modest) = (Member::of(&home), Member::of(&home));
    let mut held: Vec<Stream> = (0..OPEN_MAX_OF_ONE).map(|_| greedy.stream(&running)).collect();
    assert!(held.iter_mut().all(answered));
    assert!(!answered(&mut greedy.stream(&running)));
    assert!(answered(&mut modest.stream(&running)));
    assert!(held.iter_mut().all(answered));
}
