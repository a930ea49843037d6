//! `cocli top`: a model that events change, a view that draws it, and threads at the rim that bring the events. It asks
//! the door and the library, and holds no rule about data.

pub(crate) mod card;
mod library;
mod model;
mod queue;
mod seen;
pub(crate) mod terminal;
mod view;
mod watch;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use cocli_core::Target;
use cocli_node::Home;

use crate::clock;
use crate::commands::edit;
use crate::failure::{Exit, Failure};
use crate::render::Screen;
use model::{Effect, Event, Model};
use terminal::{Came, Terminal};

pub(crate) use model::View;
pub(crate) use model::typed::pasted;
pub(crate) use seen::one_line;

/// Ages go on, and are drawn anew, this often.
const TICK: Duration = Duration::from_secs(1);
/// News are drawn together; keys at once.
const FRAME: Duration = Duration::from_millis(50);

/// Shows it until the person ends it.
///
/// # Errors
/// When the terminal breaks, or the home does not open.
pub(crate) fn run(home: &Home, screen: Screen, view: View) -> Result<(), Failure> {
    let broken = |error| Failure::new(Exit::Failed, format!("the terminal: {error}"));
    let model = Model::new(home.node().as_str(), view, screen.colored());
    let homes = [home.again()?, home.again()?, home.again()?];
    let terminal = Terminal::take().map_err(broken)?;
    let (events, queue) = queue::queue(terminal.waker());
    let (ask, questions) = channel();
    let [asked, followed, read] = homes;
    let (to_cluster, to_follow) = (events.clone(), events.clone());
    // They end with the program: each may wait for a daemon that is slow.
    std::thread::spawn(move || watch::cluster(&asked, &to_cluster));
    std::thread::spawn(move || watch::follow(&followed, &to_follow));
    std::thread::spawn(move || library::answer(&read, &questions, &events));
    Top { home, terminal, model, queue, ask, began: clock::monotonic() }.run().map_err(broken)
}

struct Top<'h> {
    home: &'h Home,
    terminal: Terminal,
    model: Model,
    queue: Receiver<Event>,
    /// The library.
    ask: Sender<Effect>,
    began: Instant,
}

impl Top<'_> {
    fn run(&mut self) -> std::io::Result<()> {
        let effects = self.model.begin();
        self.carry_out(effects)?;
        let (mut stale, mut drawn, mut tick) = (true, self.began, self.began + TICK);
        loop {
            let now = clock::monotonic();
            if stale && now >= drawn {
                self.terminal.draw(|frame| view::draw(&self.model, frame))?;
                (stale, drawn) = (false, now + FRAME);
            }
            let late = if stale { drawn.min(tick) } else { tick };
            let ends = match self.terminal.wait(Some(late))? {
                Came::Key(key) => {
                    drawn = now;
                    stale = true;
                    self.happened(Event::Key(key))?
                }
                Came::Pasted(text) => {
                    (stale, drawn) = (true, now);
                    self.happened(Event::Pasted(text))?
                }
                Came::Redraw => {
                    (stale, drawn) = (true, now);
                    false
                }
                Came::Woken => self.news(&mut stale)?,
                Came::Late => false,
            };
            if ends {
                return Ok(());
            }
            if clock::monotonic() >= tick {
                (stale, tick) = (true, clock::monotonic() + TICK);
                self.happened(Event::Tick)?;
            }
        }
    }

    /// Takes what the threads have brought until now; whoever brings more is heard the next time.
    fn news(&mut self, stale: &mut bool) -> std::io::Result<bool> {
        let events: Vec<Event> = self.queue.try_iter().take(queue::EVENTS_MAX).collect();
        for event in events {
            *stale = true;
            self.happened(event)?;
        }
        Ok(false)
    }

    /// Whether the person ends it.
    fn happened(&mut self, event: Event) -> std::io::Result<bool> {
        let effects = self.model.update(clock::micros_since(self.began) / 1_000, event);
        self.carry_out(effects)
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> std::io::Result<bool> {
        for effect in effects {
            match effect {
                Effect::Quit => return Ok(true),
                Effect::Edit(target) => {
                    let edited = self.edit(&target)?;
                    self.happened(edited)?;
                }
                // That the thread is gone is told by its panic.
                question => drop(self.ask.send(question)),
            }
        }
        Ok(false)
    }

    fn edit(&mut self, target: &Target) -> std::io::Result<Event> {
        let edited = self.terminal.lend(|| edit::edited(self.home, target))?;
        Ok(match edited {
            Ok((edits, placed)) => {
                let held = placed.held.first().map(|held| {
                    format!(": its edits wait for you: {} (`cocli accept {target}`)", held.why)
                });
                let broken = placed.broken.first().map(|(path, why)| format!(": {path}: {why}"));
                let more = held.or(broken).unwrap_or_default();
                Event::Done(one_line(&format!("{}{more}", edit::told(target, edits))))
            }
            Err(failure) => Event::Failed(one_line(&failure.whole())),
        })
    }
}
