//! `cocli conflicts` and `cocli resolve`: values that another one took the place of, unseen.

use std::io::BufRead;

use cocli_core::{Entry, Field, Value};
use cocli_node::{Conflict, Home, Placed};
use serde_json::{Value as Json, json};

use super::Context;
use crate::args::{Conflicts, Resolve};
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::render::{Screen, Tone, counted};

pub(super) fn run(context: &Context, args: &Conflicts) -> Result<(), Failure> {
    let home = context.home()?;
    let only = args.target.as_deref().map(|name| home.resolve(name)).transpose()?;
    let screen = context.screen;
    let all = home.conflicts(only.as_ref())?;
    context.tell_of_lost_history(&home)?;
    if screen.json {
        screen.lines(all.iter().map(|conflict| object(conflict).to_string()));
        return Ok(());
    }
    if all.is_empty() {
        screen.line("no conflicts: nobody's value was lost unseen");
        return Ok(());
    }
    screen.lines(all.iter().flat_map(|conflict| lines(screen, conflict)));
    screen.note(format!(
        "{}; `cocli resolve` goes through them one after the other",
        counted(all.len(), "conflict", "conflicts")
    ));
    for conflict in all.iter().filter(|conflict| conflict.twins) {
        let target = &conflict.target;
        screen.note(format!(
            "{target} is two entities, added apart under one slug: `cocli split {target} --dry-run` shows whose is what"
        ));
    }
    Ok(())
}

pub(super) fn resolve(context: &Context, args: &Resolve) -> Result<(), Failure> {
    let home = context.home()?;
    let (Some(name), Some(field)) = (&args.target, &args.field) else {
        return one_after_the_other(context, &home, args);
    };
    let (target, field) = (home.resolve(name)?, Field::read(field)?);
    let all = home.conflicts(Some(&target))?;
    let conflict = all.iter().find(|conflict| conflict.field == field).ok_or_else(|| {
        Failure::new(Exit::NotFound, format!("{target} has no conflict at {field}"))
            .hint(format!("`cocli conflicts {target}` shows those that it has"))
    })?;
    let value = match (args.keep, &args.value) {
        (Some(number), None) => kept(conflict, number)?,
        (None, Some(text)) => typed(text)?,
        _ => {
            show(context.screen, conflict);
            return Err(Failure::usage("expected `--keep N` or `--value V`".to_owned()));
        }
    };
    settle(context, &home, conflict, value)
}

pub(crate) fn kept(conflict: &Conflict, number: usize) -> Result<Value, Failure> {
    let entry = number.checked_sub(1).and_then(|at| conflict.entries.get(at));
    entry.map(|entry| entry.value.clone()).ok_or_else(|| {
        Failure::usage(format!("{number} is none of the values 1 to {}", conflict.entries.len()))
    })
}

/// A value as `cocli set` takes it.
pub(crate) fn typed(text: &str) -> Result<Value, Failure> {
    Ok(if text.is_empty() { Value::null() } else { Value::read(text).bounded()? })
}

/// Settles a conflict that stands as it was shown, and says it.
fn settle(
    context: &Context,
    home: &Home,
    conflict: &Conflict,
    value: Value,
) -> Result<(), Failure> {
    let (target, field, json) = (&conflict.target, &conflict.field, value.to_json());
    let shown = text(field, &value);
    let placed = settled(home, conflict, value)?;
    super::show::report_cards(context, &placed);
    match context.screen.json {
        true => context.screen.object(&json!({
            "target": target.as_str(), "field": field.as_str(), "value": json,
        })),
        false => context.screen.line(context.screen.safe(&format!("{target}  {field} is {shown}"))),
    }
    Ok(())
}

