//! The thread that hands a new key on: to whoever is alive, and to whoever comes later. It is the only
//! one in the daemon that writes keys; each step is on the disk before it counts.

mod calling;
mod told;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use cocli_core::NodeId;
use cocli_core::gossip::{PeerStatus, Standing};
use cocli_net::{KeyId, Udp, seal};
use cocli_node::Home;

use self::calling::Calling;
use self::told::{drop_old, take_told, telling, use_key};
use super::Event;
use super::alive::Alive;
use super::calls::Side;
use crate::clock;
use crate::failure::Failure;
use crate::rekey::{AHEAD_MAX_US, Phase, Public, Rekey, Told};
use crate::ring::Held;

/// The new key is used after this, though some of the living lack it.
const PATIENCE: Duration = Duration::from_secs(30);
/// And after this when nobody is there: whoever lives was met by then.
const ALONE: Duration = Duration::from_secs(5);
/// Old keys stay this long, so that the last packets under them are no strangers'.
const GRACE: Duration = Duration::from_secs(10);
/// What is heard this soon after the old keys were retired may have been sent before.
const MARGIN: Duration = Duration::from_secs(1);
/// While somebody is waited for, who has the key is compared this often.
const COMPARE: Duration = Duration::from_secs(60);
/// Words that wait; one more is lost, and comes again.
const WAITING_MAX: usize = 256;
/// The kind of the question.
pub(super) const KIND: u8 = 3;
/// Bytes of a question or answer: all nodes in and as many out.
pub(super) const BYTES_MAX: usize = 256 * 1024;

/// A peer as the replica knows it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    node: NodeId,
    address: SocketAddr,
    silent: Duration,
    /// The nodes agree that it is dead, though this one heard it a while ago.
    down: bool,
}

/// What this thread is told.
#[derive(Debug)]
pub(super) enum Word {
    /// Who is live.
    Peers(Vec<Seen>),
    /// A packet opened under a key that is retired.
    Behind(SocketAddr, KeyId),
    /// Where a peer is hoped for, somebody seals with a key that is not here.
    Ahead(SocketAddr),
    /// A packet opened under the key that awaits its use.
    InUse,
    /// A question over a stream of this key; no answer ends the stream.
    Asked { whose: Public, under: KeyId, told: Vec<u8>, answer: Sender<Option<Vec<u8>>> },
    /// A call ended: whose stream it was, and the answer.
    Called { to: SocketAddr, outcome: Option<(Public, Vec<u8>)> },
}

/// The way to this thread. Whoever may not wait offers, and what finds no room is lost.
#[derive(Debug, Clone)]
pub(super) struct Post(SyncSender<Word>);

impl Post {
    pub(super) fn offer(&self, word: Word) {
        let _ = self.0.try_send(word);
    }

    /// Asks for the answer to a question; `None` ends the stream.
    pub(super) fn ask(&self, whose: Public, under: KeyId, told: &[u8]) -> Option<Vec<u8>> {
        let (answer, answers) = std::sync::mpsc::channel();
        self.0.send(Word::Asked { whose, under, told: told.to_vec(), answer }).ok()?;
        answers.recv().ok()?
    }

    /// Who is live now.
    pub(super) fn peers(&self, peers: &[PeerStatus]) {
        let live = peers.iter().filter(|peer| peer.live);
        let seen = live.map(|peer| Seen {
            node: peer.node.clone(),
            address: peer.address,
            silent: Duration::from_micros(peer.silent_us),
            down: peer.standing == Standing::Down,
        });
        self.offer(Word::Peers(seen.collect()));
    }
}

/// A post, and the words that come by it.
pub(super) fn post() -> (Post, Receiver<Word>) {
    let (post, words) = sync_channel(WAITING_MAX);
    (Post(post), words)
}

