//! The manifest: which files are the checkpoint, and what it covers.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::limits::LOG_BYTES_MAX;
use cocli_core::{ChainHash, Day, Head, LogId, Month, SortedFile, StateDigest, Vector};
use serde::{Deserialize, Serialize};

use super::source::Piece;
use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried, if_there};
use crate::journal::{Base, Bases, Gap, Journals, Place, is_rot, read_bases, write_fresh};
use crate::paths;

/// Version of the reading rules: digests are compared between equal ones only.
pub const RULES: u32 = 1;
/// Version of the manifest's own form. The first knew no runs; it is read as well.
const VERSION: u32 = 2;

/// One base shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShardInfo {
    pub(crate) hash: u128,
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    pub(crate) digest: StateDigest,
}

impl ShardInfo {
    /// Where its lines stand.
    pub(crate) fn piece(&self, month: Option<Month>, shard: u8) -> Piece {
        let path = paths::shard(month, shard, self.hash);
        Piece { path, offset: 0, bytes: self.bytes, hash: self.hash }
    }
}

/// A sorted run: what was new in one or several compactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunInfo {
    pub(crate) hash: u128,
    pub(crate) bytes: u64,
    /// Lines whose key stood nowhere below it.
    pub(crate) fresh: u64,
    /// What it changes of the digest: its lines, without those that they replaced.
    pub(crate) digest: StateDigest,
    /// Its lines by shard, one part behind the other: bytes and hash of each.
    pub(crate) parts: BTreeMap<u8, (u64, u128)>,
}

impl RunInfo {
    /// Where its lines of a shard stand.
    pub(crate) fn piece(&self, month: Option<Month>, shard: u8) -> Option<Piece> {
        let (bytes, hash) = *self.parts.get(&shard)?;
        let offset = self.parts.range(..shard).map(|(_, part)| part.0).sum();
        Some(Piece { path: paths::run(month, self.hash), offset, bytes, hash })
    }
}

/// What the checkpoint is and covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Of which logs: those that stay, or those that expire with a month.
    pub month: Option<Month>,
    /// The reading rules that it was made by.
    pub rules: u32,
    /// Up to where each log is merged into it.
    pub frontier: Vector,
    /// Where it stands in the journals.
    pub(crate) places: BTreeMap<LogId, Place>,
    pub(crate) holes: BTreeMap<LogId, Vec<Gap>>,
    pub(crate) shards: BTreeMap<u8, ShardInfo>,
    pub(crate) runs: Vec<RunInfo>,
}

/// Refuses to make a part of the checkpoint anew from journals that do not hold everything.
pub(crate) fn held_from_start(disk: &dyn Disk, path: &str) -> Result<()> {
    match read_bases(disk)?.values().map(|base| base.day).max() {
        Some(day) => Err(StoreError::Unheld { path: path.to_owned(), day }),
        None => Ok(()),
    }
}

#[derive(Serialize, Deserialize)]
struct Form {
    version: u32,
    rules: u32,
    digest: String,
    lines: u64,
    frontier: Vec<FormHead>,
    holes: Vec<FormHole>,
    shards: Vec<FormShard>,
    #[serde(default)]
    runs: Vec<FormRun>,
}

#[derive(Serialize, Deserialize)]
struct FormHead {
    log: String,
    position: u64,
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    day: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct FormHole {
    log: String,
    from: u64,
    to: u64,
}

#[derive(Serialize, Deserialize)]
struct FormShard {
    shard: String,
    hash: String,
    bytes: u64,
    lines: u64,
    digest: String,
}

#[derive(Serialize, Deserialize)]
struct FormRun {
    hash: String,
    bytes: u64,
    fresh: u64,
    digest: String,
    /// Shard, bytes, hash.
    parts: Vec<(String, u64, String)>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            month: None,
            rules: RULES,
            frontier: Vector::default(),
            places: BTreeMap::new(),
            holes: BTreeMap::new(),
            shards: BTreeMap::new(),
            runs: Vec::new(),
        }
    }
}

impl Manifest {
    /// That of an empty checkpoint.
    pub(crate) fn of_month(month: Option<Month>) -> Self {
        Self { month, ..Self::default() }
    }

    /// The digest of the state that it covers.
    #[must_use]
    pub fn digest(&self) -> StateDigest {
        let mut digest = StateDigest::default();
        self.shards.values().for_each(|shard| digest.join(shard.digest));
        self.runs.iter().for_each(|run| digest.join(run.digest));
        digest
    }

    /// State lines in it.
    #[must_use]
    pub fn lines(&self) -> u64 {
        let shards = self.shards.values().map(|shard| shard.lines);
        shards.chain(self.runs.iter().map(|run| run.fresh)).sum()
    }

