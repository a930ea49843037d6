//! What comes from the bucket: ranges of logs, into the same journals as those that come by gossip.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::bucket::object::Part;
use cocli_core::bucket::{Failure, Key, Object};
use cocli_core::frame::Linked;
use cocli_core::limits::OBJECT_TEXT_BYTES_MAX;
use cocli_core::{ClusterId, Instant, LogId, NodeId};
use cocli_store::journal::{Misplaced, Placed};
use cocli_store::{Command, HomeLock, Journals, StoreError};

use super::packed::unpack;
use super::{Durable, fork};
use crate::error::Result;

/// Objects of a node that are asked for at once, when many follow each other.
const AHEAD_MAX: u64 = 16;
/// How often an object that cannot be read is tried before it is passed over.
const TRIES_MAX: u8 = 3;

/// What a pull came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Objects that were read.
    pub objects: usize,
    /// Bytes of records that are new here.
    pub bytes: u64,
    /// Logs that grew, lost a branch, or were closed.
    pub logs: BTreeSet<LogId>,
    /// Logs of which a range is on another branch, and where that begins is not known here.
    pub open: BTreeSet<LogId>,
    /// What a person may want to know.
    pub notices: Vec<String>,
}

/// Whose objects are read, and how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Up to the first that is not there.
    All,
    /// The same, where little is new: one by one, until one says that another was to follow at once.
    New,
}

/// What became of a range.
enum Taken {
    /// It is held here, on its chain.
    Held,
    /// It is held here now.
    New(u64),
    /// It begins behind what is held of its log.
    Waits,
    /// It is on another branch, which was settled or left open.
    Fork(Option<String>),
    /// It cannot be taken, for this reason.
    Refused(String),
}