/// Begins to listen.
pub(super) fn start(
    home: Home,
    side: Arc<Side>,
    udp: Arc<Udp>,
    (post, words): (Post, Receiver<Word>),
    events: Sender<Event>,
) {
    let alive = Alive::new("the thread that hands keys on", &events);
    std::thread::spawn(move || {
        let _alive = alive;
        let calling = Calling::new(Arc::clone(&side), post);
        let mut handover = Handover {
            home,
            side,
            udp,
            events,
            calling,
            since: None,
            compare_at: clock::monotonic() + COMPARE,
            turn: 0,
            told: None,
        };
        words.into_iter().for_each(|word| handover.take(word));
    });
}

struct Handover {
    home: Home,
    side: Arc<Side>,
    udp: Arc<Udp>,
    events: Sender<Event>,
    calling: Calling,
    /// Since when this key has been in this phase here.
    since: Option<(KeyId, Phase, Instant)>,
    compare_at: Instant,
    turn: usize,
    /// The last thing that went wrong: told once.
    told: Option<String>,
}

impl Handover {
    fn take(&mut self, word: Word) {
        match word {
            Word::Peers(peers) => self.look(&peers),
            Word::Behind(from, key) => {
                // Both, since perhaps only one of the two can reach the other.
                self.show(from);
                self.calling.call(from, Some(key));
            }
            Word::Ahead(from) => self.calling.call(from, None),
            Word::InUse => self.begin_use(),
            Word::Asked { whose, under, told, answer } => {
                self.hear(&whose, &told);
                let _ = answer.send(telling(&self.side.keys.now(), &whose, under));
            }
            Word::Called { to, outcome } => {
                let news = outcome.is_some_and(|(whose, told)| self.hear(&whose, &told));
                self.calling.ended(to, news);
            }
        }
    }

    /// An empty packet under the key in use: whoever lacks it sees whose it is and that it lacks it.
    fn show(&self, to: SocketAddr) {
        let mut packet = Vec::new();
        if seal(&self.side.keys.now().ring, &self.side.cluster, &[], &mut packet).is_ok() {
            let _ = self.udp.send_to(&packet, to);
        }
    }

    /// What is to be done, given who is live.
    fn look(&mut self, peers: &[Seen]) {
        let held = self.side.keys.now();
        let Some(rekey) = &held.rekey else { return };
        let phase = rekey.phase(&held.ring);
        let rests = self.rests(rekey.key.id(), phase);
        match phase {
            Phase::Taken => self.hand_on(&held, rekey, peers, rests),
            Phase::Used => {
                let heard = peers.iter().filter(|peer| peer.silent + MARGIN < rests);
                let new: Vec<NodeId> = heard
                    .filter(|peer| rekey.heirs.get(&peer.node).is_some_and(|heir| !heir.has))
                    .map(|peer| peer.node.clone())
                    .collect();
                let over = rests > GRACE && rekey.lacking().all(|node| new.contains(node));
                if over || !new.is_empty() {
                    self.change(|held, _| {
                        if let Some(rekey) = &mut held.rekey {
                            new.iter().for_each(|node| rekey.has(node));
                        }
                        if over {
                            drop_old(held);
                        }
                        Ok(())
                    });
                } else {
                    self.compare(rekey, peers);
                }
            }
            Phase::Done => {}
        }
    }

    /// How long this key has been in this phase here.
    fn rests(&mut self, key: KeyId, phase: Phase) -> Duration {
        let now = clock::monotonic();
        if self.since.is_none_or(|(k, p, _)| (k, p) != (key, phase)) {
            self.since = Some((key, phase, now));
        }
        self.since.map_or(Duration::ZERO, |(_, _, since)| now.saturating_duration_since(since))
    }

