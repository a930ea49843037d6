//! What is to be done, and whom one has not spoken to for long: next steps, meetings and notes, worked out
//! from what is known. Nothing in here looks at a clock: when it is now, and where today begins and ends for
//! the person who asks, comes in.

mod ask;
mod news;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::schema::POOL;
use cocli_core::{Day, Entity, Field, Instant, Kind, Moment, State, Target, Value};
use serde_json::Value as Json;

use crate::convo;
use crate::slug::slug;

pub use ask::{Circle, Contact, Diary, Phone};
pub use news::News;

const DAY_MICROS: i64 = 86_400_000_000;

/// When it is, and what today is, for the person who asks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The wall clock.
    pub at: Instant,
    /// The day there.
    pub day: Day,
    /// When it began.
    pub begins: Instant,
    /// When the next one begins.
    pub ends: Instant,
    /// The day of an instant there: a clock that is put forward or back makes some shorter or longer.
    pub day_of: fn(Instant) -> Day,
}

impl Now {
    /// Where a moment stands among those of this person; a day where it begins.
    #[must_use]
    pub fn place(&self, moment: Moment) -> i64 {
        match moment {
            Moment::At(instant) => instant.micros(),
            Moment::Day(day) if day == self.day => self.begins.micros(),
            Moment::Day(_) => {
                let ahead = self.begins.micros() - Moment::Day(self.day).utc().micros();
                moment.utc().micros() + ahead
            }
        }
    }

    /// Whether it is today, or was before.
    #[must_use]
    pub fn is_due(&self, moment: Moment) -> bool {
        match moment {
            Moment::Day(day) => day <= self.day,
            Moment::At(instant) => instant < self.ends,
        }
    }

    /// Whether it is today.
    #[must_use]
    pub fn is_today(&self, moment: Moment) -> bool {
        match moment {
            Moment::Day(day) => day == self.day,
            Moment::At(instant) => (self.begins..self.ends).contains(&instant),
        }
    }

    /// Whether it has come.
    #[must_use]
    pub fn has_come(&self, moment: Moment) -> bool {
        match moment {
            Moment::Day(day) => day <= self.day,
            Moment::At(instant) => instant <= self.at,
        }
    }

    /// Whether it is over: one of today without a time of day may still come.
    #[must_use]
    pub fn has_passed(&self, moment: Moment) -> bool {
        match moment {
            Moment::Day(day) => day < self.day,
            Moment::At(_) => self.has_come(moment),
        }
    }

    /// How many midnights lie between it and now.
    #[must_use]
    pub fn days_since(&self, moment: Moment) -> i64 {
        let begins = |day: Day| Moment::Day(day).utc().micros();
        let day = match moment {
            Moment::Day(day) => day,
            Moment::At(instant) => (self.day_of)(instant),
        };
        (begins(self.day) - begins(day)).div_euclid(DAY_MICROS)
    }
}

/// What is to be done next with somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// With whom.
    pub target: Target,
    /// What they are called.
    pub name: String,
    /// What.
    pub what: String,
    /// When; nothing where only `next_step` is there.
    pub at: Option<Moment>,
    /// When what it is made of was written last.
    pub written: Instant,
}

/// A note or a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Talk {
    /// The note or meeting.
    pub target: Target,
    /// Which of both.
    pub kind: Kind,
    /// Whom it stands below.
    pub of: Target,
    /// What they are called.
    pub name: String,
    /// Its title, else its type, else nothing.
    pub title: String,
    /// What was written of it.
    pub content: String,
    /// How long it takes, as it was written; nothing where nobody said so.
    pub duration: String,
    /// When.
    pub at: Moment,
    /// When what it is made of was written last.
    pub written: Instant,
}

/// Somebody whom one has not spoken to for longer than a tag asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Who.
    pub target: Target,
    /// What they are called.
    pub name: String,
    /// The tag.
    pub tag: String,
    /// Days that it allows.
    pub every: u32,
    /// When one last did; nothing where that was never.
    pub last: Option<Moment>,
    /// Days since then.
    pub days: Option<i64>,
}

