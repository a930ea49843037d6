//! Files that changed, on their way to the cards thread. Who edits a hundred thousand files tells of more
//! than that thread takes at a time; beyond a limit it is told once to look at all files instead.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

use super::CardEvent;

/// Changes that wait at most.
const WAITING_MAX: usize = 16 * 1024;

/// How many changes were told of and not yet heard.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// One was heard.
    pub(super) fn heard(&self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Tells the cards thread of changes.
#[derive(Debug, Clone)]
pub(super) struct Changes {
    cards: Sender<CardEvent>,
    waiting: Waiting,
}

impl Changes {
    pub(super) fn new(cards: Sender<CardEvent>, waiting: Waiting) -> Self {
        Self { cards, waiting }
    }

    /// A file changed; tells whether anybody listens still.
    pub(super) fn tell(&self, path: PathBuf) -> bool {
        match self.waiting.0.fetch_add(1, Ordering::AcqRel) {
            WAITING_MAX => self.cards.send(CardEvent::Look).is_ok(),
            waiting if waiting < WAITING_MAX => self.cards.send(CardEvent::Changed(path)).is_ok(),
            // The look at all files is still on its way.
            _ => {
                self.waiting.heard();
                true
            }
        }
    }

    /// Nobody knows which files changed; tells whether anybody listens still.
    pub(super) fn look(&self) -> bool {
        self.waiting.0.fetch_add(1, Ordering::AcqRel);
        self.cards.send(CardEvent::Look).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn beyond_the_limit_one_look_at_all_files_stands_for_every_change() {
        let (cards, heard) = channel();
        let waiting = Waiting::default();
        let changes = Changes::new(cards, waiting.clone());
        for _ in 0..WAITING_MAX + 100 {
            assert!(changes.tell("companies/a/_index.md".into()));
        }
        let told: Vec<CardEvent> = heard.try_iter().inspect(|_| waiting.heard()).collect();
        assert_eq!(told.len(), WAITING_MAX + 1);
        assert!(matches!(told.last(), Some(CardEvent::Look)));
        assert!(changes.tell("companies/a/_index.md".into()));
        assert!(matches!(heard.try_recv(), Ok(CardEvent::Changed(_))));
    }
}
