//! The thread that reads everything once a day, a little each minute: damage on the medium is found while
//! others still hold what was there.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use cocli_node::{Home, Result};

use super::Event;
use super::alive::Alive;
use crate::clock;
use crate::failure::chain;

/// From one step to the next.
const PAUSE: Duration = Duration::from_secs(60);

/// Starts the thread. It ends when what this gives is dropped.
pub(super) fn start(home: Home, events: Sender<Event>) -> Sender<()> {
    start_with(move || home.scrub_some(clock::now()), events)
}

/// As [`start`], with what it does each time: it says whether something is to be asked for.
fn start_with(
    mut step: impl FnMut() -> Result<bool> + Send + 'static,
    events: Sender<Event>,
) -> Sender<()> {
    let (stop, stopped) = channel();
    let alive = Alive::new("the thread that reads everything through", &events);
    std::thread::spawn(move || {
        let _alive = alive;
        let mut failed = false;
        loop {
            let step = step();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_hears_when_the_reading_panics() {
        let (events, queue) = channel();
        let _stop = start_with(|| panic!("as a thread may"), events);
        // The queue ends with the thread.
        let told: Vec<Event> = queue.iter().collect();
        assert!(matches!(told[..], [Event::Died("the thread that reads everything through")]));
    }
}
