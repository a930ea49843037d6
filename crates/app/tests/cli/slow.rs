//! A link that carries little.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::{daemon, member};
use crate::support::Home;

/// Bytes that pass at a time, and the time.
const AT_A_TIME: usize = 4_096;
const EACH: Duration = Duration::from_millis(40);

/// A port by UDP and TCP that leads to `to`, at full width for packets and slowly for streams.
fn slow_link(to: &str) -> SocketAddr {
    let to: SocketAddr = to.parse().unwrap();
    let (listener, near) = loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(near) = UdpSocket::bind(listener.local_addr().unwrap()) {
            break (listener, Arc::new(near));
        }
    };
    let (address, far) = (listener.local_addr().unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    std::thread::spawn(move || {
        let (far, mut buffer) = (Arc::new(far), [0; 1_200]);
        let mut back_began = false;
        loop {
            let (length, from) = near.recv_from(&mut buffer).unwrap();
            if !std::mem::replace(&mut back_began, true) {
                let (near, far) = (Arc::clone(&near), Arc::clone(&far));
                std::thread::spawn(move || {
                    let mut buffer = [0; 1_200];
                    loop {
                        let (length, _) = far.recv_from(&mut buffer).unwrap();
                        let _ = near.send_to(&buffer[..length], from);
                    }
                });
            }
            let _ = far.send_to(&buffer[..length], to);
        }
    });
    std::thread::spawn(move || {
        for one in listener.incoming().map_while(Result::ok) {
            let Ok(other) = TcpStream::connect(to) else { continue };
            for (from, on) in [(one.try_clone().unwrap(), other.try_clone().unwrap()), (other, one)]
            {
                std::thread::spawn(move || trickle(from, on));
            }
        }
    });
    address
}

#[expect(clippy::disallowed_methods, reason = "the link is slow")]
fn trickle(mut from: TcpStream, mut on: TcpStream) {
    let mut buffer = [0; AT_A_TIME];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if on.write_all(&buffer[..length]).is_err() {
            break;
        }
        std::thread::sleep(EACH);
    }
    let _ = (from.shutdown(std::net::Shutdown::Both), on.shutdown(std::net::Shutdown::Both));
}

#[test]
fn a_record_that_takes_longer_than_a_stream_may_be_silent_arrives() {
    let one = Home::new();
    let other = member(&one, "laptop");
    let first = daemon(&one, &[]);
    let _second = daemon(&other, &[&slow_link(&first.address).to_string()]);
    one.run(&["set", "companies/acme", "city=Dallas", "--wait", "1"]).ok();
    // 100 KB a second: 18 s, where 15 s without an answer are a cut.
    let lines = format!(
        "{{\"target\":\"companies/acme\",\"field\":\"description\",\"value\":\"{}\"}}\n",
        "long ".repeat(360_000)
    );
    let words = ["set", "--from", "-", "--wait", "1", "--timeout", "40"];
    one.input(&words, lines.as_bytes()).ok();
}
