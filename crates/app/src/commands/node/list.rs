//! `cocli node list`: each node that is known, how it stands and which keys it has.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::NodeId;
use cocli_node::{Home, KnownNode};
use serde_json::{Value as Json, json};

use super::super::Context;
use crate::door;
use crate::failure::Failure;
use crate::rekey::{Phase, Rekey};
use crate::render::{Screen, Tone};
use crate::ring::Held;

/// Digits of a stream's key that are shown: enough to compare two by eye.
const SHORT: usize = 8;

/// How a node stands, the most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    This,
    Removed,
    Left,
    Alive,
    Away,
    /// No daemon runs here to know it.
    Unknown,
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Self::This => "this node",
            Self::Removed => "removed",
            Self::Left => "left",
            Self::Alive => "alive",
            Self::Away => "away",
            Self::Unknown => "unknown",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::This => Tone::Strong,
            Self::Alive => Tone::Good,
            Self::Away | Self::Unknown => Tone::Warn,
            Self::Removed => Tone::Bad,
            Self::Left => Tone::Faint,
        }
    }
}

/// One node, as it is shown.
#[derive(Debug)]
struct Line {
    known: KnownNode,
    standing: Standing,
    /// Milliseconds since a packet came, when the daemon knows.
    silent_ms: Option<u64>,
    /// Else the day on which it was met last.
    met: Option<String>,
    /// The key of the cluster that it has.
    key: Option<String>,
    /// It is refused here.
    refused: bool,
}

pub(super) fn run(context: &Context, home: &Home) -> Result<(), Failure> {
    let held = Held::of(home)?;
    let daemon = door::ask(home, &json!({"verb": "status"}))?;
    let lines = lines(home, &held, daemon.as_ref())?;
    for line in &lines {
        show(context.screen, line);
    }
    if !context.screen.json {
        open_end(context.screen, home, &held, daemon.is_some());
    }
    Ok(())
}

/// All nodes: those that introduced themselves, those that are heard, those that are out.
fn lines(home: &Home, held: &Held, daemon: Option<&Json>) -> Result<Vec<Line>, Failure> {
    let mut known: BTreeMap<NodeId, KnownNode> =
        home.known_nodes()?.into_iter().map(|one| (one.node.clone(), one)).collect();
    let heard = peers(daemon).filter_map(|peer| NodeId::read(&text(peer, "node")?).ok());
    let out = held.rekey.iter().flat_map(|rekey| rekey.out.keys().cloned());
    let others: BTreeSet<NodeId> = heard.chain(out).chain([home.node().clone()]).collect();
    for node in others {
        let fresh = KnownNode { node: node.clone(), key: None, removed: None, left: None };
        known.entry(node).or_insert(fresh);
    }
    let met = home.remembered().unwrap_or_default();
    let line = |known: KnownNode| {
        let mine =
            peers(daemon).filter(|peer| text(peer, "node").as_deref() == Some(known.node.as_str()));
        let peer = mine.min_by_key(|peer| number(peer, "silent_ms").unwrap_or(u64::MAX));
        let heard = peer.and_then(|peer| peer.get("live")).and_then(Json::as_bool) == Some(true);
        let live = heard && peer.and_then(|peer| text(peer, "standing")).as_deref() != Some("down");
        let refused = held.refuses_name(known.node.as_str().as_bytes());
        let standing = match () {
            () if known.node == *home.node() => Standing::This,
            () if refused || known.removed.is_some() => Standing::Removed,
            () if live => Standing::Alive,
            () if known.left.is_some() => Standing::Left,
            () if daemon.is_none() => Standing::Unknown,
            () => Standing::Away,
        };
        let day = met.iter().find(|met| met.node == known.node).map(|met| met.day.to_string());
        Line {
            standing,
            silent_ms: peer.and_then(|peer| number(peer, "silent_ms")),
            met: day,
            key: key(held, &known.node, standing),
            refused,
            known,
        }
    };
    Ok(known.into_values().map(line).collect())
}

/// The newest key that a node is known to have.
fn key(held: &Held, node: &NodeId, standing: Standing) -> Option<String> {
    let in_use = held.ring.in_use().id();
    let heir = held.rekey.as_ref().and_then(|rekey| Some((rekey, rekey.heirs.get(node)?)));
    match (standing, heir) {
        (Standing::This, _) => Some(in_use),
        (Standing::Removed, _) => None,
        (_, Some((rekey, heir))) if heir.has => Some(rekey.key.id()),
        (Standing::Alive, Some(_)) if held.phase() == Some(Phase::Used) => None,
        (Standing::Alive, _) => Some(in_use),
        _ => None,
    }
    .map(|id| id.to_string())
}

fn show(screen: Screen, line: &Line) {
    let short = line.known.key.as_ref().map(|key| key.chars().take(SHORT).collect::<String>());
    if screen.json {
        screen.object(&json!({
            "node": line.known.node.as_str(), "standing": line.standing.word(),
            "silent_ms": line.silent_ms, "met": line.met, "key": line.key, "stream_key": short,
            "removed": line.known.removed, "left": line.known.left, "refused": line.refused,
        }));
        return;
    }
    let heard = match (line.standing, line.silent_ms, &line.met) {
        (Standing::This, ..) => String::new(),
        (_, Some(ms), _) => format!("  heard {} ago", spoken(ms)),
        (_, None, Some(day)) => format!("  met on {day}"),
        (_, None, None) => "  never met".into(),
    };
    let key = line.key.as_ref().map_or_else(String::new, |key| format!("  key {key}"));
    let own = short.map_or_else(String::new, |short| format!("  streams {}", screen.safe(&short)));
    let when = match line.standing {
        Standing::Removed => line.known.removed.as_ref(),
        Standing::Left => line.known.left.as_ref(),
        _ => None,
    };
    let when = when.map_or_else(String::new, |when| {
        format!(" on {}", screen.safe(&when.chars().take(10).collect::<String>()))
    });
    let standing = screen.paint(line.standing.tone(), line.standing.word());
    screen.line(format!("{}  {standing}{when}{heard}{key}{own}", line.known.node));
}

/// Who lacks the new key, and what is to be done about it.
fn open_end(screen: Screen, home: &Home, held: &Held, runs: bool) {
    let Some(rekey) = held.open_rekey() else { return };
    let lacking: Vec<&str> = Rekey::lacking(rekey).map(NodeId::as_str).collect();
    if lacking.is_empty() {
        return;
    }
    let next = match runs {
        true => "`cocli daemon` there, and it is handed over".to_string(),
        false => format!("`cocli daemon` on {} and there, and it is handed over", home.node()),
    };
    let told = format!("without key {}: {}", rekey.key.id(), lacking.join(", "));
    screen.line(format!("{}: {next}", screen.paint(Tone::Warn, &told)));
}

pub(super) fn peers(daemon: Option<&Json>) -> impl Iterator<Item = &Json> {
    daemon.and_then(|d| d.get("peers")).and_then(Json::as_array).into_iter().flatten()
}

pub(super) fn text(of: &Json, key: &str) -> Option<String> {
    of.get(key).and_then(Json::as_str).map(ToOwned::to_owned)
}

fn number(of: &Json, key: &str) -> Option<u64> {
    of.get(key).and_then(Json::as_u64)
}

/// `3 s`, `5 min`, `2 h`, `4 days`.
fn spoken(ms: u64) -> String {
    match ms / 1000 {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_spoken_in_one_unit() {
        let spoken = [900, 119_000, 125_000, 7_200_000, 4 * 86_400_000].map(spoken);
        assert_eq!(spoken, ["0 s", "119 s", "2 min", "2 h", "4 days"]);
    }
}
