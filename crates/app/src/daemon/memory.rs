//! The thread that writes down which peers were met: a sync may take half a second, and the loop
//! does not wait for it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use cocli_node::{Home, Remembered};

use super::Event;
use crate::clock;
use crate::failure::chain;

/// It is written at most this often.
const EVERY: Duration = Duration::from_secs(60);
/// A wait for something to write.
const LONG: Duration = Duration::from_secs(24 * 3_600);

/// Keeps the last list that it was told.
#[derive(Debug)]
pub(super) struct Memory {
    lists: Option<Sender<Vec<Remembered>>>,
    thread: Option<JoinHandle<()>>,
}

impl Memory {
    pub(super) fn start(home: Home, events: Sender<Event>) -> Self {
        let (lists, queue) = channel();
        let mut told = false;
        let write = move |known: &[Remembered]| {
            let written = home.keep_remembered(known);
            if let Err(error) = &written
                && !told
            {
                told = true;
                let _ = events.send(Event::Notice(chain(error)));
            }
            written.is_ok()
        };
        let thread = std::thread::spawn(move || keep(write, EVERY, &queue));
        Self { lists: Some(lists), thread: Some(thread) }
    }

    /// What is to be found at the next start.
    pub(super) fn keep(&self, known: Vec<Remembered>) {
        if let Some(lists) = &self.lists {
            let _ = lists.send(known);
        }
    }

    /// Returns when the last list is written.
    pub(super) fn end(&mut self) {
        self.lists = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes the last list of the queue, the first one at once. What could not be written is tried
/// again.
fn keep<T>(mut write: impl FnMut(&[T]) -> bool, every: Duration, queue: &Receiver<Vec<T>>) {
    let mut last: Option<Vec<T>> = None;
    let mut rests_until = clock::monotonic();
    loop {
        let rest = rests_until.saturating_duration_since(clock::monotonic());
        match queue.recv_timeout(if last.is_some() { rest } else { LONG }) {
            Ok(list) => last = Some(list),
            Err(RecvTimeoutError::Timeout) => {
                last = last.filter(|list| !write(list));
                rests_until = clock::monotonic() + every;
            }
            Err(RecvTimeoutError::Disconnected) => {
                if let Some(list) = last {
                    write(&list);
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_list_is_written_at_once_and_the_last_one_at_the_end() {
        let (lists, queue) = channel();
        let (note, notes) = channel();
        let thread = std::thread::spawn(move || {
            let write = |list: &[u8]| note.send(list.to_vec()).is_ok();
            keep(write, LONG, &queue);
        });
        lists.send(vec![1]).unwrap();
        assert_eq!(notes.recv().unwrap(), [1]);
        lists.send(vec![2]).unwrap();
        lists.send(vec![3]).unwrap();
        drop(lists);
        thread.join().unwrap();
        assert_eq!(notes.iter().collect::<Vec<_>>(), [[3]]);
    }
}
