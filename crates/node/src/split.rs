//! Two entities under one slug: two nodes that were apart each wrote one anew. Told by what their
//! datagrams say that they saw, and set apart by who wrote what (docs/merge.md).

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::entity::DELETED;
use cocli_core::{Causality, Datagram, Entity, Entry, Field, Kind, NodeId, Stamp, Target, Value};

use crate::change::{Change, Intent};
use crate::conflicts::{Conflict, Place};
use crate::error::{NodeError, Result};
use crate::list::Condition;
use crate::session::Session;
use crate::slug::variants;

/// The fields that tell an entity from another one of the same name.
pub(crate) const IDENTITY: [&str; 2] = ["domain", "email"];
/// What a node writes of an entity that it knows nothing of.
const NAME: &str = "name";

/// What setting two entities apart would do.
#[derive(Debug)]
pub struct Split {
    /// The entity that stays.
    pub first: Target,
    /// Who wrote it.
    pub first_node: NodeId,
    /// Where the other one goes.
    pub second: Target,
    /// Who wrote that.
    pub second_nodes: BTreeSet<NodeId>,
    /// What the second one gets.
    pub gets: Vec<(Field, Value)>,
    /// What the first one gets back.
    pub back: Vec<(Field, Value)>,
    /// Targets below the first that go with the second.
    pub below: Vec<Target>,
    /// People who belong to the second.
    pub people: Vec<Target>,
    /// Values by others, of which nobody can tell whose they are: with these nothing is done.
    pub unclear: Vec<(Field, Entry)>,
    /// All of it.
    pub changes: Vec<Change>,
}

/// Whether a field tells an entity of the pool from another one.
pub(crate) fn is_identity(target: &Target, field: &Field) -> bool {
    target.is_entity() && IDENTITY.contains(&field.as_str())
}

/// Of a conflict about what an entity is: who wrote the one that stands, and who the other, where both
/// wrote it anew.
pub(crate) fn founders(
    conflict: &Conflict,
    written: &BTreeMap<Place, Vec<Entry>>,
) -> Option<(NodeId, NodeId)> {
    let (target, field) = (&conflict.target, &conflict.field);
    if !is_identity(target, field) {
        return None;
    }
    let of = |field: &Field| written.get(&(target.clone(), field.clone())).map_or(&[][..], |e| e);
    let anew = |entry: &&Entry| entry.causality == Causality::nothing() && !entry.value.is_null();
    let named: BTreeSet<&NodeId> =
        of(&Field::read(NAME).ok()?).iter().filter(anew).map(|entry| &entry.stamp.node).collect();
    let founding = |entry: &&Entry| anew(entry) && named.contains(&entry.stamp.node);
    let second = conflict.entries.iter().skip(1).find(founding)?;
    let other = |entry: &&Entry| {
        founding(entry) && entry.value != second.value && entry.stamp.node != second.stamp.node
    };
    let first = of(field).iter().filter(other).max()?;
    Some((first.stamp.node.clone(), second.stamp.node.clone()))
}

/// Whose a datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    First,
    Second,
}

/// What each side wrote of a target, and what nobody can tell.
#[derive(Default)]
struct Sides {
    first: Entity,
    second: Entity,
    unclear: Vec<(Field, Entry)>,
}

impl Sides {
    /// `others` are the first's: somebody said who the second's nodes are.
    fn of(history: Vec<Datagram>, by: impl Fn(&NodeId) -> Option<Side>) -> Self {
        let mut fields: BTreeMap<Field, BTreeSet<Entry>> = BTreeMap::new();
        for d in history.into_iter().filter(|d| !d.field.as_str().starts_with('_')) {
            fields.entry(d.field).or_default().insert(d.entry);
        }
        let mut sides = Self::default();
        for (field, entries) in fields {
            let mut known: BTreeMap<Stamp, Side> = BTreeMap::new();
            let mut last = None;
            for entry in entries {
                // Whoever changes a value that is one side's alone changes it for that side.
                let seen: Vec<Option<Side>> =
                    entry.causality.stamps().map(|stamp| known.get(&stamp).copied()).collect();
                let all =
                    seen.first().copied().flatten().filter(|s| seen.iter().all(|o| *o == Some(*s)));
                let side = by(&entry.stamp.node).or(all);
                match side {
                    Some(Side::First) => drop(sides.first.merge(field.clone(), entry.clone())),
                    Some(Side::Second) => drop(sides.second.merge(field.clone(), entry.clone())),
                    None => {}
                }
                known.extend(side.map(|side| (entry.stamp.clone(), side)));
                last = Some((side, entry));
            }
            if let Some((None, entry)) = last {
                sides.unclear.push((field, entry));
            }
        }
        sides
    }
}

