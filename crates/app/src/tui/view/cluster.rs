//! The nodes: whether all are the same, a table, and all that is known of the chosen one.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table, TableState, Wrap};

use super::{Paint, WIDE, chosen, cut, lines_of, part};
use crate::render::Tone;
use crate::tui::model::{Door, Model};
use crate::tui::seen::{Cluster, Node, Sameness};
use crate::tui::words::{ahead, bytes, span, used};

/// A clock that differs by less is right; by more it has to be set.
const SKEW_SHOWN_US: u64 = 1_000_000;
const SKEW_BAD_US: u64 = 60_000_000;
/// Percent of a disk or memory from which on it is said to be full.
const FULL: u64 = 95;
const HOT: f64 = 80.0;
/// Rows of all that is known of a node, below the table.
const DETAILS: u16 = 9;
/// A datagram that is away from others for longer than this is worth a word.
const OLD_MS: u64 = 5_000;

/// A column: its head, its width, and what stands in it.
type Column = (&'static str, u16, fn(&Node) -> Option<(String, Option<Tone>)>);

/// In the order in which they are given up where there is little room: the last first.
const COLUMNS: [Column; 9] = [
    ("standing", 9, standing),
    ("behind", 9, behind),
    ("disk", 8, disk),
    ("load", 9, load),
    ("memory", 8, memory),
    ("clock", 9, clock),
    ("temp", 9, temperature),
    ("version", 9, |node| node.condition.version.clone().map(plain)),
    ("heard", 9, |node| node.heard_ms.map(span).map(plain)),
];

fn plain(text: String) -> (String, Option<Tone>) {
    (text, None)
}

fn standing(node: &Node) -> Option<(String, Option<Tone>)> {
    let tone = match node.standing.as_str() {
        "alive" => Tone::Good,
        "suspect" | "unheard" => Tone::Warn,
        "down" => Tone::Bad,
        _ => Tone::Faint,
    };
    let word = if node.me && node.standing == "alive" { "here" } else { &node.standing };
    Some((word.to_owned(), Some(tone)))
}

fn behind(node: &Node) -> Option<(String, Option<Tone>)> {
    match (node.lacks_bytes, node.ahead_bytes) {
        _ if node.me => None,
        (None, None) => None,
        (None | Some(0), None | Some(0)) => Some(("level".to_owned(), Some(Tone::Good))),
        (None | Some(0), Some(more)) => Some((format!("+{}", bytes(more)), Some(Tone::Warn))),
        (Some(lacks), _) => Some((format!("-{}", bytes(lacks)), Some(Tone::Warn))),
    }
}

fn share(percent: u64) -> (String, Option<Tone>) {
    match percent >= FULL {
        true => (format!("{percent}% full"), Some(Tone::Bad)),
        false => plain(format!("{percent}%")),
    }
}

fn disk(node: &Node) -> Option<(String, Option<Tone>)> {
    used(node.condition.disk, node.condition.disk_free).map(share)
}

fn memory(node: &Node) -> Option<(String, Option<Tone>)> {
    used(node.condition.memory, node.condition.memory_free).map(share)
}

fn load(node: &Node) -> Option<(String, Option<Tone>)> {
    let load = node.condition.load?;
    let busy = node.condition.cores.is_some_and(|cores| load > 2.0 * cores as f64);
    Some(match busy {
        true => (format!("{load:.1} busy"), Some(Tone::Warn)),
        false => plain(format!("{load:.1}")),
    })
}

fn temperature(node: &Node) -> Option<(String, Option<Tone>)> {
    let degrees = node.condition.temperature?;
    Some(match degrees >= HOT {
        true => (format!("{degrees:.0}°C hot"), Some(Tone::Warn)),
        false => plain(format!("{degrees:.0}°C")),
    })
}

fn clock(node: &Node) -> Option<(String, Option<Tone>)> {
    let us = node.clock_ahead_us.filter(|_| !node.me)?;
    Some(match us.unsigned_abs() {
        ..SKEW_SHOWN_US => plain("right".to_owned()),
        SKEW_SHOWN_US..SKEW_BAD_US => (ahead(us), Some(Tone::Warn)),
        _ => (ahead(us), Some(Tone::Bad)),
    })
}

pub(super) fn draw(model: &Model, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let state = &model.cluster;
    let same = sameness(model, paint);
    let lines = same.iter().map(|line| lines_of(line, area.width)).fold(0, u16::saturating_add);
    let lines = lines.min(area.height / 3);
    let same = Paragraph::new(same).wrap(Wrap { trim: true });
    let rows = [Constraint::Length(lines), Constraint::Min(0)];
    let [top, rest] = Layout::vertical(rows).areas(area);
    frame.render_widget(same, top);
    if state.seen.nodes.is_empty() {
        let none = match model.door {
            Door::Unasked => "asking the daemon",
            _ => "no node is known before a daemon runs",
        };
        frame.render_widget(Paragraph::new(none).block(part("Nodes")), rest);
        return;
    }
    if let Some(node) = state.chosen().filter(|_| state.whole) {
        return details(node, paint, frame, rest);
    }
    let (nodes, known) = match (rest.width >= WIDE + 30, rest.height > DETAILS * 2) {
        (true, _) => {
            let [nodes, known] =
                Layout::horizontal([Constraint::Min(0), Constraint::Length(44)]).areas(rest);
            (nodes, Some(known))
        }
        (false, true) => {
            let [nodes, known] =
                Layout::vertical([Constraint::Min(0), Constraint::Length(DETAILS)]).areas(rest);
            (nodes, Some(known))
        }
        (false, false) => (rest, None),
    };
    table(model, paint, frame, nodes);
    if let (Some(node), Some(known)) = (state.chosen(), known) {
        details(node, paint, frame, known);
    }
}

fn table(model: &Model, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let nodes = &model.cluster.seen.nodes;
    let longest = nodes.iter().map(|node| Span::raw(node.name.as_str()).width()).max().unwrap_or(0);
    let name = u16::try_from(longest.clamp(4, 20)).unwrap_or(20);
    let mut room = area.width.saturating_sub(name);
    let fits = |(_, width, _): &&Column| {
        let left = room.checked_sub(width + 1);
        room = left.unwrap_or(0);
        left.is_some()
    };
    let columns: Vec<&Column> = COLUMNS.iter().take_while(fits).collect();
    let missing: Vec<&str> = COLUMNS.iter().skip(columns.len()).map(|(head, ..)| *head).collect();
    let count = nodes.len();
    let title = match missing.is_empty() {
        true => format!("{count} {}", if count == 1 { "node" } else { "nodes" }),
        false => format!("{count} nodes; no room: {} (Enter)", missing.join(", ")),
    };
    let heads = std::iter::once("node").chain(columns.iter().map(|(head, ..)| *head));
    let heads = Row::new(heads.map(Cell::from)).style(paint.of(Tone::Faint));
    let rows = nodes.iter().map(|node| {
        let cell = |(.., cell): &&Column| match cell(node) {
            None => Cell::from(paint.span(Tone::Faint, "-")),
            Some((text, None)) => Cell::from(text),
            Some((text, Some(tone))) => Cell::from(paint.span(tone, text)),
        };
        let name = Cell::from(cut(&node.name, usize::from(name)));
        Row::new(std::iter::once(name).chain(columns.iter().map(cell)))
    });
    let widths = std::iter::once(name).chain(columns.iter().map(|(_, width, _)| *width));
    let title = cut(&title, usize::from(area.width));
    let table = Table::new(rows, widths.map(Constraint::Length))
        .header(heads)
        .row_highlight_style(chosen())
        .block(part(title));
    let mut state = TableState::new().with_selected(Some(model.cluster.chosen));
    frame.render_stateful_widget(table, area, &mut state);
}

/// Whether all are the same, in words; since when nobody can say; the parts into which the cluster fell.
fn sameness(model: &Model, paint: Paint) -> Vec<Line<'static>> {
    let state = &model.cluster;
    let mut lines = Vec::new();
    let old = match (&model.door, state.heard_ms) {
        (Door::Open | Door::Unasked, _) | (_, None) => None,
        (_, Some(heard)) => Some(span(model.now_ms.saturating_sub(heard))),
    };
    if let Some(old) = old {
        lines.push(Line::from(paint.span(Tone::Warn, format!("as it was {old} ago"))));
    }
    if state.seen.parts.len() > 1 {
        let parts: Vec<String> = state.seen.parts.iter().map(|part| part.join(", ")).collect();
        let told = format!("the cluster fell into {} parts: {}", parts.len(), parts.join(" | "));
        lines.push(Line::from(paint.span(Tone::Bad, told)));
    }
    match &state.seen.sameness {
        Some(same) => {
            lines.extend(same_or_not(same, paint));
            lines.extend(oldest(&state.seen, paint));
        }
        None if state.seen.nodes.is_empty() => {}
        None => lines.push(Line::from(
            "this daemon does not tell whether all are the same: restart it after an update",
        )),
    }
    lines
}

