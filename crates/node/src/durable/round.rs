//! A hub's round: everything there comes, everything it lacks goes, and what both come to is published.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use cocli_core::bucket::manifest::{name_of, name_of_odd};
use cocli_core::bucket::{Created, Failure, FailureKind, Key, Manifest};
use cocli_core::digest::hash;
use cocli_core::expiry::oldest_kept;
use cocli_core::limits::{MONTHS_KEPT, ODD_TAKEN_BYTES_MAX};
use cocli_core::{Instant, NodeId, SortedFile};
use cocli_store::Journals;
use cocli_store::checkpoint::{self, Told};

use super::hub::{Clock, Term};
use super::packed::pack;
use super::pull::Pulled;
use super::push::{Pushed, Which};
use super::{Durable, published};
use crate::compaction::Beside;
use crate::error::Result;
use crate::snapshot::Origin;

/// Files that are created side by side.
const TOGETHER: usize = 16;
/// How often a checkpoint that another one takes the place of meanwhile is begun again with.
const TRIES_MAX: usize = 5;
/// Bytes of a file that are read in one go.
const PIECE_BYTES: usize = 4 * 1024 * 1024;

/// What a round came to.
#[derive(Debug, Default)]
pub struct Round {
    /// What came.
    pub pulled: Pulled,
    /// What went.
    pub pushed: Pushed,
    /// The manifest that was published; none when there was nothing new.
    pub manifest: Option<Manifest>,
    /// Files that were created for it.
    pub files: usize,
    /// Rows of the snapshot that was made.
    pub rows: u64,
    /// What could not be done, and stops nothing else.
    pub notices: Vec<String>,
}

/// What a compaction of a round came to.
pub(super) struct Merged {
    /// Whether another node's checkpoint was joined.
    pub(super) joined: bool,
    /// What could not be done, and stops nothing else.
    pub(super) complaints: Vec<String>,
}