/// Settles a conflict that stands as it was shown; what a person has to know of the cards then comes back.
pub(crate) fn settled(home: &Home, conflict: &Conflict, value: Value) -> Result<Placed, Failure> {
    let (target, field) = (&conflict.target, &conflict.field);
    let mut session = home.session(clock::now())?;
    session.take_in(std::slice::from_ref(target))?;
    let stands = session.entity(target)?.fields.get(field).cloned();
    if stands.as_ref() != conflict.entries.first() {
        return Err(Failure::new(
            Exit::Conflict,
            format!("{target} {field} was changed meanwhile"),
        )
        .hint(format!("`cocli conflicts {target}` shows what stands there now")));
    }
    let written = session.write("resolve", &[conflict.settle(value)], false)?;
    super::written(home, session, &written)
}

fn one_after_the_other(context: &Context, home: &Home, args: &Resolve) -> Result<(), Failure> {
    let screen = context.screen;
    if args.keep.is_some() || args.value.is_some() {
        return Err(Failure::usage(
            "`--keep` and `--value` are for one TARGET and FIELD".to_owned(),
        ));
    }
    let only = args.target.as_deref().map(|name| home.resolve(name)).transpose()?;
    let all = home.conflicts(only.as_ref())?;
    if all.is_empty() && !screen.json {
        screen.line("no conflicts: nobody's value was lost unseen");
    }
    let mut answers = std::io::stdin().lock().lines();
    for (at, conflict) in all.iter().enumerate() {
        show(screen, conflict);
        let value = loop {
            screen.note(format!(
                "{} of {}: a number keeps that value, `=TEXT` sets another, Enter leaves it, q ends",
                at + 1,
                all.len()
            ));
            let Some(answer) = answers.next().transpose()? else { return Ok(()) };
            match answer.trim() {
                "" => break None,
                "q" => return Ok(()),
                other => match (other.strip_prefix('='), other.parse().ok()) {
                    (Some(text), _) => break Some(typed(text)?),
                    (None, Some(number)) => match kept(conflict, number) {
                        Ok(value) => break Some(value),
                        Err(failure) => screen.note(failure.message),
                    },
                    (None, None) => {}
                },
            }
        };
        let Some(value) = value else { continue };
        match settle(context, home, conflict, value) {
            // Of this one something else is to be asked; the others are as they were.
            Err(failure) if failure.exit == Exit::Conflict => screen.note(failure.to_string()),
            settled => settled?,
        }
    }
    Ok(())
}

fn show(screen: Screen, conflict: &Conflict) {
    match screen.json {
        true => screen.object(&object(conflict)),
        false => screen.lines(lines(screen, conflict).into_iter()),
    }
}

fn lines(screen: Screen, conflict: &Conflict) -> Vec<String> {
    let head = format!("{}  {}", conflict.target, conflict.field);
    let mut lines = vec![screen.paint(Tone::Strong, &screen.safe(&head))];
    for (at, entry) in conflict.entries.iter().enumerate() {
        let who = format!("{}, {}", entry.stamp.node, clock::shown(entry.stamp.instant));
        let what = if at == 0 { "stands" } else { "lost" };
        let line = format!(
            "  {}  {what:<6}  {}",
            at + 1,
            screen.safe(&text(&conflict.field, &entry.value))
        );
        lines.push(format!("{line}  {}", screen.paint(Tone::Faint, &who)));
    }
    lines
}

/// A value of a conflict, for a person, in one line.
pub(crate) fn text(field: &Field, value: &Value) -> String {
    match (value.is_null(), field.element()) {
        (true, None) => "nothing".into(),
        (true, Some(_)) => "not in it".into(),
        (false, Some(_)) if *value == Value::truth() => "in it".into(),
        (false, _) => super::show::readable(value).replace('\n', " "),
    }
}

fn object(conflict: &Conflict) -> Json {
    let entry = |entry: &Entry| {
        json!({"value": entry.value.to_json(), "node": entry.stamp.node.as_str(),
            "at": entry.stamp.instant.to_string()})
    };
    let lost: Vec<Json> = conflict.entries.iter().skip(1).map(entry).collect();
    json!({
        "target": conflict.target.as_str(), "field": conflict.field.as_str(),
        "stands": conflict.entries.first().map(entry), "lost": lost, "two_entities": conflict.twins,
    })
}
