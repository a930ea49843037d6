//! What the door says, read: whatever is absent stays absent, and text is made safe for a terminal here, once.

use cocli_core::{Instant, Target};
use serde_json::{Value as Json, json};

use crate::clock;
use crate::cluster::Cluster;
use crate::problems::{self, Known};
use crate::render::escape;

/// The cluster, and what needs a person.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) cluster: Cluster,
    pub(super) problems: Vec<String>,
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

/// What the daemon says of itself, and of the cluster; of one that does not know `cluster` its peers are known.
pub(super) fn seen(me: &str, daemon: &Json, answer: Option<&Json>) -> Seen {
    let cluster = answer.map_or_else(|| peers(me, daemon), Cluster::read);
    let known = Known { daemon: Some(daemon), cluster: Some(&cluster), ..Known::default() };
    let problems = problems::of(&known).iter().map(|need| one_line(&need.said)).collect();
    Seen { problems, cluster }
}

fn peers(me: &str, daemon: &Json) -> Cluster {
    let here = json!({"node": me, "me": true, "standing": "alive", "address": daemon["listening"]});
    let peer = |told: &Json| {
        let is = |key: &str| told[key].as_bool() == Some(true);
        let standing = match (is("left_out"), is("live"), told["standing"].as_str()) {
            (true, ..) => "out",
            (_, false, Some("alive" | "suspect")) => "unheard",
            (.., standing) => standing.unwrap_or_default(),
        };
        let mut peer = told.as_object().cloned().unwrap_or_default();
        peer.insert("standing".to_owned(), standing.into());
        peer.insert("heard_ms".to_owned(), told["silent_ms"].clone());
        Json::from(peer)
    };
    let others = daemon["peers"].as_array().into_iter().flatten().map(peer);
    Cluster::read(&json!({"nodes": std::iter::once(here).chain(others).collect::<Vec<_>>()}))
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

/// Text as one line that a terminal shows and does not obey.
pub(crate) fn one_line(text: &str) -> String {
    escape(&text.replace('\n', " "))
}

/// `14:05:09` in the time zone of this machine, where it is a time.
fn time_of_day(at: &str) -> String {
    let shown = Instant::read(at).map(clock::shown);
    let time = shown.and_then(|shown| shown.split(' ').nth(1).map(str::to_owned));
    time.unwrap_or_else(|| one_line(at))
}

fn text(json: &Json, key: &str) -> Option<String> {
    json.get(key).and_then(Json::as_str).map(one_line)
}

fn number(json: &Json, key: &str) -> Option<u64> {
    json.get(key).and_then(Json::as_u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use super::*;
    use crate::cluster::{Same, Standing};

    #[test]
    fn what_is_odd_is_no_line() {
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
        let told = json!({"listening": "1.2.3.4:9999", "peers": peers, "twins": ["pi\u{1b}1"]});
        let Seen { cluster, problems } = seen("laptop", &told, None);
        let standing: Vec<Standing> = cluster.nodes.iter().map(|node| node.standing).collect();
        let (alive, unheard) = (Standing::Alive, Standing::Unheard);
        assert_eq!(standing, [alive, alive, unheard, Standing::Out]);
        assert_eq!((cluster.nodes[0].me, cluster.nodes[1].heard_ms), (true, Some(40)));
        assert_eq!(cluster.sameness.state, Same::Untold);
        assert!(problems[0].starts_with("two machines are called pi\\u{1b}1"), "{problems:?}");
    }
}
