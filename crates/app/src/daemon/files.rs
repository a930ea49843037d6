//! Watching files is a hint: it makes a change be seen at once. What it misses, the rescan finds.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::Event;
use super::changes::Changes;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod inotify;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::watch;
#[cfg(target_os = "linux")]
pub(super) use inotify::watch;

/// What watches as long as it lives; on Linux a thread does, as long as somebody hears.
#[cfg(not(target_os = "linux"))]
pub(super) type Watch = RecommendedWatcher;
/// The same.
#[cfg(target_os = "linux")]
pub(super) type Watch = ();

/// A file changed; tells whether anybody listens still.
fn tell(path: PathBuf, events: &Sender<Event>, changes: &Changes) -> bool {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("usv") => events.send(Event::Journals).is_ok(),
        Some("md" | "lst") => changes.tell(path),
        _ => true,
    }
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
