//! The other nodes, as the daemon knows them.

use serde_json::Value as Json;

use crate::cluster::SKEW_SHOWN_US;
use crate::render::{Screen, Tone};
use crate::words::{between, clock as spoken, sized};

/// Fewer packets that were dropped unread are no flood: some are when nodes meet.
const FLOOD_SHOWN: u64 = 1_000;

/// A line for each; `left` are those that said that they leave or stop, in words, `all` tells also of clocks that are right.
pub(super) fn each(
    lines: &mut Vec<String>,
    screen: Screen,
    daemon: Option<&Json>,
    left: &[(String, &str)],
    all: bool,
) {
    for peer in list(daemon, "peers") {
        let level = peer.get("level").and_then(Json::as_bool).unwrap_or(false);
        let out = peer.get("left_out").and_then(Json::as_bool) == Some(true);
        let node = text(peer, "node");
        let said = left.iter().find(|(name, _)| is_gone(peer) && *name == node);
        let said = said.filter(|_| !out);
        let state = match (text(peer, "standing").as_str(), is_live(peer), level) {
            _ if out => screen.paint(Tone::Faint, "left out"),
            _ if said.is_some() => screen.paint(Tone::Faint, said.map_or("", |(_, word)| word)),
            ("down", true, _) => screen.paint(Tone::Bad, "down"),
            (_, true, true) => screen.paint(Tone::Good, "level"),
            (_, true, false) => screen.paint(Tone::Warn, &catching_up(peer)),
            ("alive" | "suspect", false, _) => {
                screen.paint(Tone::Warn, "heard by others, not by this node")
            }
            (_, false, _) => screen.paint(Tone::Bad, "silent"),
        };
        let clock = match ahead(peer) {
            Some(us) if us.unsigned_abs() >= SKEW_SHOWN_US => {
                format!("  {}", screen.paint(Tone::Warn, &format!("its clock is {}", spoken(us))))
            }
            Some(us) if all => format!("  its clock is {}", spoken(us)),
            _ => String::new(),
        };
        let node = screen.safe(&node);
        lines.push(format!("  {node}  {}  {state}{clock}", screen.safe(&text(peer, "address"))));
    }
}

/// A checkpoint on its way here, packets of strangers, floods.
pub(super) fn beside(lines: &mut Vec<String>, screen: Screen, daemon: Option<&Json>) {
    if let Some(taking) = daemon.and_then(|d| d.get("taking")).filter(|taking| !taking.is_null()) {
        let bytes = |key: &str| sized(taking.get(key).and_then(Json::as_u64).unwrap_or(0));
        let node = screen.safe(&text(taking, "node"));
        lines.push(format!(
            "  taking the state from {node}: {} of {}",
            bytes("came"),
            bytes("all")
        ));
    }
    for stranger in list(daemon, "strangers") {
        let old = stranger.get("old").and_then(Json::as_bool) == Some(true);
        let why = match old {
            true => "which was given up: a node that was left out has it",
            false => "which is not here: if it is one of yours, `cocli key add -`",
        };
        lines.push(format!(
            "  {}  {} seals with key {}, {why}",
            screen.safe(&text(stranger, "from")),
            screen.paint(Tone::Warn, "unheard"),
            screen.safe(&text(stranger, "key"))
        ));
    }
    let shed = daemon.and_then(|d| d.get("packets_shed")).and_then(Json::as_u64);
    if let Some(shed) = shed.filter(|shed| *shed >= FLOOD_SHOWN) {
        let flood = screen.paint(Tone::Warn, "flood");
        lines.push(format!("  {flood}  {shed} packets were dropped unread since the start"));
    }
}

/// Whether one of them is gone: then it is worth a look why.
pub(super) fn any_gone(daemon: Option<&Json>) -> bool {
    list(daemon, "peers").iter().any(is_gone)
}

fn is_gone(peer: &Json) -> bool {
    !is_live(peer) || text(peer, "standing") == "down"
}

fn list<'j>(daemon: Option<&'j Json>, key: &str) -> &'j [Json] {
    daemon.and_then(|d| d.get(key)).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn text(of: &Json, key: &str) -> String {
    of.get(key).and_then(Json::as_str).unwrap_or("?").to_string()
}

/// What one of the two lacks: of a log with two branches all of it.
fn catching_up(peer: &Json) -> String {
    let bytes = |key: &str| peer.get(key).and_then(Json::as_u64).unwrap_or(0);
    let told = between(bytes("lacks_bytes"), bytes("ahead_bytes"));
    if told.starts_with("lacks") { format!("catching up: {told}") } else { told }
}

fn is_live(peer: &Json) -> bool {
    peer.get("live").and_then(Json::as_bool).unwrap_or(false)
}

/// By how much the clock of a peer that is heard is ahead of this one's, microseconds.
fn ahead(peer: &Json) -> Option<i64> {
    peer.get("clock_ahead_us").and_then(Json::as_i64).filter(|_| is_live(peer))
}
