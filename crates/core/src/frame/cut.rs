//! Parts of messages, written and read: what is read is never trusted to be there.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::condition::Condition;
use super::range::Range;
use super::{Boot, Message};
use crate::digest::ChainHash;
use crate::limits::{LOG_BYTES_MAX, NODE_BYTES_MAX};
use crate::name::{LogId, NodeId};
use crate::sorted::SortedFile;
use crate::vector::Head;

/// Bytes of the longest node id that is read.
pub(super) const NODE_READ_BYTES: usize = NODE_BYTES_MAX + 1;
/// Bytes of the month behind the name of an expiring log.
const MONTH_BYTES: usize = 1 + 6;
/// Bytes of one entry beside the name of its log.
const ENTRY_BYTES: usize = 1 + 8 + 16;

/// Bytes of an entry in a packet.
pub(crate) fn entry_len(log: &LogId) -> usize {
    ENTRY_BYTES + name_len(log)
}

/// Bytes of a base in a packet.
pub(crate) fn base_len(log: &LogId) -> usize {
    1 + 8 + name_len(log)
}

pub(super) fn name_len(log: &LogId) -> usize {
    let (epoch, month) = (log.epoch.as_str().len(), log.month.map_or(0, |_| MONTH_BYTES));
    log.node.as_str().len() + month + if epoch + month == 0 { 0 } else { 1 + epoch }
}

pub(super) fn put_text(out: &mut Vec<u8>, parts: &[&str]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    // Names have at most 80 bytes (name.rs), so the length is never cut.
    out.push(u8::try_from(length).unwrap_or(u8::MAX));
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

pub(crate) fn put_log(out: &mut Vec<u8>, log: &LogId) {
    let (node, epoch) = (log.node.as_str(), log.epoch.as_str());
    match log.month {
        Some(month) => put_text(out, &[node, "~", epoch, "~", &month.to_string()]),
        None if epoch.is_empty() => put_text(out, &[node]),
        None => put_text(out, &[node, "~", epoch]),
    }
}

pub(crate) fn put_head(out: &mut Vec<u8>, head: Head) {
    out.extend_from_slice(&head.position.to_be_bytes());
    out.extend_from_slice(&head.hash.0);
}

/// 1 and the shard, or two zeros for a run; then the hash.
pub(crate) fn put_file(out: &mut Vec<u8>, file: SortedFile) {
    out.extend_from_slice(&file.shard.map_or([0, 0], |shard| [1, shard]));
    out.extend_from_slice(&file.hash.to_be_bytes());
}

/// What is left of bytes that are being read; nothing is taken that is not there.
pub(crate) struct Cut<'a>(pub(crate) &'a [u8]);

impl<'a> Cut<'a> {
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let [length] = self.array()?;
        let (taken, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        core::str::from_utf8(taken).ok()
    }

    pub(crate) fn log(&mut self) -> Option<LogId> {
        LogId::read(self.text()?).ok()
    }

    pub(crate) fn head(&mut self) -> Option<Head> {
        let position = self.number().filter(|position| *position <= LOG_BYTES_MAX)?;
        Some(Head { position, hash: ChainHash(self.array()?) })
    }

    pub(crate) fn file(&mut self) -> Option<SortedFile> {
        let shard = match self.array()? {
            [0, 0] => None,
            [1, shard] => Some(shard),
            _ => return None,
        };
        Some(SortedFile { shard, hash: u128::from_be_bytes(self.array()?) })
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.0).to_vec()
    }

    pub(super) fn packet_head(&mut self) -> Option<(NodeId, Boot, u64)> {
        Some((NodeId::read(self.text()?).ok()?, Boot(self.number()?), self.number()?))
    }

    pub(super) fn framed(&mut self) -> Option<(u8, &'a [u8])> {
        let [kind, high, low] = self.array()?;
        let (body, rest) = self.0.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        self.0 = rest;
        Some((kind, body))
    }

    /// `Some(None)` for an unknown kind, `None` for a broken body.
    pub(super) fn message(&mut self, kind: u8) -> Option<Option<Message>> {
        Some(Some(match kind {
            1 => self.hello()?,
            2 => Message::Sum { hash: u128::from_be_bytes(self.array()?), sent: self.number()? },
            3 => self.heard()?,
            4 => Message::Entries(self.entries()?),
            5 => Message::Want { log: self.log()?, from: self.head()?, until: self.number()? },
            6 => Message::Range(Range::read(self)?),
            7 => Message::Long { log: self.log()?, position: self.number()? },
            8 => Message::Differs { log: self.log()?, position: self.number()? },
            9 => Message::Hurry { log: self.log()?, position: self.number()? },
            10 => Message::Bye,
            11 => Message::Members(self.rest()),
            12 => Message::Bases(self.bases()?),
            13 => Message::AskBases(self.logs()?),
            14 => Message::Condition(Box::new(Condition::read(self)?)),
            _ => return Some(None),
        }))
    }

    fn heard(&mut self) -> Option<Message> {
        let sent = self.number()?;
        let level = match self.array()? {
            [0] => false,
            [1] => true,
            _ => return None,
        };
        Some(Message::Heard { sent, level, wall: i64::from_be_bytes(self.array()?) })
    }

    fn hello(&mut self) -> Option<Message> {
        let (cookie, echo) = (self.number()?, self.number()?);
        let filling = core::mem::take(&mut self.0);
        (filling.len() <= NODE_READ_BYTES).then_some(Message::Hello { cookie, echo })
    }

    fn logs(&mut self) -> Option<Vec<LogId>> {
        let mut logs = Vec::new();
        while !self.0.is_empty() {
            logs.push(self.log()?);
        }
        Some(logs)
    }

    fn bases(&mut self) -> Option<Vec<(LogId, u64)>> {
        let mut bases = Vec::new();
        while !self.0.is_empty() {
            bases.push((self.log()?, self.number()?));
        }
        Some(bases)
    }

    fn entries(&mut self) -> Option<Vec<(LogId, Head)>> {
        let mut entries = Vec::with_capacity(self.0.len() / (ENTRY_BYTES + 1));
        while !self.0.is_empty() {
            entries.push((self.log()?, self.head()?));
        }
        Some(entries)
    }
}
