//! Keeps another node's checkpoint as it comes, piece by piece. It has a thread of its own: looking at what
//! came, and making it durable, keeps nobody from writing.

use cocli_store::checkpoint::{self, Incoming, Taken};
use cocli_store::{Result, SharedDisk};

use super::event::{Came, Part};

/// What that thread owns. It takes no lock: what is kept counts for nothing before all of it is joined.
#[derive(Debug)]
pub struct Keeper {
    disk: SharedDisk,
    /// The call over which the manifest came.
    call: Option<u64>,
    incoming: Option<Incoming>,
}

impl Keeper {
    /// A keeper for a home; nothing is looked at yet.
    #[must_use]
    pub fn new(disk: SharedDisk) -> Self {
        Self { disk, call: None, incoming: None }
    }

    /// Takes a part that came over a call, and says what is wanted next. What came over another call than
    /// the manifest is not taken.
    pub fn keep(&mut self, call: u64, part: Part) -> Came {
        if matches!(part, Part::Manifest(_)) {
            self.call = Some(call);
        } else if self.call != Some(call) {
            return Came::Refused(NONE.to_owned());
        }
        self.try_keep(part).unwrap_or_else(|error| Came::Refused(error.to_string()))
    }

    fn try_keep(&mut self, part: Part) -> Result<Came> {
        if let Part::Manifest(told) = part {
            return self.begin(&told);
        }
        let Some(incoming) = &mut self.incoming else {
            return Ok(Came::Refused(NONE.to_owned()));
        };
        let taken = match part {
            Part::Manifest(_) => Taken::Elsewhere,
            Part::Lines { file, offset, bytes } => incoming.take(file, offset, &bytes)?,
            Part::Odd(entries) => incoming.take_odd(&entries)?,
            Part::Whole(logs) => {
                if incoming.is_whole(&logs)? {
                    self.incoming = None;
                    return Ok(Came::Whole);
                }
                Taken::Kept
            }
        };
        match taken {
            Taken::Kept => self.next(),
            Taken::Elsewhere => Ok(Came::Refused(ELSEWHERE.to_owned())),
            Taken::Refused(why) => Ok(Came::Refused(why)),
        }
    }

    fn begin(&mut self, told: &[u8]) -> Result<Came> {
        // What an earlier life took, and nobody joined yet, is not thrown away for another one.
        if checkpoint::waits(&*self.disk)? {
            self.incoming = None;
            return Ok(Came::Whole);
        }
        let begun = match self.incoming.take() {
            Some(incoming) => incoming.begin_again(told)?,
            None => Incoming::begin(self.disk.clone(), told)?,
        };
        match begun {
            Ok(incoming) => self.incoming = Some(incoming),
            Err(why) => return Ok(Came::Refused(why)),
        }
        self.next()
    }

    fn next(&mut self) -> Result<Came> {
        let Some(incoming) = &mut self.incoming else {
            return Ok(Came::Refused(NONE.to_owned()));
        };
        let wanted = incoming.wanted()?;
        let (came, all) = incoming.progress();
        Ok(Came::Next { wanted, came, all })
    }
}

const NONE: &str = "no checkpoint is being taken";
const ELSEWHERE: &str = "what came is not what was asked for";
