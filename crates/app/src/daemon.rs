//! The daemon: wiring only. Sockets, timers, the writer and the cards thread put events into one
//! queue; the replica decides; its outputs go back out. Nothing here knows a rule about data.

mod ahead;
mod alive;
mod bucket;
mod callers;
mod calls;
mod cards;
mod changes;
mod cluster;
mod compaction;
mod condition;
mod discovery;
mod doors;
mod expected;
mod files;
mod follow;
mod gateway;
mod handover;
mod keeper;
mod keys;
mod machine;
mod memory;
mod nearby;
mod notes;
mod peers;
mod sameness;
mod scrub;
mod supervisor;
mod touched;
mod udp;
mod wiring;
mod writer;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use cocli_core::gossip::Condition;
use cocli_core::{NodeId, Vector};
use cocli_node::replica::{Came, JobDone};
use cocli_node::{Compared, KeptNode};
use serde_json::Value as Json;

pub(crate) use discovery::Layer;
pub(crate) use files::watch_journals;
pub(crate) use nearby::interfaces;
pub(crate) use notes::Log;
pub(crate) use wiring::{Options, PORT, run};

/// What the threads of the rim tell the loop.
#[derive(Debug)]
enum Event {
    /// A packet that opened.
    Packet { from: SocketAddr, bytes: Vec<u8> },
    /// A message over a stream that a peer opened; the answer goes back by the sender.
    Question { bytes: Vec<u8>, answer: Sender<calls::Answered> },
    /// More of the answer to a call has come; it is not whole yet.
    Coming { call: u64 },
    /// The answer to a call, or `None` when its stream broke.
    Answer { call: u64, bytes: Option<Vec<u8>> },
    /// A part of the checkpoint is damaged, and the history is not held here.
    StateLost,
    /// Another node's checkpoint was joined.
    Joined,
    /// What a look at the archive's budget came to.
    LetGo(cocli_node::LetGo),
    /// A command at the door; its answer goes back by the sender.
    Door { request: Json, answer: Sender<Json> },
    /// Somebody at the door follows what becomes durable; how far each log is goes back by the sender.
    Follow { feed: Arc<follow::Feed>, from: Sender<cocli_core::Vector> },
    /// A job of the writer ended.
    Done(Box<JobDone>),
    /// What came of a part of another node's checkpoint, that came over this call.
    Kept { call: u64, came: Came },
    /// The cards thread wrote datagrams of hand edits.
    Edited(cocli_node::End),
    /// How this node is, at which vector its digest was taken, and whether its peers are to know soon.
    Condition { condition: Box<Condition>, vector: Vector, soon: bool },
    /// What nodes kept of themselves.
    Nodes(BTreeMap<NodeId, KeptNode>),
    /// How a peer differs that holds the same logs; nothing where that could not be told.
    Compared { node: NodeId, of: sameness::Digests, compared: Option<Compared> },
    /// Files changed; the cards thread knows them too.
    Journals,
    /// Where a peer may be, all that this name leads to.
    Found { layer: Layer, name: String, addresses: Vec<SocketAddr> },
    /// A name of a peer leads nowhere, and why.
    Nowhere { layer: Layer, name: String, why: String },
    /// A service on the local network went away.
    Lost { name: String },
    /// The keys changed, or who is left out.
    Rekeyed,
    /// Something that a person may want to read in the log.
    Notice(String),
    /// A thread ended that the daemon cannot do without.
    Died(&'static str),
    /// Somebody asked the process to end.
    Stop,
}

/// What the cards thread is told.
#[derive(Debug)]
enum CardEvent {
    /// A log is durable up to there: its targets may show something new.
    Advanced { log: cocli_core::LogId, head: cocli_core::Head },
    /// A file below the pool changed.
    Changed(PathBuf),
    /// Files may have changed of which nobody tells.
    Look,
    /// Another node's checkpoint is to be joined.
    Join,
    /// Old history may go that others hold: these.
    Trim(cocli_core::gossip::Holdings),
    /// End.
    Stop,
}
