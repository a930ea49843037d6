//! What a person is told of addresses and numbers that they typed: nothing is refused, nothing is changed.

use cocli_core::schema::Type;
use cocli_core::{Kind, Target};
use cocli_node::change::{Change, Intent};
use cocli_node::{Home, contact};

use super::Context;
use crate::clock;
use crate::failure::Failure;

/// Says which of the values that were written are no e-mail address, and which numbers nobody can dial from
/// abroad.
pub(super) fn tell(context: &Context, home: &Home, changes: &[Change]) -> Result<(), Failure> {
    let mut numbers: Vec<(&Target, String)> = Vec::new();
    for change in changes {
        let field = change.field.as_str();
        let ty = Kind::of(&change.target).and_then(|kind| kind.type_of(field));
        let text = match &change.intent {
            Intent::Put(value) if !value.is_null() => value.shown().into_owned(),
            Intent::Add(text) => text.clone(),
            _ => continue,
        };
        match (ty, field) {
            (Some(Type::Email), _) | (Some(Type::Set), "all_emails") if !text.starts_with('[') => {
                if let Some(why) = contact::doubt(&text) {
                    context.screen.note(format!("{field}: {text:?} is kept, but {why}"));
                }
            }
            (Some(Type::Phone), _) | (Some(Type::Set), "all_phones") if !text.starts_with('[') => {
                numbers.push((&change.target, text));
            }
            _ => {}
        }
    }
    // All are of one target: others come by `--from`, of which nothing is told.
    let Some((target, _)) = numbers.first() else { return Ok(()) };
    let circle = home.circle(target, &clock::today())?;
    for (field, phone) in &circle.phones {
        if phone.e164.is_none() && numbers.iter().any(|(_, typed)| *typed == phone.typed) {
            context.screen.note(format!(
                "{field}: {:?} is kept, but what it is to dial from abroad cannot be told: expected +…, or a `country`, or `[contact] region` in .cocli/config.toml",
                phone.typed
            ));
        }
    }
    Ok(())
}
