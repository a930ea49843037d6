//! Notes and meetings as files: which target a file is of, and what a file that a person made says by its name.
//! docs/cards.md, "Notes and meetings".

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use cocli_core::digest::hash;
use cocli_core::entity::FILE;
use cocli_core::schema::POOL;
use cocli_core::{Entity, Field, Instant, Kind, Moment, Target, Value, convo};
use cocli_store::disk::FileKind;
use cocli_store::side::processors;
use cocli_store::{Disk, StoreError, paths};

use crate::cards::Shelves;
use crate::change::{Change, Intent};
use crate::error::Result;
use crate::followup;
use crate::home::Home;
use crate::slug::slug;

/// Longest slug in an id that is made from the name of a file.
const SLUG_BYTES_MAX: usize = 48;
const SECOND_MICROS: i64 = 1_000_000;

/// The target of a file of an entity's notes or meetings. The same name gives the same target on every node: the id is the name itself where it can be
/// one, else its slug with eight digits of its hash.
pub(crate) fn target_of(entity: &str, kind: Kind, name: &str) -> Option<Target> {
    let at = |id: &str| Target::read(&format!("{}/{id}", paths::convos(entity, kind))).ok();
    let id = name.to_ascii_lowercase();
    if convo::file_name(&id) == name
        && let Some(target) = at(&id)
    {
        return Some(target);
    }
    by_hash(entity, kind, name, name)
}

/// The target of a file whose name is that of another note or meeting, which has another file by now; `n` counts
/// those that there were.
pub(crate) fn namesake(entity: &str, kind: Kind, name: &str, n: u32) -> Option<Target> {
    by_hash(entity, kind, name, &format!("{name}/{n}"))
}

/// The slug of a name, with eight digits of the hash of a text.
fn by_hash(entity: &str, kind: Kind, name: &str, text: &str) -> Option<Target> {
    let slug = slug(name);
    let slug = slug[..slug.len().min(SLUG_BYTES_MAX)].trim_end_matches('-');
    let id = format!("{slug}-{:08x}", hash(text.as_bytes()) as u32);
    Target::read(&format!("{}/{id}", paths::convos(entity, kind))).ok()
}

/// The targets of all files of an entity's notes, or meetings, with the paths of these.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn in_folder(
    disk: &dyn Disk,
    entity: &str,
    kind: Kind,
) -> Result<Vec<(Target, String)>, StoreError> {
    let folder = paths::convos(entity, kind);
    let mut found = Vec::new();
    let mut take = |name: &str, is: FileKind| {
        let path = paths::in_convos(&folder, name);
        let of = paths::convo_of(&path).filter(|_| is == FileKind::File);
        if let Some(target) = of.and_then(|(entity, kind, name)| target_of(entity, kind, name)) {
            found.push((target, path));
        }
    };
    let listed = disk.list_each(&folder, &mut take);
    listed.map_err(|source| StoreError::Io { path: folder, doing: "list", source })?;
    Ok(found)
}

/// What the name and the time of a new file say, where it says nothing of that itself: when it was, what it is
/// called, and the name.
pub(crate) fn implied(
    target: &Target,
    path: &str,
    has: &dyn Fn(&str) -> bool,
    now: Instant,
) -> Vec<Change> {
    let Some((_, _, name)) = paths::convo_of(path) else { return Vec::new() };
    let (moment, title) =
        (convo::moment(name).unwrap_or_else(|| to_the_second(now)).to_string(), convo::title(name));
    let own = paths::card(target, None).as_deref() == Some(path);
    let mut implied = Vec::new();
    if !has("timestamp") {
        implied.push(("timestamp", moment));
    }
    if !has("title") && !title.is_empty() {
        implied.push(("title", title));
    }
    if !own {
        implied.push((FILE, name.to_owned()));
    }
    let change = |(field, text): (&str, String)| {
        let field = Field::read(field).ok()?;
        Some(Change::new(target.clone(), field, Intent::Put(Value::text(&text))))
    };
    implied.into_iter().filter_map(change).collect()
}

