//! The nodes, and which of them is looked at.

use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::super::seen::Seen;
use super::moves;
use crate::cluster::{Cluster, Node, Standing};

#[derive(Debug, Default)]
pub(crate) struct State {
    /// As it was told last; what the daemon said before it went is kept, and called old.
    pub(crate) seen: Cluster,
    /// What needs a person, of the daemon and the cluster.
    pub(crate) problems: Vec<String>,
    /// What does at this home.
    pub(crate) own: Vec<String>,
    /// When that was.
    pub(crate) heard_ms: Option<u64>,
    pub(crate) chosen: usize,
    /// Only the chosen node is shown, with all that is known of it.
    pub(crate) whole: bool,
}

impl State {
    pub(super) fn take(&mut self, seen: Seen, now_ms: u64) {
        let name = self.chosen().map(|node| node.name.clone());
        (self.seen, self.problems) = (seen.cluster, seen.problems);
        self.heard_ms = Some(now_ms);
        // Who is looked at stays looked at, wherever it stands now.
        let at = self.seen.nodes.iter().position(|node| Some(&node.name) == name.as_ref());
        self.chosen = at.unwrap_or(self.chosen).min(self.seen.nodes.len().saturating_sub(1));
    }

    /// All that needs a person, as far as it is known now.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &String> {
        self.own.iter().chain(&self.problems)
    }

    pub(super) fn lose(&mut self) {
        for node in self.seen.nodes.iter_mut().filter(|node| node.me) {
            node.standing = Standing::Down;
        }
    }

    pub(crate) fn chosen(&self) -> Option<&Node> {
        self.seen.nodes.get(self.chosen)
    }

    pub(super) fn key(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Enter => self.whole = !self.whole && self.chosen().is_some(),
            KeyCode::Esc => self.whole = false,
            _ => {
                moves(&mut self.chosen, self.seen.nodes.len(), key);
            }
        }
    }
}
