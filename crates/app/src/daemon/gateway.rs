//! The thread between this node and the machines of the Python program that its settings list. It
//! carries packets; what they mean is worked out by the node's [`Gateway`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use cocli_core::{Head, LogId, Vector};
use cocli_net::{PACKET_MAX, Udp, is_sealed, send_long};
use cocli_node::Home;
use cocli_node::gateway::{Counts, Gateway};
use serde_json::{Value as Json, json};

use super::Event;
use super::wiring::PORT;
use crate::clock;
use crate::failure::chain;

/// Packets that may wait for the disk, and their bytes; each listed peer has its part of both.
const WAITING_MAX: usize = 4096;
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What the peer gets to breathe between two handfuls: each packet costs it a file to open.
const PAUSE: Duration = Duration::from_millis(20);
/// What could not be done is tried again after this; a gateway that does not open after twice as long each
/// time.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(60);
/// A wait for something to happen.
const LONG: Duration = Duration::from_secs(3_600);

/// What the thread is told.
#[derive(Debug)]
enum Word {
    /// A packet of a peer.
    Packet { peer: usize, bytes: Vec<u8> },
    /// Where a peer is.
    Found { name: String, addresses: Vec<SocketAddr> },
    /// A member of the cluster is there.
    Sealed { address: SocketAddr },
    /// A log is durable up to there.
    Advanced { log: LogId, head: Head },
}

/// Who is listened to. Without a listed peer nobody is.
#[derive(Debug, Default)]
pub(super) struct Ears {
    peers: RwLock<BTreeMap<SocketAddr, usize>>,
    /// What waits of each peer.
    waiting: Vec<Waiting>,
}

/// What waits of a peer, and what found no room.
#[derive(Debug, Default)]
struct Waiting {
    packets: AtomicUsize,
    bytes: AtomicUsize,
    dropped: AtomicUsize,
}

impl Ears {
    fn peer_at(&self, address: &SocketAddr) -> Option<usize> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).get(address).copied()
    }

    fn of(peers: usize) -> Self {
        let waiting = (0..peers).map(|_| Waiting::default()).collect();
        Self { peers: RwLock::default(), waiting }
    }

    /// Counts a packet that is to wait; whether there is room for it.
    fn admit(&self, peer: usize, bytes: usize) -> bool {
        let Some(waiting) = self.waiting.get(peer) else { return false };
        let part = self.waiting.len();
        // Only the thread that listens adds to those that wait. One packet finds room in any case.
        let packets = waiting.packets.load(Ordering::Relaxed);
        let with = waiting.bytes.load(Ordering::Relaxed) + bytes;
        let room =
            packets == 0 || (packets < WAITING_MAX / part && with <= WAITING_BYTES_MAX / part);
        if room {
            waiting.packets.fetch_add(1, Ordering::Relaxed);
            waiting.bytes.fetch_add(bytes, Ordering::Relaxed);
        } else {
            waiting.dropped.fetch_add(1, Ordering::Relaxed);
        }
        room
    }

    fn taken(&self, peer: usize, packets: &[Vec<u8>]) {
        if let Some(waiting) = self.waiting.get(peer) {
            waiting.packets.fetch_sub(packets.len(), Ordering::Relaxed);
            waiting.bytes.fetch_sub(packets.iter().map(Vec::len).sum(), Ordering::Relaxed);
        }
    }
}

/// The other end of the thread; it may be cloned into other threads.
#[derive(Debug, Clone)]
pub(super) struct Gateways {
    ears: Arc<Ears>,
    shown: Arc<Mutex<Vec<Json>>>,
    words: Option<Sender<Word>>,
}

