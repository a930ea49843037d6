//! What is told of the cluster: the answer to `cluster` at the door, or what the expiring log of this home holds of
//! its nodes. Whoever shows it holds no rule about data; docs/watching.md says what each part means.

use std::collections::BTreeSet;

use cocli_core::{Entity, Instant};
pub(crate) use cocli_node::Stands as Standing;
use cocli_node::condition::{self, KEYS};
use cocli_node::{Home, NodeError};
use serde_json::{Map, Value as Json};

use crate::render::escape;

/// A clock that differs by less is right.
pub(crate) const SKEW_SHOWN_US: u64 = 1_000_000;
/// A clock that differs by so much has to be set by a person.
pub(crate) const SKEW_TOLD_US: u64 = 60_000_000;
/// Memory of which less than this part is free is full.
pub(crate) const MEMORY_FREE_MIN: f64 = 0.05;
/// A disk with less room than this is full, whatever its size.
const DISK_FULL_BYTES: f64 = 100e6;
/// A disk is nearly full when less than these parts of it and less than these bytes are free.
const DISK_NEARLY: (f64, f64) = (0.05, 2e9);
/// And is looked at when less than these are.
const DISK_LOW: (f64, f64) = (0.10, 10e9);
/// What a node says of itself in the log that is kept, beside its condition.
const KEPT: [&str; 2] = ["stopped", "address"];

/// The nodes of a cluster, as one of them sees them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cluster {
    /// When that was.
    pub(crate) at: Option<Instant>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) sameness: Sameness,
    /// Age of the oldest datagram that is not on all nodes that are up.
    pub(crate) oldest_ms: Option<u64>,
    /// The groups into which it fell; none while it is whole.
    pub(crate) parts: Vec<Vec<String>>,
}

/// A node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// The one that was asked.
    pub(crate) me: bool,
    pub(crate) standing: Standing,
    pub(crate) address: Option<String>,
    /// How long ago it was heard last.
    pub(crate) heard_ms: Option<u64>,
    pub(crate) round_trip_us: Option<u64>,
    pub(crate) clock_ahead_us: Option<i64>,
    pub(crate) lacks_bytes: u64,
    pub(crate) ahead_bytes: u64,
    pub(crate) condition: Condition,
    /// How old its condition is.
    pub(crate) condition_ms: Option<u64>,
}

/// What a node says of itself; what it does not tell is absent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Condition(Map<String, Json>);

/// How much room a disk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Enough,
    Low,
    Full,
}

/// Whether all hold the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sameness {
    pub(crate) state: Same,
    pub(crate) same: u64,
    pub(crate) of: u64,
    pub(crate) as_of: Option<Instant>,
    pub(crate) behind: Vec<String>,
    /// Whose state differs from the one here.
    pub(crate) differing: Vec<String>,
    /// In what, as far as that was asked.
    pub(crate) differ: Vec<Difference>,
    /// Whose checkpoint is not what the logs say.
    pub(crate) wrong: Vec<String>,
    /// What a person is to do.
    pub(crate) mend: Option<String>,
}

/// The word for it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Same {
    Identical,
    Spreading,
    Differing,
    Alone,
    Unknown,
    /// Nothing is told of it.
    #[default]
    Untold,
}

/// A field that is not the same here and on a node that holds the same logs.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    pub(crate) node: String,
    pub(crate) target: String,
    pub(crate) field: String,
    pub(crate) here: Option<String>,
    pub(crate) there: Option<String>,
}

impl Cluster {
    /// Reads an answer of the door; what of it is missing or strange is not known.
    pub(crate) fn read(answer: &Json) -> Self {
        let names = |of: &Json| -> Vec<String> {
            let names = of.as_array().into_iter().flatten();
            names.filter_map(Json::as_str).map(escape).collect()
        };
        let told = &answer["sameness"];
        let sameness = Sameness {
            state: match told["state"].as_str() {
                Some("identical") => Same::Identical,
                Some("spreading") => Same::Spreading,
                Some("differing") => Same::Differing,
                Some("alone") => Same::Alone,
                _ if told.is_object() => Same::Unknown,
                _ => Same::Untold,
            },
            same: told["same"].as_u64().unwrap_or_default(),
            of: told["of"].as_u64().unwrap_or_default(),
            as_of: told["as_of"].as_str().and_then(Instant::read),
            behind: names(&told["behind"]),
            differing: names(&told["differing"]),
            differ: told["differ"].as_array().into_iter().flatten().map(Difference::read).collect(),
            wrong: names(&told["wrong"]),
            mend: told["mend"].as_str().map(escape),
        };
        Self {
            at: answer["at"].as_str().and_then(Instant::read),
            nodes: answer["nodes"].as_array().into_iter().flatten().map(Node::read).collect(),
            sameness,
            oldest_ms: answer["oldest_ms"].as_u64(),
            parts: answer["parts"].as_array().into_iter().flatten().map(names).collect(),
        }
    }

