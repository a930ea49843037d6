//! The nodes: whether all are the same, a table, and all that is known of the chosen one.

use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table, TableState, Wrap};

use super::{Paint, WIDE, chosen, cut, lines_of, part};
use crate::cluster::{MEMORY_FREE_MIN, Node, Room, SKEW_SHOWN_US, SKEW_TOLD_US, Standing};
use crate::render::Tone;
use crate::sameness;
use crate::tui::model::{Door, Model};
use crate::words::{sized, span, span_ms, whole};

const HOT: f64 = 80.0;
/// Rows of all that is known of a node, below the table.
const DETAILS: u16 = 9;

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
    ("version", 9, |node| text(node, "version").map(plain)),
    ("heard", 9, |node| node.heard_ms.map(span_ms).map(plain)),
];

fn plain(text: String) -> (String, Option<Tone>) {
    (text, None)
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.condition.text(key).map(ToOwned::to_owned)
}

fn standing(node: &Node) -> Option<(String, Option<Tone>)> {
    let tone = match node.standing {
        Standing::Alive => Tone::Good,
        Standing::Suspect | Standing::Unheard => Tone::Warn,
        Standing::Down => Tone::Bad,
        _ => Tone::Faint,
    };
    let here = node.me && node.standing == Standing::Alive;
    let word = if here { "here" } else { node.word() };
    Some((word.to_owned(), Some(tone)))
}

fn behind(node: &Node) -> Option<(String, Option<Tone>)> {
    let heard = matches!(node.standing, Standing::Alive | Standing::Suspect);
    match node.between()? {
        (0, 0) => heard.then(|| ("level".to_owned(), Some(Tone::Good))),
        (0, more) => Some((format!("+{}", sized(more)), Some(Tone::Warn))),
        (lacks, _) => Some((format!("-{}", sized(lacks)), Some(Tone::Warn))),
    }
}

/// How much is used, and a word where that is much.
fn used(free: f64, much: Option<(Tone, &str)>) -> (String, Option<Tone>) {
    let percent = (1.0 - free) * 100.0;
    match much {
        Some((tone, word)) => (format!("{percent:.0}% {word}"), Some(tone)),
        None => plain(format!("{percent:.0}%")),
    }
}

fn disk(node: &Node) -> Option<(String, Option<Tone>)> {
    let much = match node.condition.room() {
        Some(Room::Full) => Some((Tone::Bad, "full")),
        Some(Room::Low) => Some((Tone::Warn, "low")),
        Some(Room::Enough) | None => None,
    };
    Some(used(node.condition.free("disk")?, much))
}

fn memory(node: &Node) -> Option<(String, Option<Tone>)> {
    let free = node.condition.free("memory")?;
    Some(used(free, (free < MEMORY_FREE_MIN).then_some((Tone::Bad, "full"))))
}

fn load(node: &Node) -> Option<(String, Option<Tone>)> {
    let load = node.condition.number("load")?;
    Some(match node.condition.number("cores").is_some_and(|cores| load > 2.0 * cores) {
        true => (format!("{load:.1} busy"), Some(Tone::Warn)),
        false => plain(format!("{load:.1}")),
    })
}

fn temperature(node: &Node) -> Option<(String, Option<Tone>)> {
    let degrees = node.condition.number("temperature")?;
    Some(match degrees >= HOT {
        true => (format!("{degrees:.0}°C hot"), Some(Tone::Warn)),
        false => plain(format!("{degrees:.0}°C")),
    })
}

/// By how much a clock is ahead, short enough for a column: `+3 s`, `-2 h`, `right`.
fn clock(node: &Node) -> Option<(String, Option<Tone>)> {
    let us = node.clock_us()?;
    let sign = if us < 0 { '-' } else { '+' };
    let ahead = || format!("{sign}{}", span_ms(us.unsigned_abs() / 1_000));
    Some(match us.unsigned_abs() {
        ..SKEW_SHOWN_US => plain("right".to_owned()),
        SKEW_SHOWN_US..SKEW_TOLD_US => (ahead(), Some(Tone::Warn)),
        _ => (ahead(), Some(Tone::Bad)),
    })
}

