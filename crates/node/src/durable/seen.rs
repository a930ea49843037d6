//! What this node knows of the bucket: how far it has read each node, and what it holds of each log. It can
//! be worked out again from the newest manifest and the objects behind it.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::bucket::{Coverage, Manifest};
use cocli_core::{ChainHash, ClusterId, Head, LogId, Month, NodeId, Vector};
use cocli_store::{Disk, paths};
use serde_json::{Map, Value as Json, json};

use crate::error::Result;
use crate::home::{read_if_there, replace};

/// What is known of the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which bucket, as the configuration names it.
    pub url: String,
    /// Whose.
    pub cluster: ClusterId,
    /// The number of the next object to ask for of each node, or to create of the own.
    pub next: BTreeMap<NodeId, u64>,
    /// What it holds of each log.
    pub covered: Coverage,
    /// Where what it holds of each log ends, with the hash there: another one is another branch.
    pub tips: BTreeMap<LogId, Head>,
    /// Objects with a range that begins behind what is held of its log: to be read again when that log has come
    /// to this position.
    pub waiting: BTreeMap<(NodeId, u64), (LogId, u64)>,
    /// Objects that could not be read, and how often that was tried.
    pub damaged: BTreeMap<(NodeId, u64), u8>,
    /// The first object of each node that has a range of a log that expires with a month: no checkpoint that is
    /// published covers it.
    pub months: BTreeMap<(NodeId, Month), u64>,
    /// The number of the next name of a node to ask for.
    pub nodes: u64,
    /// Whether this node's name is there; `None` when that is not known yet.
    pub registered: Option<bool>,
    /// The newest manifest known: number and generation; zeros before the first.
    pub manifest: (u64, u64),
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
    pub fn new(url: &str, cluster: ClusterId) -> Self {
        Self {
            url: url.to_owned(),
            cluster,
            next: BTreeMap::new(),
            covered: Coverage::default(),
            tips: BTreeMap::new(),
            waiting: BTreeMap::new(),
            damaged: BTreeMap::new(),
            months: BTreeMap::new(),
            nodes: 1,
            registered: None,
            manifest: (0, 0),
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
        let json = text.and_then(|text| serde_json::from_slice(&text).ok());
        let seen = json.as_ref().and_then(Self::read);
        Ok(seen.filter(|seen| seen.url == url && seen.cluster == cluster))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When the disk refuses: what was kept before stands there then.
    pub fn save(&self, disk: &dyn Disk) -> Result<()> {
        replace(disk, paths::BUCKET, self.json().to_string().as_bytes())
    }

    /// Takes in what a manifest says that it covers, where nothing better is known.
    pub fn take_manifest(&mut self, manifest: &Manifest, frontier: &Vector) {
        self.meet_manifest(manifest);
        for (node, next) in &manifest.objects {
            self.next.entry(node.clone()).or_insert(*next);
        }
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

    /// The first object of a node that was not wholly taken in.
    #[must_use]
    pub fn settled_before(&self, node: &NodeId) -> u64 {
        let waits = self.waiting.keys().find(|(of, _)| of == node).map(|(_, n)| *n);
        waits.unwrap_or(u64::MAX).min(self.next_of(node))
    }

    /// Notes of which months the `n`th object of a node has ranges.
    pub fn met_months(&mut self, node: &NodeId, n: u64, logs: impl IntoIterator<Item = LogId>) {
        for month in logs.into_iter().filter_map(|log| log.month) {
            let first = self.months.entry((node.clone(), month)).or_insert(n);
            *first = n.min(*first);
        }
    }

    /// The first object of a node that is needed beside a checkpoint that covers all that was taken in of the logs
    /// that stay: one that was not wholly taken in, or has a range of a month from `oldest` on.
    #[must_use]
    pub fn needed_from(&self, node: &NodeId, oldest: Month) -> u64 {
        let kept = |((of, month), n): (&(NodeId, Month), &u64)| {
            (of == node && *month >= oldest).then_some(*n)
        };
        let months = self.months.iter().filter_map(kept).min();
        months.unwrap_or(u64::MAX).min(self.settled_before(node))
    }

    fn json(&self) -> Json {
        let next: Map<String, Json> =
            self.next.iter().map(|(node, n)| (node.to_string(), Json::from(*n))).collect();
        let covered: Map<String, Json> =
            self.covered.iter().map(|(log, held)| (log.to_string(), json!(held))).collect();
        let tips: Map<String, Json> = (self.tips.iter())
            .map(|(log, head)| (log.to_string(), json!([head.position, head.hash.to_string()])))
            .collect();
        let waiting: Vec<Json> = (self.waiting.iter())
            .map(|((node, n), (log, position))| {
                json!([node.as_str(), n, log.to_string(), position])
            })
            .collect();
        let damaged: Vec<Json> = (self.damaged.iter())
            .map(|((node, n), tries)| json!([node.as_str(), n, tries]))
            .collect();
        let months: Vec<Json> = (self.months.iter())
            .map(|((node, month), n)| json!([node.as_str(), month.to_string(), n]))
            .collect();
        json!({
            "url": self.url,
            "cluster": self.cluster.to_string(),
            "next": next,
            "covered": covered,
            "tips": tips,
            "waiting": waiting,
            "damaged": damaged,
            "months": months,
            "nodes": self.nodes,
            "registered": self.registered,
            "manifest": [self.manifest.0, self.manifest.1],
            "snapshot": self.snapshot,
            "bytes": self.bytes,
            "looked_after": [self.looked_after.0, self.looked_after.1],
            "put_since": [self.put_since.0, self.put_since.1],
            "missing_is_denied": self.missing_is_denied,
        })
    }

    fn read(json: &Json) -> Option<Self> {
        let mut seen =
            Self::new(json.get("url")?.as_str()?, ClusterId::read(json.get("cluster")?.as_str()?)?);
        for (node, n) in json.get("next")?.as_object()? {
            seen.next.insert(NodeId::read(node).ok()?, n.as_u64()?);
        }
        for (log, held) in json.get("covered")?.as_object()? {
            let log = LogId::read(log).ok()?;
            for interval in held.as_array()? {
                seen.covered.add(&log, interval.get(0)?.as_u64()?, interval.get(1)?.as_u64()?);
            }
        }
        for (log, tip) in json.get("tips")?.as_object()? {
            let (position, hash) = (tip.get(0)?.as_u64()?, tip.get(1)?.as_str()?);
            let head = Head { position, hash: ChainHash::read(hash)? };
            seen.tips.insert(LogId::read(log).ok()?, head);
        }
        for waits in json.get("waiting")?.as_array()? {
            let key = (NodeId::read(waits.get(0)?.as_str()?).ok()?, waits.get(1)?.as_u64()?);
            let log = LogId::read(waits.get(2)?.as_str()?).ok()?;
            seen.waiting.insert(key, (log, waits.get(3)?.as_u64()?));
        }
        for damaged in json.get("damaged")?.as_array()? {
            let key = (NodeId::read(damaged.get(0)?.as_str()?).ok()?, damaged.get(1)?.as_u64()?);
            seen.damaged.insert(key, u8::try_from(damaged.get(2)?.as_u64()?).ok()?);
        }
        for met in json.get("months")?.as_array()? {
            let node = NodeId::read(met.get(0)?.as_str()?).ok()?;
            let month = Month::read(met.get(1)?.as_str()?)?;
            seen.months.insert((node, month), met.get(2)?.as_u64()?);
        }
        seen.nodes = json.get("nodes")?.as_u64()?;
        seen.registered = json.get("registered")?.as_bool();
        let manifest = json.get("manifest")?;
        seen.manifest = (manifest.get(0)?.as_u64()?, manifest.get(1)?.as_u64()?);
        seen.snapshot = json.get("snapshot")?.as_u64();
        seen.bytes = json.get("bytes")?.as_u64()?;
        let looked = json.get("looked_after")?;
        seen.looked_after = (looked.get(0)?.as_i64()?, looked.get(1)?.as_i64()?);
        // It is younger than the rest.
        if let Some(put) = json.get("put_since") {
            let count = usize::try_from(put.get(1)?.as_u64()?).ok()?;
            seen.put_since = (put.get(0)?.as_i64()?, count);
        }
        seen.missing_is_denied = json.get("missing_is_denied")?.as_bool()?;
        Some(seen)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use super::*;

    #[test]
    fn what_is_known_of_a_bucket_reads_as_it_was_kept() {
        let node = NodeId::read("pi1").unwrap();
        let log = LogId::read("laptop~abcdefgh").unwrap();
        let month = |text| Month::read(text).unwrap();
        let mut seen = Seen::new("s3://team", ClusterId([3; 16]));
        seen.next.insert(node.clone(), 17);
        seen.cover(&log, 3, Head { position: 9, hash: ChainHash([1; 16]) });
        seen.cover(&log, 20, Head { position: 29, hash: ChainHash([2; 16]) });
        seen.waiting.insert((node.clone(), 12), (log, 9));
        seen.damaged.insert((node.clone(), 11), 2);
        let of = |month: &str| LogId::read(&format!("pi1~~{month}")).unwrap();
        seen.met_months(&node, 5, [of("202610"), of("202611")]);
        seen.met_months(&node, 3, [of("202610")]);
        seen.registered = Some(true);
        (seen.nodes, seen.manifest, seen.bytes) = (4, (5, 6), 7);
        (seen.looked_after, seen.snapshot, seen.put_since) = ((8, 9), Some(3), (10, 11));
        assert_eq!(Seen::read(&seen.json()), Some(seen.clone()));
        assert_eq!(seen.settled_before(&node), 12);
        let needed =
            ["202610", "202611", "202612"].map(|text| seen.needed_from(&node, month(text)));
        assert_eq!(needed, [3, 5, 12]);
    }
}
