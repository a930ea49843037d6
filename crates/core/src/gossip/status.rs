//! What a person may want to know of the propagation, as data.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::event::Micros;
use super::members::Standing;
use crate::frame::{Boot, Condition};
use crate::name::NodeId;

/// Packets and ranges, counted since the start, those dropped by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Packets sent.
    pub sent: u64,
    /// Bytes of their plaintext.
    pub sent_bytes: u64,
    /// Packets taken.
    pub taken: u64,
    /// Packets that break the rules of the format.
    pub malformed: u64,
    /// Packets of this very boot.
    pub own: u64,
    /// Packets seen before.
    pub replayed: u64,
    /// Packets of somebody who has not proved to be there.
    pub unproven: u64,
    /// Messages of a kind that this version does not know.
    pub unknown: u64,
    /// Ranges that were held already.
    pub ranges_old: u64,
    /// Ranges for which there was no room.
    pub ranges_full: u64,
    /// Ranges of a branch that lost.
    pub ranges_lost: u64,
    /// Heads that are not on the chain held here.
    pub forks: u64,
}

/// What of two nodes' logs one has and the other has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unequal {
    /// Whether the peer has not said to hold something that is held here.
    pub lacks: bool,
    /// Whether it said to hold something that is not here.
    pub ahead: bool,
}

/// One peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its node.
    pub node: NodeId,
    /// Its start.
    pub boot: Boot,
    /// Where packets go.
    pub address: SocketAddr,
    /// All where it proved to hear, that one first.
    pub addresses: Vec<SocketAddr>,
    /// Whether a valid packet came within 30 s.
    pub live: bool,
    /// How it is, as far as the nodes agree.
    pub standing: Standing,
    /// How long ago the last one came, microseconds.
    pub silent_us: Micros,
    /// The round trip, microseconds.
    pub rtt_us: Option<Micros>,
    /// By how much its wall clock is ahead of this one, microseconds, without what the round trip
    /// may explain.
    pub clock_ahead_us: Option<i64>,
    /// Whether it said goodbye, and nothing since.
    pub gone: bool,
    /// Bytes held here that it has not said to hold.
    pub lacks_bytes: u64,
    /// Bytes that it said to hold and that are not here.
    pub ahead_bytes: u64,
    /// Which of these there are in logs that stay.
    pub staying: Unequal,
    /// How it said that it is, and how long ago that came, microseconds.
    pub condition: Option<(Condition, Micros)>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// All peers, live or not.
    pub peers: Vec<PeerStatus>,
    /// Names that two machines bear at this time.
    pub twins: BTreeSet<NodeId>,
    /// Addresses where nobody has answered yet.
    pub unmet: Vec<SocketAddr>,
    /// Logs of which others hold more, or another branch.
    pub gaps: usize,
    /// Whether the disk took nothing the last time.
    pub stalled: bool,
    /// The counts.
    pub counts: Counts,
}
