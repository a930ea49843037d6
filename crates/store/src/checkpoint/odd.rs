//! Records that break a rule: kept with where they came from, in nobody's way.

use std::collections::BTreeMap;

use cocli_core::limits::RECORD_BYTES_MAX;
use cocli_core::usv::{RS, US};
use cocli_core::{LogId, Month};

use super::source::END;
use crate::disk::Disk;
use crate::error::{Result, Tried, if_there};
use crate::journal::{Met, is_rot, replace};
use crate::paths;

mod behind;

pub use behind::odd_behind;

/// Kept of a record that is longer than any may be.
const EXCERPT_BYTES: usize = 4096;

/// One odd record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddRecord {
    /// In which log.
    pub log: LogId,
    /// Bytes of the log before it.
    pub position: u64,
    /// Which rule it breaks.
    pub why: String,
    /// The record as it stands, without its RS.
    pub bytes: Vec<u8>,
}

/// Log and position: by these an entry is known, and entries stand in their order.
type Key = (LogId, u64);

/// The list in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OddList(pub(crate) BTreeMap<Key, OddRecord>);

/// The entry for a record that was met and could not be read.
pub(crate) fn of_met(met: &Met<'_>) -> Option<OddRecord> {
    let odd = met.read.as_ref().err()?;
    let bytes = met.bytes.strip_suffix(&[RS]).unwrap_or(met.bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    let kept = if bytes.len() > RECORD_BYTES_MAX { EXCERPT_BYTES } else { bytes.len() };
    Some(OddRecord {
        log: met.log.clone(),
        position: met.position,
        why: odd.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        bytes: bytes[..kept].to_vec(),
    })
}

impl OddList {
    pub(crate) fn read(disk: &dyn Disk, month: Option<Month>) -> Result<Self> {
        let path = paths::odd(month);
        let bytes = match disk.read(&path) {
            // The journals still hold what it names: a list that the medium lost stops nobody.
            Err(error) if is_rot(&error) => Vec::new(),
            read => if_there(read).tried("read", &path)?.unwrap_or_default(),
        };
        let entries = bytes.split(|b| *b == RS).filter_map(read_entry);
        Ok(Self(entries.map(|odd| ((odd.log.clone(), odd.position), odd)).collect()))
    }

    pub(crate) fn add(&mut self, odd: OddRecord) {
        self.0.insert((odd.log.clone(), odd.position), odd);
    }

    /// Forgets what was found between two positions: it is read again.
    pub(crate) fn forget(&mut self, log: &LogId, from: u64, to: u64) {
        self.0.retain(|(of, at), _| of != log || !(from..to).contains(at));
    }

    pub(crate) fn write(&self, disk: &dyn Disk, month: Option<Month>) -> Result<()> {
        let mut text = Vec::new();
        self.0.values().for_each(|odd| odd.put(&mut text));
        replace(disk, &paths::odd(month), &text)
    }
}

impl OddRecord {
    /// Whether only its beginning was kept: the reason says how many bytes it had, with its RS.
    pub(super) fn is_excerpt(&self) -> bool {
        let told = self.why.strip_prefix("the record has ");
        let told = told.and_then(|told| told.split_once(" bytes")?.0.parse().ok());
        told.is_some_and(|bytes: usize| bytes > self.bytes.len() + 1)
    }

    /// Its entry in the list.
    fn put(&self, text: &mut Vec<u8>) {
        text.extend_from_slice(self.log.to_string().as_bytes());
        for part in [self.position.to_string().as_bytes(), self.why.as_bytes(), &self.bytes] {
            text.push(US);
            text.extend_from_slice(part);
        }
        text.extend_from_slice(&END);
    }
}

/// The log and position of the last of some entries; nothing when there is none, or they are no entries.
#[must_use]
pub fn last_odd(text: &[u8]) -> Option<(LogId, u64)> {
    let last = entries(text)?.pop()?;
    Some((last.log, last.position))
}

/// Entries as another node tells them, all of them in order; none where one of them is no entry.
pub(super) fn entries(text: &[u8]) -> Option<Vec<OddRecord>> {
    let body = text.strip_suffix(&END)?;
    let read = |entry: &[u8]| {
        let odd = read_entry(entry)?;
        (odd.bytes.len() <= RECORD_BYTES_MAX).then_some(odd)
    };
    body.split(|b| *b == RS).map(read).collect()
}

fn read_entry(entry: &[u8]) -> Option<OddRecord> {
    let entry = entry.strip_prefix(b"\n").unwrap_or(entry);
    let (log, position) = read_key(entry)?;
    let mut parts = entry.splitn(4, |b| *b == US).skip(2);
    let why = std::str::from_utf8(parts.next()?).ok()?.to_owned();
    Some(OddRecord { log, position, why, bytes: parts.next()?.to_vec() })
}

/// What an entry is known by, of its start.
fn read_key(entry: &[u8]) -> Option<Key> {
    let mut parts = entry.splitn(3, |b| *b == US);
    let mut text = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
    let key = (LogId::read(text()?).ok()?, text()?.parse().ok()?);
    // The whole of its position.
    parts.next().map(|_| key)
}

#[cfg(test)]
mod tests;
