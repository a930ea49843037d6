//! Where two states of the same logs differ: sums by shard, then by target, then the lines of targets.
//!
//! By law 3 they never do, unless a disk or a program is at fault. Whoever answers tells of the state as it was
//! at one vector, or that it is not there.

use alloc::string::String;
use alloc::vec::Vec;

use crate::digest::StateDigest;
use crate::frame::Cut;
use crate::limits::{CHUNK_BYTES, DIFFERENCE_CHARS_MAX, DIFFERENCES_MAX, SHARDS, SUMS_MAX};

/// The kind of the question.
pub const KIND: u8 = 8;
/// The kind of the answer.
const ANSWER: u8 = 11;
/// The kind of the answer of who cannot tell, or does not know the question.
const LACKS: u8 = 4;

/// What of the state is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The sum of each shard.
    Shards,
    /// The sum of each target of a shard, by its hash, from one hash on.
    Targets {
        /// Which shard.
        shard: u8,
        /// The first hash that is wanted.
        from: u64,
    },
    /// The lines of targets with these hashes.
    Lines {
        /// Which shard.
        shard: u8,
        /// At most [`DIFFERENCES_MAX`].
        targets: Vec<u64>,
    },
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The hash of the vector, over the logs that stay, at which the state is asked for.
    pub vector: u128,
    /// What of it.
    pub part: Part,
}

/// A line of the state, as a person would see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its target.
    pub target: String,
    /// Its field.
    pub field: String,
    /// What a card would show of the value, cut.
    pub value: String,
    /// Who wrote it when.
    pub stamp: String,
    /// The hash of the whole line.
    pub hash: u128,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The sums of the shards that hold anything.
    Shards(Vec<(u8, StateDigest)>),
    /// The sums of targets, by rising hash; when there are fewer than [`SUMS_MAX`], these are all.
    Targets(Vec<(u64, StateDigest)>),
    /// Lines, in order, as far as they fit.
    Lines(Vec<Line>),
    /// The state at that vector cannot be told here.
    Lacks,
}

impl Question {
    /// Its bytes.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = alloc::vec![KIND];
        out.extend_from_slice(&self.vector.to_be_bytes());
        match &self.part {
            Part::Shards => out.push(0),
            Part::Targets { shard, from } => {
                out.extend_from_slice(&[1, *shard]);
                out.extend_from_slice(&from.to_be_bytes());
            }
            Part::Lines { shard, targets } => {
                out.extend_from_slice(&[2, *shard]);
                targets.iter().for_each(|hash| out.extend_from_slice(&hash.to_be_bytes()));
            }
        }
        out
    }

    /// Reads one, whatever its bytes are; `None` when they are none.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut cut = Cut(bytes);
        if cut.array()? != [KIND] {
            return None;
        }
        let vector = u128::from_be_bytes(cut.array()?);
        let part = match cut.array()? {
            [0] => Part::Shards,
            [1] => {
                let [shard] = cut.array()?;
                Part::Targets { shard, from: cut.number()? }
            }
            [2] => {
                let [shard] = cut.array()?;
                let mut targets = Vec::new();
                while !cut.0.is_empty() && targets.len() < DIFFERENCES_MAX {
                    targets.push(cut.number()?);
                }
                Part::Lines { shard, targets }
            }
            _ => return None,
        };
        cut.0.is_empty().then_some(Self { vector, part })
    }
}

impl Line {
    /// A line whose value is cut to what is told of it.
    #[must_use]
    pub fn new(target: &str, field: &str, value: &str, stamp: String, hash: u128) -> Self {
        let value = value.chars().take(DIFFERENCE_CHARS_MAX).collect();
        Self { target: target.into(), field: field.into(), value, stamp, hash }
    }

    fn write(&self, out: &mut Vec<u8>) {
        for text in [&self.target, &self.field, &self.value, &self.stamp] {
            // No name, nor a value that is cut, is longer than the length can tell.
            let end = text.floor_char_boundary(usize::from(u16::MAX));
            out.extend_from_slice(&u16::try_from(end).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(&text.as_bytes()[..end]);
        }
        out.extend_from_slice(&self.hash.to_be_bytes());
    }

    fn read(cut: &mut Cut<'_>) -> Option<Self> {
        let mut text = || {
            let length = usize::from(u16::from_be_bytes(cut.array()?));
            let (text, rest) = cut.0.split_at_checked(length)?;
            cut.0 = rest;
            core::str::from_utf8(text).ok().map(String::from)
        };
        let (target, field, value, stamp) = (text()?, text()?, text()?, text()?);
        Some(Self { target, field, value, stamp, hash: u128::from_be_bytes(cut.array()?) })
    }
}

impl Answer {
    /// Its bytes: as much as one answer may hold.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = alloc::vec![ANSWER];
        match self {
            Self::Shards(sums) => {
                out.push(0);
                for (shard, sum) in sums {
                    out.push(*shard);
                    out.extend_from_slice(&sum.0.to_be_bytes());
                }
            }
            Self::Targets(sums) => {
                out.push(1);
                for (hash, sum) in sums.iter().take(SUMS_MAX) {
                    out.extend_from_slice(&hash.to_be_bytes());
                    out.extend_from_slice(&sum.0.to_be_bytes());
                }
            }
            Self::Lines(lines) => {
                out.push(2);
                for line in lines {
                    let before = out.len();
                    line.write(&mut out);
                    if out.len() > CHUNK_BYTES {
                        out.truncate(before);
                        break;
                    }
                }
            }
            Self::Lacks => out = alloc::vec![LACKS],
        }
        out
    }

