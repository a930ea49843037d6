//! What forms do: by the library, as the commands do, and never over what somebody else wrote meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;

use cocli_core::schema::Type;
use cocli_core::value::Plain;
use cocli_core::{Entity, Field, Kind, Target, Value};
use cocli_node::change::{Change, Intent};
use cocli_node::{Home, NodeError, Session, Wanted};

use super::site::Site;
use crate::clock;
use crate::commands::{rm, set as command};
use crate::failure::{Exit, Failure};

/// A form, as it was sent.
#[derive(Debug)]
pub(super) struct Filled(Vec<(String, String)>);

impl Filled {
    /// Browsers end lines as for a typewriter.
    pub(super) fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key, value.replace("\r\n", "\n"))).collect())
    }

    /// What stands in a field of it; nothing where there is none.
    pub(super) fn text(&self, key: &str) -> &str {
        self.0.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
    }

    pub(super) fn target(&self) -> Result<Target, Failure> {
        let target = Target::read(self.text("target"))?;
        match Kind::of(&target) {
            Some(_) => Ok(target),
            None => Err(Failure::usage(format!("{target} is no company, person, note or meeting"))),
        }
    }

    fn field(&self) -> Result<Field, Failure> {
        let name = self.text("field").trim();
        let field = Field::read(name)?;
        if name.starts_with('_') {
            return Err(Failure::usage(format!(
                "{name} is kept by the program, and not set by hand"
            )));
        }
        Ok(field)
    }
}

/// How a field is typed into a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// As one text.
    Text,
    /// Each member in a line.
    Set,
    /// Each item in a line, in this order.
    List,
    /// A map as JSON.
    Tree,
}

impl Shape {
    pub(super) fn of(kind: Option<Kind>, field: &Field, value: Option<&Value>) -> Self {
        let tree = value.and_then(|value| match value.plain() {
            Plain::Tree(tree) => Some(tree),
            Plain::Null | Plain::Text(_) => None,
        });
        let texts = tree.as_ref().is_none_or(|tree| {
            tree.as_array().is_some_and(|all| all.iter().all(|one| one.is_string()))
        });
        match kind.and_then(|kind| kind.type_of(field.as_str())) {
            Some(Type::Set) => Self::Set,
            Some(Type::List) if texts => Self::List,
            Some(Type::Map) => Self::Tree,
            _ if tree.is_some() => Self::Tree,
            _ => Self::Text,
        }
    }

    /// What stands in the form.
    pub(super) fn typed(self, value: Option<&Value>) -> String {
        let Some(value) = value.filter(|value| !value.is_null()) else { return String::new() };
        match (self, value.plain()) {
            (Self::Set | Self::List, Plain::Tree(tree)) => {
                let texts = tree.as_array().into_iter().flatten();
                let texts: Vec<&str> = texts.filter_map(|one| one.as_str()).collect();
                texts.join("\n")
            }
            _ => value.shown().into_owned(),
        }
    }
}

/// Sets a field, unless somebody changed it since the page was made.
pub(super) fn set(_: &Arc<Site>, home: &Home, form: &Filled) -> Result<String, Failure> {
    let (target, field, typed) = (form.target()?, form.field()?, form.text("value"));
    let changes = |session: &mut Session<'_>| {
        let entity = session.entity(&target)?;
        let value = entity.value(Kind::of(&target), &field);
        let shape = Shape::of(Kind::of(&target), &field, value.as_ref());
        if shape == Shape::Set && !entity.fields.is_empty() {
            return Ok(members(&target, &field, form.text("before"), typed));
        }
        if let Some(changed) = changed_since(&entity, &target, &field, form) {
            let now = entity.value(Kind::of(&target), &field).filter(|value| !value.is_null());
            let now =
                now.map_or_else(|| "empty".to_owned(), |value| format!("{:?}", value.shown()));
            let message = format!(
                "{changed}: it is {now} now, and you typed {typed:?}. Nothing was changed."
            );
            return Err(Failure::new(Exit::Conflict, message).hint(
                "go back and load the page again: then type it anew where it shall still be so",
            ));
        }
        if entity.fields.is_empty() {
            return Err(unknown(&target));
        }
        match shape {
            Shape::List => {
                let items: Vec<serde_json::Value> = lines(typed).map(Into::into).collect();
                let list = if items.is_empty() {
                    Value::null()
                } else {
                    Value::json(&items.into()).bounded()?
                };
                Ok(vec![Change::new(target.clone(), field.clone(), Intent::Put(list))])
            }
            Shape::Text => Ok(vec![command::typed(&target, &field, typed.trim_end())?]),
            Shape::Set | Shape::Tree => {
                Ok(vec![command::change(&target, &format!("{field}={}", typed.trim_end()))?])
            }
        }
    };
    let written = put(home, &target, "set", false, changes)?;
    // Where nothing was written there is nothing to take back either: what was before is another's business.
    Ok(seen_at(&target, &field, if written == 0 { "same" } else { "saved" }))
}

pub(super) fn unknown(target: &Target) -> Failure {
    NodeError::Unknown { name: target.to_string(), nearest: None }.into()
}

