//! A cluster in one process, from one seed: real replicas over real journals over a disk in memory,
//! a network that loses, doubles, delays and parts, machines that crash, are cloned and restored.
//!
//! The same [`Options`] give the same run, event by event: a failure is replayed by its seed.
//! Development only; the hidden verb `cocli sim` shows it.

mod chance;
mod check;
mod disk;
mod fault;
mod figures;
mod job;
mod machine;
mod measure;
mod network;
mod options;
mod picture;
mod report;
mod stream;
mod tally;
mod watch;
mod world;
mod writer;

pub use fault::Fault;
pub use figures::{Figures, Times};
pub use measure::measure;
pub use options::{Faults, Measured, Options};
pub use report::{Failure, Report};
pub use tally::{Bytes, ENVELOPE_BYTES};
pub use watch::Watch;
pub use world::World;

/// Runs one world to its end: faults for a while, then quiet until all are level, then the checks.
#[must_use]
pub fn run(options: Options) -> Report {
    let mut world = World::new(options);
    world.suffer();
    world.settle();
    world.report()
}
