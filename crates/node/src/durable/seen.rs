//! What this node knows of the bucket: how far it has read each node, and what it holds of each log. It can
//! be worked out again from the newest manifest and the objects behind it.

mod kept;

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::bucket::{Coverage, Manifest};
use cocli_core::{ClusterId, Head, LogId, Month, NodeId, Vector};
use cocli_store::{Disk, paths};

use crate::error::Result;
use crate::home::{read_if_there, replace};

/// What is known of the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which bucket, as the configuration names it.
    pub url: String,
    /// Whose.
    pub cluster: ClusterId,
    /// In which of its lives.
    pub life: String,
    /// The number of the next object to ask for of each node, or to create of the own.
    pub next: BTreeMap<NodeId, u64>,
    /// What it holds of each log.
    pub covered: Coverage,
    /// Where what it holds of each log ends, with the hash there: another one is another branch.
    pub tips: BTreeMap<LogId, Head>,
    /// Objects with ranges that begin behind what is held of their logs: to be read again when one of these has
    /// come to that position.
    pub waiting: BTreeMap<(NodeId, u64), BTreeMap<LogId, u64>>,
    /// Objects with ranges on another branch of these logs, and where those begin: to be read again when the log
    /// leads there.
    pub open: BTreeMap<(NodeId, u64), BTreeMap<LogId, Head>>,
    /// Objects that could not be read.
    pub damaged: BTreeSet<(NodeId, u64)>,
    /// Logs that waited when the bucket was checked last.
    pub waited: BTreeSet<LogId>,
    /// Those that had waited then since the check before it: what lies between comes from nowhere by itself.
    pub stuck: BTreeSet<LogId>,
    /// Whether an object could not be read when the bucket was checked last.
    pub ailed: bool,
    /// The hash of each node's newest object that was read, or created.
    pub newest: BTreeMap<NodeId, u128>,
    /// The object, and the node, that were looked at last to see whether the bucket is what it was.
    pub checked: (Option<(NodeId, u64)>, Option<NodeId>),
    /// Whether not all was read yet since nothing is known of it.
    pub unread: bool,
    /// The hash of the published checkpoint that was joined last.
    pub joined: u128,
    /// The first object of each node that has a range of a log that expires with a month: no checkpoint that is
    /// published covers it.
    pub months: BTreeMap<(NodeId, Month), u64>,
    /// The number of the next name of a node to ask for.
    pub nodes: u64,
    /// Whether this node's name is there; `None` when that is not known yet.
    pub registered: Option<bool>,
    /// The newest manifest known: number and generation; zeros before the first.
    pub manifest: (u64, u64),
    /// Who published that one, and when, for people; nothing where it was met by an older version.
    pub published: Option<(NodeId, String)>,
    /// The number of the newest snapshot known.
    pub snapshot: Option<u64>,
    /// Bytes of objects that were met.
    pub bytes: u64,
    /// When a hub of this home brought the mirror up to date last, and when it mended it and tidied: microseconds
    /// since 1970.
    pub looked_after: (i64, i64),
    /// Since when it is counted how many cards were put in the mirror, microseconds since 1970, and how many were.
    pub put_since: (i64, usize),
    /// What is not there is answered by "forbidden".
    pub missing_is_denied: bool,
}

impl Seen {
    /// Of a bucket of which nothing is known.
    #[must_use]
    pub fn new(url: &str, cluster: ClusterId, life: &str) -> Self {
        Self {
            url: url.to_owned(),
            cluster,
            life: life.to_owned(),
            next: BTreeMap::new(),
            covered: Coverage::default(),
            tips: BTreeMap::new(),
            waiting: BTreeMap::new(),
            open: BTreeMap::new(),
            damaged: BTreeSet::new(),
            waited: BTreeSet::new(),
            stuck: BTreeSet::new(),
            ailed: false,
            newest: BTreeMap::new(),
            checked: (None, None),
            unread: true,
            joined: 0,
            months: BTreeMap::new(),
            nodes: 1,
            registered: None,
            manifest: (0, 0),
            published: None,
            snapshot: None,
            bytes: 0,
            looked_after: (0, 0),
            put_since: (0, 0),
            missing_is_denied: false,
        }
    }

