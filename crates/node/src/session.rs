//! The home, locked: what a command reads, writes and puts in place, in one moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cocli_core::digest::shard;
use cocli_core::entity::DELETED;
use cocli_core::{Datagram, Entity, Entry, Field, Head, Instant, LogId, State, Target, Value, usv};
use cocli_store::card::quiet::Quiet;
use cocli_store::{Command, HomeLock, Journals, Reader, checkpoint};

use crate::cards::{Files, Placed};
use crate::change::{Change, Intent, Writer};
use crate::error::Result;
use crate::home::Home;
use crate::split::IDENTITY;

/// The end of what was written: a place of the own log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The own log.
    pub log: LogId,
    /// Its durable end.
    pub head: Head,
}

/// What a write did.
#[derive(Debug)]
pub struct Written {
    /// Datagrams written.
    pub datagrams: usize,
    /// Changes that were so already.
    pub unchanged: usize,
    /// Targets of which nothing was known before.
    pub new: Vec<Target>,
    /// Removed targets that were left out, and who removed them.
    pub refused: Vec<(Target, Entry)>,
    /// Where the own log ends now.
    pub end: End,
}

/// Changes of many targets for which what is known of these is held at once.
const CHANGES_AT_ONCE: usize = 1024;

/// What changes come to, before it is appended.
#[derive(Default)]
struct Made {
    /// Whether removed targets come back.
    revive: bool,
    datagrams: Vec<Datagram>,
    /// Where those of a target stand among these, as far as that was noted.
    places: HashMap<Target, Vec<usize>>,
    indexed: usize,
    unchanged: usize,
    new: Vec<Target>,
    refused: Vec<(Target, Entry)>,
}

/// A home under its lock. Dropping it gives the lock back.
#[derive(Debug)]
pub struct Session<'h> {
    pub(crate) home: &'h Home,
    pub(crate) lock: HomeLock,
    pub(crate) journals: Journals,
    pub(crate) now: Instant,
    /// Targets whose cards have to be looked at.
    pub(crate) touched: BTreeSet<Target>,
    /// What is known of targets, with the writes of this session.
    entities: HashMap<Target, Entity>,
    /// All of it, once it was asked for.
    whole: Option<State>,
    /// Bytes of journals behind the checkpoint, as far as this session knows.
    pub(crate) tail_bytes: u64,
    /// Files that were read and taken in, not yet put in place.
    pub(crate) looked: HashMap<Target, Files>,
    /// What a person decided of edits that waited: what their files may still say beyond what is known.
    pub(crate) decided: HashMap<Target, Vec<Change>>,
    /// Targets whose files are left alone: they do not parse, or wait for a person.
    pub(crate) leave: BTreeSet<Target>,
    /// Whether what a crash left of cards was looked at.
    pub(crate) swaps_seen: bool,
    /// Cards without a known `_rev` that were left for later; `None` where they are taken in.
    pub(crate) revless: Option<Vec<Target>>,
    /// Waits for editors to end their saves.
    pub(crate) quiet: Quiet,
    /// Cards that need a person, met on the way.
    pub(crate) met: Placed,
}

impl<'h> Session<'h> {
    pub(crate) fn begin(home: &'h Home, now: Instant) -> Result<Self> {
        let who = format!("process {}", std::process::id());
        let lock = HomeLock::take(&*home.disk, &who)?;
        let journals = home.own_journals(&lock)?;
        let mut session = Self {
            home,
            lock,
            journals,
            now,
            touched: BTreeSet::new(),
            entities: HashMap::new(),
            whole: None,
            tail_bytes: 0,
            looked: HashMap::new(),
            decided: HashMap::new(),
            leave: BTreeSet::new(),
            swaps_seen: false,
            revless: None,
            quiet: Quiet::new(now),
            met: Placed::default(),
        };
        session.trust_the_log()?;
        Ok(session)
    }

