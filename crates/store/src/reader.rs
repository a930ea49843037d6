//! Reading the state: the checkpoint, and the journal bytes behind it.
//!
//! A reader is what stood there when it was opened; it takes no lock, and nothing that others do
//! afterwards changes its answers. A compaction takes its files away; then it says
//! [`StoreError::Replaced`], and who asks opens a new one.

mod at;
mod expiring;
mod layers;
mod ordered;
mod recall;
mod search;
mod several;
mod spans;
mod tally;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub use at::sum_of;
pub(crate) use expiring::months_of;
pub use layers::Layer;
pub use spans::{Span, Spans};
pub use tally::Tally;

use cocli_core::digest::shard as shard_of;
use cocli_core::usv::US;
use cocli_core::{
    ClusterId, Datagram, Entity, Entry, Field, LogId, Month, NodeId, State, StateDigest, Target,
};
use memchr::memmem::Finder;

use crate::archive;
use crate::checkpoint::{self, Manifest, OddList, OddRecord, of_met};
use crate::disk::{Disk, SharedDisk};
use crate::error::{Result, StoreError, Tried};
use crate::journal::{Journals, Met, Section, Stretch};
use crate::paths;

/// After so many single questions it pays to read the whole tail once.
const SINGLE_LOOKS_MAX: u32 = 16;

/// New winners behind the checkpoint, by target.
pub(crate) type Delta = BTreeMap<Target, Entity>;

/// The state as it stood when this was opened.
#[derive(Debug)]
pub struct Reader {
    disk: SharedDisk,
    manifest: Manifest,
    tail: Vec<Stretch>,
    /// Who the journals are of, for when all of them are asked for.
    home: (ClusterId, NodeId),
    all: OnceLock<Vec<Section>>,
    delta: OnceLock<Delta>,
    looks: AtomicU32,
    /// What expires, once it was asked for: a reader for each month.
    months: OnceLock<Vec<Self>>,
}

/// One datagram with where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// In which log.
    pub log: LogId,
    /// Bytes of the log before it.
    pub position: u64,
    /// What it says.
    pub datagram: Datagram,
}

impl Reader {
    /// Reads the manifest and the journal bytes behind it. `journals` says what is there.
    ///
    /// # Errors
    /// When they cannot be read. A damaged manifest is passed over: the journals hold it all.
    pub fn open(journals: &mut Journals) -> Result<Self> {
        let manifest = Manifest::read_or_empty(&**journals.disk(), None)?;
        let reader = Self::behind(journals, manifest)?;
        let _ = reader.all.set(journals.all_held(None)?);
        Ok(reader)
    }

