//! The mirror: cards in the bucket, for people and the Python program. Nobody here reads it back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use cocli_core::bucket::{Failure, FailureKind, Key};
use cocli_core::digest::hash;
use cocli_core::schema::POOL;
use cocli_core::{Entity, Field, Instant, Kind, Target};
use cocli_store::card::{self, Projection};
use cocli_store::{Disk, paths};

use super::Durable;
use crate::error::Result;
use crate::home::{Home, failed, replace};

/// After so many cards it is noted which are there.
const NOTED: usize = 256;

/// What bringing the mirror up to date came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mirrored {
    /// Cards that were put there.
    pub put: usize,
    /// Cards of removed targets that were taken away.
    pub removed: usize,
    /// Cards that are to be put there and wait for another day.
    pub waiting: usize,
}

/// A card as it is, or is to be, in the mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Copy {
    /// XXH3-128 of the text that was put there; 0 for none.
    there: u128,
    /// Its bytes.
    bytes: u64,
    /// Since when it is to say something else: microseconds since 1970; 0 when it is as it should be.
    since: i64,
}

/// Which cards are there, by their paths.
type Copies = BTreeMap<String, Copy>;

impl Durable<'_> {
    /// Puts cards of companies and people there that say something else by now, the longest waiting first, at most
    /// `budget`; takes away those of removed targets. With `mend` a listing tells which are not as they were
    /// put.
    ///
    /// # Errors
    /// When the bucket cannot be asked or the disk refuses; what was put before is noted.
    pub fn mirror(&mut self, budget: usize, mend: bool, now: Instant) -> Result<Mirrored> {
        let mut copies = read(&*self.home.disk)?;
        if mend {
            self.mend(&mut copies)?;
        }
        let wanted = self.home.cards_now()?;
        for (path, (_, text)) in &wanted {
            let fresh = Copy { there: 0, bytes: 0, since: 0 };
            let copy = copies.entry(path.clone()).or_insert(fresh);
            copy.since = match (copy.there == *text, copy.since) {
                (true, _) => 0,
                (false, 0) => now.micros(),
                (false, since) => since,
            };
        }
        let mut mirrored = Mirrored::default();
        let mut due: Vec<(i64, String)> = (copies.iter())
            .filter(|(path, copy)| copy.since > 0 && wanted.contains_key(*path))
            .map(|(path, copy)| (copy.since, path.clone()))
            .collect();
        due.sort();
        mirrored.waiting = due.len().saturating_sub(budget);
        due.truncate(budget);
        let came = self.put_cards(&due, &wanted, &mut copies, &mut mirrored);
        let came = came.and_then(|()| self.take_away(&wanted, &mut copies, &mut mirrored));
        write(&*self.home.disk, &copies)?;
        came.map(|()| mirrored)
    }

    fn put_cards(
        &self,
        due: &[(i64, String)],
        wanted: &BTreeMap<String, (Target, u128)>,
        copies: &mut Copies,
        mirrored: &mut Mirrored,
    ) -> Result<()> {
        for group in due.chunks(NOTED) {
            let targets = group.iter().filter_map(|(_, path)| wanted.get(path));
            let targets: BTreeSet<Target> = targets.map(|(target, _)| target.clone()).collect();
            let entities = self.home.read(|reader| reader.entities(&targets))?;
            for (_, path) in group {
                let target = wanted.get(path).map(|(target, _)| target);
                let known = target.and_then(|target| Some((target, entities.get(target)?)));
                let text = known.and_then(|(target, entity)| text(target, entity));
                let Some(text) = text else { continue };
                self.bucket.replace(&Key::mirror(path), &text)?;
                let bytes = text.len() as u64;
                copies.insert(path.clone(), Copy { there: hash(&text), bytes, since: 0 });
                mirrored.put += 1;
            }
            write(&*self.home.disk, copies)?;
        }
        Ok(())
    }

    fn take_away(
        &self,
        wanted: &BTreeMap<String, (Target, u128)>,
        copies: &mut Copies,
        mirrored: &mut Mirrored,
    ) -> Result<()> {
        let gone: Vec<String> =
            copies.keys().filter(|path| !wanted.contains_key(*path)).cloned().collect();
        for group in gone.chunks(NOTED) {
            let keys: Vec<Key> = group.iter().map(|path| Key::mirror(path)).collect();
            self.bucket.remove(&keys)?;
            mirrored.removed += group.iter().filter(|path| copies[*path].there != 0).count();
            for path in group {
                copies.remove(path);
            }
        }
        Ok(())
    }

    /// What a listing does not show as it was put counts as never put.
    fn mend(&self, copies: &mut Copies) -> Result<()> {
        let mut there = BTreeMap::new();
        for collection in POOL {
            match self.bucket.list(&Key::mirror(&format!("{collection}/"))) {
                Ok(listed) => {
                    let each = listed.into_iter().map(|one| (one.key.to_string(), one.bytes));
                    there.extend(each);
                }
                Err(Failure { kind: FailureKind::Denied, .. }) => return Ok(()),
                Err(failure) => return Err(failure.into()),
            }
        }
        for (path, copy) in copies.iter_mut() {
            if copy.there != 0 && there.get(path) != Some(&copy.bytes) {
                copy.there = 0;
            }
        }
        Ok(())
    }
}

impl Home {
    /// The cards that there are to be, by their paths, with the hash of their texts.
    fn cards_now(&self) -> Result<BTreeMap<String, (Target, u128)>> {
        self.read(|reader| {
            let mut wanted = BTreeMap::new();
            let flow: ControlFlow<()> = reader.in_order(|target, entity| {
                let shown = text(target, entity).zip(path(target, entity));
                if let Some((text, path)) = shown.filter(|_| entity.removed().is_none()) {
                    wanted.insert(path, (target.clone(), hash(&text)));
                }
                ControlFlow::Continue(())
            })?;
            let _ = flow;
            Ok(wanted)
        })
    }
}

/// The card of a company or a person, as it is where nobody added anything.
fn text(target: &Target, entity: &Entity) -> Option<Vec<u8>> {
    let kind = Kind::of(target).filter(|kind| matches!(kind, Kind::Company | Kind::Person))?;
    let projection = Projection::of(kind, entity);
    let shows = !projection.values.is_empty();
    shows.then(|| card::render(kind, &projection.values).into_bytes())
}

fn path(target: &Target, entity: &Entity) -> Option<String> {
    let file = Field::read(cocli_core::entity::FILE).ok()?;
    let named = entity.fields.get(&file).filter(|entry| !entry.value.is_null());
    let named = named.map(|entry| entry.value.shown().into_owned());
    paths::card(target, named.as_deref())
}

/// What cannot be read is put again.
fn read(disk: &dyn Disk) -> Result<Copies> {
    let text = match disk.read(paths::MIRROR) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Copies::new()),
        Err(error) => return Err(failed(paths::MIRROR, "read", error)),
    };
    let line = |line: &str| {
        let mut words = line.splitn(4, ' ');
        let there = u128::from_str_radix(words.next()?, 16).ok()?;
        let (bytes, since) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some((words.next()?.to_owned(), Copy { there, bytes, since }))
    };
    Ok(String::from_utf8_lossy(&text).lines().filter_map(line).collect())
}

fn write(disk: &dyn Disk, copies: &Copies) -> Result<()> {
    let lines = copies.iter().map(|(path, Copy { there, bytes, since })| {
        format!("{there:032x} {bytes} {since} {path}\n")
    });
    replace(disk, paths::MIRROR, lines.collect::<String>().as_bytes())
}