    /// Bytes of its shards, and of the runs above them.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shard_bytes() + self.run_bytes()
    }

    /// Sorted runs above its shards.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    pub(crate) fn shard_bytes(&self) -> u64 {
        self.shards.values().map(|shard| shard.bytes).sum()
    }

    pub(crate) fn run_bytes(&self) -> u64 {
        self.runs.iter().map(|run| run.bytes).sum()
    }

    /// Refuses where it does not cover what is before the base of a log: nobody here knows what was there.
    pub(crate) fn covers_bases(&self, journals: &Journals) -> Result<()> {
        if self.month.is_some() {
            return Ok(());
        }
        let fits = |log: &LogId, position: u64| self.frontier.position(log) >= position;
        match journals.bases().find(|(log, base)| !fits(log, base.head.position)) {
            Some((_, base)) => {
                Err(StoreError::Unheld { path: paths::manifest(None), day: base.day })
            }
            None => Ok(()),
        }
    }

    /// Where lines of a shard stand: in the base, then in the runs.
    pub(crate) fn pieces(&self, shard: u8) -> Vec<Piece> {
        let base = self.shards.get(&shard).map(|info| info.piece(self.month, shard));
        let runs = self.runs.iter().filter_map(|run| run.piece(self.month, shard));
        base.into_iter().chain(runs).collect()
    }

    /// The shards that have lines.
    pub(crate) fn touched(&self) -> BTreeSet<u8> {
        let runs = self.runs.iter().flat_map(|run| run.parts.keys());
        self.shards.keys().chain(runs).copied().collect()
    }

    /// The files that it names.
    pub(crate) fn files(&self) -> BTreeSet<String> {
        self.sorted_files().map(|(file, _)| paths::sorted(self.month, file)).collect()
    }

    /// The files that it names, each with the shards that it has lines of and the bytes up to the end of
    /// these.
    pub(super) fn sorted_files(&self) -> impl Iterator<Item = (SortedFile, Vec<(u8, u64)>)> {
        let shards = self.shards.iter().map(|(shard, info)| {
            (SortedFile { shard: Some(*shard), hash: info.hash }, vec![(*shard, info.bytes)])
        });
        let run = |run: &RunInfo| {
            let mut end = 0;
            let parts = run.parts.iter().map(|(shard, part)| {
                end += part.0;
                (*shard, end)
            });
            (SortedFile { shard: None, hash: run.hash }, parts.collect())
        };
        shards.chain(self.runs.iter().map(run))
    }

    /// Reads the manifest; an absent one is empty, and so is one of other reading rules, where all journals
    /// are still there: they are read again. Where logs begin at bases one of older rules stands for what was
    /// before these, and for nothing else.
    ///
    /// # Errors
    /// When it cannot be read or is damaged. [`StoreError::Newer`] when it is of newer rules and logs begin
    /// at bases.
    pub fn read(disk: &dyn Disk) -> Result<Self> {
        Self::read_of(disk, None)
    }

    /// As `read`, of the logs that expire with a month.
    pub(crate) fn read_of(disk: &dyn Disk, month: Option<Month>) -> Result<Self> {
        let Some(read) = Self::of_any_rules(disk, month)? else {
            return Ok(Self::of_month(month));
        };
        if read.rules == RULES { Ok(read) } else { read.of_other_rules(disk) }
    }

    /// As it stands there, whatever rules it was made by; nothing where none does.
    pub(super) fn of_any_rules(disk: &dyn Disk, month: Option<Month>) -> Result<Option<Self>> {
        let path = paths::manifest(month);
        let bytes = match disk.read(&path) {
            Err(error) if is_rot(&error) => Some(Vec::new()),
            read => if_there(read).tried("read", &path)?,
        };
        let Some(bytes) = bytes else { return Ok(None) };
        let read = Self::of_text(month, &bytes).ok_or_else(|| StoreError::Damaged {
            path,
            offset: 0,
            what: format!(
                "expected a manifest of version {VERSION}; `cocli compact` makes it anew"
            ),
        })?;
        Ok(Some(read))
    }

    /// What one that was made by other reading rules is good for.
    fn of_other_rules(self, disk: &dyn Disk) -> Result<Self> {
        let bases = if self.month.is_none() { read_bases(disk)? } else { Bases::new() };
        let Some(day) = bases.values().map(|base| base.day).max() else {
            return Ok(Self::of_month(self.month));
        };
        if self.rules > RULES {
            let path = paths::manifest(None);
            return Err(StoreError::Newer { path, rules: self.rules, day });
        }
        let covered =
            |(log, base): &(LogId, Base)| self.frontier.position(log) >= base.head.position;
        let heads = bases.into_iter().filter(covered).map(|(log, base)| (log, base.head));
        let frontier = Vector(heads.collect());
        Ok(Self { frontier, places: BTreeMap::new(), holes: BTreeMap::new(), ..self })
    }

    /// Whether its lines were made by older reading rules: the next compaction takes each for a record.
    pub(crate) fn is_older(&self) -> bool {
        self.rules != RULES
    }

    /// Reads the text of one; `None` when it is none, or does not add up.
    pub(super) fn of_text(month: Option<Month>, text: &[u8]) -> Option<Self> {
        let form = serde_json::from_slice::<Form>(text).ok();
        let form = form.filter(|form| (1..=VERSION).contains(&form.version))?;
        Self::of(month, &form)
    }

    /// As `read`, and empty when it is damaged: what stands in the journals is enough, unless they do
    /// not hold everything.
    pub(crate) fn read_or_empty(disk: &dyn Disk, month: Option<Month>) -> Result<Self> {
        let read = Self::read_or_default(disk, month)?;
        if month.is_none() && read.frontier.0.is_empty() {
            held_from_start(disk, &paths::manifest(None))?;
        }
        Ok(read)
    }

    /// As `read`, and empty when it is damaged.
    pub(super) fn read_or_default(disk: &dyn Disk, month: Option<Month>) -> Result<Self> {
        match Self::read_of(disk, month) {
            Err(StoreError::Damaged { .. }) => Ok(Self::of_month(month)),
            other => other,
        }
    }

    /// What tells it from any other.
    #[must_use]
    pub fn id(&self) -> u128 {
        cocli_core::digest::hash(&serde_json::to_vec(&self.form()).unwrap_or_default())
    }

    /// Writes it durably beside its place; gives the name there.
    pub(super) fn write_fresh(&self, disk: &dyn Disk) -> Result<String> {
        write_fresh(disk, &paths::manifest(self.month), &self.text())
    }

    /// The text of it.
    pub(super) fn text(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(&self.form()).unwrap_or_default();
        text.push(b'\n');
        text
    }

    fn form(&self) -> Form {
        let head = |(log, head): (&LogId, &Head)| FormHead {
            log: log.to_string(),
            position: head.position,
            hash: head.hash.to_string(),
            day: self.places.get(log).map(|place| place.day.number()),
            offset: self.places.get(log).map(|place| place.offset),
        };
        let mut holes = Vec::new();
        for (log, gaps) in &self.holes {
            let hole = |gap: &Gap| FormHole { log: log.to_string(), from: gap.from, to: gap.to };
            holes.extend(gaps.iter().map(hole));
        }
        let shard = |(shard, info): (&u8, &ShardInfo)| FormShard {
            shard: format!("{shard:02x}"),
            hash: format!("{:032x}", info.hash),
            bytes: info.bytes,
            lines: info.lines,
            digest: info.digest.to_string(),
        };
        let run = |run: &RunInfo| FormRun {
            hash: format!("{:032x}", run.hash),
            bytes: run.bytes,
            fresh: run.fresh,
            digest: run.digest.to_string(),
            parts: run
                .parts
                .iter()
                .map(|(shard, (bytes, hash))| {
                    (format!("{shard:02x}"), *bytes, format!("{hash:032x}"))
                })
                .collect(),
        };
        Form {
            version: VERSION,
            rules: self.rules,
            digest: self.digest().to_string(),
            lines: self.lines(),
            frontier: self.frontier.0.iter().map(head).collect(),
            holes,
            shards: self.shards.iter().map(shard).collect(),
            runs: self.runs.iter().map(run).collect(),
        }
    }

    /// `None` when any part is not what it should be, or the parts do not add up.
    fn of(month: Option<Month>, form: &Form) -> Option<Self> {
        let mut read = Self { month, rules: form.rules, ..Self::default() };
        for line in &form.frontier {
            if line.position > LOG_BYTES_MAX {
                return None;
            }
            let head = Head { position: line.position, hash: ChainHash::read(&line.hash)? };
            let log = LogId::read(&line.log).ok()?;
            if let (Some(day), Some(offset)) = (line.day, line.offset) {
                let day = Day::from_number(day)?;
                read.places.insert(log.clone(), Place { day, offset, head });
            }
            read.frontier.0.insert(log, head);
        }
        for line in &form.holes {
            let gaps = read.holes.entry(LogId::read(&line.log).ok()?).or_default();
            gaps.push(Gap { from: line.from, to: line.to });
        }
        for line in &form.shards {
            let info = ShardInfo {
                hash: u128::from_str_radix(&line.hash, 16).ok()?,
                bytes: line.bytes,
                lines: line.lines,
                digest: StateDigest::read(&line.digest)?,
            };
            read.shards.insert(u8::from_str_radix(&line.shard, 16).ok()?, info);
        }
        for line in &form.runs {
            let mut parts = BTreeMap::new();
            for (shard, bytes, hash) in &line.parts {
                let shard = u8::from_str_radix(shard, 16).ok()?;
                parts.insert(shard, (*bytes, u128::from_str_radix(hash, 16).ok()?));
            }
            let sum = parts.values().try_fold(0_u64, |sum, part| sum.checked_add(part.0))?;
            read.runs.push(RunInfo {
                hash: u128::from_str_radix(&line.hash, 16).ok()?,
                bytes: Some(line.bytes).filter(|bytes| *bytes == sum)?,
                fresh: line.fresh,
                digest: StateDigest::read(&line.digest)?,
                parts,
            });
        }
        // No sum of what somebody else wrote can overflow.
        let shards = read.shards.values().flat_map(|shard| [shard.bytes, shard.lines]);
        let mut counts = shards.chain(read.runs.iter().flat_map(|run| [run.bytes, run.fresh]));
        if counts.any(|count| count > LOG_BYTES_MAX) {
            return None;
        }
        let adds_up = read.digest().to_string() == form.digest && read.lines() == form.lines;
        adds_up.then_some(read)
    }
}
