//! The gateway to one Python peer: what it sends goes into the own log, what is new in any log is told
//! to it (docs/gossip.md, "Python peers"). No socket here: packets come in and go out as bytes.

mod judge;
mod memory;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use cocli_core::python::{self, Item, Notice, Withheld};
use cocli_core::schema::Type;
use cocli_core::{Datagram, Entity, Field, Instant, LogId, NodeId, Target, Vector, usv};
use cocli_store::{FileKind, StoreError, paths};

use self::judge::{Verdict, is_first, judge, learn, remember_told, whole};
use self::memory::Memory;
use crate::error::Result;
use crate::home::{Home, failed, replace};
use crate::nodes::NODES;
use crate::session::{End, Session};

/// Odd packets that are shown.
const ODD_MAX: usize = 8;
/// Bytes of a log that are looked at for a handful of packets.
const READ_BYTES: usize = 64 * 1024;
/// Packets that go out before the peer gets a pause.
pub const PACKETS_AT_ONCE: usize = 32;
/// The file of what is remembered is written anew when one byte in so many is of no use any more, and
/// these are more than a few.
const STALE_ONE_IN: usize = 4;
const STALE_BYTES: usize = 256 * 1024;
/// What is remembered of a machine that is no longer listed goes after this.
const UNLISTED_MICROS: i64 = 30 * 24 * 3_600 * 1_000_000;

/// What came and went since the daemon began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records and notices that came.
    pub came: u64,
    /// Records that were appended; an element of a list is one.
    pub appended: u64,
    /// Records with the current value.
    pub same: u64,
    /// Records with the value that the peer sent before.
    pub repeated: u64,
    /// Records with a value that the peer was told.
    pub echoes: u64,
    /// `H`: how a machine is.
    pub heartbeats: u64,
    /// `Q`: tasks of queues.
    pub queues: u64,
    /// `C`: settings.
    pub configs: u64,
    /// What is none of these, or not to be had from a Python peer.
    pub refused: u64,
    /// Packets that it was told.
    pub told: u64,
    /// Records that it cannot be told.
    pub withheld: u64,
    /// Passes over the journals, for what fields had before the peer first spoke of them.
    pub passes: u64,
    /// The last that was refused: why, and how it began.
    pub odd: VecDeque<(String, String)>,
}

impl Counts {
    fn refuse(&mut self, bytes: &[u8], why: &str) {
        self.refused += 1;
        if self.odd.len() == ODD_MAX {
            self.odd.pop_front();
        }
        self.odd.push_back((why.to_string(), python::start(bytes)));
    }
}

/// A record that may say something.
struct Candidate<'p> {
    bytes: &'p [u8],
    datagram: Datagram,
    ty: Type,
}

/// One Python peer.
#[derive(Debug)]
pub struct Gateway {
    home: Home,
    path: String,
    memory: Memory,
    /// Bytes of the file of what is remembered.
    length: usize,
    /// A write of it failed: what it lacks is in the memory alone.
    torn: bool,
    counts: Counts,
    /// What was said and not appended counts as said until what is remembered was read again.
    stale: bool,
}

impl Gateway {
    /// The gateway to the peer that the settings call `name`. One that was never met is told what is
    /// written from now on.
    ///
    /// # Errors
    /// When the home cannot be read, or what is remembered not be written.
    pub fn open(home: Home, name: &str) -> Result<Self> {
        let path = paths::python(cocli_core::digest::hash(name.as_bytes()));
        home.disk
            .make_folder(paths::PYTHON)
            .map_err(|error| failed(paths::PYTHON, "make", error))?;
        let memory = Memory::default();
        let counts = Counts::default();
        let mut gateway = Self { home, path, memory, length: 0, torn: false, counts, stale: false };
        if !gateway.recall()? {
            for (log, end) in gateway.home.ends()? {
                gateway.memory.told_up_to(&log, end);
            }
            gateway.rewrite()?;
        }
        Ok(gateway)
    }

