//! The disk of the machine. `cap-std` resolves every path beneath the opened home, so that no link,
//! planted or forgotten, leads a read or a write out of it.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::{
    Dir, File, FileExt, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt as _,
};
use rustix::fs::{AtFlags, FileType, RenameFlags, renameat_with, statat};
use rustix::io::Errno;

use super::{Disk, FileKind, Held, Stat};

/// Files that are synced at the same time.
const SYNCS_AT_ONCE: usize = 8;

/// A data home on the disk of this machine.
pub struct RealDisk {
    home: Dir,
    path: std::path::PathBuf,
}

impl RealDisk {
    /// Opens the folder of a home.
    ///
    /// # Errors
    /// When there is no such folder, or it cannot be opened.
    pub fn open(home: &Path) -> io::Result<Self> {
        Ok(Self { home: Dir::open_ambient_dir(home, ambient_authority())?, path: home.to_owned() })
    }

    /// Where the home is, as it was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn for_writing(&self, path: &str, private: bool) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).mode(if private { 0o600 } else { 0o666 });
        self.home.open_with(path, &options)
    }

    /// A new file, for its owner alone, in a folder that is made when it is absent.
    ///
    /// # Errors
    /// When something stands there, or the file system refuses.
    pub fn create(&self, path: &str) -> io::Result<std::fs::File> {
        let folder = crate::paths::folder(path);
        if !folder.is_empty() {
            self.make_folder_unsynced(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        Ok(self.home.open_with(path, &options)?.into_std())
    }

    /// A file for reading, and its bytes now. A pipe with no writer would hang the open, so it is opened without
    /// waiting and refused after.
    fn for_reading(&self, path: &str) -> io::Result<(File, u64)> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        let file = self.home.open_with(path, &options)?;
        let meta = file.metadata()?;
        let kind = meta.file_type();
        if kind.is_file() {
            return Ok((file, meta.len()));
        }
        let what =
            if kind.is_dir() { io::ErrorKind::IsADirectory } else { io::ErrorKind::InvalidInput };
        Err(io::Error::new(what, "not a file"))
    }

    /// The opened folder of a path, and the path's last name.
    fn parent<'a>(&self, path: &'a str) -> io::Result<(Dir, &'a str)> {
        match path.rsplit_once('/') {
            Some((folder, name)) => Ok((self.home.open_dir(folder)?, name)),
            None => Ok((self.home.try_clone()?, path)),
        }
    }

    fn rename_with(&self, from: &str, to: &str, flags: RenameFlags) -> io::Result<()> {
        let (old, old_name) = self.parent(from)?;
        let renamed = if crate::paths::folder(from) == crate::paths::folder(to) {
            let new_name = to.rsplit('/').next().unwrap_or(to);
            renameat_with(&old, old_name, &old, new_name, flags)
        } else {
            let (new, new_name) = self.parent(to)?;
            renameat_with(&old, old_name, &new, new_name, flags)
        };
        match renamed {
            Ok(()) => Ok(()),
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Debug for RealDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RealDisk").field(&self.path).finish()
    }
}

fn stat_of(meta: &Metadata) -> Stat {
    let kind = if meta.is_file() {
        FileKind::File
    } else if meta.is_dir() {
        FileKind::Folder
    } else {
        FileKind::Other
    };
    let modified_ns = meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec());
    Stat { kind, len: meta.len(), modified_ns }
}

fn stat_of_raw(stat: &rustix::fs::Stat) -> Stat {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Folder,
        _ => FileKind::Other,
    };
    let modified_ns =
        stat.st_mtime.saturating_mul(1_000_000_000).saturating_add(stat.st_mtime_nsec as i64);
    Stat { kind, len: stat.st_size.max(0).cast_unsigned(), modified_ns }
}

