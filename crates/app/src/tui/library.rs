//! What the library of this home is asked, by a thread of its own: searches, cards, histories, conflicts.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;

use cocli_core::schema::POOL;
use cocli_core::{Field, LogId, Target};
use cocli_node::{Conflict, Home, Query};

use super::card::{card, name};
use super::model::conflicts::Choice;
use super::model::pool::{Card, Found, History, Row, Which, Written};
use super::model::{Effect, Event};
use super::queue::{Closed, Sender};
use super::seen::one_line;
use crate::clock;
use crate::commands::{conflicts, show};
use crate::failure::Failure;

/// Found at most, where something is looked for.
const FOUND_MAX: usize = 500;

/// Answers until nobody asks or listens any more.
pub(super) fn answer(home: &Home, questions: &Receiver<Effect>, events: &Sender) {
    let mut library = Library { home, ends: BTreeMap::new(), caught_up: false };
    while let Ok(first) = questions.recv() {
        let mut waiting: Vec<Effect> = std::iter::once(first).chain(questions.try_iter()).collect();
        only_the_last(&mut waiting);
        for question in waiting {
            let event = library
                .one(question)
                .unwrap_or_else(|failure| Some(Event::Failed(one_line(&failure.whole()))));
            if event.is_some_and(|event| matches!(events.send(event), Err(Closed))) {
                return;
            }
        }
    }
}

/// Of questions of a kind that only ask for what to show the last counts: the person went on meanwhile.
fn only_the_last(waiting: &mut Vec<Effect>) {
    let kind = |it: &Effect| std::mem::discriminant(it);
    let mut at = 0;
    while at < waiting.len() {
        let shows = !matches!(waiting[at], Effect::Settle(..));
        let again = waiting[at + 1..].iter().any(|later| kind(later) == kind(&waiting[at]));
        if shows && again {
            waiting.remove(at);
        } else {
            at += 1;
        }
    }
}

struct Library<'h> {
    home: &'h Home,
    /// How long the logs were at the last look.
    ends: BTreeMap<LogId, u64>,
    caught_up: bool,
}

impl Library<'_> {
    fn one(&mut self, question: Effect) -> Result<Option<Event>, Failure> {
        Ok(Some(match question {
            Effect::Find { text, which } => Event::Found(self.find(text, which)),
            Effect::Card(target) => Event::Card(self.card(&target)?),
            Effect::History(target, field) => Event::History(self.history(target, field)?),
            Effect::Conflicts => Event::Conflicts(self.home.conflicts(None)?),
            Effect::Settle(conflict, choice) => Event::Done(self.settle(&conflict, choice)?),
            Effect::Look => return Ok(self.grown()?.then_some(Event::Grown)),
            Effect::Quit | Effect::Edit(_) => return Ok(None),
        }))
    }

    fn grown(&mut self) -> Result<bool, Failure> {
        let ends = self.home.ends()?;
        let grown = ends != self.ends;
        self.ends = ends;
        Ok(grown)
    }

    fn find(&mut self, text: String, which: Which) -> Found {
        if !std::mem::replace(&mut self.caught_up, true) {
            // As `find` and `list` do; what is not taken in shows in `status`.
            let _ = self.home.catch_up(None, clock::now());
        }
        let found = match text.trim().is_empty() {
            true => self.all(which).map(|rows| (rows, false)),
            false => self.called(&text, which),
        };
        match found {
            Ok((rows, nearly)) => Found { text, which, rows, nearly, trouble: None },
            Err(failure) => {
                Found { text, which, trouble: Some(one_line(&failure.whole())), ..Found::default() }
            }
        }
    }

    fn all(&self, which: Which) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::new();
        for collection in POOL.into_iter().filter(|collection| is_in(which, collection)) {
            let found = self.home.list(collection, &[], name)?;
            rows.extend(found.into_iter().map(|(target, name)| Row { target, name }));
        }
        Ok(rows)
    }

    fn called(&self, text: &str, which: Which) -> Result<(Vec<Row>, bool), Failure> {
        let found = self.home.find(&Query::typed(text)?, FOUND_MAX, &cocli_fuzzy::best)?;
        let row = |(target, entity)| {
            let name = name(&target, &entity);
            Row { target, name }
        };
        let fits = |row: &Row| POOL.iter().any(|it| is_in(which, it) && is_of(&row.target, it));
        Ok((found.entities.into_iter().map(row).filter(fits).collect(), found.nearly))
    }

    fn card(&self, target: &Target) -> Result<Card, Failure> {
        // An edit that is not in yet is worth a word to whoever looks at it.
        self.home.catch_up(Some(target), clock::now())?;
        let (entity, removed) = self.home.known(target)?;
        Ok(Card { removed: removed.is_some(), ..card(target, &entity) })
    }

    fn history(&self, target: Target, field: Field) -> Result<History, Failure> {
        let mut all = self.home.history(Some(&target), Some(&field))?;
        all.sort_by(|a, b| b.entry.cmp(&a.entry));
        all.dedup();
        let written = all.into_iter().map(|datagram| {
            let (stamp, value) = (&datagram.entry.stamp, &datagram.entry.value);
            let shown = match value.is_null() {
                true => "removed".to_owned(),
                false => show::readable(value),
            };
            // Of a set or a map each element is written apart.
            let shown = match datagram.field == field {
                true => shown,
                false => format!("{}: {shown}", datagram.field),
            };
            let (at, node) = (clock::shown(stamp.instant), one_line(stamp.node.as_str()));
            Written { at, node, value: one_line(&shown) }
        });
        let written = written.collect();
        let lost_until = self.home.history_lost_until()?.map(|day| day.to_string());
        Ok(History { target, field, written, lost_until })
    }

    fn settle(&self, conflict: &Conflict, choice: Choice) -> Result<String, Failure> {
        let value = match choice {
            Choice::Keep(at) => conflicts::kept(conflict, at + 1)?,
            Choice::Value(text) => conflicts::typed(&text)?,
        };
        let (target, field) = (&conflict.target, &conflict.field);
        let shown = conflicts::text(field, &value);
        let placed = conflicts::settled(self.home, conflict, value)?;
        let behind =
            placed.behind.map(|(_, why)| format!("; its card cannot be put in place: {why}"));
        let behind = behind.unwrap_or_default();
        Ok(one_line(&format!("{target} {field} is {shown}{behind} (`cocli undo` takes it back)")))
    }
}

fn is_in(which: Which, collection: &str) -> bool {
    match which {
        Which::All => true,
        Which::Companies => collection == POOL[0],
        Which::People => collection != POOL[0],
    }
}

fn is_of(target: &Target, collection: &str) -> bool {
    target.as_str().strip_prefix(collection).is_some_and(|rest| rest.starts_with('/'))
}
