//! The cluster as the daemon sees it (`docs/watching.md`), or, where none answers, as the home knows it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use cocli_core::Field;
use cocli_node::Home;
use serde_json::{Map, Value as Json, json};

use super::speech::ago;
use crate::failure::Failure;
use crate::{clock, door};

/// What stands in a node's target beside its condition.
const STAYS: [&str; 3] = ["key", "left", "removed"];

/// What the condition of a node says, key by key.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Condition(Map<String, Json>);

impl Condition {
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        let value = self.0.get(key)?;
        value
            .as_f64()
            .or_else(|| value.as_str()?.parse().ok())
            .filter(|number: &f64| number.is_finite())
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    /// Which part of the whole is free, 0 to 1.
    pub(super) fn free(&self, of: &str) -> Option<f64> {
        let (all, free) = (self.number(of)?, self.number(&format!("{of}_free"))?);
        (all > 0.0).then(|| (free / all).clamp(0.0, 1.0))
    }

    pub(super) fn is_known(&self) -> bool {
        !self.0.is_empty()
    }
}

/// A node, as this one sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) me: bool,
    /// One of those that `docs/watching.md` names; `unknown` where nobody tells.
    pub(super) standing: String,
    pub(super) address: Option<String>,
    pub(super) heard_ms: Option<u64>,
    pub(super) round_trip_us: Option<u64>,
    pub(super) clock_ahead_us: Option<f64>,
    pub(super) lacks: u64,
    pub(super) ahead: u64,
    pub(super) condition: Condition,
    pub(super) condition_ms: Option<u64>,
}

impl Node {
    /// Whether it takes part now.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.standing.as_str(), "alive" | "suspect" | "unheard")
    }

    /// Whether it takes part no more, by somebody's will.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.standing.as_str(), "left" | "out")
    }
}

/// A field that two nodes show otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Differs {
    pub(super) node: String,
    pub(super) target: String,
    pub(super) field: String,
    pub(super) here: String,
    pub(super) there: String,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sameness {
    pub(super) state: String,
    pub(super) same: u64,
    pub(super) of: u64,
    pub(super) as_of: Option<String>,
    pub(super) behind: Vec<String>,
    pub(super) differ: Vec<Differs>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    pub(super) sameness: Option<Sameness>,
    pub(super) oldest_ms: Option<u64>,
    pub(super) parts: Vec<Vec<String>>,
}

/// What came of asking.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) cluster: Cluster,
    /// Why the daemon told nothing; nothing where it did.
    pub(super) silent: Option<Failure>,
    /// Whether one runs.
    pub(super) runs: bool,
}

impl Seen {
    /// Another number where a person would see something else.
    pub(super) fn look(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let cluster = &self.cluster;
        for node in &cluster.nodes {
            let (condition, clock) =
                (&node.condition, node.clock_ahead_us.map(|us| (us / 1e6) as i64));
            (&node.name, &node.standing, &node.address, clock, node.lacks, node.ahead)
                .hash(&mut hasher);
            (node.heard_ms.map(ago), node.condition_ms.map(ago)).hash(&mut hasher);
            let parts = ["load", "memory_free", "disk_free", "up_s", "queued", "problems"];
            let coarse = |key| condition.number(key).map(|value| format!("{value:.2e}"));
            parts.map(coarse).hash(&mut hasher);
        }
        let same = cluster.sameness.as_ref();
        (same.map(|same| (&same.state, same.same, same.of, &same.behind, same.differ.len())))
            .hash(&mut hasher);
        (cluster.oldest_ms.map(|ms| ms / 5_000), &cluster.parts, self.runs).hash(&mut hasher);
        hasher.finish()
    }
}

pub(super) fn ask(home: &Home) -> Seen {
    let (silent, runs) = match door::ask(home, &json!({"verb": "cluster"})) {
        Ok(Some(told)) => return Seen { cluster: read(&told), silent: None, runs: true },
        Ok(None) => (
            Failure::new(
                crate::failure::Exit::Failed,
                "No daemon runs here: nothing comes in or goes out.",
            )
            .hint("`cocli daemon`"),
            false,
        ),
        Err(failure) if failure.message.contains("no such request") => (
            failure.because(
                "The daemon that runs is of an older version, and says nothing of the cluster.",
            ),
            true,
        ),
        Err(failure) => (failure, true),
    };
    Seen { cluster: known(home).unwrap_or_default(), silent: Some(silent), runs }
}

impl Failure {
    /// The same in words for whoever reads a page.
    fn because(self, message: &str) -> Self {
        Self {
            message: message.to_owned(),
            hint: Some("end it, and `cocli daemon`".to_owned()),
            ..self
        }
    }
}

