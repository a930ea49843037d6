//! The cards thread: hand edits in, projections out. It acts at its own pace, a few cards at a time,
//! so that the home's lock is never held for long. What came is merged into the checkpoint before it is
//! put into cards, which are read from there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use cocli_core::gossip::Holdings;
use cocli_core::{Target, Vector};
use cocli_node::{Home, NodeError, Placed, batches};

use super::compaction::Compaction;
use super::{CardEvent, Event};
use crate::clock;

/// What is noted is acted on when nothing more has come for this long, and so is a file's change.
const QUIET: Duration = Duration::from_millis(200);
/// What is noted waits no longer than this, however much comes.
const PATIENCE: Duration = Duration::from_millis(500);
/// A file that is written again and again is taken in after this all the same.
const RESTLESS_MAX: Duration = Duration::from_secs(2);
/// The files of all cards are looked at this often: watching is a hint.
const RESCAN: Duration = Duration::from_secs(30);
/// All cards are compared with the state this often, which reads all of it: each step that could leave
/// one behind says so, but for a folder that was removed while nobody watched.
const COMPARE: Duration = Duration::from_secs(300);

/// When something was noted first and last.
#[derive(Debug, Clone, Copy)]
struct Stir {
    first: Instant,
    last: Instant,
}

impl Stir {
    fn new(now: Instant) -> Self {
        Self { first: now, last: now }
    }

    /// When it is acted on, unless more comes.
    fn ripe_at(self, longest: Duration) -> Instant {
        (self.last + QUIET).min(self.first + longest)
    }
}

struct Cards {
    home: Home,
    /// Up to where each log's targets were looked at.
    seen: Vector,
    /// Up to where each log has come since.
    come: Vector,
    /// Targets whose card may be behind.
    due: BTreeSet<Target>,
    /// Compare all cards with the state.
    all: bool,
    /// When something became due.
    noted: Option<Stir>,
    /// Targets whose files changed, be it by our own hand.
    changed: BTreeMap<Target, Stir>,
    /// When the files of all cards are looked at.
    rescan: Instant,
    /// When all cards are compared with the state.
    compare: Instant,
    compaction: Compaction,
    events: Sender<Event>,
}

/// Starts the thread.
pub(super) fn start(home: Home, events: Sender<Event>) -> Sender<CardEvent> {
    let (sender, queue) = channel();
    std::thread::spawn(move || {
        let now = clock::monotonic();
        let seen = home.vector().unwrap_or_default();
        let mut cards = Cards {
            compaction: Compaction::new(home.path(), seen.clone(), now),
            home,
            seen,
            come: Vector::default(),
            due: BTreeSet::new(),
            all: true,
            noted: Some(Stir::new(now)),
            changed: BTreeMap::new(),
            rescan: now + RESCAN,
            compare: now + COMPARE,
            events,
        };
        cards.run(&queue);
    });
    sender
}

