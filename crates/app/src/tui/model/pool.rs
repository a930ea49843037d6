//! All companies and people: the list, what is looked for in it, the card of the chosen one, the history of a field.

use cocli_core::{Field, Target};
use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::{Effect, moves, typed};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Which {
    #[default]
    All,
    Companies,
    People,
}

/// A company or person in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) target: Target,
    pub(crate) name: String,
}

/// What a search led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// What was looked for.
    pub(crate) text: String,
    pub(crate) which: Which,
    pub(crate) rows: Vec<Row>,
    /// Nobody is called so: these are nearly.
    pub(crate) nearly: bool,
    /// Why there is nothing.
    pub(crate) trouble: Option<String>,
}

/// All that is known of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) target: Target,
    pub(crate) fields: Vec<(Field, String)>,
    pub(crate) text: Vec<String>,
    /// Somebody removed it.
    pub(crate) removed: bool,
}

/// Who wrote a field, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) target: Target,
    pub(crate) field: Field,
    pub(crate) written: Vec<Written>,
    /// Up to which day there may have been more that is not kept here.
    pub(crate) lost_until: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) at: String,
    pub(crate) node: String,
    pub(crate) value: String,
}

/// What keys are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Focus {
    #[default]
    List,
    Card,
    History,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) text: String,
    /// The text is typed.
    pub(crate) types: bool,
    pub(crate) which: Which,
    pub(crate) found: Option<Found>,
    pub(crate) chosen: usize,
    pub(crate) card: Option<Card>,
    pub(crate) focus: Focus,
    pub(crate) field: usize,
    pub(crate) history: Option<History>,
    pub(crate) written: usize,
    /// One that was opened from elsewhere, and needs not be in the list.
    opened: Option<Target>,
}

impl State {
    /// What is shown, asked for again.
    pub(super) fn ask_again(&self) -> Vec<Effect> {
        let mut effects = vec![Effect::Find { text: self.text.clone(), which: self.which }];
        effects.extend(self.target().cloned().map(Effect::Card));
        if let Some(history) = self.history.as_ref().filter(|_| self.focus == Focus::History) {
            effects.push(Effect::History(history.target.clone(), history.field.clone()));
        }
        effects
    }

    /// Which one is looked at.
    pub(crate) fn target(&self) -> Option<&Target> {
        let chosen = || self.found.as_ref()?.rows.get(self.chosen).map(|row| &row.target);
        self.opened.as_ref().or_else(chosen)
    }

    /// The card of the one that is looked at, once it is there.
    pub(crate) fn shown(&self) -> Option<&Card> {
        self.card.as_ref().filter(|card| Some(&card.target) == self.target())
    }

    /// Shows a target that something else led to.
    pub(super) fn open(&mut self, target: Target) -> Vec<Effect> {
        let rows = self.found.as_ref().map_or(&[][..], |found| &found.rows);
        match rows.iter().position(|row| row.target == target) {
            Some(at) => (self.chosen, self.opened) = (at, None),
            None => self.opened = Some(target.clone()),
        }
        (self.focus, self.field, self.types) = (Focus::Card, 0, false);
        vec![Effect::Card(target)]
    }

    pub(super) fn found(&mut self, found: Found) -> Vec<Effect> {
        if (&found.text, found.which) != (&self.text, self.which) {
            // Something else is looked for by now, and comes.
            return Vec::new();
        }
        let before = self.target().cloned();
        let same_search =
            self.found.as_ref().is_some_and(|it| it.text == found.text && it.which == found.which);
        let at = found.rows.iter().position(|row| Some(&row.target) == before.as_ref());
        self.chosen = match at {
            Some(at) if same_search => at,
            _ if same_search => self.chosen.min(found.rows.len().saturating_sub(1)),
            _ => 0,
        };
        self.found = Some(found);
        match self.target().cloned() {
            now if now == before => Vec::new(),
            now => now.map(Effect::Card).into_iter().collect(),
        }
    }

