//! Whether two nodes that hold the same logs show the same state, and where they do not. By law 3 they do: what
//! differs was damaged on a disk, or read wrongly.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cocli_core::digest::{hash, text_hash};
use cocli_core::gossip::stream::sums::{Answer, Line, Part, Question};
use cocli_core::limits::{DIFFERENCES_MAX, SUMS_MAX};
use cocli_core::{Entity, Entry, Field, StateDigest, Target, Vector, usv};
use cocli_store::reader::sum_of;
use cocli_store::{Reader, StoreError};

use crate::error::Result;
use crate::home::Home;

/// Pages of sums that are asked for of one shard: no shard of ours has so many targets.
const PAGES_MAX: usize = 128;

/// A field that two nodes show differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Of which target.
    pub target: String,
    /// Which field.
    pub field: String,
    /// What is shown here; nothing where there is nothing.
    pub here: Option<String>,
    /// What is shown there.
    pub there: Option<String>,
}

/// Which of two is not what the logs say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// This node.
    Here,
    /// The other one.
    There,
}

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compared {
    /// The first fields that differ.
    pub differences: Vec<Difference>,
    /// Who is wrong, where the history that is held here tells.
    pub wrong: Option<Side>,
}

impl Home {
    /// The digest of what the logs that stay say up to these heads, and the version of the rules that it was read
    /// by. Nothing where that cannot be told now, or more than `most` bytes would be read behind the checkpoint.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn digest_at(&self, vector: &Vector, most: u64) -> Result<Option<(StateDigest, u32)>> {
        self.at(vector, most, |reader| Ok((reader.digest()?, reader.manifest().rules)))
    }

    /// Answers another node about the state as it was at these heads.
    #[must_use]
    pub fn answer_sums(&self, vector: &Vector, question: &Question) -> Answer {
        if vector.hash() != question.vector {
            return Answer::Lacks;
        }
        let answer = self.at(vector, u64::MAX, |reader| part_of(reader, &question.part));
        answer.ok().flatten().unwrap_or(Answer::Lacks)
    }

    /// Finds what another node that is at these heads, too, shows differently; `ask` asks it. Nothing where one of
    /// the two cannot tell.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn compare(
        &self,
        vector: &Vector,
        mut ask: impl FnMut(&Question) -> Option<Answer>,
    ) -> Result<Option<Compared>> {
        let at = vector.hash();
        let here = |part: &Part| {
            let told = self.at(vector, u64::MAX, |reader| part_of(reader, part));
            told.ok().flatten()
        };
        let there = |part: &Part| ask(&Question { vector: at, part: part.clone() });
        let Some(lines) = differing(here, there) else { return Ok(None) };
        let wrong = match lines.first() {
            Some(first) if self.history_lost_until()?.is_none() => self.judge(vector, first)?,
            _ => None,
        };
        let differences = lines.into_iter().map(Pair::told).collect();
        Ok(Some(Compared { differences, wrong }))
    }

    fn at<T>(
        &self,
        vector: &Vector,
        most: u64,
        ask: impl Fn(&Reader) -> cocli_store::Result<T>,
    ) -> Result<Option<T>> {
        let (disk, node) = (Arc::clone(&self.disk), self.node().clone());
        let read = Reader::at(disk, self.cluster(), node, (vector, most));
        match read.and_then(|reader| reader.map(|reader| ask(&reader)).transpose()) {
            // More is merged by now than these heads.
            Err(StoreError::Replaced { .. }) => Ok(None),
            told => Ok(told?),
        }
    }

    /// Whose line is the winner of all that the logs say.
    fn judge(&self, vector: &Vector, pair: &Pair) -> Result<Option<Side>> {
        let (Ok(target), Ok(field)) = (Target::read(&pair.target), Field::read(&pair.field)) else {
            return Ok(None);
        };
        let winner = self.at(vector, u64::MAX, |reader| {
            let all = reader.history(&target, Some(&field))?.into_iter();
            let all = all.filter(|placed| placed.position < vector.position(&placed.log));
            let winner: Option<Entry> = all.map(|placed| placed.datagram.entry).max();
            Ok(winner.map(|entry| hash(usv::line_of(&target, &field, &entry).as_bytes())))
        })?;
        let Some(winner) = winner else { return Ok(None) };
        let is = |line: &Option<Line>| line.as_ref().map(|line| line.hash) == winner;
        Ok(match (is(&pair.here), is(&pair.there)) {
            (true, false) => Some(Side::There),
            (false, true) => Some(Side::Here),
            _ => None,
        })
    }
}

