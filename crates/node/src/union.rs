//! One entity out of two, or one under another name: all that is known of the one goes to the other, with what
//! stands below it and whoever refers to it. docs/merge.md, "Two entities that are one".

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cocli_core::entity::{DELETED, FILE};
use cocli_core::schema::{COLLECTIONS, Type};
use cocli_core::{Entity, Field, Kind, Target, Value};
use cocli_store::side::processors;

use crate::change::{Change, Intent};
use crate::error::Result;
use crate::followup::company_of;
use crate::needle;
use crate::session::Session;
use crate::slug::variants;

/// The field of a removed entity that says where it went.
pub const WENT: &str = "_went";

/// The field of a person that names the main company.
const COMPANY: &str = "company";

const SLUG: &str = "slug";

/// What making one of two would do.
#[derive(Debug, Default)]
pub struct Union {
    /// Fields that the one that stays gets.
    pub gets: Vec<Field>,
    /// Fields in which both have something else: what stays, and what does not.
    pub differ: Vec<(Field, Value, Value)>,
    /// Notes and meetings, and what else stands below, that go along.
    pub below: Vec<Target>,
    /// Whoever referred to the one that goes, and refers to the other then.
    pub referrers: Vec<Target>,
    /// All of it.
    pub changes: Vec<Change>,
}

impl Union {
    fn put(&mut self, target: &Target, field: Field, value: Value) {
        self.changes.push(Change::new(target.clone(), field, Intent::Put(value)));
    }

    /// What one entity knows goes to another: into fields that are empty there, and into sets and maps member by
    /// member.
    fn fill(&mut self, kind: Option<Kind>, from: &Entity, (into, there): (&Target, &Entity)) {
        let plain = |field: &&Field| !field.as_str().starts_with('_') && field.as_str() != SLUG;
        let mut bases: Vec<Field> =
            from.fields.keys().filter(plain).map(Field::base_field).collect();
        bases.dedup();
        for field in bases {
            let value =
                |entity: &Entity| entity.value(kind, &field).filter(|value| !value.is_null());
            let Some(theirs) = value(from) else { continue };
            let ours = value(there);
            let before = self.changes.len();
            match kind.and_then(|kind| kind.type_of(field.as_str())) {
                Some(Type::Set | Type::Map) => self.add_members(&field, from, (into, there)),
                Some(Type::Body) if ours.is_some() => self.add_text(&field, ours, &theirs, into),
                _ if ours.is_none() => self.put(into, field.clone(), theirs),
                _ => {
                    if let Some(ours) = ours.filter(|ours| *ours != theirs) {
                        self.differ.push((field.clone(), ours, theirs));
                    }
                }
            }
            if self.changes.len() > before {
                self.gets.push(field);
            }
        }
    }

    fn add_members(&mut self, field: &Field, from: &Entity, (into, there): (&Target, &Entity)) {
        let ours: BTreeMap<String, Value> =
            there.members(field).into_iter().map(|member| (member.text, member.value)).collect();
        for member in from.members(field) {
            match ours.get(&member.text) {
                None => {
                    let (element, long) = field.element_of(&member.text);
                    let value = if long { Value::text(&member.text) } else { member.value };
                    self.put(into, element, value);
                }
                Some(ours) if *ours != member.value => {
                    let (element, _) = field.element_of(&member.text);
                    self.differ.push((element, ours.clone(), member.value));
                }
                Some(_) => {}
            }
        }
    }

    /// A text below another one, unless that has it.
    fn add_text(&mut self, field: &Field, ours: Option<Value>, theirs: &Value, into: &Target) {
        let ours = ours.map(|ours| ours.shown().into_owned()).unwrap_or_default();
        if !ours.contains(&*theirs.shown()) {
            let both = format!("{}\n\n{}", ours.trim_end(), theirs.shown());
            self.put(into, field.clone(), Value::text(&both));
        }
    }
}

