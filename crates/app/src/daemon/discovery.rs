//! Where addresses of peers come from. Each layer only gives candidates to the replica; which layer
//! gave which is kept for `cocli doctor net`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use cocli_core::gossip::{PeerStatus, Status};
use cocli_net::Mdns;
use cocli_node::{Home, Remembered, remember};
use serde_json::{Value as Json, json};

use super::memory::Memory;
use super::wiring::Options;
use super::{Event, nearby, peers};
use crate::clock;
use crate::failure::chain;

/// Fallback addresses are offered when nobody has answered for this long.
const ALONE: Duration = Duration::from_secs(30);
/// And asked for again this often while nobody does.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// Addresses of which it is kept where they come from; the local network may tell any number.
const ADDRESSES_MAX: usize = 1024;

/// Names that lead to one address, of which it is kept; the local network may tell any number.
const SOURCES_MAX: usize = 8;

/// Where an address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    /// `[gossip] peers`, or `--peer`.
    Configured,
    /// A service on the local network.
    Mdns,
    /// Met before.
    Remembered,
    /// A machine that a campaign names.
    Campaign,
    /// `[gossip] fallback`.
    Fallback,
    /// `[gossip] python_peers`: no node of ours, and no candidate.
    Python,
}

impl Layer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Mdns => "mdns",
            Self::Remembered => "remembered",
            Self::Campaign => "campaign",
            Self::Fallback => "fallback",
            Self::Python => "python",
        }
    }

    /// Whether a person named the address: those are never dropped for others.
    pub(super) fn is_named(self) -> bool {
        self == Self::Configured
    }
}

/// A name in a layer: of a host, a service, a node.
type Source = (Layer, String);

/// Which address comes from where, and which names lead nowhere.
#[derive(Debug, Default)]
struct Book {
    addresses: BTreeMap<SocketAddr, BTreeSet<Source>>,
    nowhere: BTreeMap<Source, String>,
}

impl Book {
    /// A name leads there, and nowhere else any more.
    fn found(&mut self, source: &Source, addresses: &[SocketAddr]) {
        self.lost(source);
        for address in addresses {
            if self.addresses.len() < ADDRESSES_MAX || self.addresses.contains_key(address) {
                let sources = self.addresses.entry(*address).or_default();
                if sources.len() < SOURCES_MAX || source.0 != Layer::Mdns {
                    sources.insert(source.clone());
                }
            }
        }
    }

    fn lost(&mut self, source: &Source) {
        self.nowhere.remove(source);
        self.addresses.retain(|_, sources| {
            sources.remove(source);
            !sources.is_empty()
        });
    }
}

/// Whether it is time for the fallback addresses.
#[derive(Debug)]
struct Solitude {
    since: Instant,
    asked: Option<Instant>,
}

impl Solitude {
    /// Says when to ask: nobody has been live for long, and the last time is a while ago.
    fn asks(&mut self, live: bool, now: Instant) -> bool {
        if live {
            (self.since, self.asked) = (now, None);
            return false;
        }
        let rests = self.asked.is_some_and(|at| now < at + ASK_AGAIN);
        let asks = now >= self.since + ALONE && !rests;
        if asks {
            self.asked = Some(now);
        }
        asks
    }
}

/// All layers of a running daemon.
#[derive(Debug)]
pub(super) struct Discovery {
    book: Book,
    mdns: Result<Arc<Mdns>, String>,
    fallback: Vec<String>,
    solitude: Solitude,
    known: Vec<Remembered>,
    memory: Memory,
}

impl Discovery {
    /// Begins to look, everywhere at once. Nothing that fails here stops the daemon.
    pub(super) fn begin(
        home: &Home,
        options: &Options,
        listening: SocketAddr,
        events: &Sender<Event>,
    ) -> cocli_node::Result<Self> {
        let tell = |event| drop(events.send(event));
        let mdns = nearby::listen(home, options, listening, events);
        let near = mdns.as_ref().ok();
        peers::look(Layer::Configured, &options.peers, near, events);
        peers::look(Layer::Python, &home.config().gossip.python_peers, near, events);
        let (hosts, told) = home.campaign_hosts();
        told.into_iter().for_each(|what| tell(Event::Notice(what)));
        let hosts: Vec<String> = hosts.into_iter().filter(|h| h != home.node().as_str()).collect();
        peers::look(Layer::Campaign, &hosts, near, events);
        let known = home.remembered().unwrap_or_else(|error| {
            let what = chain(&error);
            tell(Event::Notice(format!("peers met before are forgotten: {what}")));
            Vec::new()
        });
        for one in &known {
            let (name, addresses) = (one.node.to_string(), vec![one.address]);
            tell(Event::Found { layer: Layer::Remembered, name, addresses });
        }
        Ok(Self {
            book: Book::default(),
            mdns,
            fallback: options.fallback.clone(),
            solitude: Solitude { since: clock::monotonic(), asked: None },
            known,
            memory: Memory::start(home.again()?, events.clone()),
        })
    }

    pub(super) fn found(&mut self, layer: Layer, name: String, addresses: &[SocketAddr]) {
        let mut all = addresses.to_vec();
        if layer == Layer::Remembered {
            // One node may be remembered at several addresses; each is told by itself.
            let source = (layer, name.clone());
            let before = self.book.addresses.iter().filter(|(_, from)| from.contains(&source));
            all.extend(before.map(|(address, _)| *address));
        }
        self.book.found(&(layer, name), &all);
    }