    /// A log in doubt, and that of a home that was copied from other hardware, is closed first.
    fn trust_the_log(&mut self) -> Result<()> {
        if let Some(doubt) = self.journals.doubt() {
            let (log, trusted) = (doubt.log.clone(), doubt.trusted);
            self.journals.close_and_copy(&self.lock, &log, trusted, &(self.home.rim.epoch)())?;
            self.salvage()?;
        }
        if self.home.moved && !self.home.settled()? {
            let journals = &mut self.journals;
            let held = |log: &LogId| journals.owns(log) && journals.end(log) > 0;
            if journals.logs().any(held) {
                let (own, epoch) = (journals.own().clone(), (self.home.rim.epoch)());
                let end = journals.end(&own);
                journals.close_and_copy(&self.lock, &own, end, &epoch)?;
            }
            self.home.settle()?;
        }
        Ok(())
    }

    /// Writes what only the checkpoint holds into the own log, should there be any.
    pub(crate) fn salvage(&mut self) -> Result<()> {
        let command = Command { at: self.now, verb: "salvage".into() };
        checkpoint::salvage(&self.lock, &mut self.journals, &command)?;
        Ok(())
    }

    /// Writes records as they are into the own log.
    pub(crate) fn append_verbatim(&mut self, records: &[u8], verb: &str) -> Result<()> {
        let command = Command { at: self.now, verb: verb.into() };
        self.journals.append_verbatim(&self.lock, records, (None, self.now.day()), &command)?;
        Ok(())
    }

    pub(crate) fn reader(&mut self) -> Result<Reader> {
        let (disk, cluster) = (self.home.disk.clone(), self.home.cluster());
        let reader = Reader::glance(disk, cluster, self.home.node().clone())?;
        self.tail_bytes = reader.tail_bytes();
        Ok(reader)
    }

