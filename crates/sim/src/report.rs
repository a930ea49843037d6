//! What a run showed.

use std::fmt;

/// A property that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which one.
    pub check: &'static str,
    /// What was seen.
    pub what: String,
    /// When, in simulated milliseconds.
    pub at_ms: u64,
}

/// What a run showed.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Properties that did not hold.
    pub failures: Vec<Failure>,
    /// A hash of every event in its order.
    pub trace_hash: u64,
    /// A line for each event, when it was asked for.
    pub trace: Vec<String>,
    /// Events that happened.
    pub events: u64,
    /// Simulated milliseconds.
    pub simulated_ms: u64,
    /// Milliseconds of quiet until all were level.
    pub level_after_ms: u64,
    /// Packets sent.
    pub packets: u64,
    /// Their bytes.
    pub packet_bytes: u64,
    /// Packets lost by the network.
    pub lost: u64,
    /// Packets delivered twice.
    pub doubled: u64,
    /// Streams cut.
    pub cut: u64,
    /// Batches whose writer was told that they are durable.
    pub acknowledged: u64,
    /// Faults that happened.
    pub faults: u64,
    /// Branches set aside.
    pub asides: u64,
    /// Checkpoints of others that were joined.
    pub joins: u64,
    /// Own logs closed.
    pub epochs: u64,
    /// Bytes of journals on one machine at the end.
    pub journal_bytes: u64,
    /// Commits by all machines.
    pub commits: u64,
}

impl Report {
    /// The run again, if nothing failed.
    ///
    /// # Panics
    /// When something did, with what it was.
    #[must_use]
    #[track_caller]
    pub fn sound(self) -> Self {
        assert!(self.failures.is_empty(), "{self}");
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {} events, {} s simulated, level after {} ms, {} packets ({} bytes, {} lost, {} doubled), {} streams cut, {} acknowledged, {} faults, {} branches set aside, {} epochs, {} commits, trace {:016x}",
            self.seed,
            self.events,
            self.simulated_ms / 1000,
            self.level_after_ms,
            self.packets,
            self.packet_bytes,
            self.lost,
            self.doubled,
            self.cut,
            self.acknowledged,
            self.faults,
            self.asides,
            self.epochs,
            self.commits,
            self.trace_hash,
        )?;
        for failure in &self.failures {
            writeln!(f, "  {} at {} ms: {}", failure.check, failure.at_ms, failure.what)?;
        }
        Ok(())
    }
}
