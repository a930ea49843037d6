//! What somebody who waits for late claims saw of them, kept from one command to the next: `.cocli/claims.json`.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::task::{Claim, Watch};
use cocli_store::paths;
use serde::{Deserialize, Serialize};

use super::files::swap_in;
use crate::error::Result;
use crate::home::{Home, failed, read_if_there};

/// A claim that somebody holds is read again in the bucket after this part of the time in which it is late.
const LOOKS_A_TIME: u64 = 4;

/// Its text on the disk.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    boot: String,
    seen: BTreeMap<String, (String, u64)>,
}

/// The claims that this home saw, and when it looks again.
#[derive(Debug, Default)]
pub struct Waiter {
    boot: String,
    watch: Watch,
    /// Held in the bucket when they were read last, and from when on they are read again: microseconds.
    again: BTreeMap<String, u64>,
    changed: bool,
}

impl Waiter {
    /// What this home saw within this boot of the machine.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn load(home: &Home, boot: &str) -> Result<Self> {
        let watch = Watch { seen: read(home, boot)? };
        Ok(Self { boot: boot.to_owned(), watch, ..Self::default() })
    }

    /// In how many microseconds a claim is late; 0 when it is.
    pub(super) fn wait(&mut self, task: &str, claim: &Claim, now: u64) -> u64 {
        let before = self.watch.seen.get(task).cloned();
        let wait = self.watch.wait(task, claim, now);
        self.changed |= self.watch.seen.get(task) != before.as_ref();
        let look = claim.expires_ms.saturating_mul(1000) / LOOKS_A_TIME;
        self.again.insert(task.to_owned(), now.saturating_add(wait.min(look)));
        wait
    }

    /// In how many microseconds a claim that was held is read again; 0 when it is time, or it never was.
    pub(super) fn rests(&self, task: &str, now: u64) -> u64 {
        self.again.get(task).map_or(0, |again| again.saturating_sub(now))
    }

    /// Forgets one task.
    pub(super) fn forget(&mut self, task: &str) {
        self.again.remove(task);
        self.changed |= self.watch.seen.remove(task).is_some();
    }

    /// Forgets those of a queue, whose names begin so, that are not among these.
    pub(super) fn keep_only(&mut self, queue: &str, open: &BTreeSet<String>) {
        let before = self.watch.seen.len();
        self.watch.seen.retain(|task, _| !task.starts_with(queue) || open.contains(task));
        self.again.retain(|task, _| !task.starts_with(queue) || open.contains(task));
        self.changed |= self.watch.seen.len() != before;
    }

    /// Keeps what was seen, should it have changed; of what another process saw since longer, that.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&mut self, home: &Home) -> Result<()> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        let turn = home.disk.lock(paths::CLAIMS_TURN, true);
        let _turn = turn.map_err(|e| failed(paths::CLAIMS_TURN, "lock", e))?;
        let before = read(home, &self.boot)?;
        let mut seen = self.watch.seen.clone();
        for (task, (text, since)) in before {
            if let Some(mine) = seen.get_mut(&task).filter(|mine| mine.0 == text) {
                mine.1 = mine.1.min(since);
            }
        }
        let kept = Kept { boot: self.boot.clone(), seen };
        let text = serde_json::to_vec(&kept).unwrap_or_default();
        swap_in(home, paths::CLAIMS, &text).map_err(|e| failed(paths::CLAIMS, "write", e))
    }
}

/// What does not read, or is of another boot, counts as nothing: it is seen anew, and waited for as long again.
fn read(home: &Home, boot: &str) -> Result<BTreeMap<String, (String, u64)>> {
    let text = read_if_there(&*home.disk, paths::CLAIMS)?.unwrap_or_default();
    let kept: Kept = serde_json::from_slice(&text).unwrap_or_default();
    Ok(if kept.boot == boot { kept.seen } else { BTreeMap::new() })
}
