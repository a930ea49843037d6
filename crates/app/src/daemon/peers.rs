//! The addresses behind names that a person wrote. A name server may be slow or away, and addresses
//! change: each name is asked for in a thread of its own, again and again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{SendError, Sender};
use std::time::Duration;

use cocli_net::{Mdns, ResolveError, local_name, resolve};

use super::discovery::Layer;
use super::wiring::PORT;
use super::{Event, callers};
use crate::clock;
use crate::failure::chain;

/// An address is asked for this often.
const AGAIN: Duration = Duration::from_secs(60);

/// Looks for all names until the daemon ends.
pub(super) fn look(
    layer: Layer,
    names: &[String],
    mdns: Option<&Arc<Mdns>>,
    events: &Sender<Event>,
) {
    for name in names {
        let mut search = Search::new(layer, name, events);
        let mdns = mdns.cloned();
        std::thread::spawn(move || {
            let find = |name: &str| find(layer, name, mdns.as_deref());
            while search.once(find).is_ok() {
                clock::pass(AGAIN);
            }
        });
    }
}

/// Looks for all names once.
pub(super) fn ask(
    layer: Layer,
    names: &[String],
    mdns: Option<&Arc<Mdns>>,
    events: &Sender<Event>,
) {
    for name in names {
        let mut search = Search::new(layer, name, events);
        let mdns = mdns.cloned();
        // When the system has no thread left, it is asked again the next time.
        let _ =
            callers::serve(move || drop(search.once(|name| find(layer, name, mdns.as_deref()))));
    }
}

fn find(layer: Layer, name: &str, mdns: Option<&Mdns>) -> Result<Vec<SocketAddr>, ResolveError> {
    match layer {
        Layer::Campaign => machine(name, mdns),
        _ => address(name, mdns),
    }
}

/// The addresses of a machine that a campaign names in short: the Python program asks for it under
/// these names.
fn machine(host: &str, mdns: Option<&Mdns>) -> Result<Vec<SocketAddr>, ResolveError> {
    let plain = address(host, mdns);
    if host.contains('.') {
        return plain;
    }
    let longer = [format!("{host}.pi"), format!("{host}.local")];
    let longer = longer.iter().filter_map(|name| address(name, mdns).ok());
    let found: Vec<SocketAddr> = longer.flatten().chain(plain.iter().flatten().copied()).collect();
    if found.is_empty() { plain } else { Ok(found) }
}

/// Names of multicast DNS are asked for there first: not every system does, and its name server may
/// take long to say no.
fn address(peer: &str, mdns: Option<&Mdns>) -> Result<Vec<SocketAddr>, ResolveError> {
    if let (Some(mdns), Some((host, port))) = (mdns, local_name(peer, PORT)) {
        let found = mdns.resolve(host, port);
        if !found.is_empty() {
            return Ok(found);
        }
    }
    resolve(peer, PORT)
}

/// A name that is asked for. What is found is told each time; what is wrong once, until it changes.
struct Search {
    layer: Layer,
    name: String,
    events: Sender<Event>,
    told: Option<String>,
}

impl Search {
    fn new(layer: Layer, name: &str, events: &Sender<Event>) -> Self {
        Self { layer, name: name.into(), events: events.clone(), told: None }
    }

    /// Fails when nobody listens any more.
    fn once(
        &mut self,
        find: impl Fn(&str) -> Result<Vec<SocketAddr>, ResolveError>,
    ) -> Result<(), SendError<Event>> {
        let (layer, name) = (self.layer, self.name.clone());
        match find(&name) {
            Ok(addresses) => {
                self.told = None;
                self.events.send(Event::Found { layer, name, addresses })
            }
            Err(error) => {
                let why = chain(&error);
                if self.told.as_ref() == Some(&why) {
                    return Ok(());
                }
                self.told = Some(why.clone());
                self.events.send(Event::Nowhere { layer, name, why })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_name_that_comes_later_is_found_and_its_absence_is_told_once() {
        let found: SocketAddr = "192.0.2.1:9999".parse().unwrap();
        let (events, queue) = channel();
        let mut search = Search::new(Layer::Configured, "pi1.local", &events);
        for turn in 1..=6 {
            let unknown =
                |said: &str| ResolveError::Unknown { peer: "pi1.local".into(), said: said.into() };
            let find = |_: &str| match turn {
                1 | 2 | 6 => Err(unknown("away")),
                3 => Err(unknown("refused")),
                _ => Ok(vec![found]),
            };
            search.once(find).unwrap();
        }
        let told: Vec<String> = queue
            .try_iter()
            .map(|event| match event {
                Event::Nowhere { why, .. } => why,
                Event::Found { addresses, .. } => addresses[0].to_string(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told.len(), 5, "{told:?}");
        for (text, says) in told.iter().zip(["away", "refused", "192.", "192.", "away"]) {
            assert!(text.contains(says), "expected {says}: {told:?}");
        }
    }

    #[test]
    fn a_machine_in_short_is_looked_for_by_its_plain_name_too() {
        let found = machine("localhost", None).unwrap();
        assert!(found.iter().all(|a| a.ip().is_loopback() && a.port() == PORT), "{found:?}");
        assert!(machine("nobody.invalid", None).is_err());
    }
}
