//! When what came is merged into the checkpoint: when it has grown long, or old. So a read finds little
//! behind the checkpoint, however much a peer sent. It is done by a process of its own, whose memory
//! goes with it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cocli_core::{Head, LogId, Vector};
use cocli_store::paths;

use crate::commands::compact::Told;

/// Bytes that come before it is worth a look whether they are many.
const LOOK_BYTES: u64 = 1024 * 1024;
/// When as many come in less than this, more is on its way: all of it is merged at once.
const REST: Duration = Duration::from_secs(1);
/// But it waits no longer than this, however much comes.
const BURST: Duration = Duration::from_secs(10);
/// What came is merged after this however little it is.
const OLD: Duration = Duration::from_secs(600);
/// From one look to the next, at least.
const PAUSE: Duration = Duration::from_secs(1);
/// After one that came to nothing, as somebody else compacts or a log was cut.
const PATIENCE: Duration = Duration::from_secs(10);
/// From one look at the process to the next.
const LOOK: Duration = Duration::from_millis(20);
/// Cards wait no longer than this for what they are read from: a disk may be very slow.
const CARDS_WAIT: Duration = Duration::from_secs(60);

/// What came since the last compaction.
pub(super) struct Compaction {
    home: PathBuf,
    /// How far each log is durable.
    durable: Vector,
    /// Bytes that came since the last look.
    grown: u64,
    burst: Burst,
    /// Since when cards are held, without a moment in which they were not.
    held: Option<Instant>,
    /// When something came that is not merged.
    since: Option<Instant>,
    /// Not before.
    from: Instant,
    running: Option<Running>,
    /// A process that makes tables for `cocli sql`: cards do not wait for it.
    keeping: Option<Child>,
    /// Another node's checkpoint waits to be joined.
    join: bool,
    /// One was joined.
    joined: bool,
    /// The checkpoint is damaged, and the history is not held here.
    unheld: bool,
}

/// What comes at once.
struct Burst {
    /// Bytes that came since a moment, which is less than [`REST`] ago.
    bytes: u64,
    from: Instant,
    /// When it has passed.
    until: Instant,
}

impl Burst {
    fn note(&mut self, came: u64, now: Instant) {
        if now >= self.from + REST {
            (self.bytes, self.from) = (0, now);
        }
        self.bytes = self.bytes.saturating_add(came);
        if self.bytes >= LOOK_BYTES {
            *self = Self { bytes: 0, from: now, until: now + REST };
        }
    }
}

/// A process that compacts.
struct Running {
    child: Child,
    /// Since when what it merges waits.
    since: Instant,
    /// It merges however little there is.
    due: bool,
    /// It is to join another node's checkpoint.
    join: bool,
}

impl Compaction {
    /// Due at once: nobody knows yet what an earlier daemon left. Whether another node's checkpoint `waits` to
    /// be joined.
    pub(super) fn new(home: &Path, durable: Vector, waits: bool, now: Instant) -> Self {
        Self {
            home: home.to_owned(),
            durable,
            grown: LOOK_BYTES,
            burst: Burst { bytes: 0, from: now, until: now },
            held: None,
            since: Some(now),
            from: now,
            running: None,
            keeping: None,
            join: waits,
            joined: false,
            unheld: false,
        }
    }

    /// A log is durable up to there. Heartbeats of an idle cluster are not worth a process every ten minutes: they
    /// wait until they are many, or something else is merged.
    pub(super) fn note(&mut self, log: &LogId, head: Head, now: Instant) {
        let came = head.position.saturating_sub(self.durable.position(log));
        self.grown = self.grown.saturating_add(came);
        self.burst.note(came, now);
        self.durable.0.insert(log.clone(), head);
        if log.month.is_none() || self.grown >= LOOK_BYTES {
            self.since.get_or_insert(now);
        }
    }

    /// Another node's checkpoint is there: it is joined at once.
    pub(super) fn join(&mut self, now: Instant) {
        self.join = true;
        self.since.get_or_insert(now);
    }

    /// Whether another node's checkpoint was joined since the last time somebody asked.
    pub(super) fn has_joined(&mut self) -> bool {
        std::mem::take(&mut self.joined)
    }

    /// Whether the checkpoint was found to be damaged for good, since the last time somebody asked.
    pub(super) fn is_unheld(&mut self) -> bool {
        std::mem::take(&mut self.unheld)
    }

