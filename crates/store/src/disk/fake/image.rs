//! What the medium holds of a file and of names, beside what programs see.

use std::collections::BTreeMap;
use std::io;

use crate::paths::folder;

/// Bytes that a medium writes at once.
const SECTOR_BYTES: usize = 512;

/// One file, whatever its names.
#[derive(Debug, Clone, Default)]
pub(super) struct Inode {
    pub(super) live: Vec<u8>,
    durable: Vec<u8>,
    /// From here on `durable` may differ from `live`; `None` when it does not.
    dirty_from: Option<usize>,
    pub(super) modified_ns: i64,
}

impl Inode {
    pub(super) fn durable(bytes: &[u8], modified_ns: i64) -> Self {
        Self { live: bytes.to_vec(), durable: bytes.to_vec(), dirty_from: None, modified_ns }
    }

    fn touch(&mut self, from: usize) {
        self.dirty_from = Some(self.dirty_from.map_or(from, |before| before.min(from)));
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        if start > self.live.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a write behind the end"));
        }
        let end = start + bytes.len();
        self.live.resize(self.live.len().max(end), 0);
        self.live[start..end].copy_from_slice(bytes);
        self.touch(start);
        Ok(())
    }

    pub(super) fn cut(&mut self, len: u64) {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let from = len.min(self.live.len());
        self.live.resize(len, 0);
        self.touch(from);
    }

    pub(super) fn sync(&mut self) {
        if let Some(from) = self.dirty_from.take() {
            // Where an earlier sync failed the medium has a gap.
            self.durable.resize(from, 0);
            self.durable.extend_from_slice(&self.live[from.min(self.live.len())..]);
        }
    }

    /// A sync failed: the system forgets that these bytes were not on the medium.
    pub(super) fn lose(&mut self) {
        self.dirty_from = None;
    }

    pub(super) fn lose_unsynced(&mut self) {
        self.dirty_from = None;
        self.live.clone_from(&self.durable);
    }

    pub(super) fn cut_power(&mut self, seed: &mut Seed) {
        if self.dirty_from.take().is_some() {
            self.durable = self.torn(seed);
        }
        self.lose_unsynced();
    }

    /// Nothing of what was not synced, all of it, or some sectors, cut anywhere.
    fn torn(&self, seed: &mut Seed) -> Vec<u8> {
        match seed.below(4) {
            0 => return self.durable.clone(),
            1 => return self.live.clone(),
            _ => {}
        }
        let (short, long) =
            (self.durable.len().min(self.live.len()), self.durable.len().max(self.live.len()));
        // Often the new length stands although its bytes do not.
        let len = if seed.coin() { self.live.len() } else { short + seed.below(long - short + 1) };
        let mut image = vec![0; len];
        let whole = seed.coin();
        for start in (0..len).step_by(SECTOR_BYTES) {
            let end = (start + SECTOR_BYTES).min(len);
            let newer = whole || seed.coin();
            for (at, byte) in image[start..end].iter_mut().enumerate() {
                let at = start + at;
                let (old, new) = (self.durable.get(at), self.live.get(at));
                // A sector that the file did not have yet is new, or zeros.
                *byte = if newer { new.or(old) } else { old }.copied().unwrap_or(0);
            }
        }
        image
    }
}

/// A change of names.
#[derive(Debug, Clone)]
pub(super) enum NameOp {
    /// A name appears, or stands for another file; renamed, another name goes in the same step.
    Put { path: String, id: u64, gone: Option<String> },
    /// A name goes.
    Remove { path: String },
    /// Two names change places.
    Swap { a: (String, u64), b: (String, u64) },
}

impl NameOp {
    pub(super) fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Put { path, id, gone } => {
                if let Some(gone) = gone {
                    names.remove(gone);
                }
                names.insert(path.clone(), *id);
            }
            Self::Remove { path } => {
                names.remove(path);
            }
            Self::Swap { a, b } => {
                names.insert(a.0.clone(), a.1);
                names.insert(b.0.clone(), b.1);
            }
        }
    }

    pub(super) fn touches(&self, name: &str) -> bool {
        match self {
            Self::Put { path, gone, .. } => path == name || gone.as_deref() == Some(name),
            Self::Remove { path } => path == name,
            Self::Swap { a, b } => a.0 == name || b.0 == name,
        }
    }

    pub(super) fn is_in(&self, of: &str) -> bool {
        match self {
            Self::Put { path, .. } | Self::Remove { path } => folder(path) == of,
            Self::Swap { a, .. } => folder(&a.0) == of,
        }
    }
}

/// Numbers that one seed repeats (splitmix64, S. Vigna's constants).
#[derive(Debug)]
pub(super) struct Seed(u64);

impl Seed {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or(0)
    }
}
