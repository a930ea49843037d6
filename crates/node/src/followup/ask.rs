//! Asking a home: of all that is known only what such a question is about is read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use cocli_core::schema::POOL;
use cocli_core::usv::Line;
use cocli_core::{Entity, Field, Kind, State, Target};
use cocli_store::Reader;
use cocli_store::side::processors;

use super::{Agenda, Book, Now, Step, Talk, companies_of, company_of, list, text};
use crate::contact;
use crate::error::Result;
use crate::home::Home;
use crate::list::Condition;
use crate::needle;

/// A telephone number as it was typed, and what it is to dial from anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    /// As it was typed.
    pub typed: String,
    /// The E.164 form, where it can be told.
    pub e164: Option<String>,
}

/// Somebody at a company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Who.
    pub target: Target,
    /// What they are called.
    pub name: String,
    /// What they do there.
    pub role: String,
    /// Their e-mail address: the main one, else the first.
    pub email: String,
    /// Their number: the main one, else the first.
    pub phone: Option<Phone>,
}

/// Who belongs to an entity, when one spoke, and what comes next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circle {
    /// The people of a company, by name.
    pub people: Vec<Contact>,
    /// The companies of a person, and what they are called.
    pub companies: Vec<(Target, String)>,
    /// The numbers of the entity, by their fields.
    pub phones: Vec<(Field, Phone)>,
    /// The newest note or meeting of it or its people that has come.
    pub last: Option<Talk>,
    /// The first meeting that has not.
    pub next: Option<Talk>,
    /// What is to be done next.
    pub step: Option<Step>,
}

/// All that a calendar shows.
#[derive(Debug, Clone, Default)]
pub struct Diary {
    /// All meetings, by time.
    pub meetings: Vec<Talk>,
    /// All next steps with a day or time, by that.
    pub steps: Vec<Step>,
}

/// Fields that hold numbers, but for the set `all_phones`.
const PHONES: [&str; 4] = ["phone", "phone_1", "phone_number", "phone_from_website"];
const ALL_PHONES: &str = "all_phones";

impl Home {
    /// What today asks for.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn agenda(&self, now: &Now) -> Result<Agenda> {
        let cadences = self.config().cadence.iter();
        let cadences: BTreeMap<String, u32> =
            cadences.map(|(tag, cadence)| (tag.clone(), cadence.0)).collect();
        let mut needles = planned();
        if !cadences.is_empty() {
            needles.push(b"/notes/".to_vec());
            needles.push(needle::of_value("company", ""));
            // Not the targets that begin so.
            needles.push(needle::of_field("companies."));
            needles.push(needle::of_value("companies", ""));
            for tag in cadences.keys() {
                needles.extend(Condition::new("tags", tag)?.needles());
            }
        }
        self.read(|reader| {
            Ok(Book::new(&met(reader, "", &needles, &|_| true)?).agenda(now, &cadences))
        })
    }

    /// How many next steps and meetings today asks for.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub(crate) fn due(&self, now: &Now) -> Result<usize> {
        let agenda = self.read(|reader| {
            Ok(Book::new(&met(reader, "", &planned(), &|_| true)?).agenda(now, &BTreeMap::new()))
        })?;
        Ok(agenda.due.len() + agenda.meetings.len())
    }

    /// All meetings and next steps.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn diary(&self, now: &Now) -> Result<Diary> {
        self.read(|reader| {
            let state = met(reader, "", &planned(), &|_| true)?;
            let book = Book::new(&state);
            let mut meetings: Vec<Talk> =
                book.talks().filter(|talk| talk.kind == Kind::Meeting).collect();
            meetings.sort_by_key(|talk| (now.place(talk.at), talk.target.clone()));
            let mut steps = book.steps().0;
            steps.retain(|step| step.at.is_some());
            steps.sort_by_key(|step| (step.at.map(|at| now.place(at)), step.target.clone()));
            Ok(Diary { meetings, steps })
        })
    }

    /// Who and what belongs to a company or person.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn circle(&self, target: &Target, now: &Now) -> Result<Circle> {
        let region = self.config().contact.region.as_deref();
        self.read(|reader| {
            let mut known = reader.below(target)?;
            let mut people = BTreeSet::new();
            if Kind::of(target) == Some(Kind::Company) {
                let found = met(reader, POOL[1], &employed(), &|line| may_name(line, target))?;
                for (person, entity) in found.entities() {
                    if person.is_entity() && companies_of(entity, person).contains(target) {
                        people.insert(person.clone());
                    }
                }
                for person in &people {
                    known.extend(reader.below(person)?);
                }
            }
            let entity = known.get(target).cloned().unwrap_or_default();
            let companies = companies_of(&entity, target);
            known.extend(reader.entities(&companies)?);
            let state = State::from(known);
            Ok(circle(&state, target, (&people, &companies), (now, region)))
        })
    }
}

/// What stands in a line of all that is planned, and of what is removed.
fn planned() -> Vec<Vec<u8>> {
    vec![
        needle::of_value("next_at", ""),
        b"/meetings/".to_vec(),
        needle::of_value(cocli_core::entity::DELETED, ""),
    ]
}

/// What stands in a line of a person who belongs to some company: which, its reading decides.
fn employed() -> Vec<Vec<u8>> {
    vec![needle::of_value("company", ""), needle::of_field("companies")]
}

