//! `cocli log`: what was written, as the journals tell it.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use cocli_core::{Datagram, Field, Instant, NodeId, Target, usv};
use cocli_node::{Following, Home};
use notify::{EventKind, RecursiveMode, Watcher};
use serde_json::json;

use super::Context;
use crate::args::Log;
use crate::clock;
use crate::failure::Failure;
use crate::render::Tone;

/// Watching is a hint: journals are looked at this often.
const LOOK: Duration = Duration::from_secs(1);

/// What is asked for.
struct Filter {
    target: Option<Target>,
    field: Option<Field>,
    since: Option<Instant>,
    node: Option<NodeId>,
}

impl Filter {
    fn of(home: &Home, args: &Log) -> Result<Self, Failure> {
        Ok(Self {
            target: args.target.as_deref().map(|name| home.resolve(name)).transpose()?,
            field: args.field.as_deref().map(Field::read).transpose()?,
            since: args.since.as_deref().map(clock::moment).transpose().map_err(Failure::usage)?,
            node: args.node.as_deref().map(NodeId::read).transpose()?,
        })
    }

    fn fits(&self, d: &Datagram) -> bool {
        let of_field = |field: &Field| d.field == *field || d.field.base_field() == *field;
        self.target.as_ref().is_none_or(|target| d.target == *target)
            && self.field.as_ref().is_none_or(of_field)
            && self.since.is_none_or(|since| d.entry.stamp.instant >= since)
            && self.node.as_ref().is_none_or(|node| d.entry.stamp.node == *node)
    }
}

pub(super) fn run(context: &Context, args: &Log) -> Result<(), Failure> {
    let home = context.home()?;
    let filter = Filter::of(&home, args)?;
    // Before the journals are read, so that nothing falls between.
    let following = args.follow.then(|| home.follow()).transpose()?;
    let mut datagrams = home.history(filter.target.as_ref(), filter.field.as_ref())?;
    datagrams.retain(|d| filter.fits(d));
    datagrams.sort_by(|a, b| a.entry.cmp(&b.entry));
    datagrams.dedup();
    datagrams.iter().for_each(|d| show(context, args, d));
    match following {
        Some(following) => follow(context, args, &home, &filter, following, &datagrams),
        None => Ok(()),
    }
}

/// Shows what comes, until the program is ended.
fn follow(
    context: &Context,
    args: &Log,
    home: &Home,
    filter: &Filter,
    mut following: Following<'_>,
    shown: &[Datagram],
) -> Result<(), Failure> {
    let (changed, changes) = channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reading shows here, too.
        if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            let _ = changed.send(());
        }
    })
    .ok();
    for (folder, deep) in cocli_node::watched(home.path()) {
        if let Some(watcher) = watcher.as_mut().filter(|_| !deep) {
            let _ = watcher.watch(&folder, RecursiveMode::NonRecursive);
        }
    }
    let mut shown = shown.to_vec();
    loop {
        for d in following.news()?.iter().filter(|d| filter.fits(d) && !shown.contains(d)) {
            show(context, args, d);
        }
        // Only what came while the journals were read may come twice.
        shown.clear();
        if changes.recv_timeout(LOOK) == Err(RecvTimeoutError::Disconnected) {
            std::thread::park_timeout(LOOK);
        }
        while changes.try_recv().is_ok() {}
    }
}

fn show(context: &Context, args: &Log, d: &Datagram) {
    let screen = context.screen;
    if args.raw {
        let mut record = Vec::new();
        usv::write(d, &mut record);
        screen.raw(&record);
        return;
    }
    if screen.json {
        screen.object(&json!({
            "at": d.entry.stamp.instant.to_string(), "node": d.entry.stamp.node.as_str(),
            "target": d.target.as_str(), "field": d.field.as_str(),
            "value": d.entry.value.to_json(), "saw": d.entry.causality.as_str(),
        }));
        return;
    }
    let value = if d.entry.value.is_null() { "removed".into() } else { d.entry.value.shown() };
    let line = format!("{}  {}={}", d.target, d.field, value);
    let who = format!("{}  {}", clock::shown(d.entry.stamp.instant), d.entry.stamp.node);
    screen.line(format!("{}  {}", screen.paint(Tone::Faint, &who), screen.safe(&line)));
}