fn same_or_not(same: &Sameness, paint: Paint) -> Vec<Line<'static>> {
    let as_of = same.as_of.as_ref().map(|at| format!(" as of {at}")).unwrap_or_default();
    let (tone, told) = match same.state.as_str() {
        "identical" => (Tone::Good, format!("{}/{} identical{as_of}", same.same, same.of)),
        "spreading" => {
            let behind = match same.behind.is_empty() {
                true => String::new(),
                false => format!("; behind: {}", same.behind.join(", ")),
            };
            (Tone::Warn, format!("spreading: {}/{} identical{as_of}{behind}", same.same, same.of))
        }
        "differing" => (
            Tone::Bad,
            format!("differing: {}/{} identical{as_of}, the same logs", same.same, same.of),
        ),
        "alone" => (Tone::Faint, "alone: no other node is up".to_owned()),
        "unknown" => {
            (Tone::Warn, "unknown: not every node that is up has told its digest yet".to_owned())
        }
        other => (Tone::Warn, other.to_owned()),
    };
    let mut lines = vec![Line::from(paint.span(tone, told))];
    lines.extend(same.differ.iter().map(|it| {
        let told = format!(
            "{} {} {}: {:?} here, {:?} there (`cocli doctor --repair` on both)",
            it.node, it.target, it.field, it.here, it.there
        );
        Line::from(paint.span(Tone::Bad, told))
    }));
    lines
}

