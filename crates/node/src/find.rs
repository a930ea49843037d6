//! Finding an entity by a part of what it is called, or by nearly that, among all or those that some conditions hold for.

mod filtered;
mod place;
mod query;
mod said;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use cocli_core::usv::{RS, US};
use cocli_core::{Entity, Field, Kind, Target};
use cocli_store::Reader;
use cocli_store::names::{FIELDS, Found as By, digits, lower, split};
use cocli_store::side::processors;
use memchr::memmem::Finder;
use serde_json::Value as Json;

use crate::error::Result;
use crate::home::Home;
use crate::list::has_something;

pub use place::Place;
pub use query::Query;
pub use said::Said;

/// Candidates kept for each one that is shown: some turn out to be renamed or removed. Where nearly all are, so many
/// times as many are asked for.
const SPARE: usize = 4;
/// Letters from which on a text is worth a search for what is nearly so.
const NEARLY_MIN: usize = 3;

/// Letters from which on what is nearly so is looked for by its parts first.
const PARTS_MIN: usize = 8;
/// Of three parts two slips of the finger leave one as it is.
const PARTS: usize = 3;
/// How like what is wanted the best must be that the parts led to; else all is looked at.
const LIKELY: f64 = 0.9;
/// Candidates that are nearly what is looked for, at least: how near they are is told apart later.
const NEARLY_CANDIDATES: usize = 200;
/// Of those that are nearly so, what is this much less alike than the best is not shown.
const ALIKE: f64 = 0.1;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The best first; the nearest first, where a place was given.
    pub entities: Vec<(Target, Entity)>,
    /// How far each is from the place, in kilometres, where one was given.
    pub kilometres: Vec<f64>,
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    fit: Fit,
    len: usize,
    target: String,
    name: String,
}

impl Home {
    /// The living entities that all conditions hold for and whose slug, name, domain, addresses, tags or telephone numbers
    /// hold the text, whatever its case, the best first; where none does those that are `nearly` so.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn find(&self, query: &Query, most: usize, nearly: &Nearly) -> Result<Found> {
        if most == 0 || query.is_empty() {
            return Ok(Found::default());
        }
        self.read(|reader| match query.is_text() {
            true => anybody(reader, query, most, nearly),
            false => filtered::find(reader, query, most, nearly),
        })
    }
}

/// Of all entities.
fn anybody(
    reader: &Reader,
    query: &Query,
    most: usize,
    nearly: &Nearly,
) -> cocli_store::Result<Found> {
    let finders: Vec<Finder<'_>> = query.texts().map(Finder::new).collect();
    let holds = |names: &[u8], best: &mut Best| {
        finders.iter().for_each(|finder| holding(names, finder, best));
    };
    let mut many = most.saturating_mul(SPARE);
    let entities = loop {
        let candidates = best(reader, (many, query.collection), &holds)?;
        let all = candidates.len() < many;
        let fits = |names: &[String]| {
            names.iter().any(|name| query.texts().any(|text| name.contains(text)))
        };
        let living = living(reader, candidates, most, fits)?;
        if all || living.len() >= most {
            break living;
        }
        many = many.saturating_mul(SPARE * SPARE);
    };
    let wanted = query.near_text();
    if !entities.is_empty() || wanted.chars().count() < NEARLY_MIN {
        return Ok(Found { entities, ..Found::default() });
    }
    let many = most.max(NEARLY_CANDIDATES);
    let found = |near: &(dyn Fn(&[u8], &mut Best) + Sync)| {
        nearest(reader, best(reader, (many, query.collection), near)?, most, wanted)
    };
    let mut all = Vec::new();
    if let Some(parts) = parts(wanted) {
        all = found(&|names, best| near_parts(names, (wanted, &parts), nearly, best))?;
    }
    if all.first().is_none_or(|(score, _)| *score < LIKELY) {
        all = found(&|names, best| near(names, wanted, nearly, best))?;
    }
    let entities = all.into_iter().map(|(_, one)| one).collect();
    Ok(Found { entities, nearly: true, ..Found::default() })
}

/// A text cut into as many parts as leave one untouched by what is typed wrong; nothing where they would be short.
fn parts(wanted: &str) -> Option<Vec<Finder<'static>>> {
    let letters: Vec<char> = wanted.chars().collect();
    let part = letters.chunks(letters.len().div_ceil(PARTS));
    let finder = |part: &[char]| Finder::new(&part.iter().collect::<String>()).into_owned();
    (letters.len() >= PARTS_MIN).then(|| part.map(finder).collect())
}

