//! A thread without which the daemon is no use tells the loop when it ends, by a panic too: a
//! daemon that looks alive and writes nothing is worse than one that ended and is started again.

use std::sync::mpsc::{Sender, channel};

use super::Event;

/// Held by a thread as long as it lives.
#[derive(Debug)]
pub(super) struct Alive {
    what: &'static str,
    events: Sender<Event>,
}

impl Alive {
    pub(super) fn new(what: &'static str, events: &Sender<Event>) -> Self {
        Self { what, events: events.clone() }
    }

    /// A way to the loop for a thread that holds it as long as it lives.
    pub(super) fn through(what: &'static str, events: &Sender<Event>) -> Sender<Event> {
        let (to, from) = channel();
        let alive = Self::new(what, events);
        std::thread::spawn(move || from.iter().try_for_each(|event| alive.events.send(event)));
        to
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // The loop that has ended by itself asks nobody any more.
        let _ = self.events.send(Event::Died(self.what));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn the_loop_hears_of_a_thread_that_panics() {
        let (events, queue) = channel();
        let alive = Alive::new("the writer", &events);
        let ended = std::thread::spawn(move || {
            let _alive = alive;
            panic!("as a thread may");
        });
        assert!(ended.join().is_err());
        assert!(matches!(queue.recv_timeout(LONG), Ok(Event::Died("the writer"))));
    }

    #[test]
    fn what_a_thread_said_before_it_ended_comes_first() {
        let (events, queue) = channel();
        let way = Alive::through("the cards", &events);
        let ended = std::thread::spawn(move || {
            way.send(Event::Journals).unwrap();
            panic!("as a thread may");
        });
        assert!(ended.join().is_err());
        assert!(matches!(queue.recv_timeout(LONG), Ok(Event::Journals)));
        assert!(matches!(queue.recv_timeout(LONG), Ok(Event::Died("the cards"))));
    }
}
