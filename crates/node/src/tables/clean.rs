//! Which tables nobody needs any more. Who reads some says so in a file that is locked for as long, so that a
//! process that died holds nothing back.

use std::collections::BTreeSet;
use std::sync::Arc;

use cocli_store::disk::Held;
use cocli_store::{Disk, SharedDisk, paths};

use super::making::Making;
use super::tried;

/// Begins the name of such a file.
const READING: &str = "reading-";

/// As long as this lives nobody takes the tables away that this process reads.
pub(super) struct Reading {
    disk: SharedDisk,
    path: String,
    _lock: Held,
}

impl Reading {
    /// Says which those are, by their keys.
    pub(super) fn begin(disk: &SharedDisk, keys: &[u128]) -> cocli_store::Result<Self> {
        let lines: String = keys.iter().map(|key| format!("{key:032x}\n")).collect();
        let mut number = 0;
        // Two containers may have processes of one number.
        loop {
            let path = paths::reading(std::process::id(), number);
            if let Some(lock) = tried("lock", &path, disk.lock(&path, false))? {
                tried("write", &path, disk.write_at(&path, 0, lines.as_bytes(), false))?;
                // Until it was locked anybody could take it away as one of nobody.
                if tried("lock", &path, disk.lock(&path, false))?.is_none() {
                    return Ok(Self { disk: Arc::clone(disk), path, _lock: lock });
                }
            }
            number += 1;
        }
    }
}

/// Of one that is killed the file stays, and goes when somebody finds that it is not locked.
impl Drop for Reading {
    fn drop(&mut self) {
        let _ = self.disk.remove(&self.path);
    }
}

/// The keys that one who reads has told; `None` where nobody reads any more.
fn told(disk: &dyn Disk, path: &str) -> Option<BTreeSet<u128>> {
    if matches!(disk.lock(path, false), Ok(Some(_))) {
        return None;
    }
    let text = String::from_utf8(disk.read(path).ok()?).ok()?;
    Some(text.lines().filter_map(|line| u128::from_str_radix(line, 16).ok()).collect())
}

/// The key of a file of tables.
fn key_of(name: &str) -> Option<u128> {
    let ours = [".parquet", ".json", ".new"].iter().any(|end| name.ends_with(end));
    let digits = name.get(..32).filter(|_| ours)?;
    u128::from_str_radix(digits, 16).ok()
}

/// The key of which a file says that its tables are whole.
pub(super) fn key_of_whole(name: &str) -> Option<u128> {
    key_of(name).filter(|_| name.ends_with(".json"))
}

impl Making<'_> {
    /// Takes away what has none of these keys and nobody reads. What is left over goes the next time.
    pub(super) fn clean(&self, keys: &[u128]) -> cocli_store::Result<()> {
        let disk = &**self.disk;
        let there = tried("list", paths::TABLES, disk.list(paths::TABLES))?;
        let mut wanted: BTreeSet<u128> = keys.iter().copied().collect();
        for (name, _) in there.iter().filter(|(name, _)| name.starts_with(READING)) {
            let path = paths::in_tables(name);
            match told(disk, &path) {
                Some(keys) => wanted.extend(keys),
                None => drop(disk.remove(&path)),
            }
        }
        for (name, _) in there {
            let goes =
                key_of(&name).is_some_and(|key| !wanted.contains(&key) || name.ends_with(".new"));
            if goes {
                let _ = disk.remove(&paths::in_tables(&name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail by panic")]
mod tests {
    use cocli_store::disk::RealDisk;

    use super::*;

    #[test]
    fn two_who_have_one_number_of_process_read_side_by_side() {
        let dir = tempfile::tempdir().unwrap();
        let disk: SharedDisk = Arc::new(RealDisk::open(dir.path()).unwrap());
        disk.make_folder(paths::TABLES).unwrap();
        let first = Reading::begin(&disk, &[1]).unwrap();
        let second = Reading::begin(&disk, &[2]).unwrap();
        assert_eq!(told(&*disk, &first.path), Some([1].into()));
        assert_eq!(told(&*disk, &second.path), Some([2].into()));
        let path = first.path.clone();
        drop(first);
        assert!(disk.stat(&path).unwrap().is_none());
    }
}