    pub(super) fn lost(&mut self, name: String) {
        self.book.lost(&(Layer::Mdns, name));
    }

    /// A name leads nowhere now; where it led before is still asked. Tells whether that is news.
    pub(super) fn nowhere(&mut self, layer: Layer, name: String, why: &str) -> bool {
        let before = self.book.nowhere.insert((layer, name), why.to_string());
        before.as_deref() != Some(why)
    }

    /// Looks at who is there: remembers them, and asks for the fallback addresses when nobody is.
    pub(super) fn look(&mut self, peers: &[PeerStatus], events: &Sender<Event>) {
        let (now, day) = (clock::monotonic(), clock::now().day());
        let mut changed = false;
        for peer in peers.iter().filter(|peer| peer.live && !of_one_cable(peer.address)) {
            let met = Remembered { node: peer.node.clone(), address: peer.address, day };
            changed |= remember(&mut self.known, met);
        }
        if changed {
            self.memory.keep(self.known.clone());
        }
        if self.solitude.asks(peers.iter().any(|peer| peer.live), now) {
            peers::ask(Layer::Fallback, &self.fallback, self.mdns.as_ref().ok(), events);
        }
    }

    /// The daemon ends: says so on the local network, and keeps whom it met.
    pub(super) fn end(&mut self) {
        if let Ok(mdns) = &self.mdns {
            mdns.goodbye();
        }
        self.memory.end();
    }

    /// What `cocli doctor net` shows.
    pub(super) fn shown(&self, status: &Status) -> Json {
        let source = |(layer, name): &Source| json!({"layer": layer.name(), "name": name});
        let nowhere =
            self.book.nowhere.iter().map(
                |((layer, name), why)| json!({"layer": layer.name(), "name": name, "why": why}),
            );
        let none = BTreeSet::new();
        let met = status.peers.iter().flat_map(|peer| peer.addresses.iter());
        let all: BTreeSet<&SocketAddr> = self.book.addresses.keys().chain(met).collect();
        let addresses = all.into_iter().map(|address| {
            let here = status.peers.iter().filter(|peer| peer.addresses.contains(address));
            let peer = here.max_by_key(|peer| peer.live);
            let sources = self.book.addresses.get(address).unwrap_or(&none);
            json!({
                "address": address.to_string(),
                "from": sources.iter().map(source).collect::<Vec<_>>(),
                "node": peer.map(|peer| peer.node.as_str()),
                "live": peer.is_some_and(|peer| peer.live),
            })
        });
        json!({
            "mdns": {"runs": self.mdns.is_ok(), "why_not": self.mdns.as_ref().err()},
            "addresses": addresses.collect::<Vec<_>>(), "nowhere": nowhere.collect::<Vec<_>>(),
        })
    }
}

/// What a link-local address leads to depends on the cable; who is there is told by mDNS each time.
fn of_one_cable(address: SocketAddr) -> bool {
    matches!(address.ip(), IpAddr::V6(ip) if ip.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 9999))
    }

    #[test]
    fn a_name_that_leads_elsewhere_leads_there_alone_and_others_keep_their_address() {
        let (near, named) = ((Layer::Mdns, "a".to_string()), (Layer::Configured, "b".to_string()));
        let mut book = Book::default();
        book.found(&near, &[at(1), at(2)]);
        book.found(&named, &[at(2)]);
        book.found(&near, &[at(3)]);
        assert_eq!(book.addresses.keys().copied().collect::<Vec<_>>(), [at(2), at(3)]);
        book.lost(&near);
        assert_eq!(book.addresses.keys().copied().collect::<Vec<_>>(), [at(2)]);
    }

    #[test]
    fn link_local_addresses_are_not_remembered() {
        for (address, of_one) in
            [("[fe80::7%2]:9999", true), ("[fd00::7]:1", false), ("10.0.0.7:1", false)]
        {
            assert_eq!(of_one_cable(address.parse().unwrap()), of_one, "{address}");
        }
    }

    #[test]
    fn the_local_network_fills_no_memory() {
        let mut book = Book::default();
        for port in 0..2 * u16::try_from(ADDRESSES_MAX).unwrap() {
            book.found(&(Layer::Mdns, port.to_string()), &[(at(1).ip(), port).into()]);
        }
        assert_eq!(book.addresses.len(), ADDRESSES_MAX);
    }

    #[test]
    fn of_many_names_for_one_address_a_few_are_kept_and_the_one_that_a_person_wrote() {
        let (mut book, named) = (Book::default(), (Layer::Configured, "z".to_string()));
        for n in 0..100 {
            book.found(&(Layer::Mdns, n.to_string()), &[at(1)]);
            if n == 50 {
                book.found(&named, &[at(1)]);
            }
        }
        let sources = &book.addresses[&at(1)];
        assert!(sources.len() == SOURCES_MAX + 1 && sources.contains(&named), "{sources:?}");
    }

    #[test]
    fn fallbacks_are_asked_for_when_nobody_has_been_there_for_long_and_then_now_and_then() {
        let began = clock::monotonic();
        let mut solitude = Solitude { since: began, asked: None };
        let mut asks = |live: bool, s: u64| solitude.asks(live, began + Duration::from_secs(s));
        assert!(!asks(false, 29));
        assert!(asks(false, 30));
        assert!(!asks(false, 35));
        assert!(asks(false, 90));
        assert!(!asks(true, 95));
        assert!(!asks(false, 120));
        assert!(asks(false, 125));
    }
}
