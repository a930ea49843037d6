//! `cocli log`: what was written, as the journals tell it.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::time::Duration;

use cocli_core::{Datagram, Field, Instant, NodeId, Target, usv};
use cocli_node::Home;
use serde_json::json;

use super::Context;
use crate::args::Log;
use crate::failure::Failure;
use crate::render::{Screen, Tone};
use crate::{clock, daemon, when};

/// Who follows looks this often: watching is a hint.
const LOOK: Duration = Duration::from_secs(1);
/// A write comes as several changes of a file: they are looked at together, after this.
const SETTLED: Duration = Duration::from_millis(20);

/// Which datagrams are wanted.
struct Wanted {
    target: Option<Target>,
    field: Option<Field>,
    node: Option<NodeId>,
    since: Option<Instant>,
}

impl Wanted {
    fn fits(&self, d: &Datagram) -> bool {
        self.target.as_ref().is_none_or(|target| d.target == *target)
            && self.field.as_ref().is_none_or(|f| d.field == *f || d.field.base_field() == *f)
            && self.node.as_ref().is_none_or(|node| d.entry.stamp.node == *node)
            && self.since.is_none_or(|since| d.entry.stamp.instant >= since)
    }
}

pub(super) fn run(context: &Context, args: &Log) -> Result<(), Failure> {
    let home = context.home()?;
    let wanted = Wanted {
        target: args.target.as_deref().map(|name| home.resolve(name)).transpose()?,
        field: args.field.as_deref().map(Field::read).transpose()?,
        node: args.node.as_deref().map(NodeId::read).transpose()?,
        since: args.since.as_deref().map(when::past).transpose()?,
    };
    if args.follow {
        return follow(context.screen, &home, &wanted, args.raw);
    }
    let datagrams = home.history(wanted.target.as_ref(), wanted.field.as_ref())?;
    print(context.screen, datagrams, &wanted, args.raw);
    context.tell_of_lost_history(&home)
}

/// Prints what is there and then what comes, whoever wrote it, until nobody reads any more.
fn follow(screen: Screen, home: &Home, wanted: &Wanted, raw: bool) -> Result<(), Failure> {
    let (grown, changes) = channel();
    // Before the first look, so that nothing falls between.
    let _watcher = daemon::watch_journals(home.path(), grown.clone());
    let mut seen = BTreeMap::new();
    while !screen.reader_gone() {
        let mut ends = home.ends()?;
        // Heartbeats are shown to those who ask for them.
        ends.retain(|log, _| log.month.is_none() || wanted.target.is_some());
        let mut fresh = Vec::new();
        for (log, end) in &ends {
            let from = seen.get(log).copied().unwrap_or(0);
            if *end > from {
                fresh.extend(home.written_between(log, from, *end)?);
            }
        }
        // A log that lost a branch is shorter now, and followed from there.
        seen = ends;
        print(screen, fresh, wanted, raw);
        if changes.recv_timeout(LOOK).is_ok() {
            clock::pass(SETTLED);
            changes.try_iter().for_each(drop);
        }
    }
    // Without a watcher nothing else holds this, and a wait without it would end at once.
    drop(grown);
    Ok(())
}

/// Prints those that are wanted, the oldest first.
fn print(screen: Screen, mut datagrams: Vec<Datagram>, wanted: &Wanted, raw: bool) {
    datagrams.retain(|d| wanted.fits(d));
    datagrams.sort_by(|a, b| a.entry.cmp(&b.entry));
    datagrams.dedup();
    for d in &datagrams {
        if raw {
            let mut record = Vec::new();
            usv::write(d, &mut record);
            screen.raw(&record);
        } else if screen.json {
            screen.object(&json!({
                "at": d.entry.stamp.instant.to_string(), "node": d.entry.stamp.node.as_str(),
                "target": d.target.as_str(), "field": d.field.as_str(),
                "value": d.entry.value.to_json(), "saw": d.entry.causality.as_str(),
            }));
        } else {
            let value =
                if d.entry.value.is_null() { "removed".into() } else { d.entry.value.shown() };
            let line = format!("{}  {}={}", d.target, d.field, value);
            let who = format!("{}  {}", clock::shown(d.entry.stamp.instant), d.entry.stamp.node);
            screen.line(format!("{}  {}", screen.paint(Tone::Faint, &who), screen.safe(&line)));
        }
    }
}
