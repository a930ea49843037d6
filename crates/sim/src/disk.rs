//! What stands on a machine's disk, read as a stranger would: record by record.

use std::collections::BTreeSet;
use std::sync::Arc;

use cocli_core::{ClusterId, State, Vector, usv};
use cocli_store::{HomeLock, Journals, Result};

use crate::machine::Machine;

/// All that one disk holds.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) vector: Vector,
    pub(crate) records: BTreeSet<Vec<u8>>,
    pub(crate) state: State,
    pub(crate) bytes: u64,
    pub(crate) odd: Vec<String>,
}

/// Reads a copy of a disk, so that looking changes nothing. There, what no mark proves to be durable
/// is settled and synced first, as a start does.
pub(crate) fn content(machine: &Machine, cluster: ClusterId) -> Result<Content> {
    let disk = machine.disk.copy();
    disk.kill();
    let mut journals = Journals::open(Arc::new(disk.clone()), cluster, machine.node.clone())?;
    {
        let lock = HomeLock::try_take(&disk, "check")?;
        let _ = journals.recover(&lock);
        journals.sync(&lock)?;
    }
    let vector = journals.vector()?;
    let mut content = Content {
        vector: vector.clone(),
        records: BTreeSet::new(),
        state: State::default(),
        bytes: 0,
        odd: Vec::new(),
    };
    for (log, head) in &vector.0 {
        let mut position = 0;
        while let Some(range) = journals.read(log, position, head.position, 1 << 20)? {
            for record in usv::records(&range.bytes) {
                match usv::read_in(&range.bytes, record) {
                    Ok(datagram) => {
                        content.state.merge(datagram);
                    }
                    Err(odd) => content
                        .odd
                        .push(format!("{log}: {odd}: {:?}", String::from_utf8_lossy(record.bytes))),
                }
                content.records.insert(record.bytes.to_vec());
            }
            content.bytes += range.bytes.len() as u64;
            position = range.end_position();
        }
    }
    Ok(content)
}

/// Flips a bit of a log's first journal, at an offset, as a bad sector does.
pub(crate) fn damage(machine: &Machine, log: &str, offset: usize) -> bool {
    let file = |path: &String| path.starts_with("wal/") && path.ends_with(&format!("_{log}.usv"));
    let Some(path) = machine.disk.files().into_iter().find(file) else { return false };
    let Some(mut bytes) = machine.disk.peek(&path) else { return false };
    let Some(byte) = bytes.get_mut(offset) else { return false };
    *byte ^= 1;
    machine.disk.plant(&path, &bytes);
    true
}
