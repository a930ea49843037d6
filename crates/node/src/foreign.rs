//! Records that the Python program heard from others (`wal/remote_{node}.usv`): those that the state
//! lacks are appended, as they are, to the own log, so that they travel.

use cocli_core::{Datagram, usv};
use cocli_store::{Command, Reader};

use crate::error::Result;
use crate::session::Session;

/// Bytes of such a file that are read at a time.
const READ_BYTES: usize = 4 * 1024 * 1024;

impl Session<'_> {
    /// Copies what the state lacks; gives how many records that were.
    ///
    /// # Errors
    /// When the files cannot be read or the own log not be written.
    pub(crate) fn take_in_foreign(&mut self) -> Result<usize> {
        let names: Vec<String> = self.journals.foreign().map(ToString::to_string).collect();
        let names =
            names.iter().filter(|name| name.starts_with("remote_") && name.ends_with(".usv"));
        let mut copied = 0;
        for name in names {
            let mut from = 0;
            loop {
                let foreign = self.journals.read_foreign(name, from, READ_BYTES)?;
                if foreign.next == from {
                    break;
                }
                from = foreign.next;
                copied += self.copy_what_is_new(&foreign.bytes)?;
            }
        }
        Ok(copied)
    }

    fn copy_what_is_new(&mut self, bytes: &[u8]) -> Result<usize> {
        self.journals.refresh()?;
        let read = usv::records(bytes).filter_map(|r| Some((r, usv::read_in(bytes, r).ok()?)));
        let read: Vec<(usv::Record<'_>, Datagram)> = read.collect();
        let targets = read.iter().map(|(_, datagram)| datagram.target.clone()).collect();
        let known = Reader::open(&mut self.journals)?.entities(&targets)?;
        let (mut batch, mut count) = (Vec::new(), 0);
        for (record, datagram) in read {
            let entity = known.get(&datagram.target);
            let winner = entity.and_then(|entity| entity.fields.get(&datagram.field));
            if winner.is_none_or(|winner| datagram.entry > *winner) {
                batch.extend_from_slice(record.bytes);
                count += 1;
            }
        }
        if count > 0 {
            let command = Command { at: self.now, verb: "adopt".into() };
            self.journals.append_own(&self.lock, self.now.day(), &batch, &command)?;
        }
        Ok(count)
    }
}
