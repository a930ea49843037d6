//! `cocli merge` and `cocli mv`: two entities become one, or one gets another slug.

use cocli_core::{Field, Kind, Target};
use cocli_node::{Home, Union};
use serde_json::{Value as Json, json};

use super::Context;
use super::convo::owner;
use crate::args::{Merge, Mv};
use crate::failure::{Exit, Failure};
use crate::render::counted;

pub(super) fn run(context: &Context, args: &Merge) -> Result<(), Failure> {
    let home = context.home()?;
    context.catch_up(&home, None);
    let (into, from) = (owner(&home, &args.stays)?, owner(&home, &args.goes)?);
    if into == from {
        return Err(Failure::usage(format!("expected two, and both are {into}")));
    }
    if Kind::of(&into) != Kind::of(&from) {
        return Err(Failure::usage(format!("expected two of a kind, and got {into} and {from}")));
    }
    go(context, &home, (&from, &into), args.dry_run)
}

pub(super) fn rename(context: &Context, args: &Mv) -> Result<(), Failure> {
    let home = context.home()?;
    context.catch_up(&home, None);
    let from = owner(&home, &args.target)?;
    let slug = args.slug.strip_prefix(&format!("{}/", from.collection())).unwrap_or(&args.slug);
    let into = Target::read(&format!("{}/{slug}", from.collection()))?;
    if Kind::of(&into) != Kind::of(&from) {
        return Err(Failure::usage(format!("expected a slug, and {:?} is none", args.slug)));
    }
    let taken = !home.entity(&into)?.fields.is_empty();
    if into == from || taken {
        let failure = Failure::new(Exit::Conflict, format!("{into} is there already"));
        return Err(failure.hint(format!("`cocli merge {into} {from}` makes one of both")));
    }
    go(context, &home, (&from, &into), false)
}

fn go(
    context: &Context,
    home: &Home,
    (from, into): (&Target, &Target),
    dry: bool,
) -> Result<(), Failure> {
    let mut session = context.session(home)?;
    let union = session.plan_union(from, into)?;
    if dry {
        show(context, (from, into), &union, true);
        return Ok(());
    }
    let written = session.write("merge", &union.changes, false)?;
    context.finish(home, session, &written)?;
    show(context, (from, into), &union, false);
    Ok(())
}

fn show(context: &Context, (from, into): (&Target, &Target), union: &Union, dry: bool) {
    let screen = context.screen;
    let Union { gets, differ, below, referrers, .. } = union;
    if screen.json {
        let differ: Vec<Json> = (differ.iter())
            .map(|(field, stays, not)| json!({"field": field.as_str(), "stays": stays.to_json(), "not_taken": not.to_json()}))
            .collect();
        screen.object(&json!({
            "from": from.as_str(), "into": into.as_str(), "dry_run": dry,
            "fields": gets.iter().map(Field::as_str).collect::<Vec<_>>(), "differ": differ,
            "below": below.iter().map(Target::as_str).collect::<Vec<_>>(),
            "referrers": referrers.iter().map(Target::as_str).collect::<Vec<_>>(),
        }));
        return;
    }
    let is = if dry { "would be" } else { "is" };
    screen.line(format!(
        "{from} {is} {into} now: {} came, {} below it, {} that referred to it",
        counted(gets.len(), "field", "fields"),
        counted(below.len(), "note or meeting", "notes and meetings"),
        counted(referrers.len(), "other", "others"),
    ));
    for (field, stays, not) in differ {
        screen.line(screen.safe(&format!(
            "  {field}: {} stays, not {}",
            stays.shown(),
            not.shown()
        )));
    }
    if !dry {
        screen.line("`cocli undo` takes all of it back");
    }
}
