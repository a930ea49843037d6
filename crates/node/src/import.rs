//! What people have, brought in: rows of tables, contacts, whole homes of the Python program. All of it goes through
//! one [`Importer`]: who is meant, what is new of it, one sync a batch. docs/import.md.

mod hosts;
mod identity;
mod mapping;
mod python;
mod remembered;
mod there;
mod vcard;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use cocli_core::schema::POOL;
use cocli_core::{Entity, Field, Kind, NodeId, Target, Value};
use cocli_store::paths;

use crate::change::{Change, Writer};
use crate::error::Result;
use crate::session::{End, Session};
use identity::{Identities, Who, text};
use there::There;

pub use mapping::{Mapping, MappingError, columns_told};
pub use python::{Differs, KINDS, Odd, Report, Source, Tally};
pub use there::Differ;
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
    /// The item of the same batch, before this one, that is the company of this person.
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
    /// Values that were left as something else stands there, with the place of their item.
    pub kept: Vec<(usize, Differ)>,
    /// What somebody should look at, with the place of its item.
    pub notes: Vec<(usize, String)>,
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
        known.settle_gone();
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
        let (whose, notes) = self.identify(items);
        let targets =
            whose.iter().filter_map(|(one, _)| one.as_ref().ok().map(|(target, _)| target));
        session.load(targets)?;
        let mut batch = Batch { notes, ..Batch::default() };
        let (mut changes, mut working) = (Vec::new(), HashMap::new());
        for (at, ((one, values), item)) in whose.into_iter().zip(items).enumerate() {
            let left_out = |of: usize| matches!(batch.rows.get(of), Some(Row::Skipped(_)));
            let row = match one {
                Err(why) => Row::Skipped(why),
                Ok(_) if item.company.is_some_and(left_out) => Row::Skipped(ITS_COMPANY.into()),
                Ok((target, fresh)) => {
                    let there = working.entry(target.clone()).or_insert_with(|| {
                        let entity = self.entity(session, &target);
                        There::of(&entity, item.kind, &target, self.known.region())
                    });
                    let row = self.row(session, (target, fresh), &values, there, &mut changes);
                    batch.kept.extend(there.kept.drain(..).map(|differ| (at, differ)));
                    row
                }
            };
            batch.rows.push(row);
        }
        batch.notes.retain(|(at, _)| matches!(batch.rows.get(*at), Some(Row::Added(_))));
        self.cards_missing(session, &batch.rows, &working);
        (batch.datagrams, batch.end) = self.write(session, verb, &changes)?;
        Ok(batch)
    }

    /// Cards that an import which was cut off did not come to are put in place by this one.
    fn cards_missing(
        &self,
        session: &mut Session<'_>,
        rows: &[Row],
        working: &HashMap<Target, There>,
    ) {
        if self.how.dry_run || !session.home.keeps_cards() {
            return;
        }
        for row in rows {
            let Row::Same(target) = row else { continue };
            let file = working.get(target).and_then(There::file);
            if lacks_card(session, target, file.as_deref()) {
                session.touched.insert(target.clone());
            }
        }
    }

    /// Whose each item is, whether nobody was known by that target before, and what it says then; and what somebody
    /// should look at. Companies come first: people refer to them.
    fn identify<'i>(&mut self, items: &'i [Item]) -> (Vec<Identified<'i>>, Vec<(usize, String)>) {
        let mut all: Vec<Option<Identified<'i>>> = Vec::new();
        all.resize_with(items.len(), || None);
        let (first, rest): (Vec<usize>, Vec<usize>) =
            (0..items.len()).partition(|at| items[*at].kind == Kind::Company);
        let mut notes = Vec::new();
        for at in first.into_iter().chain(rest) {
            let item = &items[at];
            let mut values = Cow::Borrowed(&item.values);
            let of = |at: Option<usize>| Some(all.get(at?)?.as_ref()?.0.as_ref().map(|one| &one.0));
            let company = of(item.company);
            if let Some(Ok(company)) = company
                && let Ok(field) = Field::read(COMPANY)
            {
                values.to_mut().insert(field, Value::text(company.as_str()));
            }
            if item.kind == Kind::Person && item.target.is_none() && item.company.is_none() {
                self.link_company(&mut values);
            }
            let one = match (&item.below, company) {
                (_, Some(Err(_))) => Err(ITS_COMPANY.into()),
                (Some((above, id)), _) => match of(Some(*above)) {
                    Some(Ok(above)) => below(above, item.kind, id),
                    _ => Err("whose it is was left out".into()),
                },
                (None, _) => self.who(item, &values),
            };
            if let Ok((target, fresh)) = &one
                && !item.kind.is_convo()
            {
                if *fresh {
                    let note = self.alike(item.kind, target, &values);
                    notes.extend(note.map(|note| (at, note)));
                }
                self.known.learn(item.kind, target, &values);
            }
            all[at] = Some((one, values));
        }
        (all.into_iter().flatten().collect(), notes)
    }

    /// The company that a person names is a link where one bears that very name, else its name.
    fn link_company(&self, values: &mut Cow<'_, BTreeMap<Field, Value>>) {
        let Some(said) = text(values, COMPANY) else { return };
        let (Ok(company), Ok(name)) = (Field::read(COMPANY), Field::read("company_name")) else {
            return;
        };
        let typed = Target::read(&said).ok();
        let typed = typed.filter(|target| Kind::of(target) == Some(Kind::Company));
        let typed = typed.map(|target| self.known.now(&target).cloned().unwrap_or(target));
        match typed.or_else(|| self.known.company_called(&said)) {
            Some(target) => {
                values.to_mut().insert(company, Value::text(target.as_str()));
            }
            None => {
                let values = values.to_mut();
                values.remove(&company);
                values.entry(name).or_insert_with(|| Value::text(&said));
            }
        }
    }

    /// Says where a new one seems to be one that is there.
    fn alike(
        &self,
        kind: Kind,
        target: &Target,
        values: &BTreeMap<Field, Value>,
    ) -> Option<String> {
        let others = self.known.alike(kind, target, values);
        let other = others.first()?;
        Some(format!(
            "{target} seems to be {other} as well: `cocli merge {other} {target}`, should it be"
        ))
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
                let names: Vec<&str> = all.iter().map(Target::as_str).collect();
                let merges: Vec<String> = names[1..]
                    .iter()
                    .map(|other| format!("`cocli merge {} {other}`", names[0]))
                    .collect();
                let (names, merges) = (names.join(" and "), merges.join(" and "));
                Err(format!("it is {names} by what it has: {merges}, should they be one"))
            }
        }
    }

    fn row(
        &self,
        session: &Session<'_>,
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
        let (new, before) = (there.is_empty(), changes.len());
        there.take(values, self.how.overwrite);
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
            let known = || session.known().get(&change.target).cloned();
            let mut entity =
                self.unwritten.remove(&change.target).or_else(known).unwrap_or_default();
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

/// The field of a person that names the main company.
const COMPANY: &str = "company";
const ITS_COMPANY: &str = "its company was left out";

/// A target, and whether nobody was known by it before.
type Whose = std::result::Result<(Target, bool), String>;
/// Whose an item is, and what it says.
type Identified<'i> = (Whose, Cow<'i, BTreeMap<Field, Value>>);

fn below(above: &Target, kind: Kind, id: &str) -> Whose {
    let target = Target::read(&format!("{above}/{}/{id}", kind.plural()));
    target.map(|target| (target, false)).map_err(|error| error.to_string())
}

/// Whether the card of a target is not there.
fn lacks_card(session: &Session<'_>, target: &Target, file: Option<&str>) -> bool {
    let card = paths::card(target, file);
    card.is_some_and(|card| matches!(session.home.disk.stat(&card), Ok(None)))
}
