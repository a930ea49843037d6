//! `cocli undo`: take back, by new datagrams, what was written.

use cocli_core::entity::DELETED;
use cocli_core::{Field, NodeId, Value};
use cocli_node::change::Intent;
use cocli_node::{Plan, Wanted};
use serde_json::json;

use super::Context;
use crate::args::Undo;
use crate::failure::{Exit, Failure};
use crate::{clock, door, when};

/// Lines that a person is shown of an undo.
const LINES_MAX: usize = 20;

pub(super) fn run(context: &Context, args: &Undo) -> Result<(), Failure> {
    let home = context.home()?;
    if args.node.is_some() && args.since.is_none() && args.target.is_none() {
        let message = "that is everything that the node ever wrote: expected a target or `--since`";
        return Err(Failure::usage(message.to_owned())
            .hint("`cocli undo --node NODE --since 14:00 --dry-run` shows what would be done"));
    }
    let wanted = Wanted {
        target: args.target.as_deref().map(|name| home.resolve(name)).transpose()?,
        field: args.field.as_deref().map(Field::read).transpose()?,
        node: args.node.as_deref().map(NodeId::read).transpose()?,
        since: args.since.as_deref().map(when::past).transpose()?,
    };
    let mut session = context.session(&home)?;
    if let Some(target) = wanted.target.as_ref().filter(|_| !args.dry_run) {
        session.take_in(std::slice::from_ref(target))?;
    }
    let plan = session.plan_undo(&wanted)?;
    let screen = context.screen;
    for (target, field, by) in plan.kept.iter().take(LINES_MAX) {
        screen.note(format!(
            "{target} {field} stays: {} changed it since ({})",
            by.stamp.node,
            clock::shown(by.stamp.instant)
        ));
    }
    if plan.kept.len() > LINES_MAX {
        screen.note(format!("and {} more stay", plan.kept.len() - LINES_MAX));
    }
    for (target, field) in plan.forgotten.iter().take(LINES_MAX) {
        screen.note(format!("{target} {field} stays: what stood there before is not kept here"));
    }
    if plan.forgotten.len() > LINES_MAX {
        screen.note(format!("and {} more stay, too", plan.forgotten.len() - LINES_MAX));
    }
    if wanted.since.is_some() {
        context.tell_of_lost_history(&home)?;
    }
    if plan.changes.is_empty() && !plan.forgotten.is_empty() {
        let failure =
            Failure::new(Exit::Conflict, "nothing was undone: its history is not kept here");
        return Err(match &home.config().bucket.url {
            Some(url) => {
                failure.hint(format!("`cocli clone {url} DIR --at TIME` shows what stood there"))
            }
            None => failure,
        });
    }
    if plan.changes.is_empty() {
        return match plan.kept.is_empty() {
            true => Err(Failure::new(Exit::NotFound, "there is nothing to undo")
                .hint("`cocli log` shows what was written")),
            false => {
                Err(Failure::new(Exit::Conflict, "nothing was undone: others changed it since"))
            }
        };
    }
    if args.dry_run {
        tell(context, &plan);
        screen.note("nothing was changed: without `--dry-run` it is done");
        return Ok(());
    }
    let written = session.write_many("undo", plan.changes.iter().collect(), true)?;
    let placed = session.place();
    drop(session);
    door::wake(&home, &written.end);
    let placed = placed?;
    tell(context, &plan);
    super::show::report_cards(context, &placed);
    if plan.kept.is_empty() && plan.forgotten.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(Exit::Conflict, "the rest was undone"))
    }
}

/// What goes back to what; a long list is cut for people, never for programs.
fn tell(context: &Context, plan: &Plan) {
    let screen = context.screen;
    let shown = if screen.json { plan.changes.len() } else { LINES_MAX };
    for change in plan.changes.iter().take(shown) {
        let Intent::Put(value) = &change.intent else { continue };
        if screen.json {
            screen.object(&json!({
                "target": change.target.as_str(), "field": change.field.as_str(),
                "value": value.to_json(),
            }));
            continue;
        }
        if change.field.as_str() == DELETED {
            let is = if value.is_null() { "is back" } else { "is removed again" };
            screen.line(format!("{} {is}", change.target));
            continue;
        }
        let what = match (change.field.element(), value.is_null()) {
            (Some(_), true) => "is out again".into(),
            (Some(_), false) if *value == Value::truth() => "is in again".into(),
            (_, true) => "back to nothing".into(),
            (_, false) => format!("back to {}", value.shown()),
        };
        screen.line(screen.safe(&format!("{}  {} {what}", change.target, change.field)));
    }
    if plan.changes.len() > shown {
        screen.line(format!("and {} more", plan.changes.len() - shown));
    }
}
