//! The stream of datagrams, the newest below.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{Paint, cut, part, typed};
use crate::render::Tone;
use crate::tui::model::Model;
use crate::tui::seen;
use crate::words::{number, sized, span_ms};

pub(super) fn draw(model: &Model, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let live = &model.live;
    let typing = u16::from(live.types);
    let rows = [Constraint::Min(0), Constraint::Length(typing)];
    let [list, filter] = Layout::vertical(rows).areas(area);
    let mut title = match (live.paused, live.follows) {
        (true, _) if live.waits == 1 => "paused: 1 waits (Space goes on)".to_owned(),
        (true, _) => format!("paused: {} wait (Space goes on)", number(live.waits)),
        (false, true) => "as they become durable here".to_owned(),
        (false, false) => "nothing is told before a daemon runs".to_owned(),
    };
    if !live.filter.is_empty() && !live.types {
        title = format!("{title}; only with {:?} (Esc: all)", crate::render::escape(&live.filter));
    }
    let block = part(cut(&title, usize::from(list.width)));
    let inner = block.inner(list);
    frame.render_widget(block, list);
    let height = usize::from(inner.height);
    let skip = live.back.saturating_sub(height.saturating_sub(1));
    let mut lines: Vec<Line<'static>> = live
        .shown()
        .skip(skip)
        .take(height)
        .enumerate()
        .map(|(at, told)| {
            let line = line(told, paint, usize::from(inner.width));
            match live.paused && at + skip == live.back {
                true => line.style(Modifier::REVERSED),
                false => line,
            }
        })
        .collect();
    if lines.is_empty() && live.follows {
        let none = if live.kept() == 0 { "nothing yet" } else { "none holds that" };
        lines.push(Line::from(paint.span(Tone::Faint, none)));
    }
    lines.reverse();
    frame.render_widget(Paragraph::new(lines), inner);
    if live.types {
        typed(frame, filter, "only with: ", &live.filter, true);
    }
}

fn line(told: &seen::Line, paint: Paint, width: usize) -> Line<'static> {
    let told = match told {
        seen::Line::Datagram(told) => told,
        seen::Line::Much { log, bytes: more } => {
            let much = format!("{} of {log} at once: too much to show", sized(*more));
            return Line::from(paint.span(Tone::Warn, much));
        }
        seen::Line::Beat => return Line::default(),
    };
    let delay = match (told.own, told.delay_ms) {
        (true, _) => "own".to_owned(),
        (false, Some(ms)) => span_ms(ms),
        (false, None) => "old".to_owned(),
    };
    let (at, node) = (&told.at, cut(&told.node, 12));
    // Where there is little room what was written counts more than when and how fast.
    let head = match width {
        ..60 => format!("{node:<8} "),
        60..90 => format!("{at}  {node:<10} "),
        _ => format!("{at}  {node:<12} {delay:>7}  "),
    };
    let left = width.saturating_sub(Span::raw(head.as_str()).width());
    let place = cut(&format!("{} {}", told.target, told.field), left);
    let left = left.saturating_sub(Span::raw(place.as_str()).width() + 1);
    let value = if told.removed { "removed" } else { &told.value };
    Line::from(vec![
        paint.span(Tone::Faint, head),
        Span::raw(format!("{place} ")),
        paint.span(if told.removed { Tone::Warn } else { Tone::Strong }, cut(value, left)),
    ])
}
