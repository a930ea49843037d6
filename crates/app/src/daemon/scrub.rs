//! The thread that reads everything once a day, a little each minute: damage on the medium is found while
//! others still hold what was there.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use cocli_node::Home;

use super::Event;
use crate::clock;
use crate::failure::chain;

/// From one step to the next.
const PAUSE: Duration = Duration::from_secs(60);

/// Starts the thread. It ends when what this gives is dropped.
pub(super) fn start(home: Home, events: Sender<Event>) -> Sender<()> {
    let (stop, stopped) = channel();
    std::thread::spawn(move || {
        let mut failed = false;
        loop {
            let step = home.scrub_some(clock::now());
            let told = match &step {
                // Whoever asks the others for it hears by a look at the journals.
                Ok(true) => events.send(Event::Journals),
                Err(error) if !failed => {
                    let why = chain(error);
                    events.send(Event::Notice(format!("not all can be read through: {why}")))
                }
                Ok(false) | Err(_) => Ok(()),
            };
            failed = step.is_err();
            if told.is_err() || stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    });
    stop
}