    /// As [`Reader::open`], but looks only at journals that have bytes behind the checkpoint: what one
    /// field costs does not grow with the days. Who asks for the history reads that of a later moment.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn glance(disk: SharedDisk, cluster: ClusterId, node: NodeId) -> Result<Self> {
        Self::glance_at(disk, cluster, node, None)
    }

    /// The same of the logs that expire with a month.
    fn glance_at(
        disk: SharedDisk,
        cluster: ClusterId,
        node: NodeId,
        month: Option<Month>,
    ) -> Result<Self> {
        let manifest = Manifest::read_or_empty(&*disk, month)?;
        let mut places = manifest.places.clone();
        places.retain(|log, _| !manifest.holes.contains_key(log));
        let mut journals = Journals::open_behind(disk, cluster, node, (month, &places))?;
        Self::behind(&mut journals, manifest)
    }

    fn behind(journals: &mut Journals, manifest: Manifest) -> Result<Self> {
        let disk = journals.disk().clone();
        manifest.covers_bases(journals)?;
        let frontier = journals.standing(&manifest.frontier)?;
        let mut tail = Vec::new();
        for section in journals.behind(manifest.month, &frontier, &manifest.holes, |_, end| end) {
            let path = section.path();
            tail.push(section.load(&*disk).tried("read", &path)?);
        }
        Ok(Self {
            disk,
            manifest,
            tail,
            home: (journals.cluster(), journals.own().node.clone()),
            all: OnceLock::new(),
            delta: OnceLock::new(),
            looks: AtomicU32::new(0),
            months: OnceLock::new(),
        })
    }

    /// Bytes of journals behind the checkpoint: above
    /// [`TAIL_BYTES_MAX`](cocli_core::limits::TAIL_BYTES_MAX) whoever writes compacts.
    #[must_use]
    pub fn tail_bytes(&self) -> u64 {
        self.tail.iter().map(|stretch| stretch.bytes.len() as u64).sum()
    }

    /// The checkpoint under it.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What is known of a target: all its fields, removed ones too; empty when nothing is.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn entity(&self, target: &Target) -> Result<Entity> {
        let mut found = self.base(target, false)?;
        let mut entity = found.remove(target).unwrap_or_default();
        self.add_news(target, &mut entity);
        if target.may_expire() {
            for month in self.months()? {
                join(&mut entity, &month.entity(target)?);
            }
        }
        Ok(entity)
    }

    /// Adds what the tail says of a target: it is searched, as long as few are asked for.
    fn add_news(&self, target: &Target, entity: &mut Entity) {
        let searched = self.delta.get().is_none()
            && self.looks.fetch_add(1, Ordering::Relaxed) < SINGLE_LOOKS_MAX;
        if searched {
            let needle = needle_of(target);
            self.each_in_tail(&needle, |met| {
                if let Ok(datagram) = met.read
                    && datagram.target == *target
                {
                    entity.merge(datagram.field, datagram.entry);
                }
            });
        } else if let Some(news) = self.delta().get(target) {
            join(entity, news);
        }
    }

    /// Every datagram behind the checkpoint, winner or not.
    pub fn each_behind(&self, mut take: impl FnMut(Datagram)) {
        for stretch in &self.tail {
            stretch.each(|met| met.read.into_iter().for_each(&mut take));
        }
    }

    /// Who removed the target, or something that it stands below, if it is hidden.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn removed(&self, target: &Target) -> Result<Option<Entry>> {
        for text in target.lineage() {
            let Ok(above) = Target::read(text) else { continue };
            if let Some(entry) = self.entity(&above)?.removed() {
                return Ok(Some(entry.clone()));
            }
        }
        Ok(None)
    }

    /// The target and all targets below it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn below(&self, target: &Target) -> Result<BTreeMap<Target, Entity>> {
        let mut found = self.base(target, true)?;
        let prefix = format!("{target}/");
        for (at, news) in self.delta() {
            if at == target || at.as_str().starts_with(&prefix) {
                join(found.entry(at.clone()).or_default(), news);
            }
        }
        if expiring::has(target.as_str()) {
            for month in self.months()? {
                for (at, news) in month.below(target)? {
                    join(found.entry(at).or_default(), &news);
                }
            }
        }
        Ok(found)
    }

    /// Everything that stays.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn state(&self) -> Result<State> {
        let mut all = Delta::new();
        let mut take = |mut found| {
            all.append(&mut found);
            Ok(())
        };
        self.shards_of(("", &Delta::new()), |_| true, |_, found| take(found))?;
        Ok(State::from(all))
    }

    /// Every target whose text begins with `prefix`, with what is known of it: shard by shard, sorted
    /// within each. Holds one shard at a time. Without a prefix what expires is left out.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn scan(&self, prefix: &str, mut take: impl FnMut(&Target, &Entity)) -> Result<()> {
        let wanted = |line: &[u8]| target_of(line).starts_with(prefix.as_bytes());
        self.shards_of((prefix, &self.expiring(prefix)?), wanted, |_, shard| {
            shard.iter().for_each(|(target, entity)| take(target, entity));
            Ok(())
        })
    }

    /// Everything that stays, one shard of [`shard_of`] after the other. Holds one at a time.
    ///
    /// # Errors
    /// When the disk refuses, and what `take` says.
    pub fn each_shard(
        &self,
        mut take: impl FnMut(u8, &BTreeMap<Target, Entity>) -> Result<()>,
    ) -> Result<()> {
        self.shards_of(("", &Delta::new()), |_| true, |shard, found| take(shard, &found))
    }

    /// Every target that begins with `prefix`, with the tail's news, those that are given, and of the
    /// checkpoint at least the lines that are `wanted`.
    fn shards_of(
        &self,
        (prefix, more): (&str, &Delta),
        mut wanted: impl FnMut(&[u8]) -> bool,
        mut take: impl FnMut(u8, Delta) -> Result<()>,
    ) -> Result<()> {
        let news = self.news_of(prefix, more);
        let mut shards = self.manifest.touched();
        shards.extend(news.keys());
        for shard in shards {
            let mut found = self.shard(shard, &mut wanted)?;
            found.retain(|target, _| target.as_str().starts_with(prefix));
            for (target, entity) in news.get(&shard).into_iter().flatten() {
                join(found.entry((*target).clone()).or_default(), entity);
            }
            take(shard, found)?;
        }
        Ok(())
    }

    /// The tail's news of targets that begin with `prefix`, and those that are given, by shard.
    fn news_of<'a>(
        &'a self,
        prefix: &str,
        more: &'a Delta,
    ) -> BTreeMap<u8, Vec<(&'a Target, &'a Entity)>> {
        let mut news: BTreeMap<u8, Vec<(&Target, &Entity)>> = BTreeMap::new();
        for (target, entity) in self.delta().iter().chain(more) {
            if target.as_str().starts_with(prefix) {
                news.entry(shard_of(target)).or_default().push((target, entity));
            }
        }
        news
    }

    /// The digest of the state.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn digest(&self) -> Result<StateDigest> {
        Ok(self.tally([])?.digest)
    }

    /// Every datagram of a target (or of one of its fields) that the journals hold, winners or not,
    /// ordered as law 1 does.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn history(&self, target: &Target, field: Option<&Field>) -> Result<Vec<Placed>> {
        let needle = needle_of(target);
        let finder = Finder::new(&needle);
        let mut all = Vec::new();
        for section in self.telling_of(target)? {
            let stretch = section.load(&*self.disk).tried("read", &section.path())?;
            stretch.each_with(&finder, |met| {
                let wanted = |d: &Datagram| {
                    d.target == *target && field.is_none_or(|field| d.field == *field)
                };
                if let Ok(datagram) = met.read
                    && wanted(&datagram)
                {
                    all.push(Placed { log: met.log.clone(), position: met.position, datagram });
                }
            });
        }
        if target.may_expire() {
            for month in self.months()? {
                all.extend(month.history(target, field)?);
            }
        }
        all.sort_by(|a, b| a.datagram.entry.cmp(&b.datagram.entry));
        Ok(all)
    }

    /// The sections that may tell of a target: of what is in the archive only the frames whose index says so.
    fn telling_of(&self, target: &Target) -> Result<Vec<Section>> {
        let mut telling = Vec::new();
        let (mut known, mut ranges) = (None, Vec::new());
        for section in self.all()? {
            let Some(piece) = section.piece else {
                telling.push(section.clone());
                continue;
            };
            if known != Some((&section.log, piece)) {
                let name = Some(target.as_str());
                ranges = match archive::frames_with(&*self.disk, &section.log, piece, name) {
                    // It moved: where it is now, all of it is read.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        std::iter::once(0..piece.len).collect()
                    }
                    ranges => ranges.tried("read", &section.path())?,
                };
                known = Some((&section.log, piece));
            }
            telling.extend(ranges.iter().filter_map(|range| section.within(range)));
        }
        Ok(telling)
    }

    /// The records that break a rule.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn odd(&self) -> Result<Vec<OddRecord>> {
        let mut list = OddList::read(&*self.disk, self.manifest.month)?;
        for stretch in &self.tail {
            stretch.each(|met| {
                if let Some(odd) = of_met(&met) {
                    list.add(odd);
                }
            });
        }
        let mut all: Vec<OddRecord> = list.0.into_values().collect();
        for month in self.months()? {
            all.extend(month.odd()?);
        }
        Ok(all)
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// The winners of the tail, read once.
    pub(crate) fn delta(&self) -> &Delta {
        self.delta.get_or_init(|| {
            let mut delta = Delta::new();
            for stretch in &self.tail {
                stretch.each(|met| {
                    if let Ok(datagram) = met.read {
                        let entity = delta.entry(datagram.target).or_default();
                        entity.merge(datagram.field, datagram.entry);
                    }
                });
            }
            delta
        })
    }

    fn each_in_tail(&self, needle: &[u8], mut take: impl FnMut(Met<'_>)) {
        let finder = Finder::new(needle);
        for stretch in &self.tail {
            stretch.each_with(&finder, &mut take);
        }
    }

    /// What the checkpoint holds of a target.
    fn base(&self, target: &Target, below: bool) -> Result<Delta> {
        let shard = shard_of(target);
        let mut found = Delta::new();
        for piece in self.manifest.pieces(shard) {
            let looked =
                checkpoint::lookup(&*self.disk, &piece, target.as_str(), below, &mut found);
            if let Err(StoreError::Damaged { .. }) = looked {
                let mut found = self.remade(shard)?;
                let prefix = format!("{target}/");
                found.retain(|at, _| at == target || (below && at.as_str().starts_with(&prefix)));
                return Ok(found);
            }
            looked?;
        }
        Ok(found)
    }

    /// What a shard of the checkpoint says by the lines that are `wanted`, and by all lines of targets
    /// that the runs tell of; more when it is damaged.
    fn shard(&self, shard: u8, wanted: &mut dyn FnMut(&[u8]) -> bool) -> Result<Delta> {
        match self.pieces_of(shard, wanted) {
            Err(StoreError::Damaged { .. }) => self.remade(shard),
            other => other,
        }
    }

    fn pieces_of(&self, shard: u8, wanted: &mut dyn FnMut(&[u8]) -> bool) -> Result<Delta> {
        let mut found = Delta::new();
        let mut pieces = self.manifest.pieces(shard);
        let base = self.manifest.shards.contains_key(&shard).then(|| pieces.remove(0));
        let mut told = HashSet::new();
        for piece in pieces {
            for line in checkpoint::lines(&piece.read(&*self.disk)?) {
                told.insert(target_of(line).to_vec());
                checkpoint::add_line(line, &mut found, &piece.path)?;
            }
        }
        if let Some(piece) = base {
            for line in checkpoint::lines(&piece.read(&*self.disk)?) {
                if wanted(line) || told.contains(target_of(line)) {
                    checkpoint::add_line(line, &mut found, &piece.path)?;
                }
            }
        }
        Ok(found)
    }

    /// All that the journals hold.
    fn all(&self) -> Result<&[Section]> {
        if self.all.get().is_none() {
            let (cluster, node) = self.home.clone();
            let journals = Journals::open(self.disk.clone(), cluster, node)?;
            let _ = self.all.set(journals.all_held(self.manifest.month)?);
        }
        Ok(self.all.get().map_or(&[], Vec::as_slice))
    }

    /// A damaged shard costs a reading of all journals and no value: they still hold everything. One whose
    /// files went with the checkpoint that they are of costs another look.
    pub(crate) fn remade(&self, shard: u8) -> Result<Delta> {
        if self.is_replaced()? {
            return Err(StoreError::Replaced { path: paths::MANIFEST });
        }
        if self.manifest.month.is_none() {
            let info = self.manifest.shards.get(&shard);
            let path = info
                .map_or_else(|| paths::CHECKPOINT.to_owned(), |info| info.piece(None, shard).path);
            checkpoint::held_from_start(&*self.disk, &path)?;
        }
        let mut delta =
            checkpoint::from_journals(&*self.disk, self.all()?, &BTreeSet::from([shard]))?;
        Ok(delta.remove(&shard).unwrap_or_default())
    }
}

fn join(entity: &mut Entity, news: &Entity) {
    for (field, entry) in &news.fields {
        entity.merge(field.clone(), entry.clone());
    }
}

/// The target of a state line.
fn target_of(line: &[u8]) -> &[u8] {
    let mut ends = memchr::memchr_iter(US, line).skip(1);
    match (ends.next(), ends.next()) {
        (Some(before), Some(behind)) => &line[before + 1..behind],
        (Some(before), None) => &line[before + 1..],
        _ => &[],
    }
}

/// What stands in every record of a target.
fn needle_of(target: &Target) -> Vec<u8> {
    let mut needle = vec![US];
    needle.extend_from_slice(target.as_str().as_bytes());
    needle.push(US);
    needle
}
