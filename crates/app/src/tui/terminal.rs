//! The one place that takes the terminal and gives it back: at the end, after a panic of any thread, and before a
//! signal ends or stops the program. Whoever waits here is told of keys, of what threads have for it, and of the end.

mod signals;

use std::io::{self, Read, Write, stdin, stdout};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{
    self, DisableBracketedPaste, EnableBracketedPaste, Event, KeyCode, KeyEvent, KeyEventKind,
    KeyModifiers,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::{DefaultTerminal, Frame};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, getpgrp, getsid, kill_current_process_group};

use crate::clock;
use signals::{HUNG_UP, Signals};

/// The exit code after a panic, as Rust's own.
const PANICKED: i32 = 101;
/// How long a part of a key's bytes may be all that is there.
const PART_OF_A_KEY: Duration = Duration::from_millis(20);

/// Whether the terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// What one waited for.
#[derive(Debug)]
pub(crate) enum Came {
    Key(KeyEvent),
    /// A text was pasted: none of its letters is a key that somebody pressed.
    Pasted(String),
    /// All has to be drawn: its size changed, or it was given back and taken again.
    Redraw,
    /// A thread has something.
    Woken,
    /// It is as late as was said.
    Late,
}

/// Wakes whoever waits at the terminal.
#[derive(Debug, Clone)]
pub(crate) struct Waker(Arc<UnixStream>);

impl Waker {
    pub(crate) fn wake(&self) {
        // When there is no room it is awake already.
        let _ = (&*self.0).write(&[0]);
    }
}

/// The terminal, taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Terminal {
    screen: DefaultTerminal,
    signals: Signals,
    waker: Waker,
    woken: UnixStream,
}

impl Terminal {
    /// # Errors
    /// When there is none, or it takes no orders.
    pub(crate) fn take() -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let signals = Signals::hear(&wake)?;
        restore_after_a_panic();
        let mut terminal = Self { screen: fresh()?, signals, waker: Waker(Arc::new(wake)), woken };
        terminal.enter()?;
        Ok(terminal)
    }

    pub(crate) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// # Errors
    /// When it cannot be written to.
    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.screen.draw(draw).map(drop)
    }

    /// Waits until something comes, or until it is late. A signal that ends or stops the program, and Ctrl-Z, does
    /// so here, once the terminal is given back.
    ///
    /// # Errors
    /// When the terminal cannot be read.
    pub(crate) fn wait(&mut self, late: Option<Instant>) -> io::Result<Came> {
        loop {
            if let Some(signal) = self.signals.ended() {
                self.end(signal);
            }
            if self.signals.stopped() {
                self.leave();
                signals::stop();
                return self.enter().map(|()| Came::Redraw);
            }
            if self.signals.goes_on() {
                // Whoever stopped it had no way to give the terminal back, and the shell set it to its liking.
                self.leave();
                return self.enter().map(|()| Came::Redraw);
            }
            self.look(Some(Duration::ZERO))?;
            if let Some(came) = self.input()? {
                return Ok(came);
            }
            if self.drain() {
                return Ok(Came::Woken);
            }
            let left = late.map(|late| late.saturating_duration_since(clock::monotonic()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Came::Late);
            }
            if self.look(left)? && !event::poll(Duration::ZERO)? {
                event::poll(PART_OF_A_KEY)?;
            }
        }
    }

    /// Whether more was typed already.
    ///
    /// # Errors
    /// When the terminal cannot be read.
    pub(crate) fn more(&mut self) -> io::Result<bool> {
        self.look(Some(Duration::ZERO))?;
        event::poll(Duration::ZERO)
    }

    /// Gives the terminal to another program, as an editor, until that is done.
    ///
    /// # Errors
    /// When the terminal cannot be taken again.
    pub(crate) fn lend<T>(&mut self, to: impl FnOnce() -> T) -> io::Result<T> {
        self.leave();
        self.signals.lent(true);
        let done = to();
        self.signals.lent(false);
        self.enter().map(|()| done)
    }

    fn input(&mut self) -> io::Result<Option<Came>> {
        while event::poll(Duration::ZERO)? {
            match event::read()? {
                Event::Key(key) if key.kind == KeyEventKind::Release => {}
                Event::Key(key) if is_stop(key) && self.suspend()? => {
                    return Ok(Some(Came::Redraw));
                }
                Event::Key(key) => return Ok(Some(Came::Key(key))),
                Event::Paste(text) => return Ok(Some(Came::Pasted(text))),
                Event::Resize(..) => return Ok(Some(Came::Redraw)),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Gives the terminal back to the shell, which goes on until it is told `fg`. Whether there is one.
    fn suspend(&mut self) -> io::Result<bool> {
        // The first program of a terminal has no shell to go back to, and nobody would let it go on.
        if getsid(None).is_ok_and(|session| session == getpgrp()) {
            return Ok(false);
        }
        self.leave();
        // As the terminal itself would: to all of the job.
        let stopped = kill_current_process_group(Signal::TSTP);
        self.enter()?;
        stopped?;
        Ok(true)
    }

    /// Whether somebody woke us.
    fn drain(&mut self) -> bool {
        let mut woken = false;
        let mut bytes = [0; 64];
        while self.woken.read(&mut bytes).is_ok_and(|read| read > 0) {
            woken = true;
        }
        woken
    }

    /// Whether something was typed, told once it was or a thread woke us, and after so long at the latest. A terminal
    /// that is gone ends the program, as nobody is left who reads; crossterm would ask it for ever.
    fn look(&mut self, left: Option<Duration>) -> io::Result<bool> {
        let stdin = stdin();
        let mut ends =
            [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&self.woken, PollFlags::IN)];
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut ends, left.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let came = ends[0].revents();
        if came.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            self.end(HUNG_UP);
        }
        Ok(came.contains(PollFlags::IN))
    }

    fn end(&mut self, signal: i32) {
        self.leave();
        signals::end(signal);
    }

    fn enter(&mut self) -> io::Result<()> {
        TAKEN.store(true, Ordering::SeqCst);
        self.signals.taken(true);
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, Clear(ClearType::All))?;
        // One that knows of nothing that was drawn; its own `clear` would ask the terminal where the cursor is, and
        // wait for the answer.
        self.screen = fresh()?;
        Ok(())
    }

    fn leave(&mut self) {
        restore();
        self.signals.taken(false);
    }
}

fn fresh() -> io::Result<DefaultTerminal> {
    ratatui::Terminal::new(CrosstermBackend::new(stdout()))
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave();
    }
}

fn is_stop(key: KeyEvent) -> bool {
    key.code == KeyCode::Char('z') && key.modifiers.contains(KeyModifiers::CONTROL)
}

/// Gives the terminal back, once. That it cannot be written to any more changes nothing.
fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = disable_raw_mode();
        let _ = execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, Show);
    }
}

/// What a panic says is read on a terminal that works, whichever thread it was.
fn restore_after_a_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let (mine, tell) = (std::thread::current().id(), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            let taken = TAKEN.load(Ordering::SeqCst);
            restore();
            tell(panic);
            if taken && std::thread::current().id() != mine {
                // The thread that draws knows nothing of it, and would draw over what was said.
                std::process::exit(PANICKED);
            }
        }));
    });
}

#[cfg(test)]
mod tests;