impl Durable<'_> {
    /// Reads everything, uploads what the bucket lacks, compacts, and publishes. `version` of the program goes
    /// into the snapshot.
    ///
    /// # Errors
    /// When somebody else is hub by now, the bucket cannot be asked, or the disk refuses: the newest manifest is
    /// the one before, or the new one.
    pub fn round(&mut self, term: &mut Term, version: &str, clock: &Clock<'_>) -> Result<Round> {
        let mut round = Round::default();
        let mut current = self.fence(term, clock().1)?;
        round.pulled = self.pull_everything(clock().1)?;
        self.keep(term, clock)?;
        round.pushed = self.push(&Which::All, clock().1)?;
        self.keep(term, clock)?;
        round.notices.extend(self.compact(clock().1)?.complaints);
        self.keep(term, clock)?;
        self.catch_up(&current, term, clock, &mut round)?;
        for _ in 0..TRIES_MAX {
            let mut journals = self.home.journals()?;
            self.make_durable(&mut journals)?;
            let Some(told) = checkpoint::told(&mut journals)? else { return Ok(round) };
            let spoilt = self.spoilt(&current)?;
            let same = current.checkpoint.as_deref() == std::str::from_utf8(&told.text).ok();
            if same && spoilt.is_none() {
                return Ok(round);
            }
            if let Some((name, why)) = spoilt {
                round.notices.push(format!("{why}: it is made anew"));
                current.files.remove(&name);
            }
            self.covers(&mut journals, &told, clock().1)?;
            let files = self.create_files(&told, &current, term, clock, &mut round)?;
            let Some(files) = files else { continue };
            let odd = self.create_odd(&current, term)?;
            let snapshot =
                self.create_tables(&told, &mut current, term, version, clock, &mut round)?;
            self.keep(term, clock)?;
            let wall = clock().1;
            let mut next = self.next_manifest(&current, term, wall);
            next.checkpoint = Some(String::from_utf8_lossy(&told.text).into_owned());
            (next.files, next.odd, next.nodes) = (files, odd, self.seen.nodes);
            next.snapshot = Some(snapshot);
            next.objects = self.needed_objects(wall);
            (next.again, next.ends) = (self.seen.unsettled(), self.seen.next.clone());
            if let Some(published) = self.publish(&next, term)? {
                round.manifest = Some(published);
                return Ok(round);
            }
            current = self.newest_before(term)?.unwrap_or(current);
        }
        let said = "the checkpoint here, or the newest manifest, changed again and again meanwhile";
        Err(Failure::new(FailureKind::Away, said).into())
    }

    /// For each node the first object that is needed beside the checkpoint.
    fn needed_objects(&self, wall: Instant) -> BTreeMap<NodeId, u64> {
        // A clock that is ahead must not make anybody lack what is not over.
        let newest = self.seen.months.keys().map(|(_, month)| *month).max();
        let oldest = newest
            .map_or(oldest_kept(wall), |newest| oldest_kept(wall).min(newest.before(MONTHS_KEPT)));
        let nodes = self.seen.writers().into_iter();
        nodes.map(|node| (node.clone(), self.seen.needed_from(&node, oldest))).collect()
    }

    /// Merges all that came.
    pub(super) fn compact(&self, now: Instant) -> Result<Merged> {
        let mut journals = self.home.journals()?;
        self.make_durable(&mut journals)?;
        let durable = journals.vector()?;
        let complaints = Mutex::new(Vec::new());
        let ended = self.home.compact_beside(&durable, true, now, &|month, error| {
            let mut complaints = complaints.lock().unwrap_or_else(PoisonError::into_inner);
            complaints.push(format!("{month}: {error}"));
        })?;
        let complaints = complaints.into_inner().unwrap_or_else(PoisonError::into_inner);
        let joined = matches!(ended, Beside::Merged(done) if done.joined);
        Ok(Merged { joined, complaints })
    }

    /// Makes sure that the bucket holds all that the checkpoint covers, and the checkpoint all that was read
    /// from the bucket.
    fn covers(&mut self, journals: &mut Journals, told: &Told, now: Instant) -> Result<()> {
        self.push(&Which::UpTo(told.frontier.clone()), now)?;
        for (log, head) in &told.frontier.0 {
            let missing = self.seen.covered.missing(log, journals.begin(log), head.position);
            if let Some((from, until)) = missing.first() {
                let said = format!(
                    "the checkpoint covers {log} up to {}, and the bucket lacks {from} to {until}: nothing is published (`cocli doctor` looks for damage)",
                    head.position
                );
                return Err(Failure::new(FailureKind::Wrong, said).into());
            }
        }
        for (log, tip) in self.seen.tips.iter().filter(|(log, _)| log.month.is_none()) {
            if told.frontier.position(log) < tip.position {
                let said = format!(
                    "the bucket holds {log} up to {}, and the checkpoint here covers it only up to {}: nothing is published before it does",
                    tip.position,
                    told.frontier.position(log)
                );
                return Err(Failure::new(FailureKind::Away, said).into());
            }
        }
        Ok(())
    }

    /// Creates the files of the checkpoint that the newest manifest does not name; nothing when one of them
    /// is no longer there.
    fn create_files(
        &mut self,
        told: &Told,
        current: &Manifest,
        term: &mut Term,
        clock: &Clock<'_>,
        round: &mut Round,
    ) -> Result<Option<BTreeMap<String, u64>>> {
        let mut files = BTreeMap::new();
        let mut fresh = Vec::new();
        for file in &told.files {
            let name = name_of(*file);
            match current.files.get(&name).copied() {
                Some(generation) => drop(files.insert(name, generation)),
                None => {
                    files.insert(name, term.generation);
                    fresh.push(*file);
                }
            }
        }
        for group in fresh.chunks(TOGETHER) {
            self.keep(term, clock)?;
            let mut gone = false;
            let mut left = group.iter();
            let created = self.bucket.create_all(&mut || {
                let Some(file) = left.next() else { return Ok(None) };
                match self.packed_file(*file)? {
                    Some(packed) => {
                        Ok(Some((Key::checkpoint(term.generation, &name_of(*file)), packed)))
                    }
                    None => {
                        gone = true;
                        Ok(None)
                    }
                }
            })?;
            round.files += created.iter().filter(|created| **created == Created::New).count();
            if gone {
                return Ok(None);
            }
        }
        Ok(Some(files))
    }

    /// A file as it goes there; nothing when it is no longer here. What is damaged goes nowhere.
    fn packed_file(&self, file: SortedFile) -> Result<Option<Vec<u8>>, Failure> {
        let failed = |what: String| Failure::new(FailureKind::Wrong, what);
        let mut bytes = Vec::new();
        loop {
            let read = checkpoint::piece(&*self.home.disk, file, bytes.len() as u64, PIECE_BYTES);
            match read.map_err(|error| failed(error.to_string()))? {
                None => return Ok(None),
                Some(piece) if piece.is_empty() => break,
                Some(piece) => bytes.extend(piece),
            }
        }
        if hash(&bytes) != file.hash {
            let name = name_of(file);
            return Err(failed(format!(
                "{name} of the checkpoint here is damaged: nothing is published (`cocli doctor --repair`)"
            )));
        }
        pack(&bytes).map(Some)
    }

    /// The list of odd records.
    fn create_odd(&mut self, current: &Manifest, term: &Term) -> Result<Option<(String, u64)>> {
        let mut odd = Vec::new();
        let mut behind = None;
        loop {
            let more = checkpoint::odd_behind(&*self.home.disk, behind.as_ref(), PIECE_BYTES)?;
            let Some(last) = checkpoint::last_odd(&more) else { break };
            if (odd.len() + more.len()) as u64 > ODD_TAKEN_BYTES_MAX {
                break;
            }
            behind = Some(last);
            odd.extend(more);
        }
        if odd.is_empty() {
            return Ok(None);
        }
        let name = name_of_odd(hash(&odd));
        if let Some(known) = current.odd.as_ref().filter(|(known, _)| *known == name) {
            return Ok(Some(known.clone()));
        }
        self.bucket.create(&Key::checkpoint(term.generation, &name), &pack(&odd)?)?;
        Ok(Some((name, term.generation)))
    }

    /// The tables, under a number that nothing stands under yet; gives that number.
    fn create_tables(
        &mut self,
        told: &Told,
        current: &mut Manifest,
        term: &mut Term,
        version: &str,
        clock: &Clock<'_>,
        round: &mut Round,
    ) -> Result<u64> {
        for _ in 0..TRIES_MAX {
            if term.tabled == Some(current.n + 1) {
                // What stands there, from a round that broke off or from whomever, says something else.
                *current = self.publish_again(current, term, clock().1)?;
            }
            if let Some(number) = self.create_snapshot(told, current, term, version, round)? {
                return Ok(number);
            }
            self.keep(term, clock)?;
        }
        let said = format!(
            "{}{}/ and the folders of the numbers before it hold tables that no manifest names: the next round tries later numbers",
            Key::snapshots(),
            current.n + 1
        );
        Err(Failure::new(FailureKind::Wrong, said).into())
    }

    /// The tables, when the state is another than the newest manifest's; gives their number: that of the
    /// manifest that is to name them. Only one generation can publish under it. Nothing when another table
    /// stands there.
    fn create_snapshot(
        &mut self,
        told: &Told,
        current: &Manifest,
        term: &mut Term,
        version: &str,
        round: &mut Round,
    ) -> Result<Option<u64>> {
        let same = published::told(current).is_some_and(|now| now.digest == told.digest);
        if let Some(number) = current.snapshot.filter(|_| same) {
            return Ok(Some(number));
        }
        let number = current.n + 1;
        term.tabled = Some(number);
        let parts: Arc<Mutex<BTreeMap<(&'static str, usize), Part>>> = Arc::default();
        let origin = Origin { version: version.to_owned(), manifest: Some(number) };
        let snapshot = self.home.snapshot(&origin, |table, part| {
            let fresh = Part::default();
            let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
            parts.insert((table, part), fresh.clone());
            Ok(fresh)
        })?;
        let parts = std::mem::take(&mut *parts.lock().unwrap_or_else(PoisonError::into_inner));
        for ((table, part), bytes) in parts {
            let key = Key::snapshot(number, table, &crate::part_name(part));
            let bytes =
                std::mem::take(&mut *bytes.0.lock().unwrap_or_else(PoisonError::into_inner));
            // It may be the same, from a try whose answer was lost.
            if self.bucket.create(&key, &bytes)? == Created::Exists
                && self.bucket.get(&key)?.as_ref() != Some(&bytes)
            {
                return Ok(None);
            }
        }
        for info in &snapshot.parts {
            round.rows += if info.table == "datagrams" { info.rows } else { 0 };
        }
        Ok(Some(number))
    }
}

/// A part of a table, kept until all of them are whole.
#[derive(Debug, Clone, Default)]
struct Part(Arc<Mutex<Vec<u8>>>);

impl io::Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
