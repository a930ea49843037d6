//! The other nodes, as the daemon knows them.

use serde_json::Value as Json;

use super::table::span;
use crate::cluster::SKEW_TOLD_US;
use crate::render::{Screen, Tone};

/// Fewer packets that were dropped unread are no flood: some are when nodes meet.
const FLOOD_SHOWN: u64 = 1_000;
/// A clock that differs by less is right.
const SKEW_SHOWN_US: u64 = 1_000_000;

/// A line for each; `left` are those that said that they leave, `all` tells also of clocks that are right.
pub(super) fn each(
    lines: &mut Vec<String>,
    screen: Screen,
    daemon: Option<&Json>,
    left: &[String],
    all: bool,
) {
    for peer in list(daemon, "peers") {
        let level = peer.get("level").and_then(Json::as_bool).unwrap_or(false);
        let out = peer.get("left_out").and_then(Json::as_bool) == Some(true);
        let state = match (text(peer, "standing").as_str(), is_live(peer), level) {
            _ if out => screen.paint(Tone::Faint, "left out"),
            _ if is_gone(peer) && left.contains(&text(peer, "node")) => {
                screen.paint(Tone::Faint, "left the cluster")
            }
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
        let node = screen.safe(&text(peer, "node"));
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

/// What needs a person, each with its next command; where the clock here is `off` by much the others' are right.
pub(super) fn problems(daemon: Option<&Json>, off: Option<i64>) -> Vec<String> {
    let twins = list(daemon, "twins").iter().filter_map(Json::as_str);
    // Nothing is lost by it, but nobody can tell any more who wrote what.
    let mut problems: Vec<String> = twins
        .map(|name| {
            format!(
                "two machines are called {name}: \
                 end one, then `cocli init DIR --node NAME --join -` there"
            )
        })
        .collect();
    if daemon.and_then(|d| d.get("stalled")).and_then(Json::as_bool) == Some(true) {
        problems.push(
            "the disk takes nothing that others send: make room, or see what `cocli daemon` said"
                .into(),
        );
    }
    let wrong: Vec<String> = list(daemon, "peers")
        .iter()
        .filter_map(|peer| {
            let us = ahead(peer).filter(|us| us.unsigned_abs() >= SKEW_TOLD_US)?;
            Some(format!("{} is {}", text(peer, "node"), spoken(us)))
        })
        .collect();
    if let Some(us) = off.filter(|us| us.unsigned_abs() >= SKEW_TOLD_US) {
        problems.push(format!(
            "the clock of this machine is {} of those of the others: set it (`timedatectl`)",
            spoken(us)
        ));
    } else if !wrong.is_empty() {
        // Nothing is refused for it, but of two who did not see each other the clock decides.
        let wrong = wrong.join(", ");
        problems
            .push(format!("clocks differ: {wrong} of this machine's: set the one that is wrong"));
    }
    problems
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

/// What it lacks, and what it has that is not here.
pub(super) fn between(lacks: u64, ahead: u64) -> String {
    match (lacks, ahead) {
        (0, ahead) => format!("{} ahead", sized(ahead)),
        (lacks, 0) => format!("lacks {}", sized(lacks)),
        (lacks, ahead) => format!("lacks {}, {} ahead", sized(lacks), sized(ahead)),
    }
}

pub(super) fn sized(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        10_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

fn is_live(peer: &Json) -> bool {
    peer.get("live").and_then(Json::as_bool).unwrap_or(false)
}

/// By how much the clock of a peer that is heard is ahead of this one's, microseconds.
fn ahead(peer: &Json) -> Option<i64> {
    peer.get("clock_ahead_us").and_then(Json::as_i64).filter(|_| is_live(peer))
}

/// `3 h behind`, `2 s ahead`, and `right` when it is so to the millisecond.
pub(super) fn spoken(ahead_us: i64) -> String {
    let ms = ahead_us.unsigned_abs() / 1000;
    let long = match ms {
        0 => return "right".into(),
        1..1_000 => format!("{ms} ms"),
        _ => span(ms / 1000),
    };
    format!("{long} {}", if ahead_us < 0 { "behind" } else { "ahead" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn clocks_that_are_a_minute_apart_need_a_person_and_those_of_the_silent_do_not() {
        let peer = |node: &str, live: bool, seconds: i64| json!({"node": node, "live": live, "clock_ahead_us": seconds * 1_000_000});
        let peers = [
            peer("slow", true, -3 * 3_600),
            peer("fast", true, 2 * 86_400),
            peer("near", true, 59),
            peer("away", false, 86_400),
        ];
        assert_eq!(
            problems(Some(&json!({ "peers": peers })), None),
            [
                "clocks differ: slow is 3 h behind, fast is 2 days ahead of this machine's: set the one that is wrong"
            ]
        );
        assert!(problems(Some(&json!({"peers": [peers[2], peers[3]]})), None).is_empty());
        assert!(problems(None, None).is_empty());
        let own = problems(Some(&json!({ "peers": peers })), Some(-7_200_000_000));
        assert_eq!(own.len(), 1);
        assert!(own[0].starts_with("the clock of this machine is 2 h behind"), "{own:?}");
    }

    #[test]
    fn a_difference_is_spoken_in_one_unit() {
        let spoken = [999, -1_500, 1_500_000, 90_000_000, -3 * 3_600_000_000 + 1].map(spoken);
        assert_eq!(spoken, ["right", "1 ms behind", "1 s ahead", "90 s ahead", "3 h behind"]);
    }
}
