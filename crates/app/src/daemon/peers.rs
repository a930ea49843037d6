//! The addresses of the peers that a person named. A name server may be slow or away, and addresses
//! change: each peer is asked for in a thread of its own, again and again.

use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::time::Duration;

use cocli_net::{ResolveError, resolve};

use super::Event;
use super::wiring::PORT;
use crate::clock;
use crate::failure::chain;

/// An address is asked for this often.
const AGAIN: Duration = Duration::from_secs(60);

/// Looks for all peers until the daemon ends.
pub(super) fn look(peers: &[String], events: &Sender<Event>) {
    for peer in peers {
        let (peer, events) = (peer.clone(), events.clone());
        std::thread::spawn(move || keep(|| resolve(&peer, PORT), AGAIN, &events));
    }
}

/// What is found is told each time; what is wrong once, until it changes.
fn keep(
    mut find: impl FnMut() -> Result<Vec<SocketAddr>, ResolveError>,
    again: Duration,
    events: &Sender<Event>,
) {
    let mut told = None;
    loop {
        let event = match find() {
            Ok(addresses) => {
                told = None;
                Some(Event::Candidates(addresses))
            }
            Err(error) => {
                let text = chain(&error);
                let fresh = told.as_ref() != Some(&text);
                told = Some(text.clone());
                fresh.then_some(Event::Notice(text))
            }
        };
        if event.is_some_and(|event| events.send(event).is_err()) {
            return;
        }
        clock::pass(again);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn a_name_that_comes_later_is_found_and_its_absence_is_told_once() {
        let address: SocketAddr = "192.0.2.1:9999".parse().unwrap();
        let mut turn = 0;
        let find = move || {
            turn += 1;
            let unknown =
                |said: &str| ResolveError::Unknown { peer: "pi1.local".into(), said: said.into() };
            match turn {
                1 | 2 | 6 => Err(unknown("away")),
                3 => Err(unknown("refused")),
                _ => Ok(vec![address]),
            }
        };
        let (events, queue) = channel();
        std::thread::spawn(move || keep(find, Duration::from_millis(1), &events));
        let told: Vec<String> = (0..6)
            .map(|_| match queue.recv_timeout(LONG).unwrap() {
                Event::Notice(text) => text,
                Event::Candidates(found) => found[0].to_string(),
                other => panic!("{other:?}"),
            })
            .collect();
        for (text, says) in told.iter().zip(["away", "refused", "192.", "192.", "away", "192."]) {
            assert!(text.contains(says), "expected {says}: {told:?}");
        }
    }
}