    /// What came and went.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Reads what is remembered; tells whether the peer was met before.
    fn recall(&mut self) -> Result<bool> {
        let path = &self.path;
        match self.home.disk.read(path) {
            Ok(bytes) => {
                self.memory = Memory::read(&String::from_utf8_lossy(&bytes));
                // A line that was cut off is written over.
                self.length = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
                Ok(true)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(path, "read", error)),
        }
    }

    /// Appends what is new in these packets to the own log and syncs it; gives the end of the log when
    /// anything was. What came is then to be [kept](Gateway::keep).
    ///
    /// # Errors
    /// When the home refuses: then nothing of these packets was taken.
    pub fn take_in(&mut self, packets: &[Vec<u8>], now: Instant) -> Result<Option<End>> {
        self.recall_if_stale()?;
        let mut counts = self.counts.clone();
        let mut candidates = Vec::new();
        for packet in packets {
            self.sort(packet, &mut candidates, &mut counts);
        }
        match self.append(&candidates, &mut counts, now) {
            Ok(end) => {
                self.counts = counts;
                Ok(end)
            }
            Err(error) => {
                self.stale = true;
                // Where that fails too, it is done before anything else is taken in.
                let _ = self.recall_if_stale();
                Err(error)
            }
        }
    }

    /// What was said and not appended must not count as said; what was told was.
    fn recall_if_stale(&mut self) -> Result<()> {
        if self.stale {
            let before = std::mem::take(&mut self.memory);
            match self.recall() {
                Ok(_) => self.memory.take_positions(&before),
                Err(error) => {
                    self.memory = before;
                    return Err(error);
                }
            }
            self.stale = false;
        }
        Ok(())
    }