impl Session<'_> {
    /// Plans to set apart the two entities that a target is: `None` when its history does not say that it
    /// is two. What `others` wrote is the second's too; where none are named, what a third node wrote is
    /// told by what it saw, or unclear.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn plan_split(&mut self, target: &Target, others: &[NodeId]) -> Result<Option<Split>> {
        if let Some(until) = self.home.history_lost_until()? {
            // Who wrote what before nobody can tell, and a wrong value would go back.
            let field = Field::read("name")?;
            return Err(NodeError::Forgotten { target: target.clone(), field, until });
        }
        let conflicts = self.home.conflicts(Some(target))?;
        let history = self.home.history(Some(target), None)?;
        let mut written: BTreeMap<Place, Vec<Entry>> = BTreeMap::new();
        for d in &history {
            let place = (d.target.clone(), d.field.clone());
            written.entry(place).or_default().push(d.entry.clone());
        }
        let two = conflicts.iter().find_map(|conflict| founders(conflict, &written));
        let Some((first_node, second_node)) = two else { return Ok(None) };
        let mut second_nodes: BTreeSet<NodeId> = others.iter().cloned().collect();
        second_nodes.insert(second_node);
        let by = |node: &NodeId| match second_nodes.contains(node) {
            true => Some(Side::Second),
            false if *node == first_node || !others.is_empty() => Some(Side::First),
            false => None,
        };
        let sides = Sides::of(history, by);
        let second = self.free_beside(target)?;
        let mut split = Split {
            first: target.clone(),
            first_node,
            second,
            second_nodes,
            gets: Vec::new(),
            back: Vec::new(),
            below: Vec::new(),
            people: Vec::new(),
            unclear: sides.unclear.clone(),
            changes: Vec::new(),
        };
        let now = self.entity(target)?;
        split.part(&now, &sides);
        split.settle(&conflicts, &sides);
        self.take_along(&mut split)?;
        Ok(Some(split))
    }

    /// The next variant of a target that nothing stands at.
    fn free_beside(&mut self, target: &Target) -> Result<Target> {
        let mut taken = Ok(target.clone());
        for slug in variants(target.slug()).skip(1) {
            let free = Target::read(&format!("{}/{slug}", target.collection()))?;
            let entity = self.entity(&free)?;
            if !entity.is_shown() && entity.removed().is_none() {
                taken = Ok(free);
                break;
            }
        }
        taken
    }

    /// Notes and meetings that the second's nodes alone wrote, and people whom they gave to it.
    fn take_along(&mut self, split: &mut Split) -> Result<()> {
        let deleted = Field::read(DELETED)?;
        for (below, entity) in self.reader()?.below(&split.first)? {
            let theirs = |entry: &Entry| split.second_nodes.contains(&entry.stamp.node);
            let moves = below != split.first
                && entity.removed().is_none()
                && entity.fields.values().all(theirs);
            if !moves {
                continue;
            }
            let rest = &below.as_str()[split.first.as_str().len()..];
            let there = Target::read(&format!("{}{rest}", split.second))?;
            for (field, entry) in entity.fields.iter().filter(|(field, _)| **field != deleted) {
                let put = Intent::Put(entry.value.clone());
                split.changes.push(Change::new(there.clone(), field.clone(), put));
            }
            let gone = Intent::Put(Value::truth());
            split.changes.push(Change::new(below.clone(), deleted.clone(), gone));
            split.below.push(below);
        }
        let company = Field::read("company")?;
        let of_first = Condition::new(company.as_str(), split.first.as_str())?;
        for (person, entity) in self.home.list("people", &[of_first], |_, e| e.clone())? {
            let by = entity.fields.get(&company).map(|entry| &entry.stamp.node);
            if by.is_some_and(|node| split.second_nodes.contains(node)) {
                let put = Intent::Put(Value::text(split.second.as_str()));
                split.changes.push(Change::new(person.clone(), company.clone(), put));
                split.people.push(person);
            }
        }
        Ok(())
    }
}

impl Split {
    /// Each field to whom it belongs.
    fn part(&mut self, now: &Entity, sides: &Sides) {
        let kind = Kind::of(&self.first);
        let all = now.fields.keys().filter(|field| !field.as_str().starts_with('_'));
        let fields: BTreeSet<Field> = all.map(Field::base_field).collect();
        let value =
            |entity: &Entity, field: &Field| entity.value(kind, field).unwrap_or_else(Value::null);
        for field in fields {
            let (first, second) = (value(&sides.first, &field), value(&sides.second, &field));
            if !second.is_null() {
                let put = Intent::Put(second.clone());
                self.changes.push(Change::new(self.second.clone(), field.clone(), put));
                self.gets.push((field.clone(), second));
            }
            if value(now, &field) != first {
                let put = Intent::Put(first.clone());
                self.changes.push(Change::new(self.first.clone(), field.clone(), put));
                self.back.push((field, first));
            }
        }
    }

    /// What one side lost to the other is lost no more.
    fn settle(&mut self, conflicts: &[Conflict], sides: &Sides) {
        let kind = Kind::of(&self.first);
        let theirs = |entry: &Entry| self.second_nodes.contains(&entry.stamp.node);
        let between = |conflict: &&Conflict| conflict.entries.iter().any(theirs);
        for conflict in conflicts.iter().filter(between) {
            let value = sides.first.value(kind, &conflict.field).unwrap_or_else(Value::null);
            self.changes.push(conflict.settle(value));
        }
    }
}
