//! The model, drawn. A colour never says anything that no word says.

mod cluster;
mod conflicts;
mod help;
mod live;
mod pool;
mod rates;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};

use super::model::{Door, Model, VIEWS, View};
use crate::render::Tone;

/// What is drawn needs so much room.
const WIDTH_MIN: u16 = 40;
const HEIGHT_MIN: u16 = 10;
/// Columns from which on two things stand beside each other.
const WIDE: u16 = 100;

/// Which style a tone has; without colours only what every terminal can.
#[derive(Debug, Clone, Copy)]
struct Paint {
    colored: bool,
}

impl Paint {
    fn of(self, tone: Tone) -> Style {
        let style = Style::new();
        match tone {
            Tone::Strong => style.add_modifier(Modifier::BOLD),
            Tone::Faint => style.add_modifier(Modifier::DIM),
            Tone::Bad if !self.colored => style.add_modifier(Modifier::BOLD),
            Tone::Good | Tone::Warn if !self.colored => style,
            Tone::Good => style.fg(Color::Green),
            Tone::Warn => style.fg(Color::Yellow),
            Tone::Bad => style.fg(Color::Red),
        }
    }

    fn span(self, tone: Tone, text: impl Into<String>) -> Span<'static> {
        Span::styled(text.into(), self.of(tone))
    }
}

/// What is chosen.
fn chosen() -> Style {
    Style::new().add_modifier(Modifier::REVERSED)
}

/// A line above a part, with what it is.
fn part(title: impl Into<Line<'static>>) -> Block<'static> {
    Block::new().borders(Borders::TOP).title(title)
}

pub(super) fn name(view: View) -> &'static str {
    match view {
        View::Cluster => "Cluster",
        View::Live => "Live",
        View::Rates => "Rates",
        View::Conflicts => "Conflicts",
        View::Pool => "Pool",
    }
}

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < WIDTH_MIN || area.height < HEIGHT_MIN {
        let (width, height) = (area.width, area.height);
        let text = format!(
            "this terminal has {width}x{height}: `cocli top` needs {WIDTH_MIN}x{HEIGHT_MIN}; q ends"
        );
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
        return;
    }
    let paint = Paint { colored: model.colored };
    let told = told(model, paint);
    let lines = told.as_ref().map_or(0, |told| lines_of(told, area.width).min(3));
    let rows = [
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(lines),
        Constraint::Length(1),
    ];
    let [head, body, message, keys] = Layout::vertical(rows).areas(area);
    frame.render_widget(Paragraph::new(header(model, paint, head.width)), head);
    match model.view {
        _ if model.help => help::draw(model, paint, frame, body),
        View::Cluster => cluster::draw(model, paint, frame, body),
        View::Live => live::draw(model, paint, frame, body),
        View::Rates => rates::draw(model, paint, frame, body),
        View::Conflicts => conflicts::draw(model, paint, frame, body),
        View::Pool => pool::draw(model, paint, frame, body),
    }
    if let Some(told) = told {
        frame.render_widget(Paragraph::new(told).wrap(Wrap { trim: true }), message);
    }
    frame.render_widget(
        Paragraph::new(help::line(model, keys.width)).style(paint.of(Tone::Faint)),
        keys,
    );
}

/// How many lines a text takes.
fn lines_of(line: &Line<'_>, width: u16) -> u16 {
    let lines = line.width().div_ceil(usize::from(width.max(1)));
    // Words that do not fit go to the next line.
    u16::try_from(if lines > 1 { lines + 1 } else { lines }).unwrap_or(u16::MAX)
}

/// The views and where one is; of what does not fit the numbers.
fn header(model: &Model, paint: Paint, width: u16) -> Line<'static> {
    let label = |(at, view): (usize, &View), long: bool| {
        let count = match view {
            View::Cluster => model.cluster.problems().count(),
            View::Conflicts => model.conflicts.all.as_ref().map_or(0, Vec::len),
            View::Live | View::Rates | View::Pool => 0,
        };
        let count = if count > 0 { format!(" ({count})") } else { String::new() };
        let number = at + 1;
        match long || *view == model.view {
            true => format!(" {number} {}{count} ", name(*view)),
            false => format!(" {number}{count} "),
        }
    };
    let labels = |long| VIEWS.iter().enumerate().map(|it| label(it, long)).collect::<Vec<_>>();
    let fits = |labels: &[String]| {
        labels.iter().map(|label| label.chars().count()).sum::<usize>() <= usize::from(width)
    };
    let long = labels(true);
    let labels = if fits(&long) { long } else { labels(false) };
    let mut room = usize::from(width)
        - labels.iter().map(|it| it.chars().count()).sum::<usize>().min(usize::from(width));
    let mut spans: Vec<Span<'static>> = VIEWS
        .iter()
        .zip(labels)
        .map(|(view, label)| match *view == model.view {
            true => Span::styled(label, chosen()),
            false => Span::raw(label),
        })
        .collect();
    let end = format!("cocli top  {} ", model.me);
    let end = Line::from(end);
    if room > end.width() {
        room -= end.width();
        spans.push(Span::raw(" ".repeat(room)));
        spans.extend(end.spans.into_iter().map(|span| span.style(paint.of(Tone::Strong))));
    }
    Line::from(spans)
}

/// What the person has to know now.
fn told(model: &Model, paint: Paint) -> Option<Line<'static>> {
    if let Some(said) = &model.said {
        let tone = if said.bad { Tone::Bad } else { Tone::Strong };
        let word = if said.bad { "failed: " } else { "" };
        return Some(Line::from(paint.span(tone, format!("{word}{}", said.text))));
    }
    let told = match &model.door {
        Door::Open | Door::Unasked => return None,
        Door::Shut => {
            "no daemon runs: nothing comes in or goes out (`cocli daemon`); looked for each second"
                .to_owned()
        }
        Door::Mute(why) => format!("{why}; asked again each second"),
    };
    Some(Line::from(paint.span(Tone::Warn, told)))
}

/// A line that is typed, with the cursor at its end.
fn typed(frame: &mut Frame<'_>, area: Rect, before: &str, text: &str, typing: bool) {
    let line = Line::from(format!("{before}{}", crate::render::escape(text)));
    let over = u16::try_from(line.width()).unwrap_or(u16::MAX);
    // Of a long one the end is shown, where one types.
    let skip = over.saturating_sub(area.width.saturating_sub(1));
    frame.render_widget(Paragraph::new(line).scroll((0, skip)), area);
    if typing && area.width > 0 && area.height > 0 {
        frame
            .set_cursor_position(Position::new(area.x + (over - skip).min(area.width - 1), area.y));
    }
}

/// A list of which only what fits is made: from which row on, so that the chosen one is seen.
fn first(chosen: usize, count: usize, height: u16) -> usize {
    let height = usize::from(height).max(1);
    let before = chosen.saturating_sub(height / 2);
    before.min(count.saturating_sub(height))
}

/// Text cut at so many columns, with a sign that it was.
fn cut(text: &str, width: usize) -> String {
    if Span::raw(text).width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        out.push(c);
        if Span::raw(out.as_str()).width() >= width {
            out.pop();
            break;
        }
    }
    if width > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests;
