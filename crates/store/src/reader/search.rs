//! Looking through everything for what some lines hold, on several threads: lines are searched as bytes, and
//! only what is met is read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use cocli_core::digest::shard as shard_of;
use cocli_core::usv::{Line, RS};
use cocli_core::{Entity, Target};
use memchr::memmem::Finder;

use super::{Delta, Reader, join, target_of};
use crate::checkpoint;
use crate::error::{Result, StoreError};
use crate::side::side_by_side;

/// Whether a line counts.
type Met<'a> = dyn Fn(&Line<'_>) -> bool + Sync + 'a;
/// New winners by shard.
type News<'a> = BTreeMap<u8, Vec<(&'a Target, &'a Entity)>>;

impl Reader {
    /// Hands every target that begins with `prefix` and has a line with one of the `needles` to `take`, with
    /// what is known of it; all with that prefix when there are no needles. Others may be among them, and
    /// the order is none.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn search(
        &self,
        threads: usize,
        prefix: &str,
        needles: &[Vec<u8>],
        take: &(dyn Fn(Target, Entity) + Sync),
    ) -> Result<()> {
        self.search_lines(threads, prefix, (needles, &|_| true), take)
    }

    /// As [`Reader::search`], where of the lines with a needle only those count that `met` says yes to: for what
    /// bytes alone cannot tell and reading every target would be slow. Where there are no needles, of every target
    /// one line is read, and those that it says yes to.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn search_lines(
        &self,
        threads: usize,
        prefix: &str,
        (needles, met): (&[Vec<u8>], &Met<'_>),
        take: &(dyn Fn(Target, Entity) + Sync),
    ) -> Result<()> {
        let mut news = News::new();
        let expiring = self.expiring(prefix)?;
        let all = self.delta().iter().chain(&expiring);
        for (target, entity) in all.filter(|(target, _)| target.as_str().starts_with(prefix)) {
            news.entry(shard_of(target)).or_default().push((target, entity));
        }
        let touched: BTreeSet<u8> =
            self.manifest.touched().into_iter().chain(news.keys().copied()).collect();
        let shards: Vec<u8> = touched.into_iter().collect();
        let finders: Vec<Finder<'_>> = needles.iter().map(Finder::new).collect();
        let next = AtomicUsize::new(0);
        side_by_side(threads.clamp(1, shards.len().max(1)), &|| {
            while let Some(shard) = shards.get(next.fetch_add(1, Ordering::Relaxed)) {
                let news = news.get(shard).map_or(&[][..], Vec::as_slice);
                let mut found = match self.searched(*shard, prefix, (&finders, met), news) {
                    Err(StoreError::Damaged { .. }) => self.remade(*shard)?,
                    found => found?,
                };
                found.retain(|target, _| target.as_str().starts_with(prefix));
                for (target, entity) in news {
                    join(found.entry((*target).clone()).or_default(), entity);
                }
                found.into_iter().for_each(|(target, entity)| take(target, entity));
            }
            Ok(())
        })
    }

    /// What the checkpoint says of targets that are met in some file of it, and of those that the tail tells
    /// of. A line that decides has the needle itself, wherever it stands.
    fn searched(
        &self,
        shard: u8,
        prefix: &str,
        (finders, met): (&[Finder<'_>], &Met<'_>),
        news: &[(&Target, &Entity)],
    ) -> Result<Delta> {
        let mut found = Delta::new();
        let mut texts = Vec::new();
        for piece in self.manifest.pieces(shard) {
            texts.push((piece.read(&*self.disk)?, piece.path));
        }
        if finders.is_empty() {
            for (bytes, path) in &texts {
                let mut last: &[u8] = &[];
                for line in checkpoint::lines(bytes) {
                    let Some(split) = Line::of(line) else {
                        checkpoint::add_line(line, &mut found, path)?;
                        continue;
                    };
                    let target = split.target();
                    if target.starts_with(prefix.as_bytes()) && (target != last || met(&split)) {
                        checkpoint::add_line(line, &mut found, path)?;
                    }
                    last = target;
                }
            }
            return Ok(found);
        }
        let files: Vec<Sorted<'_>> = texts.iter().map(Sorted::new).collect();
        let mut seen: HashSet<&[u8]> = HashSet::new();
        for target in news.iter().map(|(target, _)| target.as_str().as_bytes()) {
            seen.insert(target);
            add_target(&files, target, None, &mut found)?;
        }
        for (of, file) in files.iter().enumerate() {
            for finder in finders {
                let mut at = 0;
                while let Some(hit) = finder.find(&file.bytes[at..]).map(|hit| at + hit) {
                    at = hit + 1;
                    if Line::of(line_around(file.bytes, hit)).is_some_and(|line| !met(&line)) {
                        continue;
                    }
                    let (first, target) = around(file.bytes, hit);
                    if target.starts_with(prefix.as_bytes()) && seen.insert(target) {
                        at = at.max(add_target(&files, target, Some((of, first)), &mut found)?);
                    }
                }
            }
        }
        Ok(found)
    }
}