/// The best candidates so far, of each target the best.
#[derive(Default)]
struct Best {
    most: usize,
    collection: Option<&'static str>,
    all: BTreeSet<Candidate>,
    /// The one of each target.
    of: HashMap<String, Candidate>,
}

impl Best {
    fn put(&mut self, fit: Fit, name: &str, target: &str) {
        let worse = |last: &Candidate| {
            (fit, name.len(), target) > (last.fit, last.len, last.target.as_str())
        };
        let collection = target.split('/').next();
        if self.collection.is_some() && self.collection != collection {
            return;
        }
        if self.all.len() >= self.most && self.all.last().is_some_and(worse) {
            return;
        }
        let (target, name) = (target.to_owned(), name.to_owned());
        let new = Candidate { fit, len: name.len(), target, name };
        if self.of.get(&new.target).is_some_and(|held| *held <= new) {
            return;
        }
        if let Some(held) = self.of.insert(new.target.clone(), new.clone()) {
            self.all.remove(&held);
        }
        self.all.insert(new);
        if self.all.len() > self.most
            && let Some(last) = self.all.pop_last()
        {
            self.of.remove(&last.target);
        }
    }
}

fn best(
    reader: &Reader,
    (most, collection): (usize, Option<&'static str>),
    look: &(dyn Fn(&[u8], &mut Best) + Sync),
) -> cocli_store::Result<BTreeSet<Candidate>> {
    let fresh = || Best { most, collection, ..Best::default() };
    let all = Mutex::new(fresh());
    reader.each_names(processors(), &|names| {
        let mut some = fresh();
        look(names, &mut some);
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        some.all.iter().for_each(|one| all.put(one.fit, &one.name, &one.target));
    })?;
    Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner).all)
}

/// Names and slugs that hold what is looked for.
fn holding(names: &[u8], finder: &Finder<'_>, best: &mut Best) {
    for (target, name) in lines_with(names, finder).filter_map(split) {
        for text in [name, slug_of(target)] {
            if let Some(fit) = Fit::of(text, finder) {
                best.put(fit, text, target);
            }
        }
    }
}

/// The lines that hold a text.
fn lines_with<'n>(names: &'n [u8], finder: &Finder<'_>) -> impl Iterator<Item = &'n [u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let hit = at + finder.find(names.get(at..)?)?;
        let start = memchr::memrchr(RS, &names[..hit]).map_or(0, |end| end + 1);
        let end = memchr::memchr(RS, &names[hit..]).map_or(names.len(), |end| hit + end);
        at = end + 1;
        Some(&names[start..end])
    })
}

impl Fit {
    /// How a text fits that holds what is looked for.
    fn of(text: &str, finder: &Finder<'_>) -> Option<Self> {
        let place = finder.find(text.as_bytes())?;
        Some(match text[..place].chars().next_back() {
            None if text.len() == finder.needle().len() => Self::Whole,
            None => Self::Begins,
            Some(before) if !before.is_alphanumeric() => Self::BeginsWord,
            Some(_) => Self::Inside,
        })
    }
}