impl Gateways {
    /// Opens the gateways to all listed peers; a thread only when there are some.
    pub(super) fn start(home: &Home, udp: &Arc<Udp>, events: &Sender<Event>) -> Self {
        let names: BTreeSet<&String> = home.config().gossip.python_peers.iter().collect();
        let (ears, shown) = (Arc::new(Ears::of(names.len())), Arc::new(Mutex::default()));
        let complain = |what: String| drop(events.send(Event::Notice(what)));
        if let Err(error) = home.forget_unlisted(&home.config().gossip.python_peers, clock::now()) {
            complain(format!("what is known of unlisted Python peers stays: {}", chain(&error)));
        }
        let own = match home.again() {
            _ if names.is_empty() => return Self { ears, shown, words: None },
            Ok(own) => own,
            Err(error) => {
                complain(format!("no Python peers: {}", chain(&error)));
                return Self { ears, shown, words: None };
            }
        };
        let (words, queue) = channel();
        let mut thread = Thread {
            home: own,
            peers: names.iter().map(|name| Peer::new(name)).collect(),
            heads: Vector::default(),
            members: BTreeSet::new(),
            ears: Arc::clone(&ears),
            shown: Arc::clone(&shown),
            udp: Arc::clone(udp),
            events: events.clone(),
        };
        for name in names {
            // An address needs no name server: nobody takes it for a node's in between.
            if let Some(address) = address_of(name) {
                thread.note(Word::Found { name: name.clone(), addresses: vec![address] });
            }
        }
        thread.open_all();
        thread.show();
        std::thread::spawn(move || thread.run(&queue));
        Self { ears, shown, words: Some(words) }
    }

    /// Takes a packet that is a Python peer's; whether it is one.
    pub(super) fn hear(&self, from: SocketAddr, packet: &[u8]) -> bool {
        let (Some(words), false) = (&self.words, is_sealed(packet)) else { return false };
        let Some(peer) = self.ears.peer_at(&from) else { return false };
        if self.ears.admit(peer, packet.len()) {
            let _ = words.send(Word::Packet { peer, bytes: packet.to_vec() });
        }
        true
    }

    /// Whether a Python peer is there, who could not read a packet of ours.
    pub(super) fn is_at(&self, address: &SocketAddr) -> bool {
        self.words.is_some() && self.ears.peer_at(address).is_some()
    }

    /// A packet that the cluster's key opened came from there: whoever told that a Python peer is
    /// there was wrong, or lied.
    pub(super) fn sealed(&self, address: SocketAddr) {
        if self.is_at(&address) {
            self.say(Word::Sealed { address });
        }
    }

    pub(super) fn found(&self, name: String, addresses: Vec<SocketAddr>) {
        self.say(Word::Found { name, addresses });
    }

    pub(super) fn advanced(&self, log: &LogId, head: Head) {
        self.say(Word::Advanced { log: log.clone(), head });
    }

    fn say(&self, word: Word) {
        if let Some(words) = &self.words {
            let _ = words.send(word);
        }
    }

    pub(super) fn shown(&self) -> Vec<Json> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (peer, waiting) in shown.iter_mut().zip(&self.ears.waiting) {
            peer["dropped"] = json!(waiting.dropped.load(Ordering::Relaxed));
        }
        shown
    }
}

/// The address that a name is, if it is one.
fn address_of(name: &str) -> Option<SocketAddr> {
    let with_port = |ip: IpAddr| SocketAddr::new(ip, PORT);
    name.parse().ok().or_else(|| name.parse().ok().map(with_port))
}

/// One listed machine.
struct Peer {
    name: String,
    way: Way,
    addresses: Vec<SocketAddr>,
    /// What came and is not taken in yet.
    came: Vec<Vec<u8>>,
    /// Nothing is taken in before this: the disk refused.
    rests: Option<Instant>,
    /// Nothing is told before this.
    breathes: Option<Instant>,
    /// The last thing that went wrong: it is told once.
    wrong: Option<String>,
}

/// The gateway to a peer.
enum Way {
    Open(Box<Gateway>),
    /// It did not open: why not, when that is tried again, and how long it waits after that.
    Shut {
        why: String,
        until: Instant,
        then: Duration,
    },
}

