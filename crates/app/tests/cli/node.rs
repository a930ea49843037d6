//! The nodes of a cluster, and how one is left out of it.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use cocli_core::LogId;
use cocli_core::gossip::stream::Question;
use cocli_net::{
    Gate, Identity, Key, KeyId, Party, Ring, Ticket, Timeouts, accept, connect_under, open, seal,
};

use crate::cluster::{Daemon, daemon, level, member, until};
use crate::support::Home;

struct Node {
    home: Home,
    daemon: Option<Daemon>,
}

impl Node {
    fn address(&self) -> &str {
        self.daemon.as_ref().map_or("", |daemon| &daemon.address)
    }

    fn kill(&mut self) {
        self.daemon = None;
    }

    /// Starts again, and knows where these are.
    fn start(&mut self, peers: &[&Self]) {
        let peers: Vec<&str> = peers.iter().map(|peer| peer.address()).collect();
        self.daemon = Some(daemon(&self.home, &peers));
    }

    fn run(&self, words: &[&str]) -> String {
        self.home.run(words).ok()
    }

    /// The ids of the keys here, the one in use first.
    fn keys(&self) -> Vec<String> {
        self.run(&["key", "list"]).lines().map(|line| line[..8].to_string()).collect()
    }
}

/// Nodes that know each other and are level: `pi1`, then these.
fn cluster<const N: usize>(names: [&str; N]) -> (Node, [Node; N]) {
    let mut one = Node { home: Home::new(), daemon: None };
    one.start(&[]);
    let others = names.map(|name| {
        let mut node = Node { home: member(&one.home, name), daemon: None };
        node.start(&[&one]);
        node
    });
    one.run(&["set", "companies/acme", "before=1"]);
    let homes: Vec<&Home> = [&one].into_iter().chain(&others).map(|node| &node.home).collect();
    level(&homes);
    // Everybody has met everybody.
    for node in [&one].into_iter().chain(&others) {
        until(|| node.run(&["status"]).matches("level").count() >= N);
    }
    (one, others)
}

/// These hold one key, the same, and it is not `old`.
fn share_a_new_key(nodes: &[&Node], old: &str) {
    let keys = || nodes.iter().map(|node| node.keys()).collect::<Vec<_>>();
    until(|| {
        let keys = keys();
        keys.iter().all(|held| *held == keys[0] && held.len() == 1 && held[0] != old)
    });
}

