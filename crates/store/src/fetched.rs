//! A folder for what is fetched from elsewhere to be read here: of one process at a time, and gone when it is done.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::disk::{Disk, Held, RealDisk};
use crate::paths;

/// The folder, below a home. What a killed process left there is removed by the next.
pub struct Fetched {
    disk: RealDisk,
    path: PathBuf,
    _turn: Held,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fetched").field(&self.path).finish()
    }
}

impl Fetched {
    /// Makes the folder empty, once no other process has it.
    ///
    /// # Errors
    /// Of the file system.
    pub fn begin(home: &Path) -> io::Result<Self> {
        let above = RealDisk::open(home)?;
        let turn = above.lock(paths::FETCHED_TURN, true)?.ok_or(io::ErrorKind::WouldBlock)?;
        let path = home.join(paths::FETCHED);
        crate::error::if_there(std::fs::remove_dir_all(&path))?;
        above.make_folder_unsynced(paths::FETCHED)?;
        let disk = RealDisk::open(&path)?;
        Ok(Self { disk, path, _turn: turn })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new file in it, with the folders above it.
    ///
    /// # Errors
    /// When something stands there, its name is none for this file system, or that refuses.
    pub fn create(&self, path: &str) -> io::Result<Piece> {
        Ok(Piece(self.disk.create(path)?))
    }

    /// Takes a file away again.
    ///
    /// # Errors
    /// Of the file system.
    pub fn forget(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// A file that is being fetched.
#[derive(Debug)]
pub struct Piece(File);

impl Piece {
    /// Adds what came.
    ///
    /// # Errors
    /// Of the file system, here and below.
    pub fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Makes it so long, without any bytes: of a file that nobody reads, only its length is asked.
    ///
    /// # Errors
    /// As above.
    pub fn hollow(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    /// Gives it the time that it has elsewhere: microseconds since 1970.
    ///
    /// # Errors
    /// As above.
    pub fn end(self, written: i64) -> io::Result<()> {
        let since = Duration::from_micros(written.max(0).cast_unsigned());
        self.0.set_modified(SystemTime::UNIX_EPOCH + since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_gone_and_nothing_stays() {
        let home = tempfile::tempdir().unwrap();
        let left = home.path().join(paths::FETCHED).join("companies/old");
        std::fs::create_dir_all(&left).unwrap();
        let fetched = Fetched::begin(home.path()).unwrap();
        assert!(!left.exists());
        let mut piece = fetched.create("people/a/a.md").unwrap();
        piece.add(b"one ").unwrap();
        piece.add(b"two").unwrap();
        piece.end(1_700_000_000_000_000).unwrap();
        let path = fetched.path().join("people/a/a.md");
        assert_eq!(std::fs::read(&path).unwrap(), b"one two");
        let modified = path.metadata().unwrap().modified().unwrap();
        assert_eq!(modified, SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        for odd in ["people/a/a.md", "people/a/a.md/b", "people", "../out", "/tmp/out"] {
            assert!(fetched.create(odd).is_err(), "{odd}");
        }
        drop(fetched);
        assert!(!home.path().join(paths::FETCHED).exists());
    }
}