impl Durable<'_> {
    /// Reads what these nodes have in the bucket that was not read yet, and makes it durable here.
    ///
    /// # Errors
    /// When the bucket cannot be asked or the disk refuses; what came before counts.
    pub fn pull(&mut self, nodes: &BTreeSet<NodeId>, reach: Reach, now: Instant) -> Result<Pulled> {
        let mut pulled = Pulled::default();
        let mut journals = self.home.journals()?;
        self.drop_branches(&mut journals)?;
        let mut ahead: BTreeMap<NodeId, u64> = nodes
            .iter()
            .map(|node| (node.clone(), if reach == Reach::All { 2 } else { 1 }))
            .collect();
        while !ahead.is_empty() {
            let keys: Vec<(NodeId, u64)> = (ahead.iter())
                .flat_map(|(node, count)| {
                    let next = self.seen.next_of(node);
                    (next..next + count).map(|n| (node.clone(), n))
                })
                .collect();
            let got = self.get(&keys)?;
            let (mut over, mut many) = (BTreeSet::new(), BTreeSet::new());
            for ((node, n), packed) in keys.into_iter().zip(got) {
                if over.contains(&node) {
                    continue;
                }
                let Some(packed) = packed else {
                    over.insert(node);
                    continue;
                };
                match self.take_packed(&mut journals, (&node, n), &packed, now, &mut pulled)? {
                    Some(true) => drop(many.insert(node)),
                    Some(false) => {}
                    None => drop(over.insert(node)),
                }
            }
            ahead.retain(|node, _| !over.contains(node));
            for (node, count) in &mut ahead {
                if reach == Reach::All || many.contains(node) {
                    *count = (*count * 2).min(AHEAD_MAX);
                }
            }
            self.make_durable(&mut journals)?;
            self.save()?;
        }
        self.take_waiting(&mut journals, now, &mut pulled)?;
        Ok(pulled)
    }

    /// The objects as they stand there, in the order of `keys`.
    fn get(&self, keys: &[(NodeId, u64)]) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        let names: Vec<Key> = keys.iter().map(|(node, n)| Key::object(node, *n)).collect();
        self.bucket.get_together(&names)
    }

    /// Takes in an object; gives whether another was to follow at once, or nothing when this one is to be
    /// asked for again.
    pub(super) fn take_packed(
        &mut self,
        journals: &mut Journals,
        (node, n): (&NodeId, u64),
        packed: &[u8],
        now: Instant,
        pulled: &mut Pulled,
    ) -> Result<Option<bool>> {
        match read(packed, self.seen.cluster, node, n) {
            Ok(object) => {
                self.take(journals, &object, now, pulled)?;
                let logs = object.parts.iter().map(|part| part.range.log.clone());
                self.seen.met_months(node, n, logs);
                self.seen.bytes += packed.len() as u64;
                self.seen.damaged.remove(&(node.clone(), n));
                self.seen.next.insert(node.clone(), n + 1);
                pulled.objects += 1;
                Ok(Some(object.more))
            }
            Err(failure) => {
                let tries = self.seen.damaged.entry((node.clone(), n)).or_default();
                *tries = tries.saturating_add(1);
                if *tries < TRIES_MAX {
                    pulled.notices.push(format!("{failure}: it is tried again"));
                    return Ok(None);
                }
                pulled.notices.push(format!("{failure}: it is passed over"));
                self.seen.next.insert(node.clone(), n + 1);
                Ok(Some(true))
            }
        }
    }

    /// Puts what an object holds into the journals, under the home's lock; not yet durable.
    fn take(
        &mut self,
        journals: &mut Journals,
        object: &Object,
        now: Instant,
        pulled: &mut Pulled,
    ) -> Result<()> {
        let lock = HomeLock::take(&*self.home.disk, "the bucket")?;
        journals.refresh()?;
        for part in &object.parts {
            let log = &part.range.log;
            self.seen.know(&log.node);
            match self.place(journals, &lock, part, now)? {
                Taken::Held => self.seen.cover(log, part.range.position, part.end),
                Taken::New(bytes) => {
                    self.seen.cover(log, part.range.position, part.end);
                    pulled.bytes += bytes;
                    pulled.logs.insert(log.clone());
                }
                Taken::Waits => {
                    let key = (object.node.clone(), object.n);
                    let at = (log.clone(), part.range.position);
                    let waits = self.seen.waiting.entry(key).or_insert_with(|| at.clone());
                    *waits = waits.clone().min(at);
                }
                Taken::Fork(what) => {
                    if what.is_none() {
                        pulled.open.insert(log.clone());
                    }
                    pulled.notices.extend(what);
                    pulled.logs.insert(log.clone());
                }
                Taken::Refused(why) => pulled.notices.push(format!(
                    "{} in the bucket: the range of {log} from {} on: {why}",
                    Key::object(&object.node, object.n),
                    part.range.position
                )),
            }
        }
        Ok(())
    }

    fn place(
        &mut self,
        journals: &mut Journals,
        lock: &HomeLock,
        part: &Part,
        now: Instant,
    ) -> Result<Taken> {
        let (range, log) = (&part.range, &part.range.log);
        let end = journals.head(log)?;
        if part.end.position <= journals.begin(log) {
            return Ok(Taken::Held);
        }
        if part.end.position <= end.position {
            let held = journals.hash_at(log, part.end.position)?;
            if held == Some(part.end.hash) {
                return Ok(Taken::Held);
            }
            if journals.holes().iter().any(|hole| hole.log == *log) {
                let command = Command { at: now, verb: "heal".into() };
                journals.heal(lock, std::slice::from_ref(range), now.day(), &command)?;
                if journals.hash_at(log, part.end.position)? == Some(part.end.hash) {
                    return Ok(Taken::New(0));
                }
            }
            return self.settle(journals, lock, part, now);
        }
        if journals.owns(log) {
            // Somebody holds more of it, or another branch: this home was restored, or is a clone.
            fork::close(journals, lock, log, &(self.home.rim.epoch)())?;
            return self.place(journals, lock, part, now);
        }
        if range.position > end.position {
            // Of a log that expires what came before may be nowhere any more: gossip, if anything, brings it.
            return Ok(if log.month.is_some() { Taken::Fork(None) } else { Taken::Waits });
        }
        let Some(rest) = range.behind(end.position).filter(|rest| rest.hash_before == end.hash)
        else {
            return self.settle(journals, lock, part, now);
        };
        let bytes = rest.bytes.len() as u64;
        let linked = Linked::from(rest);
        if linked.points.last() != Some(&part.end) {
            return Ok(Taken::Refused("it does not lead to the hash behind it".to_owned()));
        }
        Ok(match journals.append_linked(lock, &linked)? {
            Placed::Appended(_) => Taken::New(bytes),
            Placed::Misplaced { why: Misplaced::Position | Misplaced::Hash, .. } => Taken::Waits,
            Placed::Misplaced { why, .. } => Taken::Refused(refusal(why).to_owned()),
        })
    }

    /// A range on another branch.
    fn settle(
        &mut self,
        journals: &mut Journals,
        lock: &HomeLock,
        part: &Part,
        now: Instant,
    ) -> Result<Taken> {
        let log = &part.range.log;
        if journals.owns(log) {
            fork::close(journals, lock, log, &(self.home.rim.epoch)())?;
        }
        match fork::settle(journals, lock, &part.range, now)? {
            fork::Settled::Open => Ok(Taken::Fork(None)),
            fork::Settled::Kept => Ok(Taken::Fork(Some(format!(
                "{log}: the bucket holds another branch; the one that is here stays"
            )))),
            fork::Settled::Yielded => {
                self.seen.forget(log);
                let taken = self.place(journals, lock, part, now)?;
                Ok(match taken {
                    Taken::New(_) => {
                        self.seen.cover(log, part.range.position, part.end);
                        Taken::Fork(Some(format!(
                            "{log}: the branch that was here gave way to the one in the bucket; its records stand in the own log"
                        )))
                    }
                    other => other,
                })
            }
        }
    }

    /// Reads objects again whose ranges waited for bytes that have come since.
    fn take_waiting(
        &mut self,
        journals: &mut Journals,
        now: Instant,
        pulled: &mut Pulled,
    ) -> Result<()> {
        loop {
            let ready = (self.seen.waiting.iter())
                .find(|(_, (log, position))| journals.end(log) >= *position)
                .map(|(key, _)| key.clone());
            let Some(key) = ready else { return Ok(()) };
            let packed = self.get(std::slice::from_ref(&key))?.pop().flatten();
            self.seen.waiting.remove(&key);
            let Some(packed) = packed else { continue };
            if let Ok(object) = read(&packed, self.seen.cluster, &key.0, key.1) {
                self.take(journals, &object, now, pulled)?;
            }
            self.make_durable(journals)?;
            self.save()?;
        }
    }

    /// What was uploaded of a branch that gave way since counts no more.
    pub(super) fn drop_branches(&mut self, journals: &mut Journals) -> Result<()> {
        let tips: Vec<_> = self.seen.tips.iter().map(|(log, tip)| (log.clone(), *tip)).collect();
        for (log, tip) in tips {
            let there = journals.hash_at(&log, tip.position)?;
            if there.is_some_and(|hash| hash != tip.hash) {
                self.seen.forget(&log);
            }
        }
        Ok(())
    }

    /// Syncs what came; without the home's lock, which others may want meanwhile.
    pub(super) fn make_durable(&self, journals: &mut Journals) -> Result<()> {
        let lock = || HomeLock::take(&*self.home.disk, "the bucket");
        let plan = journals.sync_plan(&lock()?);
        if plan.is_empty() {
            return Ok(());
        }
        let end = plan.run(&*self.home.disk);
        journals.distrust(&end);
        let synced = journals.synced(&lock()?, end)?;
        synced.failed.map_or(Ok(()), |error: StoreError| Err(error.into()))
    }
}

/// Reads an object as it stood in the bucket.
pub(super) fn read(
    packed: &[u8],
    cluster: ClusterId,
    node: &NodeId,
    n: u64,
) -> Result<Object, Failure> {
    let text = unpack(&Key::object(node, n), packed, OBJECT_TEXT_BYTES_MAX)?;
    Object::read(&text, cluster, node, n)
}

fn refusal(why: Misplaced) -> &'static str {
    match why {
        Misplaced::Position | Misplaced::Hash => "it does not continue the log",
        Misplaced::Day => "its day is before the one that the log has come to",
        Misplaced::Torn => "it is no whole records",
        Misplaced::Own => "it is of a log that this home alone extends",
        Misplaced::TooMany => "this home follows as many logs as it can",
    }
}
