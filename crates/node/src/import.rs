//! What people have, brought in: rows of tables, contacts, whole homes of the Python program. All of it goes through
//! one [`Importer`]: who is meant, what is new of it, one sync a batch. docs/import.md.

mod identity;
mod mapping;
mod python;
mod remembered;
mod vcard;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use cocli_core::entity::FILE;
use cocli_core::schema::{POOL, Type};
use cocli_core::value::Plain;
use cocli_core::{Entity, Field, Kind, NodeId, Target, Value};
use serde_json::Value as Json;

use crate::change::{Change, Intent, Writer};
use crate::error::Result;
use crate::session::{End, Session};
use identity::{Identities, Who, is_many, text};

pub use mapping::{Mapping, MappingError};
pub use python::{KINDS, Odd, Report, Source, Tally};
pub use vcard::{Cards, cards};

/// The way an import is done.
#[derive(Debug, Clone, Copy, Default)]
pub struct How {
    /// Values that are there are replaced; else only empty fields are filled.
    pub overwrite: bool,
    /// Nothing is written.
    pub dry_run: bool,
}

/// What a source says of one company or person.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Which one, where the source says so; else it is found by what it has, and its name.
    pub target: Option<Target>,
    /// What it has.
    pub values: BTreeMap<Field, Value>,
    /// The item of the same batch that is the company of this person.
    pub company: Option<usize>,
    /// The item of the same batch that this note or meeting stands below, and its id.
    pub below: Option<(usize, String)>,
}

impl Item {
    /// One that is found by what it has.
    #[must_use]
    pub fn new(kind: Kind, values: BTreeMap<Field, Value>) -> Self {
        Self { kind, target: None, values, company: None, below: None }
    }
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A new entity.
    Added(Target),
    /// An entity that was there got something.
    Changed(Target),
    /// Nothing to do: all that the item says is there.
    Same(Target),
    /// Left out, and why.
    Skipped(String),
}

impl Row {
    /// Whose it is, unless it was left out.
    #[must_use]
    pub fn target(&self) -> Option<&Target> {
        match self {
            Self::Added(target) | Self::Changed(target) | Self::Same(target) => Some(target),
            Self::Skipped(_) => None,
        }
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// Item by item.
    pub rows: Vec<Row>,
    /// Datagrams written, or that would be.
    pub datagrams: usize,
    /// Values that were left as something else stands there.
    pub kept: usize,
    /// Where the own log ends now, when something was written.
    pub end: Option<End>,
}

/// Brings items in, batch by batch, and remembers who is who.
#[derive(Debug)]
pub struct Importer {
    how: How,
    known: Identities,
    /// What was not written of a dry run.
    unwritten: HashMap<Target, Entity>,
    node: NodeId,
}

impl Importer {
    /// An import over what is there now.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn new(session: &mut Session<'_>, how: How) -> Result<Self> {
        let home = session.home;
        let mut known = Identities::new(home.config().contact.region.clone());
        let reader = session.reader()?;
        for collection in POOL {
            reader.scan(&format!("{collection}/"), |target, entity| {
                if target.is_entity() {
                    known.learn_entity(target, entity);
                }
            })?;
        }
        Ok(Self { how, known, unwritten: HashMap::new(), node: home.node().clone() })
    }

    /// Brings a batch in: one write, one sync. Cards are put in place by [`Session::place`].
    ///
    /// # Errors
    /// When the disk refuses: nothing of the batch is written then.
    pub fn batch(
        &mut self,
        session: &mut Session<'_>,
        verb: &str,
        items: &[Item],
    ) -> Result<Batch> {
        let (whose, values): (Vec<_>, Vec<_>) = self.identify(items).into_iter().unzip();
        let targets = whose.iter().filter_map(|one| one.as_ref().ok().map(|(target, _)| target));
        session.load(targets)?;
        let mut batch = Batch::default();
        let (mut changes, mut working) = (Vec::new(), HashMap::new());
        for ((one, values), item) in whose.into_iter().zip(&values).zip(items) {
            let row = match one {
                Err(why) => Row::Skipped(why),
                Ok((target, fresh)) => {
                    let there = working
                        .entry(target.clone())
                        .or_insert_with(|| There::of(self.entity(session, &target), &target));
                    self.row(session, item.kind, (target, fresh), values, there, &mut changes)
                }
            };
            batch.rows.push(row);
        }
        batch.kept = working.values().map(|there| there.kept).sum();
        (batch.datagrams, batch.end) = self.write(session, verb, &changes)?;
        Ok(batch)
    }