fn json(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_node_that_is_left_out_hears_nothing_more_and_is_not_heard() {
    let (pi1, [laptop, cloud]) = cluster(["laptop", "cloud1"]);
    let old = pi1.keys().remove(0);
    let told = pi1.run(&["node", "rm", "laptop"]);
    assert!(told.contains("laptop is left out") && told.contains("has it: cloud1"), "{told}");
    laptop.run(&["set", "companies/acme", "stolen=1"]);
    for (at, writer) in [&pi1, &cloud].into_iter().enumerate() {
        writer.run(&["set", "companies/acme", &format!("f{at}=v")]);
        level(&[&pi1.home, &cloud.home]);
    }
    share_a_new_key(&[&pi1, &cloud], &old);
    cloud.run(&["set", "companies/acme", "after=1"]);
    level(&[&pi1.home, &cloud.home]);
    for field in ["f0", "f1", "after"] {
        laptop.home.run(&["get", "companies/acme", field]).fails(3, field);
    }
    for node in [&pi1, &cloud] {
        node.home.run(&["get", "companies/acme", "stolen"]).fails(3, "no stolen");
    }
    // Both know who is out, and say whose packets they do not read.
    for node in [&pi1, &cloud] {
        let list = node.run(&["node", "list"]);
        assert!(list.lines().any(|line| line.starts_with("laptop  removed on 20")), "{list}");
        until(|| node.run(&["status"]).contains("a node that was left out has it"));
        assert!(
            node.run(&["status"])
                .lines()
                .any(|l| l.starts_with("  laptop") && l.contains("left out"))
        );
    }
    let list = json(&pi1.run(&["--json", "node", "list"]));
    let of = |name: &str| list.iter().find(|one| one["node"] == name).unwrap();
    let new = pi1.keys().remove(0);
    assert_eq!((&of("pi1")["standing"], &of("pi1")["key"]), (&"this node".into(), &(*new).into()));
    assert_eq!(
        (&of("cloud1")["standing"], &of("cloud1")["key"]),
        (&"alive".into(), &(*new).into())
    );
    assert_eq!((&of("laptop")["refused"], &of("laptop")["key"]), (&true.into(), &().into()));
    assert_eq!(of("cloud1")["stream_key"].as_str().unwrap().len(), 8);
}

#[test]
fn while_one_of_the_living_lacks_the_key_it_waits_but_who_is_out_is_out_at_once() {
    let (pi1, [laptop, cloud, pi2]) = cluster(["laptop", "cloud1", "pi2"]);
    let ticket = Ticket::from_text(&pi1.run(&["ticket"])).unwrap();
    let old = pi1.keys().remove(0);
    cloud.daemon.as_ref().unwrap().signal("-STOP");
    let told = json(&pi1.run(&["--json", "node", "rm", "laptop", "--timeout", "0"])).remove(0);
    assert_eq!(told["in_use"], false);
    let mut keys = Vec::new();
    until(|| {
        keys = pi2.keys();
        keys.len() == 2
    });
    assert_eq!(keys[0], old, "it is there, and waits for cloud1");
    // The old key still opens streams, but not to who is out.
    let log = LogId::read("pi1").unwrap();
    let data = Question::Common { log, heads: Vec::new() }.write();
    assert_eq!(Caller::of(&ticket, &laptop.home).ask(&pi1, &data), None);
    assert!(Caller::of(&ticket, &cloud.home).ask(&pi1, &data).is_some());
    laptop.run(&["set", "companies/acme", "stolen=1"]);
    for (at, writer) in [&pi1, &pi2, &pi1].into_iter().enumerate() {
        writer.run(&["set", "companies/acme", &format!("f{at}=v")]);
        level(&[&pi1.home, &pi2.home]);
    }
    laptop.home.run(&["get", "companies/acme", "f0"]).fails(3, "no f0");
    pi1.home.run(&["get", "companies/acme", "stolen"]).fails(3, "no stolen");
    cloud.daemon.as_ref().unwrap().signal("-CONT");
    share_a_new_key(&[&pi1, &cloud, &pi2], &old);
    level(&[&pi1.home, &cloud.home, &pi2.home]);
}

#[test]
fn who_was_away_is_handed_the_key_by_whoever_is_there_and_then_the_old_one_goes() {
    let (mut pi1, [_laptop, cloud, mut pi2]) = cluster(["laptop", "cloud1", "pi2"]);
    let old = pi1.keys().remove(0);
    pi2.kill();
    until(|| pi1.run(&["node", "list"]).contains("pi2  away"));
    let told = json(&pi1.run(&["--json", "node", "rm", "laptop"])).remove(0);
    assert_eq!(told["lack"], serde_json::json!(["pi2"]));
    until(|| cloud.keys().len() == 2 && cloud.keys()[1] == old);
    pi1.run(&["set", "companies/acme", "meanwhile=1"]);
    level(&[&pi1.home, &cloud.home]);
    // The one that made it is gone: the others do without.
    pi1.kill();
    pi2.start(&[&cloud]);
    level(&[&pi2.home, &cloud.home]);
    assert_eq!(pi2.run(&["get", "companies/acme", "meanwhile"]), "1\n");
    assert!(cloud.keys().contains(&old), "pi1 may not know yet that pi2 has come");
    pi1.start(&[&cloud]);
    share_a_new_key(&[&pi1, &cloud, &pi2], &old);
    pi1.run(&["set", "companies/acme", "after=1"]);
    level(&[&pi1.home, &cloud.home, &pi2.home]);
}

#[test]
fn whatever_dies_in_between_the_key_gets_to_all() {
    let (mut pi1, [mut laptop, mut cloud]) = cluster(["laptop", "cloud1"]);
    let old = pi1.keys().remove(0);
    let before = std::fs::read(pi1.home.file(".cocli/keys")).unwrap();
    for node in [&mut pi1, &mut laptop, &mut cloud] {
        node.kill();
    }
    let told = pi1.run(&["node", "rm", "laptop"]);
    assert!(told.contains("as soon as a daemon runs here: `cocli daemon`"), "{told}");
    // Cut off between its two files.
    std::fs::write(pi1.home.file(".cocli/keys"), before).unwrap();
    pi1.start(&[]);
    until(|| pi1.keys().len() == 2);
    pi1.kill();
    // Killed before anybody was met; then once more when the other one may have it.
    pi1.start(&[]);
    cloud.start(&[&pi1]);
    until(|| cloud.keys().len() == 2);
    pi1.kill();
    pi1.start(&[&cloud]);
    share_a_new_key(&[&pi1, &cloud], &old);
    pi1.run(&["set", "companies/acme", "after=1"]);
    level(&[&pi1.home, &cloud.home]);
    // To ask once more is no new key.
    let keys = pi1.keys();
    pi1.run(&["node", "rm", "laptop"]);
    assert_eq!(pi1.keys(), keys);
}

/// What somebody can do who has the old key and a stream key.
struct Caller {
    ring: Ring,
    cluster: [u8; 16],
    identity: Identity,
}

impl Caller {
    fn new(ticket: &Ticket, identity: Identity) -> Self {
        Self { ring: Ring::new(ticket.key.clone()), cluster: ticket.cluster, identity }
    }

    fn of(ticket: &Ticket, home: &Home) -> Self {
        let private = std::fs::read(home.file(".cocli/identity")).unwrap();
        Self::new(ticket, Identity::from_bytes(private.try_into().unwrap()))
    }

    fn ask(&self, at: &Node, question: &[u8]) -> Option<Vec<u8>> {
        let Self { ring, cluster, identity } = self;
        let party = Party { ring, cluster, identity, timeouts: Timeouts::default() };
        let to = at.address().parse().unwrap();
        let mut stream = connect_under(to, &party, ring.in_use().id()).unwrap();
        stream.send(question).and_then(|()| stream.recv(100_000)).ok()
    }

    fn send(&self, from: &UdpSocket, to: &Node, plaintext: &[u8]) {
        let mut packet = Vec::new();
        seal(&self.ring, &self.cluster, plaintext, &mut packet).unwrap();
        from.send_to(&packet, to.address()).unwrap();
    }

    /// The length of what comes, which it cannot open.
    fn hears(&self, at: &UdpSocket) -> usize {
        let mut buffer = [0; 1500];
        let bytes = at.recv(&mut buffer).unwrap();
        assert_ne!(buffer[4..8], self.ring.in_use().id().0);
        assert!(open(&self.ring, &self.cluster, &buffer[..bytes]).is_err());
        bytes
    }

    /// What it is told over the first stream that comes; `None` when the other side ends it.
    fn called(&self, at: &TcpListener) -> Option<Vec<u8>> {
        at.set_nonblocking(true).unwrap();
        let mut call = None;
        until(|| {
            call = at.accept().ok();
            call.is_some()
        });
        let (tcp, peer) = call.unwrap();
        self.hears_call(tcp, peer)
    }

    fn hears_call(&self, tcp: TcpStream, peer: SocketAddr) -> Option<Vec<u8>> {
        let Self { ring, cluster, identity } = self;
        let party = Party { ring, cluster, identity, timeouts: Timeouts::default() };
        let pass = Gate::default().enter(&tcp, peer).unwrap();
        accept(tcp, peer, &party, pass).unwrap().recv(100_000).ok()
    }
}

#[test]
fn the_old_key_is_good_for_nothing_but_to_be_handed_the_new_one_as_who_one_is() {
    let (pi1, [laptop, mut pi2]) = cluster(["laptop", "pi2"]);
    let ticket = Ticket::from_text(&pi1.run(&["ticket"])).unwrap();
    pi2.kill();
    until(|| pi1.run(&["node", "list"]).contains("pi2  away"));
    pi1.run(&["node", "rm", "laptop", "--timeout", "40"]);
    let new = KeyId::read(&pi1.keys()[0]).unwrap();
    assert_ne!(new, ticket.key.id());
    let log = LogId::read("pi1").unwrap();
    let data = Question::Common { log, heads: Vec::new() }.write();
    let fresh = Identity::fresh().unwrap();
    // A second name, written where it will be known.
    pi1.run(&["set", "nodes/second", &format!("key={}", fresh.public_hex())]);
    let second = Caller::new(&ticket, fresh);
    assert_eq!(second.ask(&pi1, &data), None, "no data under the old key");
    assert_eq!(second.ask(&pi1, &[3]), Some(vec![3]), "and no key for who came to be known later");
    let stolen = Caller::of(&ticket, &laptop.home);
    assert_eq!(stolen.ask(&pi1, &[3]), None);
    let absent = Caller::of(&ticket, &pi2.home);
    assert_eq!(absent.ask(&pi1, &data), None);
    let answer = String::from_utf8(absent.ask(&pi1, &[3]).unwrap()).unwrap();
    assert!(answer.contains(&format!("key {new}")) && answer.contains("out laptop"));

    // Whoever says in a packet to be pi2 sees that there is another key, and nothing of what it seals.
    let (listener, socket) = both_ports();
    let mut hello = b"\x03pi2".to_vec();
    hello.resize(100, 0);
    absent.send(&socket, &pi1, &hello);
    assert!(absent.hears(&socket) < 100, "no larger than what came");
    // It is called, and has to be pi2.
    let told = absent.called(&listener).unwrap();
    assert!(String::from_utf8(told).unwrap().contains(&format!("key {new}")));
    let (listener, socket) = both_ports();
    stolen.send(&socket, &pi1, &hello);
    stolen.hears(&socket);
    assert_eq!(stolen.called(&listener), None);
    let (listener, socket) = both_ports();
    second.send(&socket, &pi1, &hello);
    second.hears(&socket);
    assert_eq!(second.called(&listener), Some(vec![3]));
}

/// A port for streams, and the same for packets.
fn both_ports() -> (TcpListener, UdpSocket) {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Somebody else may have it for packets.
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()) {
            socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            return (listener, socket);
        }
    }
}

