//! The manifest: which files are the checkpoint, and what it covers.

use std::collections::BTreeMap;

use cocli_core::{ChainHash, Head, LogId, StateDigest, Vector};
use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried, if_there};
use crate::journal::{Gap, replace};
use crate::paths;

/// Version of the reading rules: digests are compared between equal ones only.
pub const RULES: u32 = 1;
/// Version of the manifest's own form.
const VERSION: u32 = 1;

/// One base shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShardInfo {
    pub(crate) hash: u128,
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    pub(crate) digest: StateDigest,
}

/// What the checkpoint is and covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The reading rules that it was made by.
    pub rules: u32,
    /// Up to where each log is merged into it.
    pub frontier: Vector,
    pub(crate) holes: BTreeMap<LogId, Vec<Gap>>,
    pub(crate) shards: BTreeMap<u8, ShardInfo>,
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
}

#[derive(Serialize, Deserialize)]
struct FormHead {
    log: String,
    position: u64,
    hash: String,
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

impl Default for Manifest {
    fn default() -> Self {
        Self {
            rules: RULES,
            frontier: Vector::default(),
            holes: BTreeMap::new(),
            shards: BTreeMap::new(),
        }
    }
}

impl Manifest {
    /// The digest of the state that it covers.
    #[must_use]
    pub fn digest(&self) -> StateDigest {
        let mut digest = StateDigest::default();
        self.shards.values().for_each(|shard| digest.join(shard.digest));
        digest
    }

    /// State lines in it.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.shards.values().map(|shard| shard.lines).sum()
    }

    /// Bytes of its shards.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shards.values().map(|shard| shard.bytes).sum()
    }

    /// Reads the manifest; an absent one is empty, and so is one of other reading rules: all journals
    /// are still there, and are read again.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn read(disk: &dyn Disk) -> Result<Self> {
        let bytes = if_there(disk.read(paths::MANIFEST)).tried("read", paths::MANIFEST)?;
        let Some(bytes) = bytes else { return Ok(Self::default()) };
        let form = serde_json::from_slice::<Form>(&bytes).ok();
        let read = form.filter(|form| form.version == VERSION).and_then(|form| Self::of(&form));
        let read = read.ok_or_else(|| StoreError::Damaged {
            path: paths::MANIFEST.to_owned(),
            offset: 0,
            what: format!(
                "expected a manifest of version {VERSION}; `cocli compact` makes it anew"
            ),
        })?;
        Ok(if read.rules == RULES { read } else { Self::default() })
    }

    /// As `read`, and empty when it is damaged: what stands in the journals is enough.
    pub(crate) fn read_or_empty(disk: &dyn Disk) -> Result<Self> {
        match Self::read(disk) {
            Err(StoreError::Damaged { .. }) => Ok(Self::default()),
            other => other,
        }
    }

    pub(crate) fn write(&self, disk: &dyn Disk) -> Result<()> {
        let mut text = serde_json::to_vec(&self.form()).unwrap_or_default();
        text.push(b'\n');
        replace(disk, paths::MANIFEST, &text)
    }

    fn form(&self) -> Form {
        let head = |(log, head): (&LogId, &Head)| FormHead {
            log: log.to_string(),
            position: head.position,
            hash: head.hash.to_string(),
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
        Form {
            version: VERSION,
            rules: self.rules,
            digest: self.digest().to_string(),
            lines: self.lines(),
            frontier: self.frontier.0.iter().map(head).collect(),
            holes,
            shards: self.shards.iter().map(shard).collect(),
        }
    }

    /// `None` when any part is not what it should be, or the parts do not add up.
    fn of(form: &Form) -> Option<Self> {
        let mut read = Self { rules: form.rules, ..Self::default() };
        for line in &form.frontier {
            let head = Head { position: line.position, hash: ChainHash::read(&line.hash)? };
            read.frontier.0.insert(LogId::read(&line.log).ok()?, head);
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
        let adds_up = read.digest().to_string() == form.digest && read.lines() == form.lines;
        adds_up.then_some(read)
    }
}
