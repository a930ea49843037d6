//! The plaintext of a packet: who sends it, and messages filled by a byte budget.
//!
//! What comes in was made by somebody else: a length is never trusted, an unknown message is
//! stepped over, and nothing here can panic. docs/gossip.md tells the format.

use alloc::vec::Vec;

use crate::digest::ChainHash;
use crate::limits::{NODE_BYTES_MAX, PACKET_BYTES_MAX, SEAL_BYTES_MAX};
use crate::name::{LogId, NodeId};
use crate::time::Day;
use crate::usv::{RS, records};
use crate::vector::Head;

#[cfg(test)]
mod tests;

/// Bytes of a packet's plaintext.
pub const PLAIN_BYTES_MAX: usize = PACKET_BYTES_MAX - SEAL_BYTES_MAX;
/// Bytes of a message before its body: kind and length.
const MESSAGE_HEAD_BYTES: usize = 3;
/// Bytes of a packet's plaintext that holds one hello, whoever sends it: the name is filled up, so
/// that an answer is never larger than the question.
pub const HELLO_BYTES: usize = 1 + NODE_READ_BYTES + 16 + MESSAGE_HEAD_BYTES + 16;
/// Where node, boot and counter end when the name is the longest.
const HELLO_NAME_END: usize = 1 + NODE_READ_BYTES + 16;
/// Bytes of the longest node id that is read.
const NODE_READ_BYTES: usize = NODE_BYTES_MAX + 1;
/// Bytes of one entry beside the name of its log.
pub(crate) const ENTRY_BYTES: usize = 1 + 8 + 16;
/// Bytes of a range beside the name of its log and its records.
const RANGE_HEAD_BYTES: usize = MESSAGE_HEAD_BYTES + 1 + 4 + 8 + 16;

/// A start of a daemon: random, never the same again. It is what a peer is known by; two machines
/// cloned from one image have one node id and two of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Boot(pub u64);

/// Whole records of one log and one day, with their place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Of which log.
    pub log: LogId,
    /// Of which day; a range never crosses one.
    pub day: Day,
    /// Bytes of the log before it.
    pub position: u64,
    /// The chain's hash before it.
    pub hash_before: ChainHash,
    /// Whole records; never empty.
    pub bytes: Vec<u8>,
}

impl Range {
    /// Where it begins.
    #[must_use]
    pub fn start(&self) -> Head {
        Head { position: self.position, hash: self.hash_before }
    }

    /// Bytes of the log before its end.
    #[must_use]
    pub fn end_position(&self) -> u64 {
        self.position.saturating_add(self.bytes.len() as u64)
    }

    /// Where it ends, with the hash worked out over its records.
    #[must_use]
    pub fn end(&self) -> Head {
        Head { position: self.end_position(), hash: self.hash_before.over(self.day, &self.bytes) }
    }

    /// Cuts it into ranges of at most `room` bytes, at records' ends. With them comes the position
    /// of the first record that is longer than that, where the cutting stopped.
    #[must_use]
    pub fn split(&self, room: usize) -> (Vec<Self>, Option<u64>) {
        let mut ranges = Vec::new();
        let (mut from, mut start) = (0, self.start());
        for record in records(&self.bytes) {
            let end = record.at + record.bytes.len();
            if record.bytes.len() > room || end - from > room {
                let piece = self.piece(start, &self.bytes[from..record.at]);
                (from, start) = (record.at, piece.end());
                if !piece.bytes.is_empty() {
                    ranges.push(piece);
                }
            }
            if record.bytes.len() > room {
                return (ranges, Some(start.position));
            }
        }
        let last = self.piece(start, &self.bytes[from..]);
        if !last.bytes.is_empty() {
            ranges.push(last);
        }
        (ranges, None)
    }

    /// The part of this range that begins at `start`, which must be a record's end in it.
    #[must_use]
    pub(crate) fn piece(&self, start: Head, bytes: &[u8]) -> Self {
        Self {
            log: self.log.clone(),
            day: self.day,
            position: start.position,
            hash_before: start.hash,
            bytes: bytes.to_vec(),
        }
    }

    /// How many bytes of records of a log fit a packet of this node.
    #[must_use]
    pub fn room(node: &NodeId, log: &LogId) -> usize {
        let head = 1 + node.as_str().len() + 16;
        PLAIN_BYTES_MAX.saturating_sub(head + RANGE_HEAD_BYTES + name_len(log))
    }

    /// Writes it without a length: whoever frames it knows where it ends.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_log(out, &self.log);
        out.extend_from_slice(&self.day.number().to_be_bytes());
        out.extend_from_slice(&self.position.to_be_bytes());
        out.extend_from_slice(&self.hash_before.0);
        out.extend_from_slice(&self.bytes);
    }

    pub(crate) fn read(cut: &mut Cut<'_>) -> Option<Self> {
        let log = cut.log()?;
        let day = Day::from_number(u32::from_be_bytes(cut.array()?))?;
        let head = cut.head()?;
        let bytes = core::mem::take(&mut cut.0);
        head.position.checked_add(u64::try_from(bytes.len()).ok()?)?;
        (bytes.last() == Some(&RS)).then(|| Self {
            log,
            day,
            position: head.position,
            hash_before: head.hash,
            bytes: bytes.to_vec(),
        })
    }
}

