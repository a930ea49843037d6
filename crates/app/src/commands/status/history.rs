//! How much of the history is here, how much may be, and what keeps days beyond that.

use cocli_node::History;
use serde_json::{Value as Json, json};

use crate::render::{Screen, counted};

pub(super) fn show(
    lines: &mut Vec<String>,
    screen: Screen,
    held: &History,
    daemon: Option<&Json>,
    each: bool,
) {
    if let Some(since) = held.since.filter(|_| held.archived > 0 || !held.cut.is_empty()) {
        let cut = match held.cut.len() {
            0 => String::new(),
            logs => format!("; of {} not from the start", counted(logs, "log", "logs")),
        };
        lines.push(format!(
            "history since {since}: {} bytes archived, {} in wal/{cut}",
            held.archived, held.journals
        ));
    }
    if let Some(told) = budget(held, daemon) {
        lines.push(screen.safe(&told));
    }
    for (log, base) in held.cut.iter().filter(|_| each) {
        lines.push(format!("  {log}  history up to {} is not kept here", base.day));
    }
}

/// The archive against its budget, in a line, where it has one.
pub(in crate::commands) fn budget(held: &History, daemon: Option<&Json>) -> Option<String> {
    let budget = held.budget?;
    let beyond = held.archived.saturating_sub(budget);
    let told =
        format!("archive: {} of {budget} bytes that `[archive] budget` allows", held.archived);
    if beyond == 0 {
        return Some(told);
    }
    Some(format!("{told}, {beyond} beyond: {}", why(daemon)))
}

/// Why what is beyond the budget is still here.
fn why(daemon: Option<&Json>) -> String {
    let Some(daemon) = daemon else {
        return "days go while a daemon runs, as others have to hold them".to_owned();
    };
    let Some(looked) = daemon.get("archive").filter(|looked| !looked.is_null()) else {
        return "a daemon looks every 5 minutes what may go".to_owned();
    };
    if looked.get("busy").and_then(Json::as_bool) == Some(true) {
        return "somebody else compacted when the daemon looked, which it does every 5 minutes"
            .to_owned();
    }
    let Some(kept) = kept(Some(looked)) else {
        return "the next days are damaged, or not merged yet (`cocli doctor`)".to_owned();
    };
    let number = |key: &str| kept.get(key).and_then(Json::as_u64).unwrap_or_default();
    let log = kept.get("log").and_then(Json::as_str).unwrap_or("?");
    let held = match number("holders") {
        0 => "no other node holds it".to_owned(),
        holders => format!("only {holders} other node holds it"),
    };
    format!("{} of {log} stays, as {held} that this one may count on; two have to", number("day"))
}

fn kept(looked: Option<&Json>) -> Option<&Json> {
    looked?.get("kept").filter(|kept| !kept.is_null())
}

pub(super) fn object(held: &History, daemon: Option<&Json>) -> Json {
    let cut = |(log, base): &(cocli_core::LogId, cocli_node::Base)| json!({"log": log.to_string(), "position": base.head.position, "day": base.day.number()});
    json!({
        "since": held.since.map(cocli_core::Day::number), "archived_bytes": held.archived,
        "budget_bytes": held.budget, "kept": kept(daemon.and_then(|daemon| daemon.get("archive"))),
        "journal_bytes": held.journals, "not_from_start": held.cut.iter().map(cut).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_told_against_its_budget_with_what_holds_a_day_back() {
        let held = |archived, budget| History { archived, budget, ..History::default() };
        assert_eq!(budget(&held(10, None), None), None);
        let within = budget(&held(10, Some(10)), None).unwrap();
        assert_eq!(within, "archive: 10 of 10 bytes that `[archive] budget` allows");
        let beyond = |daemon: Option<Json>| {
            let told = budget(&held(10, Some(4)), daemon.as_ref()).unwrap();
            told.split_once(", 6 beyond: ").unwrap().1.to_owned()
        };
        assert!(beyond(None).contains("while a daemon runs"));
        assert!(beyond(Some(json!({"archive": null}))).contains("every 5 minutes"));
        let damaged = beyond(Some(json!({"archive": {"kept": null, "busy": false}})));
        assert!(damaged.contains("`cocli doctor`"), "{damaged}");
        let busy = beyond(Some(json!({"archive": {"kept": null, "busy": true}})));
        assert!(busy.starts_with("somebody else compacted"), "{busy}");
        let kept = |holders| {
            let kept = json!({"log": "pi1", "day": 20_261_101, "holders": holders});
            beyond(Some(json!({"archive": {"kept": kept}})))
        };
        assert!(kept(0).starts_with("20261101 of pi1 stays, as no other node holds it"));
        assert!(kept(1).contains("only 1 other node holds it that this one may count on; two"));
    }
}
