//! `cocli set`, `unset` and `tag`: wanted values of fields.

use std::io::{BufRead, Read};

use cocli_core::entity::DELETED;
use cocli_core::schema::Type;
use cocli_core::{Field, Kind, Moment, Target, Value};
use cocli_node::change::{Change, Intent};
use cocli_node::{Home, Written};
use serde_json::{Value as Json, json};

use super::Context;
use crate::args::{Set, Tag, TagVerb, Unset};
use crate::door;
use crate::failure::{Exit, Failure};
use crate::render::counted;
use crate::when::{self, Lean};

pub(super) fn run(context: &Context, args: &Set) -> Result<(), Failure> {
    let home = context.home()?;
    if let Some(from) = &args.from {
        return from_lines(context, &home, from, args);
    }
    let name = args.target.as_deref().unwrap_or_default();
    let target = home.resolve(name)?;
    let mut changes =
        args.changes.iter().map(|text| change(&target, text)).collect::<Result<Vec<_>, _>>()?;
    if changes.is_empty() {
        changes = revival(context, &home, &target)?;
    }
    tell_times(context, &changes, &args.changes);
    write(context, &home, "set", &changes, args)
}

/// `--revive` with nothing to set: the target, and what it stands below, is no longer removed.
fn revival(context: &Context, home: &Home, target: &Target) -> Result<Vec<Change>, Failure> {
    if home.removed(target)?.is_none() {
        context.screen.note(format!("{target} is not removed"));
        return Ok(Vec::new());
    }
    let field = Field::read(DELETED)?;
    let back = |text| {
        let above = Target::read(text)?;
        Ok(Change::new(above, field.clone(), Intent::Put(Value::null())))
    };
    target.lineage().map(back).collect()
}

pub(super) fn unset(context: &Context, args: &Unset) -> Result<(), Failure> {
    let home = context.home()?;
    let target = home.resolve(&args.target)?;
    let put_null = |text: &String| {
        let field = Field::read(text)?;
        Ok::<_, Failure>(Change::new(target.clone(), field, Intent::Put(Value::null())))
    };
    let changes = args.fields.iter().map(put_null).collect::<Result<Vec<_>, _>>()?;
    write(context, &home, "unset", &changes, &plain())
}

pub(super) fn tag(context: &Context, args: &Tag) -> Result<(), Failure> {
    let home = context.home()?;
    let (args, add) = match &args.what {
        TagVerb::Add(args) => (args, true),
        TagVerb::Rm(args) => (args, false),
    };
    let target = home.resolve(&args.target)?;
    let field = Field::read("tags")?;
    let intent = |tag: &String| {
        let tag = tag.trim().to_string();
        if add { Intent::Add(tag) } else { Intent::Remove(tag) }
    };
    let changes: Vec<Change> = args
        .tags
        .iter()
        .map(|tag| Change::new(target.clone(), field.clone(), intent(tag)))
        .collect();
    write(context, &home, "tag", &changes, &plain())
}

/// `set` without its options.
fn plain() -> Set {
    Set { target: None, changes: Vec::new(), from: None, revive: false, wait: None, timeout: 10.0 }
}

/// Reads `FIELD=VALUE`, `FIELD+=X`, `FIELD-=X`.
pub(crate) fn change(target: &Target, text: &str) -> Result<Change, Failure> {
    let Some((left, value)) = text.split_once('=') else {
        let message = format!("{text:?} is no change: expected FIELD=VALUE, FIELD+=X or FIELD-=X");
        return Err(Failure::usage(message));
    };
    let value_of = |text: &str| -> Result<Value, Failure> { Ok(Value::read(text).bounded()?) };
    let (name, intent) = match left.as_bytes().last() {
        Some(b'+') => (&left[..left.len() - 1], Intent::Add(value.to_string())),
        Some(b'-') => (&left[..left.len() - 1], Intent::Remove(value.to_string())),
        _ if value.is_empty() => (left, Intent::Put(Value::null())),
        _ => (left, Intent::Put(value_of(value)?)),
    };
    let field = Field::read(name).map_err(|error| {
        let failure = Failure::from(error);
        match Field::of_key(name) {
            Ok(field) => failure.hint(format!("a key of a card is written `{field}` here")),
            Err(_) => failure,
        }
    })?;
    let intent = match intent {
        Intent::Put(value) => Intent::Put(timed(target, &field, value)?),
        other => other,
    };
    Ok(Change::new(target.clone(), field, intent))
}

/// What a person typed into a form that asks for a text: it is one, whatever it would be as JSON. Nothing removes the
/// field.
pub(crate) fn typed(target: &Target, field: &Field, text: &str) -> Result<Change, Failure> {
    let value = if text.is_empty() { Value::null() } else { Value::text(text).bounded()? };
    Ok(Change::new(target.clone(), field.clone(), Intent::Put(timed(target, field, value)?)))
}

