//! A page of a collection, in the order of slugs: of all entities only those that it shows are read whole.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use cocli_core::schema::POOL;
use cocli_core::usv::RS;
use cocli_core::{Entity, Field, Kind, Target};
use cocli_store::Reader;
use cocli_store::names::split;
use cocli_store::side::processors;

use crate::error::Result;
use crate::home::Home;
use crate::list::{Condition, has_something};

/// Candidates asked for beyond what is shown: some turn out to be removed.
const SPARE: usize = 16;

/// Where a page begins, or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned<'a> {
    /// Behind this slug; the empty one is before all.
    After(&'a str),
    /// Before this slug.
    Before(&'a str),
}

/// Some entities of a collection that follow each other.
#[derive(Debug, Default)]
pub struct Page {
    /// Them, by slug.
    pub entities: Vec<(Target, Entity)>,
    /// Whether there are others before them.
    pub earlier: bool,
    /// Whether there are others behind them.
    pub later: bool,
    /// How many there are on all pages, where that was found on the way.
    pub all: Option<usize>,
}

impl Home {
    /// How many companies and people there are that are neither removed nor empty.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn count(&self) -> Result<[usize; 2]> {
        Ok(self.read(|reader| reader.tally(POOL))?.living)
    }

    /// The next, or last, living entities of a collection from a slug on that all conditions hold for, at most so many.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn page(
        &self,
        collection: &str,
        all: &[Condition],
        turned: Turned<'_>,
        most: usize,
    ) -> Result<Page> {
        if all.is_empty() {
            return self.read(|reader| of_names(reader, collection, turned, most));
        }
        let fitting = self.which(collection, all)?;
        let (start, end) = match turned {
            Turned::After(slug) => {
                let start = fitting.partition_point(|target| target.slug() <= slug);
                (start, fitting.len().min(start.saturating_add(most)))
            }
            Turned::Before(slug) => {
                let end = fitting.partition_point(|target| target.slug() < slug);
                (end.saturating_sub(most), end)
            }
        };
        let shown: BTreeSet<Target> = fitting[start..end].iter().cloned().collect();
        let entities = self.read(|reader| reader.entities(&shown))?.into_iter().collect();
        let (earlier, later) = (start > 0, end < fitting.len());
        Ok(Page { entities, earlier, later, all: Some(fitting.len()) })
    }
}

/// By what entities are called, which is a twentieth of what is known of them.
fn of_names(
    reader: &Reader,
    collection: &str,
    turned: Turned<'_>,
    most: usize,
) -> cocli_store::Result<Page> {
    let Ok(name) = Field::read("name") else { return Ok(Page::default()) };
    let mut living: Vec<(Target, Entity)> = Vec::new();
    let mut edge = match turned {
        Turned::After(slug) | Turned::Before(slug) => slug.to_owned(),
    };
    let wanted = most.saturating_add(1);
    while living.len() < wanted {
        let from = match turned {
            Turned::After(_) => Turned::After(&edge),
            Turned::Before(_) => Turned::Before(&edge),
        };
        let asked = wanted - living.len() + SPARE;
        let slugs = slugs(reader, collection, from, asked)?;
        let targets =
            slugs.iter().filter_map(|slug| Target::read(&format!("{collection}/{slug}")).ok());
        let known = reader.entities(&targets.collect())?.into_iter();
        let lives = known.filter(|(target, entity)| {
            entity.removed().is_none() && has_something(Kind::of(target), entity, &name)
        });
        living.extend(lives);
        let last = match turned {
            Turned::After(_) => slugs.last(),
            Turned::Before(_) => slugs.first(),
        };
        match last {
            Some(last) if slugs.len() >= asked => edge.clone_from(last),
            _ => break,
        }
    }
    living.sort_by(|one, other| one.0.cmp(&other.0));
    let more = living.len() > most;
    Ok(match turned {
        Turned::After(slug) => {
            living.truncate(most);
            Page { entities: living, earlier: !slug.is_empty(), later: more, all: None }
        }
        Turned::Before(_) => {
            let first = living.len().saturating_sub(most);
            Page { entities: living.split_off(first), earlier: more, later: true, all: None }
        }
    })
}

