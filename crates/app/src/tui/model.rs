//! All that is shown, and what keys and news change of it. Nothing here touches a clock, a disk or a terminal: what
//! is to be done out there comes back as effects.

pub(super) mod cluster;
pub(super) mod conflicts;
pub(super) mod live;
pub(super) mod pool;
pub(super) mod rates;
pub(super) mod typed;

use cocli_core::{Field, Target};
use cocli_node::Conflict;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::seen::{Line, Seen};

/// How long a word to the person stays.
const SAID_MS: u64 = 8_000;
/// How often the pool and the conflicts are looked at for what is new there.
const LOOK_MS: u64 = 2_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum View {
    #[default]
    Cluster,
    Live,
    Rates,
    Conflicts,
    Pool,
}

pub(super) const VIEWS: [View; 5] =
    [View::Cluster, View::Live, View::Rates, View::Conflicts, View::Pool];

/// What is known of the daemon.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Door {
    #[default]
    Unasked,
    Open,
    /// None runs.
    Shut,
    /// It runs, and does not answer so.
    Mute(String),
}

/// What happened out there.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Key(KeyEvent),
    /// A text was pasted.
    Pasted(String),
    /// Time went on.
    Tick,
    /// What the daemon says of the cluster, or that there is nothing to hear.
    Cluster(Result<Seen, Door>),
    /// What needs a person at this home, whether or not a daemon runs.
    Own(Vec<String>),
    /// A line of what becomes durable.
    Line(Line),
    /// The stream of it began, or ended.
    Follows(bool),
    Found(pool::Found),
    Card(pool::Card),
    History(pool::History),
    Conflicts(Vec<Conflict>),
    /// Journals grew since they were looked at last.
    Grown,
    /// Something was done; in words.
    Done(String),
    /// Something failed; in words.
    Failed(String),
}

/// What is to be done out there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Effect {
    Quit,
    /// Find, or browse where nothing is wanted.
    Find {
        text: String,
        which: pool::Which,
    },
    Card(Target),
    History(Target, Field),
    Edit(Target),
    Conflicts,
    Settle(Box<Conflict>, conflicts::Choice),
    /// Tell when journals grew.
    Look,
}

/// A word to the person.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) bad: bool,
    until_ms: u64,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) view: View,
    pub(super) help: bool,
    /// The name of this node.
    pub(super) me: String,
    /// Whether colours may be used.
    pub(super) colored: bool,
    pub(super) now_ms: u64,
    pub(super) door: Door,
    pub(super) cluster: cluster::State,
    pub(super) live: live::State,
    pub(super) rates: rates::State,
    pub(super) conflicts: conflicts::State,
    pub(super) pool: pool::State,
    pub(super) said: Option<Said>,
    looked_ms: u64,
}

impl Model {
    pub(super) fn new(me: &str, view: View, colored: bool) -> Self {
        Self { me: me.to_owned(), view, colored, ..Self::default() }
    }

    /// What has to be done before anything happens.
    pub(super) fn begin(&mut self) -> Vec<Effect> {
        let mut effects = vec![Effect::Conflicts];
        effects.extend(self.enter(self.view));
        effects
    }

    /// Something happened, at a time.
    pub(super) fn update(&mut self, now_ms: u64, event: Event) -> Vec<Effect> {
        self.now_ms = self.now_ms.max(now_ms);
        self.rates.at(self.now_ms);
        match event {
            Event::Key(key) => return self.key(key),
            Event::Pasted(text) => return self.paste(&text),
            Event::Own(problems) => self.cluster.own = problems,
            Event::Tick => return self.tick(),
            Event::Cluster(Ok(seen)) => {
                self.door = Door::Open;
                self.cluster.take(seen, self.now_ms);
            }
            Event::Cluster(Err(door)) => {
                self.door = door;
                self.cluster.lose();
            }
            Event::Follows(follows) => self.live.follows = follows,
            Event::Line(line) => {
                self.rates.take(&line);
                self.live.take(line);
            }
            Event::Found(found) => return self.pool.found(found),
            Event::Card(card) => self.pool.take_card(card),
            Event::History(history) => self.pool.take_history(history),
            Event::Conflicts(all) => self.conflicts.take(all),
            Event::Grown => return self.refresh(),
            Event::Done(text) => {
                self.say(text, false);
                return self.refresh();
            }
            Event::Failed(text) => self.say(text, true),
        }
        Vec::new()
    }

