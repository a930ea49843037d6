//! The narrow door to the disk. Everything below the data home goes through it: the real one opens
//! files beneath the home without following links out of it, the fake one keeps a live and a durable
//! image apart and fails on purpose.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub mod fake;
mod real;

pub use fake::FakeDisk;
pub use real::RealDisk;

/// A disk as it is handed around.
pub type SharedDisk = Arc<dyn Disk>;

/// A lock as long as it lives.
pub type Held = Box<dyn Any + Send + Sync>;

/// What a name on the disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file with bytes.
    File,
    /// A folder.
    Folder,
    /// A link, socket or device: never opened.
    Other,
}

/// What `stat` tells: enough to see that a file is no longer the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Bytes.
    pub len: u64,
    /// Last change, nanoseconds since 1970.
    pub modified_ns: i64,
}

/// All paths are relative to the home, with `/` between the parts, and are made in [`crate::paths`].
pub trait Disk: Send + Sync + fmt::Debug {
    /// The whole file. `NotFound` when there is none.
    ///
    /// # Errors
    /// Of the file system, here and below.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;
    /// Up to `len` bytes from `offset`; fewer only at the end of the file.
    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>>;
    /// What stands at `path` (a link is [`FileKind::Other`]); `None` when nothing does.
    fn stat(&self, path: &str) -> io::Result<Option<Stat>>;
    /// Names in a folder, sorted; an absent folder is empty.
    fn list(&self, folder: &str) -> io::Result<Vec<(String, FileKind)>>;
    /// Hands the names in a folder to `take` one by one, in no order: of a folder with a million names none
    /// is kept.
    fn list_each(&self, folder: &str, take: &mut dyn FnMut(&str, FileKind)) -> io::Result<()> {
        self.list(folder)?.iter().for_each(|(name, kind)| take(name, *kind));
        Ok(())
    }
    /// What `list` and `stat` together tell, in one pass over the folder.
    fn list_stats(&self, folder: &str) -> io::Result<Vec<(String, Stat)>> {
        let mut all = Vec::new();
        for (name, _) in self.list(folder)? {
            if let Some(stat) = self.stat(&format!("{folder}/{name}"))? {
                all.push((name, stat));
            }
        }
        Ok(all)
    }
    /// Writes all of `bytes` at `offset` (which is at most the file's length), making the file, but not
    /// its folder, when there is none. `private` makes it 0600.
    fn write_at(&self, path: &str, offset: u64, bytes: &[u8], private: bool) -> io::Result<()>;
    /// Makes a file of these bytes, whatever stood there before, in a folder that is there.
    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<Stat> {
        self.write_at(path, 0, bytes, false)?;
        let stat = self.stat(path)?.ok_or(io::ErrorKind::NotFound)?;
        let len = bytes.len() as u64;
        if stat.len == len {
            return Ok(stat);
        }
        self.cut(path, len)?;
        self.stat(path)?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    /// Cuts the file to `len` bytes.
    fn cut(&self, path: &str, len: u64) -> io::Result<()>;
    /// Makes the file's bytes and length durable (`fdatasync`).
    fn sync(&self, path: &str) -> io::Result<()>;
    /// The same of several files; what became of each, in order.
    fn sync_each(&self, paths: &[&str]) -> Vec<io::Result<()>> {
        paths.iter().map(|path| self.sync(path)).collect()
    }
    /// Makes the folder's names durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    /// Makes everything written below the home durable, in one call where the system has one.
    fn sync_all(&self) -> io::Result<()>;
    /// Renames over whatever stands at `to`.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Swaps two names in one step. `Unsupported` where the file system cannot.
    fn exchange(&self, a: &str, b: &str) -> io::Result<()>;
    /// Renames only when nothing stands at `to` (`AlreadyExists` otherwise).
    fn rename_new(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_folder(&self, folder: &str) -> io::Result<()>;
    /// Makes a folder and those above it, durably.
    fn make_folder(&self, folder: &str) -> io::Result<()>;
    /// Makes a folder and those above it; a power cut may take them away again. For folders of cards,
    /// which are put in place anew when they are gone.
    fn make_folder_unsynced(&self, folder: &str) -> io::Result<()> {
        self.make_folder(folder)
    }
    /// Lets time pass, so that others may go on with what they write.
    fn pause(&self, time: Duration);
    /// Takes the lock that the file at `path` (made when absent) stands for, against other processes
    /// and other threads; without `wait` it is `None` when somebody holds it.
    fn lock(&self, path: &str, wait: bool) -> io::Result<Option<Held>>;
}