/// Of a field of the type time, what a person typed as it is written; what reads as a time already stays.
fn timed(target: &Target, field: &Field, value: Value) -> Result<Value, Failure> {
    let kind = Kind::of(target);
    let is_time = kind.and_then(|kind| kind.type_of(field.as_str())) == Some(Type::Time);
    if !is_time || value.is_null() || Moment::read(&value.shown()).is_some() {
        return Ok(value);
    }
    let ahead = kind == Some(Kind::Meeting) || AHEAD.contains(&field.as_str());
    let lean = if ahead { Lean::Ahead } else { Lean::Back };
    Ok(Value::text(&when::typed(&value.shown(), lean)?.to_string()))
}

/// Fields of what is planned.
const AHEAD: [&str; 2] = ["next_at", "callback_at"];

/// Says what day or moment was understood where it was typed in words.
pub(super) fn tell_times(context: &Context, changes: &[Change], typed: &[String]) {
    for (change, text) in changes.iter().zip(typed) {
        if let Intent::Put(value) = &change.intent
            && let Some(moment) = Moment::read(&value.shown())
            && !text.ends_with(&*value.shown())
        {
            context.screen.note(format!("{}: {}", change.field, when::shown(moment)));
        }
    }
}

fn write(
    context: &Context,
    home: &Home,
    verb: &str,
    changes: &[Change],
    args: &Set,
) -> Result<(), Failure> {
    let mut session = context.session(home)?;
    let targets: Vec<Target> = changes.iter().map(|change| change.target.clone()).collect();
    session.take_in(&targets)?;
    let written = session.write(verb, changes, args.revive)?;
    if let Some((target, by)) = written.refused.first().filter(|_| args.from.is_none()) {
        return Err(super::rm::removed(home, target, by));
    }
    let (placed, compacted) = super::settled(home, session, &written);
    let placed = placed?;
    if compacted? {
        context.archive(home);
    }
    super::show::report_cards(context, &placed);
    report(context, home, &written)?;
    if args.from.is_none() {
        super::doubts::tell(context, home, changes)?;
    }
    if let Some(nodes) = args.wait {
        let spread = door::wait(home, &written.end, nodes, args.timeout)?;
        let others = counted(spread, "other node", "other nodes");
        context.screen.note(format!("on {others}, durably"));
    }
    if written.refused.is_empty() {
        return Ok(());
    }
    for (target, by) in &written.refused {
        context.screen.note(format!("left out: {}", super::rm::removed(home, target, by)));
    }
    let lines = written.refused.len();
    Err(Failure::new(Exit::Conflict, format!("{lines} lines for removed targets were left out"))
        .hint("`cocli set TARGET FIELD=VALUE --revive` brings one back"))
}

fn report(context: &Context, home: &Home, written: &Written) -> Result<(), Failure> {
    match &written.new[..] {
        [target] => {
            let near = home.nearest(target)?;
            let near = near.map(|near| format!(" (the nearest that was there: {near})"));
            context.screen.note(format!("{target} is new{}", near.unwrap_or_default()));
        }
        [] => {}
        [first, .., last] => {
            let count = written.new.len();
            context.screen.note(format!("{count} targets are new: {first} to {last}"));
        }
    }
    if context.screen.json {
        context
            .screen
            .object(&json!({"written": written.datagrams, "unchanged": written.unchanged}));
    }
    Ok(())
}

/// NDJSON lines {"target","field","value"}: one batch, all or nothing.
fn from_lines(context: &Context, home: &Home, from: &str, args: &Set) -> Result<(), Failure> {
    let name = if from == "-" { "standard input" } else { from };
    let mut text = Vec::new();
    let read = match from {
        "-" => std::io::stdin().lock().read_to_end(&mut text),
        path => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut text)),
    };
    read.map_err(|error| Failure::new(Exit::Failed, format!("{name}: cannot read: {error}")))?;
    let mut changes = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        let line = line.map_err(|_| {
            Failure::usage(format!("{name}:{number}: not UTF-8: nothing was written"))
        })?;
        if !line.trim().is_empty() {
            changes.push(line_change(&line).map_err(|why| {
                Failure::usage(format!("{name}:{number}: {why}: nothing was written"))
            })?);
        }
    }
    write(context, home, "set --from", &changes, args)
}

fn line_change(line: &str) -> Result<Change, String> {
    let json: Json = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let part = |key: &str| {
        json.get(key).and_then(Json::as_str).ok_or_else(|| {
            format!("expected an object with \"target\", \"field\" and \"value\"; {key:?} is no text here")
        })
    };
    let target = Target::read(part("target")?).map_err(|error| error.to_string())?;
    let field = Field::read(part("field")?).map_err(|error| error.to_string())?;
    let value = json.get("value").ok_or("\"value\" is missing: `null` removes a field")?;
    let value = Value::json(value).bounded().map_err(|error| error.to_string())?;
    Ok(Change::new(target, field, Intent::Put(value)))
}
