//! Nodes of the cluster on the local network. That they cannot be looked for is worth a notice and
//! nothing more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use cocli_core::digest::hash;
use cocli_net::{Announcement, Interface, Interfaces, Mdns, Sighting};
use cocli_node::Home;
use serde_json::{Value as Json, json};

use super::Event;
use super::discovery::Layer;
use super::wiring::Options;
use crate::clock;

/// So much of a node's name stands in that of its service.
const NODE_CHARS_MAX: usize = 40;

/// Begins to tell of this node and to hear of others; or says why not.
pub(super) fn listen(
    home: &Home,
    options: &Options,
    listening: SocketAddr,
    events: &Sender<Event>,
) -> Result<Arc<Mdns>, String> {
    if listening.ip().is_loopback() {
        return Err("the daemon listens on this machine alone".into());
    }
    let Some(interfaces) = options.nearby.clone() else {
        return Err("`[gossip] mdns = false`".into());
    };
    let announcement = Announcement {
        instance: instance(home),
        node: home.node().to_string(),
        cluster: home.cluster().0,
        listening,
    };
    let (events, told) = (events.clone(), Arc::new(AtomicBool::new(false)));
    let notices = events.clone();
    let tell = move |sighting| {
        let event = match sighting {
            Sighting::Found { name, addresses, .. } => {
                Event::Found { layer: Layer::Mdns, name, addresses }
            }
            Sighting::Lost { name } => Event::Lost { name },
            // An interface that does not work fails again and again.
            Sighting::Trouble(_) if told.swap(true, Ordering::Relaxed) => return true,
            Sighting::Trouble(text) => Event::Notice(text),
        };
        events.send(event).is_ok()
    };
    Mdns::start(&announcement, interfaces, tell).map(Arc::new).map_err(|error| {
        let _ = notices.send(Event::Notice(error.to_string()));
        error.to_string()
    })
}

/// The interfaces of this machine, and why some are not used. The daemon is asked for its own: it may
/// run where others see other ones, such as in a container.
pub(crate) fn interfaces(home: &Home) -> Vec<Json> {
    let interfaces = Interfaces::new(home.config().gossip.interfaces.clone());
    let shown = |one: Interface| {
        let addresses: Vec<String> = one.addresses.iter().map(ToString::to_string).collect();
        let skipped = one.skipped.map(|why| why.to_string());
        json!({"name": one.name, "addresses": addresses, "skipped": skipped})
    };
    interfaces.here().unwrap_or_default().into_iter().map(shown).collect()
}

/// A name for the service that stays the same from start to start, and that neither a node of the
/// same name in another cluster nor a clone of this home bears.
fn instance(home: &Home) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let node: String = home.node().as_str().chars().take(NODE_CHARS_MAX).map(plain).collect();
    let whose = format!("{}@{}:{}", home.name(), clock::rim().machine, home.path().display());
    format!("{node}-{:08x}", hash(whose.as_bytes()) >> 96)
}
