//! `cocli list`: the entities of a collection.

use cocli_core::schema::POOL;
use cocli_core::{Entity, Field, Kind, Target, Value};
use serde_json::{Map, Value as Json, json};

use super::Context;
use crate::args::List;
use crate::failure::{Exit, Failure};
use crate::render::{Screen, Tone};

/// A condition: a field with a value, or a set that holds it.
struct Condition {
    field: Field,
    value: String,
}

pub(super) fn run(context: &Context, args: &List) -> Result<(), Failure> {
    let collection = collection(&args.collection)?;
    let conditions =
        args.filter.iter().map(|text| condition(text)).collect::<Result<Vec<_>, _>>()?;
    let home = context.home()?;
    context.catch_up(&home, None);
    let state = home.state()?;
    let screen = context.screen;
    let mut count = 0;
    for (target, entity) in state.entities() {
        let kind = Kind::of(target);
        let here = target.is_entity() && target.collection() == collection;
        if !here || state.removed(target).is_some() {
            continue;
        }
        if entity.shown(kind).is_empty() || !conditions.iter().all(|c| c.holds(kind, entity)) {
            continue;
        }
        count += 1;
        put(screen, target, entity);
    }
    if count == 0 && !screen.json {
        screen.note("none");
    }
    Ok(())
}

/// Shows an entity in one line.
pub(super) fn put(screen: Screen, target: &Target, entity: &Entity) {
    let shown = entity.shown(Kind::of(target));
    if screen.json {
        let fields: Map<String, Json> = shown.iter().map(|(f, v)| (f.key(), v.to_json())).collect();
        screen.object(&json!({"target": target.as_str(), "fields": fields}));
        return;
    }
    let text = |name: &str| {
        let value = Field::read(name).ok().and_then(|field| shown.get(&field));
        value.map(super::show::readable).unwrap_or_default().replace('\n', " ")
    };
    let more = [text("domain"), text("email"), text("city"), text("tags")];
    let more: Vec<String> = more.into_iter().filter(|text| !text.is_empty()).collect();
    screen.line(format!(
        "{}  {}  {}",
        screen.safe(target.slug()),
        screen.paint(Tone::Strong, &screen.safe(&text("name"))),
        screen.paint(Tone::Faint, &screen.safe(&more.join("  ·  ")))
    ));
}

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

fn condition(text: &str) -> Result<Condition, Failure> {
    let (field, value) = text
        .split_once('=')
        .ok_or_else(|| Failure::usage(format!("{text:?} is no condition: expected FIELD=VALUE")))?;
    Ok(Condition { field: Field::read(field)?, value: value.to_string() })
}

impl Condition {
    fn holds(&self, kind: Option<Kind>, entity: &Entity) -> bool {
        let Some(value) = entity.value(kind, &self.field).filter(|value| !value.is_null()) else {
            return self.value.is_empty();
        };
        match value.to_json() {
            Json::Array(items) => items.iter().any(|item| Value::json(item).shown() == self.value),
            Json::Object(map) => map.contains_key(&self.value),
            _ => value.shown() == self.value,
        }
    }
}
