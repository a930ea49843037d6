//! Among those that conditions hold for.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cocli_core::schema::POOL;
use cocli_core::usv::US;
use cocli_core::{Entity, Field, Kind, Target};
use cocli_store::Reader;
use cocli_store::side::processors;

use super::{ALIKE, Fit, Found, NEARLY_CANDIDATES, NEARLY_MIN, Nearly, Query, alike, called};
use crate::list::{Condition, has_something};

/// The order of what is found: metres to the place, then how the text fits, then how long it is, then the target.
type Rank = (u64, Option<Fit>, usize, Target);

/// What was met so far.
#[derive(Default)]
struct Met {
    /// The best of those that hold the text.
    best: BTreeMap<Rank, (Entity, f64)>,
    /// All others that the conditions hold for, by what they are called.
    others: Vec<(Target, f64, Vec<String>)>,
}

pub(super) fn find(
    reader: &Reader,
    query: &Query,
    most: usize,
    nearly: &Nearly,
) -> cocli_store::Result<Found> {
    let Ok(name) = Field::read("name") else { return Ok(Found::default()) };
    let met = Mutex::new(Met::default());
    let finder = memchr::memmem::Finder::new(query.wanted());
    let needles = needles(query);
    for collection in POOL {
        reader.search(processors(), &format!("{collection}/"), &needles, &|target, entity| {
            let kind = Kind::of(&target);
            let is_one = target.is_entity()
                && entity.removed().is_none()
                && query.conditions.iter().all(|condition| condition.holds(kind, &entity))
                && has_something(kind, &entity, &name);
            let away = match query.place() {
                Some(place) if is_one => place.distance(kind, &entity),
                _ => is_one.then_some(0.0),
            };
            if let Some(away) = away {
                met.lock().unwrap_or_else(PoisonError::into_inner).put(
                    (target, entity, away),
                    &finder,
                    most,
                );
            }
        })?;
    }
    let met = met.into_inner().unwrap_or_else(PoisonError::into_inner);
    let wanted = query.wanted();
    if !met.best.is_empty() || wanted.chars().count() < NEARLY_MIN {
        let all = met.best.into_iter().map(|(rank, (entity, away))| (rank.3, entity, away));
        return Ok(shown(query, all.collect(), false));
    }
    let near = met.nearest(wanted, most, nearly);
    let targets = near.iter().map(|(target, _)| target.clone()).collect();
    let mut known = reader.entities(&targets)?;
    let all = near.into_iter();
    let all = all.filter_map(|(target, away)| Some((known.remove_entry(&target)?, away)));
    let all: Vec<_> = all.map(|((target, entity), away)| (target, entity, away)).collect();
    Ok(shown(query, all, true))
}

/// Of each that all conditions hold for one of these stands in a state line.
fn needles(query: &Query) -> Vec<Vec<u8>> {
    let place = query.place().into_iter().map(|_| {
        let between = [&[US], &b"latitude"[..], &[US]];
        vec![between.concat()]
    });
    let all = query.conditions.iter().map(Condition::needles).chain(place);
    all.into_iter().find(|needles| !needles.is_empty()).unwrap_or_default()
}

fn shown(query: &Query, all: Vec<(Target, Entity, f64)>, nearly: bool) -> Found {
    let mut found = Found { nearly, ..Found::default() };
    for (target, entity, away) in all {
        found.entities.push((target, entity));
        found.kilometres.extend(query.place().map(|_| away));
    }
    found
}

impl Met {
    fn put(
        &mut self,
        (target, entity, away): (Target, Entity, f64),
        finder: &memchr::memmem::Finder<'_>,
        most: usize,
    ) {
        let (mut fit, mut len) = (None, 0);
        if !finder.needle().is_empty() {
            let names = called(&target, &entity);
            let fits = names.iter().filter_map(|name| Some((Fit::of(name, finder)?, name.len())));
            match fits.min() {
                Some(best) => (fit, len) = (Some(best.0), best.1),
                None => return self.others.push((target, away, names)),
            }
        }
        self.best.insert(((away * 1000.0) as u64, fit, len, target), (entity, away));
        if self.best.len() > most {
            self.best.pop_last();
        }
    }

    /// Those that are nearly called so, the best first.
    fn nearest(&self, wanted: &str, most: usize, nearly: &Nearly) -> Vec<(Target, f64)> {
        let whose = self.others.iter().enumerate();
        let whose = whose.flat_map(|(at, (_, _, names))| names.iter().map(move |name| (at, name)));
        let whose: Vec<(usize, &String)> = whose.collect();
        let texts: Vec<&str> = whose.iter().map(|(_, name)| name.as_str()).collect();
        let mut ranked: BTreeMap<usize, f64> = BTreeMap::new();
        for (_, place) in nearly(wanted, &texts, most.max(NEARLY_CANDIDATES)) {
            if let Some((at, name)) = whose.get(place) {
                let score = ranked.entry(*at).or_default();
                *score = score.max(alike(wanted, name));
            }
        }
        let mut ranked: Vec<(usize, f64)> = ranked.into_iter().collect();
        let key = |one: &(usize, f64)| Reverse((one.1 * 1e6) as u64);
        ranked.sort_by(|a, b| (key(a), &self.others[a.0].0).cmp(&(key(b), &self.others[b.0].0)));
        let best = ranked.first().map_or(0.0, |first| first.1);
        ranked.retain(|(_, score)| score + ALIKE >= best);
        ranked.truncate(most);
        let one = |(at, _): &(usize, f64)| (self.others[*at].0.clone(), self.others[*at].1);
        ranked.iter().map(one).collect()
    }
}
