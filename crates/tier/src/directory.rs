//! A directory as a bucket: the embedded default, on a disk, a stick or a share.
//!
//! Written here and not left to `object_store`, whose directory store needs hard links, hides names that end
//! in `#` and digits, and takes a directory that is no longer mounted for an empty one.
//!
//! An object is written under another name, synced, and only then given its own, where no file has that: by
//! a hard link, or where a file system knows none (FAT, exFAT) by a rename that replaces nothing. So it is
//! whole or not there, at every moment and after every cut. Where a file system can do neither, nothing is
//! created: a file created under its own name and written after that could be left short, and nobody could
//! tell.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use cocli_core::bucket::{Bucket, Created, Failure, FailureKind, Key, Listed};

mod naming;

pub(crate) use naming::Naming;

/// The folder of files that have no name of their own yet. That it is there tells a bucket from an empty
/// mount point; one that was not mounted when it was opened is told by its missing `cluster`.
const UNNAMED: &str = ".cocli-unnamed";
/// How old what a crash left there is when it is swept.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

/// A directory that holds objects as files.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    /// Whether the folder of unnamed files is there: not where one may only read.
    writable: bool,
    /// Whether it was some cluster's when it was opened.
    begun: bool,
    next: AtomicU64,
    no_links: AtomicBool,
    /// Folders whose own names are known to be durable.
    settled: Mutex<BTreeSet<PathBuf>>,
}

impl Directory {
    /// Opens a directory, and makes it when it is absent.
    ///
    /// # Errors
    /// When it is none, or cannot be made.
    pub(crate) fn open(root: &Path) -> Result<Self, Failure> {
        let told = |error: io::Error| failure("open", root, &error);
        if !root.is_dir() {
            fs::create_dir_all(root).map_err(told)?;
            // Which of those above are new is not known; some may not be read. It is once.
            for folder in root.ancestors().skip(1).filter(|folder| folder.is_absolute()) {
                let _ = sync_folder(folder);
            }
        }
        fs::read_dir(root).map_err(told)?;
        let writable = match fs::create_dir(root.join(UNNAMED)) {
            Ok(()) => true,
            Err(error) => error.kind() == ErrorKind::AlreadyExists,
        };
        let directory = Self {
            root: root.to_path_buf(),
            writable,
            begun: root.join(Key::cluster().as_str()).is_file(),
            next: AtomicU64::new(0),
            no_links: AtomicBool::new(false),
            settled: Mutex::default(),
        };
        directory.sweep();
        Ok(directory)
    }

