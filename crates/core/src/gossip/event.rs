//! The whole vocabulary between the engine and the world.
#![expect(
    missing_docs,
    reason = "a line tells each event with its fields; all of them fit one screen"
)]

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::digest::{ChainHash, ClusterId};
use crate::frame::{Boot, Condition, Linked, Range};
use crate::name::{LogId, NodeId};
use crate::vector::{Head, Vector};

/// Microseconds of a monotonic clock.
pub type Micros = u64;

/// What an engine is born with.
#[derive(Debug, Clone)]
pub struct Start {
    /// This node.
    pub node: NodeId,
    /// This start of it.
    pub boot: Boot,
    /// Random bytes: the only randomness that the engine has.
    pub seed: [u8; 16],
    /// The cluster, where all chains begin.
    pub cluster: ClusterId,
    /// The log that this home extends.
    pub own: LogId,
    /// What is durable here.
    pub vector: Vector,
    /// Logs that are held only from a position on.
    pub bases: BTreeMap<LogId, u64>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A packet that opened under a key of the cluster; its plaintext.
    Packet { from: SocketAddr, bytes: Vec<u8> },
    /// Addresses where a peer may be; those known already change nothing.
    Candidates(Vec<SocketAddr>),
    /// The same of addresses that nobody named, such as those that a network told: when there are
    /// too many, they go first.
    Hints(Vec<SocketAddr>),
    /// A log is durable here up to `head`, without a `Sync`: own writes, journals put here (or, if
    /// it is not the own log, cut) by hand. `ranges` are the new bytes, or none when they are more
    /// than a push may carry.
    Durable { log: LogId, head: Head, ranges: Vec<Range> },
    /// Answer to `Serve`: the bytes from `from` on, nothing when they cannot be read here; or the
    /// record there is too long for an answer; or `from` is not on the chain held here.
    Served { peer: Boot, log: LogId, from: Head, what: Served },
    /// A chunk of a stream asked for by `Fetch`.
    Fetched(Range),
    /// The stream asked for by `Fetch` is over.
    FetchEnded { log: LogId, peer: Boot, end: FetchEnd },
    /// Answer to `Append`: these logs end there now, written and not yet durable; the ranges of
    /// `refused` did not continue theirs.
    Appended { heads: Vec<(LogId, Head)>, refused: Vec<LogId> },
    /// Answer to `Append`: the disk failed, nothing of these counts beyond the vector.
    AppendFailed(Vec<LogId>),
    /// Answer to `Sync`: these logs are durable up to there; of `lost` nothing counts that was appended.
    Synced { heads: Vec<(LogId, Head)>, lost: Vec<LogId> },
    /// Answer to `Sync`: the disk failed, nothing that was appended counts.
    SyncFailed,
    /// Answer to `Branch`.
    BranchEnded { log: LogId, peer: Boot, end: BranchEnd },
    /// Own writes go to `log` from now on: the old one ends at `trusted`, and what stood behind it
    /// is the beginning of the new. Answer to `Doubt`, or by the home's own decision.
    NewEpoch { log: LogId, trusted: Head, copied: Head },
    /// Blocks of a log are damaged here: fetch what lies between. One that is known may have another end.
    Hole { log: LogId, from: Head, until: Head },
    /// The hole that began at `position` is healed.
    Healed { log: LogId, position: u64 },
    /// A log is held here only from this position on: what stood before is history elsewhere.
    Based { log: LogId, base: u64 },
    /// Ask the peers from which position on they hold these logs.
    AskBases(Vec<LogId>),
    /// A part of the state is damaged, and the history that it was made of is not held here.
    StateLost,
    /// The checkpoint that came is joined.
    Joined,
    /// Answer to `Checkpoint`: all of it came and is joined soon, which `Durable` tells of each log; or not.
    CheckpointEnded { peer: Boot, whole: bool },
    /// Say `Waited` when `nodes` others hold the log up to `position`.
    Wait { id: u64, log: LogId, position: u64, nodes: usize },
    /// Nobody waits for it any more.
    Unwait(u64),
    /// How this node is, as each live peer is to be told; soon when it is worse than what was told last, or news
    /// of the state.
    Condition { condition: Box<Condition>, soon: bool },
    /// Say goodbye: the peers need not wait for silence to know.
    Leave,
    /// The time of `deadline()` has come.
    Tick,
}

/// What could be read for a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// Whole records, in order.
    Ranges(Vec<Range>),
    /// The record there is longer than the answer may be.
    Long,
    /// The head is not on the chain here.
    Fork,
}

/// How the comparison of two branches ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BranchEnd {
    /// Ours is greater, and stays.
    Kept,
    /// Ours is set aside: the log ends at `common` now. `lost` is the chain's hash behind the first
    /// record of ours that differed.
    Yielded { common: Head, lost: ChainHash },
    /// It could not be told, or there was no fork.
    Open,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchEnd {
    /// All that was asked for came.
    Whole,
    /// It broke, or the peer cannot serve it; what came before counts.
    Cut,
    /// Nothing more came in the time that was given; what came before counts.
    Slow,
    /// It brought its share, and others wait for its place or for the log.
    Turn,
    /// Our hash is not on the peer's chain.
    Fork,
    /// The peer holds the log only from this position on.
    Below(u64),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Seal and send.
    Send { to: SocketAddr, bytes: Vec<u8> },
    /// Read up to `max` bytes of whole records from `from` on; answer with `Served`.
    Serve { peer: Boot, log: LogId, from: Head, max: usize },
    /// Append, then answer with `Appended` or `AppendFailed`. One at a time; it does not wait for a
    /// `Sync`.
    Append(Vec<Linked>),
    /// Make durable what was appended, then answer with `Synced` or `SyncFailed`. One at a time.
    Sync,
    /// Fetch over a stream from `from` up to `until` (the peer's end, if nearer); it is given up when
    /// nothing more comes for `patience`.
    Fetch { log: LogId, from: Head, until: u64, patience: Micros, peer: Boot, to: SocketAddr },
    /// What is missing of these logs is held by nobody who is there, or the state is damaged here: take the peer's checkpoint over a stream,
    /// and let the logs go on where it covers them; answer with `CheckpointEnded`. One at a time.
    Checkpoint { logs: Vec<LogId>, peer: Boot, to: SocketAddr },
    /// Others hold a longer own log (`claimed`) or another one: look at the disk, then close it and
    /// go on in a new epoch; answer with `NewEpoch`, or with `Durable` if the disk holds it after all.
    Doubt { log: LogId, claimed: Option<Head> },
    /// The peer's branch of the log is another: compare over a stream; answer with `BranchEnded`.
    Branch { log: LogId, peer: Boot, to: SocketAddr },
    /// Put these ranges where the hole is, sync; answer with `Healed` when it is whole.
    Heal(Vec<Range>),
    /// The nodes of a `Wait` hold it.
    Waited { id: u64, nodes: Vec<NodeId> },
    /// A log is durable here up to `head`: it may be merged and shown.
    Advanced { log: LogId, head: Head },
}
