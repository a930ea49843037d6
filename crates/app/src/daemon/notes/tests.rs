use std::net::Ipv4Addr;
use std::sync::mpsc::channel;

use tracing::dispatcher::with_default;

use super::*;

#[test]
fn who_notes_waits_for_no_terminal_and_what_found_no_room_is_counted() {
    let (written, seen) = channel();
    let (open, held) = sync_channel::<()>(0);
    let mut queue = Queue::written_by(false, move |line| {
        let _ = held.recv();
        let _ = written.send(String::from_utf8_lossy(line).into_owned());
    });
    // One may be in the hands of the thread already.
    for number in 0..WAITING_MAX + 11 {
        queue.write_all(format!("note {number}\n").as_bytes()).unwrap();
    }
    drop(open);
    let last = seen.iter().find(|text| !text.starts_with("note "));
    let (count, _) = last.as_deref().unwrap().split_once(' ').unwrap();
    assert!([10, 11].contains(&count.parse::<usize>().unwrap()), "{last:?}");
    // Two more were taken: there is room for a note, and for the end.
    assert_eq!(seen.iter().take(2).count(), 2);
    queue.write_all(b"and on\n").unwrap();
    queue.end();
    assert!(seen.try_iter().any(|text| text == "and on\n"));
}

/// What is written of some events.
fn written(log: Log, act: impl FnOnce()) -> String {
    let (line, lines) = channel();
    let queue = Queue::written_by(log.json, move |bytes| drop(line.send(bytes.to_vec())));
    with_default(&subscriber(log, Screen::of_a_pipe(), &queue), act);
    queue.end();
    String::from_utf8(lines.try_iter().flatten().collect()).unwrap()
}

#[test]
fn of_others_only_warnings_are_told_however_fine_the_level() {
    let act = || {
        tracing::debug!(target: OURS, "ours");
        tracing::info!(target: "hyper::client", "authorization: secret");
        tracing::debug!(target: "object_store", "secret");
        tracing::warn!(target: "object_store", "theirs");
    };
    let told = written(Log { json: false, level: LevelFilter::TRACE }, act);
    assert!(told.contains("debug: ours") && told.contains("warning: theirs"), "{told}");
    assert!(!told.contains("secret"), "{told}");
    let told = written(Log { json: false, level: LevelFilter::ERROR }, act);
    assert_eq!(told, "");
}

#[test]
fn for_programs_each_note_is_an_object() {
    let told = written(Log { json: true, ..Log::default() }, || {
        tracing::warn!(target: OURS, node = "pi1", "gone\n\u{1b}");
    });
    let line: serde_json::Value = serde_json::from_str(told.trim_end()).unwrap();
    assert_eq!(told.lines().count(), 1);
    assert_eq!(
        (&line["level"], &line["message"], &line["node"]),
        (&"WARN".into(), &"gone\n\u{1b}".into(), &"pi1".into())
    );
    assert!(cocli_core::Instant::read(line["timestamp"].as_str().unwrap()).is_some(), "{line}");
}

#[test]
fn a_peer_is_told_of_when_it_comes_and_when_it_goes_and_not_in_between() {
    let (node, at) = (NodeId::read("pi1").unwrap(), (Ipv4Addr::LOCALHOST, 9).into());
    let told = written(Log::default(), || {
        let mut up = Up::default();
        for live in [false, true, true, false, false, true] {
            up.note([(&node, at, live)]);
        }
        up.note([]);
    });
    let said: Vec<&str> = told.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    let (here, gone) = (
        "a peer is here node=pi1 address=127.0.0.1:9",
        "warning: a peer is gone node=pi1 address=127.0.0.1:9",
    );
    assert_eq!(said, [here, gone, here]);
}
