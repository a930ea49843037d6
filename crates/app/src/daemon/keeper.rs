//! The thread that keeps another node's checkpoint as it comes: what waits for the disk there keeps nobody
//! from writing.

use std::sync::mpsc::{Sender, channel};

use cocli_node::replica::{Keeper, Part};

use super::Event;
use super::alive::Alive;

/// Starts the thread, which takes each part with the call that it came over. It ends when nobody gives it
/// anything any more.
pub(super) fn start(mut keeper: Keeper, events: Sender<Event>) -> Sender<(u64, Part)> {
    let (parts, queue) = channel::<(u64, Part)>();
    let alive = Alive::new("the thread that keeps another node's checkpoint", &events);
    std::thread::spawn(move || {
        let _alive = alive;
        while let Ok((call, part)) = queue.recv() {
            let came = keeper.keep(call, part);
            if events.send(Event::Kept { call, came }).is_err() {
                return;
            }
        }
    });
    parts
}
