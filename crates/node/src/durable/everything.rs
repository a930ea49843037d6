//! All that the objects of a bucket hold, each range once.

use std::collections::BTreeMap;

use cocli_core::bucket::object::Part;
use cocli_core::bucket::{Bucket, Coverage, Failure, FailureKind, Key, Object};
use cocli_core::frame::Range;
use cocli_core::{ChainHash, ClusterId, Day, LogId, NodeId};

use super::names::registered;
use super::published::newest_manifest;
use super::pull::read;
use super::restore::Beginning;

/// Objects of a node that are asked for at once.
const AHEAD: u64 = 8;
/// How often an object that cannot be read is asked for before it is passed over.
const TRIES_MAX: u8 = 3;

/// Reads the objects of all nodes, from the first one on.
pub(super) struct Everything<'b> {
    bucket: &'b dyn Bucket,
    cluster: ClusterId,
    /// The next object of each node; none when there are no more.
    nodes: BTreeMap<NodeId, Option<u64>>,
    logs: BTreeMap<LogId, Read>,
    covered: Coverage,
    /// Objects that were read.
    pub(super) objects: usize,
    notices: Vec<String>,
}

/// What was read of a log.
#[derive(Default)]
struct Read {
    /// The chain's hash where ranges begin and end.
    seams: BTreeMap<u64, ChainHash>,
    /// Where it begins, and the day of that.
    first: Option<(u64, Day)>,
    /// Where it ends.
    end: u64,
}

impl<'b> Everything<'b> {
    pub(super) fn new(bucket: &'b dyn Bucket, cluster: ClusterId) -> Result<Self, Failure> {
        let mut all = Self {
            bucket,
            cluster,
            nodes: BTreeMap::new(),
            logs: BTreeMap::new(),
            covered: Coverage::default(),
            objects: 0,
            notices: Vec::new(),
        };
        all.meet()?;
        Ok(all)
    }

    /// Learns who writes there: by the names that were registered, the newest manifest and, where it may be had, a
    /// listing. What they wrote tells of others.
    fn meet(&mut self) -> Result<(), Failure> {
        let (names, _) = registered(self.bucket, 1)?;
        names.into_iter().for_each(|node| self.know(Some(node)));
        match newest_manifest(self.bucket, self.cluster, 0) {
            Ok(manifest) => {
                let nodes = manifest.into_iter().flat_map(|manifest| manifest.objects.into_keys());
                nodes.for_each(|node| self.know(Some(node)));
            }
            // It holds nothing that the objects do not.
            Err(failure) if failure.kind == FailureKind::Wrong => {
                self.notices.push(failure.to_string());
            }
            Err(failure) => return Err(failure),
        }
        match self.bucket.folders(&Key::wal()) {
            Ok(folders) => folders.iter().for_each(|name| self.know(NodeId::read(name).ok())),
            Err(failure) if failure.kind == FailureKind::Denied => {}
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    fn know(&mut self, node: Option<NodeId>) {
        if let Some(node) = node {
            self.nodes.entry(node).or_insert(Some(1));
        }
    }

    /// The ranges of some objects that were not met before; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Vec<Range>>, Failure> {
        let next = self.nodes.iter().find_map(|(node, next)| Some((node.clone(), (*next)?)));
        let Some((node, first)) = next else { return Ok(None) };
        let numbers: Vec<u64> = (first..first + AHEAD).collect();
        let keys: Vec<Key> = numbers.iter().map(|n| Key::object(&node, *n)).collect();
        let got = self.bucket.get_together(&keys)?;
        let mut ranges = Vec::new();
        for (n, packed) in numbers.into_iter().zip(got) {
            let Some(packed) = packed else {
                self.nodes.insert(node, None);
                return Ok(Some(ranges));
            };
            if let Some(object) = self.read((&node, n), packed)? {
                self.objects += 1;
                object.parts.into_iter().for_each(|part| ranges.extend(self.take(part)));
            }
            self.nodes.insert(node.clone(), Some(n + 1));
        }
        Ok(Some(ranges))
    }

    /// Reads an object whose ranges lead where it says; none where three tries came to nothing.
    fn read(
        &mut self,
        (node, n): (&NodeId, u64),
        mut packed: Vec<u8>,
    ) -> Result<Option<Object>, Failure> {
        let key = Key::object(node, n);
        let mut tries = 1;
        loop {
            let object = read(&packed, self.cluster, node, n).and_then(|object| {
                let leads = object.parts.iter().all(|part| part.range.end() == part.end);
                leads.then_some(object).ok_or_else(|| Failure::wrong(&key, "its chain is broken"))
            });
            match object {
                Ok(object) => return Ok(Some(object)),
                Err(failure) if tries == TRIES_MAX => {
                    self.notices.push(format!("{failure}: it is passed over"));
                    return Ok(None);
                }
                Err(_) => {
                    tries += 1;
                    packed = self.bucket.get(&key)?.unwrap_or_default();
                }
            }
        }
    }

    /// What of a range was not met before; all of it when it is of another branch.
    fn take(&mut self, part: Part) -> Vec<Range> {
        let Part { range, end } = part;
        self.know(Some(range.log.node.clone()));
        // What expires is of no use at another time.
        if range.log.month.is_some() {
            return Vec::new();
        }
        let read = self.logs.entry(range.log.clone()).or_default();
        let differs = |head: cocli_core::Head| {
            read.seams.get(&head.position).is_some_and(|hash| *hash != head.hash)
        };
        if differs(range.start()) || differs(end) {
            return vec![range];
        }
        read.seams.extend([range.start(), end].map(|head| (head.position, head.hash)));
        let begins = (range.position, range.day);
        read.first = Some(read.first.map_or(begins, |first| first.min(begins)));
        read.end = read.end.max(end.position);
        let missing = self.covered.missing(&range.log, range.position, end.position);
        self.covered.add(&range.log, range.position, end.position);
        missing.iter().filter_map(|(from, until)| cut(&range, *from, *until)).collect()
    }

    /// Which logs are not there from their start, and what else a person may want to know.
    pub(super) fn told(mut self) -> (Vec<Beginning>, Vec<String>) {
        let mut beginnings = Vec::new();
        for (log, read) in self.logs {
            let Some((from, day)) = read.first else { continue };
            if from > 0 {
                beginnings.push(Beginning { log: log.clone(), day });
            }
            for (from, until) in self.covered.missing(&log, from, read.end) {
                self.notices.push(format!(
                    "{log}: the bytes from {from} to {until} stand in no object that could be read"
                ));
            }
        }
        (beginnings, self.notices)
    }
}

/// A part of a range, between ends of its records.
fn cut(range: &Range, from: u64, until: u64) -> Option<Range> {
    let mut rest = range.behind(from)?;
    let bytes = usize::try_from(until.checked_sub(from)?).ok()?;
    rest.bytes.truncate(bytes);
    Some(rest)
}