    /// When there is something to do.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        if self.running.is_some() {
            return Some(now + LOOK);
        }
        let since = self.since?;
        Some(match self.grown >= LOOK_BYTES {
            _ if self.join => self.from,
            true => self.passed(since).max(self.from),
            false => self.from.max(since + OLD),
        })
    }

    /// When what comes at once has come.
    fn passed(&self, since: Instant) -> Instant {
        self.burst.until.min(since + BURST)
    }

    /// Until when cards are better not looked at, as what they are read from is being merged, or about to be;
    /// nothing where they need not wait, or have waited long.
    pub(super) fn holds_cards(&self, now: Instant) -> Option<Instant> {
        let until = self.merges_at(now)?;
        let most = self.held.unwrap_or(now) + CARDS_WAIT;
        (now < most).then_some(until.min(most))
    }

    /// When what came at once is merged, if that is not yet: while a process is at it, when it is looked at next.
    fn merges_at(&self, now: Instant) -> Option<Instant> {
        if self.running.is_some() {
            return Some(now + LOOK);
        }
        let long = self.since.filter(|_| self.grown >= LOOK_BYTES);
        long.map(|since| self.passed(since)).filter(|passed| now < *passed)
    }

    /// Begins to merge, if it is worth a look, and sees whether that has ended. What fails is tried again
    /// when it is old. Gives what a person should know.
    pub(super) fn work(&mut self, now: Instant) -> Option<String> {
        let told = self.go_on(now);
        self.hold(now);
        told
    }

    /// Notes whether cards are held, so that they are not for long in one go.
    fn hold(&mut self, now: Instant) {
        self.held = self.merges_at(now).map(|_| self.held.unwrap_or(now));
    }

    fn go_on(&mut self, now: Instant) -> Option<String> {
        if let Some(mut running) = self.running.take() {
            match running.child.try_wait() {
                Ok(None) => self.running = Some(running),
                Ok(Some(_)) => return self.ended(running, now),
                Err(error) => return Some(self.failed(&error.to_string(), now)),
            }
            return None;
        }
        let since = self.since.filter(|_| self.next(now).is_some_and(|next| now >= next))?;
        let due = now >= since + OLD;
        (self.grown, self.since) = (0, None);
        let join = std::mem::take(&mut self.join);
        match self.begin(due) {
            Ok(child) => self.running = Some(Running { child, since, due, join }),
            Err(error) => return Some(self.failed(&error.to_string(), now)),
        }
        None
    }

    fn begin(&self, due: bool) -> std::io::Result<Child> {
        let mut command = Command::new(program()?);
        command.arg("--data").arg(&self.home).args(["compact", "--beside"]);
        command.args(due.then_some("--due"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let lines: String = (self.durable.0.iter())
            .map(|(log, head)| format!("{log} {} {}\n", head.position, head.hash))
            .collect();
        if let Some(mut stdin) = child.stdin.take() {
            // One that ends before it has read all says why.
            let _ = stdin.write_all(lines.as_bytes());
        }
        Ok(child)
    }

    fn ended(&mut self, running: Running, now: Instant) -> Option<String> {
        let Running { child, since, due, join, .. } = running;
        let output = match child.wait_with_output() {
            Ok(output) => output,
            Err(error) => return Some(self.failed(&error.to_string(), now)),
        };
        self.from = now + PAUSE;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let why = if said.is_empty() { output.status.to_string() } else { said };
            // What came waits on the disk: it is tried again.
            (self.join, self.from) = (self.join | join, now + OLD / 10);
            return Some(self.failed(&why, now));
        }
        let (said, noted) = (String::from_utf8_lossy(&output.stdout), output.stderr);
        let noted = String::from_utf8_lossy(&noted).trim().to_owned();
        let noted = Some(noted).filter(|noted| !noted.is_empty());
        match Told::read(&said) {
            Some(Told::Merged { rebuilt, joined }) => {
                self.joined |= joined;
                self.keep_tables();
                if !due {
                    // Once things have come to rest all of it is looked at.
                    self.since.get_or_insert(now);
                }
                match rebuilt {
                    0 => noted,
                    _ => Some(format!("{rebuilt} damaged shards were made anew from the journals")),
                }
            }
            Some(Told::Little) => {
                self.since = if due { self.since } else { Some(since) };
                noted
            }
            Some(Told::Later) => {
                (self.since, self.from) = (Some(since), now + PATIENCE);
                self.join |= join;
                noted
            }
            Some(Told::Unheld) => {
                self.unheld = true;
                Some(self.failed(UNHELD, now))
            }
            None => Some(self.failed(&format!("its process said: {}", said.trim_end()), now)),
        }
    }

    /// Has the tables of the new checkpoint made, where somebody asks in SQL. What comes to nothing is made by who
    /// asks next.
    fn keep_tables(&mut self) {
        let runs = self.keeping.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)));
        if runs || !self.home.join(paths::TABLES).is_dir() {
            return;
        }
        let Ok(program) = program() else { return };
        let mut command = Command::new(program);
        command.arg("--data").arg(&self.home).args(["sql", "--keep"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.keeping = command.spawn().ok();
    }

    fn failed(&mut self, why: &str, now: Instant) -> String {
        (self.since, self.grown) = (Some(now), 0);
        format!("the checkpoint stays as it was: {why}")
    }
}