/// What today asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agenda {
    /// Next steps of today and before, the oldest first.
    pub due: Vec<Step>,
    /// Meetings of today, the first first.
    pub meetings: Vec<Talk>,
    /// Whom one has not spoken to for too long; who has waited longest, by what the tag allows, first, and
    /// those one never spoke to behind them.
    pub silent: Vec<Silence>,
    /// Values of `next_at` that are no day and no time, and whose they are.
    pub unclear: Vec<(Target, String)>,
}

/// What is known of some targets: at least all that a question is about.
#[derive(Debug)]
pub struct Book<'a> {
    state: &'a State,
}

impl<'a> Book<'a> {
    /// Over what is known.
    #[must_use]
    pub fn new(state: &'a State) -> Self {
        Self { state }
    }

    fn living(&self) -> impl Iterator<Item = (&'a Target, &'a Entity, Kind)> {
        let state = self.state;
        let of = move |(target, entity)| Some((target, entity, Kind::of(target)?));
        state.entities().filter_map(of).filter(move |(target, ..)| state.removed(target).is_none())
    }

    /// What an entity is called.
    #[must_use]
    pub fn name(&self, target: &Target) -> String {
        let name = self.state.entity(target).map(|entity| text(entity, target, "name"));
        name.filter(|name| !name.is_empty()).unwrap_or_else(|| target.slug().to_owned())
    }

    /// All notes and meetings with a time, in no order.
    pub fn talks(&self) -> impl Iterator<Item = Talk> + use<'a, '_> {
        let talk = |(target, entity, kind): (&Target, &Entity, Kind)| {
            let at = convo::moment(target, entity)?;
            let of = Target::read(target.entity()).ok()?;
            let titles = ["title", "type"].map(|field| text(entity, target, field));
            Some(Talk {
                target: target.clone(),
                kind,
                name: self.name(&of),
                of,
                title: titles.into_iter().find(|title| !title.is_empty()).unwrap_or_default(),
                content: text(entity, target, "content"),
                duration: text(entity, target, "duration"),
                at,
                written: written(entity, &["timestamp", "title", "type", "content", "duration"]),
            })
        };
        self.living()
            .filter(|(.., kind)| matches!(kind, Kind::Note | Kind::Meeting))
            .filter_map(talk)
    }

    /// All next steps, and values of `next_at` that do not read.
    #[must_use]
    pub fn steps(&self) -> (Vec<Step>, Vec<(Target, String)>) {
        let (mut steps, mut unclear) = (Vec::new(), Vec::new());
        for (target, entity, kind) in self.living() {
            if !matches!(kind, Kind::Company | Kind::Person) {
                continue;
            }
            let at = text(entity, target, "next_at");
            let moment = Moment::read(at.trim());
            if moment.is_none() && !at.is_empty() {
                unclear.push((target.clone(), at));
            }
            steps.extend(self.step(target, entity));
        }
        (steps, unclear)
    }

    /// The next step with one entity, if there is any.
    #[must_use]
    pub fn step(&self, target: &Target, entity: &Entity) -> Option<Step> {
        let what = text(entity, target, "next_step");
        let at = Moment::read(text(entity, target, "next_at").trim());
        (!what.is_empty() || at.is_some()).then(|| Step {
            target: target.clone(),
            name: self.name(target),
            what,
            at,
            written: written(entity, &["next_step", "next_at", "name"]),
        })
    }

    /// What today asks for; `cadences` are the days that each tag allows.
    #[must_use]
    pub fn agenda(&self, now: &Now, cadences: &BTreeMap<String, u32>) -> Agenda {
        let (mut due, unclear) = self.steps();
        due.retain(|step| step.at.is_some_and(|at| now.is_due(at)));
        due.sort_by_key(|step| (step.at.map(|at| now.place(at)), step.target.clone()));
        let today = |talk: &Talk| talk.kind == Kind::Meeting && now.is_today(talk.at);
        let mut meetings: Vec<Talk> = self.talks().filter(today).collect();
        meetings.sort_by_key(|talk| (now.place(talk.at), talk.target.clone()));
        let silent = if cadences.is_empty() { Vec::new() } else { self.silent(now, cadences) };
        Agenda { due, meetings, silent, unclear }
    }

