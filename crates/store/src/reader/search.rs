//! Looking through everything for what some lines hold, on several threads: lines are searched as bytes, and
//! only what is met is read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use cocli_core::digest::shard as shard_of;
use cocli_core::usv::RS;
use cocli_core::{Entity, Target};
use memchr::memmem::Finder;

use super::{Delta, Reader, join, target_of};
use crate::checkpoint::{self, side_by_side};
use crate::error::{Result, StoreError};

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
                let mut found = match self.searched(*shard, prefix, &finders, news) {
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

    /// What the checkpoint says of targets that are met, and of those that the runs or the tail tell of.
    fn searched(
        &self,
        shard: u8,
        prefix: &str,
        finders: &[Finder<'_>],
        news: &[(&Target, &Entity)],
    ) -> Result<Delta> {
        let mut found = Delta::new();
        let mut pieces = self.manifest.pieces(shard);
        let base = self.manifest.shards.contains_key(&shard).then(|| pieces.remove(0));
        let is_here = |line: &[u8]| target_of(line).starts_with(prefix.as_bytes());
        for piece in pieces {
            for line in checkpoint::lines(&piece.read(&*self.disk)?).filter(|line| is_here(line)) {
                checkpoint::add_line(line, &mut found, &piece.path)?;
            }
        }
        let Some(piece) = base else { return Ok(found) };
        let bytes = piece.read(&*self.disk)?;
        if finders.is_empty() {
            for line in checkpoint::lines(&bytes).filter(|line| is_here(line)) {
                checkpoint::add_line(line, &mut found, &piece.path)?;
            }
            return Ok(found);
        }
        let told = found.keys().map(|target| target.as_str().as_bytes().to_vec());
        let told: Vec<Vec<u8>> = told
            .chain(news.iter().map(|(target, _)| target.as_str().as_bytes().to_vec()))
            .collect();
        for target in told {
            let at = checkpoint::first_of(&bytes, &target);
            add_target(&bytes[at..], &target, &mut found, &piece.path)?;
        }
        for finder in finders {
            let mut at = 0;
            while let Some(hit) = finder.find(&bytes[at..]).map(|hit| at + hit) {
                let (first, target) = around(&bytes, hit);
                at = match target.starts_with(prefix.as_bytes()) {
                    true => first + add_target(&bytes[first..], target, &mut found, &piece.path)?,
                    false => hit,
                };
                at = at.max(hit + 1);
            }
        }
        Ok(found)
    }
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

/// Reads the lines of a target that bytes begin with; gives how many bytes they take.
fn add_target(bytes: &[u8], target: &[u8], found: &mut Delta, path: &str) -> Result<usize> {
    let (mut at, mut name, mut entity) = (0, None, Entity::default());
    while at < bytes.len() && target_of(&bytes[at..]) == target {
        let len = memchr::memchr(RS, &bytes[at..]).unwrap_or(bytes.len() - at);
        let datagram = checkpoint::read_line(&bytes[at..at + len], path)?;
        entity.merge(datagram.field, datagram.entry);
        name = Some(datagram.target);
        at = (at + len + 2).min(bytes.len());
    }
    if let Some(name) = name {
        join(found.entry(name).or_default(), &entity);
    }
    Ok(at)
}
