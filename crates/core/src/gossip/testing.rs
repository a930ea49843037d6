//! Logs in memory, for tests of this room.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::stream::{Logs, Unreadable};
use crate::digest::{ChainHash, ClusterId};
use crate::frame::Range;
use crate::name::LogId;
use crate::sorted::SortedFile;
use crate::time::Day;
use crate::usv::records;
use crate::vector::{Head, Vector};

/// Every record with its day and the head behind it.
#[derive(Debug, Clone)]
pub(crate) struct MemoryLogs {
    cluster: ClusterId,
    /// What stood before was taken away.
    pub(crate) bases: BTreeMap<LogId, Head>,
    pub(crate) logs: BTreeMap<LogId, Vec<(Day, Vec<u8>, Head)>>,
}

impl MemoryLogs {
    pub(crate) fn new(cluster: ClusterId) -> Self {
        Self { cluster, bases: BTreeMap::new(), logs: BTreeMap::new() }
    }

    pub(crate) fn start(&self, log: &LogId) -> Head {
        Head::start(&self.cluster, log)
    }

    fn end(&self, log: &LogId) -> Head {
        let held = self.logs.get(log).and_then(|held| held.last());
        let base = self.bases.get(log).copied().unwrap_or_else(|| self.start(log));
        held.map_or(base, |(_, _, head)| *head)
    }

    pub(crate) fn append(&mut self, log: &LogId, day: Day, bytes: &[u8]) {
        for record in records(bytes) {
            let mut head = self.end(log);
            head.position += record.bytes.len() as u64;
            head.hash = head.hash.next(day, record.bytes);
            let held = self.logs.entry(log.clone()).or_default();
            held.push((day, record.bytes.to_vec(), head));
        }
    }

    /// Appends a range when it continues the log.
    pub(crate) fn commit(&mut self, range: &Range) -> bool {
        let fits = self.end(&range.log) == range.start();
        if fits {
            self.append(&range.log, range.day, &range.bytes);
        }
        fits
    }

    /// Lets a log go on at a head behind all that is held of it.
    pub(crate) fn start_at(&mut self, log: &LogId, base: Head) {
        self.logs.remove(log);
        self.bases.insert(log.clone(), base);
    }

    /// Cuts a log to a head and gives what stood behind it.
    pub(crate) fn cut(&mut self, log: &LogId, common: Head) -> Vec<(Day, Vec<u8>)> {
        let Some(held) = self.logs.get_mut(log) else { return Vec::new() };
        let at = held.partition_point(|(_, _, head)| head.position <= common.position);
        let cut = held.split_off(at);
        if held.is_empty() {
            self.logs.remove(log);
        }
        cut.into_iter().map(|(day, record, _)| (day, record)).collect()
    }

    pub(crate) fn vector(&self) -> Vector {
        let head = |held: &Vec<(Day, Vec<u8>, Head)>| held.last().map(|(_, _, head)| *head);
        Vector(self.logs.iter().filter_map(|(log, h)| Some((log.clone(), head(h)?))).collect())
    }
}

impl Logs for MemoryLogs {
    fn head(&mut self, log: &LogId) -> Option<Head> {
        self.logs.get(log)?.last().map(|(_, _, head)| *head)
    }

    fn base(&mut self, log: &LogId) -> u64 {
        self.bases.get(log).map_or(0, |base| base.position)
    }

    fn hash_at(&mut self, log: &LogId, position: u64) -> Result<Option<ChainHash>, Unreadable> {
        if position == 0 {
            return Ok(Some(self.start(log).hash));
        }
        if let Some(base) = self.bases.get(log).filter(|base| base.position == position) {
            return Ok(Some(base.hash));
        }
        let held = self.logs.get(log).map_or(&[][..], |held| &held[..]);
        let at = held.binary_search_by_key(&position, |(_, _, head)| head.position);
        Ok(at.ok().map(|at| held[at].2.hash))
    }

    fn read(&mut self, log: &LogId, from: u64, until: u64, max: usize) -> Option<Range> {
        let hash_before = self.hash_at(log, from).ok()??;
        let held = self.logs.get(log)?;
        let at = held.partition_point(|(_, _, head)| head.position <= from);
        let day = held.get(at)?.0;
        let mut bytes = Vec::new();
        for (_, record, head) in held[at..].iter().take_while(|(d, ..)| *d == day) {
            let full = !bytes.is_empty() && bytes.len() + record.len() > max;
            if full || head.position > until {
                break;
            }
            bytes.extend_from_slice(record);
        }
        let range = Range { log: log.clone(), day, position: from, hash_before, bytes };
        (!range.bytes.is_empty()).then_some(range)
    }

    fn manifest(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn lines(&mut self, _: SortedFile, _: u64, _: usize) -> Option<Vec<u8>> {
        None
    }

    fn odd(&mut self, _: Option<&(LogId, u64)>, _: usize) -> Result<Vec<u8>, Unreadable> {
        Ok(Vec::new())
    }

    fn heads(&mut self, log: &LogId, after: u64, before: u64) -> Vec<Head> {
        let held = self.logs.get(log).map_or(&[][..], |held| &held[..]);
        let heads = held.iter().map(|(_, _, head)| *head);
        heads.filter(|head| after < head.position && head.position < before).collect()
    }
}
