//! `cocli show`: a target as a person reads it.

pub(super) mod circle;

use std::collections::BTreeMap;

use cocli_core::value::Plain;
use cocli_core::{Field, Kind, Value};
use cocli_node::Placed;
use cocli_node::followup::Circle;
use serde_json::{Map, Value as Json, json};

use super::Context;
use crate::args::Show;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::render::Tone;

pub(super) fn run(context: &Context, args: &Show) -> Result<(), Failure> {
    let home = context.home()?;
    let target = home.resolve(&args.target)?;
    let kind = Kind::of(&target);
    context.catch_up(&home, Some(&target));
    let entity = home.entity(&target)?;
    if let Some(by) = home.removed(&target)? {
        return Err(super::rm::removed(&home, &target, &by));
    }
    let shown = entity.shown(kind);
    if shown.is_empty() {
        return Err(Failure::new(Exit::NotFound, format!("{target} has no fields")));
    }
    let last = entity.fields.values().map(|entry| &entry.stamp).max();
    let path = home.card_path(&target).ok();
    let circle = match kind {
        Some(Kind::Company | Kind::Person) => home.circle(&target, &clock::today())?,
        _ => Circle::default(),
    };
    if context.screen.json {
        let fields: Map<String, Json> = shown.iter().map(|(f, v)| (f.key(), v.to_json())).collect();
        let changed = last.map(ToString::to_string);
        let mut object = json!({
            "target": target.as_str(), "path": path, "changed": changed, "fields": fields,
        });
        circle::add(&mut object, kind, &circle);
        context.screen.object(&object);
        return Ok(());
    }
    let screen = context.screen;
    let body = kind.map(Kind::body).unwrap_or_default();
    let name = Field::read("name")?;
    let title = shown.get(&name).map_or_else(|| target.to_string(), |v| v.shown().into_owned());
    screen.line(screen.paint(Tone::Strong, &screen.safe(&title)));
    let below = [
        Some(target.to_string()),
        path,
        last.map(|stamp| format!("changed {} by {}", clock::shown(stamp.instant), stamp.node)),
    ];
    let below: Vec<String> = below.into_iter().flatten().collect();
    screen.line(screen.paint(Tone::Faint, &screen.safe(&below.join("  ·  "))));
    let rows = ordered(kind, &shown)
        .filter(|(f, v)| **f != name && f.as_str() != body && !circle::tells(&circle, f, v));
    let width = shown.keys().map(|field| field.key().chars().count()).max().unwrap_or(0).min(24);
    for (field, value) in rows {
        let text = circle::number(&circle, field).unwrap_or_else(|| readable(value));
        let text = text.replace('\n', &format!("\n{:width$}  ", ""));
        let key = format!("{:width$}", field.key());
        screen.line(format!("{}  {}", screen.paint(Tone::Faint, &key), screen.safe(&text)));
    }
    circle::show(screen, &circle);
    if let Some(text) = Field::read(body).ok().and_then(|field| shown.get(&field)) {
        screen.line("");
        screen.line(screen.safe(&text.shown()));
    }
    Ok(())
}

/// Fields in the order of the schema, then the others by name.
pub(crate) fn ordered(
    kind: Option<Kind>,
    shown: &BTreeMap<Field, Value>,
) -> impl Iterator<Item = (&Field, &Value)> {
    let known = kind.map(Kind::fields).unwrap_or_default();
    let place = move |field: &Field| known.iter().position(|spec| spec.name == field.as_str());
    let mut rows: Vec<_> = shown.iter().collect();
    rows.sort_by_key(|(field, _)| place(field).unwrap_or(usize::MAX));
    rows.into_iter()
}

/// A list as `a, b`, a map as `k: v, …`, text as it is.
pub(crate) fn readable(value: &Value) -> String {
    let text = |json: &Json| json.as_str().map_or_else(|| json.to_string(), ToString::to_string);
    match value.plain() {
        Plain::Tree(Json::Array(items)) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Plain::Tree(Json::Object(map)) => {
            map.iter().map(|(k, v)| format!("{k}: {}", text(v))).collect::<Vec<_>>().join(", ")
        }
        _ => value.shown().into_owned(),
    }
}

/// What a person has to know of cards after a command: edits that wait, files that do not parse.
pub(super) fn report_cards(context: &Context, placed: &Placed) {
    if let Some((cards, why)) = &placed.behind {
        context.screen.note(format!(
            "it is written, but {cards} cards cannot be put in place: {why}; `cocli compact` does it later"
        ));
    }
    for (path, aside) in &placed.aside {
        context
            .screen
            .note(format!("{path}: an earlier save that was not taken in is kept at {aside}"));
    }
    for (path, why) in &placed.broken {
        context.screen.note(format!("{path}: left alone: {why}"));
    }
    for held in &placed.held {
        context.screen.note(format!(
            "{}: its edits wait for you: {}; `cocli accept {}` or `cocli reject {}`",
            held.path, held.why, held.target, held.target
        ));
    }
}