impl Session<'_> {
    /// Plans to make one of two entities: `from` is removed, and `into` has all that it had. Where `into` is not
    /// there yet, that gives `from` another name.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn plan_union(&mut self, from: &Target, into: &Target) -> Result<Union> {
        let (gone, stays) = (self.entity(from)?, self.entity(into)?);
        let mut union = Union::default();
        union.fill(Kind::of(from), &gone, (into, &stays));
        if gone.fields.contains_key(&Field::read(SLUG)?) {
            // The Python program keeps it in the card.
            union.put(into, Field::read(SLUG)?, Value::text(into.slug()));
        }
        let reader = self.reader()?;
        let (below, there) = (reader.below(from)?, reader.below(into)?);
        for (target, entity) in
            below.iter().filter(|(of, entity)| *of != from && entity.removed().is_none())
        {
            let rest = &target.as_str()[from.as_str().len()..];
            let to = free(&format!("{into}{rest}"), &there)?;
            let mut moved = Union::default();
            moved.fill(Kind::of(target), entity, (&to, &Entity::default()));
            let file = Field::read(FILE)?;
            if let Some(entry) = entity.fields.get(&file) {
                moved.put(&to, file, entry.value.clone());
            }
            union.changes.append(&mut moved.changes);
            union.differ.append(&mut moved.differ);
            union.below.push(target.clone());
        }
        self.refer_to(from, into, &mut union)?;
        union.put(from, Field::read(WENT)?, Value::text(into.as_str()));
        union.put(from, Field::read(DELETED)?, Value::truth());
        Ok(union)
    }

    /// Whoever refers to an entity, by a field or in a set, refers to another one.
    fn refer_to(&mut self, from: &Target, into: &Target, union: &mut Union) -> Result<()> {
        let (element, _) = Field::read("x")?.element_of(from.as_str());
        let encoded = element.element().unwrap_or_default().as_bytes().to_vec();
        let (company, companies) =
            (needle::of_value(COMPANY, ""), needle::of_field(from.collection()));
        let needles = [from.as_str().as_bytes().to_vec(), encoded, company, companies];
        let found = Mutex::new(BTreeMap::new());
        let take = |target: Target, entity: Entity| {
            if target.entity() != from.as_str() && entity.removed().is_none() {
                found.lock().unwrap_or_else(PoisonError::into_inner).insert(target, entity);
            }
        };
        let reader = self.reader()?;
        for collection in COLLECTIONS {
            reader.search(processors(), &format!("{collection}/"), &needles, &take)?;
        }
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.load(found.keys())?;
        for (target, entity) in found {
            if self.removed_from(&target).is_some() {
                continue;
            }
            let before = union.changes.len();
            let mut bases: Vec<Field> = entity.fields.keys().map(Field::base_field).collect();
            bases.dedup();
            for field in bases {
                refer(&target, &entity, &field, (from, into), union);
            }
            if union.changes.len() > before {
                union.referrers.push(target);
            }
        }
        Ok(())
    }
}

/// A target as it is wanted, or the next that is like it where something stands, or stood, there.
fn free(wanted: &str, there: &BTreeMap<Target, Entity>) -> Result<Target> {
    let mut taken = Target::read(wanted)?;
    for name in variants(wanted) {
        taken = Target::read(&name)?;
        if !there.contains_key(&taken) {
            break;
        }
    }
    Ok(taken)
}

/// One field of whoever may refer to an entity.
fn refer(
    target: &Target,
    entity: &Entity,
    field: &Field,
    (from, into): (&Target, &Target),
    union: &mut Union,
) {
    let names = Kind::of(target) == Some(Kind::Person)
        && Kind::of(from) == Some(Kind::Company)
        && [COMPANY, from.collection()].contains(&field.as_str());
    let is_meant =
        |text: &str| text == from.as_str() || (names && company_of(text).as_ref() == Some(from));
    let plain = entity.fields.get(field).map(|entry| entry.value.shown().into_owned());
    if plain.is_some_and(|text| is_meant(&text)) {
        return union.put(target, field.clone(), Value::text(into.as_str()));
    }
    let members = entity.members(field);
    for member in members.iter().filter(|member| is_meant(&member.text)) {
        let (old, new) = (field.element_of(&member.text).0, field.element_of(into.as_str()).0);
        union.put(target, old, Value::null());
        union.put(target, new, member.value.clone());
    }
}
