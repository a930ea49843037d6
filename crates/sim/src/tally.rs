//! Bytes on the wire by what they are for, told from the frames alone.

use cocli_core::frame::{Message, Packet};

/// Bytes that a packet costs beside its plaintext: seal 48, UDP 8, IPv4 20.
pub const ENVELOPE_BYTES: u64 = 76;
/// Boot and counter, behind the name of the sender.
const NUMBERS_BYTES: usize = 16;
/// Kind and length, before the body of a message.
const MESSAGE_HEAD_BYTES: usize = 3;

/// Bytes by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bytes {
    /// Seal, UDP and IP, and who sends it: the same for each packet.
    pub heads: u64,
    /// Hellos, sums, answers to them, goodbyes.
    pub control: u64,
    /// Who is there.
    pub members: u64,
    /// Entries of vectors.
    pub vectors: u64,
    /// Ranges of logs.
    pub data: u64,
    /// Wants, and what is said about gaps.
    pub repair: u64,
    /// Streams, without their handshakes.
    pub streams: u64,
}

impl Bytes {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.named().iter().map(|(_, bytes)| bytes).sum()
    }

    /// Each class with its name.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 7] {
        [
            ("heads", self.heads),
            ("control", self.control),
            ("members", self.members),
            ("vectors", self.vectors),
            ("data", self.data),
            ("repair", self.repair),
            ("streams", self.streams),
        ]
    }

    /// Adds a packet.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.heads += ENVELOPE_BYTES;
        let Ok(packet) = Packet::read(bytes) else {
            self.control += bytes.len() as u64;
            return;
        };
        let head = 1 + packet.node.as_str().len() + NUMBERS_BYTES;
        self.heads += head as u64;
        let mut rest = &bytes[head.min(bytes.len())..];
        let mut messages = packet.messages.iter();
        while let [kind, high, low, ..] = rest {
            let length = MESSAGE_HEAD_BYTES + usize::from(u16::from_be_bytes([*high, *low]));
            // A kind that this version does not know is not among the messages.
            let message = if is_known(*kind) { messages.next() } else { None };
            *self.class(message) += length as u64;
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    fn class(&mut self, message: Option<&Message>) -> &mut u64 {
        match message {
            Some(Message::Entries(_)) => &mut self.vectors,
            Some(Message::Range(_)) => &mut self.data,
            Some(Message::Members(_)) => &mut self.members,
            Some(Message::Want { .. } | Message::Long { .. } | Message::Differs { .. }) => {
                &mut self.repair
            }
            _ => &mut self.control,
        }
    }
}

fn is_known(kind: u8) -> bool {
    (1..=11).contains(&kind)
}

#[cfg(test)]
mod tests {
    use cocli_core::frame::{Boot, Writer};
    use cocli_core::gossip::Micros;
    use cocli_core::{ChainHash, Head, LogId, NodeId};

    use super::*;

    #[test]
    fn every_byte_of_a_packet_has_one_class() {
        let node = NodeId::read("n12").unwrap();
        let log = LogId::read("n12").unwrap();
        let head = Head { position: 7, hash: ChainHash([1; 16]) };
        let sent: Micros = 1;
        let mut packet = Writer::new(&node, Boot(1), 1);
        for message in [
            Message::Hello { cookie: 1, echo: 2 },
            Message::Sum { hash: 3, sent },
            Message::Entries(vec![(log.clone(), head)]),
            Message::Want { log, from: head, until: 9 },
        ] {
            assert!(packet.put(&message));
        }
        let packet = packet.finish();
        let mut bytes = Bytes::default();
        bytes.add(&packet);
        assert_eq!(bytes.total(), ENVELOPE_BYTES + packet.len() as u64);
        assert_eq!(bytes.vectors, 3 + 4 + 24);
        assert_eq!(bytes.repair, 3 + 4 + 24 + 8);
        assert_eq!(bytes.heads, ENVELOPE_BYTES + 1 + 3 + 16);
    }
}
