//! The engine and the journals as one single-threaded machine: `step(now, input) -> outputs`.
//!
//! It reads the journals itself; all that must wait for the disk (append, sync, close and copy,
//! forks) goes out as a [`Job`] that a writer thread runs under the home's lock, so that the
//! daemon's loop never waits for a sync. The rim (sockets, timers, streams, that thread) only
//! carries values in and out.

pub mod event;

pub use event::{Input, Job, JobDone, Output};
