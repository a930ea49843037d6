//! Watching files is a hint: it makes a change be seen at once. What it misses, the rescan finds.

use std::path::Path;
use std::sync::mpsc::Sender;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::{CardEvent, Event};

/// Watches journals and pool; `None` where the system cannot (then only the rescan sees changes).
pub(super) fn watch(
    home: &Path,
    events: Sender<Event>,
    cards: Sender<CardEvent>,
) -> Option<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else {
            // The queue of the system ran over: look at everything.
            let _ = cards.send(CardEvent::All);
            return;
        };
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        for path in event.paths {
            match path.extension().and_then(|e| e.to_str()) {
                Some("usv") => drop(events.send(Event::Journals)),
                Some("md" | "lst") => drop(cards.send(CardEvent::Changed(path))),
                _ => {}
            }
        }
    })
    .ok()?;
    for (folder, mode) in cocli_node::watched(home) {
        watcher
            .watch(
                &folder,
                if mode { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive },
            )
            .ok()?;
    }
    Some(watcher)
}

/// Says when a journal may have grown; `None` where the system cannot.
pub(crate) fn watch_journals(home: &Path, grown: Sender<()>) -> Option<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reading is no reason to read again.
        if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            let _ = grown.send(());
        }
    })
    .ok()?;
    watcher.watch(&cocli_node::growing(home), RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}