impl Disk for RealDisk {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let (file, len) = self.for_reading(path)?;
        // One byte more shows at once that the file is no longer than it was.
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0) + 1];
        let mut filled = 0;
        loop {
            match FileExt::read_at(&file, &mut bytes[filled..], filled as u64) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if filled == bytes.len() {
                bytes.resize(filled * 2, 0);
            } else if filled as u64 == len {
                break;
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let (file, there) = self.for_reading(path)?;
        let there = usize::try_from(there.saturating_sub(offset)).unwrap_or(len);
        let mut bytes = vec![0; len.min(there)];
        let mut filled = 0;
        while filled < bytes.len() {
            let at = offset + filled as u64;
            match FileExt::read_at(&file, &mut bytes[filled..], at) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// One call and no opened folder, since thousands of cards are looked at in a row. A folder on the
    /// way that is a link out of the home is followed here, but never to read or write.
    fn stat(&self, path: &str) -> io::Result<Option<Stat>> {
        match statat(&self.home, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat_of_raw(&stat))),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<(String, FileKind)>> {
        let mut names = Vec::new();
        self.list_each(folder, &mut |name, kind| names.push((name.to_owned(), kind)))?;
        names.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(names)
    }

    fn list_each(&self, folder: &str, take: &mut dyn FnMut(&str, FileKind)) -> io::Result<()> {
        let Some(entries) = self.entries(folder)? else { return Ok(()) };
        for entry in entries {
            let entry = entry?;
            // A name that is no UTF-8 cannot be one of ours.
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let kind = match entry.file_type()? {
                kind if kind.is_file() => FileKind::File,
                kind if kind.is_dir() => FileKind::Folder,
                _ => FileKind::Other,
            };
            take(name, kind);
        }
        Ok(())
    }

    fn list_stats(&self, folder: &str) -> io::Result<Vec<(String, Stat)>> {
        let Some(entries) = self.entries(folder)? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            match entry.metadata() {
                Ok(meta) => names.push((name, stat_of(&meta))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        names.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(names)
    }

    fn write_at(&self, path: &str, offset: u64, bytes: &[u8], private: bool) -> io::Result<()> {
        let file = self.for_writing(path, private)?;
        FileExt::write_all_at(&file, bytes, offset)
    }

    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<Stat> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let mut file = self.home.open_with(path, &options)?;
        io::Write::write_all(&mut file, bytes)?;
        Ok(stat_of(&file.metadata()?))
    }

    fn cut(&self, path: &str, len: u64) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true);
        self.home.open_with(path, &options)?.set_len(len)
    }

    fn sync(&self, path: &str) -> io::Result<()> {
        // One that may only be read is synced as well as any.
        self.for_reading(path)?.0.sync_data()
    }

    /// Side by side: a medium that takes long for a sync takes little longer for several at once.
    fn sync_each(&self, paths: &[&str]) -> Vec<io::Result<()>> {
        let mut results = Vec::with_capacity(paths.len());
        for some in paths.chunks(SYNCS_AT_ONCE) {
            let [path] = some else {
                results.extend(std::thread::scope(|scope| {
                    let each = |path| scope.spawn(move || self.sync(path));
                    let running: Vec<_> = some.iter().copied().map(each).collect();
                    let died = |_| Err(io::Error::other("the thread that synced it died"));
                    let ends = running.into_iter().map(|thread| thread.join().unwrap_or_else(died));
                    ends.collect::<Vec<_>>()
                }));
                continue;
            };
            results.push(self.sync(path));
        }
        results
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let opened =
            if folder.is_empty() { self.home.try_clone()? } else { self.home.open_dir(folder)? };
        // A path-only handle, which `Dir` may be, cannot be synced.
        let flags = rustix::fs::OFlags::RDONLY
            | rustix::fs::OFlags::DIRECTORY
            | rustix::fs::OFlags::CLOEXEC;
        let readable = rustix::fs::openat(&opened, ".", flags, rustix::fs::Mode::empty())?;
        Ok(rustix::fs::fsync(readable)?)
    }

    fn sync_all(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            let flags = rustix::fs::OFlags::RDONLY
                | rustix::fs::OFlags::DIRECTORY
                | rustix::fs::OFlags::CLOEXEC;
            let readable = rustix::fs::openat(&self.home, ".", flags, rustix::fs::Mode::empty())?;
            Ok(rustix::fs::syncfs(readable)?)
        }
        #[cfg(not(target_os = "linux"))]
        {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.home.rename(from, &self.home, to)
    }

    fn exchange(&self, a: &str, b: &str) -> io::Result<()> {
        self.rename_with(a, b, RenameFlags::EXCHANGE)
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        match self.rename_with(from, to, RenameFlags::NOREPLACE) {
            // Some file systems know no such flag. The home's lock keeps our own writers apart.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                if self.stat(to)?.is_some() {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                self.rename(from, to)
            }
            other => other,
        }
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.home.remove_file(path)
    }

    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        self.home.remove_dir(folder)
    }

    fn make_folder(&self, folder: &str) -> io::Result<()> {
        let ends = folder.match_indices('/').map(|(end, _)| end).chain([folder.len()]);
        let mut above = "";
        for part in ends.map(|end| &folder[..end]) {
            match self.home.create_dir(part) {
                Ok(()) => self.sync_folder(above)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            above = part;
        }
        Ok(())
    }

    fn make_folder_unsynced(&self, folder: &str) -> io::Result<()> {
        match self.home.create_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// All of the time, also where something wakes this thread.
    fn pause(&self, time: Duration) {
        let (nobody, never) = (Mutex::new(()), Condvar::new());
        let held = nobody.lock().unwrap_or_else(PoisonError::into_inner);
        drop(never.wait_timeout_while(held, time, |()| true));
    }

    fn lock(&self, path: &str, wait: bool) -> io::Result<Option<Held>> {
        let file = self.for_writing(path, true)?.into_std();
        if wait {
            file.lock()?;
            return Ok(Some(Box::new(file)));
        }
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

impl RealDisk {
    fn entries(&self, folder: &str) -> io::Result<Option<cap_std::fs::ReadDir>> {
        let entries =
            if folder.is_empty() { self.home.entries() } else { self.home.read_dir(folder) };
        crate::error::if_there(entries)
    }
}
