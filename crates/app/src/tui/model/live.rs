//! The stream of datagrams: what is shown of it, and what waits while it stands still.

use std::collections::VecDeque;

use cocli_core::Target;
use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::super::seen::{Datagram, Line};
use super::{moves, typed};

/// Lines that are kept, and that may wait: older ones go.
pub(crate) const LINES_MAX: usize = 2_000;

/// What a key asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Wish {
    Nothing,
    Open(Target),
    Edit(Target),
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// The oldest first.
    lines: VecDeque<Line>,
    waiting: VecDeque<Line>,
    /// Of what waits, how many fit.
    pub(crate) waits: u64,
    pub(crate) paused: bool,
    pub(crate) filter: String,
    /// The filter is typed.
    pub(crate) types: bool,
    /// From the newest on that fits.
    pub(crate) back: usize,
    pub(crate) follows: bool,
}

impl State {
    pub(super) fn take(&mut self, line: Line) {
        if line == Line::Beat {
            return;
        }
        let fits = self.fits(&line);
        let into = if self.paused { &mut self.waiting } else { &mut self.lines };
        if into.len() >= LINES_MAX {
            into.pop_front();
        }
        into.push_back(line);
        if self.paused && fits {
            self.waits = self.waits.saturating_add(1);
        }
    }

    /// What fits, the newest first.
    pub(crate) fn shown(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.lines.iter().rev().filter(|line| self.fits(line))
    }

    pub(crate) fn kept(&self) -> usize {
        self.lines.len()
    }

    fn fits(&self, line: &Line) -> bool {
        let wanted = self.filter.trim().to_lowercase();
        if wanted.is_empty() {
            return true;
        }
        let holds = |text: &str| text.to_lowercase().contains(&wanted);
        match line {
            Line::Datagram(d) => {
                let texts = [&d.node, &d.target, &d.field, &d.value];
                texts.into_iter().any(|text| holds(text))
            }
            Line::Much { log, .. } => holds(log),
            Line::Beat => false,
        }
    }

    fn chosen(&self) -> Option<&Datagram> {
        match self.shown().nth(self.back)? {
            Line::Datagram(datagram) => Some(datagram),
            Line::Much { .. } | Line::Beat => None,
        }
    }

    fn pause(&mut self, paused: bool) {
        self.paused = paused;
        if !paused {
            self.lines.extend(self.waiting.drain(..));
            let old = self.lines.len().saturating_sub(LINES_MAX);
            self.lines.drain(..old);
            (self.back, self.waits) = (0, 0);
        }
    }

    /// What waits is counted by what is wanted now.
    fn count(&mut self) {
        let waits = self.waiting.iter().filter(|line| self.fits(line)).count();
        self.waits = u64::try_from(waits).unwrap_or(u64::MAX);
        self.back = 0;
    }

    pub(super) fn paste(&mut self, text: &str) {
        self.types = true;
        typed::paste(&mut self.filter, text);
        self.count();
    }

    pub(super) fn key(&mut self, key: KeyEvent) -> Wish {
        if self.types {
            match key.code {
                KeyCode::Enter => self.types = false,
                KeyCode::Esc => {
                    (self.types, self.filter) = (false, String::new());
                    self.count();
                }
                _ if typed::edit(&mut self.filter, key) => self.count(),
                _ => {}
            }
            return Wish::Nothing;
        }
        let opens = |it: &Self| it.chosen().and_then(|chosen| chosen.opens.clone());
        match key.code {
            KeyCode::Char('/') => self.types = true,
            KeyCode::Char(' ' | 'p') => self.pause(!self.paused),
            KeyCode::Enter => return opens(self).map_or(Wish::Nothing, Wish::Open),
            KeyCode::Char('e') => return opens(self).map_or(Wish::Nothing, Wish::Edit),
            KeyCode::Esc if self.paused => self.pause(false),
            KeyCode::Esc => {
                self.filter.clear();
                self.count();
            }
            _ => {
                // The newest stands below: down is towards it. Whoever looks at one does not want it to go away.
                let count = self.shown().count();
                let mut from_oldest = count.saturating_sub(self.back.saturating_add(1));
                if moves(&mut from_oldest, count, key) {
                    self.back = count.saturating_sub(from_oldest.saturating_add(1));
                    self.pause(self.back > 0 || self.paused);
                }
            }
        }
        Wish::Nothing
    }
}