pub(super) fn draw(model: &Model, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let state = &model.cluster;
    let same = sameness(model, paint);
    let (same, lines) = fitting(same, paint, area.width, area.height / 2);
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
    let differing = model.cluster.seen.differing();
    let rows = nodes.iter().map(|node| {
        let cell = |(head, _, cell): &&Column| match cell(node) {
            _ if *head == "standing" && differing.contains(node.name.as_str()) => {
                Cell::from(paint.span(Tone::Bad, "differs"))
            }
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

/// Whether all are the same, in words; since when nobody can say; what needs a person.
fn sameness(model: &Model, paint: Paint) -> Vec<Line<'static>> {
    let state = &model.cluster;
    let mut lines = Vec::new();
    let old = match (&model.door, state.heard_ms) {
        (Door::Open | Door::Unasked, _) | (_, None) => None,
        (_, Some(heard)) => Some(span_ms(model.now_ms.saturating_sub(heard))),
    };
    if let Some(old) = old {
        lines.push(Line::from(paint.span(Tone::Warn, format!("as it was {old} ago"))));
    }
    if state.heard_ms.is_some() {
        let (tone, told) = sameness::told(&state.seen, &TimeZone::system());
        lines.push(Line::from(paint.span(tone, told)));
    }
    let needs_you = |problem: &String| {
        Line::from(vec![paint.span(Tone::Bad, "needs you: "), Span::raw(problem.clone())])
    };
    lines.extend(state.problems().map(needs_you));
    lines
}

/// Of lines as many as find room, and how high they are; how many do not is told.
fn fitting(
    mut all: Vec<Line<'static>>,
    paint: Paint,
    width: u16,
    room: u16,
) -> (Vec<Line<'static>>, u16) {
    let high = |lines: &[Line<'_>]| {
        lines.iter().map(|line| lines_of(line, width)).fold(0, u16::saturating_add)
    };
    let count = all.len();
    // What is worst stands first, and is cut rather than left out.
    while all.len() > 1 && high(&all).saturating_add(u16::from(all.len() < count)) > room {
        all.pop();
    }
    let height = high(&all);
    let gone = count - all.len();
    if gone == 0 {
        return (all, height.min(room));
    }
    let height = height.min(room.saturating_sub(1));
    let more = format!("{gone} more: `cocli status` has all");
    all.push(Line::from(paint.span(Tone::Bad, more)));
    (all, height + 1)
}

fn details(node: &Node, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let number = |key: &str| node.condition.number(key);
    let bytes = |key: &str| number(key).map(|bytes| sized(whole(bytes)));
    let room =
        |whole: &str, free: &str| Some(format!("{} of {} free", bytes(free)?, bytes(whole)?));
    let load = number("load").map(|load| match number("cores") {
        Some(cores) => format!("{load:.2} on {cores} cores"),
        None => format!("{load:.2}"),
    });
    let us = |us: u64| match us {
        ..10_000 => format!("{:.1} ms", us as f64 / 1_000.0),
        _ => span_ms(us / 1_000),
    };
    let ago = |ms: Option<u64>| ms.map(|ms| format!("{} ago", span_ms(ms)));
    let some = |bytes: u64| (!node.me).then(|| sized(bytes));
    let mut rows: Vec<(&str, Option<String>)> = vec![
        ("standing", Some(node.word().to_owned())),
        ("address", node.address.clone()),
        ("heard", ago(node.heard_ms)),
        ("round trip", node.round_trip_us.map(us)),
        ("clock", clock(node).map(|(text, _)| text)),
        ("lacks", some(node.lacks_bytes)),
        ("ahead", some(node.ahead_bytes)),
        ("version", text(node, "version")),
        ("runs for", number("up_s").map(|s| span(whole(s)))),
        ("load", load),
        ("memory", room("memory", "memory_free")),
        ("daemon", bytes("resident")),
        ("disk", room("disk", "disk_free")),
        ("temperature", number("temperature").map(|degrees| format!("{degrees:.1} °C"))),
        ("bucket lag", bytes("bucket_lag")),
        ("tasks", number("queued").map(|queued| format!("{queued} wait"))),
        ("problems", number("problems").map(|problems| problems.to_string())),
        ("vector", text(node, "vector")),
        ("digest", text(node, "digest")),
        ("told", ago(node.condition_ms)),
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