impl Cards {
    fn run(&mut self, queue: &Receiver<CardEvent>) {
        loop {
            let now = clock::monotonic();
            if let Some(told) = self.compaction.work(now) {
                crate::render::Screen::new(false).note(told);
            }
            if self.compaction.has_joined() {
                // Which targets it told of is in no journal.
                self.all = true;
                self.noted.get_or_insert(Stir::new(now)).last = now;
                let _ = self.events.send(Event::Joined);
            }
            if self.compaction.is_unheld() {
                let _ = self.events.send(Event::StateLost);
            }
            if now >= self.next_look() && !self.compaction.holds_cards(now) {
                self.work(now);
            }
            match queue.recv_timeout(self.next(now).saturating_duration_since(now)) {
                Ok(CardEvent::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(event) => self.note(event),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// When there is something to do.
    fn next(&self, now: Instant) -> Instant {
        let compaction = self.compaction.next(now);
        if self.compaction.holds_cards(now) {
            return compaction.unwrap_or(now);
        }
        compaction.map_or(self.next_look(), |next| next.min(self.next_look()))
    }

    /// When there is something to do about cards.
    fn next_look(&self) -> Instant {
        let noted = self.noted.map(|stir| stir.ripe_at(PATIENCE));
        let changed = self.changed.values().map(|stir| stir.ripe_at(RESTLESS_MAX));
        noted.into_iter().chain(changed).fold(self.rescan, Instant::min)
    }

    fn note(&mut self, event: CardEvent) {
        let now = clock::monotonic();
        if let CardEvent::Advanced { log, head } = &event {
            self.compaction.note(log, *head, now);
        }
        match event {
            CardEvent::Join => return self.compaction.join(now),
            CardEvent::Trim(holdings) => return self.trim(&holdings),
            _ => {}
        }
        if !self.home.keeps_cards() {
            return;
        }
        match event {
            CardEvent::Advanced { log, head } => {
                self.come.0.insert(log, head);
            }
            CardEvent::Changed(path) => {
                let Some(target) = self.home.target_of(&path) else { return };
                self.changed.entry(target).or_insert(Stir::new(now)).last = now;
                return;
            }
            CardEvent::All => self.all = true,
            CardEvent::Join | CardEvent::Trim(_) | CardEvent::Stop => return,
        }
        self.noted.get_or_insert(Stir::new(now)).last = now;
    }

    /// Lets history go that is beyond the budget, and that two others hold.
    fn trim(&self, holdings: &Holdings) {
        let told = match self.home.let_history_go(holdings) {
            Ok(0) => return,
            Ok(bytes) => {
                let _ = self.events.send(Event::Journals);
                format!("let {bytes} bytes of old history go, which two others hold")
            }
            Err(error) => format!("old history stays: {error}"),
        };
        crate::render::Screen::new(false).note(told);
    }

    /// Takes in what people changed and puts in place what is behind.
    fn work(&mut self, now: Instant) {
        let look = now >= self.rescan;
        if look {
            self.rescan = now + RESCAN;
        }
        if now >= self.compare {
            self.compare = now + COMPARE;
            self.all = true;
        }
        self.noted = None;
        for (log, head) in std::mem::take(&mut self.come.0) {
            let from = self.seen.0.get(&log).copied();
            match self.home.touched(&log, from, head.position) {
                Ok(Some(targets)) => self.due.extend(targets),
                // Another branch of the log stands there now, or the journals could not be read.
                Ok(None) | Err(_) => self.all = true,
            }
            self.seen.0.insert(log, head);
        }
        let found = match (std::mem::take(&mut self.all), look) {
            (true, _) => self.home.cards_behind(),
            (false, true) => self.home.cards_edited(),
            (false, false) => Ok(Vec::new()),
        };
        match found {
            Ok(targets) => self.due.extend(targets),
            Err(error) => self.failed(&error),
        }
        let ripe: Vec<Target> = self
            .changed
            .extract_if(.., |_, stir| stir.ripe_at(RESTLESS_MAX) <= now)
            .map(|c| c.0)
            .collect();
        let edited = |target: &Target| self.home.card_changed(target).unwrap_or(true);
        self.due.extend(ripe.into_iter().filter(edited));
        // A file that somebody is writing is looked at when it is quiet.
        let due: Vec<Target> =
            self.due.iter().filter(|target| !self.changed.contains_key(target)).cloned().collect();
        self.due.retain(|target| self.changed.contains_key(target));
        if !due.is_empty()
            && let Err(error) = self.keep(due)
        {
            self.failed(&error);
        }
    }

    /// What failed is found again by the next look.
    fn failed(&mut self, error: &NodeError) {
        self.compare = self.rescan;
        self.complain(&crate::failure::chain(error));
    }

    /// Hand edits of all of them first, since how many there are decides; then the cards, some at a
    /// time.
    fn keep(&mut self, mut targets: Vec<Target>) -> Result<(), NodeError> {
        let mut session = self.home.session(clock::now())?;
        let taken = session.take_in(&targets)?;
        drop(session);
        if let Some(end) = taken.end {
            let _ = self.events.send(Event::Edited(end));
        }
        targets.retain(|target| !taken.left.contains(target));
        for some in batches(targets) {
            let placed = self.home.session(clock::now())?.place_these(&some)?;
            if placed.behind.is_some() {
                self.compare = self.rescan;
            }
            self.tell(&placed);
        }
        Ok(())
    }

    /// What could not be put in place; what waits for a person is shown by `status`.
    fn tell(&self, placed: &Placed) {
        if let Some((cards, why)) = &placed.behind {
            self.complain(&format!("{cards} are behind: {why}"));
        }
        for (path, aside) in &placed.aside {
            self.complain(&format!("{path}: an earlier save that was not taken in is at {aside}"));
        }
    }

    fn complain(&self, what: &str) {
        crate::render::Screen::new(false).note(format!("cards: {what}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_acted_on_when_it_is_quiet_and_at_the_latest_when_patience_ends() {
        let began = clock::monotonic();
        let ms = Duration::from_millis;
        let mut stir = Stir::new(began);
        assert_eq!(stir.ripe_at(PATIENCE), began + QUIET);
        stir.last = began + ms(100);
        assert_eq!(stir.ripe_at(PATIENCE), began + ms(300));
        stir.last = began + ms(450);
        assert_eq!(stir.ripe_at(PATIENCE), began + PATIENCE);
        assert_eq!(stir.ripe_at(RESTLESS_MAX), began + ms(650));
    }
}
