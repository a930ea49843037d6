//! Propagation: a pure state machine that says what to send, to commit and to fetch.
//!
//! It has no socket, file, clock, thread or randomness of its own: the daemon and the simulator
//! run the same one. docs/gossip.md tells the protocol.

pub mod engine;
pub mod event;
pub mod status;

mod candidate;
mod dice;
mod gap;
mod inbox;
mod outbox;
mod peer;
mod peers;
mod spread;
mod window;

pub use crate::frame::Boot;
pub use engine::Engine;
pub use event::{BranchEnd, FetchEnd, Input, Micros, Output, Served, Start};
pub use status::{Counts, PeerStatus, Status};
