//! What `status` shows a person: lines that follow from what was found, and from nothing else.

use cocli_node::Health;
use serde_json::Value as Json;

use super::view::View;
use super::{history, peers, read_through, table};
use crate::problems::Need;
use crate::render::{Screen, Tone, counted};
use crate::sameness;

/// The lines, and how many at their end say what needs a person.
pub(super) struct Page {
    pub(super) lines: Vec<String>,
    pub(super) problems: usize,
}

pub(super) fn of(view: &View, screen: Screen, all: bool, width: Option<usize>) -> Page {
    let mut lines = Vec::new();
    match all {
        true => cluster(&mut lines, screen, view, width),
        false => home(&mut lines, screen, view),
    }
    let problems = view.problems();
    lines.extend(problems.iter().map(|problem| needs_you(screen, problem)));
    Page { lines, problems: problems.len() }
}

pub(super) fn needs_you(screen: Screen, need: &Need) -> String {
    let name = screen.paint(Tone::Faint, &format!("[{}]", need.problem));
    format!("{} {} {name}", screen.paint(Tone::Bad, "needs you:"), screen.safe(&need.said))
}

/// Whether all are the same; nothing for a home without a key, which has nobody to be the same with.
fn same(screen: Screen, view: &View) -> Option<String> {
    let (runs, mute) = (view.daemon.is_some(), view.mute.is_some());
    if view.keyless.is_some() && !runs {
        return None;
    }
    let (tone, told) = sameness::line(view.cluster.as_ref(), &view.zone, runs, mute);
    Some(screen.paint(tone, &told))
}

/// This home, and a line for each peer.
fn home(lines: &mut Vec<String>, screen: Screen, view: &View) {
    let daemon = view.daemon.as_ref();
    lines.push(first(screen, view));
    if view.daemon.is_some() {
        lines.extend(same(screen, view));
    }
    pool(lines, screen, &view.health);
    history::show(lines, screen, &view.health.history, daemon, false);
    lines.extend(read_through::told(view.scrub.as_ref()).map(|told| screen.safe(&told)));
    if let Some(bucket) = &view.bucket {
        bucket.show(lines, screen, view.at);
    }
    peers::each(lines, screen, daemon, &view.left, false);
    peers::beside(lines, screen, daemon);
    beside(lines, screen, view);
}

/// All nodes, and then this home.
fn cluster(lines: &mut Vec<String>, screen: Screen, view: &View, width: Option<usize>) {
    let daemon = view.daemon.as_ref();
    lines.extend(same(screen, view));
    let differing = view.cluster.as_ref().map(|cluster| cluster.differing()).unwrap_or_default();
    if !view.nodes().is_empty() {
        if view.cluster.is_none() {
            lines.push("what each node said of itself last:".to_owned());
        }
        lines.extend(table::lines(screen, view.nodes(), |name| differing.contains(name), width));
    }
    if view.cluster.is_none() {
        peers::each(lines, screen, daemon, &view.left, true);
    }
    peers::beside(lines, screen, daemon);
    lines.push(first(screen, view));
    pool(lines, screen, &view.health);
    history::show(lines, screen, &view.health.history, daemon, true);
    lines.extend(read_through::told(view.scrub.as_ref()).map(|told| screen.safe(&told)));
    if let Some(bucket) = &view.bucket {
        bucket.show(lines, screen, view.at);
    }
    beside(lines, screen, view);
    logs(lines, screen, view, width.is_some());
}

/// What was lost, machines of the Python program, a new key.
fn beside(lines: &mut Vec<String>, screen: Screen, view: &View) {
    conflicts(lines, screen, &view.health);
    python(lines, screen, view.daemon.as_ref());
    if let Some((lacking, key)) = &view.lack_key {
        let lack = if lacking.len() == 1 { "lacks" } else { "lack" };
        let told = format!("{} {lack} the new key {key}", lacking.join(", "));
        lines.push(format!("  {} (`cocli node list`)", screen.paint(Tone::Warn, &told)));
    }
}

fn first(screen: Screen, view: &View) -> String {
    daemon_line(
        screen,
        (&view.node, &view.path),
        view.daemon.as_ref(),
        view.mute.is_some(),
        view.keyless.as_deref(),
    )
}

/// Which home it is, and whether its daemon runs.
pub(super) fn daemon_line(
    screen: Screen,
    (node, path): (&str, &str),
    daemon: Option<&Json>,
    mute: bool,
    keyless: Option<&str>,
) -> String {
    let runs = match daemon.and_then(|d| d.get("listening")).and_then(Json::as_str) {
        Some(at) => screen.paint(Tone::Good, &format!("the daemon runs, at {at}")),
        None if mute => screen.paint(Tone::Bad, "the daemon runs and does not answer"),
        None => match keyless {
            Some(keyless) => screen.paint(Tone::Warn, keyless),
            None => screen
                .paint(Tone::Warn, "no daemon runs: nothing comes in or goes out (`cocli daemon`)"),
        },
    };
    format!("{}  {}  {runs}", screen.paint(Tone::Strong, node), screen.safe(path))
}

