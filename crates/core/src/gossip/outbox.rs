//! What is to be told to each peer in this step, packed by budget at its end.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use crate::frame::{Boot, Message, Range, Writer, base_len, entry_len};
use crate::limits::{BASES_BYTES, ENTRIES_BYTES};
use crate::name::{LogId, NodeId};
use crate::vector::Head;

/// What waits for one peer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Queue {
    small: VecDeque<Message>,
    entries: BTreeMap<LogId, Head>,
    bases: BTreeMap<LogId, u64>,
    ranges: BTreeMap<LogId, VecDeque<Range>>,
}

/// Numbers the packets of this boot.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(crate) node: NodeId,
    pub(crate) boot: Boot,
    pub(crate) counter: u64,
}

impl Sender {
    /// An empty packet with the next counter.
    pub(crate) fn packet(&mut self) -> Writer {
        self.counter += 1;
        Writer::new(&self.node, self.boot, self.counter)
    }
}

impl Queue {
    pub(crate) fn small(&mut self, message: Message) {
        if !self.small.contains(&message) {
            self.small.push_back(message);
        }
    }

    pub(crate) fn entry(&mut self, log: LogId, head: Head) {
        self.entries.insert(log, head);
    }

    pub(crate) fn base(&mut self, log: LogId, base: u64) {
        self.bases.insert(log, base);
    }

    pub(crate) fn range(&mut self, range: Range) {
        self.ranges.entry(range.log.clone()).or_default().push_back(range);
    }

    fn is_empty(&self) -> bool {
        let told = self.entries.is_empty() && self.bases.is_empty();
        self.small.is_empty() && told && self.ranges.is_empty()
    }

    /// All of it as packets.
    pub(crate) fn pack(mut self, sender: &mut Sender) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        while !self.is_empty() {
            let mut packet = sender.packet();
            while self.small.front().is_some_and(|message| packet.put(message)) {
                self.small.pop_front();
            }
            let share = if self.ranges.is_empty() { usize::MAX } else { ENTRIES_BYTES };
            self.put_bases(&mut packet, if share == usize::MAX { share } else { BASES_BYTES });
            self.put_entries(&mut packet, share);
            self.put_ranges(&mut packet);
            self.put_entries(&mut packet, usize::MAX);
            if packet.is_empty() {
                // Nothing of ours is longer than a packet; what is cannot be sent at all.
                break;
            }
            packets.push(packet.finish());
        }
        packets
    }

    fn put_entries(&mut self, packet: &mut Writer, share: usize) {
        let mut room = packet.entries_room(share);
        let mut taken = Vec::new();
        while let Some(first) = self.entries.first_entry() {
            let length = entry_len(first.key());
            if length > room {
                break;
            }
            room -= length;
            taken.push(first.remove_entry());
        }
        if !taken.is_empty() {
            packet.put(&Message::Entries(taken));
        }
    }

    fn put_bases(&mut self, packet: &mut Writer, share: usize) {
        let mut room = packet.entries_room(share);
        let mut taken = Vec::new();
        while let Some(first) = self.bases.first_entry().filter(|e| base_len(e.key()) <= room) {
            room -= base_len(first.key());
            taken.push(first.remove_entry());
        }
        if !taken.is_empty() {
            packet.put(&Message::Bases(taken));
        }
    }

    /// Logs by turns, each in its order.
    fn put_ranges(&mut self, packet: &mut Writer) {
        loop {
            let mut put = false;
            for queue in self.ranges.values_mut() {
                let Some(range) = queue.pop_front() else { continue };
                let message = Message::Range(range);
                if packet.put(&message) {
                    put = true;
                } else if let Message::Range(range) = message {
                    queue.push_front(range);
                }
            }
            self.ranges.retain(|_, queue| !queue.is_empty());
            if !put {
                return;
            }
        }
    }
}
