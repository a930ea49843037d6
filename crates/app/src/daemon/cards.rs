//! The cards thread: hand edits in, projections out. It acts at its own pace, a few cards at a time,
//! so that the home's lock is never held for long. What came is merged into the checkpoint before it is
//! put into cards, which are read from there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use cocli_core::gossip::Holdings;
use cocli_core::{Target, Vector};
use cocli_node::{Home, NodeError, Placed, Session, batches};

use super::changes::{Changes, Waiting};
use super::compaction::Compaction;
use super::notes::Notes;
use super::touched::Touched;
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
/// Among many cards a look may take a two-hundredth of the time: later then, but as often as they are compared.
const RESCAN_REST: u32 = 200;
/// All cards are compared with the state this often, which reads all of it: each step that could leave
/// one behind says so, but for a folder that was removed while nobody watched.
const COMPARE: Duration = Duration::from_secs(300);
/// Cards without a known `_rev` are taken in when no more of them has come for this long: whether they
/// are many enough to ask a person is known only then.
const REVLESS_QUIET: Duration = Duration::from_secs(5);
/// And after this all the same.
const REVLESS_MAX: Duration = Duration::from_secs(60);
/// A card that could not be put in place is tried again after this, then twice this, and so on.
const AGAIN_MIN: Duration = Duration::from_secs(30);
/// From one try to the next at most, unless its file changes.
const AGAIN_MAX: Duration = Duration::from_secs(600);
/// Events that are taken before anything is done.
const EVENTS_AT_ONCE: usize = 4096;

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
    fn ripe_at(self, quiet: Duration, longest: Duration) -> Instant {
        (self.last + quiet).min(self.first + longest)
    }
}

/// A card that cannot be put in place.
#[derive(Debug)]
struct Refused {
    why: String,
    again: Again,
}

/// When something is tried again that came to nothing: ever later.
#[derive(Debug)]
struct Again {
    wait: Duration,
    at: Instant,
}

impl Again {
    fn after(before: Option<&Self>, now: Instant) -> Self {
        let wait = before.map_or(AGAIN_MIN, |before| (before.wait * 2).min(AGAIN_MAX));
        Self { wait, at: now + wait }
    }

