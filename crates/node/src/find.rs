//! Finding an entity by a part of what it is called, or by nearly that.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use cocli_core::usv::{RS, US};
use cocli_core::{Entity, Field, Kind, Target};
use cocli_store::Reader;
use cocli_store::names::{FIELDS, split};
use cocli_store::side::processors;

use crate::error::Result;
use crate::home::Home;
use crate::list::has_something;

/// Candidates kept for each one that is shown: some turn out to be renamed or removed.
const SPARE: usize = 4;
/// Letters from which on a text is worth a search for what is nearly so.
const NEARLY_MIN: usize = 3;

/// Candidates that are nearly what is looked for, at least: how near they are is told apart later.
const NEARLY_CANDIDATES: usize = 200;
/// Of those that are nearly so, what is this much less alike than the best is not shown.
const ALIKE: f64 = 0.1;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The best first.
    pub entities: Vec<(Target, Entity)>,
    /// Nobody is called so: these are nearly.
    pub nearly: bool,
}

/// Gives of some texts the places of those that are nearly the wanted one, with a score, best first, at most
/// so many.
pub type Nearly = dyn Fn(&str, &[&str], usize) -> Vec<(u16, usize)> + Sync;

/// How well a name fits; the least fits best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Whole,
    Begins,
    BeginsWord,
    Inside,
    Nearly(std::cmp::Reverse<u16>),
}

/// A name that may be what is looked for; of those that fit alike the shortest is best.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    fit: Fit,
    len: usize,
    target: String,
    name: String,
}

impl Home {
    /// The living entities whose slug, name, domain or address holds `text`, whatever its case, the best
    /// first; where none does those that are `nearly` so.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn find(&self, text: &str, most: usize, nearly: &Nearly) -> Result<Found> {
        let wanted = text.trim().to_lowercase();
        if wanted.is_empty() || most == 0 {
            return Ok(Found::default());
        }
        self.read(|reader| {
            let finder = memchr::memmem::Finder::new(&wanted);
            let holding = |names: &[u8], best: &mut Best| holding(names, &finder, best);
            let candidates = best(reader, most.saturating_mul(SPARE), &holding)?;
            let entities = living(reader, candidates, most, |names| {
                names.iter().any(|name| name.contains(&wanted))
            })?;
            if !entities.is_empty() || wanted.chars().count() < NEARLY_MIN {
                return Ok(Found { entities, nearly: false });
            }
            let near = |names: &[u8], best: &mut Best| near(names, &wanted, nearly, best);
            let many = most.max(NEARLY_CANDIDATES);
            let entities = nearest(reader, best(reader, many, &near)?, most, &wanted)?;
            Ok(Found { entities, nearly: true })
        })
    }
}

/// The best candidates so far.
struct Best {
    most: usize,
    all: BTreeSet<Candidate>,
}

impl Best {
    fn put(&mut self, fit: Fit, name: &str, target: &str) {
        let worse = |last: &Candidate| {
            (fit, name.len(), target) > (last.fit, last.len, last.target.as_str())
        };
        if self.all.len() >= self.most && self.all.last().is_some_and(worse) {
            return;
        }
        let (target, len) = (target.to_owned(), name.len());
        self.all.insert(Candidate { fit, len, target, name: name.to_owned() });
        if self.all.len() > self.most {
            self.all.pop_last();
        }
    }
}

fn best(
    reader: &Reader,
    most: usize,
    look: &(dyn Fn(&[u8], &mut Best) + Sync),
) -> cocli_store::Result<BTreeSet<Candidate>> {
    let all = Mutex::new(Best { most, all: BTreeSet::new() });
    reader.each_names(processors(), &|names| {
        let mut some = Best { most, all: BTreeSet::new() };
        look(names, &mut some);
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.all.append(&mut some.all);
        while all.all.len() > most {
            all.all.pop_last();
        }
    })?;
    Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner).all)
}

/// Names and slugs that hold what is looked for.
fn holding(names: &[u8], finder: &memchr::memmem::Finder<'_>, best: &mut Best) {
    let mut at = 0;
    while let Some(hit) = finder.find(&names[at..]) {
        let start = memchr::memrchr(RS, &names[..at + hit]).map_or(0, |end| end + 1);
        let end = memchr::memchr(RS, &names[at + hit..]).map_or(names.len(), |end| at + hit + end);
        at = (end + 1).min(names.len());
        let Some((target, name)) = split(&names[start..end]) else { continue };
        for text in [name, slug_of(target)] {
            if let Some(place) = finder.find(text.as_bytes()) {
                let before = text[..place].chars().next_back();
                let fit = match before {
                    None if text.len() == finder.needle().len() => Fit::Whole,
                    None => Fit::Begins,
                    Some(before) if !before.is_alphanumeric() => Fit::BeginsWord,
                    Some(_) => Fit::Inside,
                };
                best.put(fit, text, target);
            }
        }
    }
}

