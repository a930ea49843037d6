//! What was asked of the bucket by this machine, by month.

use std::collections::BTreeMap;

use cocli_core::{Instant, Month};
use cocli_store::{Disk, paths};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::home::{Home, failed, read_if_there, replace};

/// Months that are kept.
const MONTHS_KEPT: usize = 13;

/// What was asked in one month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spent {
    /// When the first of it was counted: microseconds since 1970.
    pub since: i64,
    /// Reads.
    pub gets: u64,
    /// Writes.
    pub puts: u64,
    /// Listings.
    pub lists: u64,
    /// Deletions.
    pub deletes: u64,
    /// Bytes sent.
    pub up: u64,
    /// Bytes received.
    pub down: u64,
}

impl Spent {
    fn add(&mut self, more: &Self, now: Instant) {
        if self.since == 0 {
            self.since = now.micros();
        }
        self.gets += more.gets;
        self.puts += more.puts;
        self.lists += more.lists;
        self.deletes += more.deletes;
        self.up += more.up;
        self.down += more.down;
    }
}

impl Home {
    /// What was asked of the bucket by this machine in the month of `now`.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn spent(&self, now: Instant) -> Result<Spent> {
        let month = now.day().month().to_string();
        Ok(read(&*self.disk)?.remove(&month).unwrap_or_default())
    }

    /// Counts what was asked of it.
    ///
    /// # Errors
    /// When the disk refuses: it is not counted then.
    pub fn spend(&self, more: &Spent, now: Instant) -> Result<()> {
        if *more == Spent::default() {
            return Ok(());
        }
        // Who claims tasks asks the bucket without its turn.
        let turn = self.disk.lock(paths::METER_TURN, true);
        let _turn = turn.map_err(|error| failed(paths::METER_TURN, "lock", error))?;
        let mut months = read(&*self.disk)?;
        months.entry(now.day().month().to_string()).or_default().add(more, now);
        while months.len() > MONTHS_KEPT {
            months.pop_first();
        }
        let text = serde_json::to_vec(&months).unwrap_or_default();
        replace(&*self.disk, paths::METER, &text)
    }
}

/// What cannot be read counts as nothing: it is about money, not about data.
fn read(disk: &dyn Disk) -> Result<BTreeMap<String, Spent>> {
    let text = read_if_there(disk, paths::METER)?.unwrap_or_default();
    let months: BTreeMap<String, Spent> = serde_json::from_slice(&text).unwrap_or_default();
    Ok(months.into_iter().filter(|(month, _)| Month::read(month).is_some()).collect())
}
