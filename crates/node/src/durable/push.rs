//! What goes to the bucket: ranges that it lacks, as numbered objects.

use std::collections::BTreeSet;

use cocli_core::bucket::object::Part;
use cocli_core::bucket::{Created, Failure, FailureKind, Key, Object};
use cocli_core::digest::hash;
use cocli_core::limits::{OBJECT_BYTES_MAX, OBJECT_RANGES_MAX};
use cocli_core::{Instant, LogId, NodeId, Vector};
use cocli_store::{Journals, StoreError};

use super::packed::pack;
use super::pull::{Pulled, Reach};
use super::{Durable, Seen};
use crate::error::Result;

/// Own objects behind each other that cannot be read, and are passed over by one push.
const PASSED_MAX: usize = 16;

/// What of what the bucket lacks is uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Everything.
    All,
    /// The own log and those that expire with it, and these logs of others.
    Own(BTreeSet<LogId>),
    /// What these heads cover.
    UpTo(Vector),
}

/// What a push came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Objects that were created.
    pub objects: usize,
    /// Bytes of records in them.
    pub bytes: u64,
    /// What was found where they were to stand.
    pub met: Pulled,
    /// Objects that stood there and could not be read.
    pub passed: usize,
}

/// What the bucket lacks of a log, from one position up to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// Of which log.
    pub log: LogId,
    /// From this position on.
    pub from: u64,
    /// Up to this one.
    pub until: u64,
}

impl Durable<'_> {
    /// Uploads what the bucket lacks of what is durable here.
    ///
    /// # Errors
    /// When the bucket cannot be asked or the disk refuses; what was uploaded before counts.
    pub fn push(&mut self, which: &Which, now: Instant) -> Result<Pushed> {
        let mut journals = self.home.journals()?;
        self.make_durable(&mut journals)?;
        self.drop_branches(&mut journals)?;
        if !self.again.is_empty() {
            self.save()?;
        }
        let mut pushed = Pushed::default();
        loop {
            let lacks = self.lacks(&mut journals, which)?;
            let (parts, more) = self.gather(&mut journals, &lacks)?;
            if parts.is_empty() {
                return Ok(pushed);
            }
            if pushed.objects == 0 && !self.stands_before()? {
                // Behind what is gone nobody would find it.
                pushed.met.add(self.pull_everything(now)?);
                journals.refresh()?;
                continue;
            }
            self.create(&mut journals, parts, more, now, &mut pushed)?;
        }
    }

    /// Whether the own newest object still stands, behind which one is to be put; begins anew where it does not.
    fn stands_before(&mut self) -> Result<bool> {
        let me = self.home.node().clone();
        let before = (me.clone(), self.seen.next_of(&me) - 1);
        if before.1 == 0 || !self.seen.is_settled(&before) {
            return Ok(true);
        }
        self.stands(&before)
    }

    /// What the bucket lacks of what is durable here: of the own logs first.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn lacks(&self, journals: &mut Journals, which: &Which) -> Result<Vec<Lack>> {
        let vector = journals.vector()?;
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for (log, head) in &vector.0 {
            let until = match which {
                Which::All => head.position,
                Which::Own(also) if journals.owns(log) || also.contains(log) => head.position,
                Which::Own(_) => continue,
                Which::UpTo(heads) => head.position.min(heads.position(log)),
            };
            let lacks = lacks_of(&self.seen, log, journals.begin(log), until);
            if journals.owns(log) { own.extend(lacks) } else { others.extend(lacks) }
        }
        own.extend(others);
        Ok(own)
    }

    /// Reads as much of it as one object takes; says whether there is more.
    fn gather(&mut self, journals: &mut Journals, lacks: &[Lack]) -> Result<(Vec<Part>, bool)> {
        let (mut parts, mut room) = (Vec::new(), OBJECT_BYTES_MAX);
        for Lack { log, from, until } in lacks {
            let mut at = *from;
            while at < *until {
                if room == 0 || parts.len() == OBJECT_RANGES_MAX {
                    return Ok((parts, true));
                }
                let max = usize::try_from(room).unwrap_or(usize::MAX);
                let range = match journals.read(log, at, *until, max) {
                    Ok(Some(range)) => range,
                    Ok(None) => break,
                    // What is damaged here somebody else may upload, or this node when it is healed.
                    Err(StoreError::Damaged { .. }) => break,
                    Err(StoreError::Refused { .. }) => {
                        // It is another branch by now than the one that was uploaded.
                        self.seen.forget(log);
                        break;
                    }
                    Err(error) => return Err(error.into()),
                };
                if !parts.is_empty() && range.bytes.len() as u64 > room {
                    return Ok((parts, true));
                }
                at = range.end_position();
                room = room.saturating_sub(range.bytes.len() as u64);
                let end = range.end();
                parts.push(Part { range, end });
            }
        }
        Ok((parts, false))
    }

    /// Creates the next object; where one stands already, that is read instead.
    fn create(
        &mut self,
        journals: &mut Journals,
        parts: Vec<Part>,
        more: bool,
        now: Instant,
        pushed: &mut Pushed,
    ) -> Result<()> {
        let node = self.home.node().clone();
        let n = self.seen.next_of(&node);
        let key = Key::object(&node, n);
        let before = self.seen.newest.get(&node).copied().unwrap_or_default();
        let object =
            Object { cluster: self.seen.cluster, node: node.clone(), n, more, before, parts };
        let packed = pack(&object.text())?;
        match self.bucket.create(&key, &packed)? {
            Created::New => {
                for Part { range, end } in &object.parts {
                    self.seen.cover(&range.log, range.position, *end);
                    pushed.bytes += range.bytes.len() as u64;
                }
                let logs = object.parts.iter().map(|part| part.range.log.clone());
                self.seen.met_months(&node, n, logs);
                self.seen.newest.insert(node.clone(), hash(&packed));
                self.seen.next.insert(node, n + 1);
                self.seen.bytes += packed.len() as u64;
                pushed.objects += 1;
                self.save()
            }
            Created::Exists => {
                let met = self.pull(&[node.clone()].into(), Reach::All, now)?;
                pushed.met.add(met);
                if self.seen.next_of(&node) == n {
                    self.pass_over(&node, n, pushed)?;
                }
                Ok(journals.refresh()?)
            }
        }
    }

    /// Goes on behind an object of this node that stands there and cannot be read.
    fn pass_over(&mut self, node: &NodeId, n: u64, pushed: &mut Pushed) -> Result<()> {
        let key = (node.clone(), n);
        if !self.seen.damaged.contains(&key) {
            let said = format!(
                "{} in the bucket cannot be created, and is not there",
                Key::object(node, n)
            );
            return Err(Failure::new(FailureKind::Away, said).into());
        }
        pushed.passed += 1;
        if pushed.passed > PASSED_MAX {
            let said = format!(
                "{} in the bucket and the {PASSED_MAX} before it can neither be created nor read",
                Key::object(node, n)
            );
            return Err(Failure::new(FailureKind::Wrong, said).into());
        }
        // Nobody can say what the next one follows on.
        self.seen.newest.remove(node);
        self.seen.next.insert(node.clone(), n + 1);
        self.save()
    }
}

fn lacks_of(seen: &Seen, log: &LogId, begin: u64, until: u64) -> Vec<Lack> {
    let missing = seen.covered.missing(log, begin, until.max(begin));
    missing.into_iter().map(|(from, until)| Lack { log: log.clone(), from, until }).collect()
}