/// Killed anywhere it leaves the old checkpoint or the new one.
impl Drop for Compaction {
    fn drop(&mut self) {
        let running = self.running.take().map(|running| running.child);
        for mut child in running.into_iter().chain(self.keeping.take()) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

const UNHELD: &str = "a part of it is damaged, and the history that it was made of is not kept here; another node's state is fetched";

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
    use crate::clock;

    /// To which nothing came that is not merged.
    fn at_rest(now: Instant) -> Compaction {
        let mut compaction = Compaction::new(Path::new("home"), Vector::default(), false, now);
        (compaction.grown, compaction.since) = (0, None);
        compaction
    }

    /// Another node's log is durable up to there.
    fn comes(compaction: &mut Compaction, position: u64, now: Instant) {
        let head = Head { position, hash: ChainHash([0; 16]) };
        compaction.note(&LogId::read("barn").unwrap(), head, now);
    }

    #[test]
    fn what_an_earlier_daemon_left_is_due_at_once() {
        let now = clock::monotonic();
        let compaction = Compaction::new(Path::new("home"), Vector::default(), false, now);
        assert_eq!(compaction.next(now), Some(now));
    }

    #[test]
    fn what_came_is_due_at_once_when_it_is_long_and_after_a_while_when_it_is_not() {
        let now = clock::monotonic();
        let mut compaction = at_rest(now);
        assert_eq!(compaction.next(now), None);
        comes(&mut compaction, LOOK_BYTES / 2, now + PAUSE);
        assert_eq!(compaction.next(now), Some(now + PAUSE + OLD));
        comes(&mut compaction, LOOK_BYTES, now + 2 * PAUSE);
        assert_eq!(compaction.next(now), Some(now));
    }

    #[test]
    fn heartbeats_alone_are_merged_when_they_are_many() {
        let now = clock::monotonic();
        let mut compaction = at_rest(now);
        let beat = |compaction: &mut Compaction, position| {
            let head = Head { position, hash: ChainHash([0; 16]) };
            compaction.note(&LogId::read("barn~~202611").unwrap(), head, now);
        };
        beat(&mut compaction, LOOK_BYTES - 1);
        assert_eq!(compaction.next(now + 9 * OLD), None);
        beat(&mut compaction, LOOK_BYTES);
        assert!(compaction.next(now).is_some());
        let mut compaction = at_rest(now);
        beat(&mut compaction, 100);
        comes(&mut compaction, 100, now);
        assert_eq!(compaction.next(now), Some(now + OLD));
    }

    #[test]
    fn a_checkpoint_that_an_earlier_daemon_took_is_not_put_off_until_much_came() {
        let now = clock::monotonic();
        for (waits, next) in [(true, now + PATIENCE), (false, now + OLD)] {
            let mut compaction = Compaction::new(Path::new("home"), Vector::default(), waits, now);
            // Somebody else was at it, so that the first look came to nothing.
            (compaction.grown, compaction.from) = (0, now + PATIENCE);
            assert_eq!(compaction.next(now), Some(next));
        }
    }

    #[test]
    fn what_comes_at_once_is_merged_when_it_has_come_or_after_ten_seconds() {
        let now = clock::monotonic();
        let mut compaction = at_rest(now);
        comes(&mut compaction, 1000, now);
        assert_eq!(compaction.next(now), Some(now + OLD), "little may wait");
        assert_eq!(compaction.holds_cards(now), None);
        let mut last = now;
        for n in 1..40_u32 {
            last = now + n * REST / 2;
            comes(&mut compaction, u64::from(n) * 2 * LOOK_BYTES, last);
            let next = (last + REST).min(now + BURST);
            assert_eq!(compaction.next(last), Some(next));
            assert_eq!(compaction.holds_cards(last), Some(next).filter(|next| last < *next));
        }
        compaction.join(last);
        assert_eq!(compaction.next(last), Some(now), "nobody waits to be joined");
    }

    #[test]
    fn what_comes_little_by_little_is_no_burst_and_holds_no_cards() {
        let now = clock::monotonic();
        let mut compaction = at_rest(now);
        for n in 1..100_u32 {
            let then = now + n * REST;
            comes(&mut compaction, u64::from(n) * LOOK_BYTES / 3, then);
            assert_eq!(compaction.holds_cards(then), None, "{n}");
        }
        // Most of a burst, and what makes it one, are not the same.
        compaction.grown = 0;
        let then = now + 100 * REST;
        comes(&mut compaction, 100 * LOOK_BYTES / 3, then);
        assert_eq!(compaction.next(then), Some((now + REST + OLD).max(then)));
        assert_eq!(compaction.holds_cards(then), None);
    }

    #[test]
    fn however_long_much_comes_cards_are_held_for_a_minute_at_most() {
        let now = clock::monotonic();
        let mut compaction = at_rest(now);
        let mut held = None;
        for n in 1..1_000_u32 {
            let then = now + n * REST / 4;
            comes(&mut compaction, u64::from(n) * LOOK_BYTES, then);
            // As after each merge.
            (compaction.grown, compaction.since) = (2 * LOOK_BYTES, Some(then));
            compaction.hold(then);
            held = compaction.holds_cards(then).map(|_| then).or(held);
        }
        assert!(held.is_some_and(|last| last < now + REST + CARDS_WAIT), "{held:?}");
    }
}