    /// The nodes that the log of this home tells of: what each said of itself last.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub(crate) fn kept(home: &Home, now: Instant) -> Result<Vec<Node>, NodeError> {
        let all = home.expiring("nodes/")?;
        let nodes = all.iter().map(|(target, entity)| Node::kept(target.slug(), entity, now));
        let nodes = nodes.map(|node| Node { me: node.name == home.node().as_str(), ..node });
        Ok(nodes.filter(|node| !node.me || node.standing != Standing::Unmet).collect())
    }

    /// The node that was asked.
    pub(crate) fn me(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| node.me)
    }

    /// The nodes whose state differs.
    pub(crate) fn differing(&self) -> BTreeSet<&str> {
        let named = self.sameness.differ.iter().map(|one| &one.node);
        named.chain(&self.sameness.differing).map(String::as_str).collect()
    }
}

impl Difference {
    fn read(told: &Json) -> Self {
        let text = |key: &str| match &told[key] {
            Json::Null => None,
            Json::String(text) => Some(escape(text)),
            other => Some(other.to_string()),
        };
        let named = |key: &str| text(key).unwrap_or_else(|| "?".to_owned());
        let (here, there) = (text("here"), text("there"));
        Self { node: named("node"), target: named("target"), field: named("field"), here, there }
    }
}

impl Node {
    fn read(told: &Json) -> Self {
        let text = |key: &str| told[key].as_str().map(escape);
        Self {
            name: text("node").unwrap_or_else(|| "?".to_owned()),
            me: told["me"].as_bool() == Some(true),
            standing: Standing::read(told["standing"].as_str().unwrap_or_default()),
            address: text("address"),
            heard_ms: told["heard_ms"].as_u64(),
            round_trip_us: told["round_trip_us"].as_u64(),
            clock_ahead_us: told["clock_ahead_us"].as_i64(),
            lacks_bytes: told["lacks_bytes"].as_u64().unwrap_or_default(),
            ahead_bytes: told["ahead_bytes"].as_u64().unwrap_or_default(),
            condition: Condition::read(&told["condition"]),
            condition_ms: told["condition_ms"].as_u64(),
        }
    }

    fn kept(name: &str, entity: &Entity, now: Instant) -> Self {
        let mut told = Map::new();
        let mut last: Option<Instant> = None;
        for (field, entry) in entity.fields.iter().filter(|(_, entry)| !entry.value.is_null()) {
            let text = entry.value.shown().into_owned();
            if KEYS.iter().chain(&KEPT).any(|key| *key == field.as_str()) {
                last = last.max(Some(entry.stamp.instant));
            }
            told.insert(field.as_str().to_owned(), text.into());
        }
        let said = |key: &str| {
            told.get(key).and_then(Json::as_str).filter(|text| !["", "false"].contains(text))
        };
        let standing = match () {
            () if said("removed").is_some() => Standing::Out,
            () if said("left").is_some() => Standing::Left,
            () if said("stopped").is_some() => Standing::Stopped,
            () if last.is_none() => Standing::Unmet,
            () => Standing::Unknown,
        };
        let texts = told.iter().filter_map(|(key, text)| Some((key.as_str(), text.as_str()?)));
        let condition = Condition::read(&condition::object(&condition::read(texts)));
        let age_us = last.map(|last| now.micros().saturating_sub(last.micros()));
        Self {
            name: name.to_owned(),
            me: false,
            standing,
            address: said("address").map(ToOwned::to_owned),
            heard_ms: None,
            round_trip_us: None,
            clock_ahead_us: None,
            lacks_bytes: 0,
            ahead_bytes: 0,
            condition,
            condition_ms: age_us.map(|us| u64::try_from(us / 1000).unwrap_or_default()),
        }
    }

    /// How it stands, in a word for people.
    pub(crate) fn word(&self) -> &'static str {
        match self.standing {
            Standing::Out => "left out",
            other => other.word(),
        }
    }

    /// Whether its daemon runs, as far as this one can tell.
    pub(crate) fn is_up(&self) -> bool {
        self.standing.is_up()
    }

    /// Whether it takes part no more, by somebody's will.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.standing, Standing::Left | Standing::Out)
    }

    /// Whether it belongs to the cluster, and should run.
    pub(crate) fn is_expected(&self) -> bool {
        self.is_up() || matches!(self.standing, Standing::Down | Standing::Stopped)
    }

    /// What it lacks of what is here, and what it holds that is not here yet; nothing of the one that was asked, and of
    /// one that takes part no more.
    pub(crate) fn between(&self) -> Option<(u64, u64)> {
        (!self.me && !self.is_gone()).then_some((self.lacks_bytes, self.ahead_bytes))
    }

    /// By how much its clock is ahead: of the one here, or of its peers where it is the one here.
    pub(crate) fn clock_us(&self) -> Option<i64> {
        #[expect(clippy::cast_possible_truncation, reason = "of a clock no microsecond is missed")]
        let own = || self.condition.number("clock_ahead_us").map(|us| us as i64);
        self.clock_ahead_us.or_else(|| if self.me { own() } else { None })
    }
}