    /// Whether keys are letters of a text now.
    pub(super) fn types(&self) -> bool {
        match self.view {
            View::Live => self.live.types,
            View::Conflicts => self.conflicts.types(),
            View::Pool => self.pool.types,
            View::Cluster | View::Rates => false,
        }
    }

    pub(super) fn say(&mut self, text: String, bad: bool) {
        self.said = Some(Said { text, bad, until_ms: self.now_ms.saturating_add(SAID_MS) });
    }

    fn tick(&mut self) -> Vec<Effect> {
        if self.said.as_ref().is_some_and(|said| said.until_ms <= self.now_ms) {
            self.said = None;
        }
        let looks = matches!(self.view, View::Pool | View::Conflicts);
        if !looks || self.now_ms.saturating_sub(self.looked_ms) < LOOK_MS {
            return Vec::new();
        }
        self.looked_ms = self.now_ms;
        vec![Effect::Look]
    }

    /// What the view in front shows is asked for again.
    fn refresh(&self) -> Vec<Effect> {
        match self.view {
            View::Pool => self.pool.ask_again(),
            View::Conflicts => vec![Effect::Conflicts],
            View::Cluster | View::Live | View::Rates => Vec::new(),
        }
    }

    fn enter(&mut self, view: View) -> Vec<Effect> {
        self.view = view;
        self.refresh()
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') {
            return vec![Effect::Quit];
        }
        if self.help {
            self.help = false;
            return Vec::new();
        }
        if !self.types()
            && let Some(effects) = self.anywhere(key)
        {
            return effects;
        }
        match self.view {
            View::Cluster => self.cluster.key(key),
            View::Live => return self.live_key(key),
            View::Rates => {}
            View::Conflicts => {
                let (asked, effects) = self.conflicts.key(key);
                if let Some(asked) = asked {
                    self.say(asked, false);
                }
                return effects;
            }
            View::Pool => return self.pool.key(key),
        }
        Vec::new()
    }

    /// It goes into the text that is typed; where there is one to find or filter by, but it is not open, that opens.
    fn paste(&mut self, text: &str) -> Vec<Effect> {
        self.help = false;
        match self.view {
            View::Live => self.live.paste(text),
            View::Conflicts if self.conflicts.types() => self.conflicts.paste(text),
            View::Pool => return self.pool.paste(text),
            View::Cluster | View::Rates | View::Conflicts => {
                self.say("what is pasted has no place here".to_owned(), true);
            }
        }
        Vec::new()
    }

    fn live_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        match self.live.key(key) {
            live::Wish::Nothing => Vec::new(),
            live::Wish::Edit(target) => vec![Effect::Edit(target)],
            live::Wish::Open(target) => {
                let mut effects = self.enter(View::Pool);
                effects.extend(self.pool.open(target));
                effects
            }
        }
    }

    /// Keys that mean the same in every view.
    fn anywhere(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        let at = VIEWS.iter().position(|view| *view == self.view).unwrap_or(0);
        let count = VIEWS.len();
        match key.code {
            KeyCode::Char('q') => Some(vec![Effect::Quit]),
            KeyCode::Char('?') | KeyCode::F(1) => {
                self.help = true;
                Some(Vec::new())
            }
            KeyCode::Tab => Some(self.enter(VIEWS[(at + 1) % count])),
            KeyCode::BackTab => Some(self.enter(VIEWS[(at + count - 1) % count])),
            KeyCode::Char(digit @ '1'..='5') => {
                let view = usize::try_from(digit.to_digit(10)?).ok()?.checked_sub(1)?;
                Some(self.enter(*VIEWS.get(view)?))
            }
            _ => None,
        }
    }
}

/// Moves a choice within so many; says whether the key was one that moves.
fn moves(chosen: &mut usize, count: usize, key: KeyEvent) -> bool {
    let last = count.saturating_sub(1);
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    *chosen = match key.code {
        KeyCode::Up | KeyCode::Char('k') => chosen.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => chosen.saturating_add(1),
        KeyCode::PageUp => chosen.saturating_sub(10),
        KeyCode::PageDown => chosen.saturating_add(10),
        KeyCode::Char('u') if control => chosen.saturating_sub(10),
        KeyCode::Char('d') if control => chosen.saturating_add(10),
        KeyCode::Home | KeyCode::Char('g') => 0,
        KeyCode::End | KeyCode::Char('G') => last,
        _ => return false,
    }
    .min(last);
    true
}
