//! Whether all nodes hold the same, in a line: the same in every face.

use cocli_core::Instant;
use jiff::tz::TimeZone;

use crate::clock;
use crate::cluster::{Cluster, Node, Same, Standing};
use crate::render::{Tone, counted, one_line};
use crate::words::{between, span};

/// Characters of a value that differs, and of names.
const VALUE_CHARACTERS: usize = 40;
/// A datagram that is not everywhere after this is worth a word.
const OLDEST_SHOWN_MS: u64 = 5_000;

/// Where nobody tells of it.
const OLDER: &str =
    "the daemon that runs is of an older version, and tells nothing of sameness: start it again";
const MUTE: &str = "whether all are the same is not known: the daemon does not answer";
const NO_DAEMON: &str = "whether all are the same is not known: no daemon runs (`cocli daemon`)";

/// Where nobody lacks anything, and some told their state before the last of it came.
const COMPARED: &str = "all hold the same, and some have not told yet what they show of it";
/// A node that is heard tells its condition more often.
const TOLD_LATE_MS: u64 = 30_000;

/// The line, of what is told where that is known; else why it is not.
pub(crate) fn line(
    cluster: Option<&Cluster>,
    zone: &TimeZone,
    runs: bool,
    mute: bool,
) -> (Tone, String) {
    match cluster {
        Some(cluster) => told(cluster, zone),
        None if runs => (Tone::Warn, OLDER.to_owned()),
        None if mute => (Tone::Bad, MUTE.to_owned()),
        None => (Tone::Warn, NO_DAEMON.to_owned()),
    }
}

/// First what is worst: parts that do not hear each other, what differs, who is behind, who is down.
pub(crate) fn told(cluster: &Cluster, zone: &TimeZone) -> (Tone, String) {
    let sameness = &cluster.sameness;
    let as_of =
        sameness.as_of.map(|at| format!(" as of {}", time(cluster, zone, at))).unwrap_or_default();
    let count = format!("{}/{} identical{as_of}", sameness.same, sameness.of);
    let (mut tone, mut parts) = match sameness.state {
        Same::Identical => (Tone::Good, vec![count]),
        Same::Spreading => {
            let behind: Vec<String> =
                sameness.behind.iter().map(|name| lacks(cluster, name)).collect();
            let behind = match behind.is_empty() {
                true => COMPARED.to_owned(),
                false => format!("behind: {}", behind.join(", ")),
            };
            (Tone::Warn, vec![count, behind])
        }
        Same::Differing => (
            Tone::Bad,
            [Some(count), Some(differing(cluster)), wrong(cluster)].into_iter().flatten().collect(),
        ),
        Same::Alone => (Tone::Warn, vec![alone(cluster)]),
        Same::Unknown => (Tone::Warn, vec![unknown(cluster)]),
        Same::Untold => (Tone::Warn, vec![OLDER.to_owned()]),
    };
    if cluster.parts.len() > 1 {
        tone = Tone::Bad;
        parts.insert(0, format!("the network is cut: {}", groups(cluster)));
    }
    let down = cluster.nodes.iter().filter(|node| node.standing == Standing::Down);
    let down = names(down.map(|node| &node.name));
    if !down.is_empty() {
        tone = if matches!(tone, Tone::Good) { Tone::Warn } else { tone };
        parts.push(format!("down: {down}"));
    }
    if let Some(ms) = cluster.oldest_ms.filter(|ms| *ms >= OLDEST_SHOWN_MS) {
        let ago = span(ms / 1000);
        parts.push(format!("the oldest that is not everywhere was written {ago} ago"));
    }
    (tone, parts.join("; "))
}

/// `pi1 differs in companies/acme email, and 2 more fields do`.
fn differing(cluster: &Cluster) -> String {
    let Some((first, more)) = cluster.sameness.differ.split_first() else {
        return "the state differs though the logs are the same".to_owned();
    };
    let [node, target, field] =
        [&first.node, &first.target, &first.field].map(|text| one_line(text, VALUE_CHARACTERS));
    let told = format!("{node} differs in {target} {field} though the logs are the same");
    match more.len() {
        0 => told,
        more => format!("{told}, and {} more", counted(more, "field", "fields")),
    }
}

