//! What an object of a node holds: ranges of logs, and their list in front of them. docs/bucket.md, "An object
//! of a node"; compressing it is the caller's.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::{Failure, Key};
use crate::digest::{ChainHash, ClusterId};
use crate::frame::Range;
use crate::limits::{OBJECT_RANGES_MAX, RECORD_BYTES_MAX};
use crate::name::{LogId, NodeId};
use crate::time::Day;
use crate::usv::RS;
use crate::vector::Head;

/// The first word of every object.
const FIRST: &str = "cocli-object";
/// The version of its form.
const VERSION: &str = "1";

/// An object of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Of which cluster.
    pub cluster: ClusterId,
    /// In whose folder it stands.
    pub node: NodeId,
    /// Its number there.
    pub n: u64,
    /// Whether the next was to follow at once.
    pub more: bool,
    /// The XXH3-128 of the bytes that the one before it stands there with: 0 for the first, and where its writer
    /// could not read that.
    pub before: u128,
    /// What it holds.
    pub parts: Vec<Part>,
}

/// A range of an object, with the chain's hash behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The range.
    pub range: Range,
    /// Where it ends.
    pub end: Head,
}

impl Object {
    /// Its text, before it is compressed.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let more = if self.more { "more" } else { "last" };
        let mut head = String::new();
        let _ = writeln!(
            head,
            "{FIRST} {VERSION} {} {} {} {more} {:032x}",
            self.cluster, self.node, self.n, self.before
        );
        for Part { range, end } in &self.parts {
            let _ = writeln!(
                head,
                "{} {} {} {} {} {}",
                range.log,
                range.day,
                range.position,
                range.bytes.len(),
                range.hash_before,
                end.hash
            );
        }
        let mut text = head.into_bytes();
        text.push(b'\n');
        self.parts.iter().for_each(|part| text.extend_from_slice(&part.range.bytes));
        text
    }

    /// Reads a text that stood under a key: the `n`th of `node` in the bucket of `cluster`.
    ///
    /// # Errors
    /// When it is not such an object, or does not hold what its list says.
    pub fn read(text: &[u8], cluster: ClusterId, node: &NodeId, n: u64) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::wrong(&Key::object(node, n), what);
        let mut text = Text { rest: text };
        let first = text.line().ok_or_else(|| wrong("expected a first line"))?;
        let words: Vec<&str> = first.split(' ').collect();
        let [FIRST, version, of, whose, number, more @ ("more" | "last"), before] = words[..]
        else {
            return Err(wrong("it is no object of cocli's"));
        };
        let before = ChainHash::read(before).map(|hash| u128::from_be_bytes(hash.0));
        let before = before.ok_or_else(|| wrong("expected the hash of the object before it"))?;
        if version != VERSION {
            return Err(wrong(&format!("expected version {VERSION}, and it is of {version}")));
        }
        if ClusterId::read(of) != Some(cluster) {
            return Err(wrong(&format!(
                "expected one of the cluster {cluster}, and it is of {of}"
            )));
        }
        if whose != node.as_str() || number.parse() != Ok(n) {
            return Err(wrong(&format!("it says of itself that it is {number} of {whose}")));
        }
        let mut heads = Vec::new();
        loop {
            let line = text.line().ok_or_else(|| wrong("its list breaks off"))?;
            if line.is_empty() {
                break;
            }
            let head = part(line).filter(|_| heads.len() < OBJECT_RANGES_MAX);
            heads.push(head.ok_or_else(|| wrong(&format!("its list holds {line:?}")))?);
        }
        let mut parts = Vec::with_capacity(heads.len());
        for (mut range, bytes, hash) in heads {
            let bytes =
                text.take(bytes).ok_or_else(|| wrong("it is shorter than its list says"))?;
            if bytes.last() != Some(&RS) {
                return Err(wrong("a range of it does not end with a record"));
            }
            range.bytes = bytes.to_vec();
            let end = Head { position: range.end_position(), hash };
            parts.push(Part { range, end });
        }
        if !text.rest.is_empty() {
            return Err(wrong("it is longer than its list says"));
        }
        Ok(Self { cluster, node: node.clone(), n, more: more == "more", before, parts })
    }
}

