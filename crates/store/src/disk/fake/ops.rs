//! The operations of the fake disk, each of which may be the one that fails.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use super::image::{Inode, NameOp};
use super::{DOWN, FakeDisk, Image, Verdict};
use crate::disk::{Disk, FileKind, Held, Stat};

/// Bytes that are read at once to cut within them.
const PAGE_BYTES: u64 = 4096;

impl Disk for FakeDisk {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut image = self.image();
        image.step("read", path, false)?;
        image.legible(path, 0, u64::MAX)?;
        let bytes = image.inode(path)?.live.clone();
        image.bytes_read += bytes.len() as u64;
        Ok(bytes)
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut image = self.image();
        image.step("read_at", path, false)?;
        image.legible(path, offset, len as u64)?;
        let live = &image.inode(path)?.live;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(live.len());
        let bytes = live[start..start.saturating_add(len).min(live.len())].to_vec();
        image.bytes_read += bytes.len() as u64;
        Ok(bytes)
    }

    fn stat(&self, path: &str) -> io::Result<Option<Stat>> {
        let mut image = self.image();
        image.step("stat", path, false)?;
        if image.folders.contains(path) {
            let modified_ns = image.renamed_ns;
            return Ok(Some(Stat { kind: FileKind::Folder, len: 0, modified_ns }));
        }
        Ok(image.inode(path).ok().map(|inode| Stat {
            kind: FileKind::File,
            len: inode.live.len() as u64,
            modified_ns: inode.modified_ns,
        }))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<(String, FileKind)>> {
        let mut image = self.image();
        image.step("list", folder, false)?;
        let below = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let name = |path: &String| {
            path.strip_prefix(&below).filter(|rest| !rest.contains('/')).map(str::to_owned)
        };
        let files = image.live.keys().filter_map(name).map(|name| (name, FileKind::File));
        let folders = image.folders.iter().filter_map(name).map(|name| (name, FileKind::Folder));
        let mut all: Vec<_> = files.chain(folders).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }

    fn write_at(&self, path: &str, offset: u64, bytes: &[u8], _private: bool) -> io::Result<()> {
        let mut image = self.image();
        let verdict = image.count("write_at", path, true)?;
        if let Verdict::Fail(_) = verdict
            && bytes.is_empty()
        {
            return Ok(());
        }
        image.make_file(path)?;
        let end = offset + bytes.len() as u64;
        if image.spoilt.get(path).is_some_and(|bad| offset <= bad.start && bad.end <= end) {
            image.spoilt.remove(path);
        }
        let inode = image.inode_mut(path)?;
        match verdict {
            Verdict::Go => inode.write(offset, bytes),
            Verdict::Fail(kind) => {
                inode.write(offset, &bytes[..bytes.len() / 2])?;
                Err(kind.into())
            }
            Verdict::Crash => {
                inode.write(offset, bytes)?;
                Err(io::Error::other(DOWN))
            }
        }
    }

    fn cut(&self, path: &str, len: u64) -> io::Result<()> {
        let mut image = self.image();
        image.step("cut", path, false)?;
        // To cut within a page it has to be read.
        if !len.is_multiple_of(PAGE_BYTES) {
            image.legible(path, len / PAGE_BYTES * PAGE_BYTES, PAGE_BYTES)?;
        }
        if image.spoilt.get(path).is_some_and(|bad| len <= bad.start) {
            image.spoilt.remove(path);
        }
        image.inode_mut(path)?.cut(len);
        Ok(())
    }

    fn sync(&self, path: &str) -> io::Result<()> {
        let mut image = self.image();
        let verdict = image.count("sync", path, true)?;
        let id = image.live.get(path).copied().ok_or(io::ErrorKind::NotFound)?;
        let inode = image.inodes.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        match verdict {
            Verdict::Go => {
                inode.sync();
                Ok(())
            }
            Verdict::Fail(kind) => {
                if kind != io::ErrorKind::PermissionDenied {
                    inode.lose();
                }
                Err(kind.into())
            }
            Verdict::Crash => Err(io::Error::other(DOWN)),
        }
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let mut image = self.image();
        image.step("sync_folder", folder, false)?;
        let (now, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut image.pending).into_iter().partition(|op| op.is_in(folder));
        image.pending = later;
        let image = &mut *image;
        for op in now {
            op.apply(&mut image.durable);
        }
        // What no name leads to any more, on neither side, is gone.
        if image.pending.is_empty() && image.inodes.len() > image.live.len() * 3 / 2 + 16 {
            let named: BTreeSet<u64> =
                image.live.values().chain(image.durable.values()).copied().collect();
            image.inodes.retain(|id, _| named.contains(id));
        }
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        let mut image = self.image();
        let verdict = image.count("sync_all", "", true)?;
        match verdict {
            Verdict::Go => {
                let image = &mut *image;
                image.inodes.values_mut().for_each(Inode::sync);
                image.pending.clear();
                image.durable = image.live.clone();
                Ok(())
            }
            Verdict::Fail(kind) => {
                image.inodes.values_mut().for_each(Inode::lose);
                Err(kind.into())
            }
            Verdict::Crash => Err(io::Error::other(DOWN)),
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut image = self.image();
        image.step("rename", to, true)?;
        image.move_name(from, to)
    }

    fn exchange(&self, a: &str, b: &str) -> io::Result<()> {
        let mut image = self.image();
        image.step("exchange", b, false)?;
        if !image.exchanges {
            return Err(io::ErrorKind::Unsupported.into());
        }
        image.inode(a)?;
        image.inode(b)?;
        let (Some(first), Some(second)) = (image.live.get(a).copied(), image.live.get(b).copied())
        else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let (a, b) = (a.to_owned(), b.to_owned());
        image.change(NameOp::Swap { a: (a, second), b: (b, first) });
        Ok(())
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        let mut image = self.image();
        image.step("rename_new", to, true)?;
        if image.live.contains_key(to) || image.folders.contains(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        image.move_name(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut image = self.image();
        image.step("remove", path, false)?;
        image.inode(path)?;
        image.change(NameOp::Remove { path: path.to_owned() });
        Ok(())
    }

    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        let below = format!("{folder}/");
        let mut image = self.image();
        image.step("remove_folder", folder, false)?;
        let mut names = image.live.keys().chain(&image.folders);
        if names.any(|name| name.starts_with(&below)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        match image.folders.remove(folder) {
            true => Ok(()),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn make_folder(&self, folder: &str) -> io::Result<()> {
        let mut image = self.image();
        image.step("make_folder", folder, true)?;
        for end in folder.match_indices('/').map(|(end, _)| end).chain([folder.len()]) {
            if image.live.contains_key(&folder[..end]) {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            image.folders.insert(folder[..end].to_owned());
        }
        Ok(())
    }

    fn pause(&self, time: Duration) {
        let mut image = self.image();
        image.clock += i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        image.end_saves(u64::MAX);
    }

    fn lock(&self, path: &str, wait: bool) -> io::Result<Option<Held>> {
        let mut image = self.image();
        image.step("lock", path, false)?;
        image.make_file(path)?;
        if image.locked.insert(path.to_owned()) {
            return Ok(Some(Box::new(FakeLock { disk: self.clone(), path: path.to_owned() })));
        }
        // Whoever waits on a disk of one thread waits for ever.
        if wait { Err(io::ErrorKind::Deadlock.into()) } else { Ok(None) }
    }
}

impl Image {
    fn move_name(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.inode(from)?;
        if self.folders.contains(to) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let folder = crate::paths::folder(to);
        if !folder.is_empty() && !self.folders.contains(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let id = self.live.get(from).copied().ok_or(io::ErrorKind::NotFound)?;
        self.change(NameOp::Put { path: to.to_owned(), id, gone: Some(from.to_owned()) });
        Ok(())
    }
}

struct FakeLock {
    disk: FakeDisk,
    path: String,
}

impl Drop for FakeLock {
    fn drop(&mut self) {
        self.disk.image().locked.remove(&self.path);
    }
}
