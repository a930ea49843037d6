//! What the writer does under the home's lock.

use cocli_core::frame::{Linked, Range};
use cocli_core::{Epoch, Head, Instant, LogId};
use cocli_store::journal::Placed;
use cocli_store::{Command, HomeLock, Journals, Result, StoreError, checkpoint};

use super::event::{Job, JobDone};

impl Job {
    /// Does it, but for a sync, which takes its time without the lock: see
    /// [`Writer`](super::Writer). `at` is the wall clock: copies go into the journal of its day.
    pub(super) fn run(
        &self,
        journals: &mut Journals,
        lock: &HomeLock,
        at: Instant,
    ) -> Result<JobDone> {
        match self {
            Self::Append(ranges) => journals.refresh_logs(&logs_of(ranges))?,
            _ => journals.refresh()?,
        }
        match self {
            Self::Append(ranges) => append(journals, lock, ranges),
            Self::Sync => {
                Ok(JobDone::Synced { heads: journals.sync(lock)?, lost: Vec::new(), failed: None })
            }
            Self::Rescan { epoch } => {
                recover(journals, lock, at, epoch)?;
                rescanned(journals, lock)
            }
            Self::Doubt { log, claimed, epoch } => doubt(journals, lock, at, log, *claimed, epoch),
            Self::Aside { log, common } => aside(journals, lock, at, log, *common),
            Self::Heal(ranges) => heal(journals, lock, at, ranges),
        }
    }

    /// What a job that failed, or could not be begun, comes to.
    #[must_use]
    pub(super) fn refused(self, why: &dyn std::fmt::Display) -> JobDone {
        let why = why.to_string();
        match self {
            Self::Append(ranges) => JobDone::AppendFailed { logs: logs_of(&ranges), why },
            Self::Sync => JobDone::SyncFailed { why },
            job => JobDone::Failed { job, why },
        }
    }
}

/// Less than the bytes between two marks of one day.
const LOOK_BYTES: usize = 32 * 1024;

fn logs_of(ranges: &[Linked]) -> Vec<LogId> {
    let mut logs: Vec<LogId> = ranges.iter().map(|linked| linked.range.log.clone()).collect();
    logs.sort();
    logs.dedup();
    logs
}

fn command(at: Instant, verb: &str) -> Command {
    Command { at, verb: verb.to_owned() }
}

fn durable(journals: &mut Journals, log: &LogId) -> Result<Head> {
    let position = journals.durable(log);
    if let Some(hash) = journals.hash_at(log, position)? {
        return Ok(Head { position, hash });
    }
    Ok(Head::start(&journals.cluster(), log))
}

/// One log that cannot be written stops no other: it is refused. A disk without room stops all.
fn append(journals: &mut Journals, lock: &HomeLock, ranges: &[Linked]) -> Result<JobDone> {
    let mut refused = Vec::new();
    for linked in ranges {
        let range = &linked.range;
        match journals.append_linked(lock, linked) {
            Ok(Placed::Appended(_)) => {}
            Ok(Placed::Misplaced { head, .. }) if head.position >= range.end_position() => {}
            Err(error @ (StoreError::NoSpace { .. } | StoreError::Damaged { .. })) => {
                return Err(error);
            }
            Ok(Placed::Misplaced { .. }) | Err(_) => refused.push(range.log.clone()),
        }
    }
    refused.dedup();
    let heads = logs_of(ranges).into_iter().filter(|log| !refused.contains(log));
    let heads = heads.map(|log| Ok((log.clone(), journals.head(&log)?)));
    Ok(JobDone::Appended { heads: heads.collect::<Result<_>>()?, refused })
}

/// Takes in what was under way when a writer of the own log died, or closes the log.
pub(super) fn recover(
    journals: &mut Journals,
    lock: &HomeLock,
    at: Instant,
    epoch: &Epoch,
) -> Result<()> {
    if let Err(error) = journals.recover(lock)
        && let StoreError::Doubted { log, trusted, .. } = error
    {
        journals.close_and_copy(lock, &log, trusted, epoch)?;
        checkpoint::salvage(lock, journals, &command(at, "salvage"))?;
    }
    Ok(())
}

fn rescanned(journals: &mut Journals, lock: &HomeLock) -> Result<JobDone> {
    journals.sync(lock)?;
    let heads = journals.vector()?.0.into_iter().collect();
    let own = journals.own().clone();
    Ok(JobDone::Rescanned { own, heads, lost: Vec::new(), failed: None })
}

fn doubt(
    journals: &mut Journals,
    lock: &HomeLock,
    at: Instant,
    log: &LogId,
    claimed: Option<Head>,
    epoch: &Epoch,
) -> Result<JobDone> {
    let _ = journals.recover(lock);
    journals.sync(lock)?;
    let held = match claimed {
        Some(head) => journals.hash_at(log, head.position)? == Some(head.hash),
        None => false,
    };
    if held || !journals.owns(log) {
        recover(journals, lock, at, epoch)?;
        return rescanned(journals, lock);
    }
    let trusted = journals.durable(log);
    let closed = journals.close_and_copy(lock, log, trusted, epoch)?;
    Ok(JobDone::NewEpoch { log: closed.log, trusted: closed.trusted, copied: closed.copied })
}

fn aside(
    journals: &mut Journals,
    lock: &HomeLock,
    at: Instant,
    log: &LogId,
    common: Head,
) -> Result<JobDone> {
    let done =
        journals.set_branch_aside(lock, log, common.position, at.day(), &command(at, "fork"))?;
    let own = journals.own().of(log.month);
    let head = durable(journals, &own)?;
    Ok(JobDone::Aside { log: log.clone(), head: done.head, own: (own, head) })
}

fn heal(
    journals: &mut Journals,
    lock: &HomeLock,
    at: Instant,
    ranges: &[Range],
) -> Result<JobDone> {
    for range in ranges {
        // The hole was found by whoever reads; this view finds it by looking there.
        let inside = (range.position + 1..range.end_position()).step_by(LOOK_BYTES);
        for position in inside {
            let _ = journals.hash_at(&range.log, position);
        }
    }
    let healed = journals.heal(lock, ranges, at.day(), &command(at, "heal"))?;
    Ok(JobDone::Healed(healed))
}
