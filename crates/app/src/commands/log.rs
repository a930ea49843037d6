//! `cocli log`: what was written, as the journals tell it.

use cocli_core::{Field, Instant, NodeId, usv};
use serde_json::json;

use super::Context;
use crate::args::Log;
use crate::clock;
use crate::failure::Failure;
use crate::render::Tone;

pub(super) fn run(context: &Context, args: &Log) -> Result<(), Failure> {
    let home = context.home()?;
    let target = args.target.as_deref().map(|name| home.resolve(name)).transpose()?;
    let field = args.field.as_deref().map(Field::read).transpose()?;
    let node = args.node.as_deref().map(NodeId::read).transpose()?;
    let since = args.since.as_deref().map(clock::moment).transpose().map_err(Failure::usage)?;
    let screen = context.screen;
    let mut datagrams = home.history(target.as_ref(), field.as_ref())?;
    datagrams.retain(|d| {
        since.is_none_or(|since: Instant| d.entry.stamp.instant >= since)
            && node.as_ref().is_none_or(|node| d.entry.stamp.node == *node)
    });
    datagrams.sort_by(|a, b| a.entry.cmp(&b.entry));
    datagrams.dedup();
    for d in &datagrams {
        if args.raw {
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
    Ok(())
}