    /// What is known of a target now, this session's writes included.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn entity(&mut self, target: &Target) -> Result<Entity> {
        self.load([target])?;
        Ok(self.entities.get(target).cloned().unwrap_or_default())
    }

    /// Whether anything is known of a target or of what stands below it.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn knows(&mut self, target: &Target) -> Result<bool> {
        Ok(!self.entity(target)?.fields.is_empty() || !self.reader()?.below(target)?.is_empty())
    }

    /// All that is known, this session's writes included.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn state(&mut self) -> Result<&State> {
        let state = match self.whole.take() {
            Some(state) => state,
            None => {
                let state = self.reader()?.state()?;
                self.entities = state.entities().map(|(t, e)| (t.clone(), e.clone())).collect();
                state
            }
        };
        Ok(self.whole.insert(state))
    }

    /// What is known of some targets by now.
    pub(crate) fn know(&mut self, known: BTreeMap<Target, Entity>) {
        self.entities.extend(known);
    }

    /// Makes sure that these targets, and those above them, are in `entities`.
    pub(crate) fn load<'t>(&mut self, targets: impl IntoIterator<Item = &'t Target>) -> Result<()> {
        if self.whole.is_some() {
            return Ok(());
        }
        let lineages = targets.into_iter().flat_map(Target::lineage);
        let wanted: BTreeSet<Target> = lineages
            .filter_map(|text| Target::read(text).ok())
            .filter(|target| !self.entities.contains_key(target))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let mut found = self.reader()?.entities(&wanted)?;
        let with = |target: Target| {
            let entity = found.remove(&target).unwrap_or_default();
            (target, entity)
        };
        self.entities.extend(wanted.into_iter().map(with));
        Ok(())
    }

    /// What was loaded.
    pub(crate) fn known(&self) -> &HashMap<Target, Entity> {
        &self.entities
    }

    /// Gives the memory of what was loaded back: it is read again when it is asked for.
    pub(crate) fn forget_entities(&mut self) {
        if self.whole.is_none() {
            self.entities = HashMap::new();
        }
    }

    /// Who removed a target that [`Session::entity`] was asked for.
    pub(crate) fn removed_from(&self, target: &Target) -> Option<Entry> {
        self.removed(target).map(|(_, entry)| entry)
    }

    /// Who removed the target, or what it stands below.
    fn removed(&self, target: &Target) -> Option<(Target, Entry)> {
        target.lineage().filter_map(|text| Target::read(text).ok()).find_map(|above| {
            let entry = self.entities.get(&above)?.removed()?.clone();
            Some((above, entry))
        })
    }

    /// Writes what differs of `changes` as one batch. Changes of removed targets are left out and
    /// named; with `revive` the targets come back first.
    ///
    /// # Errors
    /// When a change has no meaning, or the disk refuses: nothing is written then.
    pub fn write(&mut self, verb: &str, changes: &[Change], revive: bool) -> Result<Written> {
        let changes: Vec<&Change> = changes.iter().collect();
        self.write_batches(verb, &[&changes], revive)
    }

    /// As [`Session::write`], of many targets: it holds what is known of some of them at a time. Their order in
    /// the log is that of their shards, and what removes comes last.
    ///
    /// # Errors
    /// As [`Session::write`].
    pub fn write_many(
        &mut self,
        verb: &str,
        mut changes: Vec<&Change>,
        revive: bool,
    ) -> Result<Written> {
        // What is removed again would be brought back by what is written below it after that.
        changes.sort_by_cached_key(|change| (change.removes(), shard(&change.target)));
        let batches: Vec<&[&Change]> = changes.chunks(CHANGES_AT_ONCE).collect();
        self.write_batches(verb, &batches, revive)
    }

    fn write_batches(
        &mut self,
        verb: &str,
        batches: &[&[&Change]],
        revive: bool,
    ) -> Result<Written> {
        let deleted = Field::read(DELETED)?;
        let writer = Writer { node: self.home.node().clone(), wall: self.now };
        let mut made = Made { revive, ..Made::default() };
        for (number, batch) in batches.iter().enumerate() {
            if number > 0 {
                self.forget_entities();
            }
            self.load(batch.iter().map(|change| &change.target))?;
            self.merge_pending(&mut made);
            for change in *batch {
                self.make((&writer, &deleted), change, &mut made)?;
            }
            self.touched.extend(batch.iter().map(|change| change.target.clone()));
        }
        let Made { datagrams, unchanged, new, refused, .. } = made;
        self.touched.extend(datagrams.iter().map(|datagram| datagram.target.clone()));
        let hides = datagrams.iter().filter(|datagram| datagram.field == deleted);
        let hidden: BTreeSet<Target> = hides.map(|datagram| datagram.target.clone()).collect();
        let below = self.home.below(&hidden)?;
        self.touched.extend(below);
        let end = self.append(verb, &datagrams)?;
        let back = datagrams.iter().filter(|d| d.field == deleted && d.entry.value.is_null());
        back.for_each(|d| self.weigh_again(&d.target));
        self.merge(&datagrams);
        Ok(Written { datagrams: datagrams.len(), unchanged, new, refused, end })
    }

    /// What earlier batches make of targets that were loaded anew is not in the journals yet.
    fn merge_pending(&mut self, made: &mut Made) {
        if made.datagrams.is_empty() {
            return;
        }
        for (at, datagram) in made.datagrams.iter().enumerate().skip(made.indexed) {
            made.places.entry(datagram.target.clone()).or_default().push(at);
        }
        made.indexed = made.datagrams.len();
        for (target, entity) in &mut self.entities {
            for at in made.places.get(target).into_iter().flatten() {
                let Datagram { field, entry, .. } = &made.datagrams[*at];
                entity.merge(field.clone(), entry.clone());
            }
        }
    }

    /// Makes the datagrams of one change.
    fn make(
        &mut self,
        (writer, deleted): (&Writer, &Field),
        change: &Change,
        made: &mut Made,
    ) -> Result<()> {
        if change.field != *deleted
            && let Some((above, entry)) = self.removed(&change.target)
        {
            if !made.revive {
                made.refused.push((change.target.clone(), entry));
                return Ok(());
            }
            let back = Change::new(above, deleted.clone(), Intent::Put(Value::null()));
            self.apply(writer, &back, &mut made.datagrams)?;
        }
        let known = self.entities.get(&change.target).is_some_and(|e| !e.fields.is_empty());
        if self.apply(writer, change, &mut made.datagrams)? == 0 {
            made.unchanged += 1;
        } else if !known {
            made.new.push(change.target.clone());
        }
        Ok(())
    }

    /// What waits in the card of a target that is back is weighed anew.
    fn weigh_again(&mut self, back: &Target) {
        let held = self.met.held.extract_if(.., |held| held.target == *back);
        for held in held {
            self.leave.remove(&held.target);
        }
    }

    /// Works out the datagrams of one change, and takes them into the view.
    fn apply(
        &mut self,
        writer: &Writer,
        change: &Change,
        datagrams: &mut Vec<Datagram>,
    ) -> Result<usize> {
        let entity = self.entities.entry(change.target.clone()).or_default();
        let entries = writer.entries(change, entity)?;
        let count = entries.len();
        for (field, entry) in entries {
            // A longer record would be odd for every reader, and no stream would carry it.
            entry.value.clone().bounded()?;
            entity.merge(field.clone(), entry.clone());
            datagrams.push(Datagram { target: change.target.clone(), field, entry });
        }
        Ok(count)
    }

    fn merge(&mut self, datagrams: &[Datagram]) {
        if let Some(state) = &mut self.whole {
            state.extend(datagrams.iter().cloned());
        }
    }

    fn append(&mut self, verb: &str, datagrams: &[Datagram]) -> Result<End> {
        let mut batch = Vec::with_capacity(datagrams.len() * 160);
        for datagram in datagrams {
            usv::write(datagram, &mut batch);
        }
        self.append_bytes(verb, &batch)
    }

    /// Appends whole records as they are.
    pub(crate) fn append_bytes(&mut self, verb: &str, batch: &[u8]) -> Result<End> {
        if !batch.is_empty() {
            self.tail_bytes += batch.len() as u64;
            let command = Command { at: self.now, verb: verb.to_string() };
            let (day, epoch) = (self.now.day(), (self.home.rim.epoch)());
            self.journals.append_or_close(&self.lock, day, batch, &command, &epoch)?;
        }
        self.end()
    }

    /// The durable end of the own log.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn end(&mut self) -> Result<End> {
        let log = self.journals.own().clone();
        let head = self.journals.head(&log)?;
        Ok(End { log, head })
    }

    /// A target for a new entity: `wanted` when it is free, else its next free variant; `None` when
    /// the name was `given` and is taken, or the entity there is the same one.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn free(
        &mut self,
        wanted: &Target,
        changes: &[Change],
        given: bool,
    ) -> Result<Option<Target>> {
        let text_of = |field: &str| {
            changes.iter().find(|c| c.field.as_str() == field).and_then(|c| match &c.intent {
                Intent::Put(value) => Some(value.clone()),
                _ => None,
            })
        };
        for slug in crate::slug::variants(wanted.slug()) {
            let target = Target::read(&format!("{}/{slug}", wanted.collection()))?;
            let entity = self.entity(&target)?;
            if !entity.is_shown() && self.removed(&target).is_none() {
                return Ok(Some(target));
            }
            let other = IDENTITY.iter().any(|name| {
                let held = Field::read(name).ok().and_then(|f| entity.value(None, &f));
                matches!((held, text_of(name)), (Some(a), Some(b)) if a != b)
            });
            if given || !other {
                return Ok(None);
            }
        }
        Ok(None)
    }
}
