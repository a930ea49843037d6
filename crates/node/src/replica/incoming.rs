//! What the writer does with a checkpoint that is being taken: it keeps what comes, piece by piece.

use cocli_store::checkpoint::{Incoming, Taken};
use cocli_store::{Result, SharedDisk};

use super::event::{Came, Part};

/// Takes a part. What came of an earlier life of the daemon is looked at again.
pub(super) fn take(disk: &SharedDisk, incoming: &mut Option<Incoming>, part: Part) -> Result<Came> {
    match part {
        Part::Manifest(told) => match Incoming::begin(disk.clone(), &told)? {
            Ok(begun) => *incoming = Some(begun),
            Err(why) => return Ok(Came::Refused(why)),
        },
        Part::Lines { file, offset, bytes } => {
            let Some(incoming) = incoming else { return Ok(Came::Refused(NONE.to_owned())) };
            if let Taken::Refused(why) = incoming.take(file, offset, &bytes)? {
                return Ok(Came::Refused(why));
            }
        }
        Part::Whole(logs) => {
            let whole = incoming.as_mut().map(|incoming| incoming.is_whole(&logs)).transpose()?;
            if whole == Some(true) {
                *incoming = None;
                return Ok(Came::Whole);
            }
        }
    }
    let Some(incoming) = incoming else { return Ok(Came::Refused(NONE.to_owned())) };
    let wanted = incoming.wanted()?;
    let (came, all) = incoming.progress();
    Ok(Came::Next { wanted, came, all })
}

const NONE: &str = "no checkpoint is being taken";