/// What a node tells another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Prove that you hear me by echoing `cookie` (0: you have), and here is yours (0: I have none).
    Hello {
        /// To be echoed.
        cookie: u64,
        /// The other's cookie.
        echo: u64,
    },
    /// The hash of my vector.
    Sum {
        /// [`crate::Vector::hash`].
        hash: u128,
        /// My clock, to be sent back.
        sent: u64,
    },
    /// Your sum came.
    Heard {
        /// The clock that stood in it.
        sent: u64,
    },
    /// How far I hold these logs.
    Entries(Vec<(LogId, Head)>),
    /// Send me what follows.
    Want {
        /// Of which log.
        log: LogId,
        /// What I have.
        from: Head,
        /// The position where I go on.
        until: u64,
    },
    /// Bytes of a log.
    Range(Range),
    /// The record at this position of the log does not fit a packet.
    Long {
        /// Of which log.
        log: LogId,
        /// Where the record begins.
        position: u64,
    },
    /// The hash that you named at this position is not on my chain.
    Differs {
        /// Of which log.
        log: LogId,
        /// Where.
        position: u64,
    },
    /// Somebody waits until you hold the log up to here.
    Hurry {
        /// Of which log.
        log: LogId,
        /// How far.
        position: u64,
    },
    /// I go.
    Bye,
}

impl Message {
    fn kind(&self) -> u8 {
        match self {
            Self::Hello { .. } => 1,
            Self::Sum { .. } => 2,
            Self::Heard { .. } => 3,
            Self::Entries(_) => 4,
            Self::Want { .. } => 5,
            Self::Range(_) => 6,
            Self::Long { .. } => 7,
            Self::Differs { .. } => 8,
            Self::Hurry { .. } => 9,
            Self::Bye => 10,
        }
    }

    fn write_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello { cookie, echo } => {
                out.extend_from_slice(&cookie.to_be_bytes());
                out.extend_from_slice(&echo.to_be_bytes());
            }
            Self::Sum { hash, sent } => {
                out.extend_from_slice(&hash.to_be_bytes());
                out.extend_from_slice(&sent.to_be_bytes());
            }
            Self::Heard { sent } => out.extend_from_slice(&sent.to_be_bytes()),
            Self::Entries(entries) => {
                for (log, head) in entries {
                    put_log(out, log);
                    put_head(out, *head);
                }
            }
            Self::Want { log, from, until } => {
                put_log(out, log);
                put_head(out, *from);
                out.extend_from_slice(&until.to_be_bytes());
            }
            Self::Range(range) => range.write(out),
            Self::Long { log, position }
            | Self::Differs { log, position }
            | Self::Hurry { log, position } => {
                put_log(out, log);
                out.extend_from_slice(&position.to_be_bytes());
            }
            Self::Bye => {}
        }
    }

    /// `Ok(None)` for a kind that this version does not know.
    fn read_body(kind: u8, body: &[u8]) -> Result<Option<Self>, Refused> {
        let mut cut = Cut(body);
        let message = cut.message(kind).ok_or(Refused::Message(kind))?;
        if message.is_some() && !cut.0.is_empty() {
            return Err(Refused::Message(kind));
        }
        Ok(message)
    }
}

/// Why a packet was refused, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// More bytes than a packet may have.
    #[error("longer than a packet may be")]
    TooLong,
    /// No node, boot and counter.
    #[error("no node, boot and counter at its beginning")]
    Head,
    /// A message that is longer than what came.
    #[error("a message is longer than what came")]
    Torn,
    /// A body that is none of its kind.
    #[error("a message of kind {0} breaks the rules of its kind")]
    Message(u8),
}

/// A packet that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Who sent it.
    pub node: NodeId,
    /// Which start of it.
    pub boot: Boot,
    /// Which packet of that start.
    pub counter: u64,
    /// What it says.
    pub messages: Vec<Message>,
    /// Messages of kinds that this version does not know.
    pub unknown: usize,
}

impl Packet {
    /// Reads a plaintext, whatever its bytes are.
    ///
    /// # Errors
    /// When any part of it breaks a rule; see [`Refused`].
    pub fn read(bytes: &[u8]) -> Result<Self, Refused> {
        if bytes.len() > PLAIN_BYTES_MAX {
            return Err(Refused::TooLong);
        }
        let mut cut = Cut(bytes);
        let (node, boot, counter) = cut.packet_head().ok_or(Refused::Head)?;
        let mut packet = Self { node, boot, counter, messages: Vec::new(), unknown: 0 };
        while !cut.0.is_empty() {
            let (kind, body) = cut.framed().ok_or(Refused::Torn)?;
            match Message::read_body(kind, body)? {
                Some(message) => packet.messages.push(message),
                None => packet.unknown += 1,
            }
        }
        Ok(packet)
    }
}