/// A line of the list: the range without its bytes, how many these are, and the hash behind them.
fn part(line: &str) -> Option<(Range, usize, ChainHash)> {
    let words: Vec<&str> = line.split(' ').collect();
    let [log, day, position, bytes, before, behind] = words[..] else { return None };
    let log = LogId::read(log).ok()?;
    let day = Day::read(day)?;
    if log.month.is_some_and(|month| month.first_day() != day) {
        return None;
    }
    let bytes: usize = bytes.parse().ok()?;
    let range = Range {
        log,
        day,
        position: position.parse().ok()?,
        hash_before: ChainHash::read(before)?,
        bytes: Vec::new(),
    };
    let fits = bytes > 0 && bytes <= 2 * RECORD_BYTES_MAX;
    fits.then_some((range, bytes, ChainHash::read(behind)?))
}

/// What is left of a text.
struct Text<'t> {
    rest: &'t [u8],
}

impl<'t> Text<'t> {
    fn line(&mut self) -> Option<&'t str> {
        let end = memchr::memchr(b'\n', self.rest)?;
        let line = self.take(end)?;
        self.take(1)?;
        core::str::from_utf8(line).ok()
    }

    fn take(&mut self, bytes: usize) -> Option<&'t [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cluster() -> ClusterId {
        ClusterId([9; 16])
    }

    fn node() -> NodeId {
        NodeId::read("pi1").unwrap()
    }

    fn object(texts: &[(u8, Vec<u8>)]) -> Object {
        let day = Day::read("20261128").unwrap();
        let mut head = BTreeHeads::default();
        let mut parts = Vec::new();
        for (log, text) in texts {
            let log = LogId::read(["pi1", "laptop", "pi1~abcdefgh"][usize::from(log % 3)]).unwrap();
            let start = head.of(&log);
            let mut bytes = text.clone();
            bytes.push(RS);
            let range =
                Range { log, day, position: start.position, hash_before: start.hash, bytes };
            let end = range.end();
            head.0.insert(range.log.clone(), end);
            parts.push(Part { range, end });
        }
        Object { cluster: cluster(), node: node(), n: 17, more: true, before: 1 << 64, parts }
    }

    #[derive(Default)]
    struct BTreeHeads(alloc::collections::BTreeMap<LogId, Head>);

    impl BTreeHeads {
        fn of(&self, log: &LogId) -> Head {
            let start = || Head::start(&cluster(), log);
            self.0.get(log).copied().unwrap_or_else(start)
        }
    }

    fn texts() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
        proptest::collection::vec((0u8..3, proptest::collection::vec(any::<u8>(), 0..40)), 0..8)
    }

    proptest! {
        #[test]
        fn an_object_reads_as_it_was_written(texts in texts()) {
            let object = object(&texts);
            prop_assert_eq!(Object::read(&object.text(), cluster(), &node(), 17), Ok(object));
        }

        #[test]
        fn an_object_that_is_cut_or_of_another_place_is_refused(texts in texts(), cut in any::<proptest::sample::Index>()) {
            let text = object(&texts).text();
            let cut = &text[..cut.index(text.len())];
            prop_assert!(Object::read(cut, cluster(), &node(), 17).is_err());
            prop_assert!(Object::read(&text, cluster(), &node(), 18).is_err());
            prop_assert!(Object::read(&text, ClusterId([8; 16]), &node(), 17).is_err());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), texts in texts(), at in any::<proptest::sample::Index>()) {
            let _ = Object::read(&bytes, cluster(), &node(), 17);
            let mut text = object(&texts).text();
            let at = at.index(text.len());
            text[at] = text[at].wrapping_add(1);
            let _ = Object::read(&text, cluster(), &node(), 17);
        }
    }
}
