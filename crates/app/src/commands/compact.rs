//! `cocli compact`: journals into the checkpoint, the checkpoint into the cards.

use cocli_core::{ChainHash, Head, LogId, Month, Vector};
use cocli_node::{Beside, Home, NodeError, Placed, Turn};
use indicatif::ProgressBar;
use serde_json::json;

use super::Context;
use crate::args::Compact;
use crate::clock;
use crate::failure::{Exit, Failure, chain};
use crate::render::counted;

/// By so many steps (`nice`) a process beside writers leaves the processors to others; by no more, as others wait
/// for the home's lock that it holds in the end.
pub(super) const YIELDING: i32 = 5;

/// How a compaction beside writers ended, as its process tells the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// There is too little to merge.
    Little,
    /// It comes to nothing for now: somebody else compacts, or a log was cut meanwhile.
    Later,
    /// A part of the checkpoint is damaged, and the history is not held here.
    Unheld,
    /// Merged; so many damaged shards were made anew; and whether another node's checkpoint was joined.
    Merged { rebuilt: usize, joined: bool },
}

impl Told {
    fn of(ended: Beside) -> Self {
        match ended {
            Beside::Little => Self::Little,
            Beside::Busy | Beside::Changed => Self::Later,
            Beside::Merged(done) => Self::Merged { rebuilt: done.rebuilt, joined: done.joined },
        }
    }

    fn line(self) -> String {
        match self {
            Self::Little => "little".into(),
            Self::Later => "later".into(),
            Self::Unheld => "unheld".into(),
            Self::Merged { rebuilt, joined: false } => format!("merged {rebuilt}"),
            Self::Merged { rebuilt, joined: true } => format!("joined {rebuilt}"),
        }
    }

    /// `None` when no process tells it so.
    pub(crate) fn read(line: &str) -> Option<Self> {
        match line.trim_end() {
            "little" => Some(Self::Little),
            "later" => Some(Self::Later),
            "unheld" => Some(Self::Unheld),
            line => {
                let (what, rebuilt) = line.split_once(' ')?;
                let joined = match what {
                    "merged" => false,
                    "joined" => true,
                    _ => return None,
                };
                Some(Self::Merged { rebuilt: rebuilt.parse().ok()?, joined })
            }
        }
    }
}

pub(super) fn run(context: &Context, args: &Compact) -> Result<(), Failure> {
    let home = context.home()?;
    if args.dry_run {
        return foretell(context, &home);
    }
    if args.beside {
        return beside(context, &home, args.due);
    }
    let turn = turn(context, &home)?;
    let mut session = context.session(&home)?;
    let taken = session.take_in_all()?;
    let bar = bar(context);
    let told = |read: u64, all: u64| {
        bar.set_length(all);
        bar.set_position(read);
    };
    let mut failed = Vec::new();
    let compacted =
        session.compact(turn, Some(&told), &mut |month, error| failed.push((month, error)));
    bar.finish_and_clear();
    let (done, after) = compacted?;
    let placed = if args.no_cards { Placed::default() } else { session.place_all()? };
    drop(session);
    let archived = context.archive(&home);
    super::show::report_cards(context, &placed);
    if let Err(error) = home.keep_tables(&|_, _| ()) {
        context.screen.note(format!("tables for `cocli sql` are not made yet: {}", chain(&error)));
    }
    match context.screen.json {
        true => context.screen.object(&json!({
            "records": done.records, "odd": after.odd, "values": after.values,
            "digest": after.digest.to_string(), "edits": taken.edits, "cards": placed.written,
            "archived": archived,
        })),
        false => context.screen.line(format!(
            "{} merged into {}; {} taken in, {} put in place{}{}",
            counted(done.records, "new record", "new records"),
            counted(after.values, "value", "values"),
            counted(taken.edits, "edit", "edits"),
            counted(placed.written, "card", "cards"),
            if after.odd == 0 {
                String::new()
            } else {
                format!(
                    "; {} kept apart (`cocli doctor`)",
                    counted(after.odd, "odd record", "odd records")
                )
            },
            match archived {
                0 => String::new(),
                days => format!("; {} archived", counted(days, "journal", "journals")),
            },
        )),
    }
    tell_of_failed(context, &failed)
}

/// Months whose heartbeats and tasks could not be merged.
fn tell_of_failed(context: &Context, failed: &[(Month, NodeError)]) -> Result<(), Failure> {
    if failed.is_empty() {
        return Ok(());
    }
    failed.iter().for_each(|(month, error)| not_merged(context, *month, error));
    let months = counted(failed.len(), "month", "months");
    let message = format!("heartbeats and tasks of {months} are not merged; all else is");
    Err(Failure::new(Exit::Failed, message).hint("`cocli doctor` looks for what is damaged"))
}

fn not_merged(context: &Context, month: Month, error: &NodeError) {
    let why = chain(error);
    context.screen.note(format!("heartbeats and tasks of {month} are not merged: {why}"));
}

/// A daemon may be at it: what that merges is not merged again.
pub(super) fn turn(context: &Context, home: &Home) -> Result<Turn, Failure> {
    if let Some(turn) = home.try_turn()? {
        return Ok(turn);
    }
    context.screen.note("another process compacts this home: this one waits for it");
    Ok(home.turn()?)
}

/// What a daemon has done by a process of its own, whose memory goes with it.
fn beside(context: &Context, home: &Home, due: bool) -> Result<(), Failure> {
    // Where that is refused it takes its equal share.
    let _ = rustix::process::nice(YIELDING);
    let mut durable = Vector::default();
    for line in std::io::stdin().lines() {
        let line = line?;
        let mut words = line.split(' ');
        let mut entry = || {
            let log = LogId::read(words.next()?).ok()?;
            let position = words.next()?.parse().ok()?;
            Some((log, Head { position, hash: ChainHash::read(words.next()?)? }))
        };
        let entry = entry().ok_or_else(|| {
            Failure::new(Exit::Usage, format!("expected a log, a position and a hash, got: {line}"))
        })?;
        durable.0.extend([entry]);
    }
    let complain = |month, error| not_merged(context, month, &error);
    let ended = match home.compact_beside(&durable, due, clock::now(), &complain) {
        Err(error) if error.is_unheld() => {
            context.screen.line(Told::Unheld.line());
            return Ok(());
        }
        ended => ended?,
    };
    context.expire(home);
    if due || matches!(ended, Beside::Merged(_)) {
        context.archive_beside(home);
    }
    context.screen.line(Told::of(ended).line());
    Ok(())
}

/// Says what there is to merge.
fn foretell(context: &Context, home: &Home) -> Result<(), Failure> {
    let pending = home.pending()?;
    match context.screen.json {
        true => context.screen.object(&json!({
            "bytes": pending.bytes, "logs": pending.logs, "run": pending.run,
        })),
        false if pending.bytes == 0 => context.screen.line("nothing is new: all is merged"),
        false => context.screen.line(format!(
            "{} bytes of {} logs are new: they would {}",
            pending.bytes,
            pending.logs,
            match pending.run {
                true => "become a run above the shards",
                false => "be merged into the shards",
            }
        )),
    }
    Ok(())
}

/// Shown on a terminal only.
fn bar(context: &Context) -> ProgressBar {
    if !context.screen.watched() {
        return ProgressBar::hidden();
    }
    ProgressBar::new(0)
}
