//! What comes from the bucket: ranges of logs, into the same journals as those that come by gossip.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::bucket::object::Part;
use cocli_core::bucket::{Failure, Key, Object};
use cocli_core::digest::hash;
use cocli_core::frame::Linked;
use cocli_core::limits::OBJECT_TEXT_BYTES_MAX;
use cocli_core::{ClusterId, Head, Instant, LogId, NodeId};
use cocli_store::journal::{Misplaced, Placed};
use cocli_store::{Command, HomeLock, Journals, StoreError};

use super::packed::unpack;
use super::{Durable, fork};
use crate::error::Result;

/// Objects of a node that are asked for at once, when many follow each other.
const AHEAD_MAX: usize = 16;
/// Unreadable objects of a node, one behind the other, behind which nothing more is looked for.
const UNREADABLE_MAX: u64 = 1000;
/// Objects that are asked for at once again.
const TOGETHER: usize = 16;

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

impl Pulled {
    /// Adds what another pull came to.
    pub(super) fn add(&mut self, more: Self) {
        let Self { objects, bytes, logs, open, notices } = more;
        self.objects += objects;
        self.bytes += bytes;
        self.logs.extend(logs);
        self.open.extend(open);
        self.notices.extend(notices);
    }
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
    /// It is on another branch, which was settled: how.
    Fork(String),
    /// It is on another branch, and where that begins is not known here.
    Open,
    /// It is of a log that expires, and goes on from what may be nowhere any more.
    Over,
    /// It cannot be taken, for this reason.
    Refused(String),
}

