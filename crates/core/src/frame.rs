//! The plaintext of a packet: who sends it, and messages filled by a byte budget.
//!
//! What comes in was made by somebody else: a length is never trusted, an unknown message is
//! stepped over, and nothing here can panic. docs/gossip.md tells the format.

mod condition;
mod cut;
mod linked;
mod range;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::limits::{PACKET_BYTES_MAX, SEAL_BYTES_MAX};
use crate::name::{LogId, NodeId};
use crate::vector::Head;

use cut::{NODE_READ_BYTES, put_text};

pub use condition::Condition;
pub use linked::Linked;
pub use range::Range;

pub(crate) use cut::{Cut, base_len, entry_len, put_file, put_head, put_log};
pub(crate) use linked::Walk;

/// Bytes of a packet's plaintext.
pub const PLAIN_BYTES_MAX: usize = PACKET_BYTES_MAX - SEAL_BYTES_MAX;
/// Bytes of a message before its body: kind and length.
const MESSAGE_HEAD_BYTES: usize = 3;
/// Bytes of a packet's plaintext that holds one hello, whoever sends it: the name is filled up, so
/// that an answer is never larger than the question.
pub const HELLO_BYTES: usize = 1 + NODE_READ_BYTES + 16 + MESSAGE_HEAD_BYTES + 16;
/// Where node, boot and counter end when the name is the longest.
const HELLO_NAME_END: usize = 1 + NODE_READ_BYTES + 16;

/// A start of a daemon: random, never the same again. It is what a peer is known by; two machines
/// cloned from one image have one node id and two of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Boot(pub u64);

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
        /// Mine is the same.
        level: bool,
        /// My wall clock, microseconds since 1970; 0 when I do not know it.
        wall: i64,
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
    /// Who is there: a message of the membership, without its sender.
    Members(Vec<u8>),
    /// From which position on I hold these logs.
    Bases(Vec<(LogId, u64)>),
    /// From which position on do you hold these logs?
    AskBases(Vec<LogId>),
    /// How I am.
    Condition(Box<Condition>),
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
            Self::Members(_) => 11,
            Self::Bases(_) => 12,
            Self::AskBases(_) => 13,
            Self::Condition(_) => 14,
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
            Self::Heard { sent, level, wall } => {
                out.extend_from_slice(&sent.to_be_bytes());
                out.push(u8::from(*level));
                out.extend_from_slice(&wall.to_be_bytes());
            }
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
            Self::Members(body) => out.extend_from_slice(body),
            Self::Bases(bases) => {
                for (log, position) in bases {
                    put_log(out, log);
                    out.extend_from_slice(&position.to_be_bytes());
                }
            }
            Self::AskBases(logs) => logs.iter().for_each(|log| put_log(out, log)),
            Self::Condition(condition) => condition.write(out),
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
