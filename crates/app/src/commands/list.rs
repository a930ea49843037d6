//! `cocli list`: the entities of a collection.

use std::sync::LazyLock;

use cocli_core::schema::POOL;
use cocli_core::{Entity, Field, Kind, Target};
use cocli_node::Condition;
use cocli_table::beside_fields;
use serde_json::{Map, Value as Json, json};

use super::Context;
use crate::args::List;
use crate::failure::{Exit, Failure};
use crate::render::{Screen, Tone};

pub(super) fn run(context: &Context, args: &List) -> Result<(), Failure> {
    let collection = collection(&args.collection)?;
    let conditions =
        args.filter.iter().map(|text| condition(text)).collect::<Result<Vec<_>, _>>()?;
    let home = context.home()?;
    context.catch_up(&home, None);
    let screen = context.screen;
    let found =
        home.list(collection, &conditions, |target, entity| line(screen, target, entity))?;
    let none = found.is_empty();
    screen.lines(found.into_iter().map(|(_, line)| line));
    if none && !screen.json {
        screen.note("none");
        args.filter.iter().for_each(|text| doubt(screen, collection, text));
    }
    Ok(())
}

/// A field of which the schema knows nothing may be a slip of the finger.
pub(super) fn doubt(screen: Screen, collection: &str, condition: &str) {
    let kind = if collection == POOL[0] { Kind::Company } else { Kind::Person };
    let field = condition.split(['=', '.']).next().unwrap_or_default();
    let names = || kind.fields().iter().map(|spec| spec.name);
    if beside_fields().any(|column| column == field) {
        screen.note(format!(
            "{field:?} is told of everybody beside the fields: `--where` looks at fields"
        ));
        return;
    }
    if names().any(|name| name == field) {
        return;
    }
    if let Some(near) = cocli_node::nearest(&field.to_lowercase(), names()) {
        screen.note(format!("{field:?} is no field of the schema: the nearest is {near:?}"));
    }
}

/// An entity in one line.
pub(super) fn line(screen: Screen, target: &Target, entity: &Entity) -> String {
    let kind = Kind::of(target);
    if screen.json {
        let shown = entity.shown(kind);
        let fields: Map<String, Json> = shown.iter().map(|(f, v)| (f.key(), v.to_json())).collect();
        return json!({"target": target.as_str(), "fields": fields}).to_string();
    }
    let text = |field: &Field| {
        let value = entity.value(kind, field).filter(|value| !value.is_null());
        let text = value.as_ref().map(super::show::readable).unwrap_or_default();
        if text.contains('\n') { text.replace('\n', " ") } else { text }
    };
    let mut texts = COLUMNS.iter().map(text);
    let name = texts.next().unwrap_or_default();
    let more: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
    format!(
        "{}  {}  {}",
        screen.safe(target.slug()),
        screen.paint(Tone::Strong, &screen.safe(&name)),
        screen.paint(Tone::Faint, &screen.safe(&more.join("  ·  ")))
    )
}

/// What an entity's line shows besides its slug.
static COLUMNS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let names = ["name", "domain", "email", "city", "tags"];
    names.into_iter().filter_map(|name| Field::read(name).ok()).collect()
});

fn collection(name: &str) -> Result<&'static str, Failure> {
    let singular = |collection: &str| match collection {
        "companies" => "company",
        _ => "person",
    };
    POOL.into_iter().find(|c| *c == name || singular(c) == name).ok_or_else(|| {
        let near = cocli_node::nearest(name, POOL.into_iter()).unwrap_or(POOL[0]);
        Failure::new(
            Exit::Usage,
            format!("{name:?} is no collection: expected companies or people"),
        )
        .hint(format!("`cocli list {near}`"))
    })
}

/// `FIELD=VALUE`.
pub(crate) fn condition(text: &str) -> Result<Condition, Failure> {
    let (field, value) = text
        .split_once('=')
        .ok_or_else(|| Failure::usage(format!("{text:?} is no condition: expected FIELD=VALUE")))?;
    Ok(Condition::new(field, value)?)
}
