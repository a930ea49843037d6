//! The cluster as the daemon sees it (`docs/watching.md`), or, where none answers, as the home knows it.

use std::hash::{DefaultHasher, Hash, Hasher};

use cocli_node::{Health, Home};
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::speech::ago;
use crate::cluster::Cluster;
use crate::problems::{self, Known, Need};
use crate::render::Tone;
use crate::{clock, door, sameness};

/// What came of asking.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) cluster: Cluster,
    /// Whether the daemon told of the cluster.
    pub(super) told: bool,
    /// What it says of itself.
    daemon: Option<Json>,
    /// Why it says nothing, though it runs.
    mute: Option<String>,
    /// What of the bucket needs a person.
    bucket: Vec<Need>,
}

impl Seen {
    pub(super) fn ask(home: &Home) -> Self {
        let (daemon, mute) = match door::ask(home, &json!({"verb": "status"})) {
            Ok(daemon) => (daemon, None),
            Err(failure) => (None, Some(failure.whole())),
        };
        // One of an older version knows no such request.
        let answer =
            daemon.as_ref().and_then(|_| door::ask(home, &json!({"verb": "cluster"})).ok());
        let answer = answer.flatten();
        let kept = || Cluster {
            nodes: Cluster::kept(home, clock::now()).unwrap_or_default(),
            ..Cluster::default()
        };
        let (told, cluster) = (answer.is_some(), answer.as_ref().map_or_else(kept, Cluster::read));
        // That a home cannot be read is told elsewhere.
        let bucket = problems::of_its_bucket(home, daemon.as_ref()).unwrap_or_default();
        Self { cluster, told, daemon, mute, bucket }
    }

    /// What needs a person.
    pub(super) fn problems(&self, health: Option<&Health>) -> Vec<Need> {
        let mut problems = problems::of(&Known {
            health,
            daemon: self.daemon.as_ref(),
            mute: self.mute.as_deref(),
            cluster: self.told.then_some(&self.cluster),
        });
        problems.extend_from_slice(&self.bucket);
        problems
    }

    /// Whether all are the same.
    pub(super) fn sameness(&self) -> (Tone, String) {
        let cluster = self.told.then_some(&self.cluster);
        let (runs, mute) = (self.daemon.is_some(), self.mute.is_some());
        sameness::line(cluster, &TimeZone::system(), runs, mute)
    }

    /// Another number where a person would see something else.
    pub(super) fn look(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let cluster = &self.cluster;
        for node in &cluster.nodes {
            let clock_s = node.clock_ahead_us.map(|us| us / 1_000_000);
            (&node.name, node.standing, &node.address, clock_s).hash(&mut hasher);
            (node.lacks_bytes, node.ahead_bytes).hash(&mut hasher);
            (node.heard_ms.map(ago), node.condition_ms.map(ago)).hash(&mut hasher);
            let parts = ["load", "memory_free", "disk_free", "up_s", "queued", "problems"];
            let coarse = |key| node.condition.number(key).map(|value| format!("{value:.2e}"));
            parts.map(coarse).hash(&mut hasher);
        }
        let same = &cluster.sameness;
        (same.state, same.same, same.of, &same.behind, same.differ.len(), &same.mend)
            .hash(&mut hasher);
        let of_daemon = |key| self.daemon.as_ref().map(|daemon| daemon[key].to_string());
        (["twins", "stalled"].map(of_daemon), &self.mute, &self.bucket).hash(&mut hasher);
        (cluster.oldest_ms.map(|ms| ms / 5_000), &cluster.parts, self.told).hash(&mut hasher);
        hasher.finish()
    }
}
