//! Credentials of the machine itself, from a metadata service that is only pretended.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use cocli_core::bucket::{Bucket, Created, FailureKind, Key};
use cocli_tier::{Environment, Settings, Store};

mod support;

use support::servers;

const ROLE: &str = r#"{"AccessKeyId": "test", "SecretAccessKey": "secret-of-test", "Token": "t",
    "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z",
    "Expiration": "2100-01-01T00:00:00Z"}"#;

/// Answers like a machine of EC2 with a role, or refuses everything.
fn machine(refuses: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = answer(stream.unwrap(), refuses);
        }
    });
    format!("http://127.0.0.1:{port}")
}

fn answer(mut stream: TcpStream, refuses: bool) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap()?;
    while !lines.next().unwrap()?.is_empty() {}
    let (status, body) = match first.split(' ').nth(1).unwrap() {
        _ if refuses => (403, "no"),
        "/latest/api/token" => (200, "token"),
        path if path.ends_with("/security-credentials/") => (200, "role"),
        path if path.ends_with("/role") => (200, ROLE),
        _ => (404, ""),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn settings(place: &str) -> Settings {
    Settings::new(Environment::of([("AWS_EC2_METADATA_SERVICE_ENDPOINT", place)]))
}

#[test]
fn a_machine_with_a_role_needs_no_keys() {
    // The one that believes every token.
    for server in servers().iter().rev().take(1) {
        let store = Store::open(server, &settings(&machine(false))).unwrap();
        let made = store.create(&Key::mirror("machine/1"), b"x");
        assert_eq!(made, Ok(Created::New));
        let counts = store.meter();
        assert_eq!((counts.puts, counts.others), (1, 3));
    }
}

#[test]
fn who_answers_in_a_machines_place_and_refuses_is_nobody() {
    let place = machine(true);
    let failure = Store::open("s3://b", &settings(&place)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Denied);
    let told = format!("the machine's role, at {place}: answers 403. Next: aws configure");
    assert!(failure.said.contains(&told), "{failure}");
}