fn oldest(seen: &Cluster, paint: Paint) -> Option<Line<'static>> {
    let old = seen.oldest_ms.filter(|ms| *ms >= OLD_MS)?;
    let told = format!("the oldest datagram that is not everywhere is {} old", span(old));
    Some(Line::from(paint.span(Tone::Warn, told)))
}

fn details(node: &Node, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let of = &node.condition;
    let room = |whole: Option<u64>, free: Option<u64>| {
        Some(format!("{} of {} free", bytes(free?), bytes(whole?)))
    };
    let load = of.load.map(|load| match of.cores {
        Some(cores) => format!("{load:.2} on {cores} cores"),
        None => format!("{load:.2}"),
    });
    let us = |us: u64| match us {
        ..10_000 => format!("{:.1} ms", us as f64 / 1_000.0),
        _ => span(us / 1_000),
    };
    let mut rows: Vec<(&str, Option<String>)> = vec![
        ("standing", Some(node.standing.clone())),
        ("address", node.address.clone()),
        ("heard", node.heard_ms.map(|ms| format!("{} ago", span(ms)))),
        ("round trip", node.round_trip_us.map(us)),
        ("clock", clock(node).map(|(text, _)| text)),
        ("lacks", node.lacks_bytes.map(bytes)),
        ("ahead", node.ahead_bytes.map(bytes)),
        ("version", of.version.clone()),
        ("runs for", of.up_s.map(|s| span(s.saturating_mul(1_000)))),
        ("load", load),
        ("memory", room(of.memory, of.memory_free)),
        ("daemon", of.resident.map(bytes)),
        ("disk", room(of.disk, of.disk_free)),
        ("temperature", of.temperature.map(|degrees| format!("{degrees:.1} °C"))),
        ("bucket lag", of.bucket_lag.map(bytes)),
        ("tasks", of.queued.map(|queued| format!("{queued} wait"))),
        ("problems", of.problems.map(|problems| problems.to_string())),
        ("vector", of.vector.clone()),
        ("digest", of.digest.clone()),
        ("told", node.condition_ms.map(|ms| format!("{} ago", span(ms)))),
    ];
    rows.retain(|(_, value)| value.is_some());
    let line = |(key, value): (&str, Option<String>)| {
        let value = value.unwrap_or_default();
        Line::from(vec![paint.span(Tone::Faint, format!("{key:<12}")), Span::raw(value)])
    };
    let (height, columns) =
        (usize::from(area.height.saturating_sub(1)), if area.width >= 80 { 2 } else { 1 });
    let fit = height * columns;
    let over = rows.len().saturating_sub(fit);
    let title = match over {
        0 => node.name.clone(),
        over => format!("{} ({over} lines more: Enter, or a higher terminal)", node.name),
    };
    let mut lines: Vec<Line<'static>> = rows.into_iter().map(line).collect();
    let block = part(cut(&title, usize::from(area.width)));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let second = lines.split_off(lines.len().min(height));
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(inner);
    let left = if columns == 1 { inner } else { left };
    frame.render_widget(Paragraph::new(lines), left);
    if columns == 2 {
        frame.render_widget(Paragraph::new(second), right);
    }
}
