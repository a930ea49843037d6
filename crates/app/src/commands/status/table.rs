//! The nodes as a table. What does not fit the terminal is left out, always in the same order; a pipe gets all.

use crate::cluster::{Condition, MEMORY_FREE_MIN, Node, Room, SKEW_SHOWN_US, Standing};
use crate::render::{Screen, Tone, one_line};
use crate::words::{self, sized, span, whole};

/// A node that is up tells its condition more often than this.
const TOLD_LATE_MS: u64 = 20_000;
/// From here on a processor is slowed down, or soon is.
const HOT_C: f64 = 80.0;
/// Characters of a name.
const NAME_CHARACTERS: usize = 24;
/// Before a column.
const GAP: usize = 2;

/// What stands in a place of the table.
struct Cell {
    text: String,
    tone: Option<Tone>,
}

impl Cell {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: None }
    }

    fn toned(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Some(tone) }
    }

    /// What is not told.
    fn nothing() -> Self {
        Self::toned(Tone::Faint, "-")
    }

    fn told(text: Option<String>) -> Self {
        text.map_or_else(Self::nothing, Self::plain)
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// A column: its head, which one is left out first (the least; `None` stays), and what stands in it.
struct Column {
    head: &'static str,
    leaves: Option<u8>,
    cell: fn(&Row<'_>) -> Cell,
}

/// A node, and whether its state differs.
struct Row<'a> {
    node: &'a Node,
    differs: bool,
}

const COLUMNS: [Column; 14] = [
    Column { head: "node", leaves: None, cell: name },
    Column { head: "state", leaves: None, cell: standing },
    Column { head: "behind", leaves: Some(12), cell: behind },
    Column { head: "load", leaves: Some(9), cell: load },
    Column { head: "memory", leaves: Some(6), cell: memory },
    Column { head: "disk free", leaves: Some(11), cell: disk },
    Column { head: "heat", leaves: Some(5), cell: heat },
    Column { head: "up", leaves: Some(3), cell: up },
    Column { head: "clock", leaves: Some(10), cell: clock },
    Column { head: "bucket", leaves: Some(4), cell: bucket },
    Column { head: "queued", leaves: Some(2), cell: queued },
    Column { head: "version", leaves: Some(1), cell: version },
    Column { head: "told", leaves: Some(7), cell: told },
    Column { head: "address", leaves: Some(0), cell: address },
];

/// The lines of the table; `differing` are the nodes whose state differs.
pub(super) fn lines(
    screen: Screen,
    nodes: &[Node],
    differing: impl Fn(&str) -> bool,
    width: Option<usize>,
) -> Vec<String> {
    let rows = nodes.iter().map(|node| Row { node, differs: differing(&node.name) });
    let rows: Vec<Row<'_>> = rows.collect();
    let mut columns: Vec<(&Column, Vec<Cell>)> =
        COLUMNS.iter().map(|column| (column, rows.iter().map(column.cell).collect())).collect();
    let widest = |(column, cells): &(&Column, Vec<Cell>)| {
        cells.iter().map(Cell::width).chain([column.head.len()]).max().unwrap_or_default()
    };
    if let Some(width) = width {
        columns.retain(|(column, cells)| {
            column.leaves.is_none() || cells.iter().any(|cell| cell.text != "-")
        });
        let taken = |columns: &[(&Column, Vec<Cell>)]| {
            columns.iter().map(|column| widest(column) + GAP).sum::<usize>()
        };
        while taken(&columns) > width {
            let first = columns.iter().filter_map(|(column, _)| column.leaves).min();
            let Some(first) = first else { break };
            columns.retain(|(column, _)| column.leaves != Some(first));
        }
    }
    let widths: Vec<usize> = columns.iter().map(widest).collect();
    let line = |cells: Vec<(String, Option<Tone>)>| {
        let last = cells.len().saturating_sub(1);
        let padded =
            cells.into_iter().zip(&widths).enumerate().map(|(place, ((text, tone), width))| {
                let space = if place == last { 0 } else { width + GAP - text.chars().count() };
                format!(
                    "{}{}",
                    tone.map_or(text.clone(), |tone| screen.paint(tone, &text)),
                    " ".repeat(space)
                )
            });
        format!("{}{}", " ".repeat(GAP), padded.collect::<String>())
    };
    let head = columns.iter().map(|(column, _)| (column.head.to_owned(), Some(Tone::Faint)));
    let mut lines = vec![line(head.collect())];
    for row in 0..rows.len() {
        let cells = columns.iter().map(|(_, cells)| (cells[row].text.clone(), cells[row].tone));
        lines.push(line(cells.collect()));
    }
    lines
}

fn name(row: &Row<'_>) -> Cell {
    let name = one_line(&row.node.name, NAME_CHARACTERS);
    match row.node.me {
        true => Cell::toned(Tone::Strong, format!("{name} (here)")),
        false => Cell::plain(name),
    }
}

fn standing(row: &Row<'_>) -> Cell {
    let node = row.node;
    let since = node.heard_ms.map(|ms| format!(" {}", span(ms / 1000))).unwrap_or_default();
    let word = node.word();
    match node.standing {
        _ if row.differs => Cell::toned(Tone::Bad, "differs"),
        Standing::Alive => Cell::toned(Tone::Good, word),
        Standing::Suspect => Cell::toned(Tone::Warn, format!("{word}{since}")),
        Standing::Unheard => Cell::toned(Tone::Warn, word),
        Standing::Down => Cell::toned(Tone::Bad, format!("{word}{since}")),
        Standing::Stopped | Standing::Left | Standing::Out => Cell::toned(Tone::Faint, word),
        Standing::Unmet | Standing::Unknown => Cell::toned(Tone::Faint, word),
    }
}

fn behind(row: &Row<'_>) -> Cell {
    let node = row.node;
    match node.between() {
        None => Cell::nothing(),
        Some((0, 0)) if matches!(node.standing, Standing::Alive | Standing::Suspect) => {
            Cell::toned(Tone::Good, "level")
        }
        Some((0, 0)) => Cell::nothing(),
        Some((lacks, ahead)) => Cell::toned(Tone::Warn, words::between(lacks, ahead)),
    }
}

fn load(row: &Row<'_>) -> Cell {
    let condition = &row.node.condition;
    let Some(load) = condition.number("load") else { return Cell::nothing() };
    let cores = condition.number("cores").filter(|cores| *cores >= 1.0);
    let text = match cores {
        Some(cores) => format!("{load:.2} of {cores:.0}"),
        None => format!("{load:.2}"),
    };
    match cores.is_some_and(|cores| load > 2.0 * cores) {
        true => Cell::toned(Tone::Warn, format!("{text}: busy")),
        false => Cell::plain(text),
    }
}

fn memory(row: &Row<'_>) -> Cell {
    let Some(free) = row.node.condition.free("memory") else { return Cell::nothing() };
    let used = (1.0 - free) * 100.0;
    let text = format!("{used:.0} %");
    match free < MEMORY_FREE_MIN {
        true => Cell::toned(Tone::Warn, format!("{text}: full")),
        false => Cell::plain(text),
    }
}

fn disk(row: &Row<'_>) -> Cell {
    let Some(free) = bytes(&row.node.condition, "disk_free") else { return Cell::nothing() };
    match row.node.condition.room() {
        Some(Room::Full) => Cell::toned(Tone::Bad, format!("{free}: full")),
        Some(Room::Low) => Cell::toned(Tone::Warn, format!("{free}: low")),
        Some(Room::Enough) | None => Cell::plain(free),
    }
}

fn heat(row: &Row<'_>) -> Cell {
    let Some(heat) = row.node.condition.number("temperature") else { return Cell::nothing() };
    let text = format!("{heat:.0} °C");
    match heat >= HOT_C {
        true => Cell::toned(Tone::Bad, format!("{text}: hot")),
        false => Cell::plain(text),
    }
}

fn up(row: &Row<'_>) -> Cell {
    let up = row.node.condition.number("up_s").filter(|_| row.node.is_up());
    Cell::told(up.map(|seconds| span(whole(seconds))))
}

fn clock(row: &Row<'_>) -> Cell {
    let Some(us) = row.node.clock_us().filter(|_| row.node.is_up()) else {
        return Cell::nothing();
    };
    let text = words::clock(us);
    match us.unsigned_abs() {
        crate::cluster::SKEW_TOLD_US.. => Cell::toned(Tone::Bad, text),
        SKEW_SHOWN_US.. => Cell::toned(Tone::Warn, text),
        _ => Cell::plain(text),
    }
}

fn bucket(row: &Row<'_>) -> Cell {
    match row.node.condition.number("bucket_lag") {
        None => Cell::nothing(),
        Some(0.0) => Cell::plain("level"),
        Some(_) => Cell::told(bytes(&row.node.condition, "bucket_lag")),
    }
}

fn queued(row: &Row<'_>) -> Cell {
    Cell::told(row.node.condition.number("queued").map(|queued| format!("{queued:.0}")))
}

fn version(row: &Row<'_>) -> Cell {
    Cell::told(row.node.condition.text("version").map(|text| one_line(text, NAME_CHARACTERS)))
}

fn told(row: &Row<'_>) -> Cell {
    let Some(ms) = row.node.condition_ms else { return Cell::nothing() };
    let text = format!("{} ago", span(ms / 1000));
    match row.node.is_up() && ms > TOLD_LATE_MS {
        true => Cell::toned(Tone::Warn, format!("{text}: late")),
        false => Cell::plain(text),
    }
}

fn address(row: &Row<'_>) -> Cell {
    Cell::told(row.node.address.as_deref().map(|text| one_line(text, NAME_CHARACTERS)))
}

fn bytes(condition: &Condition, key: &str) -> Option<String> {
    condition.number(key).map(|bytes| sized(whole(bytes)))
}
