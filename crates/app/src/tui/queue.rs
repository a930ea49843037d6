//! The queue into which the threads at the rim put what happened. It has an end: whoever brings more than is read waits.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::model::Event;
use super::terminal::Waker;

/// Events that may wait.
pub(super) const EVENTS_MAX: usize = 4_096;

/// Nobody listens any more.
#[derive(Debug)]
pub(super) struct Closed;

#[derive(Debug, Clone)]
pub(super) struct Sender {
    events: SyncSender<Event>,
    waker: Waker,
}

impl Sender {
    pub(super) fn send(&self, event: Event) -> Result<(), Closed> {
        self.events.send(event).map_err(|_| Closed)?;
        self.waker.wake();
        Ok(())
    }
}

pub(super) fn queue(waker: Waker) -> (Sender, Receiver<Event>) {
    let (events, queue) = sync_channel(EVENTS_MAX);
    (Sender { events, waker }, queue)
}