    /// Reads one, whatever its bytes are; `None` when they are none.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut cut = Cut(bytes);
        match cut.array()? {
            [ANSWER] if bytes.len() <= CHUNK_BYTES => {}
            [LACKS] if cut.0.is_empty() => return Some(Self::Lacks),
            _ => return None,
        }
        Some(match cut.array()? {
            [0] => {
                let mut sums = Vec::new();
                while !cut.0.is_empty() && sums.len() < SHARDS {
                    let [shard] = cut.array()?;
                    sums.push((shard, StateDigest(u128::from_be_bytes(cut.array()?))));
                }
                cut.0.is_empty().then_some(Self::Shards(sums))?
            }
            [1] => {
                let mut sums = Vec::new();
                while !cut.0.is_empty() && sums.len() < SUMS_MAX {
                    sums.push((cut.number()?, StateDigest(u128::from_be_bytes(cut.array()?))));
                }
                cut.0.is_empty().then_some(Self::Targets(sums))?
            }
            [2] => {
                let mut lines = Vec::new();
                while !cut.0.is_empty() {
                    lines.push(Line::read(&mut cut)?);
                }
                Self::Lines(lines)
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn question() -> impl Strategy<Value = Question> {
        let part = prop_oneof![
            Just(Part::Shards),
            any::<(u8, u64)>().prop_map(|(shard, from)| Part::Targets { shard, from }),
            (any::<u8>(), prop::collection::vec(any::<u64>(), 0..DIFFERENCES_MAX))
                .prop_map(|(shard, targets)| Part::Lines { shard, targets }),
        ];
        (any::<u128>(), part).prop_map(|(vector, part)| Question { vector, part })
    }

    fn line() -> impl Strategy<Value = Line> {
        let texts = ("\\PC{0,40}", "\\PC{0,20}", "\\PC{0,600}", "\\PC{0,30}");
        (texts, any::<u128>()).prop_map(|((target, field, value, stamp), hash)| {
            Line::new(&target, &field, &value, stamp, hash)
        })
    }

    fn answer() -> impl Strategy<Value = Answer> {
        let sum = || any::<u128>().prop_map(StateDigest);
        prop_oneof![
            prop::collection::vec((any::<u8>(), sum()), 0..20).prop_map(Answer::Shards),
            prop::collection::vec((any::<u64>(), sum()), 0..20).prop_map(Answer::Targets),
            prop::collection::vec(line(), 0..6).prop_map(Answer::Lines),
            Just(Answer::Lacks),
        ]
    }

    proptest! {
        #[test]
        fn what_is_asked_and_answered_reads_back(question in question(), answer in answer()) {
            prop_assert_eq!(Question::read(&question.write()), Some(question));
            prop_assert_eq!(Answer::read(&answer.write()), Some(answer));
        }

        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0..3_u8) {
            let _ = (Question::read(&bytes), Answer::read(&bytes));
            if bytes.len() > 1 {
                (bytes[0], bytes[1]) = (ANSWER, kind);
                let _ = Answer::read(&bytes);
                bytes[0] = KIND;
                let _ = Question::read(&bytes);
            }
        }
    }

    #[test]
    fn an_answer_holds_no_more_than_it_may() {
        let line = Line::new("companies/acme", "email", &"é".repeat(9_000), "now".into(), 1);
        assert_eq!(line.value.chars().count(), DIFFERENCE_CHARS_MAX);
        let lines = Answer::Lines(alloc::vec![line.clone(); 9_000]).write();
        assert!(lines.len() <= CHUNK_BYTES);
        let Some(Answer::Lines(read)) = Answer::read(&lines) else { panic!("no lines") };
        assert!(read.len() > 100 && read.iter().all(|one| *one == line));
        let sums = Answer::Targets(alloc::vec![(1, StateDigest(1)); 2 * SUMS_MAX]).write();
        let Some(Answer::Targets(read)) = Answer::read(&sums) else { panic!("no sums") };
        assert_eq!(read.len(), SUMS_MAX);
        let many =
            Question { vector: 1, part: Part::Lines { shard: 1, targets: alloc::vec![1; 99] } };
        assert_eq!(Question::read(&many.write()), None);
    }

    #[test]
    fn who_does_not_know_the_question_lacks_the_answer() {
        let question = Question { vector: 1, part: Part::Shards }.write();
        assert_eq!(crate::gossip::stream::Question::read(&question), None);
        let lacks = crate::gossip::stream::Answer::Lacks.write();
        assert_eq!(Answer::read(&lacks), Some(Answer::Lacks));
    }
}
