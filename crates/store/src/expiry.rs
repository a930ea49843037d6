//! What expires goes by the name of its month, when three whole months have passed after it: first what must
//! not be forgotten is written again, then the logs go, then their checkpoint. Cut off anywhere it is done
//! again from its beginning.

use std::collections::BTreeSet;
use std::sync::Arc;

use cocli_core::expiry::{is_believed, is_carried, oldest_kept};
use cocli_core::{Datagram, Epoch, Instant, Month, usv};

use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried, if_there};
use crate::journal::{Command, Journals};
use crate::lock::HomeLock;
use crate::paths;
use crate::reader::{Reader, months_of};

/// Bytes of records that are carried over by one append.
const BATCH_BYTES: usize = 1024 * 1024;

/// What expired.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expired {
    /// The months whose logs went.
    pub months: BTreeSet<Month>,
    /// Datagrams that were carried over before that.
    pub carried: usize,
}

/// Whether there is something that [`expire`] would take away at this time.
///
/// # Errors
/// When the home cannot be looked at.
pub fn is_due(disk: &dyn Disk, now: Instant) -> Result<bool> {
    Ok(months_of(disk)?.range(..oldest_kept(now)).next().is_some())
}

/// Takes away the months that are over by the wall clock of `command`, unless that clock is far ahead of
/// all that other nodes wrote. What has to be carried over is appended to the own log of the current month
/// before; should the own log have to be closed, it goes on in `epoch`.
///
/// # Errors
/// When the disk refuses: what did not go yet is still there.
pub fn expire(
    lock: &HomeLock,
    journals: &mut Journals,
    command: &Command,
    epoch: &Epoch,
) -> Result<Expired> {
    let mut expired = Expired::default();
    let disk = Arc::clone(journals.disk());
    if !is_due(&*disk, command.at)? {
        return Ok(expired);
    }
    journals.refresh()?;
    if !is_believed(command.at, journals.newest_of_others()) {
        return Ok(expired);
    }
    // What stands elsewhere already is not carried over: it has to stay there.
    if let Err(error) = journals.recover(lock) {
        let StoreError::Doubted { log, trusted, .. } = error else { return Err(error) };
        journals.close_and_copy(lock, &log, trusted, epoch)?;
    }
    journals.sync(lock)?;
    for month in months_of(&*disk)?.range(..oldest_kept(command.at)).copied() {
        let mut carrying = Carrying { lock, journals, command, epoch, batch: Vec::new(), count: 0 };
        carrying.carry(month)?;
        expired.carried += carrying.count;
        journals.remove_month(lock, month)?;
        remove_checkpoint(&*disk, month)?;
        expired.months.insert(month);
    }
    Ok(expired)
}

/// Appending what is carried over.
struct Carrying<'a> {
    lock: &'a HomeLock,
    journals: &'a mut Journals,
    command: &'a Command,
    epoch: &'a Epoch,
    batch: Vec<u8>,
    count: usize,
}

impl Carrying<'_> {
    /// Writes again, as they are, the winners of a month that nobody may forget.
    fn carry(&mut self, month: Month) -> Result<()> {
        let (disk, cluster) = (Arc::clone(self.journals.disk()), self.journals.cluster());
        let reader = Reader::glance(disk, cluster, self.journals.own().node.clone())?;
        reader.each_going(month, |target, going, rest| {
            for (field, entry) in &going.fields {
                let rest = rest.and_then(|rest| rest.fields.get(field));
                if is_carried(target, entry, rest) {
                    let (target, field, entry) = (target.clone(), field.clone(), entry.clone());
                    usv::write(&Datagram { target, field, entry }, &mut self.batch);
                    self.count += 1;
                }
            }
            if self.batch.len() >= BATCH_BYTES { self.append() } else { Ok(()) }
        })?;
        self.append()
    }

    fn append(&mut self) -> Result<()> {
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            let (lock, today) = (self.lock, self.command.at.day());
            self.journals.append_expiring(lock, today, &batch, self.command, self.epoch)?;
        }
        Ok(())
    }
}

/// Removes what is merged of a month: its manifest first, so that nobody takes the rest for damaged.
fn remove_checkpoint(disk: &dyn Disk, month: Month) -> Result<()> {
    let (folder, manifest) = (paths::checkpoint(Some(month)), paths::manifest(Some(month)));
    if disk.stat(&folder).tried("look at", &folder)?.is_none() {
        return Ok(());
    }
    if_there(disk.remove(&manifest)).tried("remove", &manifest)?;
    disk.sync_folder(&folder).tried("sync", &folder)?;
    for (name, _) in disk.list(&folder).tried("list", &folder)? {
        let path = paths::in_checkpoint(Some(month), &name);
        if_there(disk.remove(&path)).tried("remove", &path)?;
    }
    disk.remove_folder(&folder).tried("remove", &folder)
}
