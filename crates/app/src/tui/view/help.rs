//! The keys: those of the view in a line, all of them on a page.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::{Paint, name, part};
use crate::render::Tone;
use crate::tui::model::pool::Focus;
use crate::tui::model::{Model, VIEWS, View};

/// A key and what it does.
type Key = (&'static str, &'static str);

const ANYWHERE: [Key; 6] = [
    ("1-5, Tab", "views"),
    ("↑ ↓ j k", "choose"),
    ("PgUp PgDn g G", "ten on, first, last"),
    ("?", "all keys"),
    ("Ctrl-Z", "shell, `fg` comes back"),
    ("q, Ctrl-C", "end"),
];

fn keys(view: View) -> &'static [Key] {
    match view {
        View::Cluster => &[("↑↓", "node"), ("Enter", "all")],
        View::Live => &[
            ("Space", "pause"),
            ("/", "filter"),
            ("↑↓", "look back"),
            ("Enter", "open"),
            ("e", "edit"),
            ("Esc", "go on"),
        ],
        View::Rates => &[],
        View::Conflicts => &[
            ("↑↓", "conflict"),
            ("←→", "value"),
            ("Enter", "keep it"),
            ("=", "another value"),
            ("e", "edit"),
        ],
        View::Pool => &[
            ("/", "find"),
            ("↑↓", "choose"),
            ("Enter", "card, then history of a field"),
            ("e", "edit"),
            ("f", "companies, people"),
            ("Esc", "back"),
        ],
    }
}

/// What can be pressed now, as far as it fits.
pub(super) fn line(model: &Model, width: u16) -> Line<'static> {
    let now: &[Key] = match (model.view, model.types()) {
        _ if model.help => &[("any key", "back")],
        (View::Conflicts, true) => &[("Enter", "set it"), ("Esc", "leave it")],
        (_, true) => &[("Enter", "done"), ("Esc", "without"), ("Ctrl-U", "empty")],
        (View::Pool, _) if model.pool.focus == Focus::Card => {
            &[("↑↓", "field"), ("Enter", "its history"), ("e", "edit"), ("Esc", "back")]
        }
        (View::Pool, _) if model.pool.focus == Focus::History => {
            &[("↑↓", "choose"), ("e", "edit"), ("Esc", "back")]
        }
        (view, _) => keys(view),
    };
    let end: &[Key] = match model.types() || model.help {
        true => &[],
        false => &[("?", "keys"), ("q", "end")],
    };
    let text = |(key, does): &Key| format!(" {key} {does} ");
    let end: String = end.iter().map(text).collect();
    let mut room = usize::from(width).saturating_sub(Span::raw(end.as_str()).width());
    let mut line = String::new();
    for key in now.iter().map(text) {
        let Some(left) = room.checked_sub(Span::raw(key.as_str()).width()) else { break };
        (room, line) = (left, line + &key);
    }
    Line::from(line + &end)
}

/// All keys.
pub(super) fn draw(model: &Model, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let of = |title: &'static str, keys: &'static [Key]| {
        let title = Line::from(paint.span(Tone::Strong, title));
        let key = |(key, does): &Key| {
            Line::from(vec![Span::raw(format!("  {key:<14}")), Span::raw((*does).to_owned())])
        };
        std::iter::once(title).chain(keys.iter().map(key)).collect::<Vec<_>>()
    };
    // Where there is little room the view that one is in comes first.
    let mut views: Vec<View> = VIEWS.to_vec();
    views.sort_by_key(|view| *view != model.view);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for view in views.into_iter().filter(|view| !keys(*view).is_empty()) {
        lines.extend(of(name(view), keys(view)));
    }
    lines.extend(of("Everywhere", &ANYWHERE));
    let room = usize::from(area.height.saturating_sub(1));
    if lines.len() > room && area.width >= 70 {
        // In two columns.
        let half = lines.split_off(lines.len().div_ceil(2));
        let halves = ratatui::layout::Layout::horizontal([ratatui::layout::Constraint::Fill(1); 2]);
        let [left, right] = halves.areas(area);
        frame.render_widget(Paragraph::new(lines).block(part("Keys")), left);
        frame.render_widget(Paragraph::new(half).block(part("")), right);
        return;
    }
    let over = lines.len().saturating_sub(room);
    let title = match over {
        0 => "Keys".to_owned(),
        over => format!("Keys ({over} lines more in a higher terminal; docs/top.md)"),
    };
    frame.render_widget(Paragraph::new(lines).block(part(title)).wrap(Wrap { trim: false }), area);
}
