//! Its journals: what the state lacks is appended verbatim to the own log, so that it travels.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cocli_core::digest::hash;
use cocli_core::schema::{POOL, Type};
use cocli_core::usv::{self, Record};
use cocli_core::{Datagram, Entity, Entry, Field, Kind, Target};
use cocli_store::paths::{self, python};

use super::cards::{item, name_it};
use super::folders::Folder;
use super::{Move, VERB};
use crate::error::Result;

/// Bytes of a journal that are read at a time.
const READ_BYTES: usize = 4 * 1024 * 1024;
/// Bytes after which a record without an end is none.
const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

impl Move<'_> {
    /// All journals: of the home, and those that an early version kept with each company.
    pub(super) fn journals(&mut self, folders: &[Folder]) -> Result<()> {
        let mut files = self.files_in(paths::WAL);
        for folder in folders {
            files.extend(self.files_in(&python::within(&folder.path, python::UPDATES)));
        }
        for file in files.iter().filter(|file| file.ends_with(".usv")) {
            self.journal(file)?;
        }
        Ok(())
    }

    pub(super) fn files_in(&self, folder: &str) -> Vec<String> {
        let all = self.list(folder).into_iter();
        let files = all.filter(|(_, kind)| *kind == cocli_store::FileKind::File);
        files.map(|(name, _)| python::within(folder, &name)).collect()
    }

    fn journal(&mut self, file: &str) -> Result<()> {
        let (mut from, mut wanted) = (0u64, READ_BYTES);
        loop {
            let bytes = match self.disk.read_at(file, from, wanted) {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.odd(file, format!("cannot be read from byte {from} on: {error}"));
                    return Ok(());
                }
            };
            let (whole, last) = (usv::whole(&bytes), bytes.len() < wanted);
            if whole > 0 {
                self.records(file, from, &bytes[..whole])?;
            }
            if last {
                let rest = &bytes[whole..];
                if !rest.iter().all(u8::is_ascii_whitespace) {
                    let at = from + whole as u64;
                    self.odd(
                        file,
                        format!("{} bytes at byte {at} are no whole record: left out", rest.len()),
                    );
                }
                return Ok(());
            }
            if whole == 0 && wanted >= RECORD_BYTES_MAX {
                self.odd(
                    file,
                    format!("no record ends within {wanted} bytes of byte {from}: left out"),
                );
                return Ok(());
            }
            wanted = if whole == 0 { wanted * 2 } else { READ_BYTES };
            from += whole as u64;
        }
    }

    fn records(&mut self, file: &str, from: u64, bytes: &[u8]) -> Result<()> {
        let mut read: Vec<(Record<'_>, Datagram)> = Vec::new();
        for record in usv::records(bytes) {
            let at = from + record.at as u64;
            match usv::read_in(bytes, record) {
                Ok(datagram) => {
                    if let Some(datagram) = self.fitting(file, at, datagram) {
                        read.push((record, datagram));
                    }
                }
                Err(_) if record.bytes.iter().all(|b| b.is_ascii_whitespace() || *b == usv::RS) => {
                }
                Err(why) => self.odd(file, format!("at byte {at}: {why}: left out")),
            }
        }
        let home = self.home;
        let mut session = home.session(self.now)?;
        session.load(read.iter().map(|(_, datagram)| &datagram.target))?;
        let (mut batch, mut new, mut removed) = (Vec::new(), HashMap::new(), Vec::new());
        let mut counted = (0, 0);
        for (record, datagram) in read {
            let Datagram { target, field, entry } = datagram;
            if session.removed_from(&target).is_some() {
                removed.push(target);
                continue;
            }
            let known = new.entry(target.clone()).or_insert_with(|| {
                let entity = self.importer.entity(&session, &target);
                (entity.is_shown(), entity)
            });
            self.told.insert(target.clone());
            self.note_tags(&target, &known.1, &field, &entry);
            self.note_replaced(file, &target, &known.1, (&field, &entry));
            if !known.1.merge(field, entry) {
                counted.1 += 1;
                continue;
            }
            self.journaled.entry(target).or_insert(known.0);
            batch.extend_from_slice(record.bytes);
            counted.0 += 1;
        }
        let end = if self.how.dry_run || batch.is_empty() {
            None
        } else {
            let end = session.append_bytes(VERB, &batch)?;
            session.compact_if_long()?;
            Some(end)
        };
        drop(session);
        for (target, (_, entity)) in new {
            self.importer.known.learn_entity(&target, &entity);
            if self.how.dry_run {
                self.importer.unwritten.insert(target, entity);
            }
        }
        removed.sort();
        removed.dedup();
        for target in removed {
            self.odd(file, format!("{target} was removed here: its records are left out"));
        }
        self.wrote(counted.0, end, None);
        let tally = self.tally("records");
        tally.new += counted.0;
        tally.same += counted.1;
        Ok(())
    }

    /// The tags that are there beside those of the newest record of them: that of this import, or of an earlier one
    /// that was cut off.
    fn note_tags(&mut self, target: &Target, there: &Entity, field: &Field, entry: &Entry) {
        if field.as_str() != "tags" || self.tags.contains_key(target) {
            return;
        }
        let winner = there.fields.get(field);
        if winner.is_some_and(|winner| winner > entry) {
            return;
        }
        let members = there.members(field).into_iter();
        let beside = members.filter(|member| winner != Some(entry) || member.stamp != entry.stamp);
        let texts: BTreeSet<String> = beside.map(|member| member.text).collect();
        self.tags.insert(target.clone(), texts);
    }

    /// A value of here that a newer one is about to take the place of, unless that came with this import.
    fn note_replaced(
        &mut self,
        file: &str,
        target: &Target,
        there: &Entity,
        (field, entry): (&Field, &Entry),
    ) {
        let winner = there.fields.get(field);
        if winner.is_some_and(|winner| entry <= winner) {
            return;
        }
        let key = hash(format!("{target}\n{field}").as_bytes());
        let place = (target.clone(), field.clone());
        if let Some((_, _, theirs)) = self.replaced.get_mut(&place) {
            *theirs = entry.value.clone();
        } else if let Some(winner) = winner
            // Who says something newer of its own takes nothing from us.
            && winner.stamp.node != entry.stamp.node
            && !self.brought.contains(&key)
        {
            let values = (file.to_owned(), winner.value.clone(), entry.value.clone());
            self.replaced.insert(place, values);
        }
        self.brought.insert(key);
    }

    /// What the journals say of companies that stand elsewhere here, and of which there is no folder.
    pub(super) fn folded_only(&mut self) -> Result<()> {
        if self.folded.is_empty() {
            return Ok(());
        }
        let rest: BTreeMap<Target, BTreeMap<Field, Entry>> =
            std::mem::take(&mut self.folded).into_iter().collect();
        let mut items = Vec::new();
        for (target, fields) in rest {
            let Some(kind) = Kind::of(&target) else { continue };
            let mut values =
                fields.into_iter().map(|(field, entry)| (field, entry.value)).collect();
            let Ok(target) = self.importer.known.place(kind, &target, &values) else { continue };
            if !self.importer.known.is_named(&target) {
                name_it(&mut values, target.slug());
            }
            items.push((paths::WAL.to_owned(), item(kind, target, values)));
        }
        self.bring(items)
    }

    /// A record of a company or person that stands where the journal says; what stands elsewhere here is held back
    /// until its files are read.
    fn fitting(&mut self, file: &str, at: u64, datagram: Datagram) -> Option<Datagram> {
        let text = datagram.target.as_str();
        let below = text.split('/').collect::<Vec<_>>();
        let own = datagram.field.as_str().starts_with('_');
        if is_nothing(&datagram) {
            let field = &datagram.field;
            self.odd(file, format!("at byte {at}: {text} {field} is `None`, no value: left out"));
            return None;
        }
        let moved = self.moved.get(text).cloned().or_else(|| match below[..] {
            // A company whose name had a `/` in it.
            ["companies", _, slug] => Target::read(&format!("companies/{slug}")).ok(),
            _ => None,
        });
        match moved {
            Some(target) if !own => {
                let fields = self.folded.entry(target).or_default();
                let Datagram { field, entry, .. } = datagram;
                if fields.get(&field).is_none_or(|held| *held < entry) {
                    fields.insert(field, entry);
                }
                None
            }
            _ if own
                || !datagram.target.is_entity()
                || !POOL.contains(&datagram.target.collection())
                || Kind::of(&datagram.target).is_none() =>
            {
                let field = &datagram.field;
                self.odd(
                    file,
                    format!(
                        "at byte {at}: {text} {field} is no field of a company or person: left out"
                    ),
                );
                None
            }
            _ => Some(datagram),
        }
    }
}

/// Whether the Python program wrote that there is no value, where it cannot be a text.
fn is_nothing(datagram: &Datagram) -> bool {
    let ty = Kind::of(&datagram.target).and_then(|kind| kind.type_of(datagram.field.as_str()));
    let text = matches!(ty, None | Some(Type::Text | Type::Body));
    !text && datagram.entry.value.as_str() == "None"
}