    pub(super) fn take_card(&mut self, card: Card) {
        if Some(&card.target) == self.target() {
            self.field = self.field.min(card.fields.len().saturating_sub(1));
            self.card = Some(card);
        }
    }

    pub(super) fn take_history(&mut self, history: History) {
        if self.focus == Focus::History && Some(&history.target) == self.target() {
            self.written = self.written.min(history.written.len().saturating_sub(1));
            self.history = Some(history);
        }
    }

    pub(super) fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if self.types {
            return self.type_key(key);
        }
        match (self.focus, key.code) {
            (_, KeyCode::Char('/')) => {
                (self.types, self.focus) = (true, Focus::List);
                self.close();
            }
            (_, KeyCode::Char('e')) => {
                return self.target().cloned().map(Effect::Edit).into_iter().collect();
            }
            (Focus::List, _) => return self.list_key(key),
            (Focus::Card, _) => return self.card_key(key),
            (Focus::History, KeyCode::Esc | KeyCode::Left | KeyCode::Char('h')) => {
                (self.focus, self.history) = (Focus::Card, None);
            }
            (Focus::History, _) => {
                let count = self.history.as_ref().map_or(0, |history| history.written.len());
                moves(&mut self.written, count, key);
            }
        }
        Vec::new()
    }

    pub(super) fn paste(&mut self, text: &str) -> Vec<Effect> {
        (self.types, self.focus) = (true, Focus::List);
        typed::paste(&mut self.text, text);
        self.find()
    }

    fn type_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        match key.code {
            KeyCode::Enter => self.types = false,
            KeyCode::Esc => {
                self.types = false;
                let typed = !std::mem::take(&mut self.text).is_empty();
                return if typed { self.find() } else { Vec::new() };
            }
            KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => {
                return self.list_key(key);
            }
            _ if typed::edit(&mut self.text, key) => return self.find(),
            _ => {}
        }
        Vec::new()
    }

    fn list_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        match key.code {
            KeyCode::Char('f') => {
                self.which = match self.which {
                    Which::All => Which::Companies,
                    Which::Companies => Which::People,
                    Which::People => Which::All,
                };
                return self.find();
            }
            KeyCode::Esc if !self.text.is_empty() => {
                self.text.clear();
                return self.find();
            }
            KeyCode::Enter | KeyCode::Right | KeyCode::Char('l') if self.shown().is_some() => {
                (self.focus, self.field) = (Focus::Card, 0);
            }
            _ => {
                let before = self.target().cloned();
                let count = self.found.as_ref().map_or(0, |found| found.rows.len());
                if moves(&mut self.chosen, count, key) {
                    self.close();
                    let now = self.target().cloned().filter(|now| Some(now) != before.as_ref());
                    return now.map(Effect::Card).into_iter().collect();
                }
            }
        }
        Vec::new()
    }

    fn card_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(card) = self.shown() else {
            self.focus = Focus::List;
            return Vec::new();
        };
        let count = card.fields.len();
        match key.code {
            KeyCode::Esc | KeyCode::Left => self.focus = Focus::List,
            KeyCode::Enter | KeyCode::Right | KeyCode::Char('h') => {
                let Some((field, _)) = card.fields.get(self.field) else { return Vec::new() };
                let asked = Effect::History(card.target.clone(), field.clone());
                (self.focus, self.history, self.written) = (Focus::History, None, 0);
                return vec![asked];
            }
            _ => {
                moves(&mut self.field, count, key);
            }
        }
        Vec::new()
    }

    fn find(&mut self) -> Vec<Effect> {
        self.close();
        vec![Effect::Find { text: self.text.clone(), which: self.which }]
    }

    /// What was opened from elsewhere is looked at no more.
    fn close(&mut self) {
        (self.opened, self.history, self.field) = (None, None, 0);
    }
}