/// The nearest slugs on one side of a slug, at most so many, whether their entities live or not.
fn slugs(
    reader: &Reader,
    collection: &str,
    from: Turned<'_>,
    most: usize,
) -> cocli_store::Result<BTreeSet<String>> {
    let all = Mutex::new(BTreeSet::new());
    reader.each_names(processors(), &|names| {
        let mut some = BTreeSet::new();
        for line in names.split(|byte| *byte == RS) {
            let target = split(line).and_then(|(target, _)| target.split_once('/'));
            let Some((_, slug)) = target.filter(|(of, _)| *of == collection) else { continue };
            let full = some.len() >= most;
            let near = match from {
                Turned::After(edge) => slug > edge && !(full && some.last() < Some(&slug)),
                Turned::Before(edge) => slug < edge && !(full && some.first() > Some(&slug)),
            };
            if near {
                some.insert(slug);
                trim(&mut some, from, most);
            }
        }
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(some.into_iter().map(str::to_owned));
        trim(&mut all, from, most);
    })?;
    Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Leaves the nearest.
fn trim<S: Ord>(slugs: &mut BTreeSet<S>, from: Turned<'_>, most: usize) {
    while slugs.len() > most {
        match from {
            Turned::After(_) => slugs.pop_last(),
            Turned::Before(_) => slugs.pop_first(),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use proptest::prelude::*;

    use super::*;
    use crate::support::{at, compact, home};

    fn slugs_of(page: &Page) -> Vec<String> {
        page.entities.iter().map(|(target, _)| target.slug().to_owned()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn pages_forth_and_back_show_each_entity_of_a_list_once_and_in_order(
            records in prop::collection::vec((0..40_usize, prop::sample::select(vec!["city", "_deleted", "tags.lead"]), any::<bool>()), 1..60),
            merged in 0..60_usize,
            most in 1..9_usize,
            filtered in any::<bool>(),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let home = home(dir.path(), "n", at(0));
            let path = dir.path().join("wal/20261101_scraper.usv");
            let line = |(n, (slug, field, on)): (usize, &(usize, &str, bool))| {
                let value = if *on { "true" } else { "null" };
                format!("2026-11-01T00:00:{n:02}.000000+00:00\x1fscraper\x1fcompanies/c{slug:02}\x1f{field}\x1f{value}\x1f\x1e")
            };
            let lines: Vec<String> = records.iter().enumerate().map(line).collect();
            std::fs::write(&path, lines[..merged.min(lines.len())].concat()).unwrap();
            compact(&home, at(1));
            std::fs::write(&path, lines.concat()).unwrap();
            let conditions = if filtered { vec![Condition::new("city", "true").unwrap()] } else { Vec::new() };
            let listed = home.list("companies", &conditions, |_, _| ()).unwrap();
            let listed: Vec<String> = listed.iter().map(|(t, ())| t.slug().to_owned()).collect();
            let mut forth: Vec<Vec<String>> = Vec::new();
            loop {
                let edge = forth.last().and_then(|page| page.last().cloned()).unwrap_or_default();
                let page = home.page("companies", &conditions, Turned::After(&edge), most).unwrap();
                prop_assert!(page.entities.len() <= most);
                prop_assert_eq!(page.earlier, !forth.is_empty());
                prop_assert_eq!(page.later, forth.concat().len() + page.entities.len() < listed.len());
                forth.push(slugs_of(&page));
                if !page.later { break }
            }
            prop_assert_eq!(&forth.concat(), &listed);
            for pair in forth.windows(2) {
                let back = home.page("companies", &conditions, Turned::Before(&pair[1][0]), most).unwrap();
                prop_assert_eq!(slugs_of(&back), pair[0].clone());
                prop_assert_eq!((back.earlier, back.later), (pair[0] != forth[0], true));
            }
        }
    }
}
