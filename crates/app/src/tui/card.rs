//! What is known of a company or person, read for a terminal.

use cocli_core::{Entity, Field, Kind, Target};

use super::model::pool::Card;
use super::seen::one_line;
use crate::commands::show;
use crate::render::escape;

/// What it is called: its name, else its slug.
pub(crate) fn name(target: &Target, entity: &Entity) -> String {
    let shown = entity.shown(Kind::of(target));
    let name = shown.iter().find(|(field, _)| field.as_str() == "name");
    one_line(&name.map_or_else(|| target.slug().into(), |(_, value)| value.shown()))
}

/// All that is known, a field a line, then the text.
pub(crate) fn card(target: &Target, entity: &Entity) -> Card {
    let kind = Kind::of(target);
    let shown = entity.shown(kind);
    let body = kind.map(Kind::body).unwrap_or_default();
    let (text, fields): (Vec<_>, Vec<_>) =
        show::ordered(kind, &shown).partition(|(field, _)| field.as_str() == body);
    let field = |(field, value): (&Field, _)| (field.clone(), one_line(&show::readable(value)));
    let lines = |text: &str| escape(text).lines().map(str::to_owned).collect::<Vec<_>>();
    Card {
        target: target.clone(),
        fields: fields.into_iter().map(field).collect(),
        text: text.into_iter().flat_map(|(_, value)| lines(&value.shown())).collect(),
        removed: entity.removed().is_some(),
    }
}