    fn silent(&self, now: &Now, cadences: &BTreeMap<String, u32>) -> Vec<Silence> {
        let last = self.last_talks(now);
        let mut silent = Vec::new();
        for (target, entity, kind) in self.living() {
            if !matches!(kind, Kind::Company | Kind::Person) {
                continue;
            }
            let tags = list(entity, target, "tags").into_iter();
            let asked = tags.filter_map(|tag| Some((*cadences.get(&tag)?, tag))).min();
            let Some((every, tag)) = asked else { continue };
            let last = last.get(target).copied();
            let days = last.map(|at| now.days_since(at));
            if days.is_none_or(|days| days >= i64::from(every)) {
                let (target, name) = (target.clone(), self.name(target));
                silent.push(Silence { target, name, tag, every, last, days });
            }
        }
        // So many hundredths of what the tag allows.
        let waited = |one: &Silence| one.days.map(|days| days * 100 / i64::from(one.every.max(1)));
        silent.sort_by(|a, b| waited(b).cmp(&waited(a)).then_with(|| a.target.cmp(&b.target)));
        silent
    }

    /// When one last spoke to each entity: what stands below a person counts for its companies too.
    fn last_talks(&self, now: &Now) -> BTreeMap<Target, Moment> {
        let mut employers: BTreeMap<Target, BTreeSet<Target>> = BTreeMap::new();
        for (target, entity, kind) in self.living() {
            if kind == Kind::Person {
                employers.insert(target.clone(), companies_of(entity, target));
            }
        }
        let mut last: BTreeMap<Target, Moment> = BTreeMap::new();
        for talk in self.talks().filter(|talk| now.has_come(talk.at)) {
            let above = employers.get(&talk.of).into_iter().flatten();
            for target in std::iter::once(&talk.of).chain(above) {
                let at = last.entry(target.clone()).or_insert(talk.at);
                if now.place(talk.at) > now.place(*at) {
                    *at = talk.at;
                }
            }
        }
        last
    }
}

/// The text of a field; nothing where it has none.
pub(crate) fn text(entity: &Entity, target: &Target, field: &str) -> String {
    let Ok(field) = Field::read(field) else { return String::new() };
    let value = entity.value(Kind::of(target), &field).filter(|value| !value.is_null());
    value.map(|value| value.shown().into_owned()).unwrap_or_default()
}

/// The members of a set.
pub(crate) fn list(entity: &Entity, target: &Target, field: &str) -> Vec<String> {
    let Ok(field) = Field::read(field) else { return Vec::new() };
    match entity.value(Kind::of(target), &field).map(|value| value.to_json()) {
        Some(Json::Array(items)) => {
            items.iter().map(|item| Value::json(item).shown().into_owned()).collect()
        }
        _ => Vec::new(),
    }
}

/// The companies that a person belongs to: `company`, and those of `companies`, each by its target, its slug, or its name.
#[must_use]
pub fn companies_of(person: &Entity, target: &Target) -> BTreeSet<Target> {
    let all = list(person, target, "companies").into_iter();
    all.chain([text(person, target, "company")]).filter_map(|text| company_of(&text)).collect()
}

/// The company that a person names so: by its target, its slug, or a name of which that is made.
pub(crate) fn company_of(text: &str) -> Option<Target> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let whole = Target::read(text).ok();
    let whole = whole.filter(|target| Kind::of(target) == Some(Kind::Company));
    whole.or_else(|| Target::read(&format!("{}/{}", POOL[0], slug(text))).ok())
}

fn written(entity: &Entity, fields: &[&str]) -> Instant {
    let of = |name: &&str| Some(entity.fields.get(&Field::read(name).ok()?)?.stamp.instant);
    fields.iter().filter_map(of).max().unwrap_or(Instant::MIN)
}
