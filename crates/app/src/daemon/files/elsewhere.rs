//! Watching where the system watches whole trees by itself.

use std::path::Path;
use std::sync::mpsc::Sender;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::super::Event;
use super::super::changes::Changes;
use super::tell;

/// Watches journals and pool as long as what it gives lives; `None` where the system cannot (then only
/// the rescan sees changes).
pub(in crate::daemon) fn watch(
    home: &Path,
    events: Sender<Event>,
    changes: Changes,
) -> Option<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else {
            // The queue of the system ran over: look at everything.
            changes.look();
            return;
        };
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        for path in event.paths {
            tell(path, &events, &changes);
        }
    })
    .ok()?;
    for (folder, deep) in cocli_node::watched(home) {
        let mode = if deep { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        watcher.watch(&folder, mode).ok()?;
    }
    Some(watcher)
}
