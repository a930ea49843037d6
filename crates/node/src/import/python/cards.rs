//! Its files: companies with their tags, people, notes and meetings.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cocli_core::entity::FILE;
use cocli_core::{Field, Instant, Kind, Moment, Target, Value};
use cocli_store::card::{self, tags};
use cocli_store::paths::{self, python};
use serde_json::Value as Json;

use super::folders::Folder;
use super::{FOLDERS_AT_ONCE, Move};
use crate::change::{Change, Intent};
use crate::convo::{implied, target_of};
use crate::error::Result;
use crate::import::Item;
use crate::import::identity::text;

type Values = BTreeMap<Field, Value>;
type Tags = HashMap<Target, BTreeSet<String>>;

impl Move<'_> {
    /// All companies, with their notes and meetings.
    pub(super) fn companies(&mut self, folders: &[Folder]) -> Result<()> {
        for some in folders.chunks(FOLDERS_AT_ONCE) {
            let (mut items, mut changes) = (Vec::new(), Vec::new());
            let tags = self.tags_now(some)?;
            for folder in some {
                self.company(folder, &tags, &mut items, &mut changes);
                self.convos(&folder.path, &folder.target, &mut items);
            }
            self.write(&changes)?;
            self.bring(items)?;
        }
        Ok(())
    }

    fn company(
        &mut self,
        folder: &Folder,
        now: &Tags,
        items: &mut Vec<(String, Item)>,
        changes: &mut Vec<Change>,
    ) {
        let (target, path) = (&folder.target, python::within(&folder.path, python::CARD));
        let mut values = self.entity_values(Kind::Company, &folder.path, true);
        for (field, entry) in self.folded.remove(target).unwrap_or_default() {
            values.insert(field, entry.value);
        }
        self.settle_tags(folder, now, &mut values, changes);
        if !self.importer.known.is_named(target) {
            let name = folder.path.rsplit('/').next().unwrap_or_default();
            name_it(&mut values, name);
        }
        items.push((path, item(Kind::Company, target.clone(), values)));
    }

    /// The list of tags is the truth about them; without one, what the journals say; else the card. Tags that were
    /// there before stay.
    fn settle_tags(
        &mut self,
        folder: &Folder,
        now: &Tags,
        values: &mut Values,
        changes: &mut Vec<Change>,
    ) {
        let Ok(field) = Field::read("tags") else { return };
        let (target, path) = (&folder.target, python::within(&folder.path, python::TAGS));
        let listed = self.read(&path).map(|bytes| tags::read(&bytes));
        let listed = match listed {
            Some(Ok(listed)) => listed,
            Some(Err(error)) => {
                self.odd(&path, error.to_string());
                BTreeSet::new()
            }
            None => BTreeSet::new(),
        };
        let trim = |tags: BTreeSet<String>| -> BTreeSet<String> {
            let trimmed = tags.iter().map(|tag| tag.trim().to_owned());
            trimmed.filter(|tag| !tag.is_empty()).collect()
        };
        let before = self.tags.get(target).cloned();
        let journaled = now.get(target).cloned().unwrap_or_default();
        let wanted = match (listed.is_empty(), &before) {
            (false, _) => listed,
            (true, Some(_)) => trim(journaled.clone()),
            (true, None) => trim(tags::of(values.get(&field))),
        };
        for tag in journaled.difference(&wanted) {
            if !before.as_ref().is_some_and(|before| before.contains(tag)) {
                changes.push(Change::new(
                    target.clone(),
                    field.clone(),
                    Intent::Remove(tag.clone()),
                ));
            }
        }
        values.remove(&field);
        if !wanted.is_empty() {
            values.insert(field, Value::json(&Json::from(Vec::from_iter(wanted))));
        }
    }

    /// The tags that companies have by now, of those for which the journals brought some.
    fn tags_now(&self, folders: &[Folder]) -> Result<Tags> {
        let field = Field::read("tags")?;
        let targets = folders.iter().map(|folder| &folder.target);
        let targets: Vec<&Target> =
            targets.filter(|target| self.tags.contains_key(*target)).collect();
        let mut session = self.session()?;
        session.load(targets.iter().copied())?;
        let tags = |target: &Target| {
            let members = self.importer.entity(&session, target).members(&field).into_iter();
            members.map(|member| member.text).collect()
        };
        Ok(targets.into_iter().map(|target| (target.clone(), tags(target))).collect())
    }

    /// All people.
    pub(super) fn people(&mut self) -> Result<()> {
        let people = Kind::Person.plural();
        let names = self.folders_in(people);
        for some in names.chunks(FOLDERS_AT_ONCE) {
            let mut items = Vec::new();
            for name in some {
                self.person(&python::within(people, name), name, &mut items);
            }
            self.bring(items)?;
        }
        Ok(())
    }

    fn person(&mut self, path: &str, name: &str, items: &mut Vec<(String, Item)>) {
        let mut files = self.cards_of(path);
        let Some(newest) = files.pop() else { return };
        let Some(target) = self.place_of(Kind::Person, path, name) else { return };
        let mut values = self.card(Kind::Person, &newest).unwrap_or_default();
        let stem = newest.rsplit('/').next().and_then(|file| file.strip_suffix(".md"));
        let own = paths::card(&target, None)
            .is_some_and(|card| card.ends_with(&format!("/{}.md", stem.unwrap_or_default())));
        if let (Some(stem), Ok(file), false) = (stem, Field::read(FILE), own) {
            values.insert(file, Value::text(stem));
        }
        for file in files.iter().rev() {
            self.odd(
                file,
                format!("a second card of {target}: what {newest} lacks is taken from it"),
            );
            for (field, value) in self.card(Kind::Person, file).unwrap_or_default() {
                values.entry(field).or_insert(value);
            }
        }
        name_it(&mut values, name);
        self.join_company(path, name, &mut values);
        items.push((newest, item(Kind::Person, target.clone(), values)));
        self.convos(path, &target, items);
    }

    /// The cards of a person, the newest last: the Python program leaves the old one where somebody is renamed.
    fn cards_of(&self, path: &str) -> Vec<String> {
        let mut files = self.files_in(path);
        files.retain(|file| file.ends_with(".md"));
        let when = |file: &String| self.disk.stat(file).ok().flatten().map(|stat| stat.modified_ns);
        files.sort_by_cached_key(|file| (when(file), file.clone()));
        files
    }

    /// The company of a person: by the names of links, else by its name, where it is that of one.
    fn join_company(&mut self, path: &str, name: &str, values: &mut Values) {
        let (Ok(company), Ok(companies)) = (Field::read("company"), Field::read("companies"))
        else {
            return;
        };
        if values.contains_key(&company) {
            return;
        }
        let mut linked = self.linked.remove(name).unwrap_or_default();
        for (link, _) in self.list(&python::within(path, Kind::Company.plural())) {
            linked.extend(Target::read(&python::within(Kind::Company.plural(), &link)).ok());
        }
        let moved = |target: Target| self.moved.get(target.as_str()).cloned().unwrap_or(target);
        let now = |target: Target| self.importer.known.now(&target).cloned();
        let mut linked: Vec<Target> = linked.into_iter().map(moved).filter_map(now).collect();
        let by_name = || self.importer.known.company_called(&text(values, "company_name")?);
        if linked.is_empty() {
            linked.extend(by_name());
        }
        if linked.len() > 1 {
            let rest: Vec<&str> = linked[1..].iter().map(Target::as_str).collect();
            values.insert(companies, Value::json(&Json::from(rest)));
        }
        if let Some(first) = linked.first() {
            values.insert(company, Value::text(first.as_str()));
        }
    }

    /// The notes and meetings in a folder.
    fn convos(&mut self, path: &str, of: &Target, items: &mut Vec<(String, Item)>) {
        for kind in Kind::CONVOS {
            for file in self.files_in(&python::within(path, kind.plural())) {
                let name = file.rsplit('/').next().and_then(|name| name.strip_suffix(".md"));
                let Some(name) = name.filter(|name| !name.starts_with('.')) else { continue };
                let Some(target) = target_of(of.as_str(), kind, name) else {
                    self.odd(&file, "its name makes no target: left out");
                    continue;
                };
                let Some(mut values) = self.card(kind, &file) else { continue };
                settle_time(&mut values);
                let place =
                    paths::in_convos(&paths::convos(of.as_str(), kind), &format!("{name}.md"));
                let has = |field: &str| text(&values, field).is_some();
                let when = self
                    .disk
                    .stat(&file)
                    .ok()
                    .flatten()
                    .and_then(|stat| Instant::from_micros(stat.modified_ns / 1000));
                for change in implied(&target, &place, &has, when.unwrap_or(self.now)) {
                    if let Intent::Put(value) = change.intent {
                        values.insert(change.field, value);
                    }
                }
                items.push((file, item(kind, target, values)));
            }
        }
    }

    /// What the card in a folder says; `tell` what is odd about it.
    pub(super) fn entity_values(&mut self, kind: Kind, path: &str, tell: bool) -> Values {
        let file = match kind {
            Kind::Person => self.cards_of(path).pop(),
            _ => Some(python::within(path, python::CARD)),
        };
        let odd = self.report.odd.len();
        let values = file.and_then(|file| self.card(kind, &file)).unwrap_or_default();
        if !tell {
            self.report.odd.truncate(odd);
        }
        values
    }

    /// A file as a card, else field by field.
    fn card(&mut self, kind: Kind, path: &str) -> Option<Values> {
        let bytes = self.read(path)?;
        match card::parse_as(kind, &bytes) {
            Ok(card) => Some(card.fields(kind)),
            Err(error) => {
                let (text, how) = match std::str::from_utf8(&bytes) {
                    Ok(text) => (text.to_owned(), "read field by field"),
                    Err(_) => (
                        bytes.iter().map(|byte| char::from(*byte)).collect(),
                        "read as Latin-1, field by field",
                    ),
                };
                self.odd(path, format!("{error}: {how}"));
                Some(super::lines::read(kind, &text))
            }
        }
    }
}

pub(super) fn item(kind: Kind, target: Target, values: Values) -> Item {
    Item { target: Some(target), ..Item::new(kind, values) }
}

/// Who has no name is called as the folder.
pub(super) fn name_it(values: &mut Values, name: &str) {
    if text(values, "name").is_none()
        && let Ok(field) = Field::read("name")
    {
        values.insert(field, Value::text(name));
    }
}

/// The time of a meeting stands in `date` in older files, and that of a note may have a `Z` behind its offset.
fn settle_time(values: &mut Values) {
    let (Ok(date), Ok(timestamp)) = (Field::read("date"), Field::read("timestamp")) else { return };
    if text(values, "timestamp").is_none()
        && let Some(value) = values.remove(&date)
    {
        values.insert(timestamp.clone(), value);
    }
    if let Some(typed) = text(values, "timestamp")
        && Moment::read(&typed).is_none()
        && let Some(moment) = typed.strip_suffix('Z').and_then(Moment::read)
    {
        values.insert(timestamp, Value::text(&moment.to_string()));
    }
}
