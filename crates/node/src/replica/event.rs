//! The whole vocabulary between the replica and its rim.
#![expect(
    missing_docs,
    reason = "a line tells each event with its fields; all of them fit one screen"
)]

use std::collections::BTreeSet;
use std::net::SocketAddr;

use cocli_core::frame::{Condition, Linked, Range};
use cocli_core::{Epoch, Head, LogId, NodeId, SortedFile};
use cocli_store::checkpoint::Wanted;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A UDP packet that opened; its plaintext.
    Packet { from: SocketAddr, bytes: Vec<u8> },
    /// Addresses where a peer may be (configuration, `--peer`, met before).
    Candidates(Vec<SocketAddr>),
    /// The same of addresses that nobody named: when there are too many, they go first.
    Hints(Vec<SocketAddr>),
    /// A writer of this home says by the door that it synced the own log up to `position`.
    Woken { log: LogId, position: u64 },
    /// Files below `wal/` may have grown (file watching, every few seconds): have a look.
    Rescan,
    /// A job of the writer thread ended.
    Done(JobDone),
    /// What came of what was given to the keeper for a call; the call may have ended meanwhile.
    Kept { call: u64, came: Came },
    /// A stream that a peer opened brought a message: answer it with `Answer`. Keeps no state here.
    Question { stream: u64, bytes: Vec<u8> },
    /// The answer to an `Ask`.
    Answer { call: u64, bytes: Vec<u8> },
    /// More of the answer to an `Ask` has come; it is not whole yet.
    Coming { call: u64 },
    /// The stream of a call could not be opened, or was cut.
    CallFailed { call: u64 },
    /// `set --wait`: say `Waited` when `nodes` others hold the log up to `position`.
    Wait { id: u64, log: LogId, position: u64, nodes: usize },
    /// The waiter went away.
    Unwait(u64),
    /// A part of the state is damaged, and the history that it was made of is not held here.
    StateLost,
    /// Another node's checkpoint was joined: logs may go on from it.
    Joined,
    /// Ask the peers from where on they hold these logs: `Replica::holdings` tells soon.
    AskBases(Vec<LogId>),
    /// How this node is: the peers are told, soon when it is worse than before, or news of the state.
    Condition { condition: Box<Condition>, soon: bool },
    /// The daemon ends: say goodbye to the peers.
    Leave,
    /// The time of `deadline()` has come.
    Tick,
}

/// What the rim is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Seal and send by UDP.
    Send { to: SocketAddr, bytes: Vec<u8> },
    /// Give it to the writer thread, which runs jobs in order.
    Job(Job),
    /// Give it to the keeper, which has a thread of its own: a part of another node's checkpoint, that
    /// came over this call. `Kept` says what came of it.
    Keep { call: u64, part: Part },
    /// Send a message over the stream of this call; open it to `to` when it is a new call.
    Ask { call: u64, to: SocketAddr, bytes: Vec<u8> },
    /// Close the stream of this call; nothing is to come back.
    Hang { call: u64 },
    /// Send over the stream that brought the question. `next` is what will be asked then: it may be
    /// read meanwhile.
    Answer { stream: u64, bytes: Vec<u8>, next: Option<Vec<u8>> },
    /// These nodes hold what the waiter waits for.
    Waited { id: u64, nodes: Vec<NodeId> },
    /// A log is durable here up to `head`: merge it, tell those who follow.
    Advanced { log: LogId, head: Head },
    /// Own writes go to this log from now on.
    NewEpoch { log: LogId },
    /// All of another node's checkpoint is there: join it beside who writes, then say `Joined`.
    Join,
    /// Something that a person may want to read in the log.
    Notice(String),
}

/// Work for the writer, which may wait for the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Append ranges of other nodes' logs.
    Append(Vec<Linked>),
    /// Make durable what was appended. Only appends run beside it.
    Sync,
    /// Take in and sync what other hands appended below `wal/`; close the own log if it is in doubt.
    Rescan { epoch: Epoch },
    /// Others hold more of the own log, or another one: look again, else close and copy.
    Doubt { log: LogId, claimed: Option<Head>, epoch: Epoch },
    /// Set the branch behind `common` aside and append its records verbatim to the own log.
    Aside { log: LogId, common: Head },
    /// Put these bytes where holes are.
    Heal(Vec<Range>),
}

/// A part of another node's checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// What it is made of, and covers.
    Manifest(Vec<u8>),
    /// Lines of one of its files.
    Lines { file: SortedFile, offset: u64, bytes: Vec<u8> },
    /// Odd records of its list, or that there are no more.
    Odd(Vec<u8>),
    /// All of it was kept: these logs go on from it.
    Whole(BTreeSet<LogId>),
}

/// What came of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// So many bytes of all came; these are wanted next, or nothing more.
    Next { wanted: Option<Wanted>, came: u64, all: u64 },
    /// It may be joined.
    Whole,
    /// It cannot be what it should be.
    Refused(String),
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobDone {
    /// These end there, not yet durable; the ranges of `refused` did not continue their logs.
    Appended { heads: Vec<(LogId, Head)>, refused: Vec<LogId> },
    /// The disk failed: nothing of these counts beyond what was durable before.
    AppendFailed { logs: Vec<LogId>, why: String },
    /// These are durable up to there; of `lost` nothing counts that was appended; why not.
    Synced { heads: Vec<(LogId, Head)>, lost: Vec<LogId>, failed: Option<String> },
    /// The disk failed: nothing that was appended counts.
    SyncFailed { why: String },
    /// The log that own writes go to, and all logs as they are durable now; of `lost` nothing counts
    /// that was appended since; why.
    Rescanned { own: LogId, heads: Vec<(LogId, Head)>, lost: Vec<LogId>, failed: Option<String> },
    /// The files could not be looked at.
    RescanFailed { why: String },
    /// The log that own writes go to from now on.
    NewEpoch { log: LogId, trusted: Head, copied: Head },
    /// The log ends at `head` now; the own log has grown to `own`.
    Aside { log: LogId, head: Head, own: (LogId, Head) },
    /// Holes that began there are whole again.
    Healed(Vec<(LogId, u64)>),
    /// The job changed nothing that counts.
    Failed { job: Job, why: String },
}