    fn hand_on(&mut self, held: &Held, rekey: &Rekey, peers: &[Seen], rests: Duration) {
        if held.ring.find(rekey.key.id()).is_none() {
            // Whoever wrote it died before the key was in the ring.
            self.change(|held, _| match held.rekey.take() {
                Some(mut rekey) => {
                    let entered = rekey.enter(&mut held.ring, None);
                    held.rekey = Some(rekey);
                    entered.map_err(|error| error.to_string())
                }
                None => Ok(()),
            });
            return;
        }
        let live = peers.iter().filter(|peer| !peer.down);
        let live = live.filter_map(|peer| Some((peer, rekey.heirs.get(&peer.node)?)));
        let live: Vec<_> = live.collect();
        for (peer, _) in live.iter().filter(|(_, heir)| !heir.has) {
            self.calling.call_peer(peer.address);
        }
        let all_have = live.iter().all(|(_, heir)| heir.has);
        let patience = if all_have { ALONE } else { PATIENCE };
        if (all_have && !live.is_empty()) || rests > patience {
            self.begin_use();
        }
    }

    fn begin_use(&mut self) {
        self.change(|held, _| {
            use_key(held);
            Ok(())
        });
    }

    /// Who has the key is asked of one after the other.
    fn compare(&mut self, rekey: &Rekey, peers: &[Seen]) {
        let now = clock::monotonic();
        let heirs: Vec<&Seen> =
            peers.iter().filter(|peer| rekey.heirs.contains_key(&peer.node)).collect();
        if now < self.compare_at || heirs.is_empty() {
            return;
        }
        self.compare_at = now + COMPARE;
        self.turn += 1;
        self.calling.call(heirs[self.turn % heirs.len()].address, None);
    }

    /// Another node told what it has. Tells whether that is news here.
    fn hear(&mut self, whose: &Public, told: &[u8]) -> bool {
        let held = self.side.keys.now();
        let Some(told) = told.strip_prefix(&[KIND]).filter(|told| !told.is_empty()) else {
            return false;
        };
        if held.refuses_key(whose) || !self.is_known(&held, whose) {
            return false;
        }
        let (me, own) = (self.home.node().clone(), self.side.identity.public());
        let latest = clock::now().micros().saturating_add(AHEAD_MAX_US);
        let taken = |held: &mut Held| {
            let told = Told::read(&String::from_utf8_lossy(told))
                .map_err(|why| format!("a new key that does not read: {why}"))?;
            take_told(held, told, (&me, own), latest)
        };
        // What is no news keeps nobody from writing.
        let mut would = Held::clone(&held);
        match taken(&mut would) {
            Ok(_) if would == *held => return false,
            Ok(_) => {}
            Err(why) => {
                self.notice(why);
                return false;
            }
        }
        self.change(|held, notices| {
            notices.extend(taken(held)?);
            Ok(())
        });
        true
    }

    /// Whether a stream of this key is that of a node of the cluster.
    fn is_known(&self, held: &Held, whose: &Public) -> bool {
        if held.rekey.as_ref().is_some_and(|rekey| rekey.heir(whose).is_some()) {
            return true;
        }
        let hex = cocli_net::to_hex(whose);
        let known = self.home.known_nodes().unwrap_or_default();
        known.iter().any(|node| node.key.as_ref() == Some(&hex) && node.removed.is_none())
    }

    /// Changes the files, if there is something to change, and takes them up.
    fn change(&mut self, edit: impl FnOnce(&mut Held, &mut Vec<String>) -> Result<(), String>) {
        let mut notices = Vec::new();
        let changed = || -> Result<bool, Failure> {
            let alone = self.home.session(clock::now())?;
            let before = Held::of(&self.home)?;
            let mut held = before.clone();
            if let Err(why) = edit(&mut held, &mut notices) {
                notices.push(why);
                return Ok(false);
            }
            held.keep(&self.home, &alone, &before)?;
            Ok(held != before)
        };
        match changed() {
            Ok(false) => {}
            Ok(true) => match self.side.keys.take_up(&self.home) {
                Ok(_) => drop(self.events.send(Event::Rekeyed)),
                Err(failure) => notices.push(failure.to_string()),
            },
            Err(failure) => notices.push(failure.to_string()),
        }
        notices.into_iter().for_each(|text| self.notice(text));
    }

    fn notice(&mut self, text: String) {
        if self.told.as_ref() != Some(&text) {
            self.told = Some(text.clone());
            let _ = self.events.send(Event::Notice(text));
        }
    }
}

#[cfg(test)]
mod tests;