    /// Takes a packet apart.
    fn sort<'p>(&self, packet: &'p [u8], found: &mut Vec<Candidate<'p>>, counts: &mut Counts) {
        for item in python::read(packet) {
            counts.came += 1;
            match item {
                Item::Notice(Notice::Heartbeat) => counts.heartbeats += 1,
                Item::Notice(Notice::Queue) => counts.queues += 1,
                Item::Notice(Notice::Config) => counts.configs += 1,
                Item::Strange(bytes, why) => counts.refuse(bytes, &why.to_string()),
                Item::Record(bytes, datagram) => {
                    match python::type_of(&datagram.target, &datagram.field) {
                        _ if datagram.entry.stamp.node == *self.home.node() => {
                            counts.refuse(bytes, "it bears the name of this node");
                        }
                        None => counts.refuse(bytes, "no field of a company or person"),
                        Some(ty) => found.push(Candidate { bytes, datagram, ty }),
                    }
                }
            }
        }
    }

    /// Judges the records one after the other and appends what is new as one batch.
    fn append(
        &mut self,
        candidates: &[Candidate<'_>],
        counts: &mut Counts,
        now: Instant,
    ) -> Result<Option<End>> {
        if candidates.is_empty() {
            return Ok(None);
        }
        let mut session = self.home.session(now)?;
        session.load(candidates.iter().map(|candidate| &candidate.datagram.target))?;
        let members = members(&mut session, candidates)?;
        let mut entities: BTreeMap<&Target, Entity> = BTreeMap::new();
        let mut first = BTreeSet::new();
        for Candidate { datagram, ty, .. } in candidates {
            let entity = match entities.entry(&datagram.target) {
                std::collections::btree_map::Entry::Occupied(there) => there.into_mut(),
                std::collections::btree_map::Entry::Vacant(free) => {
                    free.insert(session.entity(&datagram.target)?)
                }
            };
            if is_first(datagram, *ty, entity, &self.memory) {
                first.insert(&datagram.target);
            }
        }
        if !first.is_empty() {
            let history = before(&self.home, &first)?;
            learn(history.into_iter(), &mut self.memory);
            counts.passes += 1;
        }
        let mut batch = Vec::new();
        for Candidate { bytes, datagram, ty } in candidates {
            if members.contains(&datagram.entry.stamp.node) {
                counts.refuse(bytes, "it bears the name of a node of this cluster");
                continue;
            }
            let Some(entity) = entities.get_mut(&datagram.target) else { continue };
            self.memory.writes_as(&datagram.entry.stamp.node);
            match judge((bytes, datagram), *ty, entity, &mut self.memory, now) {
                Verdict::Same => counts.same += 1,
                Verdict::Repeated => counts.repeated += 1,
                Verdict::Echo => counts.echoes += 1,
                Verdict::Unfit => counts.refuse(bytes, "no list or map, as the field is one"),
                Verdict::News(news) => {
                    for (datagram, bytes) in news {
                        batch.extend_from_slice(&bytes);
                        counts.appended += 1;
                        entity.merge(datagram.field, datagram.entry);
                    }
                }
            }
        }
        if batch.is_empty() {
            return Ok(None);
        }
        let end = session.append_bytes("python", &batch)?;
        // It is durable; a journal that stays long is the next writer's to compact.
        let _ = session.compact_if_long();
        Ok(Some(end))
    }

    /// The next packets for the peer, of what is durable up to `heads`; none when it was told all.
    /// When they are sent, that is to be [kept](Gateway::keep).
    ///
    /// # Errors
    /// When a journal cannot be read, and of the others there is nothing to tell.
    pub fn news(&mut self, heads: &Vector) -> Result<Vec<Vec<u8>>> {
        let (mut packets, mut failed) = (Vec::new(), None);
        for (log, head) in &heads.0 {
            let from = self.memory.at(log);
            // A log that a person or a fork made shorter begins anew where it ends.
            if from > head.position {
                self.memory.told_up_to(log, head.position);
            }
            if from < head.position && packets.len() < PACKETS_AT_ONCE {
                failed = self.news_of(log, from, head.position, &mut packets).err().or(failed);
            }
        }
        match failed.filter(|_| packets.is_empty()) {
            Some(error) => Err(error),
            None => Ok(packets),
        }
    }

    fn news_of(
        &mut self,
        log: &LogId,
        from: u64,
        until: u64,
        packets: &mut Vec<Vec<u8>>,
    ) -> Result<()> {
        let range = match self.home.journals()?.read(log, from, until, READ_BYTES) {
            Ok(Some(range)) => range,
            // A hole, or another branch than the one that was told, is told by nobody: it was lost on
            // its way, as a packet may be.
            Ok(None) | Err(StoreError::Damaged { .. } | StoreError::Refused { .. }) => {
                self.memory.told_up_to(log, until);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let (mut position, mut found) = (from, Vec::new());
        for record in usv::records(&range.bytes) {
            if packets.len() + found.len() >= PACKETS_AT_ONCE {
                break;
            }
            position += record.bytes.len() as u64;
            if let Ok(datagram) = usv::read_in(&range.bytes, record)
                && let Some(ty) = self.wanted(&datagram)
            {
                found.push((datagram, ty));
            }
        }
        self.tell(found, packets)?;
        self.memory.told_up_to(log, position);
        Ok(())
    }

    /// The type of the whole field that a datagram is of, if the peer is to hear of it.
    fn wanted(&self, datagram: &Datagram) -> Option<Type> {
        let base = datagram.field.base_field();
        let ty = python::type_of(&datagram.target, &base)?;
        let lists = matches!(ty, Type::Set | Type::Map);
        let whole = lists || datagram.field.element().is_none();
        // Its model takes the slug from the folder.
        let read = whole && base.as_str() != "slug";
        (read && !self.memory.is(&datagram.entry.stamp.node)).then_some(ty)
    }

    fn tell(&mut self, found: Vec<(Datagram, Type)>, packets: &mut Vec<Vec<u8>>) -> Result<()> {
        // Of a list whose members changed one after the other the last one tells all.
        let mut last: BTreeMap<(Target, Field), usize> = BTreeMap::new();
        for (n, (datagram, ty)) in found.iter().enumerate() {
            if matches!(ty, Type::Set | Type::Map) {
                last.insert((datagram.target.clone(), datagram.field.base_field()), n);
            }
        }
        let entities = self.entities(last.keys().map(|(target, _)| target).collect())?;
        for (n, (datagram, ty)) in found.iter().enumerate() {
            let (target, base) = (&datagram.target, datagram.field.base_field());
            if last.get(&(target.clone(), base.clone())).is_some_and(|last| *last != n) {
                continue;
            }
            let value = whole(datagram, *ty, entities.get(target));
            match python::write((target, &base), *ty, &datagram.entry.stamp, &value) {
                Ok(packet) => {
                    packets.push(packet);
                    self.counts.told += 1;
                    remember_told(datagram, *ty, &value, &mut self.memory);
                }
                Err(Withheld::Removal | Withheld::Value | Withheld::TooLong) => {
                    self.counts.withheld += 1;
                }
            }
        }
        Ok(())
    }

    /// What is known of these targets now.
    fn entities(&self, targets: BTreeSet<&Target>) -> Result<BTreeMap<Target, Entity>> {
        if targets.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.home.read(|reader| {
            let one = |target: &&Target| Ok(((*target).clone(), reader.entity(target)?));
            targets.iter().map(one).collect()
        })
    }

    /// Whether there is something in the logs that the peer was not told.
    #[must_use]
    pub fn lacks(&self, heads: &Vector) -> bool {
        heads.0.iter().any(|(log, head)| self.memory.at(log) < head.position)
    }

    /// Writes down what is remembered; what the peer was told need not survive a power cut.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep(&mut self, durably: bool) -> Result<()> {
        let lines = self.memory.take_news();
        let long = self.length + lines.len();
        let stale = long.saturating_sub(self.memory.bytes());
        if self.torn || stale > (long / STALE_ONE_IN).max(STALE_BYTES) {
            return self.rewrite();
        }
        if lines.is_empty() {
            return Ok(());
        }
        let (disk, path) = (&self.home.disk, &self.path);
        self.torn = true;
        disk.write_at(path, self.length as u64, lines.as_bytes(), true)
            .and_then(|()| if durably { disk.sync(path) } else { Ok(()) })
            .map_err(|error| failed(path, "write", error))?;
        (self.torn, self.length) = (false, long);
        Ok(())
    }

    fn rewrite(&mut self) -> Result<()> {
        self.torn = true;
        self.memory.take_news();
        let text = self.memory.text();
        replace(&*self.home.disk, &self.path, text.as_bytes())?;
        (self.torn, self.length) = (false, text.len());
        Ok(())
    }
}

/// All that the journals hold of these targets, by one pass, the winners last.
fn before(home: &Home, targets: &BTreeSet<&Target>) -> Result<Vec<Datagram>> {
    let names: HashSet<&[u8]> = targets.iter().map(|target| target.as_str().as_bytes()).collect();
    let mut history = home.recall(|_, target| names.contains(target))?;
    history.sort_by(|a, b| a.entry.cmp(&b.entry));
    Ok(history)
}

/// Of the nodes that candidates bear those that are of this cluster: each says by which key it is known.
fn members(session: &mut Session<'_>, candidates: &[Candidate<'_>]) -> Result<BTreeSet<NodeId>> {
    let nodes: BTreeSet<&NodeId> =
        candidates.iter().map(|c| &c.datagram.entry.stamp.node).collect();
    let key = Field::read("key")?;
    let mut members = BTreeSet::new();
    for node in nodes {
        // What no node of ours may be called is none.
        let Ok(target) = Target::read(&format!("{NODES}{node}")) else { continue };
        if session.entity(&target)?.fields.contains_key(&key) {
            members.insert(node.clone());
        }
    }
    Ok(members)
}

impl Home {
    /// Forgets the Python machines that are listed no more, when nothing came from them or went to them
    /// for a month: what they sent is in the journals.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget_unlisted(&self, listed: &[String], now: Instant) -> Result<()> {
        let hash = |name: &String| paths::python(cocli_core::digest::hash(name.as_bytes()));
        let listed: BTreeSet<String> = listed.iter().map(hash).collect();
        let stats = self.disk.list_stats(paths::PYTHON);
        for (name, stat) in stats.map_err(|error| failed(paths::PYTHON, "list", error))? {
            let path = paths::in_python(&name);
            let quiet = now.micros().saturating_sub(stat.modified_ns / 1_000);
            if !listed.contains(&path) && stat.kind == FileKind::File && quiet > UNLISTED_MICROS {
                self.disk.remove(&path).map_err(|error| failed(&path, "remove", error))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