/// Bytes from which on it is not worth it to note where targets begin.
const NOTED_BYTES_MAX: usize = 64 * 1024;

/// Sorted lines of a shard.
struct Sorted<'a> {
    bytes: &'a [u8],
    path: &'a str,
    /// Where the lines of each target begin, of what is short.
    begins: Option<HashMap<&'a [u8], usize>>,
}

impl<'a> Sorted<'a> {
    fn new((bytes, path): &'a (Vec<u8>, String)) -> Self {
        let begins = || {
            let (mut begins, mut at) = (HashMap::new(), 0);
            while at < bytes.len() {
                begins.entry(target_of(&bytes[at..])).or_insert(at);
                at += memchr::memchr(RS, &bytes[at..]).unwrap_or(bytes.len()) + 2;
            }
            begins
        };
        Self { bytes, path, begins: (bytes.len() <= NOTED_BYTES_MAX).then(begins) }
    }

    /// Where the lines of a target begin, if there are any.
    fn first_of(&self, target: &[u8]) -> usize {
        match &self.begins {
            Some(begins) => begins.get(target).copied().unwrap_or(self.bytes.len()),
            None => checkpoint::first_of(self.bytes, target),
        }
    }
}

/// The line that a place is in, without its end.
fn line_around(bytes: &[u8], hit: usize) -> &[u8] {
    let first = memchr::memrchr(RS, &bytes[..hit]).map_or(0, |end| end + 2);
    let end = memchr::memchr(RS, &bytes[hit..]).map_or(bytes.len(), |end| hit + end);
    bytes.get(first..end).unwrap_or_default()
}

/// Where the lines begin of the target that the line at `hit` is of, and the target.
fn around(bytes: &[u8], hit: usize) -> (usize, &[u8]) {
    let line_before = |at: usize| memchr::memrchr(RS, &bytes[..at]).map_or(0, |end| end + 2);
    let mut first = line_before(hit);
    let target = target_of(&bytes[first..]);
    while first > 0 {
        let before = line_before(first - 2);
        if target_of(&bytes[before..]) != target {
            break;
        }
        first = before;
    }
    (first, target)
}

/// Reads the lines of a target in all files, of which one has them from `at` on; gives where they end there.
fn add_target(
    files: &[Sorted<'_>],
    target: &[u8],
    known: Option<(usize, usize)>,
    found: &mut Delta,
) -> Result<usize> {
    let (mut end, mut name, mut entity) = (0, None, Entity::default());
    for (of, Sorted { bytes, path, .. }) in files.iter().enumerate() {
        let here = known.filter(|(file, _)| *file == of);
        let mut at = here.map_or_else(|| files[of].first_of(target), |(_, at)| at);
        while at < bytes.len() && target_of(&bytes[at..]) == target {
            let len = memchr::memchr(RS, &bytes[at..]).unwrap_or(bytes.len() - at);
            let line = &bytes[at..at + len];
            if name.is_none() {
                name = Some(checkpoint::read_line(line, path)?.target);
            }
            let (field, entry) = checkpoint::read_entry(line, path)?;
            entity.merge(field, entry);
            at = (at + len + 2).min(bytes.len());
        }
        end = if here.is_some() { at } else { end };
    }
    if let Some(name) = name {
        found.insert(name, entity);
    }
    Ok(end)
}
