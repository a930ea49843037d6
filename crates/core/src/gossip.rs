//! Propagation: a pure state machine that says what to send, to commit and to fetch.
//!
//! It has no socket, file, clock, thread or randomness of its own: the daemon and the simulator
//! run the same one. docs/gossip.md tells the protocol.

pub mod engine;
pub mod event;
pub mod status;
pub mod stream;

mod candidate;
mod condition;
mod dice;
mod gap;
mod inbox;
mod members;
mod outbox;
mod peer;
mod peers;
mod spread;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod wall;
mod window;

pub use crate::frame::{Boot, Condition};
pub use engine::{Engine, Holdings};
pub use event::{BranchEnd, FetchEnd, Input, Micros, Output, Served, Start};
pub use members::Standing;
pub use status::{Counts, PeerStatus, Status, Unequal};