/// Why it is not known, as far as it can be told.
fn unknown(cluster: &Cluster) -> String {
    let others = || cluster.nodes.iter().filter(|node| node.is_up() && !node.me);
    let late = |node: &&Node| node.condition_ms.is_none_or(|ms| ms > TOLD_LATE_MS);
    let mute = |node: &&Node| node.condition.text("digest").is_none() || late(node);
    let rules = cluster.me().and_then(|me| me.condition.number("rules"));
    let apart = |node: &&Node| {
        let theirs = node.condition.number("rules");
        rules.is_some() && theirs.is_some() && theirs != rules
    };
    let mut why = Vec::new();
    if cluster.me().is_some_and(|me| me.condition.text("digest").is_none()) {
        why.push("this node has not read yet what it holds".to_owned());
    }
    let silent = names(others().filter(mute).map(|node| &node.name));
    if !silent.is_empty() {
        why.push(format!("{silent} did not say lately what it holds"));
    }
    let apart = names(others().filter(|node| !mute(node)).filter(apart).map(|node| &node.name));
    if !apart.is_empty() {
        why.push(format!(
            "{apart} reads by the rules of another version (`cocli --version` on both)"
        ));
    }
    let of = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
    format!("whether all are the same is not known{of}")
}

/// Whose state is known to be the wrong one.
fn wrong(cluster: &Cluster) -> Option<String> {
    let wrong = names(cluster.sameness.wrong.iter());
    (!wrong.is_empty()).then(|| format!("what {wrong} shows is not what the logs say"))
}

/// `laptop, pi1`.
fn names<'n>(names: impl Iterator<Item = &'n String>) -> String {
    names.map(|name| one_line(name, VALUE_CHARACTERS)).collect::<Vec<_>>().join(", ")
}

/// `laptop, pi1 | pi2`.
pub(crate) fn groups(cluster: &Cluster) -> String {
    cluster.parts.iter().map(|part| names(part.iter())).collect::<Vec<_>>().join(" | ")
}

fn alone(cluster: &Cluster) -> String {
    let others = cluster.nodes.iter().filter(|node| !node.me && node.is_expected()).count();
    match others {
        0 => "alone: no other node is known (`cocli ticket` lets one join)".to_owned(),
        _ => "alone: no other node is up".to_owned(),
    }
}

/// `pi3 (lacks 3 kB)`.
fn lacks(cluster: &Cluster, name: &str) -> String {
    let shown = one_line(name, VALUE_CHARACTERS);
    let node = cluster.nodes.iter().find(|node| node.name == name);
    match node.map_or((0, 0), |node| (node.lacks_bytes, node.ahead_bytes)) {
        (0, 0) => shown,
        (lacks, ahead) => format!("{shown} ({})", between(lacks, ahead)),
    }
}

/// The time of day; with the day before it where that is not the day at which it was told.
fn time(cluster: &Cluster, zone: &TimeZone, at: Instant) -> String {
    let zoned = |at| clock::in_zone(at, zone.clone());
    let then = zoned(at);
    let today = cluster.at.is_some_and(|now| zoned(now).date() == then.date());
    then.strftime(if today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn line(state: &str, pi: &Json) -> String {
        let me = json!({"node": "me", "me": true, "standing": "alive", "condition": {"digest": "a", "rules": 1}});
        let told = json!({"nodes": [me, pi], "sameness": {"state": state, "same": 1, "of": 2}});
        told_of(&told)
    }

    fn told_of(answer: &Json) -> String {
        told(&Cluster::read(answer), &TimeZone::UTC).1
    }

    #[test]
    fn why_it_is_not_known_is_said() {
        let pi = |rules: u64, age_ms: u64| {
            let condition = json!({"digest": "b", "rules": rules});
            json!({"node": "pi", "standing": "alive", "condition_ms": age_ms, "condition": condition})
        };
        assert!(line("unknown", &pi(2, 900)).contains("pi reads by the rules of another version"));
        assert!(line("unknown", &pi(1, 40_000)).contains("pi did not say lately"));
        assert!(
            line("unknown", &json!({"node": "pi", "standing": "alive"})).contains(": pi did not")
        );
        let young =
            json!({"nodes": [{"node": "me", "me": true}], "sameness": {"state": "unknown"}});
        assert!(told_of(&young).contains(": this node has not read yet"));
    }

    #[test]
    fn while_nobody_is_behind_nobody_is_called_so() {
        let level = line("spreading", &json!({"node": "pi", "standing": "alive"}));
        assert_eq!(level, format!("1/2 identical; {COMPARED}"));
    }
}