#[test]
fn who_sees_a_key_that_it_lacks_where_it_hopes_for_a_peer_calls_there_and_asks() {
    let (pi1, [mut pi2]) = cluster(["pi2"]);
    let ticket = Ticket::from_text(&pi1.run(&["ticket"])).unwrap();
    let known = Caller::of(&ticket, &pi1.home);
    drop(pi1);
    pi2.kill();
    let (listener, socket) = both_ports();
    let at = socket.local_addr().unwrap().to_string();
    pi2.daemon = Some(daemon(&pi2.home, &[&at]));
    // Its hello comes here; what answers it is sealed with another key.
    let mut buffer = [0; 1500];
    let asked = loop {
        let (_, from) = socket.recv_from(&mut buffer).unwrap();
        let mut packet = Vec::new();
        let other = Ring::new(Key::fresh().unwrap());
        seal(&other, &known.cluster, &[], &mut packet).unwrap();
        socket.send_to(&packet, from).unwrap();
        listener.set_nonblocking(true).unwrap();
        if let Ok((tcp, peer)) = listener.accept() {
            break known.hears_call(tcp, peer);
        }
    };
    assert_eq!(asked, Some(vec![3]));
}

#[test]
fn what_node_rm_cannot_do_it_says_and_changes_nothing() {
    let (pi1, [_laptop]) = cluster(["laptop"]);
    let keys = pi1.keys();
    pi1.home.run(&["node", "rm", "pi1"]).fails(4, "`cocli leave`");
    pi1.home.run(&["node", "rm", "lapotp"]).fails(3, "the nearest is `laptop`");
    pi1.home.run(&["node", "rm", "x/y"]).fails(3, "`cocli node list` shows all");
    pi1.run(&["key", "add"]);
    pi1.run(&["key", "add"]);
    pi1.home.run(&["node", "rm", "laptop"]).fails(4, "`cocli key remove ID`");
    assert!(!pi1.home.file(".cocli/rekey").exists());
    assert_eq!((pi1.keys().len(), &pi1.keys()[0]), (3, &keys[0]));
}