    /// What was kept of this bucket; nothing when it was another, or cannot be read.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn load(disk: &dyn Disk, url: &str, cluster: ClusterId) -> Result<Option<Self>> {
        let text = read_if_there(disk, paths::BUCKET)?;
        let seen = text.and_then(|text| kept::read(&text));
        Ok(seen.filter(|seen| seen.url == url && seen.cluster == cluster))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When the disk refuses: what was kept before stands there then.
    pub fn save(&self, disk: &dyn Disk) -> Result<()> {
        replace(disk, paths::BUCKET, &kept::text(self))
    }

    /// Takes in what a manifest says that it covers, where nothing better is known.
    pub fn take_manifest(&mut self, manifest: &Manifest, frontier: &Vector) {
        self.meet_manifest(manifest);
        for (node, next) in &manifest.objects {
            self.next.entry(node.clone()).or_insert(*next);
        }
        // Whether they can be read is not known: they are tried.
        self.damaged.extend(manifest.again.iter().cloned());
        for (log, head) in &frontier.0 {
            self.cover(log, 0, *head);
        }
        self.nodes = self.nodes.max(manifest.nodes);
    }

    /// Notes that a manifest is there.
    pub fn meet_manifest(&mut self, manifest: &Manifest) {
        if self.manifest <= (manifest.n, manifest.generation) {
            self.manifest = (manifest.n, manifest.generation);
            self.snapshot = manifest.snapshot;
            self.published = Some((manifest.hub.clone(), manifest.at.clone()));
        }
    }

    /// Notes that it holds a log from a position up to a head.
    pub fn cover(&mut self, log: &LogId, from: u64, end: Head) {
        self.covered.add(log, from, end.position);
        let tip = self.tips.entry(log.clone()).or_insert(end);
        if tip.position <= end.position {
            *tip = end;
        }
    }

    /// Nothing is known of a log any more: it is another branch by now.
    pub fn forget(&mut self, log: &LogId) {
        self.covered.forget(log);
        self.tips.remove(log);
    }

    /// Whether an object has ranges that are to be read again.
    #[must_use]
    pub fn is_settled(&self, key: &(NodeId, u64)) -> bool {
        !(self.waiting.contains_key(key)
            || self.open.contains_key(key)
            || self.damaged.contains(key))
    }

    /// Logs that stay of which a range waits for what lies between, with how far they have to come.
    #[must_use]
    pub fn gaps(&self) -> BTreeMap<LogId, u64> {
        let mut gaps = BTreeMap::new();
        for (log, position) in self.waiting.values().flatten() {
            let first = gaps.entry(log.clone()).or_insert(*position);
            *first = (*first).min(*position);
        }
        gaps
    }

    /// The object behind the one that was looked at last, of those that were read.
    #[must_use]
    pub fn next_to_check(&self) -> Option<(NodeId, u64)> {
        let from = |node: &NodeId, n: u64| {
            (n..self.next_of(node)).map(|n| (node.clone(), n)).find(|key| self.is_settled(key))
        };
        let behind = self.checked.0.as_ref().and_then(|(node, n)| {
            let mut later = self.next.keys().filter(|other| *other > node);
            from(node, n + 1).or_else(|| later.find_map(|node| from(node, 1)))
        });
        behind.or_else(|| self.next.keys().find_map(|node| from(node, 1)))
    }

    /// The newest object of the node behind the one that was looked at last.
    #[must_use]
    pub fn next_newest(&self, me: &NodeId) -> Option<(NodeId, u64)> {
        let newest = |node: &NodeId| {
            let key = (node.clone(), self.next_of(node) - 1);
            (key.1 > 0 && node != me && self.is_settled(&key)).then_some(key)
        };
        let last = self.checked.1.as_ref();
        let later = self.next.keys().filter(|node| last.is_none_or(|last| *node > last));
        later.chain(self.next.keys()).find_map(newest)
    }

