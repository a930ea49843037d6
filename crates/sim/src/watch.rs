//! What is seen of a measured run: when each node held each write, and what was sent for it.

use std::collections::BTreeMap;

use cocli_core::frame::{Message, Packet};
use cocli_core::{LogId, Vector};

use crate::tally::Bytes;

/// A node does not hold a write.
const NOT_HELD: u32 = u32::MAX;
/// Whoever waits longer than an hour waits for ever.
const HELD_MAX: u64 = 3_600_000_000;

/// A write.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) node: usize,
    pub(crate) at: u64,
    /// Where its log ends behind it.
    end: u64,
    /// By node: microseconds from the write to durable there.
    held: Vec<u32>,
}

/// A time in which a node was down, or some were cut off from the others.
#[derive(Debug, Clone)]
pub(crate) struct Away {
    pub(crate) nodes: Vec<usize>,
    pub(crate) from: u64,
    pub(crate) until: Option<u64>,
}

/// The writes of one log, and how far each node has come in it.
#[derive(Debug, Clone)]
struct Track {
    writes: Vec<usize>,
    /// By node: the first of `writes` that it does not hold.
    next: Vec<usize>,
    /// By node: the end of the bytes that came without a gap, durable or not.
    came: Vec<u64>,
}

/// What is seen of a measured run.
#[derive(Debug, Clone)]
pub struct Watch {
    nodes: usize,
    pub(crate) since: u64,
    pub(crate) until: u64,
    tracks: BTreeMap<LogId, Track>,
    pub(crate) writes: Vec<Write>,
    pub(crate) downs: Vec<Away>,
    pub(crate) parted: Vec<Away>,
    pub(crate) bytes: Bytes,
    pub(crate) packets: u64,
    /// Ranges that came.
    pub(crate) ranges: u64,
    /// Those of which every byte had come before.
    pub(crate) doubles: u64,
    pub(crate) double_bytes: u64,
    pub(crate) record_bytes: u64,
    pub(crate) last_write: u64,
    pub(crate) last_held: u64,
}

impl Watch {
    pub(crate) fn new(nodes: usize, since: u64) -> Self {
        Self {
            nodes,
            since,
            until: since,
            tracks: BTreeMap::new(),
            writes: Vec::new(),
            downs: Vec::new(),
            parted: Vec::new(),
            bytes: Bytes::default(),
            packets: 0,
            ranges: 0,
            doubles: 0,
            double_bytes: 0,
            record_bytes: 0,
            last_write: since,
            last_held: since,
        }
    }

    pub(crate) fn nodes(&self) -> usize {
        self.nodes
    }

    /// Counts from now on.
    pub(crate) fn begin(&mut self, now: u64) {
        *self = Self { tracks: std::mem::take(&mut self.tracks), ..Self::new(self.nodes, now) };
    }

    fn track(&mut self, log: &LogId) -> &mut Track {
        if !self.tracks.contains_key(log) {
            let (next, came) = (vec![0; self.nodes], vec![0; self.nodes]);
            self.tracks.insert(log.clone(), Track { writes: Vec::new(), next, came });
        }
        match self.tracks.get_mut(log) {
            Some(track) => track,
            None => unreachable!("just put there"),
        }
    }

    pub(crate) fn wrote(&mut self, now: u64, node: usize, log: &LogId, end: u64, bytes: usize) {
        let mut held = vec![NOT_HELD; self.nodes];
        held[node] = 0;
        let number = self.writes.len();
        let track = self.track(log);
        track.writes.push(number);
        track.came[node] = track.came[node].max(end);
        self.writes.push(Write { node, at: now, end, held });
        self.record_bytes += bytes as u64;
        self.last_write = now;
    }

    /// A log is durable on a node up to there.
    pub(crate) fn durable(&mut self, now: u64, node: usize, log: &LogId, position: u64) {
        let Some(track) = self.tracks.get_mut(log) else { return };
        while let Some(number) = track.writes.get(track.next[node]) {
            let write = &mut self.writes[*number];
            if write.end > position {
                break;
            }
            if write.held[node] == NOT_HELD {
                let took = (now - write.at).min(HELD_MAX);
                write.held[node] = u32::try_from(took).unwrap_or(NOT_HELD);
                self.last_held = now;
            }
            track.next[node] += 1;
        }
        track.came[node] = track.came[node].max(position);
    }

    /// The node is down: what had come and was not durable is gone.
    pub(crate) fn down(&mut self, now: u64, node: usize) {
        self.downs.push(Away { nodes: vec![node], from: now, until: None });
    }

    pub(crate) fn up(&mut self, now: u64, node: usize, vector: &Vector) {
        let open = self.downs.iter_mut().filter(|down| down.nodes == [node]);
        for down in open.filter(|down| down.until.is_none()) {
            down.until = Some(now);
        }
        for track in self.tracks.values_mut() {
            track.came[node] = 0;
        }
        for (log, head) in &vector.0 {
            self.durable(now, node, log, head.position);
        }
    }

    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        self.packets += 1;
        self.bytes.add(bytes);
    }

    pub(crate) fn streamed(&mut self, bytes: &[u8]) {
        self.bytes.streams += bytes.len() as u64;
    }

    /// A packet came to a node: which of its ranges were there already?
    pub(crate) fn came(&mut self, node: usize, bytes: &[u8]) {
        let Ok(packet) = Packet::read(bytes) else { return };
        for message in packet.messages {
            let Message::Range(range) = message else { continue };
            let (from, until) = (range.position, range.end_position());
            self.ranges += 1;
            let track = self.track(&range.log);
            let came = &mut track.came[node];
            if until <= *came {
                self.doubles += 1;
                self.double_bytes += range.bytes.len() as u64;
            } else if from <= *came {
                *came = until;
            }
        }
    }

    /// Microseconds from a write to durable on each other node that was up all the while, sorted.
    pub(crate) fn times(&self, write: &Write) -> Vec<u32> {
        let mut times: Vec<u32> = (write.held.iter().enumerate())
            .filter(|(node, took)| {
                *node != write.node && **took != NOT_HELD && !self.was_down(*node, write.at, **took)
            })
            .map(|(_, took)| *took)
            .collect();
        times.sort_unstable();
        times
    }

    /// Each node that has a write which is not its own, and when it had it.
    pub(crate) fn deliveries<'a>(
        &self,
        write: &'a Write,
    ) -> impl Iterator<Item = (usize, u32)> + 'a {
        let others = write.held.iter().copied().enumerate();
        others.filter(|(node, took)| *node != write.node && *took != NOT_HELD)
    }

    fn was_down(&self, node: usize, from: u64, took: u32) -> bool {
        let until = from + u64::from(took);
        let touches = |down: &Away| down.from <= until && down.until.is_none_or(|up| up >= from);
        self.downs.iter().any(|down| down.nodes == [node] && touches(down))
    }
}
