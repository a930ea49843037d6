//! What was lost unseen, and the values of the chosen place.

use cocli_node::Conflict;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::{Paint, WIDE, chosen, cut, first, part, typed};
use crate::clock;
use crate::commands::conflicts::text;
use crate::render::Tone;
use crate::tui::model::Model;
use crate::tui::seen::one_line;
use crate::words::number;

pub(super) fn draw(model: &Model, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let state = &model.conflicts;
    let Some(all) = &state.all else {
        let asking = "looking for values that were lost unseen";
        frame.render_widget(Paragraph::new(asking).block(part("Conflicts")), area);
        return;
    };
    if all.is_empty() {
        let none =
            Line::from(paint.span(Tone::Good, "no conflicts: nobody's value was lost unseen"));
        frame.render_widget(Paragraph::new(none).block(part("Conflicts")), area);
        return;
    }
    let (list, values) = match area.width >= WIDE {
        true => {
            let [list, values] =
                Layout::horizontal([Constraint::Percentage(40), Constraint::Min(0)])
                    .spacing(1)
                    .areas(area);
            (list, values)
        }
        false => {
            let [list, values] =
                Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
            (list, values)
        }
    };
    let title = format!("{} of {} conflicts", number(state.chosen + 1), number(all.len()));
    let block = part(title);
    let inner = block.inner(list);
    frame.render_widget(block, list);
    let from = first(state.chosen, all.len(), inner.height);
    let rows = all.iter().enumerate().skip(from).take(usize::from(inner.height));
    let line = |(at, conflict): (usize, &Conflict)| {
        let place = one_line(&format!("{}  {}", conflict.target, conflict.field));
        let line = Line::from(cut(&place, usize::from(inner.width)));
        if at == state.chosen { line.style(chosen()) } else { line }
    };
    frame.render_widget(Paragraph::new(rows.map(line).collect::<Vec<_>>()), inner);
    if let Some(conflict) = state.chosen() {
        values_of(model, conflict, paint, frame, values);
    }
}

fn values_of(model: &Model, conflict: &Conflict, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let state = &model.conflicts;
    let typing = u16::from(state.typed.is_some());
    let [area, input] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(typing)]).areas(area);
    let title = one_line(&format!("{} {}", conflict.target, conflict.field));
    let block = part(cut(&title, usize::from(area.width)));
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (at, entry) in conflict.entries.iter().enumerate() {
        let what = if at == 0 { "stands" } else { "lost  " };
        let tone = if at == 0 { Tone::Good } else { Tone::Bad };
        let value = one_line(&text(&conflict.field, &entry.value));
        let who = format!("  {}, {}", entry.stamp.node, clock::shown(entry.stamp.instant));
        let is = at == state.value;
        let line = Line::from(vec![
            Span::raw(format!("{} {}  ", if is { "▶" } else { " " }, at + 1)),
            paint.span(tone, what),
            Span::raw(format!("  {value}")),
            paint.span(Tone::Faint, who),
        ]);
        lines.push(if is { line.style(chosen()) } else { line });
    }
    if conflict.twins {
        let target = &conflict.target;
        lines.push(Line::from(paint.span(
            Tone::Warn,
            format!("two entities, added apart under one slug: `cocli split {target} --dry-run` shows whose is what"),
        )));
    }
    // The chosen value is seen, also where each takes several lines.
    let skip = state.value.saturating_sub(usize::from(area.height / 3));
    let lines: Vec<Line<'static>> = lines.into_iter().skip(skip).collect();
    frame.render_widget(Paragraph::new(lines).block(block).wrap(Wrap { trim: false }), area);
    if let Some(text) = &state.typed {
        typed(frame, input, "another value: ", text, true);
    }
}
