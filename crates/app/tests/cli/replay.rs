//! Packets that somebody recorded on their way, sent again from elsewhere.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value as Json;

use crate::cluster::{daemon, level, member};
use crate::support::Home;

const PACKET_BYTES_MAX: usize = 1_200;
/// How long an answer may take to come back on the loopback.
const ANSWER: Duration = Duration::from_millis(30);
/// As many as are sent again each time.
const PACKETS: usize = 60;

/// Stands between two daemons and keeps what passes.
struct Tap {
    /// Where one of them thinks the other is.
    front: SocketAddr,
    /// Where the other thinks that one is.
    back: Arc<UdpSocket>,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Tap {
    fn before(to: &str) -> Self {
        let front = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let back = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let to: SocketAddr = to.parse().unwrap();
        let (caller, seen) = (Arc::new(Mutex::new(to)), Arc::new(Mutex::new(Vec::new())));
        let tap = Self { front: front.local_addr().unwrap(), back, seen };
        let (near, far, from) = (Arc::clone(&front), Arc::clone(&tap.back), Arc::clone(&caller));
        tap.pass(Arc::clone(&front), move |packet, sender| {
            *from.lock().unwrap() = sender;
            let _ = far.send_to(packet, to);
        });
        tap.pass(Arc::clone(&tap.back), move |packet, _| {
            let _ = near.send_to(packet, *caller.lock().unwrap());
        });
        tap
    }

    fn pass(&self, from: Arc<UdpSocket>, on: impl Fn(&[u8], SocketAddr) + Send + 'static) {
        let seen = Arc::clone(&self.seen);
        std::thread::spawn(move || {
            let mut buffer = [0; PACKET_BYTES_MAX];
            loop {
                let Ok((length, sender)) = from.recv_from(&mut buffer) else { continue };
                seen.lock().unwrap().push(buffer[..length].to_vec());
                on(&buffer[..length], sender);
            }
        });
    }

    /// Packets of every length that passed, spread over all that did.
    fn recorded(&self) -> Vec<Vec<u8>> {
        let seen = self.seen.lock().unwrap();
        seen.iter().step_by((seen.len() / PACKETS).max(1)).cloned().collect()
    }
}

/// Sends each packet from an address of its own, and holds what comes back against it.
fn replay(packets: &[Vec<u8>], to: &str, network: u8) -> usize {
    let mut answers = 0;
    for (n, packet) in packets.iter().enumerate() {
        let from = Ipv4Addr::new(127, 0, network, u8::try_from(n % 250 + 1).unwrap());
        let socket = UdpSocket::bind((from, 0)).unwrap();
        socket.set_read_timeout(Some(ANSWER)).unwrap();
        socket.send_to(packet, to).unwrap();
        let mut buffer = [0; PACKET_BYTES_MAX];
        let mut came = 0;
        loop {
            match socket.recv_from(&mut buffer) {
                Ok((length, _)) => (came, answers) = (came + length, answers + 1),
                Err(e) => break assert!(matches!(e.kind(), ErrorKind::WouldBlock), "{e}"),
            }
        }
        assert!(came <= packet.len(), "{came} bytes for {}", packet.len());
    }
    answers
}

/// All that a replay could move: what is held, what is written, and who is where.
fn seen(home: &Home) -> (String, u64, Json, BTreeSet<String>) {
    let status: Json = serde_json::from_str(&home.run(&["--json", "status"]).ok()).unwrap();
    let net: Json = serde_json::from_str(&home.run(&["--json", "doctor", "net"]).out).unwrap();
    let addresses = net["daemon"]["addresses"].as_array().unwrap().iter();
    let addresses = addresses.map(|entry| entry["address"].as_str().unwrap().to_string());
    let digest = home.run(&["--json", "state", "--digest"]).ok();
    // Heartbeats go on by themselves.
    let mut vector = status["vector"].clone();
    vector.as_object_mut().unwrap().retain(|log, _| !log.contains("~~"));
    (digest, home.written(), vector, addresses.collect())
}

#[test]
fn packets_sent_again_from_elsewhere_move_no_data_and_no_address_book() {
    let one = Home::new();
    let other = member(&one, "laptop");
    let mut first = daemon(&one, &[]);
    let tap = Tap::before(&first.address);
    let mut second = daemon(&other, &[&tap.front.to_string()]);
    for n in 1..6 {
        let long = format!("note{n}={}", "x".repeat(n * 150));
        one.run(&["set", "companies/acme", &long, "--wait", "1"]).ok();
        other.run(&["set", "companies/other", &long, "--wait", "1"]).ok();
    }
    level(&[&one, &other]);

    let before = seen(&one);
    assert!(before.3.contains(&tap.back.local_addr().unwrap().to_string()), "{before:?}");
    let packets = tap.recorded();
    assert!(packets.len() >= 20, "{}", packets.len());
    assert_eq!(replay(&packets, &first.address, 1), 0, "what came before is not answered");
    for packet in &packets {
        tap.back.send_to(packet, &first.address).unwrap();
    }
    one.run(&["get", "companies/acme", "note1"]).ok();
    assert_eq!(seen(&one), before);

    // After a restart nobody is known, and what was recorded proves nobody.
    second.kill();
    first.kill();
    let again = daemon(&one, &[]);
    let answers = replay(&packets, &again.address, 2);
    assert!(answers > 0, "a boot that is new here is asked to prove itself");
    let after = seen(&one);
    assert_eq!((&after.0, after.1, &after.2), (&before.0, before.1, &before.2));
    let forged = |address: &&String| !before.3.contains(*address);
    assert_eq!(after.3.iter().find(forged), None, "{after:?}");
    let status: Json = serde_json::from_str(&one.run(&["--json", "status"]).ok()).unwrap();
    assert_eq!(status["daemon"]["peers"], Json::Array(Vec::new()), "{status}");
}
