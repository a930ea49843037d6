//! Whether all nodes hold the same, in a line; and what differs where they do not.

use cocli_core::Instant;

use super::table::span;
use super::view::View;
use crate::clock;
use crate::cluster::{Cluster, Difference, Node, Same, Standing};
use crate::render::{Screen, Tone, counted, one_line};

/// Characters of a value that differs, and of names.
const VALUE_CHARACTERS: usize = 40;
/// Differences that are told one by one.
const DIFFERENCES_MAX: usize = 5;
/// A datagram that is not everywhere after this is worth a word.
const OLDEST_SHOWN_MS: u64 = 5_000;

/// The line; nothing for a home without a key, which has nobody to be the same with.
pub(super) fn line(screen: Screen, view: &View) -> Option<String> {
    let (tone, told) = match &view.cluster {
        Some(cluster) => told(view, cluster),
        None if view.daemon.is_some() => (
            Tone::Warn,
            "the daemon that runs is of an older version, and tells nothing of sameness: start it again"
                .to_owned(),
        ),
        None if view.keyless.is_some() => return None,
        None if view.mute.is_some() => {
            (Tone::Bad, "whether all are the same is not known: the daemon does not answer".into())
        }
        None => (
            Tone::Warn,
            "whether all are the same is not known: no daemon runs (`cocli daemon`)".to_owned(),
        ),
    };
    Some(screen.paint(tone, &told))
}

/// First what is worst: parts that do not hear each other, what differs, who is behind, who is down.
fn told(view: &View, cluster: &Cluster) -> (Tone, String) {
    let sameness = &cluster.sameness;
    let as_of = sameness.as_of.map(|at| format!(" as of {}", time(view, at))).unwrap_or_default();
    let count = format!("{}/{} identical{as_of}", sameness.same, sameness.of);
    let (mut tone, mut parts) = match sameness.state {
        Same::Identical => (Tone::Good, vec![count]),
        Same::Spreading => {
            let behind: Vec<String> =
                sameness.behind.iter().map(|name| lacks(cluster, name)).collect();
            (Tone::Warn, vec![count, format!("behind: {}", behind.join(", "))])
        }
        Same::Differing => (Tone::Bad, vec![count, differing(cluster)]),
        Same::Alone => (Tone::Warn, vec![alone(cluster)]),
        Same::Unknown => (Tone::Warn, vec![unknown(cluster)]),
    };
    if cluster.parts.len() > 1 {
        tone = Tone::Bad;
        parts.insert(0, format!("the network is cut: {}", groups(cluster)));
    }
    let down: Vec<String> = (cluster.nodes.iter())
        .filter(|node| node.standing == Standing::Down)
        .map(|node| one_line(&node.name, VALUE_CHARACTERS))
        .collect();
    if !down.is_empty() {
        tone = if matches!(tone, Tone::Good) { Tone::Warn } else { tone };
        parts.push(format!("down: {}", down.join(", ")));
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

fn unknown(cluster: &Cluster) -> String {
    let silent: Vec<String> = (cluster.nodes.iter())
        .filter(|node| node.is_up() && !node.me && node.condition.text("digest").is_none())
        .map(|node| one_line(&node.name, VALUE_CHARACTERS))
        .collect();
    let of = match silent.is_empty() {
        true => String::new(),
        false => format!(": {} did not say yet what it holds", silent.join(", ")),
    };
    format!("whether all are the same is not known{of}")
}

/// `laptop, pi1 | pi2`.
fn groups(cluster: &Cluster) -> String {
    let part = |part: &Vec<String>| {
        part.iter().map(|name| one_line(name, VALUE_CHARACTERS)).collect::<Vec<_>>().join(", ")
    };
    cluster.parts.iter().map(part).collect::<Vec<_>>().join(" | ")
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
        (lacks, ahead) => format!("{shown} ({})", super::peers::between(lacks, ahead)),
    }
}

/// The time of day; with the day before it where that is not today.
fn time(view: &View, at: Instant) -> String {
    let zoned = |at| clock::in_zone(at, view.zone.clone());
    let (then, now) = (zoned(at), zoned(view.at));
    let form = if then.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    then.strftime(form).to_string()
}

/// What differs, and into which parts the cluster fell: each a thing that needs a person.
pub(super) fn problems(cluster: &Cluster) -> Vec<String> {
    let mut problems: Vec<String> = Vec::new();
    if cluster.parts.len() > 1 {
        problems.push(format!(
            "these do not hear each other: {}: `cocli doctor net` on both sides",
            groups(cluster)
        ));
    }
    let differ = &cluster.sameness.differ;
    problems.extend(differ.iter().take(DIFFERENCES_MAX).map(|one| difference(cluster, one)));
    if differ.len() > DIFFERENCES_MAX {
        let more = differ.len() - DIFFERENCES_MAX;
        problems.push(format!("{more} more fields differ: `cocli status --json` has all"));
    }
    problems
}

fn difference(cluster: &Cluster, one: &Difference) -> String {
    let shown = |text: &str| one_line(text, VALUE_CHARACTERS);
    let value = |value: &Option<String>| match value {
        Some(value) => format!("\"{}\"", shown(value)),
        None => "nothing".to_owned(),
    };
    let node = shown(&one.node);
    format!(
        "{node} differs in {} {}: {} here, {} there: {}",
        shown(&one.target),
        shown(&one.field),
        value(&one.here),
        value(&one.there),
        mends(cluster, &one.node)
    )
}

/// Of the same logs programs of one version make the same; where they did not a file is damaged.
fn mends(cluster: &Cluster, name: &str) -> String {
    let version = |of: Option<&Node>| {
        of.and_then(|node| node.condition.text("version"))
            .map(|text| one_line(text, VALUE_CHARACTERS))
    };
    let there = cluster.nodes.iter().find(|node| node.name == name);
    match (version(cluster.me()), version(there)) {
        (Some(here), Some(there)) if here != there => {
            format!("it runs {there}, this one {here}: bring both to one version")
        }
        _ => "`cocli doctor --repair` there, and here".to_owned(),
    }
}
