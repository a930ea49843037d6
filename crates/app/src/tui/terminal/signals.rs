//! Signals, heard while the terminal is ours: first it is given back. While it is not, each means what it always does.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::flag::{register, register_conditional_default};
use signal_hook::low_level::{emulate_default_handler, pipe};

/// Those that end the program.
const ENDS: [i32; 3] = [SIGTERM, SIGHUP, SIGINT];

/// The terminal is gone.
pub(super) const HUNG_UP: i32 = SIGHUP;

/// Ends the program as the signal would have done, so that whoever started it sees that.
pub(super) fn end(signal: i32) -> ! {
    let _ = emulate_default_handler(signal);
    // As a shell tells of it, should the system not have done so.
    std::process::exit(128 + signal)
}

/// Stops until somebody lets it go on.
pub(super) fn stop() {
    let _ = emulate_default_handler(SIGTSTP);
}

/// What was heard.
#[derive(Debug)]
pub(super) struct Signals {
    ends: [Arc<AtomicBool>; 3],
    stopped: Arc<AtomicBool>,
    goes_on: Arc<AtomicBool>,
    /// The terminal is not ours: a signal means what it always does.
    away: Arc<AtomicBool>,
    /// The same for an interrupt, which is for the program that the terminal is lent to.
    interrupts: Arc<AtomicBool>,
}

impl Signals {
    /// Hears them from now on; each wakes whoever waits at the other end of `wake`.
    pub(super) fn hear(wake: &UnixStream) -> io::Result<Self> {
        let flag = |value| Arc::new(AtomicBool::new(value));
        let all = Self {
            ends: [flag(false), flag(false), flag(false)],
            stopped: flag(false),
            goes_on: flag(false),
            away: flag(true),
            interrupts: flag(true),
        };
        for (signal, heard) in ENDS.iter().zip(&all.ends) {
            let away = if *signal == SIGINT { &all.interrupts } else { &all.away };
            register_conditional_default(*signal, Arc::clone(away))?;
            register(*signal, Arc::clone(heard))?;
        }
        register_conditional_default(SIGTSTP, Arc::clone(&all.away))?;
        register(SIGTSTP, Arc::clone(&all.stopped))?;
        register(SIGCONT, Arc::clone(&all.goes_on))?;
        for signal in ENDS.into_iter().chain([SIGTSTP, SIGCONT, SIGWINCH]) {
            pipe::register(signal, wake.try_clone()?)?;
        }
        Ok(all)
    }

    /// The signal that ends the program.
    pub(super) fn ended(&self) -> Option<i32> {
        let heard = ENDS.iter().zip(&self.ends).find(|(_, heard)| heard.load(Ordering::SeqCst));
        heard.map(|(signal, _)| *signal)
    }

    pub(super) fn stopped(&self) -> bool {
        self.stopped.swap(false, Ordering::SeqCst)
    }

    pub(super) fn goes_on(&self) -> bool {
        self.goes_on.swap(false, Ordering::SeqCst)
    }

    /// The terminal was taken, or given back.
    pub(super) fn taken(&self, taken: bool) {
        self.away.store(!taken, Ordering::SeqCst);
        self.interrupts.store(!taken, Ordering::SeqCst);
        // What stopped it, or let it go on, before now is over.
        self.stopped.store(false, Ordering::SeqCst);
        self.goes_on.store(false, Ordering::SeqCst);
    }

    /// Another program has the terminal: an interrupt there is none here.
    pub(super) fn lent(&self, lent: bool) {
        self.interrupts.store(!lent, Ordering::SeqCst);
        if !lent && let Some(interrupted) = self.ends.last() {
            interrupted.store(false, Ordering::SeqCst);
        }
    }
}