    /// Whose each item is, whether nobody was known by that target before, and what it says then.
    fn identify<'i>(&mut self, items: &'i [Item]) -> Vec<(Whose, Cow<'i, BTreeMap<Field, Value>>)> {
        let mut all: Vec<(Whose, Cow<'i, BTreeMap<Field, Value>>)> = Vec::new();
        for item in items {
            let mut values = Cow::Borrowed(&item.values);
            if let Some(company) = item.company.and_then(|at| all.get(at)?.0.as_ref().ok())
                && let Ok(field) = Field::read("company")
            {
                values.to_mut().insert(field, Value::text(company.0.as_str()));
            }
            let below = item.below.as_ref().map(|(at, id)| {
                let (of, _) = all
                    .get(*at)
                    .and_then(|(of, _)| of.as_ref().ok())
                    .ok_or("whose it is was left out")?;
                let target = format!("{of}/{}/{id}", item.kind.plural());
                Ok((Target::read(&target).map_err(|error| error.to_string())?, false))
            });
            let one = match below {
                Some(below) => below,
                None => self.who(item, &values),
            };
            if let Ok((target, _)) = &one
                && !item.kind.is_convo()
            {
                self.known.learn(item.kind, target, &values);
            }
            all.push((one, values));
        }
        all
    }

    fn who(&mut self, item: &Item, values: &BTreeMap<Field, Value>) -> Whose {
        if let Some(error) = values.values().find_map(|value| value.clone().bounded().err()) {
            return Err(error.to_string());
        }
        if let Some(target) = &item.target {
            return Ok((target.clone(), false));
        }
        if text(values, "name").is_none() {
            return Err("the row has no name".into());
        }
        match self.known.who(item.kind, values).map_err(|error| error.to_string())? {
            Who::One(target) => {
                let fresh = !self.known.knows(&target);
                Ok((target, fresh))
            }
            Who::Several(all) => {
                let all: Vec<&str> = all.iter().map(Target::as_str).collect();
                let (all, first) = (all.join(" and "), all.join(" "));
                Err(format!(
                    "it is {all} by what it has: `cocli merge {first}`, should they be one"
                ))
            }
        }
    }

    fn row(
        &self,
        session: &Session<'_>,
        kind: Kind,
        (target, fresh): (Target, bool),
        values: &BTreeMap<Field, Value>,
        there: &mut There,
        changes: &mut Vec<Change>,
    ) -> Row {
        if let Some(by) = session.removed_from(&target) {
            return Row::Skipped(format!("{target} was removed by {}", by.stamp.node));
        }
        if fresh && there.is_old {
            return Row::Skipped(format!("somebody else made {target} meanwhile: import it again"));
        }
        let (new, before) = (there.values.is_empty(), changes.len());
        for (field, value) in values.iter().filter(|(_, value)| !value.is_null()) {
            there.fill(kind, field, value, self.how.overwrite);
        }
        changes.append(&mut there.changes);
        match (new, changes.len() > before) {
            (true, true) => Row::Added(target),
            (false, true) => Row::Changed(target),
            (_, false) => Row::Same(target),
        }
    }

    /// What is known of a target that was loaded, with what a dry run did not write.
    fn entity(&self, session: &Session<'_>, target: &Target) -> Entity {
        let known = || session.known().get(target).cloned();
        self.unwritten.get(target).cloned().or_else(known).unwrap_or_default()
    }

    /// Writes changes, or, of a dry run, remembers what they would come to.
    fn write(
        &mut self,
        session: &mut Session<'_>,
        verb: &str,
        changes: &[Change],
    ) -> Result<(usize, Option<End>)> {
        if !self.how.dry_run {
            let written = session.write(verb, changes, false)?;
            return Ok((written.datagrams, (written.datagrams > 0).then_some(written.end)));
        }
        session.load(changes.iter().map(|change| &change.target))?;
        let writer = Writer { node: self.node.clone(), wall: session.now };
        let mut datagrams = 0;
        for change in changes {
            let mut entity = self.entity(session, &change.target);
            let entries = writer.entries(change, &entity)?;
            datagrams += entries.len();
            for (field, entry) in entries {
                entity.merge(field, entry);
            }
            self.unwritten.insert(change.target.clone(), entity);
        }
        Ok((datagrams, None))
    }
}