/// Reads what the door said; what is not as expected is left out.
pub(super) fn read(told: &Json) -> Cluster {
    let list =
        |of: &Json, key: &str| of.get(key).and_then(Json::as_array).cloned().unwrap_or_default();
    let names =
        |of: &[Json]| of.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let sameness = told.get("sameness").filter(|same| same.is_object()).map(|same| Sameness {
        state: text(same, "state").unwrap_or_default(),
        same: number(same, "same").unwrap_or_default(),
        of: number(same, "of").unwrap_or_default(),
        as_of: text(same, "as_of"),
        behind: names(&list(same, "behind")),
        differ: list(same, "differ").iter().map(differs).collect(),
    });
    let parts = list(told, "parts");
    Cluster {
        nodes: list(told, "nodes").iter().filter_map(node).collect(),
        sameness,
        oldest_ms: number(told, "oldest_ms"),
        parts: parts.iter().filter_map(Json::as_array).map(|part| names(part)).collect(),
    }
}

fn node(told: &Json) -> Option<Node> {
    Some(Node {
        name: text(told, "node")?,
        me: told.get("me").and_then(Json::as_bool) == Some(true),
        standing: text(told, "standing").unwrap_or_else(|| "unknown".into()),
        address: text(told, "address"),
        heard_ms: number(told, "heard_ms"),
        round_trip_us: number(told, "round_trip_us"),
        clock_ahead_us: told.get("clock_ahead_us").and_then(Json::as_f64),
        lacks: number(told, "lacks_bytes").unwrap_or_default(),
        ahead: number(told, "ahead_bytes").unwrap_or_default(),
        condition: Condition(
            told.get("condition").and_then(Json::as_object).cloned().unwrap_or_default(),
        ),
        condition_ms: number(told, "condition_ms"),
    })
}

fn differs(told: &Json) -> Differs {
    let of = |key| text(told, key).unwrap_or_default();
    Differs {
        node: of("node"),
        target: of("target"),
        field: of("field"),
        here: of("here"),
        there: of("there"),
    }
}

fn text(of: &Json, key: &str) -> Option<String> {
    of.get(key).and_then(Json::as_str).map(str::to_owned)
}

fn number(of: &Json, key: &str) -> Option<u64> {
    of.get(key).and_then(Json::as_u64)
}

/// The nodes that ever introduced themselves, each with the last that it wrote of itself.
fn known(home: &Home) -> Result<Cluster, Failure> {
    let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
    for one in home.known_nodes()? {
        let standing = match (&one.removed, &one.left) {
            (Some(_), _) => "out",
            (None, Some(_)) => "left",
            (None, None) => "unknown",
        };
        let (name, me) = (one.node.to_string(), one.node == *home.node());
        let node = Node { name: name.clone(), me, standing: standing.into(), ..Node::default() };
        nodes.insert(name, node);
    }
    let now = clock::now();
    for (target, entity) in home.expiring("nodes/")? {
        let Some(node) = nodes.get_mut(target.slug()) else { continue };
        // By which key it is known is told once, and is no condition.
        let of_condition = |field: &Field| !STAYS.contains(&field.as_str());
        let shown = entity.shown(None).into_iter().filter(|(field, _)| of_condition(field));
        node.condition =
            Condition(shown.map(|(field, value)| (field.key(), value.to_json())).collect());
        let told = entity.fields.iter().filter(|(field, _)| of_condition(field));
        let newest = told.map(|(_, entry)| entry.stamp.instant).max();
        let since = newest.map(|at| (now.micros() - at.micros()) / 1_000);
        node.condition_ms = since.map(|ms| u64::try_from(ms).unwrap_or(0));
    }
    Ok(Cluster { nodes: nodes.into_values().collect(), ..Cluster::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_door_says_is_read_as_far_as_it_is_as_expected() {
        let told = json!({"nodes": [
            {"node": "pi1", "standing": "alive", "heard_ms": 812, "clock_ahead_us": -1200, "condition": {"memory": 100, "memory_free": 25, "load": "0.5"}},
            {"standing": "alive"}, 7,
        ], "sameness": {"state": "differing", "same": 1, "of": 2, "differ": [{"node": "pi1", "target": "t", "field": "f", "here": "a"}]},
            "parts": [["a", 7], "b"]});
        let cluster = read(&told);
        assert_eq!(cluster.nodes.len(), 1);
        let node = &cluster.nodes[0];
        assert_eq!((node.heard_ms, node.clock_ahead_us), (Some(812), Some(-1200.0)));
        assert_eq!(
            (node.condition.free("memory"), node.condition.number("load")),
            (Some(0.25), Some(0.5))
        );
        assert_eq!(node.condition.free("disk"), None);
        assert_eq!(cluster.parts, [["a".to_owned()]]);
        let same = cluster.sameness.unwrap();
        assert_eq!((same.state.as_str(), same.differ[0].there.as_str()), ("differing", ""));
        assert_eq!(read(&json!([])), Cluster::default());
    }
}
