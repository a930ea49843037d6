//! Companies and people: the list, the card of the chosen one, the history of a field.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::{Paint, chosen, cut, first, part, typed};
use crate::render::Tone;
use crate::tui::model::Model;
use crate::tui::model::pool::{Card, Focus, Found, State, Which};
use crate::tui::seen::one_line;
use crate::words::number;

/// Columns from which on the card stands beside the list; below it the list or the card is shown.
const BESIDE: u16 = 80;

pub(super) fn draw(model: &Model, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let pool = &model.pool;
    let line = u16::from(pool.types || !pool.text.is_empty());
    let [input, rest] =
        Layout::vertical([Constraint::Length(line), Constraint::Min(0)]).areas(area);
    if line > 0 {
        typed(frame, input, "find: ", &pool.text, pool.types);
    }
    let (list_area, card_area) = match (rest.width >= BESIDE, rest.height >= 16, pool.focus) {
        (true, ..) => {
            let [list, card] = Layout::horizontal([Constraint::Percentage(45), Constraint::Min(0)])
                .spacing(1)
                .areas(rest);
            (Some(list), Some(card))
        }
        (_, _, Focus::Card | Focus::History) => (None, Some(rest)),
        (_, true, Focus::List) => {
            let [list, card] =
                Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(rest);
            (Some(list), Some(card))
        }
        (_, false, Focus::List) => (Some(rest), None),
    };
    if let Some(area) = list_area {
        list(pool, paint, frame, area);
    }
    match card_area {
        Some(area) if pool.focus == Focus::History => history(pool, paint, frame, area),
        Some(area) => card(pool, paint, frame, area),
        None => {}
    }
}

fn list(pool: &State, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let of = match pool.which {
        Which::All => "companies and people",
        Which::Companies => "companies",
        Which::People => "people",
    };
    let empty = Found::default();
    let found = pool.found.as_ref().unwrap_or(&empty);
    let count = found.rows.len();
    let title = match (&pool.found, &found.trouble) {
        (None, _) => format!("{of}: looking"),
        (_, Some(trouble)) => one_line(trouble),
        _ if count == 0 && pool.text.trim().is_empty() => format!("no {of} yet (`cocli import`)"),
        _ if count == 0 => "nothing is called so".to_owned(),
        _ if found.nearly => format!("{of}: nearly so"),
        _ => format!("{of}: {} of {}", number(pool.chosen + 1), number(count)),
    };
    let block = part(cut(&title, usize::from(area.width)));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let from = first(pool.chosen, count, inner.height);
    let rows = found.rows.iter().enumerate().skip(from).take(usize::from(inner.height));
    let width = usize::from(inner.width);
    let line = |(at, row): (usize, &crate::tui::model::pool::Row)| {
        let target = one_line(row.target.as_str());
        let name = cut(&row.name, width);
        let left = width.saturating_sub(Span::raw(name.as_str()).width() + 2);
        let line = Line::from(vec![
            Span::raw(name),
            paint.span(Tone::Faint, format!("  {}", cut(&target, left))),
        ]);
        if at == pool.chosen { line.style(chosen()) } else { line }
    };
    frame.render_widget(Paragraph::new(rows.map(line).collect::<Vec<_>>()), inner);
}

fn card(pool: &State, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let title = pool.target().map(|target| one_line(target.as_str())).unwrap_or_default();
    let Some(card) = pool.shown() else {
        frame.render_widget(part(cut(&title, usize::from(area.width))), area);
        return;
    };
    let title = if card.removed { format!("{title} (removed)") } else { title };
    let block = part(cut(&title, usize::from(area.width)));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    frame.render_widget(
        Paragraph::new(lines(card, pool, paint, inner)).wrap(Wrap { trim: false }),
        inner,
    );
}

fn lines(card: &Card, pool: &State, paint: Paint, area: Rect) -> Vec<Line<'static>> {
    let focused = pool.focus == Focus::Card;
    let from = if focused { first(pool.field, card.fields.len(), area.height) } else { 0 };
    let key = |(field, _): &(_, String)| one_line(&cocli_core::Field::key(field));
    let width = card.fields.iter().map(|it| key(it).chars().count()).max().unwrap_or(0).min(20);
    let most = usize::from(area.width).saturating_mul(4);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (at, it) in card.fields.iter().enumerate().skip(from).take(usize::from(area.height)) {
        let line = Line::from(vec![
            paint.span(Tone::Faint, format!("{:width$}  ", cut(&key(it), 20))),
            Span::raw(cut(&it.1, most)),
        ]);
        lines.push(if focused && at == pool.field { line.style(chosen()) } else { line });
    }
    if !card.text.is_empty() {
        lines.push(Line::default());
        lines.extend(card.text.iter().take(usize::from(area.height)).cloned().map(Line::from));
    }
    if card.fields.is_empty() && card.text.is_empty() {
        lines.push(Line::from(paint.span(Tone::Faint, "nothing is known of it")));
    }
    lines
}

fn history(pool: &State, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let Some(history) = &pool.history else {
        frame.render_widget(Paragraph::new("looking").block(part("History")), area);
        return;
    };
    let title = one_line(&format!("{} {}: who wrote it", history.target, history.field));
    let block = part(cut(&title, usize::from(area.width)));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let count = history.written.len();
    let from = first(pool.written, count, inner.height);
    let rows = history.written.iter().enumerate().skip(from).take(usize::from(inner.height));
    let mut lines: Vec<Line<'static>> = rows
        .map(|(at, written)| {
            let who = format!("{}  {}  ", written.at, written.node);
            let line =
                Line::from(vec![paint.span(Tone::Faint, who), Span::raw(written.value.clone())]);
            if at == pool.written { line.style(chosen()) } else { line }
        })
        .collect();
    if let Some(day) = &history.lost_until {
        let told = format!("what was written up to {day} may not be kept here");
        lines.push(Line::from(paint.span(Tone::Warn, told)));
    }
    if count == 0 {
        lines.push(Line::from(paint.span(Tone::Faint, "its history is not kept here")));
    }
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}
