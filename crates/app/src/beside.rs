//! A file that is written beside its place, and takes it when it is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

/// What stands beside its place now, for whoever ends the program.
static OPEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static ENDS: Once = Once::new();
/// As a shell tells of a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// A file beside its place; it goes with this, unless it was put there.
pub(crate) struct Beside {
    fresh: PathBuf,
    place: PathBuf,
}

impl Beside {
    /// A new file for a place. Whoever may not read what stands there may not read the new one.
    pub(crate) fn of(place: &Path) -> io::Result<(Self, File)> {
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let fresh = place.with_file_name(name);
        ENDS.call_once(|| {
            // A daemon has set its own: it lives until its work is done.
            let _ = ctrlc::set_handler(|| {
                open().iter().for_each(|fresh| drop(fs::remove_file(fresh)));
                std::process::exit(INTERRUPTED);
            });
        });
        open().push(fresh.clone());
        let file = File::create(&fresh)?;
        let beside = Self { fresh, place: place.to_owned() };
        if let Ok(there) = fs::metadata(place) {
            file.set_permissions(there.permissions())?;
        }
        Ok((beside, file))
    }

    /// Where it stands until then.
    pub(crate) fn path(&self) -> &Path {
        &self.fresh
    }

    /// Puts it in place.
    pub(crate) fn put(self) -> io::Result<()> {
        fs::rename(&self.fresh, &self.place)
    }
}

fn open() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Beside {
    fn drop(&mut self) {
        open().retain(|fresh| *fresh != self.fresh);
        let _ = fs::remove_file(&self.fresh);
    }
}