/// Names, or slugs of what has none, that are nearly what is looked for; slugs alone when it is spelled
/// like one.
fn near(names: &[u8], wanted: &str, nearly: &Nearly, best: &mut Best) {
    let Ok(names) = std::str::from_utf8(names) else { return };
    // Half as many texts as separators; which line one is of is asked of the few that are nearly so.
    let (mut texts, mut start, mut between) = (Vec::with_capacity(names.len() / 32), 0, 0);
    for at in memchr::memchr2_iter(US, RS, names.as_bytes()) {
        if names.as_bytes()[at] == US {
            between = at;
            continue;
        }
        if between >= start {
            texts.push(match between + 1 == at || wanted.contains('-') {
                true => slug_of(&names[start..between]),
                false => &names[between + 1..at],
            });
        }
        start = at + 1;
    }
    for (score, place) in nearly(wanted, &texts, best.most) {
        let Some(text) = texts.get(place) else { continue };
        let line = text.as_ptr() as usize - names.as_ptr() as usize;
        let start = memchr::memrchr(RS, &names.as_bytes()[..line]).map_or(0, |end| end + 1);
        let end = memchr::memchr(US, &names.as_bytes()[start..]).map_or(start, |at| start + at);
        best.put(Fit::Nearly(std::cmp::Reverse(score)), text, &names[start..end]);
    }
}

/// The last part of a target.
fn slug_of(target: &str) -> &str {
    target.split_once('/').map_or(target, |(_, slug)| slug)
}

/// Of the candidates those that are what they were found by, each once.
fn living(
    reader: &Reader,
    candidates: BTreeSet<Candidate>,
    most: usize,
    fits: impl Fn(&[String]) -> bool,
) -> cocli_store::Result<Vec<(Target, Entity)>> {
    let Ok(name) = Field::read("name") else { return Ok(Vec::new()) };
    let mut seen = HashSet::new();
    let once = candidates.into_iter().filter_map(|one| Target::read(&one.target).ok());
    let targets: Vec<Target> = once.filter(|target| seen.insert(target.clone())).collect();
    let mut found = Vec::new();
    for some in targets.chunks(most.max(1)) {
        let living = living_of(reader, some, &name)?;
        found.extend(living.into_iter().filter(|one| fits(&called(&one.0, &one.1))));
        if found.len() >= most {
            found.truncate(most);
            break;
        }
    }
    Ok(found)
}

/// Of some targets those that are entities, live, and have something to show.
fn living_of(
    reader: &Reader,
    targets: &[Target],
    name: &Field,
) -> cocli_store::Result<Vec<(Target, Entity)>> {
    let mut known = reader.entities(&targets.iter().cloned().collect())?;
    let found = targets.iter().filter_map(|target| known.remove_entry(target));
    let lives = |(target, entity): &(Target, Entity)| {
        let kind = Kind::of(target);
        kind.is_some() && entity.removed().is_none() && has_something(kind, entity, name)
    };
    Ok(found.filter(lives).collect())
}

/// Those that are most like what is looked for, letter by letter, the best first. A few at a time are looked
/// up, by the names that they were found by, until what is left cannot be better.
fn nearest(
    reader: &Reader,
    candidates: BTreeSet<Candidate>,
    most: usize,
    wanted: &str,
) -> cocli_store::Result<Vec<(Target, Entity)>> {
    let Ok(name) = Field::read("name") else { return Ok(Vec::new()) };
    let mut ranked: Vec<(f64, Target)> = candidates
        .into_iter()
        .filter_map(|one| {
            let target = Target::read(&one.target).ok()?;
            let slug = target.slug().to_lowercase();
            Some((alike(wanted, &one.name).max(alike(wanted, &slug)), target))
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut seen = HashSet::new();
    ranked.retain(|(_, target)| seen.insert(target.clone()));
    let mut found: Vec<(f64, (Target, Entity))> = Vec::new();
    for some in ranked.chunks(most) {
        let worst = found.last().map_or(0.0, |last| last.0);
        if found.len() >= most && some[0].0 <= worst {
            break;
        }
        let targets: Vec<Target> = some.iter().map(|(_, target)| target.clone()).collect();
        for one in living_of(reader, &targets, &name)? {
            let names = called(&one.0, &one.1);
            let score = names.iter().map(|name| alike(wanted, name)).fold(0.0, f64::max);
            found.push((score, one));
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.truncate(most);
    }
    let best = found.first().map_or(0.0, |first| first.0);
    found.retain(|(score, _)| score + ALIKE >= best);
    Ok(found.into_iter().map(|(_, one)| one).collect())
}

/// How like a name, or one of its words, is to what is looked for: up to 1.
fn alike(wanted: &str, name: &str) -> f64 {
    let words = name.split(|c: char| !c.is_alphanumeric());
    let all = words.chain([name]).map(|text| strsim::jaro_winkler(wanted, text));
    all.fold(0.0, f64::max)
}

/// All that an entity is called, in lower case.
fn called(target: &Target, entity: &Entity) -> Vec<String> {
    let values = entity.fields.iter().filter(|(field, _)| FIELDS.contains(&field.as_str()));
    let values = values.map(|(_, entry)| entry.value.as_str().to_lowercase());
    values.chain([target.slug().to_lowercase()]).collect()
}
