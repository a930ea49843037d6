//! `cocli get`: one decoded value, or all.

use cocli_core::{Field, Kind};
use serde_json::{Map, Value as Json};

use super::Context;
use crate::args::Get;
use crate::failure::{Exit, Failure};
use crate::when;

pub(super) fn run(context: &Context, args: &Get) -> Result<(), Failure> {
    let home = context.home()?;
    let target = home.resolve(&args.target)?;
    let kind = Kind::of(&target);
    let (entity, by) = match &args.at {
        None => {
            context.catch_up(&home, Some(&target));
            home.known(&target)?
        }
        Some(time) => {
            let at = when::past(time)?;
            let entity = home.entity_at(&target, at)?;
            let by = entity.removed().cloned();
            (entity, by)
        }
    };
    if let Some(by) = by {
        return Err(super::rm::removed(&home, &target, &by));
    }
    let when = args.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
    let Some(name) = &args.field else {
        let shown = entity.shown(kind);
        if shown.is_empty() {
            return Err(Failure::new(Exit::NotFound, format!("{target} has no fields{when}")));
        }
        if context.screen.json {
            let object: Map<String, Json> =
                shown.iter().map(|(field, value)| (field.key(), value.to_json())).collect();
            context.screen.object(&Json::Object(object));
        } else {
            for (field, value) in &shown {
                context.screen.line(context.screen.safe(&format!(
                    "{}: {}",
                    field.key(),
                    value.shown()
                )));
            }
        }
        return Ok(());
    };
    let field = Field::read(name)?;
    let value = entity.value(kind, &field).filter(|value| !value.is_null()).ok_or_else(|| {
        let failure = Failure::new(Exit::NotFound, format!("{target} has no {field}{when}"));
        match cocli_node::nearest(name, entity.shown(kind).keys().map(Field::as_str)) {
            Some(near) => failure.hint(format!("the nearest field that it has: `{near}`")),
            None => failure,
        }
    })?;
    match context.screen.json {
        true => context.screen.object(&value.to_json()),
        false => context.screen.line(context.screen.safe(&value.shown())),
    }
    Ok(())
}
