//! Who started the daemon and waits to hear of it: a manager of services that speaks systemd's protocol
//! (`Type=notify`, `WatchdogSec=`). Where there is none, nothing is sent.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

#[derive(Debug)]
pub(super) struct Supervisor {
    /// From one sign of life to the next; none where nobody asks for them.
    every: Option<Duration>,
    next: Instant,
}

impl Supervisor {
    pub(super) fn new(now: Instant) -> Self {
        // Twice in the time that is allowed, so that one which comes late ends nothing.
        let every = sd_notify::watchdog_enabled().map(|allowed| allowed / 2);
        Self { every: every.filter(|every| !every.is_zero()), next: now }
    }

    /// The port and the door are open.
    pub(super) fn ready(&self, status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// A sign of life, when one is due. Only the loop itself may call this: that it turns is what is said.
    pub(super) fn alive(&mut self, now: Instant) {
        if let Some(every) = self.every.filter(|_| now >= self.next) {
            self.next = now + every;
            tell(&[NotifyState::Watchdog]);
        }
    }

    /// When the next sign of life is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.every.map(|_| self.next)
    }

    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }
}

/// A manager that does not take it will find that out by itself, and act on it.
fn tell(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}