    /// Removes what crashes left a day ago and more, by the disk's own clock; best effort.
    fn sweep(&self) {
        let Ok((file, path)) = self.unnamed() else { return };
        let now = file.metadata().and_then(|about| about.modified());
        let _ = fs::remove_file(path);
        let Ok(entries) = fs::read_dir(self.root.join(UNNAMED)) else { return };
        for entry in entries.flatten() {
            let written = entry.metadata().and_then(|about| about.modified());
            if let (Ok(now), Ok(written)) = (&now, written)
                && now.duration_since(written).is_ok_and(|age| age > LEFT_BEHIND)
            {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// A new file without a name of its own; no two writers, here or elsewhere, get the same.
    fn unnamed(&self) -> io::Result<(File, PathBuf)> {
        loop {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}-{next}", std::process::id());
            let path = self.root.join(UNNAMED).join(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((file, path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn path(&self, key: &Key) -> Result<PathBuf, Failure> {
        let text = key.as_str();
        let own = text.split('/').next() == Some(UNNAMED);
        // A key that was made of parts is checked like one that was read.
        if own || text.ends_with('/') || text.contains('\\') || Key::read(text).is_none() {
            let said = format!("{text:?} is no object's key in {}", self.root.display());
            return Err(Failure::new(FailureKind::Wrong, said));
        }
        Ok(self.root.join(text))
    }

    /// That the bucket is still there at all: an unmounted stick leaves an empty folder.
    fn check(&self) -> Result<(), Failure> {
        let unnamed = !self.writable || self.root.join(UNNAMED).is_dir();
        if unnamed && (!self.begun || self.root.join(Key::cluster().as_str()).is_file()) {
            return Ok(());
        }
        let said = format!("{} is there no more, or not mounted", self.root.display());
        Err(Failure::new(FailureKind::Away, said))
    }

    /// Writes bytes durably without a name, and lets `name` give them theirs.
    fn write<T>(
        &self,
        path: &Path,
        bytes: &[u8],
        name: impl Fn(&Path, &Path) -> io::Result<T>,
    ) -> Result<T, Failure> {
        self.check()?;
        let told = |error: io::Error| failure("write", path, &error);
        let (mut file, unnamed) = self.unnamed().map_err(told)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        drop(file);
        let folder = path.parent().unwrap_or(&self.root);
        let done = written
            .and_then(|()| self.settle(folder))
            .and_then(|()| name(&unnamed, path))
            // Also for what was there before: its writer may not have come this far.
            .and_then(|done| sync_folder(folder).map(|()| done));
        let _ = fs::remove_file(&unnamed);
        done.map_err(told)
    }

    /// Makes a folder whose name, and those above it, survive a power cut.
    fn settle(&self, folder: &Path) -> io::Result<()> {
        let known = |folder: &Path| {
            folder == self.root
                || self.settled.lock().unwrap_or_else(PoisonError::into_inner).contains(folder)
        };
        if known(folder) && folder.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        for folder in folder.ancestors().take_while(|above| *above != self.root) {
            sync_folder(folder.parent().unwrap_or(&self.root))?;
            let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
            settled.insert(folder.to_path_buf());
        }
        Ok(())
    }

    /// Which way of giving a name works here; found out by trying, with two files that are removed again.
    pub(crate) fn naming(&self) -> Result<Naming, Failure> {
        let told = |error: io::Error| failure("try", &self.root, &error);
        let (_, from) = self.unnamed().map_err(told)?;
        let (_, to) = self.unnamed().map_err(told)?;
        fs::remove_file(&to).map_err(told)?;
        let found = Naming::try_out(&from, &to);
        let _ = fs::remove_file(&from);
        let _ = fs::remove_file(&to);
        Ok(found)
    }

    /// Everything below a folder, in no order.
    fn below(&self, folder: &Path, found: &mut Vec<Listed>) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Err(error) if is_missing(&error) => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_name() == UNNAMED && folder == self.root {
                continue;
            }
            let about = match entry.metadata() {
                Err(error) if is_missing(&error) => continue,
                about => about?,
            };
            if about.is_dir() {
                self.below(&entry.path(), found)?;
            } else if about.is_file()
                && let Some(key) = self.key(&entry.path())
            {
                let written = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
                let written = i64::try_from(written.as_micros()).unwrap_or(i64::MAX);
                found.push(Listed { key, bytes: about.len(), written });
            }
        }
        Ok(())
    }

    fn key(&self, path: &Path) -> Option<Key> {
        let below = path.strip_prefix(&self.root).ok()?;
        let parts: Option<Vec<&str>> =
            below.components().map(|part| part.as_os_str().to_str()).collect();
        Key::read(&parts?.join("/"))
    }

    fn folder(&self, folder: &Key) -> PathBuf {
        self.root.join(folder.as_str().trim_end_matches('/'))
    }
}

impl Bucket for Directory {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.path(key)?;
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_missing(&error) => self.check().map(|()| None),
            Err(_) if path.is_dir() => Ok(None),
            Err(error) => Err(failure("get", &path, &error)),
        }
    }

    fn create(&self, key: &Key, bytes: &[u8]) -> Result<Created, Failure> {
        let path = self.path(key)?;
        self.write(&path, bytes, |from, to| match naming::name(from, to, &self.no_links) {
            Ok(()) => Ok(Created::New),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && !to.is_dir() => {
                Ok(Created::Exists)
            }
            Err(error) => Err(error),
        })
    }

    fn replace(&self, key: &Key, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.path(key)?;
        self.write(&path, bytes, |from, to| fs::rename(from, to))
    }

    fn list(&self, folder: &Key) -> Result<Vec<Listed>, Failure> {
        self.check()?;
        let mut found = Vec::new();
        let path = self.folder(folder);
        self.below(&path, &mut found).map_err(|error| failure("list", &path, &error))?;
        found.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(found)
    }

    fn folders(&self, folder: &Key) -> Result<Vec<String>, Failure> {
        let above = folder.as_str();
        let below = self.list(folder)?;
        let names: BTreeSet<&str> = below
            .iter()
            .filter_map(|one| Some(one.key.as_str().strip_prefix(above)?.split_once('/')?.0))
            .collect();
        Ok(names.into_iter().map(str::to_string).collect())
    }

    fn remove(&self, keys: &[Key]) -> Result<(), Failure> {
        self.check()?;
        for key in keys {
            let path = self.path(key)?;
            match fs::remove_file(&path) {
                Err(error) if !is_missing(&error) => return Err(failure("remove", &path, &error)),
                _ => {}
            }
        }
        Ok(())
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn failure(asked: &str, path: &Path, error: &io::Error) -> Failure {
    let kind = match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => FailureKind::Denied,
        ErrorKind::Unsupported
        | ErrorKind::InvalidFilename
        | ErrorKind::InvalidInput
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::AlreadyExists => FailureKind::Wrong,
        _ => FailureKind::Away,
    };
    Failure::new(kind, format!("{asked} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
