//! `cocli compact`: journals into the checkpoint, the checkpoint into the cards.

use cocli_core::{ChainHash, Head, LogId, Vector};
use cocli_node::{Home, Placed};
use indicatif::ProgressBar;
use serde_json::json;

use super::Context;
use crate::args::Compact;
use crate::failure::{Exit, Failure};

pub(super) fn run(context: &Context, args: &Compact) -> Result<(), Failure> {
    let home = context.home()?;
    if args.dry_run {
        return foretell(context, &home);
    }
    if args.beside {
        return beside(context, &home, args.due);
    }
    // A daemon may be at it: what that merges is not merged again.
    let turn = home.turn()?;
    let mut session = context.session(&home)?;
    let taken = session.take_in_all()?;
    let bar = bar(context);
    let told = |read: u64, all: u64| {
        bar.set_length(all);
        bar.set_position(read);
    };
    let compacted = session.compact(turn, Some(&told));
    bar.finish_and_clear();
    let (done, after) = compacted?;
    let placed = if args.no_cards { Placed::default() } else { session.place_all()? };
    drop(session);
    super::show::report_cards(context, &placed);
    match context.screen.json {
        true => context.screen.object(&json!({
            "records": done.records, "odd": after.odd, "values": after.values,
            "digest": after.digest.to_string(), "edits": taken.edits, "cards": placed.written,
        })),
        false => context.screen.line(format!(
            "{} new records merged into {} values; {} edits taken in, {} cards put in place{}",
            done.records,
            after.values,
            taken.edits,
            placed.written,
            if after.odd == 0 {
                String::new()
            } else {
                format!("; {} odd records kept apart (`cocli doctor`)", after.odd)
            },
        )),
    }
    Ok(())
}

/// What a daemon has done by a process of its own, whose memory goes with it.
fn beside(context: &Context, home: &Home, due: bool) -> Result<(), Failure> {
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
    if let Some(done) = home.compact_beside(&durable, due)? {
        context.screen.line(format!("{} bytes merged", done.bytes));
    }
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
