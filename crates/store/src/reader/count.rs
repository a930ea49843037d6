//! How many entities there are, without reading all that is known of them.

use cocli_core::Target;
use cocli_core::entity::DELETED;
use cocli_core::usv::US;

use super::Reader;
use crate::error::Result;

/// A state line, split and not read: shards hold canonical text, and their hash was checked.
struct Line<'a> {
    target: &'a [u8],
    field: &'a [u8],
    value: &'a [u8],
}

impl<'a> Line<'a> {
    fn of(line: &'a [u8]) -> Self {
        let mut fields = line.split(|b| *b == US).skip(2).map(Some).chain([None; 3]);
        let mut next = || fields.next().flatten().unwrap_or_default();
        Self { target: next(), field: next(), value: next() }
    }

    /// Whether this line alone makes its target visible: a plain field that has a value.
    fn tells(&self) -> bool {
        !self.field.starts_with(b"_") && !self.is_element() && self.value != b"null"
    }

    fn is_element(&self) -> bool {
        self.field.contains(&b'.')
    }
}

/// The target whose lines are being read.
#[derive(Default)]
struct At {
    target: Vec<u8>,
    /// The tail says something of it.
    news: bool,
    /// A line that makes it visible was met.
    told: bool,
}

impl Reader {
    /// How many entities of each collection are neither removed nor empty. Of each, only the lines
    /// that decide this are read.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn count<const N: usize>(&self, collections: [&str; N]) -> Result<[usize; N]> {
        let mut at = At::default();
        let decides = |line: &[u8]| {
            let line = Line::of(line);
            if at.target != line.target {
                at = At { target: line.target.to_vec(), news: self.is_news(&line), told: false };
            }
            let first = line.tells() && !at.told;
            at.told |= first;
            first || at.news || line.field == DELETED.as_bytes() || line.is_element()
        };
        let mut counts = [0; N];
        self.shards_of(("", &super::Delta::new()), decides, |_, shard| {
            for (target, entity) in shard {
                let place = collections.iter().position(|c| *c == target.collection());
                let lives = target.is_entity() && entity.is_shown() && entity.removed().is_none();
                if let Some(place) = place.filter(|_| lives) {
                    counts[place] += 1;
                }
            }
            Ok(())
        })?;
        Ok(counts)
    }

    /// Whether the tail says something of a target: then all that stands under it has to be read.
    fn is_news(&self, line: &Line<'_>) -> bool {
        let target = || Target::read(std::str::from_utf8(line.target).ok()?).ok();
        !self.delta().is_empty() && target().is_some_and(|t| self.delta().contains_key(&t))
    }
}