/// Fills a packet as long as messages fit.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    head: usize,
}

impl Writer {
    /// An empty packet.
    #[must_use]
    pub fn new(node: &NodeId, boot: Boot, counter: u64) -> Self {
        let mut bytes = Vec::with_capacity(PLAIN_BYTES_MAX);
        put_text(&mut bytes, &[node.as_str()]);
        bytes.extend_from_slice(&boot.0.to_be_bytes());
        bytes.extend_from_slice(&counter.to_be_bytes());
        let head = bytes.len();
        Self { bytes, head }
    }

    /// Puts the message in, or says that it does not fit and leaves the packet as it was.
    pub fn put(&mut self, message: &Message) -> bool {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(&[message.kind(), 0, 0]);
        message.write_body(&mut self.bytes);
        if matches!(message, Message::Hello { .. }) {
            let filled = self.bytes.len() + (HELLO_NAME_END - self.head);
            self.bytes.resize(filled, 0);
        }
        let body = self.bytes.len() - before - MESSAGE_HEAD_BYTES;
        match u16::try_from(body) {
            Ok(length) if self.bytes.len() <= PLAIN_BYTES_MAX => {
                self.bytes[before + 1..before + 3].copy_from_slice(&length.to_be_bytes());
                true
            }
            _ => {
                self.bytes.truncate(before);
                false
            }
        }
    }

    /// Bytes of entries that still fit, at most `share`; each costs [`entry_len`].
    pub(crate) fn entries_room(&self, share: usize) -> usize {
        PLAIN_BYTES_MAX.saturating_sub(self.bytes.len() + MESSAGE_HEAD_BYTES).min(share)
    }

    /// Whether nothing was put in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == self.head
    }

    /// The plaintext.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Bytes of an entry in a packet.
pub(crate) fn entry_len(log: &LogId) -> usize {
    ENTRY_BYTES + name_len(log)
}

fn name_len(log: &LogId) -> usize {
    let epoch = log.epoch.as_str().len();
    log.node.as_str().len() + if epoch == 0 { 0 } else { 1 + epoch }
}

fn put_text(out: &mut Vec<u8>, parts: &[&str]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    // Names have at most 73 bytes (name.rs), so the length is never cut.
    out.push(u8::try_from(length).unwrap_or(u8::MAX));
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

pub(crate) fn put_log(out: &mut Vec<u8>, log: &LogId) {
    match log.epoch.as_str() {
        "" => put_text(out, &[log.node.as_str()]),
        epoch => put_text(out, &[log.node.as_str(), "~", epoch]),
    }
}

pub(crate) fn put_head(out: &mut Vec<u8>, head: Head) {
    out.extend_from_slice(&head.position.to_be_bytes());
    out.extend_from_slice(&head.hash.0);
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

    fn text(&mut self) -> Option<&'a str> {
        let [length] = self.array()?;
        let (taken, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        core::str::from_utf8(taken).ok()
    }

    pub(crate) fn log(&mut self) -> Option<LogId> {
        LogId::read(self.text()?).ok()
    }

    pub(crate) fn head(&mut self) -> Option<Head> {
        Some(Head { position: self.number()?, hash: ChainHash(self.array()?) })
    }

    fn packet_head(&mut self) -> Option<(NodeId, Boot, u64)> {
        Some((NodeId::read(self.text()?).ok()?, Boot(self.number()?), self.number()?))
    }

    fn framed(&mut self) -> Option<(u8, &'a [u8])> {
        let [kind, high, low] = self.array()?;
        let (body, rest) = self.0.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        self.0 = rest;
        Some((kind, body))
    }

    /// `Some(None)` for an unknown kind, `None` for a broken body.
    fn message(&mut self, kind: u8) -> Option<Option<Message>> {
        Some(Some(match kind {
            1 => self.hello()?,
            2 => Message::Sum { hash: u128::from_be_bytes(self.array()?), sent: self.number()? },
            3 => Message::Heard { sent: self.number()? },
            4 => Message::Entries(self.entries()?),
            5 => Message::Want { log: self.log()?, from: self.head()?, until: self.number()? },
            6 => Message::Range(Range::read(self)?),
            7 => Message::Long { log: self.log()?, position: self.number()? },
            8 => Message::Differs { log: self.log()?, position: self.number()? },
            9 => Message::Hurry { log: self.log()?, position: self.number()? },
            10 => Message::Bye,
            _ => return Some(None),
        }))
    }

    fn hello(&mut self) -> Option<Message> {
        let (cookie, echo) = (self.number()?, self.number()?);
        let filling = core::mem::take(&mut self.0);
        (filling.len() <= NODE_READ_BYTES).then_some(Message::Hello { cookie, echo })
    }

    fn entries(&mut self) -> Option<Vec<(LogId, Head)>> {
        let mut entries = Vec::with_capacity(self.0.len() / (ENTRY_BYTES + 1));
        while !self.0.is_empty() {
            entries.push((self.log()?, self.head()?));
        }
        Some(entries)
    }
}