/// A moment as it stands in the field `timestamp`: to the second, as the Python program writes it.
#[must_use]
pub fn to_the_second(moment: Instant) -> Moment {
    let micros = moment.micros() - moment.micros().rem_euclid(SECOND_MICROS);
    Moment::At(Instant::from_micros(micros).unwrap_or(moment))
}

/// A note or meeting.
#[derive(Debug, Clone)]
pub struct Convo {
    /// Which.
    pub target: Target,
    /// When it was, or will be; nothing where neither it nor its id says so.
    pub at: Option<Moment>,
    /// What is known of it.
    pub entity: Entity,
}

impl Convo {
    /// The entity that it stands below.
    #[must_use]
    pub fn of(&self) -> &str {
        self.target.entity()
    }

    /// A field as text; empty where there is none.
    #[must_use]
    pub fn text(&self, field: &str) -> String {
        followup::text(&self.entity, &self.target, field)
    }
}

/// When a note or meeting was: by its field, else by its id.
#[must_use]
pub fn moment(target: &Target, entity: &Entity) -> Option<Moment> {
    let field = Field::read("timestamp").ok()?;
    let text = entity.fields.get(&field).map(|entry| entry.value.shown().into_owned());
    // The Python program puts a `Z` behind an offset.
    let read = |text: String| {
        Moment::read(text.trim()).or_else(|| Moment::read(text.trim().strip_suffix('Z')?))
    };
    let id = target.as_str().rsplit('/').next().unwrap_or_default();
    text.and_then(read).or_else(|| convo::moment(id))
}

impl Home {
    /// The targets of all files of an entity's notes and meetings.
    pub(crate) fn convo_files(&self, of: &Target) -> Result<Vec<Target>> {
        let (shelves, mut targets) = (Shelves::of(&*self.disk, of)?, Vec::new());
        for kind in Kind::CONVOS {
            let there = shelves.look(of).convos(of.as_str(), kind)?;
            targets.extend(there.into_iter().map(|(target, _)| target));
        }
        Ok(targets)
    }

    /// The notes, or meetings, of an entity, or of all of them, in the order of their time.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn convos(&self, of: Option<&Target>, kind: Kind) -> Result<Vec<Convo>> {
        let found = Mutex::new(Vec::new());
        let needles = [format!("/{}/", kind.plural()).into_bytes()];
        let take = |target: Target, entity: Entity| {
            let is_shown = entity.removed().is_none() && !entity.shown(Some(kind)).is_empty();
            if Kind::of(&target) == Some(kind) && is_shown {
                let at = moment(&target, &entity);
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found.push(Convo { target, at, entity });
            }
        };
        let removed: BTreeSet<Target> = self.read(|reader| {
            match of {
                Some(of) => {
                    reader.below(of)?.into_iter().for_each(|(target, entity)| take(target, entity))
                }
                None => {
                    for collection in POOL {
                        reader.search(processors(), &format!("{collection}/"), &needles, &take)?;
                    }
                }
            }
            let found = found.lock().unwrap_or_else(PoisonError::into_inner);
            let owners = found.iter().filter_map(|convo| Target::read(convo.of()).ok()).collect();
            let owners = reader.entities(&owners)?.into_iter();
            Ok(owners.filter(|(_, owner)| owner.removed().is_some()).map(|(of, _)| of).collect())
        })?;
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.retain(|convo| removed.iter().all(|of| of.as_str() != convo.of()));
        // Of one moment, as they were written.
        let place = |convo: &Convo| {
            let written = convo.entity.fields.values().map(|entry| entry.stamp.instant).min();
            (convo.at.map(Moment::utc), written, convo.target.clone())
        };
        found.sort_by_cached_key(place);
        Ok(found)
    }
}