/// A target, and whether nobody was known by it before.
type Whose = std::result::Result<(Target, bool), String>;

/// What stands at a target, and what it gets.
struct There {
    target: Target,
    is_old: bool,
    values: BTreeMap<Field, Value>,
    changes: Vec<Change>,
    kept: usize,
}

impl There {
    fn of(entity: Entity, target: &Target) -> Self {
        let mut values = entity.shown(Kind::of(target));
        let is_old = !values.is_empty();
        if let Ok(file) = Field::read(FILE)
            && let Some(entry) = entity.fields.get(&file)
        {
            values.insert(file, entry.value.clone());
        }
        Self { target: target.clone(), is_old, values, changes: Vec::new(), kept: 0 }
    }

    /// A field gets a value: when it is empty, or values are replaced; what holds many gets the members that it lacks.
    fn fill(&mut self, kind: Kind, field: &Field, value: &Value, overwrite: bool) {
        if is_many(Some(kind), field) {
            return self.add(kind, field, value, overwrite);
        }
        let differs = match self.values.get(field) {
            None => true,
            Some(held) if held == value => return,
            Some(held) if field.as_str() == kind.body() => {
                held.shown().trim() != value.shown().trim()
            }
            Some(_) => true,
        };
        if !self.values.contains_key(field) || (overwrite && differs) {
            self.values.insert(field.clone(), value.clone());
            self.change(field.clone(), Intent::Put(value.clone()));
        } else if differs {
            self.keep_both(kind, field, value, overwrite);
        }
    }

    /// A second address or number is kept beside the first.
    fn keep_both(&mut self, kind: Kind, field: &Field, value: &Value, overwrite: bool) {
        let many = match kind.type_of(field.as_str()) {
            Some(Type::Email) => "all_emails",
            Some(Type::Phone) => "all_phones",
            _ => {
                self.kept += usize::from(!field.as_str().starts_with('_'));
                return;
            }
        };
        if let Ok(many) = Field::read(many) {
            let all = Value::json(&Json::from(vec![value.shown().into_owned()]));
            self.add(kind, &many, &all, overwrite);
        }
    }

    fn add(&mut self, kind: Kind, field: &Field, value: &Value, overwrite: bool) {
        let held = self.values.get(field).map(Value::to_json).unwrap_or(Json::Null);
        if kind.type_of(field.as_str()) == Some(Type::Map) {
            let mut held = held.as_object().cloned().unwrap_or_default();
            for (key, value) in value.to_json().as_object().into_iter().flatten() {
                let differs = held.get(key) != Some(value);
                if differs && (overwrite || !held.contains_key(key)) {
                    held.insert(key.clone(), value.clone());
                    let (element, long) = field.element_of(key);
                    let value = if long { Value::text(key) } else { Value::json(value) };
                    self.change(element, Intent::Put(value));
                } else if differs {
                    self.kept += 1;
                }
            }
            self.values.insert(field.clone(), Value::json(&Json::from(held)));
            return;
        }
        let mut held = held.as_array().cloned().unwrap_or_default();
        for member in members(value) {
            if !held.iter().any(|item| item.as_str() == Some(&member)) {
                held.push(Json::from(member.as_str()));
                self.change(field.clone(), Intent::Add(member));
            }
        }
        self.values.insert(field.clone(), Value::json(&Json::from(held)));
    }

    fn change(&mut self, field: Field, intent: Intent) {
        self.changes.push(Change::new(self.target.clone(), field, intent));
    }
}

/// The texts of a list; a lone text is a list of one.
fn members(value: &Value) -> Vec<String> {
    match value.plain() {
        Plain::Tree(Json::Array(items)) => {
            items.iter().map(|item| Value::json(item).shown().into_owned()).collect()
        }
        Plain::Text(text) if !text.is_empty() => vec![text.into_owned()],
        _ => Vec::new(),
    }
}