/// Whether by this line a person may belong to a company; no where it plainly names another one.
fn may_name(line: &Line<'_>, company: &Target) -> bool {
    if line.field() != b"company" {
        return true;
    }
    match std::str::from_utf8(line.value()) {
        // What is quoted, a list, or has something escaped is for the reading to tell.
        Ok(text) if !text.contains(['\\', '"', '[', '{']) => {
            company_of(text).as_ref() == Some(company)
        }
        _ => true,
    }
}

/// The targets that have a line with one of the needles, and the entities that they stand below.
fn met(
    reader: &Reader,
    prefix: &str,
    needles: &[Vec<u8>],
    is_met: &(dyn Fn(&Line<'_>) -> bool + Sync),
) -> cocli_store::Result<State> {
    let found = Mutex::new(BTreeMap::new());
    reader.search_lines(processors(), prefix, (needles, is_met), &|target, entity| {
        if Kind::of(&target).is_some() {
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.insert(target, entity);
        }
    })?;
    let mut found: BTreeMap<Target, Entity> =
        found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let above: BTreeSet<Target> = found
        .keys()
        .filter(|target| !target.is_entity())
        .filter_map(|target| Target::read(target.entity()).ok())
        .filter(|entity| !found.contains_key(entity))
        .collect();
    if !above.is_empty() {
        found.extend(reader.entities(&above)?);
    }
    Ok(State::from(found))
}

fn circle(
    state: &State,
    target: &Target,
    (people, companies): (&BTreeSet<Target>, &BTreeSet<Target>),
    (now, region): (&Now, Option<&str>),
) -> Circle {
    let book = Book::new(state);
    let lives = |target: &&Target| state.removed(target).is_none();
    let nothing = Entity::default();
    let entity = state.entity(target).unwrap_or(&nothing);
    let country = |entity: &Entity, of: &Target| Some(text(entity, of, "country"));
    let employer = companies.iter().find_map(|of| country(state.entity(of)?, of));
    let here = country(entity, target).filter(|text| contact::country(text).is_some());
    let here = here.or(employer.filter(|text| contact::country(text).is_some()));
    let here = here.as_deref().or(region);
    let mut contacts: Vec<Contact> = people
        .iter()
        .filter(lives)
        .filter_map(|person| Some(contact_of(&book, person, state.entity(person)?, here)))
        .collect();
    contacts.sort_by_key(|contact| (contact.name.to_lowercase(), contact.target.clone()));
    let talks: Vec<Talk> = book.talks().collect();
    let place = |talk: &&Talk| (now.place(talk.at), talk.target.clone());
    let ahead = |talk: &&Talk| talk.kind == Kind::Meeting && !now.has_passed(talk.at);
    Circle {
        people: contacts,
        companies: companies.iter().filter(lives).map(|of| (of.clone(), book.name(of))).collect(),
        phones: phones_of(entity, target, here),
        last: talks.iter().filter(|talk| now.has_come(talk.at)).max_by_key(place).cloned(),
        next: talks.iter().filter(ahead).min_by_key(place).cloned(),
        step: book.step(target, entity),
    }
}

fn contact_of(book: &Book<'_>, person: &Target, entity: &Entity, here: Option<&str>) -> Contact {
    let first = |field: &str, all: &str| {
        let main = Some(text(entity, person, field)).filter(|text| !text.is_empty());
        main.or_else(|| list(entity, person, all).into_iter().next())
    };
    let own = text(entity, person, "country");
    let country = if contact::country(&own).is_some() { Some(own.as_str()) } else { here };
    Contact {
        target: person.clone(),
        name: book.name(person),
        role: text(entity, person, "role"),
        email: first("email", "all_emails").unwrap_or_default(),
        phone: first("phone", ALL_PHONES).map(|typed| phone(typed, country)),
    }
}

fn phones_of(entity: &Entity, target: &Target, here: Option<&str>) -> Vec<(Field, Phone)> {
    let mut phones = Vec::new();
    for name in PHONES {
        let typed = text(entity, target, name);
        if !typed.is_empty() {
            phones.extend(Field::read(name).ok().map(|field| (field, phone(typed, here))));
        }
    }
    for typed in list(entity, target, ALL_PHONES) {
        phones.extend(Field::read(ALL_PHONES).ok().map(|field| (field, phone(typed, here))));
    }
    phones
}

fn phone(typed: String, country: Option<&str>) -> Phone {
    Phone { e164: contact::e164(&typed, country), typed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_passed_over_only_where_it_plainly_names_another_company() {
        let acme = Target::read("companies/acme-inc").unwrap();
        let may = |field: &str, value: &str| {
            let line = format!("t\u{1f}n\u{1f}people/jane\u{1f}{field}\u{1f}{value}\u{1f}");
            may_name(&Line::of(line.as_bytes()).unwrap(), &acme)
        };
        for value in
            ["companies/acme-inc", "acme-inc", "Acme Inc.", " ACME, Inc ", "\"x\"", "a\\nb"]
        {
            assert!(may("company", value), "{value}");
        }
        for value in ["companies/beta", "Beta GmbH", "acme", ""] {
            assert!(!may("company", value), "{value}");
        }
        assert!(may("companies", "beta") && may("companies.companies%2Fbeta", "true"));
    }
}