impl Condition {
    fn read(told: &Json) -> Self {
        let one = |(key, value): (&String, &Json)| {
            let value = value.as_str().map_or_else(|| value.clone(), |text| escape(text).into());
            (key.clone(), value)
        };
        Self(told.as_object().into_iter().flatten().map(one).collect())
    }

    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        self.0.get(key)?.as_f64().filter(|number| number.is_finite())
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    /// Which part of the whole is free, 0 to 1.
    pub(crate) fn free(&self, of: &str) -> Option<f64> {
        let (all, free) = (self.number(of)?, self.number(&format!("{of}_free"))?);
        (all > 0.0).then(|| (free / all).clamp(0.0, 1.0))
    }

    /// How much of the disk is free, where it is told.
    pub(crate) fn room(&self) -> Option<Room> {
        let (free, all) = (self.number("disk_free")?, self.number("disk")?);
        let below = |(part, bytes): (f64, f64)| free < all * part && free < bytes;
        Some(match () {
            () if free < DISK_FULL_BYTES.min(all / 2.0) || below(DISK_NEARLY) => Room::Full,
            () if below(DISK_LOW) => Room::Low,
            () => Room::Enough,
        })
    }

    pub(crate) fn object(&self) -> &Map<String, Json> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_or_strange_in_an_answer_is_not_known_and_nothing_else_suffers() {
        for strange in [json!({}), json!(7), json!({"nodes": {}, "sameness": [], "parts": 3})] {
            let read = Cluster::read(&strange);
            assert!(read.nodes.is_empty() && read.parts.is_empty());
            assert_eq!(read.sameness.state, Same::Untold);
        }
        let odd = json!({"nodes": [{"node": 7, "standing": "dancing", "condition": 1}, null]});
        let read = Cluster::read(&odd);
        assert_eq!(read.nodes.len(), 2);
        assert_eq!((read.nodes[0].name.as_str(), read.nodes[0].standing), ("?", Standing::Unknown));
    }

    #[test]
    fn what_is_no_number_is_not_known() {
        let condition = |value: Json| Condition(Map::from_iter([("load".to_owned(), value)]));
        assert_eq!(condition(json!(0.5)).number("load"), Some(0.5));
        for none in [json!("0.5"), json!(null), json!("NaN"), json!([1])] {
            assert_eq!(condition(none).number("load"), None);
        }
    }

    #[test]
    fn of_what_is_kept_the_newest_word_counts_and_who_went_said_so() {
        use cocli_core::{Causality, Entry, Field, NodeId, Stamp, Value};
        let now = Instant::from_micros(1_800_000_000_000_000).unwrap();
        let kept = |fields: &[(&str, &str, i64)]| {
            let mut entity = Entity::default();
            for (field, value, seconds_ago) in fields {
                let instant = Instant::from_micros(now.micros() - seconds_ago * 1_000_000).unwrap();
                let stamp = Stamp { instant, node: NodeId::read("pi1").unwrap() };
                let value = Value::text(value);
                let entry = Entry { stamp, value, causality: Causality::unsaid() };
                entity.merge(Field::read(field).unwrap(), entry);
            }
            Node::kept("pi1", &entity, now)
        };
        let node = kept(&[("load", "0.5", 700), ("disk_free", "7", 60), ("key", "ab", 5)]);
        assert_eq!((node.standing, node.condition_ms), (Standing::Unknown, Some(60_000)));
        assert_eq!(node.condition.number("load"), Some(0.5));
        // A program is told as much of it, and of the same types, as where a daemon tells.
        let object = Json::Object(node.condition.object().clone());
        assert_eq!(object, json!({"load": 0.5, "disk_free": 7}));
        let standing = |fields| kept(fields).standing;
        assert_eq!(standing(&[("key", "ab", 5)]), Standing::Unmet);
        assert_eq!(standing(&[("load", "1", 9), ("stopped", "true", 5)]), Standing::Stopped);
        assert_eq!(standing(&[("load", "1", 9), ("stopped", "", 5)]), Standing::Unknown);
        assert_eq!(standing(&[("stopped", "true", 9), ("left", "2026", 5)]), Standing::Left);
        assert_eq!(standing(&[("left", "2026", 9), ("removed", "2026", 5)]), Standing::Out);
    }

    #[test]
    fn a_disk_is_full_by_what_is_left_and_not_by_a_share_of_a_large_one_alone() {
        let room = |free: f64, all: f64| {
            let told = json!({"disk_free": free, "disk": all});
            Condition(told.as_object().unwrap().clone()).room().unwrap()
        };
        assert_eq!(room(20e9, 32e9), Room::Enough);
        assert_eq!(room(3e9, 32e9), Room::Low);
        assert_eq!(room(1e9, 32e9), Room::Full);
        assert_eq!(room(40e9, 2e12), Room::Enough, "2 % of two terabytes");
        assert_eq!(room(90e6, 1e9), Room::Full);
        assert_eq!(room(90e6, 100e6), Room::Enough, "a small stick");
        assert_eq!(Condition::default().room(), None);
    }
}
