//! The kept projections of one shard, read once: where each target's lines stand.

use std::borrow::Cow;

use cocli_core::Target;
use cocli_core::digest::text_hash;

use super::line::{self, Line};
use super::{FileMark, History, Kept, Rev, read_shard};
use crate::disk::Disk;
use crate::error::Result;

/// What was kept of the targets of one shard, as it stood when it was read.
#[derive(Debug)]
pub struct Shelf {
    bytes: Vec<u8>,
    /// The hash of each line's target, and where it begins: by hash, of one target the oldest first.
    places: Vec<(u64, usize)>,
}

/// The last line of a target without what it showed: enough to see whether somebody touched its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head<'a> {
    /// Of which target, as text.
    pub target: &'a str,
    /// What stands in the card.
    pub rev: Rev,
    /// The card, relative to the home.
    pub file: Cow<'a, str>,
    /// The card as it was put in place.
    pub card: Option<FileMark>,
    /// The `tags.lst` beside it as it was put in place.
    pub tags: Option<FileMark>,
}

impl Shelf {
    /// Reads what was kept of a shard's targets. Lines that cannot be read are passed over.
    ///
    /// # Errors
    /// Of the disk, but for a file that is not there.
    pub fn read(disk: &dyn Disk, shard: u8) -> Result<Self> {
        Ok(Self::of(read_shard(disk, shard)?))
    }

    pub(super) fn of(bytes: Vec<u8>) -> Self {
        let mut places = Vec::with_capacity(bytes.len() / 400);
        let mut begins = 0;
        for end in memchr::memchr_iter(b'\n', &bytes) {
            if let Some(target) = line::target(&bytes[begins..end]) {
                places.push((text_hash(target), begins));
            }
            begins = end + 1;
        }
        places.sort_unstable();
        Self { bytes, places }
    }

    /// Bytes that end in a whole line; what stands behind them is a torn one.
    pub(super) fn whole_bytes(&self) -> usize {
        memchr::memrchr(b'\n', &self.bytes).map_or(0, |end| end + 1)
    }

    /// One of targets of which nothing was kept.
    #[must_use]
    pub const fn empty() -> Self {
        Self { bytes: Vec::new(), places: Vec::new() }
    }

    /// Bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn line_at(&self, begins: usize) -> &[u8] {
        let rest = &self.bytes[begins..];
        &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())]
    }

    /// The lines of a target, oldest first.
    fn lines(&self, target: &str) -> impl DoubleEndedIterator<Item = &[u8]> {
        let hash = text_hash(target.as_bytes());
        let first = self.places.partition_point(|place| place.0 < hash);
        let count = self.places[first..].partition_point(|place| place.0 == hash);
        let lines = self.places[first..first + count].iter().map(|place| self.line_at(place.1));
        lines.filter(move |line| line::target(line) == Some(target.as_bytes()))
    }

    /// What of a target's last projection tells whether its card was touched.
    #[must_use]
    pub fn head(&self, target: &str) -> Option<Head<'_>> {
        self.lines(target).rev().find_map(line::head)
    }

    /// The heads of all targets, in no order.
    pub fn heads(&self) -> impl Iterator<Item = Head<'_>> {
        self.targets().filter_map(|target| self.head(target))
    }

    /// All targets, in no order.
    pub(super) fn targets(&self) -> impl Iterator<Item = &str> {
        let groups = self.places.chunk_by(|a, b| a.0 == b.0);
        groups.flat_map(|places| {
            let mut targets: Vec<&str> =
                places.iter().filter_map(|place| self.target_at(place.1)).collect();
            targets.sort_unstable();
            targets.dedup();
            targets
        })
    }

    fn target_at(&self, begins: usize) -> Option<&str> {
        std::str::from_utf8(line::target(self.line_at(begins))?).ok()
    }

    /// A target's last projection, without the ones before it.
    #[must_use]
    pub fn latest(&self, target: &Target) -> Option<Kept> {
        History::of(target, &self.since_whole(target)).kept.pop()
    }

    /// All that was kept of a target.
    #[must_use]
    pub fn history(&self, target: &Target) -> History {
        let lines = self.lines(target.as_str());
        History::of(target, &lines.filter_map(Line::read).collect::<Vec<_>>())
    }

    /// The lines from the last whole one on: all that the last projection is worked out from. How many
    /// stand before it costs next to nothing.
    pub(super) fn since_whole(&self, target: &Target) -> Vec<Line> {
        let mut lines = Vec::new();
        for line in self.lines(target.as_str()).rev().filter_map(Line::read) {
            let whole = line.is_whole();
            lines.push(line);
            if whole {
                break;
            }
        }
        lines.reverse();
        lines
    }
}
