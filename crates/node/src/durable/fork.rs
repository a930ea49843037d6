//! Two branches of one log, of which one stands in the bucket.

use cocli_core::frame::Range;
use cocli_core::gossip::stream::{Answer, Asked, Comparer, Verdict};
use cocli_core::{Epoch, Instant, LogId};
use cocli_store::{Command, HomeLock, Journals, Result};

use crate::replica::view::View;

/// How two branches were settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// Ours keeps the name.
    Kept,
    /// Ours is set aside; the log ends where both part.
    Yielded,
    /// They part before this range, or below what is held: this range says nothing of it.
    Open,
}

/// Closes the own log, of which somebody holds more, or another branch.
///
/// # Errors
/// When the disk refuses: nothing is lost.
pub(super) fn close(
    journals: &mut Journals,
    lock: &HomeLock,
    log: &LogId,
    epoch: &Epoch,
) -> Result<()> {
    let _ = journals.recover(lock);
    journals.sync(lock)?;
    if journals.owns(log) {
        let trusted = journals.durable(log);
        journals.close_and_copy(lock, log, trusted, epoch)?;
    }
    Ok(())
}

/// Compares what is held with a range of the other branch: the one whose first differing record is greater
/// keeps the name, as among peers.
///
/// # Errors
/// When the disk refuses: nothing is lost.
pub(super) fn settle(
    journals: &mut Journals,
    lock: &HomeLock,
    theirs: &Range,
    now: Instant,
) -> Result<Settled> {
    let log = &theirs.log;
    if journals.owns(log) || journals.hash_at(log, theirs.position)? != Some(theirs.hash_before) {
        return Ok(Settled::Open);
    }
    journals.sync(lock)?;
    let vector = journals.vector()?;
    let mut view = View { journals, vector: &vector };
    let mut comparer = Comparer::behind(log.clone(), theirs.start());
    let asked = comparer.take(Answer::Chunk(theirs.clone()), &mut view);
    match asked {
        Asked::Over(Verdict::Keep) => Ok(Settled::Kept),
        Asked::Over(Verdict::Yield { common, .. }) => {
            let command = Command { at: now, verb: "fork".into() };
            journals.set_branch_aside(lock, log, common.position, now.day(), &command)?;
            Ok(Settled::Yielded)
        }
        Asked::Over(Verdict::Open) | Asked::Next(_) => Ok(Settled::Open),
    }
}