fn pool(lines: &mut Vec<String>, screen: Screen, health: &Health) {
    let entities = entities(health.companies, health.people);
    lines.push(format!("{entities}, {}", counted(health.values, "value", "values")));
    if let Some(files) = health.other_files.filter(|files| *files > 0) {
        let files = counted(files, "file beside the cards stays", "files beside the cards stay");
        lines.push(format!("{files} on this machine (attachments do not travel)"));
    }
    if health.odd > 0 {
        let odd = health.odd;
        let told = format!("{odd} odd records are kept apart (`cocli doctor` lists them)");
        lines.push(screen.paint(Tone::Warn, &told));
    }
}

pub(super) fn entities(companies: usize, people: usize) -> String {
    let companies = counted(companies, "company", "companies");
    format!("{companies}, {}", counted(people, "person", "people"))
}

/// Values that were lost unseen, as far as it is known without reading the journals.
fn conflicts(lines: &mut Vec<String>, screen: Screen, health: &Health) {
    let Some(losses) = &health.losses else {
        let told = "whether values were lost unseen is not known yet (`cocli conflicts` looks)";
        lines.push(told.to_owned());
        return;
    };
    if losses.many || losses.fields > 0 {
        let told = match losses.many {
            true => "more conflicts than are counted".into(),
            false => counted(losses.fields, "conflict", "conflicts"),
        };
        let told = screen.paint(Tone::Warn, &format!("{told}: values were lost unseen"));
        lines.push(format!("{told} (`cocli conflicts`)"));
    }
    for target in &losses.twins {
        let told = screen.paint(Tone::Warn, &format!("{target} may be two entities"));
        lines.push(format!("{told} (`cocli split {target} --dry-run`)"));
    }
}

/// Machines of the Python program, for whom this node is the gateway.
fn python(lines: &mut Vec<String>, screen: Screen, daemon: Option<&Json>) {
    let peers = daemon.and_then(|d| d.get("python")).and_then(Json::as_array);
    for peer in peers.into_iter().flatten() {
        let text = |key: &str| peer.get(key).and_then(Json::as_str);
        let number = |key: &str| peer.get(key).and_then(Json::as_u64).unwrap_or(0);
        let place = match text("address") {
            Some(address) => screen.paint(Tone::Faint, address),
            None => screen.paint(Tone::Warn, "no address"),
        };
        lines.push(format!(
            "  {}  {place}  Python: {} taken, {} said nothing new; {} told, {} withheld",
            screen.safe(text("peer").unwrap_or("?")),
            counted(number("appended"), "change", "changes"),
            number("same") + number("repeated") + number("echoes"),
            counted(number("told"), "record", "records"),
            number("withheld"),
        ));
        if let Some(why) = text("closed") {
            let closed = format!("closed: {}; it is tried again", screen.safe(why));
            lines.push(format!("      {}", screen.paint(Tone::Warn, &closed)));
        }
        let notices = ["heartbeats", "queues", "configs"].map(number);
        if notices.iter().any(|count| *count > 0) {
            let [h, q, c] = notices;
            lines.push(format!(
                "      heartbeats (H) {h}, queues (Q) {q}, settings (C) {c}: counted, never obeyed"
            ));
        }
        let (refused, dropped) = (number("refused"), number("dropped"));
        if refused + dropped > 0 {
            let refused =
                screen.paint(Tone::Warn, &format!("{refused} refused, {dropped} dropped"));
            lines.push(format!("      {refused}"));
        }
        for odd in peer.get("odd").and_then(Json::as_array).into_iter().flatten() {
            let text = |key: &str| screen.safe(odd.get(key).and_then(Json::as_str).unwrap_or("?"));
            lines.push(format!("      {}: {}", text("why"), text("start")));
        }
    }
}

/// The digest of the state, and how far each log is held; on a terminal only how many logs there are.
fn logs(lines: &mut Vec<String>, screen: Screen, view: &View, terminal: bool) {
    let logs = view.logs.as_object();
    let digest = view.health.digest;
    if terminal {
        let count = counted(logs.map_or(0, serde_json::Map::len), "log", "logs");
        lines.push(format!("state {digest}, {count} (`cocli status --json` has each)"));
        return;
    }
    lines.push(format!("state {digest}"));
    for (log, head) in logs.into_iter().flatten() {
        let position = head.get("position").and_then(Json::as_u64).unwrap_or_default();
        let hash = head.get("hash").and_then(Json::as_str).unwrap_or("?");
        lines.push(format!("  {}  {position} bytes  {}", screen.safe(log), screen.safe(hash)));
    }
}
