//! What a person calls a target, and which one is meant.

use cocli_core::schema::{COLLECTIONS, POOL};
use cocli_core::{Field, State, Target};
use cocli_store::paths;

use crate::convo;
use crate::error::{NodeError, Result};

/// The nearest of some names to what was typed, if any is near.
#[must_use]
pub fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let score = |name: &str| strsim::jaro_winkler(typed, name);
    let best = names.max_by(|a, b| score(a).total_cmp(&score(b)))?;
    (score(best) > 0.8).then_some(best)
}

/// A full target, or the path of a card; `None` when `name` is neither.
///
/// # Errors
/// When it begins with a collection that there is not, or is no target.
pub(crate) fn spelled(name: &str) -> Result<Option<Target>> {
    let name = name.strip_prefix("./").unwrap_or(name).trim_end_matches('/');
    if !name.contains('/') {
        return Ok(None);
    }
    let of_card = of_card(name);
    let name = of_card.as_deref().unwrap_or(name);
    let collection = name.split('/').next().unwrap_or_default();
    if !collection.is_empty() && !COLLECTIONS.contains(&collection) {
        let score = |c: &&str| strsim::jaro_winkler(collection, c);
        let nearest = COLLECTIONS.into_iter().max_by(|a, b| score(a).total_cmp(&score(b)));
        let nearest = nearest.unwrap_or(COLLECTIONS[0]);
        return Err(NodeError::Collection { name: collection.to_string(), nearest });
    }
    Ok(Some(Target::read(name)?))
}

/// The target of a card's path (`…/companies/acme/_index.md`, `…/companies/acme/notes/call.md`).
pub(crate) fn of_card(path: &str) -> Option<String> {
    let begins = |(at, _): &(usize, &str)| *at == 0 || path.as_bytes()[*at - 1] == b'/';
    let mut pools: Vec<usize> = (POOL.iter())
        .flat_map(|pool| path.match_indices(pool).filter(begins).map(|(at, _)| at))
        .filter(|at| path[*at..].split('/').next().is_some_and(|first| POOL.contains(&first)))
        .collect();
    pools.sort_unstable();
    pools.into_iter().find_map(|at| target_of_card(&path[at..]))
}

/// The target of the path of a card in the pool.
fn target_of_card(path: &str) -> Option<String> {
    if let Some((entity, kind, name)) = paths::convo_of(path) {
        return convo::target_of(entity, kind, name).map(|target| target.to_string());
    }
    let stem = path.strip_suffix(".md").or_else(|| path.strip_suffix(".lst"))?;
    let folder = stem.rsplit_once('/')?.0;
    (folder.matches('/').count() == 1).then(|| folder.to_owned())
}

/// The one entity that bears a slug or name.
///
/// # Errors
/// When none or several do.
pub(crate) fn by_name(state: &State, name: &str) -> Result<Target> {
    let wanted = name.to_lowercase();
    let is = |target: &Target, text: &str| target.slug() == wanted || text.to_lowercase() == wanted;
    let entities = || {
        state.entities().filter(|(target, entity)| {
            target.is_entity() && entity.is_shown() && state.removed(target).is_none()
        })
    };
    let field = Field::read("name")?;
    let text = |entity: &cocli_core::Entity| {
        entity.fields.get(&field).map(|entry| entry.value.shown().into_owned()).unwrap_or_default()
    };
    let mut found: Vec<Target> = entities()
        .filter(|(target, entity)| is(target, &text(entity)))
        .map(|(target, _)| target.clone())
        .collect();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            let slugs = entities().map(|(target, _)| target);
            let near = nearest_target(&wanted, slugs);
            Err(NodeError::Unknown { name: name.to_string(), nearest: near })
        }
        _ => Err(NodeError::Several { name: name.to_string(), targets: found }),
    }
}

/// The entity whose slug is nearest to what was typed.
pub(crate) fn nearest_target<'a>(
    slug: &str,
    targets: impl Iterator<Item = &'a Target>,
) -> Option<Target> {
    let score = |target: &Target| strsim::jaro_winkler(slug, target.slug());
    let best = targets.max_by(|a, b| score(a).total_cmp(&score(b)))?;
    (score(best) > 0.8).then(|| best.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cards_path_is_its_target() {
        for (path, target) in [
            ("companies/acme/_index.md", Some("companies/acme")),
            ("/home/x/cocli/people/jane/jane-doe.md", Some("people/jane")),
            ("companies/acme/tags.lst", Some("companies/acme")),
            ("companies/acme/notes/x.md", Some("companies/acme/notes/x")),
            ("companies/acme/notes/X.md", Some("companies/acme/notes/x-1e1e0537")),
            ("companies/acme/files/x.md", None),
            ("companies/smart-people/_index.md", Some("companies/smart-people")),
            ("companies/smart-people/notes/x.md", Some("companies/smart-people/notes/x")),
            ("companies/people/_index.md", Some("companies/people")),
            ("companies/people/notes/x.md", Some("companies/people/notes/x")),
            ("/home/people/crm/companies/acme/_index.md", Some("companies/acme")),
            ("companies/acme", None),
        ] {
            assert_eq!(of_card(path).as_deref(), target, "{path}");
        }
    }

    #[test]
    fn a_collection_that_there_is_not_gets_the_nearest() {
        let error = spelled("comapnies/x").unwrap_err().to_string();
        assert!(error.contains("companies"), "{error}");
        assert!(spelled("companies/x y").is_err());
        assert_eq!(spelled("acme").unwrap(), None);
    }
}