    fn is_now(&self, now: Instant) -> bool {
        now >= self.at
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
    /// How many changes are on their way.
    waiting: Waiting,
    /// Targets whose cards changed and bear no known `_rev`.
    revless: BTreeSet<Target>,
    /// When the first and the last of them came.
    revless_came: Option<Stir>,
    /// Targets whose cards could not be put in place.
    refused: BTreeMap<Target, Refused>,
    /// Targets whose edits wait for a person, and when their files are looked at again.
    held: BTreeMap<Target, Again>,
    /// When the files of all cards are looked at.
    rescan: Instant,
    /// When all cards are compared with the state.
    compare: Instant,
    compaction: Compaction,
    events: Sender<Event>,
    notes: Notes,
    touched: Touched,
}

/// Starts the thread.
pub(super) fn start(
    home: Home,
    events: Sender<Event>,
    notes: Notes,
) -> (Sender<CardEvent>, Changes, Touched) {
    let touched = Touched::default();
    let shown = touched.clone();
    let (sender, queue) = channel();
    let waiting = Waiting::default();
    let changes = Changes::new(sender.clone(), waiting.clone());
    std::thread::spawn(move || {
        let now = clock::monotonic();
        let seen = home.vector().unwrap_or_default();
        let waits = home.checkpoint_waits().unwrap_or(false);
        let mut cards = Cards {
            compaction: Compaction::new(home.path(), seen.clone(), waits, now),
            home,
            seen,
            come: Vector::default(),
            due: BTreeSet::new(),
            all: true,
            noted: Some(Stir::new(now)),
            changed: BTreeMap::new(),
            waiting,
            revless: BTreeSet::new(),
            revless_came: None,
            refused: BTreeMap::new(),
            held: BTreeMap::new(),
            rescan: now + RESCAN,
            compare: now + COMPARE,
            events,
            notes,
            touched,
        };
        cards.run(&queue);
    });
    (sender, changes, shown)
}

impl Cards {
    fn run(&mut self, queue: &Receiver<CardEvent>) {
        loop {
            let now = clock::monotonic();
            if let Some(told) = self.compaction.work(now) {
                self.notes.tell(told);
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
            if self.compaction.holds_cards(now).is_some() {
                self.take_in_ripe(now);
            } else if now >= self.next_look() {
                self.work(now);
            }
            let first = match queue.recv_timeout(self.next(now).saturating_duration_since(now)) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            for event in first.into_iter().chain(queue.try_iter().take(EVENTS_AT_ONCE)) {
                if matches!(event, CardEvent::Stop) {
                    return;
                }
                self.note(event);
            }
        }
    }

    /// When there is something to do.
    fn next(&self, now: Instant) -> Instant {
        let look = match self.compaction.holds_cards(now) {
            // What is ripe and could not be taken in waits as well.
            Some(until) => self.changed_ripe().filter(|ripe| *ripe > now).fold(until, Instant::min),
            None => self.next_look(),
        };
        self.compaction.next(now).map_or(look, |next| next.min(look))
    }

    /// When each file that changed has come to rest.
    fn changed_ripe(&self) -> impl Iterator<Item = Instant> {
        self.changed.values().map(|stir| stir.ripe_at(QUIET, RESTLESS_MAX))
    }

    /// When there is something to do about cards.
    fn next_look(&self) -> Instant {
        let noted = self.noted.map(|stir| stir.ripe_at(QUIET, PATIENCE));
        let revless = self.revless_came.map(|stir| stir.ripe_at(REVLESS_QUIET, REVLESS_MAX));
        let changed = self.changed_ripe();
        let refused = self.refused.values().map(|refused| refused.again.at);
        let all = noted.into_iter().chain(revless).chain(changed).chain(refused);
        all.fold(self.rescan, Instant::min)
    }

    fn note(&mut self, event: CardEvent) {
        let now = clock::monotonic();
        if let CardEvent::Advanced { log, head } = &event {
            self.compaction.note(log, *head, now);
        }
        match event {
            CardEvent::Join => return self.compaction.join(now),
            CardEvent::Trim(holdings) => return self.trim(&holdings),
            CardEvent::Changed(_) | CardEvent::Look => self.waiting.heard(),
            _ => {}
        }
        if !self.home.keeps_cards() {
            return;
        }
        match event {
            // No card shows a heartbeat or a task.
            CardEvent::Advanced { log, .. } if log.month.is_some() => return,
            CardEvent::Advanced { log, head } => {
                self.come.0.insert(log, head);
            }
            CardEvent::Changed(path) => {
                let Some(target) = self.home.target_of(&path) else { return };
                self.refused.remove(&target);
                self.held.remove(&target);
                self.touched.also(&target);
                self.changed.entry(target).or_insert(Stir::new(now)).last = now;
                return;
            }
            CardEvent::Look => {
                self.rescan = now;
                self.held.clear();
                self.touched.unknown();
            }
            CardEvent::Join | CardEvent::Trim(_) | CardEvent::Stop => return,
        }
        self.noted.get_or_insert(Stir::new(now)).last = now;
    }

    /// Lets history go that is beyond the budget, and that two others hold.
    fn trim(&self, holdings: &Holdings) {
        let told = match self.home.let_history_go(holdings) {
            Ok(gone) => {
                let bytes = gone.bytes;
                let _ = self.events.send(Event::LetGo(gone));
                if bytes == 0 {
                    return;
                }
                let _ = self.events.send(Event::Journals);
                format!("let {bytes} bytes of old history go, which two others hold")
            }
            Err(error) => format!("old history stays: {error}"),
        };
        self.notes.tell(told);
    }

    /// Takes in what people changed and puts in place what is behind.
    fn work(&mut self, now: Instant) {
        let look = now >= self.rescan;
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
        let all = std::mem::take(&mut self.all);
        let found = match (all, look) {
            (true, _) => self.home.cards_behind(),
            (false, true) => self.home.cards_edited(),
            (false, false) => Ok(Vec::new()),
        };
        if look {
            let rest = (clock::monotonic() - now) * RESCAN_REST;
            self.rescan = now + rest.clamp(RESCAN, COMPARE);
        }
        if let (true, Ok(targets)) = (all || look, &found) {
            self.touched.only(targets);
        }
        match found {
            Ok(targets) => self.due.extend(targets),
            Err(error) => self.failed(&error),
        }
        let ripe = self.ripe(now);
        self.due.extend(ripe);
        let refused = self.refused.iter().filter(|(_, refused)| refused.again.is_now(now));
        self.due.extend(refused.map(|(target, _)| target.clone()));
        let held = &self.held;
        self.due.retain(|target| held.get(target).is_none_or(|again| again.is_now(now)));
        // A file that somebody is writing is looked at when it is quiet.
        let due: Vec<Target> =
            self.due.iter().filter(|target| !self.changed.contains_key(target)).cloned().collect();
        self.due.retain(|target| self.changed.contains_key(target));
        if !due.is_empty()
            && let Err(error) = self.keep(due, now)
        {
            self.failed(&error);
        }
        self.keep_revless(now);
        for refused in self.refused.values_mut().filter(|refused| refused.again.is_now(now)) {
            // Its file does not parse, or is being written: it comes by another way.
            refused.again.at = now + refused.again.wait;
        }
    }

    /// Targets whose files changed and have been quiet since, and are not as we put them in place.
    fn ripe(&mut self, now: Instant) -> Vec<Target> {
        let is_ripe = |stir: &mut Stir| stir.ripe_at(QUIET, RESTLESS_MAX) <= now;
        let ripe: Vec<Target> = self
            .changed
            .extract_if(.., |_, stir| is_ripe(stir))
            .map(|(target, _)| target)
            .collect();
        // When that cannot be told they are looked at.
        self.home.cards_changed(&ripe).unwrap_or(ripe)
    }

    /// While cards wait for a compaction what people changed does not.
    fn take_in_ripe(&mut self, now: Instant) {
        let ripe = self.ripe(now);
        if ripe.is_empty() {
            return;
        }
        let taken = self.take_in(&ripe, true, now);
        self.due.extend(ripe);
        self.noted.get_or_insert(Stir::new(now));
        if let Err(error) = taken {
            self.failed(&error);
        }
    }

    /// Cards without a known `_rev`, once no more of them come.
    fn keep_revless(&mut self, now: Instant) {
        if self.revless_came.is_none_or(|stir| now < stir.ripe_at(REVLESS_QUIET, REVLESS_MAX)) {
            return;
        }
        self.revless_came = None;
        let mut targets: Vec<Target> = std::mem::take(&mut self.revless).into_iter().collect();
        let left = match self.take_in(&targets, false, now) {
            Ok(left) => left,
            Err(error) => return self.failed(&error),
        };
        for target in &targets {
            let before = self.held.remove(target);
            if left.contains(target) {
                self.held.insert(target.clone(), Again::after(before.as_ref(), now));
            }
        }
        targets.retain(|target| !left.contains(target));
        // At once: until they are in place they bear no known `_rev`, whatever comes meanwhile.
        if let Err(error) = self.put(targets, false, now) {
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
    fn keep(&mut self, mut targets: Vec<Target>, now: Instant) -> Result<(), NodeError> {
        let left = self.take_in(&targets, true, now)?;
        let put_off = |target: &Target| {
            self.refused.get(target).is_some_and(|refused| !refused.again.is_now(now))
        };
        targets.retain(|target| !left.contains(target) && !put_off(target));
        self.put(targets, true, now)
    }

    fn put(
        &mut self,
        targets: Vec<Target>,
        revless_wait: bool,
        now: Instant,
    ) -> Result<(), NodeError> {
        for some in batches(targets) {
            let place = |session: &mut Session<'_>| session.place_these(&some);
            let placed = self.in_session(revless_wait, now, place)?;
            if placed.behind.is_some() {
                self.compare = self.rescan;
            }
            self.tell(&placed);
            self.refuse(placed.broken, some, now);
        }
        Ok(())
    }

    /// Takes in what people changed in them; gives those whose files are left alone.
    fn take_in(
        &mut self,
        targets: &[Target],
        revless_wait: bool,
        now: Instant,
    ) -> Result<BTreeSet<Target>, NodeError> {
        let taken = self.in_session(revless_wait, now, |session| session.take_in(targets))?;
        if let Some(end) = taken.end {
            let _ = self.events.send(Event::Edited(end));
        }
        Ok(taken.left)
    }

    /// Works on the home, and notes which cards without a known `_rev` were left for later, where they wait.
    fn in_session<T>(
        &mut self,
        revless_wait: bool,
        now: Instant,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, NodeError>,
    ) -> Result<T, NodeError> {
        let mut session = self.home.session(clock::now())?;
        if revless_wait {
            session.let_revless_wait();
        }
        let done = work(&mut session)?;
        for target in session.revless() {
            if self.revless.insert(target) {
                self.revless_came.get_or_insert(Stir::new(now)).last = now;
            }
        }
        Ok(done)
    }

    /// A card that could not be put in place is not tried with every look: each try keeps a line of what it
    /// would show.
    fn refuse(&mut self, broken: Vec<(String, String)>, tried: Vec<Target>, now: Instant) {
        let mut before: BTreeMap<Target, Refused> = BTreeMap::new();
        for target in tried {
            before.extend(self.refused.remove_entry(&target));
        }
        for (path, why) in broken {
            let Some(target) = self.target_of(&path) else { continue };
            let before = before.remove(&target);
            if before.as_ref().is_none_or(|refused| refused.why != why) {
                self.complain(&format!("{path}: {why}"));
            }
            let again = Again::after(before.as_ref().map(|refused| &refused.again), now);
            self.refused.insert(target, Refused { why, again });
        }
    }

    fn target_of(&self, path: &str) -> Option<Target> {
        self.home.target_of(&self.home.path().join(path))
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
        self.notes.warn(format!("cards: {what}"));
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
        assert_eq!(stir.ripe_at(QUIET, PATIENCE), began + QUIET);
        stir.last = began + ms(100);
        assert_eq!(stir.ripe_at(QUIET, PATIENCE), began + ms(300));
        stir.last = began + ms(450);
        assert_eq!(stir.ripe_at(QUIET, PATIENCE), began + PATIENCE);
        assert_eq!(stir.ripe_at(QUIET, RESTLESS_MAX), began + ms(650));
    }
}
