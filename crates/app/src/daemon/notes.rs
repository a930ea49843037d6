//! What the daemon tells whoever started it: written by a thread of its own, since a terminal that is held
//! (Ctrl-S, a suspended pane) takes nothing, and the daemon goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::render::Screen;

/// Notes that wait to be written, at most.
const WAITING_MAX: usize = 256;
/// Who ends waits so long for what was noted last.
const END: Duration = Duration::from_millis(200);

enum Note {
    Text(String),
    /// All before it is written.
    End(SyncSender<()>),
}

/// Where notes are left.
#[derive(Clone)]
pub(super) struct Notes {
    notes: SyncSender<Note>,
    /// How many found no room.
    left_out: Arc<AtomicU64>,
}

impl Notes {
    /// Starts the thread that writes them to standard error.
    pub(super) fn start() -> Self {
        Self::written_by(|text| Screen::new(false).note(text))
    }

    fn written_by(write: impl Fn(&str) + Send + 'static) -> Self {
        let (notes, queue) = sync_channel(WAITING_MAX);
        let left_out = Arc::new(AtomicU64::new(0));
        let others = Arc::clone(&left_out);
        std::thread::spawn(move || write_each(&queue, &others, &write));
        Self { notes, left_out }
    }

    /// Leaves a note; waits for nobody.
    pub(super) fn tell(&self, text: impl Into<String>) {
        if self.notes.try_send(Note::Text(text.into())).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits a moment until all that was noted is written.
    pub(super) fn end(&self) {
        let (done, written) = sync_channel(1);
        if self.notes.try_send(Note::End(done)).is_ok() {
            let _ = written.recv_timeout(END);
        }
    }
}

fn write_each(queue: &Receiver<Note>, left_out: &AtomicU64, write: &impl Fn(&str)) {
    for note in queue {
        let end = match note {
            Note::Text(text) => {
                write(&text);
                None
            }
            Note::End(done) => Some(done),
        };
        let others = left_out.swap(0, Ordering::Relaxed);
        if others > 0 {
            write(&format!("{others} more notes found no room while nothing could be written"));
        }
        if let Some(done) = end {
            let _ = done.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn who_notes_waits_for_no_terminal_and_what_found_no_room_is_counted() {
        let (written, seen) = channel();
        let (open, held) = sync_channel::<()>(0);
        let notes = Notes::written_by(move |text| {
            let _ = held.recv();
            let _ = written.send(text.to_owned());
        });
        // One may be in the hands of the thread already.
        for number in 0..WAITING_MAX + 11 {
            notes.tell(format!("note {number}"));
        }
        drop(open);
        let last = seen.iter().find(|text| !text.starts_with("note "));
        let (count, _) = last.as_deref().unwrap().split_once(' ').unwrap();
        assert!([10, 11].contains(&count.parse::<usize>().unwrap()), "{last:?}");
        notes.tell("and on");
        notes.end();
        assert!(seen.try_iter().any(|text| text == "and on"));
    }
}
