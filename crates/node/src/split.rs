//! Two entities under one slug: two nodes that were apart each wrote one anew. Told by what their
//! datagrams say that they saw, and set apart by who wrote what (docs/merge.md).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use cocli_core::conflict::lost;
use cocli_core::entity::DELETED;
use cocli_core::{Causality, Datagram, Entity, Entry, Field, Kind, NodeId, Stamp, Target, Value};

use crate::change::{Change, Intent};
use crate::conflicts::{Conflict, Place, among, is_told};
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
    /// All that is the second's, by field.
    seconds: BTreeMap<Field, Vec<Entry>>,
    unclear: Vec<(Field, Entry)>,
}

impl Sides {
    /// From all that was written of the target.
    fn of(target: &Target, history: Vec<Datagram>, by: impl Fn(&NodeId) -> Option<Side>) -> Self {
        let mut fields: BTreeMap<Field, BTreeSet<Entry>> = BTreeMap::new();
        for d in history.into_iter().filter(|d| !d.field.as_str().starts_with('_')) {
            fields.entry(d.field).or_default().insert(d.entry);
        }
        let mut sides = Self::default();
        for (field, entries) in fields {
            let mut known: BTreeMap<Stamp, Side> = BTreeMap::new();
            // Of a field that changes by itself what stood there before matters to nobody.
            let (told, newest) = (is_told(target, &field), entries.last().cloned());
            for entry in entries {
                // Whoever changes a value that is one side's alone changes it for that side.
                let seen: Vec<Option<Side>> =
                    entry.causality.stamps().map(|stamp| known.get(&stamp).copied()).collect();
                let all =
                    seen.first().copied().flatten().filter(|s| seen.iter().all(|o| *o == Some(*s)));
                let side = by(&entry.stamp.node).or(all);
                known.extend(side.map(|side| (entry.stamp.clone(), side)));
                match side {
                    Some(Side::First) => drop(sides.first.merge(field.clone(), entry)),
                    Some(Side::Second) => {
                        sides.second.merge(field.clone(), entry.clone());
                        sides.seconds.entry(field.clone()).or_default().push(entry);
                    }
                    None if told || newest.as_ref() == Some(&entry) => {
                        sides.unclear.push((field.clone(), entry));
                    }
                    None => {}
                }
            }
        }
        sides
    }

    /// Of a conflict: what went with the second, but for what the second's own nodes lost to each other.
    fn gone_along(&self, conflict: &Conflict) -> Vec<Stamp> {
        let seconds = self.seconds.get(&conflict.field).map_or(&[][..], |entries| entries);
        let among_them = lost(seconds).map(|(_, lost)| lost).unwrap_or_default();
        let went = |entry: &&Entry| seconds.contains(entry) && !among_them.contains(entry);
        conflict.entries.iter().filter(went).map(|entry| entry.stamp.clone()).collect()
    }
}

impl Session<'_> {
    /// Plans to set apart the two entities that a target is: `None` when its history does not say that it
    /// is two. What `others` wrote is the second's too; where none are named, what a third node wrote is
    /// told by what it saw, or unclear.
    ///
    /// # Errors
    /// When the journals cannot be read, or one of the `others` added the first or wrote nothing there.
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
        self.wrote_of_second(target, others, &first_node, &history)?;
        let mut second_nodes: BTreeSet<NodeId> = others.iter().cloned().collect();
        second_nodes.insert(second_node);
        let by = |node: &NodeId| match second_nodes.contains(node) {
            true => Some(Side::Second),
            false if *node == first_node || !others.is_empty() => Some(Side::First),
            false => None,
        };
        let sides = Sides::of(target, history, by);
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

    /// Whether all of `others` may have written of the second entity.
    fn wrote_of_second(
        &mut self,
        target: &Target,
        others: &[NodeId],
        first: &NodeId,
        history: &[Datagram],
    ) -> Result<()> {
        if others.contains(first) {
            return Err(NodeError::Founder { node: first.clone(), target: target.clone() });
        }
        let mut writers: BTreeSet<&NodeId> = history.iter().map(|d| &d.entry.stamp.node).collect();
        let (below, people) = (self.reader()?.below(target)?, self.people_of(target)?);
        let entries = below.values().flat_map(|entity| entity.fields.values());
        writers.extend(entries.map(|entry| &entry.stamp.node));
        writers.extend(people.iter().map(|(_, by)| by));
        match others.iter().find(|node| !writers.contains(node)) {
            None => Ok(()),
            Some(node) => {
                let writers = writers.into_iter().filter(|by| *by != first).cloned().collect();
                Err(NodeError::Stranger { node: node.clone(), target: target.clone(), writers })
            }
        }
    }

    /// The people of a company, each with who says so.
    fn people_of(&self, target: &Target) -> Result<Vec<(Target, NodeId)>> {
        let company = Field::read("company")?;
        let of_it = Condition::new(company.as_str(), target.as_str())?;
        let by = |_: &Target, entity: &Entity| {
            entity.fields.get(&company).map(|entry| entry.stamp.node.clone())
        };
        let people = self.home.list("people", &[of_it], by)?;
        Ok(people.into_iter().filter_map(|(person, by)| Some((person, by?))).collect())
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
        for (below, entity) in self.alone_wrote(&split.first, &split.second_nodes)? {
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
        for (person, by) in self.people_of(&split.first)? {
            if split.second_nodes.contains(&by) {
                let put = Intent::Put(Value::text(split.second.as_str()));
                split.changes.push(Change::new(person.clone(), company.clone(), put));
                split.people.push(person);
            }
        }
        Ok(())
    }

    /// What stands below a target and was written by these nodes alone, nothing of it lost unseen: of what
    /// is taken away from there no lost value is told any more.
    fn alone_wrote(
        &mut self,
        target: &Target,
        nodes: &BTreeSet<NodeId>,
    ) -> Result<BTreeMap<Target, Entity>> {
        let theirs = |entry: &Entry| nodes.contains(&entry.stamp.node);
        let mut below = self.reader()?.below(target)?;
        below.retain(|below, entity| {
            below != target && entity.removed().is_none() && entity.fields.values().all(theirs)
        });
        if below.is_empty() {
            return Ok(below);
        }
        let names: HashSet<&[u8]> = below.keys().map(|below| below.as_str().as_bytes()).collect();
        let history = self.home.recall(|_, target| names.contains(target))?;
        let by_others = history.iter().filter(|d| !theirs(&d.entry)).map(|d| d.target.clone());
        let mut stays: BTreeSet<Target> = by_others.collect();
        stays.extend(among(history).into_iter().map(|conflict| conflict.target));
        below.retain(|below, _| !stays.contains(below));
        Ok(below)
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

    /// What one side lost to the other is lost no more; what was lost within one of them still is.
    fn settle(&mut self, conflicts: &[Conflict], sides: &Sides) {
        let kind = Kind::of(&self.first);
        for conflict in conflicts {
            let over = sides.gone_along(conflict);
            if !over.is_empty() {
                let value = sides.first.value(kind, &conflict.field).unwrap_or_else(Value::null);
                let intent = Intent::Settle { value, over };
                let (target, field) = (self.first.clone(), conflict.field.clone());
                self.changes.push(Change::new(target, field, intent));
            }
        }
    }
}