/// Names, or slugs, that hold a part of what is looked for and are nearly it.
fn near_parts(
    names: &[u8],
    (wanted, parts): (&str, &[Finder<'_>]),
    nearly: &Nearly,
    best: &mut Best,
) {
    let mut lines: Vec<&[u8]> = parts.iter().flat_map(|part| lines_with(names, part)).collect();
    lines.sort_unstable_by_key(|line| line.as_ptr());
    lines.dedup_by_key(|line| line.as_ptr());
    let lines: Vec<(&str, &str)> = lines.into_iter().filter_map(split).collect();
    let is_slug = like_a_slug(wanted);
    let texts: Vec<&str> = lines.iter().map(|line| compared(*line, is_slug)).collect();
    for (score, place) in nearly(wanted, &texts, best.most) {
        if let (Some(line), Some(text)) = (lines.get(place), texts.get(place)) {
            best.put(Fit::Nearly(std::cmp::Reverse(score)), text, line.0);
        }
    }
}

/// Names, or slugs of what has none, that are nearly what is looked for; slugs alone when it is spelled
/// like one.
fn near(names: &[u8], wanted: &str, nearly: &Nearly, best: &mut Best) {
    let Ok(names) = std::str::from_utf8(names) else { return };
    // Half as many texts as separators; which line one is of is asked of the few that are nearly so.
    let (mut texts, mut start, mut between) = (Vec::with_capacity(names.len() / 32), 0, 0);
    let (is_slug, has_digits) =
        (like_a_slug(wanted), wanted.contains(|c: char| c.is_ascii_digit()));
    for at in memchr::memchr2_iter(US, RS, names.as_bytes()) {
        if names.as_bytes()[at] == US {
            between = at;
            continue;
        }
        if between >= start {
            let text = compared((&names[start..between], &names[between + 1..at]), is_slug);
            // No text is nearly a number.
            if has_digits || !text.bytes().all(|b| b.is_ascii_digit()) {
                texts.push(text);
            }
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

/// What of a line is compared with what is looked for: the name, or the slug where there is none, or one is typed.
fn compared<'n>((target, name): (&'n str, &'n str), is_slug: bool) -> &'n str {
    if is_slug || name.is_empty() { slug_of(target) } else { name }
}

/// Whether a text is spelled as slugs are, and not as addresses or names.
fn like_a_slug(text: &str) -> bool {
    text.contains('-') && !text.contains(['@', '.', ' '])
}

/// The last part of a target.
fn slug_of(target: &str) -> &str {
    target.split_once('/').map_or(target, |(_, slug)| slug)
}

/// Of the candidates those that are what they were found by.
fn living(
    reader: &Reader,
    candidates: BTreeSet<Candidate>,
    most: usize,
    fits: impl Fn(&[String]) -> bool,
) -> cocli_store::Result<Vec<(Target, Entity)>> {
    let Ok(name) = Field::read("name") else { return Ok(Vec::new()) };
    let targets = candidates.into_iter().filter_map(|one| Target::read(&one.target).ok());
    let targets: Vec<Target> = targets.collect();
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
) -> cocli_store::Result<Vec<(f64, (Target, Entity))>> {
    let Ok(name) = Field::read("name") else { return Ok(Vec::new()) };
    let mut ranked: Vec<(f64, Target)> = candidates
        .into_iter()
        .filter_map(|one| {
            let target = Target::read(&one.target).ok()?;
            let slug = lower(target.slug());
            Some((alike(wanted, &one.name).max(alike(wanted, &slug)), target))
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut found: Vec<(f64, (Target, Entity))> = Vec::new();
    for some in ranked.chunks(most) {
        let worst = found.last().map_or(0.0, |last| last.0);
        if found.len() >= most && some[0].0 <= worst {
            break;
        }
        let targets: Vec<Target> = some.iter().map(|(_, target)| target.clone()).collect();
        for one in living_of(reader, &targets, &name)? {
            found.push((likest(wanted, &called(&one.0, &one.1)), one));
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.truncate(most);
    }
    let best = found.first().map_or(0.0, |first| first.0);
    found.retain(|(score, _)| score + ALIKE >= best);
    Ok(found)
}

/// How like a name, or one of its words, is to what is looked for: up to 1.
fn alike(wanted: &str, name: &str) -> f64 {
    let words = name.split(|c: char| !c.is_alphanumeric());
    let all = words.chain([name]).map(|text| strsim::jaro_winkler(wanted, text));
    all.fold(0.0, f64::max)
}

/// How like the likest of some names is.
fn likest(wanted: &str, names: &[String]) -> f64 {
    names.iter().map(|name| alike(wanted, name)).fold(0.0, f64::max)
}

/// All that an entity is found by, in lower case.
fn called(target: &Target, entity: &Entity) -> Vec<String> {
    let mut all = vec![lower(target.slug())];
    for (field, by) in &FIELDS {
        let Ok(field) = Field::read(field) else { continue };
        let Some(value) = entity.value(Kind::of(target), &field) else { continue };
        if value.is_null() {
            continue;
        }
        let members = match value.to_json() {
            Json::Array(items) if matches!(by, By::Members | By::MembersDigits) => items,
            _ => vec![Json::from(value.shown())],
        };
        let texts = members.iter().filter_map(Json::as_str);
        all.extend(texts.map(|text| match by {
            By::Name | By::Members => lower(text),
            By::Digits | By::MembersDigits => digits(text),
        }));
    }
    all
}
