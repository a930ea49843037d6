//! When what came is merged into the checkpoint: when it has grown long, or old. So a read finds little
//! behind the checkpoint, however much a peer sent. It is done by a process of its own, whose memory
//! goes with it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cocli_core::{Head, LogId, Vector};

use crate::clock;

/// Bytes that come before it is worth a look whether they are many.
const LOOK_BYTES: u64 = 1024 * 1024;
/// What came is merged after this however little it is.
const OLD: Duration = Duration::from_secs(600);
/// From one look to the next, at least.
const PAUSE: Duration = Duration::from_secs(1);

/// What came since the last compaction.
pub(super) struct Compaction {
    home: PathBuf,
    /// How far each log is durable.
    durable: Vector,
    /// Bytes that came since the last look.
    grown: u64,
    /// When something came that is not merged.
    since: Option<Instant>,
    /// Not before.
    from: Instant,
}

impl Compaction {
    /// Due at once: nobody knows yet what an earlier daemon left.
    pub(super) fn new(home: &Path, durable: Vector, now: Instant) -> Self {
        Self { home: home.to_owned(), durable, grown: LOOK_BYTES, since: Some(now), from: now }
    }

    /// A log is durable up to there.
    pub(super) fn note(&mut self, log: &LogId, head: Head, now: Instant) {
        let before = self.durable.position(log);
        self.grown = self.grown.saturating_add(head.position.saturating_sub(before));
        self.durable.0.insert(log.clone(), head);
        self.since.get_or_insert(now);
    }

    /// When there is something to do.
    pub(super) fn next(&self) -> Option<Instant> {
        let old = self.since? + OLD;
        Some(if self.grown >= LOOK_BYTES { self.from } else { old.max(self.from) })
    }

    /// Merges, if it is worth it. What fails is tried again when it is old.
    pub(super) fn work(&mut self, now: Instant) -> Result<(), String> {
        let due = self.since.is_some_and(|since| now >= since + OLD);
        let merged = self.run(due);
        self.grown = 0;
        self.from = clock::monotonic() + PAUSE;
        if due || matches!(merged, Ok(true)) {
            self.since = None;
        }
        if merged.is_err() {
            self.since = Some(now);
        }
        merged.map(drop)
    }

    /// Whether anything was merged.
    fn run(&self, due: bool) -> Result<bool, String> {
        let failed = |error: std::io::Error| error.to_string();
        let mut command = Command::new(program().map_err(failed)?);
        command.arg("--data").arg(&self.home).args(["compact", "--beside"]);
        command.args(due.then_some("--due"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let lines: String = (self.durable.0.iter())
            .map(|(log, head)| format!("{log} {} {}\n", head.position, head.hash))
            .collect();
        // One that ends early says why.
        let told = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(lines.as_bytes()));
        let output = child.wait_with_output().map_err(failed)?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        told.map_err(failed)?;
        Ok(!output.stdout.is_empty())
    }
}

/// This very program, where the system has a name for it also when its file was replaced.
fn program() -> std::io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() { Ok(running.to_owned()) } else { std::env::current_exe() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use cocli_core::ChainHash;

    use super::*;

    #[test]
    fn what_came_is_due_at_once_when_it_is_long_and_after_a_while_when_it_is_not() {
        let now = clock::monotonic();
        let log = LogId::read("pi1").unwrap();
        let head = |position| Head { position, hash: ChainHash([0; 16]) };
        let mut compaction = Compaction::new(Path::new("home"), Vector::default(), now);
        assert_eq!(compaction.next(), Some(now));
        (compaction.grown, compaction.since) = (0, None);
        assert_eq!(compaction.next(), None);
        compaction.note(&log, head(LOOK_BYTES / 2), now + PAUSE);
        assert_eq!(compaction.next(), Some(now + PAUSE + OLD));
        compaction.note(&log, head(LOOK_BYTES), now + 2 * PAUSE);
        assert_eq!(compaction.next(), Some(now));
    }
}
