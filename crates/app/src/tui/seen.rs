//! What the door says, read: whatever is absent stays absent, and text is made safe for a terminal here, once.

use cocli_core::Target;
use serde_json::Value as Json;

use crate::clock;
use crate::render::escape;

/// All nodes that are known, as this one sees them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    /// None from a daemon that cannot tell of sameness.
    pub(super) sameness: Option<Sameness>,
    pub(super) oldest_ms: Option<u64>,
    pub(super) parts: Vec<Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) me: bool,
    pub(super) standing: String,
    pub(super) address: Option<String>,
    pub(super) heard_ms: Option<u64>,
    pub(super) round_trip_us: Option<u64>,
    pub(super) clock_ahead_us: Option<i64>,
    pub(super) lacks_bytes: Option<u64>,
    pub(super) ahead_bytes: Option<u64>,
    pub(super) condition: Condition,
    pub(super) condition_ms: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Condition {
    pub(super) version: Option<String>,
    pub(super) up_s: Option<u64>,
    pub(super) load: Option<f64>,
    pub(super) cores: Option<u64>,
    pub(super) memory: Option<u64>,
    pub(super) memory_free: Option<u64>,
    pub(super) resident: Option<u64>,
    pub(super) disk: Option<u64>,
    pub(super) disk_free: Option<u64>,
    pub(super) temperature: Option<f64>,
    pub(super) vector: Option<String>,
    pub(super) digest: Option<String>,
    pub(super) bucket_lag: Option<u64>,
    pub(super) queued: Option<u64>,
    pub(super) problems: Option<u64>,
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
pub(super) struct Differs {
    pub(super) node: String,
    pub(super) target: String,
    pub(super) field: String,
    pub(super) here: String,
    pub(super) there: String,
}

/// A line of what becomes durable here.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    Datagram(Datagram),
    /// Of a log came more at once than is told.
    Much {
        log: String,
        bytes: u64,
    },
    /// Nothing came for a while.
    Beat,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Datagram {
    pub(super) node: String,
    /// Where it can be opened.
    pub(super) opens: Option<Target>,
    pub(super) target: String,
    pub(super) field: String,
    pub(super) value: String,
    pub(super) removed: bool,
    /// The time of day, here.
    pub(super) at: String,
    pub(super) own: bool,
    pub(super) delay_ms: Option<u64>,
}

/// The answer to `cluster`.
pub(super) fn cluster(json: &Json) -> Cluster {
    Cluster {
        nodes: list(json, "nodes").iter().map(node).collect(),
        sameness: json.get("sameness").filter(|it| it.is_object()).map(sameness),
        oldest_ms: number(json, "oldest_ms"),
        parts: list(json, "parts").iter().map(texts).collect(),
    }
}

/// The answer to `status` of a daemon that does not know `cluster`: itself and its peers.
pub(super) fn status(me: &str, json: &Json) -> Cluster {
    let here = Node {
        name: escape(me),
        me: true,
        standing: "alive".to_owned(),
        address: text(json, "listening"),
        ..Node::default()
    };
    let peer = |json: &Json| {
        let is = |key: &str| json.get(key).and_then(Json::as_bool) == Some(true);
        let mut peer = node(json);
        peer.heard_ms = number(json, "silent_ms");
        match (is("left_out"), is("live"), peer.standing.as_str()) {
            (true, ..) => peer.standing = "out".to_owned(),
            (_, false, "alive" | "suspect") => peer.standing = "unheard".to_owned(),
            _ => {}
        }
        peer
    };
    let nodes = std::iter::once(here).chain(list(json, "peers").iter().map(peer)).collect();
    Cluster { nodes, ..Cluster::default() }
}

/// A line of `follow`; none where it is not one that is known.
pub(super) fn line(json: &Json) -> Option<Line> {
    let object = json.as_object()?;
    if object.is_empty() {
        return Some(Line::Beat);
    }
    if let Some(bytes) = number(json, "bytes") {
        return Some(Line::Much { log: text(json, "log")?, bytes });
    }
    let is = |key: &str| json.get(key).and_then(Json::as_bool) == Some(true);
    let at = text(json, "at").unwrap_or_default();
    Some(Line::Datagram(Datagram {
        node: text(json, "node")?,
        opens: json.get("target").and_then(Json::as_str).and_then(|text| Target::read(text).ok()),
        target: text(json, "target")?,
        field: text(json, "field")?,
        value: text(json, "value").unwrap_or_default(),
        removed: is("removed"),
        at: time_of_day(&at),
        own: is("own"),
        delay_ms: number(json, "delay_ms"),
    }))
}

fn node(json: &Json) -> Node {
    let signed = |key: &str| json.get(key).and_then(Json::as_i64);
    Node {
        name: text(json, "node").unwrap_or_else(|| "?".to_owned()),
        me: json.get("me").and_then(Json::as_bool) == Some(true),
        standing: text(json, "standing").unwrap_or_else(|| "?".to_owned()),
        address: text(json, "address"),
        heard_ms: number(json, "heard_ms"),
        round_trip_us: number(json, "round_trip_us"),
        clock_ahead_us: signed("clock_ahead_us"),
        lacks_bytes: number(json, "lacks_bytes"),
        ahead_bytes: number(json, "ahead_bytes"),
        condition: json.get("condition").map(condition).unwrap_or_default(),
        condition_ms: number(json, "condition_ms"),
    }
}

fn condition(json: &Json) -> Condition {
    let real = |key: &str| json.get(key).and_then(Json::as_f64).filter(|it| it.is_finite());
    Condition {
        version: text(json, "version"),
        up_s: number(json, "up_s"),
        load: real("load"),
        cores: number(json, "cores"),
        memory: number(json, "memory"),
        memory_free: number(json, "memory_free"),
        resident: number(json, "resident"),
        disk: number(json, "disk"),
        disk_free: number(json, "disk_free"),
        temperature: real("temperature"),
        vector: text(json, "vector"),
        digest: text(json, "digest"),
        bucket_lag: number(json, "bucket_lag"),
        queued: number(json, "queued"),
        problems: number(json, "problems"),
    }
}

fn sameness(json: &Json) -> Sameness {
    let word = |json: &Json, key: &str| match json.get(key) {
        None | Some(Json::Null) => "nothing".to_owned(),
        Some(Json::String(text)) => one_line(text),
        Some(other) => one_line(&other.to_string()),
    };
    let differs = |json: &Json| Differs {
        node: word(json, "node"),
        target: word(json, "target"),
        field: word(json, "field"),
        here: word(json, "here"),
        there: word(json, "there"),
    };
    Sameness {
        state: text(json, "state").unwrap_or_else(|| "unknown".to_owned()),
        same: number(json, "same").unwrap_or(0),
        of: number(json, "of").unwrap_or(0),
        as_of: text(json, "as_of").map(|at| time_of_day(&at)),
        behind: json.get("behind").map(texts).unwrap_or_default(),
        differ: list(json, "differ").iter().map(differs).collect(),
    }
}

/// Text as one line that a terminal shows and does not obey.
pub(crate) fn one_line(text: &str) -> String {
    escape(&text.replace('\n', " "))
}

/// `14:05:09` in the time zone of this machine, where it is a time.
fn time_of_day(at: &str) -> String {
    let shown = clock::moment(at).map(clock::shown);
    let time = shown.ok().and_then(|shown| shown.split(' ').nth(1).map(str::to_owned));
    time.unwrap_or_else(|| one_line(at))
}

fn text(json: &Json, key: &str) -> Option<String> {
    json.get(key).and_then(Json::as_str).map(one_line)
}

fn texts(json: &Json) -> Vec<String> {
    json.as_array().into_iter().flatten().filter_map(Json::as_str).map(one_line).collect()
}

fn number(json: &Json, key: &str) -> Option<u64> {
    json.get(key).and_then(Json::as_u64)
}

fn list<'j>(json: &'j Json, key: &str) -> &'j [Json] {
    json.get(key).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_absent_stays_absent_and_what_is_odd_is_no_line() {
        let told = json!({"nodes": [{"node": "pi\u{1b}1", "condition": {"load": 0.5}}], "parts": [["a"], ["b"]]});
        let cluster = cluster(&told);
        assert_eq!(cluster.nodes[0].name, "pi\\u{1b}1");
        assert_eq!((cluster.nodes[0].condition.load, cluster.nodes[0].heard_ms), (Some(0.5), None));
        assert_eq!((cluster.sameness, cluster.parts.len()), (None, 2));
        for odd in [json!(null), json!([]), json!({"follows": true}), json!({"node": 3})] {
            assert_eq!(line(&odd), None, "{odd}");
        }
        assert_eq!(line(&json!({})), Some(Line::Beat));
        let much = Line::Much { log: "pi1".into(), bytes: 7 };
        assert_eq!(line(&json!({"log": "pi1", "bytes": 7})), Some(much));
        let told = json!({"node": "pi1", "target": "companies/acme", "field": "name", "value": "a\nb\u{1b}"});
        let Some(Line::Datagram(datagram)) = line(&told) else { panic!("no line") };
        assert_eq!((datagram.value.as_str(), datagram.delay_ms), ("a b\\u{1b}", None));
        assert_eq!(datagram.opens.unwrap().to_string(), "companies/acme");
    }

    #[test]
    fn of_an_older_daemon_itself_and_its_peers_are_known() {
        let peers = json!([
            {"node": "pi1", "live": true, "standing": "alive", "silent_ms": 40},
            {"node": "pi2", "live": false, "standing": "alive"},
            {"node": "pi3", "live": true, "standing": "down", "left_out": true},
        ]);
        let seen = status("laptop", &json!({"listening": "1.2.3.4:9999", "peers": peers}));
        let standing: Vec<&str> = seen.nodes.iter().map(|node| node.standing.as_str()).collect();
        assert_eq!(standing, ["alive", "alive", "unheard", "out"]);
        assert_eq!(
            (seen.nodes[0].me, seen.nodes[1].heard_ms, seen.sameness),
            (true, Some(40), None)
        );
    }
}
