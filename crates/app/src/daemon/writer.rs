//! The writer: runs the replica's jobs in order, each under the home's lock. It waits for the disk
//! so that the loop never does.

use std::sync::mpsc::{Sender, channel};

use cocli_node::Writer;
use cocli_node::replica::Job;

use super::Event;
use super::alive::Alive;
use crate::clock;

/// Starts the thread; it ends when the sender is dropped.
pub(super) fn start(mut writer: Writer, events: Sender<Event>) -> Sender<Job> {
    let (jobs, queue) = channel::<Job>();
    let alive = Alive::new("the thread that writes the journals", &events);
    std::thread::spawn(move || {
        let _alive = alive;
        while let Ok(job) = queue.recv() {
            if events.send(Event::Done(writer.run(job, clock::now()))).is_err() {
                return;
            }
        }
    });
    jobs
}
