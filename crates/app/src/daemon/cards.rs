//! The cards thread: hand edits in, projections out. It acts at its own pace, a few cards at a time,
//! so that the home's lock is never held for long.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use cocli_core::{Target, Vector};
use cocli_node::Home;

use super::{CardEvent, Event};
use crate::clock;

/// A file is taken in when it has been quiet for this long.
const QUIET: Duration = Duration::from_millis(200);
/// All cards are looked at this often: watching is a hint.
const RESCAN: Duration = Duration::from_secs(30);
/// Cards put in place under one lock: as many as take a fraction of a second. Each time costs a sync.
const CARDS_AT_ONCE: usize = 512;

struct Cards {
    home: Home,
    /// Up to where each log's targets were looked at.
    seen: Vector,
    /// Targets whose card may be behind.
    due: BTreeSet<Target>,
    /// Targets whose files changed, be it by our own hand.
    changed: BTreeSet<Target>,
    all: bool,
    events: Sender<Event>,
}

/// Starts the thread.
pub(super) fn start(home: Home, events: Sender<Event>) -> Sender<CardEvent> {
    let (sender, queue) = channel();
    std::thread::spawn(move || {
        let seen = home.vector().unwrap_or_default();
        let mut cards =
            Cards { home, seen, due: BTreeSet::new(), changed: BTreeSet::new(), all: true, events };
        cards.run(&queue);
    });
    sender
}

impl Cards {
    fn run(&mut self, queue: &Receiver<CardEvent>) {
        let mut rescan = clock::monotonic() + RESCAN;
        loop {
            let idle = self.due.is_empty() && self.changed.is_empty() && !self.all;
            let wait =
                if idle { rescan.saturating_duration_since(clock::monotonic()) } else { QUIET };
            match queue.recv_timeout(wait) {
                Ok(CardEvent::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(event) => self.note(event),
                Err(RecvTimeoutError::Timeout) if idle => {
                    self.all = true;
                    rescan = clock::monotonic() + RESCAN;
                }
                Err(RecvTimeoutError::Timeout) => self.work(),
            }
        }
    }

    fn note(&mut self, event: CardEvent) {
        match event {
            CardEvent::Advanced { log, head } => {
                let from = self.seen.position(&log);
                if let Ok(targets) = self.home.touched(&log, from, head.position) {
                    self.due.extend(targets);
                }
                self.seen.0.insert(log, head);
            }
            CardEvent::Changed(path) => self.changed.extend(self.home.target_of(&path)),
            CardEvent::All => self.all = true,
            CardEvent::Stop => {}
        }
    }

    /// Takes in what people changed and puts in place what is behind.
    fn work(&mut self) {
        if std::mem::take(&mut self.all) {
            match self.home.cards_behind() {
                Ok(targets) => self.due.extend(targets),
                Err(error) => self.complain(&error),
            }
        }
        let changed = std::mem::take(&mut self.changed);
        let edited = |target: &Target| self.home.card_changed(target).unwrap_or(true);
        self.due.extend(changed.into_iter().filter(edited));
        while !self.due.is_empty() {
            let rest = match self.due.iter().nth(CARDS_AT_ONCE).cloned() {
                Some(first) => self.due.split_off(&first),
                None => BTreeSet::new(),
            };
            let some: Vec<Target> = std::mem::replace(&mut self.due, rest).into_iter().collect();
            if let Err(error) = self.some(&some) {
                // What failed is found again by the next rescan.
                self.complain(&error);
            }
        }
    }

    fn some(&self, targets: &[Target]) -> Result<(), cocli_node::NodeError> {
        let mut session = self.home.session(clock::now())?;
        let taken = session.take_in(targets)?;
        session.place_these(targets)?;
        drop(session);
        if let Some(end) = taken.end {
            let _ = self.events.send(Event::Edited(end));
        }
        Ok(())
    }

    fn complain(&self, error: &cocli_node::NodeError) {
        crate::render::Screen::new(false).note(format!("cards: {}", crate::failure::chain(error)));
    }
}