impl Way {
    fn open(&mut self) -> Option<&mut Gateway> {
        match self {
            Self::Open(gateway) => Some(gateway),
            Self::Shut { .. } => None,
        }
    }
}

impl Peer {
    fn new(name: &str) -> Self {
        let way = Way::Shut { why: String::new(), until: clock::monotonic(), then: AGAIN };
        Self {
            name: name.to_string(),
            way,
            addresses: Vec::new(),
            came: Vec::new(),
            rests: None,
            breathes: None,
            wrong: None,
        }
    }

    /// The Python program listens for IPv4 alone.
    fn address(&self) -> Option<SocketAddr> {
        let plain = self.addresses.iter().find(|address| address.is_ipv4());
        plain.or(self.addresses.first()).copied()
    }

    /// When there is something to do; `None` when nothing is.
    fn due(&self, heads: &Vector, now: Instant) -> Option<Instant> {
        let gateway = match &self.way {
            Way::Open(gateway) => gateway,
            Way::Shut { until, .. } => return Some(*until),
        };
        let takes = (!self.came.is_empty()).then(|| self.rests.unwrap_or(now));
        let tells = self.address().is_some() && gateway.lacks(heads);
        let tells = tells.then(|| self.breathes.unwrap_or(now));
        takes.into_iter().chain(tells).min()
    }
}

struct Thread {
    home: Home,
    peers: Vec<Peer>,
    /// How far each log is durable.
    heads: Vector,
    /// Addresses of members of the cluster.
    members: BTreeSet<SocketAddr>,
    ears: Arc<Ears>,
    shown: Arc<Mutex<Vec<Json>>>,
    udp: Arc<Udp>,
    events: Sender<Event>,
}

