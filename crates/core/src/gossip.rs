//! Propagation: a pure state machine that says what to send, to commit and to fetch.
//!
//! It has no socket, file, clock, thread or randomness of its own: the daemon and the simulator
//! run the same one. docs/gossip.md tells the protocol.

pub mod event;

pub use event::{Boot, FetchEnd, Input, Micros, Output, Start};
