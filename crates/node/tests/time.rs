//! Homes whose clocks are hours behind, days ahead, and step: laws 4 to 6. Journals go from home to
//! home as files, the way a stick carries them.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::{Datagram, Field, Instant, Stamp, Target, Value};
use cocli_node::Home;
use cocli_node::change::{Change, Intent};

const HOUR: i64 = 3_600_000_000;
/// 2026-11-23T23:58:00Z: days end while the test writes.
const START: i64 = 1_795_478_280_000_000;
const FIELDS: [&str; 3] = ["city", "state", "tags.lead"];

struct Node {
    home: Home,
    dir: tempfile::TempDir,
    /// By how much its clock is wrong.
    skew: i64,
}

struct Cluster {
    nodes: Vec<Node>,
    passed: i64,
    seed: u64,
    written: usize,
}

impl Cluster {
    /// Three nodes: 3 hours behind, 2 days ahead, and one that steps.
    fn new(seed: u64) -> Self {
        let nodes = [-3 * HOUR, 48 * HOUR, 0].into_iter().enumerate().map(|(n, skew)| {
            let dir = tempfile::tempdir().unwrap();
            let now = Instant::from_micros(START + skew).unwrap();
            Node { home: support::home(dir.path(), &format!("n{n}"), now), dir, skew }
        });
        Self { nodes: nodes.collect(), passed: 0, seed, written: 3 }
    }

    fn chance(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.seed >> 33).unwrap() % below
    }

    /// A node writes what it sees that nobody else has written yet, and sees it at once.
    fn write(&mut self, at: usize, text: &str) {
        self.passed += 3_000_000;
        let field = Field::read(FIELDS[self.chance(FIELDS.len())]).unwrap();
        let node = &self.nodes[at];
        let now = Instant::from_micros(START + self.passed + node.skew).unwrap();
        let change = Change::new(target(), field.clone(), Intent::Put(Value::text(text)));
        let written = node.home.session(now).unwrap().write("set", &[change], false).unwrap();
        assert_eq!(written.datagrams, 1);
        self.written += 1;
        assert_eq!(self.value(at, &field).as_deref(), Some(text), "on {at} with clock {now}");
    }

    fn value(&self, at: usize, field: &Field) -> Option<String> {
        let entity = self.nodes[at].home.entity(&target()).unwrap();
        entity.fields.get(field).map(|entry| entry.value.shown().into_owned())
    }

    /// The journals of one node's own log come to another.
    fn carry(&self, from: usize, to: usize) {
        let of = format!("_n{from}.usv");
        for entry in std::fs::read_dir(self.nodes[from].dir.path().join("wal")).unwrap() {
            let name = entry.unwrap().file_name();
            if name.to_string_lossy().ends_with(&of) {
                let wal = |at: usize| self.nodes[at].dir.path().join("wal").join(&name);
                std::fs::copy(wal(from), wal(to)).unwrap();
            }
        }
    }

    fn meet(&self) {
        for (from, to) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
            self.carry(from, to);
        }
    }

    /// Everybody holds everything in one state, no stamp of a log went back, and nothing won over
    /// what had seen it.
    fn check(&self) {
        self.meet();
        let digests: BTreeSet<String> = self
            .nodes
            .iter()
            .map(|node| node.home.health().map(|h| (h.odd, h.digest.to_string())).unwrap())
            .inspect(|(odd, _)| assert_eq!(*odd, 0))
            .map(|(_, digest)| digest)
            .collect();
        assert_eq!(digests.len(), 1);
        for node in &self.nodes {
            assert_eq!(node.home.datagrams().unwrap(), self.written);
            never_goes_back(&node.home);
        }
        let all = self.nodes[0].home.history(Some(&target()), None).unwrap();
        let seen: BTreeSet<(Field, Stamp)> =
            all.iter().flat_map(|d| saw(d).map(|stamp| (d.field.clone(), stamp))).collect();
        let entity = self.nodes[0].home.entity(&target()).unwrap();
        for (field, entry) in &entity.fields {
            assert!(!seen.contains(&(field.clone(), entry.stamp.clone())), "{field} {entry:?}");
        }
    }
}

fn target() -> Target {
    Target::read("companies/acme").unwrap()
}

fn saw(datagram: &Datagram) -> impl Iterator<Item = Stamp> + '_ {
    datagram.entry.causality.stamps()
}

/// Each log in its order: the stamps of a field rise, and are later than all that was seen.
fn never_goes_back(home: &Home) {
    for (log, end) in home.ends().unwrap() {
        let mut last = BTreeMap::new();
        for datagram in home.written_between(&log, 0, end).unwrap() {
            let stamp = datagram.entry.stamp.clone();
            assert!(saw(&datagram).all(|seen| seen.instant < stamp.instant), "{datagram:?}");
            let before = last.insert((datagram.target, datagram.field), stamp.clone());
            assert!(before.is_none_or(|before| before < stamp), "{log}: {stamp}");
        }
    }
}

#[test]
fn a_later_write_that_saw_the_earlier_one_wins_whatever_the_clocks_say() {
    let mut cluster = Cluster::new(1);
    for n in 0..90 {
        let at = cluster.chance(3);
        if n % 10 == 9 {
            // The third clock is put right, and wrong again: an hour forth, a day back.
            cluster.nodes[2].skew = [HOUR, -24 * HOUR, 0][n / 10 % 3];
        }
        let text = format!("v{n}");
        cluster.write(at, &text);
        cluster.meet();
        for other in 0..3 {
            let shown = FIELDS.map(|field| cluster.value(other, &Field::read(field).unwrap()));
            assert!(shown.contains(&Some(text.clone())), "{text} of {at} is not on {other}");
        }
    }
    cluster.check();
}

#[test]
fn writes_that_did_not_see_each_other_end_equal_and_none_is_refused() {
    for seed in 0..6 {
        let mut cluster = Cluster::new(seed);
        for n in 0..60 {
            let (at, to) = (cluster.chance(3), cluster.chance(3));
            if n % 12 == 11 {
                let hours = i64::try_from(cluster.chance(200)).unwrap() - 100;
                cluster.nodes[2].skew = hours * HOUR;
            }
            cluster.write(at, &format!("v{n}"));
            if at != to {
                cluster.carry(at, to);
            }
        }
        cluster.check();
    }
}
