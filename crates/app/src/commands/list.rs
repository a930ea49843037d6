//! `cocli list`: the entities of a collection.

use cocli_core::schema::POOL;
use cocli_core::{Entity, Field, Kind, Target};
use cocli_node::Condition;
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
    let found = home.list(collection, &conditions)?;
    screen.lines(found.iter().map(|(target, entity)| line(screen, target, entity)));
    if found.is_empty() && !screen.json {
        screen.note("none");
    }
    Ok(())
}

/// An entity in one line.
pub(super) fn line(screen: Screen, target: &Target, entity: &Entity) -> String {
    let shown = entity.shown(Kind::of(target));
    if screen.json {
        let fields: Map<String, Json> = shown.iter().map(|(f, v)| (f.key(), v.to_json())).collect();
        return json!({"target": target.as_str(), "fields": fields}).to_string();
    }
    let text = |name: &str| {
        let value = Field::read(name).ok().and_then(|field| shown.get(&field));
        value.map(super::show::readable).unwrap_or_default().replace('\n', " ")
    };
    let more = [text("domain"), text("email"), text("city"), text("tags")];
    let more: Vec<String> = more.into_iter().filter(|text| !text.is_empty()).collect();
    format!(
        "{}  {}  {}",
        screen.safe(target.slug()),
        screen.paint(Tone::Strong, &screen.safe(&text("name"))),
        screen.paint(Tone::Faint, &screen.safe(&more.join("  ·  ")))
    )
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
    Ok(Condition::new(field, value)?)
}
