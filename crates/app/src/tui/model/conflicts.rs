//! Values that another one took the place of, unseen, and which of them shall stand.

use cocli_node::Conflict;
use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::super::seen::one_line;
use super::{Effect, moves, typed};

/// What shall stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// One of the values, counted from 0.
    Keep(usize),
    Value(String),
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// None until they are known.
    pub(crate) all: Option<Vec<Conflict>>,
    pub(crate) chosen: usize,
    /// Which of its values.
    pub(crate) value: usize,
    /// Another value, as it is typed.
    pub(crate) typed: Option<String>,
    /// It is asked whether it shall be so.
    asked: bool,
}

impl State {
    pub(super) fn take(&mut self, all: Vec<Conflict>) {
        let place = self.chosen().map(|it| (it.target.clone(), it.field.clone(), it.entries.len()));
        let same = |it: &Conflict| {
            place
                .as_ref()
                .is_some_and(|(target, field, _)| it.target == *target && it.field == *field)
        };
        let at = all.iter().position(same);
        let changed = at.and_then(|at| all.get(at)).map(|it| it.entries.len());
        if at.is_none() || changed != place.as_ref().map(|(.., count)| *count) {
            // What was chosen is not there any more, or something came in between.
            (self.value, self.asked, self.typed) = (0, false, None);
        }
        self.chosen = at.unwrap_or(self.chosen).min(all.len().saturating_sub(1));
        self.all = Some(all);
    }

    pub(super) fn types(&self) -> bool {
        self.typed.is_some()
    }

    pub(crate) fn chosen(&self) -> Option<&Conflict> {
        self.all.as_ref()?.get(self.chosen)
    }

    pub(super) fn paste(&mut self, text: &str) {
        if let Some(typed) = &mut self.typed {
            typed::paste(typed, text);
        }
    }

    /// What to say to the person, and what to do.
    pub(super) fn key(&mut self, key: KeyEvent) -> (Option<String>, Vec<Effect>) {
        let Some(conflict) = self.chosen().cloned() else { return (None, Vec::new()) };
        if let Some(text) = &mut self.typed {
            match key.code {
                KeyCode::Esc => self.typed = None,
                KeyCode::Enter => {
                    let value = Choice::Value(std::mem::take(text));
                    self.typed = None;
                    return (None, vec![Effect::Settle(Box::new(conflict), value)]);
                }
                _ => {
                    typed::edit(text, key);
                }
            }
            return (None, Vec::new());
        }
        let last = conflict.entries.len().saturating_sub(1);
        let asked = std::mem::take(&mut self.asked);
        match key.code {
            KeyCode::Left | KeyCode::Char('h') => self.value = self.value.saturating_sub(1),
            KeyCode::Right | KeyCode::Char('l') => self.value = (self.value + 1).min(last),
            KeyCode::Char('=') => self.typed = Some(String::new()),
            KeyCode::Char('e') => return (None, vec![Effect::Edit(conflict.target)]),
            KeyCode::Enter | KeyCode::Char('y') if asked => {
                let choice = Choice::Keep(self.value);
                return (None, vec![Effect::Settle(Box::new(conflict), choice)]);
            }
            KeyCode::Enter => {
                self.asked = true;
                let place = one_line(&format!("{} {}", conflict.target, conflict.field));
                let asked = format!(
                    "{place}: keep value {} for good? Enter again does it, any other key not",
                    self.value + 1
                );
                return (Some(asked), Vec::new());
            }
            _ => {
                let count = self.all.as_ref().map_or(0, Vec::len);
                if moves(&mut self.chosen, count, key) {
                    self.value = 0;
                }
            }
        }
        (None, Vec::new())
    }
}