impl Thread {
    fn run(&mut self, queue: &Receiver<Word>) {
        loop {
            let now = clock::monotonic();
            let due = self.peers.iter().filter_map(|peer| peer.due(&self.heads, now)).min();
            let wait = due.map_or(LONG, |due| due.saturating_duration_since(now));
            match queue.recv_timeout(wait) {
                Ok(word) => {
                    self.note(word);
                    // What came together is taken in together: a first contact may cost a look at the
                    // journals each time, and what comes meanwhile has only so much room.
                    queue.try_iter().take(WAITING_MAX).for_each(|word| self.note(word));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.open_all();
            for at in 0..self.peers.len() {
                self.take_in(at);
                self.tell(at);
            }
            self.show();
        }
    }

    /// Opens the gateways that are shut, each when it is due.
    fn open_all(&mut self) {
        let now = clock::monotonic();
        for at in 0..self.peers.len() {
            let Way::Shut { until, then, .. } = &self.peers[at].way else { continue };
            if now < *until {
                continue;
            }
            let then = *then;
            let name = self.peers[at].name.clone();
            match self.open(&name) {
                Ok(gateway) => {
                    self.peers[at].way = Way::Open(Box::new(gateway));
                    self.peers[at].wrong = None;
                }
                Err(error) => {
                    let why = chain(&error);
                    self.complain(at, &format!("no gateway: {why}; it is tried again"));
                    let after = (then * 2).min(AGAIN_MAX);
                    self.peers[at].way = Way::Shut { why, until: now + then, then: after };
                }
            }
        }
    }

    fn open(&mut self, name: &str) -> cocli_node::Result<Gateway> {
        // What became durable while nothing could be read was told to this thread.
        for (log, head) in self.home.vector()?.0 {
            self.heads.0.entry(log).or_insert(head);
        }
        Gateway::open(self.home.again()?, name)
    }

    fn note(&mut self, word: Word) {
        match word {
            Word::Packet { peer, bytes } => self.peers[peer].came.push(bytes),
            Word::Advanced { log, head } => drop(self.heads.0.insert(log, head)),
            Word::Found { name, addresses } => {
                if let Some(peer) = self.peers.iter_mut().find(|peer| peer.name == name) {
                    peer.addresses = addresses;
                    peer.addresses.retain(|address| !self.members.contains(address));
                }
                self.prick_up();
            }
            Word::Sealed { address } => {
                self.members.insert(address);
                for at in 0..self.peers.len() {
                    let addresses = &mut self.peers[at].addresses;
                    let before = addresses.len();
                    addresses.retain(|known| *known != address);
                    if addresses.len() < before {
                        let what = format!(
                            "{address} speaks with the cluster's key: take it out of python_peers"
                        );
                        self.complain(at, &what);
                    }
                }
                self.prick_up();
            }
        }
    }

    /// Listens for all peers where they are.
    fn prick_up(&self) {
        let all = self.peers.iter().enumerate();
        let all = all.flat_map(|(n, peer)| peer.addresses.iter().map(move |a| (*a, n)));
        *self.ears.peers.write().unwrap_or_else(PoisonError::into_inner) = all.collect();
    }

    /// Appends what came. While the disk refuses it waits, and what finds no room is lost.
    fn take_in(&mut self, at: usize) {
        let (now, peer) = (clock::monotonic(), &mut self.peers[at]);
        let Some(gateway) = peer.way.open() else { return };
        if peer.came.is_empty() || peer.rests.is_some_and(|until| now < until) {
            return;
        }
        match gateway.take_in(&peer.came, clock::now()) {
            Ok(end) => {
                self.ears.taken(at, &std::mem::take(&mut peer.came));
                peer.rests = None;
                if let Some(end) = end {
                    let _ = self.events.send(Event::Edited(end));
                }
                self.keep(at, true);
            }
            Err(error) => {
                peer.rests = Some(now + AGAIN);
                self.complain(at, &chain(&error));
            }
        }
    }

    /// Sends the next handful of what is new.
    fn tell(&mut self, at: usize) {
        let (now, peer) = (clock::monotonic(), &mut self.peers[at]);
        let Some(to) = peer.address() else { return };
        let Some(gateway) = peer.way.open() else { return };
        if peer.breathes.is_some_and(|until| now < until) || !gateway.lacks(&self.heads) {
            return;
        }
        match gateway.news(&self.heads) {
            Ok(packets) => {
                peer.breathes = (!packets.is_empty()).then(|| now + PAUSE);
                for packet in packets {
                    // One that cannot be sent is one that was lost on its way.
                    let _ = match packet.len() <= PACKET_MAX {
                        true => self.udp.send_to(&packet, to),
                        false => send_long(&packet, to),
                    };
                }
                self.keep(at, false);
            }
            Err(error) => {
                peer.breathes = Some(now + AGAIN);
                self.complain(at, &chain(&error));
            }
        }
    }

    fn keep(&mut self, at: usize, durably: bool) {
        let Some(gateway) = self.peers[at].way.open() else { return };
        match gateway.keep(durably) {
            Ok(()) => self.peers[at].wrong = None,
            Err(error) => self.complain(at, &chain(&error)),
        }
    }

    fn complain(&mut self, at: usize, what: &str) {
        let peer = &mut self.peers[at];
        if peer.wrong.as_deref() != Some(what) {
            peer.wrong = Some(what.to_string());
            let _ = self.events.send(Event::Notice(format!("{}: {what}", peer.name)));
        }
    }

    fn show(&self) {
        let shown = self.peers.iter().map(|peer| {
            let shut = Counts::default();
            let (counts, closed) = match &peer.way {
                Way::Open(gateway) => (gateway.counts(), None),
                Way::Shut { why, .. } => (&shut, Some(why)),
            };
            let odd = counts.odd.iter();
            let odd: Vec<Json> =
                odd.map(|(why, start)| json!({"why": why, "start": start})).collect();
            json!({
                "peer": peer.name, "closed": closed, "address": peer.address().map(|address| address.to_string()),
                "came": counts.came, "appended": counts.appended, "same": counts.same, "repeated": counts.repeated,
                "echoes": counts.echoes, "heartbeats": counts.heartbeats,
                "queues": counts.queues, "configs": counts.configs, "refused": counts.refused,
                "told": counts.told, "withheld": counts.withheld, "passes": counts.passes, "odd": odd,
            })
        });
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown.collect();
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let what = "the gateway to Python peers died; all else goes on (`cocli daemon` anew)";
            let _ = self.events.send(Event::Notice(what.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use cocli_core::{ClusterId, Field, NodeId, Target, Value};
    use cocli_node::change::{Change, Intent};
    use cocli_node::{Birth, Membership};

    use super::*;

    #[test]
    fn of_a_flood_only_so_much_waits_the_rest_is_counted_and_others_are_heard() {
        let ears = Ears::of(2);
        let dropped = |peer: usize| ears.waiting[peer].dropped.load(Ordering::Relaxed);
        let admitted = (0..WAITING_MAX).filter(|_| ears.admit(1, 8)).count();
        assert_eq!((admitted, dropped(1)), (WAITING_MAX / 2, WAITING_MAX / 2));
        assert!(ears.admit(0, 8), "one peer's flood takes no room of another's");
        ears.taken(1, &vec![vec![0; 8]; WAITING_MAX / 2]);
        let long = 65_507;
        let admitted = (0..WAITING_MAX).filter(|_| ears.admit(1, long)).count();
        assert_eq!((admitted, dropped(0)), (WAITING_BYTES_MAX / 2 / long, 0));
        assert!(!ears.admit(2, 8), "nobody is there");
    }

    #[test]
    fn all_that_waits_of_a_first_contact_is_taken_in_by_one_look_at_the_journals() {
        const COMPANIES: usize = 400;
        let dir = tempfile::tempdir().unwrap();
        let membership =
            Membership { cluster: ClusterId([7; 16]), keys: Vec::new(), peers: Vec::new() };
        let birth = Birth {
            node: NodeId::written("pi1").unwrap(),
            membership,
            identity: vec![0; 32],
            identity_public: "00".into(),
            cards: false,
            maybe_known: false,
        };
        let home = Home::create(dir.path(), &birth, clock::rim(), clock::now()).unwrap();
        let field = Field::read("city").unwrap();
        for city in ["Dallas", "Austin"] {
            let change = |n: usize| {
                let target = Target::read(&format!("companies/c{n}")).unwrap();
                Change::new(target, field.clone(), Intent::Put(Value::text(city)))
            };
            let changes: Vec<Change> = (0..COMPANIES).map(change).collect();
            home.session(clock::now()).unwrap().write("set", &changes, false).unwrap();
        }
        let mut peer = Peer::new("192.0.2.7");
        let stale = |n: usize| {
            format!(
                "2026-11-22T07:38:00.000000+00:00\x1fvm\x1fcompanies/c{n}\x1fcity\x1fDallas\x1f\x1e"
            )
        };
        peer.came = (0..COMPANIES).map(|n| stale(n).into_bytes()).collect();
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut thread = Thread {
            home,
            peers: vec![peer],
            heads: Vector::default(),
            members: BTreeSet::new(),
            ears: Arc::new(Ears::of(1)),
            shown: Arc::default(),
            udp: Arc::new(Udp::bind_at(local).unwrap()),
            events: channel().0,
        };
        assert!((0..COMPANIES).all(|n| thread.ears.admit(0, stale(n).len())));
        thread.open_all();
        thread.take_in(0);
        thread.show();
        let shown = thread.shown.lock().unwrap()[0].clone();
        assert_eq!((&shown["passes"], &shown["echoes"]), (&json!(1), &json!(COMPANIES)));
        let waiting = &thread.ears.waiting[0];
        assert_eq!(waiting.packets.load(Ordering::Relaxed), 0);
        assert_eq!(waiting.bytes.load(Ordering::Relaxed), 0);
    }
}