impl Durable<'_> {
    /// Reads what these nodes have in the bucket that was not read yet, and makes it durable here. One that
    /// cannot be read is passed over as soon as one behind it can; with [`Reach::All`] those that were passed over are tried again.
    ///
    /// # Errors
    /// When the bucket cannot be asked or the disk refuses; what came before counts.
    pub fn pull(&mut self, nodes: &BTreeSet<NodeId>, reach: Reach, now: Instant) -> Result<Pulled> {
        let mut pulled = Pulled { notices: self.notices.drain(..).collect(), ..Pulled::default() };
        let mut journals = self.home.journals()?;
        self.drop_branches(&mut journals)?;
        if !self.again.is_empty() {
            self.save()?;
        }
        let first = if reach == Reach::All { 2 } else { 1 };
        let mut ahead: BTreeMap<NodeId, usize> =
            nodes.iter().map(|node| (node.clone(), first)).collect();
        while !ahead.is_empty() {
            let many = self.pull_some(&mut journals, &mut ahead, now, &mut pulled)?;
            if let Some(why) = self.changed.take() {
                self.begin_anew(&why)?;
                pulled.add(self.pull_everything(now)?);
                return Ok(pulled);
            }
            for (node, count) in &mut ahead {
                if reach == Reach::All || many.contains(node) {
                    *count = (*count * 2).min(AHEAD_MAX);
                }
            }
            self.make_durable(&mut journals)?;
            self.save()?;
        }
        if reach == Reach::All {
            self.try_damaged(&mut journals, now, &mut pulled)?;
        }
        self.take_waiting(&mut journals, now, &mut pulled)?;
        let all = !nodes.is_empty() && self.seen.writers().is_subset(nodes);
        if self.seen.unread && reach == Reach::All && all {
            self.seen.unread = false;
            self.save()?;
        }
        Ok(pulled)
    }

    /// Learns who writes there, and reads what all of them have.
    ///
    /// # Errors
    /// As [`Durable::pull`].
    pub(super) fn pull_everything(&mut self, now: Instant) -> Result<Pulled> {
        self.meet(true)?;
        let all = self.seen.writers();
        self.pull(&all, Reach::All, now)
    }

    /// Reads as many of the next objects of each node as it says, takes away the nodes of which there are no
    /// more, and gives those of which more are to be asked for at once.
    fn pull_some(
        &mut self,
        journals: &mut Journals,
        ahead: &mut BTreeMap<NodeId, usize>,
        now: Instant,
        pulled: &mut Pulled,
    ) -> Result<BTreeSet<NodeId>> {
        let begun: BTreeMap<NodeId, (u64, Vec<u64>)> = (ahead.iter())
            .map(|(node, count)| {
                (node.clone(), (self.seen.next_of(node), self.ahead_of(node, *count)))
            })
            .collect();
        let keys: Vec<(NodeId, u64)> = (begun.iter())
            .flat_map(|(node, (_, numbers))| numbers.iter().map(|n| (node.clone(), *n)))
            .collect();
        let got = self.get(&keys)?;
        let mut many = BTreeSet::new();
        for (key, packed) in keys.into_iter().zip(got) {
            if !ahead.contains_key(&key.0) || self.changed.is_some() {
                continue;
            }
            let Some(packed) = packed else {
                // Whatever was answered before, neither this nor what would be behind it is there yet.
                self.seen.damaged.retain(|(node, n)| *node != key.0 || *n < key.1);
                ahead.remove(&key.0);
                continue;
            };
            let more = self.take_packed(journals, &key, &packed, now, pulled)?;
            if more.is_none_or(|more| more) {
                many.insert(key.0);
            }
        }
        // Where there is nothing but what cannot be read, it ends at last.
        ahead.retain(|node, count| {
            let (next, numbers) = &begun[node];
            numbers.len() == *count || self.seen.next_of(node) != *next
        });
        Ok(many)
    }

    /// The numbers of objects to ask for: the next of a node, and those behind it that are not known to be unreadable.
    fn ahead_of(&self, node: &NodeId, count: usize) -> Vec<u64> {
        let next = self.seen.next_of(node);
        let last = next.saturating_add(UNREADABLE_MAX);
        let behind = (next + 1..=last).filter(|n| !self.seen.damaged.contains(&(node.clone(), *n)));
        std::iter::once(next).chain(behind).take(count).collect()
    }

    /// The objects as they stand there, in the order of `keys`.
    fn get(&self, keys: &[(NodeId, u64)]) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        let names: Vec<Key> = keys.iter().map(|(node, n)| Key::object(node, *n)).collect();
        self.bucket.get_together(&names)
    }

    /// Takes in an object, and gives whether another was to follow at once; nothing when it cannot be read.
    fn take_packed(
        &mut self,
        journals: &mut Journals,
        key: &(NodeId, u64),
        packed: &[u8],
        now: Instant,
        pulled: &mut Pulled,
    ) -> Result<Option<bool>> {
        let (node, n) = key;
        match read(packed, self.seen.cluster, node, *n) {
            Ok(object) => {
                if self.is_of_another_line(&object) {
                    let key = Key::object(node, *n);
                    self.changed =
                        Some(format!("{key} in the bucket follows on another than was read there"));
                    return Ok(None);
                }
                self.seen.waiting.remove(key);
                self.seen.open.remove(key);
                self.take(journals, &object, now, pulled)?;
                let logs: Vec<LogId> =
                    object.parts.iter().map(|part| part.range.log.clone()).collect();
                if self.seen.damaged.remove(key) {
                    pulled.notices.push(format!("{}: it can be read again", Key::object(node, *n)));
                    if logs.iter().any(|log| log.month.is_some()) {
                        // What of it expires and stands behind this did not fit before.
                        self.read_again(node, n + 1);
                    }
                }
                self.seen.met_months(node, *n, logs);
                if self.follows(key) {
                    self.seen.bytes += packed.len() as u64;
                    self.seen.next.insert(node.clone(), n + 1);
                    self.seen.newest.insert(node.clone(), hash(packed));
                }
                pulled.objects += 1;
                Ok(Some(object.more))
            }
            Err(failure) => {
                if self.seen.damaged.insert(key.clone()) {
                    pulled.notices.push(format!(
                        "{failure}: what is behind it is read, and it is tried again"
                    ));
                }
                Ok(None)
            }
        }
    }

    /// Whether an object is the next one of its node, or only such are before it as cannot be read. (One that is read
    /// again is not, where those before it are to be.)
    fn follows(&self, (node, n): &(NodeId, u64)) -> bool {
        let next = self.seen.next_of(node);
        let unreadable = |n: u64| self.seen.damaged.contains(&(node.clone(), n));
        next <= *n && *n - next <= UNREADABLE_MAX && (next..*n).all(unreadable)
    }

    /// Whether the next object of a node names another as the one before it than was read: the bucket was put back
    /// to an earlier state, and went on from there. Not while all is read anew: then nothing older is known.
    fn is_of_another_line(&self, object: &Object) -> bool {
        let newest = self.seen.newest.get(&object.node);
        !self.seen.unread
            && object.before != 0
            && object.n == self.seen.next_of(&object.node)
            && newest.is_some_and(|newest| *newest != object.before)
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
            self.drop_branch(journals, log)?;
            match self.place(journals, &lock, part, now)? {
                Taken::Held => self.seen.cover(log, part.range.position, part.end),
                Taken::New(bytes) => {
                    self.seen.cover(log, part.range.position, part.end);
                    pulled.bytes += bytes;
                    pulled.logs.insert(log.clone());
                }
                Taken::Waits => {
                    let waits =
                        self.seen.waiting.entry((object.node.clone(), object.n)).or_default();
                    let first = waits.entry(log.clone()).or_insert(part.range.position);
                    *first = (*first).min(part.range.position);
                }
                Taken::Fork(how) => {
                    pulled.notices.push(how);
                    pulled.logs.insert(log.clone());
                }
                Taken::Open => {
                    let open = self.seen.open.entry((object.node.clone(), object.n)).or_default();
                    open.insert(log.clone(), part.range.start());
                    pulled.open.insert(log.clone());
                    pulled.logs.insert(log.clone());
                }
                Taken::Over => {}
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
        if range.end() != part.end {
            return Ok(Taken::Refused("it does not lead to the hash behind it".to_owned()));
        }
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
            return match journals.owns(log) {
                true => Ok(Taken::Refused("this home cannot close its own log".to_owned())),
                false => self.place(journals, lock, part, now),
            };
        }
        if range.position > end.position {
            // Of a log that expires what came before may be nowhere any more: gossip, if anything, brings it.
            return Ok(if log.month.is_some() { Taken::Over } else { Taken::Waits });
        }
        let Some(rest) = range.behind(end.position).filter(|rest| rest.hash_before == end.hash)
        else {
            return self.settle(journals, lock, part, now);
        };
        let bytes = rest.bytes.len() as u64;
        Ok(match journals.append_linked(lock, &Linked::from(rest))? {
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
            fork::Settled::Open => Ok(Taken::Open),
            fork::Settled::Kept => Ok(Taken::Fork(format!(
                "{log}: the bucket holds another branch; the one that is here stays"
            ))),
            fork::Settled::Yielded => {
                self.seen.forget(log);
                let taken = self.place(journals, lock, part, now)?;
                Ok(match taken {
                    Taken::New(_) => {
                        self.seen.cover(log, part.range.position, part.end);
                        Taken::Fork(format!(
                            "{log}: the branch that was here gave way to the one in the bucket; its records stand in the own log"
                        ))
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
        let mut tried = BTreeSet::new();
        loop {
            let mut ready = self.ready(journals)?;
            ready.retain(|key| !tried.contains(key));
            ready.truncate(TOGETHER);
            if ready.is_empty() {
                return Ok(());
            }
            self.take_again(journals, &ready, now, pulled)?;
            tried.extend(ready);
        }
    }

    /// Objects with ranges that fit by now.
    fn ready(&self, journals: &mut Journals) -> Result<Vec<(NodeId, u64)>> {
        let has_come = |logs: &BTreeMap<LogId, u64>| {
            logs.iter().any(|(log, position)| journals.end(log) >= *position)
        };
        let waiting = self.seen.waiting.iter().filter(|(_, logs)| has_come(logs));
        let mut ready: Vec<_> = waiting.map(|(key, _)| key.clone()).collect();
        for (key, logs) in &self.seen.open {
            for (log, start) in logs {
                if journals.hash_at(log, start.position)? == Some(start.hash) {
                    ready.push(key.clone());
                    break;
                }
            }
        }
        Ok(ready)
    }

    /// Tries those again that could not be read, and were passed over.
    fn try_damaged(
        &mut self,
        journals: &mut Journals,
        now: Instant,
        pulled: &mut Pulled,
    ) -> Result<()> {
        let passed = self.seen.damaged.iter().filter(|(node, n)| *n != self.seen.next_of(node));
        let passed: Vec<_> = passed.cloned().collect();
        passed.chunks(TOGETHER).try_for_each(|some| self.take_again(journals, some, now, pulled))
    }

    fn take_again(
        &mut self,
        journals: &mut Journals,
        keys: &[(NodeId, u64)],
        now: Instant,
        pulled: &mut Pulled,
    ) -> Result<()> {
        for (key, packed) in keys.iter().zip(self.get(keys)?) {
            if let Some(packed) = packed {
                self.take_packed(journals, key, &packed, now, pulled)?;
            }
        }
        self.make_durable(journals)?;
        self.save()
    }

    /// What the bucket was known to hold of a branch that gave way, or of an end that is lost here, counts no
    /// more.
    pub(super) fn drop_branches(&mut self, journals: &mut Journals) -> Result<()> {
        let logs: Vec<LogId> = self.seen.tips.keys().cloned().collect();
        logs.iter().try_for_each(|log| self.drop_branch(journals, log))
    }

    fn drop_branch(&mut self, journals: &mut Journals, log: &LogId) -> Result<()> {
        let Some(tip) = self.seen.tips.get(log).copied() else { return Ok(()) };
        if is_held(journals, log, tip)? {
            return Ok(());
        }
        self.seen.forget(log);
        if log.month.is_none() && (journals.owns(log) || tip.position > journals.end(log)) {
            // What is no longer here stands in objects that count as read, of whoever carried it.
            self.seen.writers().iter().for_each(|node| self.read_again(node, 1));
        }
        Ok(())
    }

    /// The objects of a node are to be read from this one on.
    fn read_again(&mut self, node: &NodeId, from: u64) {
        let first = self.again.entry(node.clone()).or_insert(from);
        *first = from.min(*first);
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

/// Whether a log is held up to a head, on the chain that leads there; so is what lies below its beginning, and what
/// damage here hides.
pub(super) fn is_held(journals: &mut Journals, log: &LogId, head: Head) -> Result<bool> {
    if head.position <= journals.begin(log) {
        return Ok(true);
    }
    Ok(match journals.hash_at(log, head.position)? {
        Some(hash) => hash == head.hash,
        None => {
            head.position < journals.end(log)
                && journals.holes().iter().any(|hole| hole.log == *log)
        }
    })
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
