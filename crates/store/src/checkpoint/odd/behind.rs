//! What the list has behind an entry, found without reading what stands before it: entries stand in the
//! order of their keys.

use cocli_core::limits::{RECORD_BYTES_MAX, STREAM_MESSAGE_BYTES_MAX};
use cocli_core::usv::RS;

use super::{END, Key, read_entry, read_key};
use crate::checkpoint::tell::lines_at;
use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried};
use crate::journal::is_rot;
use crate::paths;

/// Bytes of the first look for where an entry begins; each further one is twice as long, up to the most.
const LOOK_BYTES: usize = 4096;
const LOOK_BYTES_MAX: usize = 1024 * 1024;

/// Bytes in which a log and a position stand.
const KEY_BYTES: usize = 512;

/// What the list has behind an entry, for another node: whole entries, at most `max` bytes, but at least one.
///
/// # Errors
/// When it cannot be read.
pub fn odd_behind(disk: &dyn Disk, behind: Option<&Key>, max: usize) -> Result<Vec<u8>> {
    let path = &paths::odd(None);
    loop {
        let stat = disk.stat(path).tried("look at", path)?;
        let Some(before) = stat else { return Ok(Vec::new()) };
        let told = List { disk, path, len: before.len }.behind(behind, max);
        // A compaction put another one there meanwhile: a place in the one is none in the other.
        if disk.stat(path).tried("look at", path)? != stat {
            continue;
        }
        return match told {
            // A list that the medium lost stops nobody.
            Err(StoreError::Io { source, .. }) if is_rot(&source) => Ok(Vec::new()),
            told => told,
        };
    }
}

/// The file, with its bytes.
struct List<'a> {
    disk: &'a dyn Disk,
    path: &'a str,
    len: u64,
}

impl List<'_> {
    fn behind(&self, behind: Option<&Key>, max: usize) -> Result<Vec<u8>> {
        let mut at = behind.map_or(Ok(0), |key| self.place_behind(key))?;
        let (mut last, mut text, mut entry) = (behind.cloned(), Vec::new(), Vec::new());
        while at < self.len {
            let bytes = lines_at(self.disk, self.path, at, max)?.unwrap_or_default();
            for odd in bytes.split(|b| *b == RS).filter_map(read_entry) {
                let key = Some((odd.log.clone(), odd.position));
                entry.clear();
                odd.put(&mut entry);
                if !text.is_empty() && text.len() + entry.len() > max {
                    return Ok(text);
                }
                // Else it is damaged, or no message holds it.
                let is_told = key > last
                    && odd.bytes.len() <= RECORD_BYTES_MAX
                    && entry.len() < STREAM_MESSAGE_BYTES_MAX;
                if is_told {
                    text.append(&mut entry);
                    last = key;
                }
            }
            if !text.is_empty() {
                break;
            }
            at = match bytes.len() as u64 {
                // Nothing that is so long is an entry.
                0 => self.first_between(at, self.len)?.map_or(self.len, |(next, _)| next),
                read => at + read,
            };
        }
        Ok(text)
    }

    /// Where the first entry behind this one begins, or the end: each look leaves half of what was left.
    fn place_behind(&self, behind: &Key) -> Result<u64> {
        if self.key_at(0)?.is_some_and(|first| first > *behind) {
            return Ok(0);
        }
        // Between `high` and `place` none begins.
        let (mut low, mut high, mut place) = (0, self.len, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.first_between(middle, high)? {
                Some((at, key)) if key <= *behind => low = at,
                Some((at, _)) => (place, high) = (at, middle),
                None => high = middle,
            }
        }
        Ok(place)
    }

    /// The first entry that begins behind `from`, and at `until` at the latest.
    fn first_between(&self, from: u64, until: u64) -> Result<Option<(u64, Key)>> {
        let (mut at, mut look) = (from.saturating_sub(1), LOOK_BYTES);
        while at < until {
            let bytes = self.disk.read_at(self.path, at, look).tried("read", self.path)?;
            for end in memchr::memmem::find_iter(&bytes, &END) {
                let begins = at + (end + END.len()) as u64;
                if begins > until {
                    return Ok(None);
                }
                if let Some(key) = self.key_at(begins)? {
                    return Ok(Some((begins, key)));
                }
            }
            if bytes.len() < look {
                return Ok(None);
            }
            // Its last byte may begin what parts two entries.
            at += (look - 1) as u64;
            look = (look * 2).min(LOOK_BYTES_MAX);
        }
        Ok(None)
    }

    fn key_at(&self, begins: u64) -> Result<Option<Key>> {
        let start = self.disk.read_at(self.path, begins, KEY_BYTES).tried("read", self.path)?;
        Ok(read_key(&start))
    }
}
