//! What is made as one: some base shards, a layer above them, the nodes, a campaign.

use std::collections::BTreeSet;
use std::io;
use std::ops::RangeInclusive;

use cocli_core::Kind;
use cocli_core::digest::Hasher;
use cocli_core::limits::SHARDS;
use cocli_store::reader::Layer;
use cocli_store::{Disk, Reader, paths};
use serde::{Deserialize, Serialize};

use crate::campaigns::Left;
use crate::nodes::NODES;

/// Lines of base shards that go into one file of each table.
const GROUP_BYTES: u64 = 64 << 20;

/// Bytes that are read at once to hash them.
const READ_BYTES: usize = 1 << 20;

/// But no more than so many files of a table: each is opened for each query.
const GROUPS_MAX: u64 = 64;

/// The table of the targets that a layer has all rows of.
pub(super) const TOUCHED: &str = "touched";
/// The table of addresses: whose, and for which company.
pub(super) const ADDRESSES: &str = "addresses";
/// The table of what is known of nodes.
pub(super) const NODE_FIELDS: &str = "nodes";
/// The table of who belongs to a campaign, and who is left out.
pub(super) const CAMPAIGN: &str = "campaign";

/// Tables with one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) key: u128,
    pub(super) content: Content,
}

/// What they are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Some base shards.
    Base(RangeInclusive<u8>),
    /// What a layer touches.
    Layer(Layer),
    /// Rows of one table of texts, with its columns.
    Texts(&'static str, &'static [&'static str], Vec<Vec<String>>),
}

/// Says that the tables of a unit are whole: each with its length and when it was written, by which one that
/// somebody wrote to is told, and its hash, by which rot is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Whole(pub(super) Vec<(String, u64, i64, String)>);

impl Whole {
    /// What is said of a key; nothing where nobody said it, or not so that it reads.
    pub(super) fn of(disk: &dyn Disk, key: u128) -> Option<Self> {
        serde_json::from_slice(&disk.read(&paths::whole_tables(key)).ok()?).ok()
    }

    /// The tables whose bytes are not those that were written.
    pub(super) fn rotten(&self, disk: &dyn Disk, key: u128) -> impl Iterator<Item = &str> {
        let is_rotten = move |(table, .., hash): &&(String, u64, i64, String)| {
            !hash_of(disk, &paths::table(key, table)).is_ok_and(|there| there == *hash)
        };
        self.0.iter().filter(is_rotten).map(|(table, ..)| table.as_str())
    }
}

/// The hash of a file's bytes, as it is written.
pub(super) fn hash_of(disk: &dyn Disk, path: &str) -> io::Result<String> {
    let (mut hasher, mut at) = (Hasher::default(), 0);
    loop {
        let bytes = disk.read_at(path, at, READ_BYTES)?;
        if bytes.is_empty() {
            return Ok(format!("{:032x}", hasher.done()));
        }
        hasher.add(&bytes);
        at += bytes.len() as u64;
    }
}

impl Unit {
    fn of_texts(
        table: &'static str,
        columns: &'static [&'static str],
        rows: Vec<Vec<String>>,
    ) -> Self {
        let mut hasher = Hasher::default();
        for text in rows.iter().flatten() {
            hasher.add(&(text.len() as u64).to_be_bytes());
            hasher.add(text.as_bytes());
        }
        Self {
            key: super::key(table, &format!("{columns:?} {:032x}", hasher.done())),
            content: Content::Texts(table, columns, rows),
        }
    }

    /// The tables that it has a file of.
    pub(super) fn tables(&self) -> Vec<&'static str> {
        let all = cocli_table::names().chain([ADDRESSES]);
        match &self.content {
            Content::Base(_) => all.collect(),
            Content::Layer(_) => all.chain([TOUCHED]).collect(),
            Content::Texts(table, ..) => vec![table],
        }
    }

    /// Whether all its files are there as they were made.
    pub(super) fn is_whole(&self, disk: &dyn Disk) -> bool {
        let Some(Whole(files)) = Whole::of(disk, self.key) else { return false };
        let stands = |table: &str| {
            let told = files.iter().find(|(name, ..)| name == table);
            let there = disk.stat(&paths::table(self.key, table)).ok().flatten();
            told.zip(there).is_some_and(|((_, len, modified, _), there)| {
                (there.len, there.modified_ns) == (*len, *modified)
            })
        };
        self.tables().into_iter().all(stands)
    }

    /// Whether the bytes of its files are those that were written; if not it is no longer whole.
    pub(super) fn check(&self, disk: &dyn Disk) -> bool {
        let is_sound = |whole: Whole| whole.rotten(disk, self.key).next().is_none();
        let is_sound = self.is_whole(disk) && Whole::of(disk, self.key).is_some_and(is_sound);
        if !is_sound {
            let _ = disk.remove(&paths::whole_tables(self.key));
        }
        is_sound
    }

    /// The fields in the rows of nodes.
    pub(super) fn fields(&self) -> BTreeSet<String> {
        match &self.content {
            Content::Texts(NODE_FIELDS, _, rows) => {
                rows.iter().filter_map(|row| row.get(1).cloned()).collect()
            }
            _ => BTreeSet::new(),
        }
    }
}

/// How the base shards go together into units, by the bytes of all of them: neighbours, and as many in each.
pub(super) fn groups(bytes: u64) -> impl Iterator<Item = RangeInclusive<u8>> {
    let all = u64::try_from(SHARDS).unwrap_or(256);
    let each = all
        / bytes
            .div_ceil(GROUP_BYTES)
            .checked_next_power_of_two()
            .unwrap_or(all)
            .clamp(1, GROUPS_MAX);
    let byte = |shard: u64| u8::try_from(shard).unwrap_or(u8::MAX);
    (0..all / each).map(move |group| byte(group * each)..=byte((group + 1) * each - 1))
}

/// What is known of nodes, also by logs that expire: a row for each field.
pub(super) fn nodes(reader: &Reader) -> cocli_store::Result<Unit> {
    let mut rows = Vec::new();
    reader.scan(NODES, |target, entity| {
        if entity.removed().is_some() {
            return;
        }
        let kind = Kind::of(target);
        for (field, value) in entity.shown(kind) {
            let at = entity.seen(&field).map(|stamp| stamp.instant.to_string());
            rows.push(vec![
                target.as_str().to_owned(),
                field.key(),
                value.shown().into_owned(),
                at.unwrap_or_default(),
            ]);
        }
    })?;
    rows.sort();
    Ok(Unit::of_texts(NODE_FIELDS, &["target", "field", "value", "at"], rows))
}

/// Who belongs to a campaign, and who is left out.
pub(super) fn campaign(left: &Left<'_>) -> Unit {
    let campaign = left.campaign;
    let row = |who: &String, what: &str| vec![who.clone(), what.to_owned()];
    let members = campaign.members.iter().map(|who| row(who, "member"));
    let excluded = campaign.excluded.keys().chain(left.addresses()).map(|who| row(who, "excluded"));
    let mut rows: Vec<Vec<String>> = members.chain(excluded).collect();
    rows.sort();
    Unit::of_texts(CAMPAIGN, &["who", "is"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_all_shards_once_and_few_where_there_is_little() {
        for (bytes, count) in
            [(0, 1), (1, 1), (GROUP_BYTES, 1), (GROUP_BYTES + 1, 2), (u64::MAX, 64)]
        {
            let groups: Vec<_> = groups(bytes).collect();
            assert_eq!(groups.len(), count);
            let shards: Vec<u8> = groups.into_iter().flatten().collect();
            assert_eq!(shards, (0..=u8::MAX).collect::<Vec<_>>());
        }
    }
}