#[test]
fn retired_and_awaited_keys_are_no_ones_to_use_or_remove_by_mistake() {
    let (mut pi1, [mut laptop, mut pi2]) = cluster(["laptop", "pi2"]);
    for node in [&mut pi1, &mut laptop, &mut pi2] {
        node.kill();
    }
    let old = pi1.keys().remove(0);
    pi1.run(&["node", "rm", "laptop"]);
    let new = pi1.keys().remove(1);
    pi1.home.run(&["key", "remove", &new]).fails(4, "is being handed to the other nodes");
    // Who joins now is given the key to come: with the old one it would be a stranger soon.
    let ticket = Ticket::from_text(&pi1.run(&["ticket"])).unwrap();
    assert_eq!(ticket.key.id().to_string(), new);
    pi1.run(&["key", "use", &new]);
    pi1.home.run(&["key", "use", &old]).fails(4, "a node that was left out has it");
    assert!(pi1.run(&["key", "list"]).contains("hands the new key to who was away"));
    pi1.run(&["key", "remove", &old]);
    assert_eq!(pi1.keys(), [new]);
}

#[test]
fn who_left_is_not_waited_for_and_is_shown_as_one_that_left_until_it_is_back() {
    let (pi1, [_laptop, mut cloud]) = cluster(["laptop", "cloud1"]);
    let old = pi1.keys().remove(0);
    cloud.run(&["leave"]);
    cloud.kill();
    until(|| pi1.run(&["node", "list"]).lines().any(|l| l.starts_with("cloud1  left on 20")));
    let told = json(&pi1.run(&["--json", "node", "rm", "laptop", "--timeout", "40"])).remove(0);
    assert_eq!(told["lack"], serde_json::json!([]));
    share_a_new_key(&[&pi1], &old);
    let ticket = pi1.run(&["ticket"]);
    cloud.home.input(&["join", "-"], ticket.as_bytes()).ok();
    cloud.start(&[&pi1]);
    level(&[&pi1.home, &cloud.home]);
    let back = |one: &serde_json::Value| {
        one["node"] == "cloud1" && one["standing"] == "alive" && one["left"].is_null()
    };
    until(|| json(&pi1.run(&["--json", "node", "list"])).iter().any(back));
}