fn lines(typed: &str) -> impl Iterator<Item = &str> {
    typed.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// What a person took in and out of what the page showed: what others change meanwhile stays.
fn members(target: &Target, field: &Field, before: &str, typed: &str) -> Vec<Change> {
    let (before, after): (BTreeSet<&str>, BTreeSet<&str>) =
        (lines(before).collect(), lines(typed).collect());
    let change = |intent| Change::new(target.clone(), field.clone(), intent);
    let added = after.difference(&before).map(|one| change(Intent::Add((*one).to_owned())));
    let removed = before.difference(&after).map(|one| change(Intent::Remove((*one).to_owned())));
    added.chain(removed).collect()
}

/// Says so where a field is not what the page showed.
fn changed_since(entity: &Entity, target: &Target, field: &Field, form: &Filled) -> Option<String> {
    let by = entity.seen(field);
    if by.map(ToString::to_string).unwrap_or_default() == form.text("seen") {
        return None;
    }
    let by = by.map(|stamp| format!(" by {}", stamp.node)).unwrap_or_default();
    Some(format!("{target} {field} was changed meanwhile{by}"))
}

/// Takes back what this node wrote last to a field, if that is what the page showed.
pub(super) fn undo(_: &Arc<Site>, home: &Home, form: &Filled) -> Result<String, Failure> {
    let (target, field) = (form.target()?, form.field()?);
    let wanted =
        Wanted { target: Some(target.clone()), field: Some(field.clone()), ..Wanted::default() };
    let changes = |session: &mut Session<'_>| {
        let entity = session.entity(&target)?;
        if let Some(changed) = changed_since(&entity, &target, &field, form) {
            let message = format!("{changed}: nothing was taken back");
            return Err(Failure::new(Exit::Conflict, message).hint(
                "load the page again: the history under the field shows each value that it had",
            ));
        }
        let plan = session.plan_undo(&wanted)?;
        if let Some((_, _, by)) = plan.kept.first() {
            let message = format!("{target} {field} stays: {} changed it since", by.stamp.node);
            return Err(Failure::new(Exit::Conflict, message)
                .hint("the history under the field shows each value that it had"));
        }
        match plan.changes.is_empty() {
            true => Err(Failure::new(Exit::NotFound, "there is nothing to undo")
                .hint(format!("`cocli log {target} {field}` shows what was written"))),
            false => Ok(plan.changes),
        }
    };
    put(home, &target, "undo", true, changes)?;
    Ok(seen_at(&target, &field, "undone"))
}

/// Settles a conflict with one of its values, if it stands as it was shown.
pub(super) fn resolve(_: &Arc<Site>, home: &Home, form: &Filled) -> Result<String, Failure> {
    let (target, field) = (form.target()?, Field::read(form.text("field"))?);
    let all = home.conflicts(Some(&target))?;
    let conflict = all.iter().find(|conflict| conflict.field == field);
    let gone = || {
        Failure::new(
            Exit::Conflict,
            format!("{target} {field} is not as it was shown any more: nothing was changed"),
        )
        .hint("load the conflicts again")
    };
    let conflict = conflict.ok_or_else(gone)?;
    let stamped =
        |stamp: &str| conflict.entries.iter().find(|entry| entry.stamp.to_string() == stamp);
    let value = stamped(form.text("keep")).ok_or_else(gone)?.value.clone();
    let changes = |session: &mut Session<'_>| {
        let stands = session.entity(&target)?.fields.get(&field).cloned();
        let shown =
            stands.as_ref().is_some_and(|entry| entry.stamp.to_string() == form.text("stands"));
        if stands.as_ref() != conflict.entries.first() || !shown {
            return Err(gone());
        }
        Ok(vec![conflict.settle(value)])
    };
    put(home, &target, "resolve", false, changes)?;
    Ok(format!("/conflicts?settled={}&field={}", encoded(target.as_str()), encoded(field.as_str())))
}

/// Writes what is to be changed, puts the card in place, and lets the daemon know. Tells how much was written.
pub(super) fn put(
    home: &Home,
    target: &Target,
    verb: &str,
    revive: bool,
    changes: impl FnOnce(&mut Session<'_>) -> Result<Vec<Change>, Failure>,
) -> Result<usize, Failure> {
    let mut session = home.session(clock::now())?;
    session.take_in(std::slice::from_ref(target))?;
    let changes = changes(&mut session)?;
    let written = session.write(verb, &changes, revive)?;
    if let Some((target, by)) = written.refused.first() {
        return Err(rm::removed(home, target, by));
    }
    let (placed, compacted) = crate::commands::settled(home, session, &written);
    let placed = placed?;
    if compacted? {
        // What is over goes the next time, where it cannot now.
        let _ = home
            .expire_if_due(clock::now())
            .map(drop)
            .and(home.archive_beside(clock::now()).map(drop));
    }
    match placed.held.first() {
        Some(held) => Err(Failure::new(
            Exit::Conflict,
            format!(
                "It is written. But other edits of {} wait for a person: {}",
                held.path, held.why
            ),
        )
        .hint(format!("`cocli accept {0}` or `cocli reject {0}`", held.target))),
        None => Ok(written.datagrams),
    }
}

/// The page of a target, at a field.
fn seen_at(target: &Target, field: &Field, what: &str) -> String {
    format!(
        "/{}?{what}={}#f-{}",
        path(target.as_str()),
        encoded(field.as_str()),
        encoded(field.base())
    )
}

/// A target as the path of an address.
pub(super) fn path(target: &str) -> String {
    target.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

/// A text as a part of an address.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let byte =
        |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_is_typed_anew_says_only_what_came_and_what_went() {
        let (target, field) =
            (Target::read("companies/acme").unwrap(), Field::read("tags").unwrap());
        let changes = members(&target, &field, "lead\nold", " lead \n\nnew\n");
        let change = |intent| Change::new(target.clone(), field.clone(), intent);
        assert_eq!(
            changes,
            [change(Intent::Add("new".into())), change(Intent::Remove("old".into()))]
        );
        assert_eq!(members(&target, &field, "", "").len(), 0);
    }

    #[test]
    fn what_an_address_is_made_of_says_nothing_else_in_it() {
        assert_eq!(encoded("a b&c=d#\u{e4}/"), "a%20b%26c%3Dd%23%C3%A4%2F");
        assert_eq!(path("companies/acme"), "companies/acme");
    }
}
