//! The writer: runs the replica's jobs in order, each under the home's lock. It waits for the disk
//! so that the loop never does; and while a sync takes its time on a thread of its own, appends go on.

use std::sync::mpsc::{Sender, channel};

use cocli_node::replica::{Begun, Job, JobDone, Queue, Synced, Syncing, Writer};

use super::Event;
use super::alive::Alive;
use crate::clock;

/// What is written into the lock.
const WHO: &str = "the daemon";

enum Task {
    Job(Job),
    Synced(Synced),
    End,
}

/// Where jobs go. The threads end when it is dropped.
#[derive(Debug)]
pub(super) struct Jobs(Sender<Task>);

impl Jobs {
    /// Gives a job to the writer. One that is gone has said so by an event.
    pub(super) fn give(&self, job: Job) {
        let _ = self.0.send(Task::Job(job));
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        let _ = self.0.send(Task::End);
    }
}

/// Starts the threads.
pub(super) fn start(writer: Writer, events: Sender<Event>) -> Jobs {
    let (tasks, queue) = channel::<Task>();
    let (syncs, to_sync) = channel::<Syncing>();
    let alive = Alive::new("the thread that syncs the journals", &events);
    let back = tasks.clone();
    std::thread::spawn(move || {
        let _alive = alive;
        while let Ok(syncing) = to_sync.recv() {
            if back.send(Task::Synced(syncing.run())).is_err() {
                return;
            }
        }
    });
    let alive = Alive::new("the thread that writes the journals", &events);
    let mut desk = Desk { writer, syncs, events, waiting: Queue::default() };
    std::thread::spawn(move || {
        let _alive = alive;
        while let Ok(task) = queue.recv() {
            if desk.take(task).is_none() {
                return;
            }
        }
    });
    Jobs(tasks)
}

/// What the writing thread has before it.
struct Desk {
    writer: Writer,
    syncs: Sender<Syncing>,
    events: Sender<Event>,
    waiting: Queue,
}

impl Desk {
    /// Nothing when nobody listens any more.
    fn take(&mut self, task: Task) -> Option<()> {
        match task {
            Task::Job(job) => self.waiting.add(job),
            Task::Synced(synced) => {
                self.waiting.sync_ends();
                let done = self.writer.end(synced, WHO);
                self.tell(done)?;
            }
            Task::End => return None,
        }
        while let Some(job) = self.waiting.take() {
            match self.writer.begin(job, WHO, clock::now()) {
                Begun::Done(done) => self.tell(done)?,
                Begun::Syncing(syncing) => {
                    self.waiting.sync_begins();
                    self.syncs.send(syncing).ok()?;
                }
            }
        }
        Some(())
    }

    fn tell(&self, done: JobDone) -> Option<()> {
        self.events.send(Event::Done(Box::new(done))).ok()
    }
}