    /// The objects that have to be read again, one day.
    #[must_use]
    pub fn unsettled(&self) -> BTreeSet<(NodeId, u64)> {
        let keys = self.waiting.keys().chain(self.open.keys()).chain(&self.damaged);
        keys.cloned().collect()
    }

    /// The nodes that are known to write there, but one.
    pub fn others(&self, but: &NodeId) -> BTreeSet<NodeId> {
        self.next.keys().filter(|node| *node != but).cloned().collect()
    }

    /// All that are known to write there: another machine may bear this node's name.
    pub fn writers(&self) -> BTreeSet<NodeId> {
        self.next.keys().cloned().collect()
    }

    /// The number of the next object of a node.
    #[must_use]
    pub fn next_of(&self, node: &NodeId) -> u64 {
        self.next.get(node).copied().unwrap_or(1)
    }

    /// Notes that a node may write there.
    pub fn know(&mut self, node: &NodeId) {
        self.next.entry(node.clone()).or_insert(1);
    }

    /// Notes of which months the `n`th object of a node has ranges.
    pub fn met_months(&mut self, node: &NodeId, n: u64, logs: impl IntoIterator<Item = LogId>) {
        for month in logs.into_iter().filter_map(|log| log.month) {
            let first = self.months.entry((node.clone(), month)).or_insert(n);
            *first = n.min(*first);
        }
    }

    /// The first object of a node that is needed beside a checkpoint that covers all that was taken in of the logs
    /// that stay: one that was not read, or has a range of a month from `oldest` on. Beside it those are that are
    /// [`Seen::unsettled`].
    #[must_use]
    pub fn needed_from(&self, node: &NodeId, oldest: Month) -> u64 {
        let kept = |((of, month), n): (&(NodeId, Month), &u64)| {
            (of == node && *month >= oldest).then_some(*n)
        };
        let months = self.months.iter().filter_map(kept).min();
        months.unwrap_or(u64::MAX).min(self.next_of(node))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use cocli_core::ChainHash;

    use super::*;

    #[test]
    fn what_is_known_of_a_bucket_reads_as_it_was_kept() {
        let node = NodeId::read("pi1").unwrap();
        let log = LogId::read("laptop~abcdefgh").unwrap();
        let month = |text| Month::read(text).unwrap();
        let mut seen = Seen::new("s3://team", ClusterId([3; 16]), "abcdefgh");
        seen.next.insert(node.clone(), 17);
        seen.cover(&log, 3, Head { position: 9, hash: ChainHash([1; 16]) });
        seen.cover(&log, 20, Head { position: 29, hash: ChainHash([2; 16]) });
        seen.waiting.insert((node.clone(), 14), [(log.clone(), 9)].into());
        let head = Head { position: 5, hash: ChainHash([3; 16]) };
        seen.open.insert((node.clone(), 13), [(log.clone(), head)].into());
        seen.damaged.insert((node.clone(), 12));
        (seen.waited, seen.stuck) = ([log.clone()].into(), [log].into());
        (seen.ailed, seen.unread, seen.joined) = (true, false, 6);
        seen.newest.insert(node.clone(), 1 << 100);
        seen.checked = (Some((node.clone(), 7)), Some(node.clone()));
        let of = |month: &str| LogId::read(&format!("pi1~~{month}")).unwrap();
        seen.met_months(&node, 5, [of("202610"), of("202611")]);
        seen.met_months(&node, 3, [of("202610")]);
        seen.registered = Some(true);
        (seen.nodes, seen.manifest, seen.bytes) = (4, (5, 6), 7);
        (seen.looked_after, seen.snapshot, seen.put_since) = ((8, 9), Some(3), (10, 11));
        assert_eq!(kept::read(&kept::text(&seen)), Some(seen.clone()));
        assert_eq!(seen.unsettled().into_iter().map(|(_, n)| n).collect::<Vec<_>>(), [12, 13, 14]);
        let needed =
            ["202610", "202611", "202612"].map(|text| seen.needed_from(&node, month(text)));
        assert_eq!(needed, [3, 5, 17]);
    }
}