/// A part of the state as another node may ask for it.
fn part_of(reader: &Reader, part: &Part) -> cocli_store::Result<Answer> {
    let sum = |found: &BTreeMap<Target, Entity>| {
        let mut sum = StateDigest::default();
        found.iter().for_each(|(target, entity)| sum.join(sum_of(target, entity)));
        sum
    };
    Ok(match part {
        Part::Shards => {
            let sums = reader.shards().into_iter();
            let sums = sums.map(|shard| Ok((shard, sum(&reader.in_shard(shard)?))));
            Answer::Shards(sums.collect::<cocli_store::Result<_>>()?)
        }
        Part::Targets { shard, from } => {
            let found = reader.in_shard(*shard)?;
            let mut sums: BTreeMap<u64, StateDigest> = BTreeMap::new();
            for (target, entity) in &found {
                let hash = hash_of(target);
                if hash >= *from && !entity.fields.is_empty() {
                    sums.entry(hash).or_default().join(sum_of(target, entity));
                }
            }
            Answer::Targets(sums.into_iter().take(SUMS_MAX).collect())
        }
        Part::Lines { shard, targets } => {
            let found = reader.in_shard(*shard)?;
            let asked = |(target, _): &(&Target, &Entity)| targets.contains(&hash_of(target));
            let lines = found.iter().filter(asked).flat_map(|(target, entity)| {
                entity.fields.iter().map(|(field, entry)| line(target, field, entry))
            });
            Answer::Lines(lines.collect())
        }
    })
}

fn hash_of(target: &Target) -> u64 {
    text_hash(target.as_str().as_bytes())
}

fn line(target: &Target, field: &Field, entry: &Entry) -> Line {
    let stamp = format!("{} {}", entry.stamp.instant, entry.stamp.node);
    let whole = usv::line_of(target, field, entry);
    Line::new(target.as_str(), field.as_str(), &entry.value.shown(), stamp, hash(whole.as_bytes()))
}

/// Both lines of a field.
#[derive(Debug)]
struct Pair {
    target: String,
    field: String,
    here: Option<Line>,
    there: Option<Line>,
}

impl Pair {
    /// Where both show the same, who wrote it when tells them apart.
    fn told(self) -> Difference {
        let same = matches!((&self.here, &self.there), (Some(one), Some(other)) if one.value == other.value);
        let shown = |line: Line| match same {
            true => format!("{} ({})", line.value, line.stamp),
            false => line.value,
        };
        Difference {
            target: self.target,
            field: self.field,
            here: self.here.map(shown),
            there: self.there.map(shown),
        }
    }
}

/// The first fields that differ: by shard, then by target. Nothing when either cannot tell.
fn differing(
    mut here: impl FnMut(&Part) -> Option<Answer>,
    mut there: impl FnMut(&Part) -> Option<Answer>,
) -> Option<Vec<Pair>> {
    let mut shards = |part: &Part| match (here(part)?, there(part)?) {
        (Answer::Shards(here), Answer::Shards(there)) => Some(unequal(here, there)),
        _ => None,
    };
    let mut pairs = Vec::new();
    for shard in shards(&Part::Shards)? {
        let (mine, theirs) = (targets(&mut here, shard)?, targets(&mut there, shard)?);
        let mut hashes = unequal(mine, theirs);
        hashes.truncate(DIFFERENCES_MAX);
        let part = Part::Lines { shard, targets: hashes };
        let (Answer::Lines(mine), Answer::Lines(theirs)) = (here(&part)?, there(&part)?) else {
            return None;
        };
        pairs.extend(paired(mine, theirs));
        if pairs.len() >= DIFFERENCES_MAX {
            break;
        }
    }
    pairs.truncate(DIFFERENCES_MAX);
    Some(pairs)
}

/// All targets of a shard, page by page.
fn targets(
    ask: &mut impl FnMut(&Part) -> Option<Answer>,
    shard: u8,
) -> Option<Vec<(u64, StateDigest)>> {
    let (mut all, mut from) = (Vec::new(), 0);
    for _ in 0..PAGES_MAX {
        let Answer::Targets(page) = ask(&Part::Targets { shard, from })? else { return None };
        let (full, last) = (page.len() >= SUMS_MAX, page.last().map(|(hash, _)| *hash));
        all.extend(page);
        match last.and_then(|last| last.checked_add(1)).filter(|_| full) {
            Some(next) if next > from => from = next,
            _ => break,
        }
    }
    Some(all)
}

/// The keys whose sums differ, or that only one side has.
fn unequal<K: Ord + Copy>(here: Vec<(K, StateDigest)>, there: Vec<(K, StateDigest)>) -> Vec<K> {
    let (here, there) = (BTreeMap::from_iter(here), BTreeMap::from_iter(there));
    let keys: BTreeSet<K> = here.keys().chain(there.keys()).copied().collect();
    keys.into_iter().filter(|key| here.get(key) != there.get(key)).collect()
}

fn paired(here: Vec<Line>, there: Vec<Line>) -> impl Iterator<Item = Pair> {
    let mut pairs: BTreeMap<(String, String), (Option<Line>, Option<Line>)> = BTreeMap::new();
    let key = |line: &Line| (line.target.clone(), line.field.clone());
    for line in here {
        let key = key(&line);
        pairs.entry(key).or_default().0 = Some(line);
    }
    for line in there {
        let key = key(&line);
        pairs.entry(key).or_default().1 = Some(line);
    }
    let hash = |line: &Option<Line>| line.as_ref().map(|line| line.hash);
    let differ = pairs.into_iter().filter(move |(_, (here, there))| hash(here) != hash(there));
    differ.map(|((target, field), (here, there))| Pair { target, field, here, there })
}

#[cfg(test)]
mod tests;
