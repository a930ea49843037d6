//! Among those that conditions hold for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use cocli_core::schema::POOL;
use cocli_core::{Entity, Field, Kind, Target};
use cocli_store::Reader;
use cocli_store::side::processors;
use memchr::memmem::Finder;

use super::{ALIKE, Fit, Found, NEARLY_CANDIDATES, NEARLY_MIN, Nearly, Query, called, likest};
use crate::list::{Condition, has_something};
use crate::needle;

/// Others that are held before only those are kept that are nearly called so.
const OTHERS_MAX: usize = 20_000;

/// The order of what is found: metres to the place, then how the text fits, then how long it is, then the target.
type Rank = (u64, Fit, usize, Target);

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
    let finders: Vec<Finder<'_>> = query.texts().map(Finder::new).collect();
    let needles = needles(query);
    for collection in POOL.into_iter().filter(|one| query.collection.is_none_or(|of| of == *one)) {
        reader.search(processors(), &format!("{collection}/"), &needles, &|target, entity| {
            let kind = Kind::of(&target);
            let is_one = target.is_entity()
                && entity.removed().is_none()
                && query.conditions.iter().all(|condition| condition.holds(kind, &entity))
                && has_something(kind, &entity, &name);
            let away = match &query.place {
                Some(place) if is_one => place.distance(kind, &entity),
                _ => is_one.then_some(0.0),
            };
            let Some(away) = away else { return };
            let names = called(&target, &entity);
            let fits = names.iter().flat_map(|name| finders.iter().map(move |f| (name, f)));
            let fit = match query.wanted().is_empty() {
                true => Some((Fit::Whole, 0)),
                false => fits.filter_map(|(name, f)| Some((Fit::of(name, f)?, name.len()))).min(),
            };
            let mut met = met.lock().unwrap_or_else(PoisonError::into_inner);
            match fit {
                Some((fit, len)) => {
                    met.best.insert((metres(away), fit, len, target), (entity, away));
                    if met.best.len() > most {
                        met.best.pop_last();
                    }
                }
                None => {
                    met.others.push((target, away, names));
                    if met.others.len() >= OTHERS_MAX {
                        met.near(query.near_text(), most.max(NEARLY_CANDIDATES), nearly);
                    }
                }
            }
        })?;
    }
    let mut met = met.into_inner().unwrap_or_else(PoisonError::into_inner);
    let wanted = query.near_text();
    if !met.best.is_empty() || wanted.chars().count() < NEARLY_MIN {
        let all = met.best.into_iter().map(|(rank, (entity, away))| (rank.3, entity, away));
        return Ok(shown(query, all.collect(), false));
    }
    met.near(wanted, most.max(NEARLY_CANDIDATES), nearly);
    met.others.truncate(most);
    let targets = met.others.iter().map(|(target, ..)| target.clone()).collect();
    let mut known = reader.entities(&targets)?;
    let all = met.others.into_iter();
    let all = all.filter_map(|(target, away, _)| Some((known.remove_entry(&target)?, away)));
    let all: Vec<_> = all.map(|((target, entity), away)| (target, entity, away)).collect();
    Ok(shown(query, all, true))
}

/// A distance in kilometres, as something that has an order.
fn metres(away: f64) -> u64 {
    (away * 1000.0) as u64
}

/// Of each that all conditions hold for one of these stands in a state line.
fn needles(query: &Query) -> Vec<Vec<u8>> {
    let place = query.place.iter().map(|_| vec![needle::of_value("latitude", "")]);
    let all = query.conditions.iter().map(Condition::needles).chain(place);
    all.into_iter().find(|needles| !needles.is_empty()).unwrap_or_default()
}

fn shown(query: &Query, all: Vec<(Target, Entity, f64)>, nearly: bool) -> Found {
    let mut found = Found { nearly, ..Found::default() };
    for (target, entity, away) in all {
        found.entities.push((target, entity));
        found.kilometres.extend(query.place.map(|_| away));
    }
    found
}

impl Met {
    /// Keeps those of the others that are nearly called so and hardly less than the best, which comes first; at most so
    /// many.
    fn near(&mut self, wanted: &str, most: usize, nearly: &Nearly) {
        let others = self.others.iter().enumerate();
        let whose =
            others.flat_map(|(at, other)| other.2.iter().map(move |name| (at, name.as_str())));
        let (places, texts): (Vec<usize>, Vec<&str>) = whose.unzip();
        let near = nearly(wanted, &texts, most).into_iter();
        let near: BTreeSet<usize> = near.filter_map(|(_, at)| places.get(at).copied()).collect();
        let others = std::mem::take(&mut self.others).into_iter().enumerate();
        let others = others.filter(|(at, _)| near.contains(at));
        let mut kept: Vec<_> = others.map(|(_, one)| (likest(wanted, &one.2), one)).collect();
        kept.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.0.cmp(&b.1.0)));
        let best = kept.first().map_or(0.0, |first| first.0);
        kept.retain(|(score, _)| score + ALIKE >= best);
        self.others = kept.into_iter().map(|(_, other)| other).collect();
    }
}
