//! How much comes and how long it took, over the last minutes.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline};

use super::{Paint, WIDE, cut, part};
use crate::render::Tone;
use crate::tui::model::Model;
use crate::tui::model::rates::{BOUNDS_MS, Delays, Second};
use crate::words::{number, sized, span_ms};

/// A figure of a second; none where there was nothing to measure.
type Figure = fn(&Second) -> Option<u64>;

pub(super) fn draw(model: &Model, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let (charts, bars) = match (area.width >= WIDE, area.height >= 20) {
        (true, _) => {
            let halves = [Constraint::Min(0), Constraint::Length(44)];
            let [charts, bars] = Layout::horizontal(halves).spacing(1).areas(area);
            (charts, Some(bars))
        }
        (false, true) => {
            let bars = u16::try_from(BOUNDS_MS.len()).unwrap_or(9) + 2;
            let [charts, bars] =
                Layout::vertical([Constraint::Min(0), Constraint::Length(bars)]).areas(area);
            (charts, Some(bars))
        }
        (false, false) => (area, None),
    };
    let figures: [(&str, bool, Figure); 5] = [
        ("others, a second", false, |it| Some(it.others)),
        ("own, a second", false, |it| Some(it.own)),
        ("delay p50", true, |it| it.delays().map(|it| it.p50_ms)),
        ("delay p95", true, |it| it.delays().map(|it| it.p95_ms)),
        ("delay max", true, |it| it.delays().map(|it| it.max_ms)),
    ];
    // Each needs a line of words and one of picture; what does not fit is named.
    let fit = usize::from(charts.height.saturating_sub(2) / 2).min(figures.len());
    let gone: Vec<&str> = figures[fit..].iter().map(|(name, ..)| *name).collect();
    let seconds: Vec<&Second> = model.rates.last(usize::from(charts.width)).collect();
    let over = span_ms(u64::try_from(seconds.len()).unwrap_or(0) * 1_000);
    let mut title = format!("the last {over}");
    if !gone.is_empty() {
        title = format!("{title}; no room: {}", gone.join(", "));
    }
    let block = part(cut(&title, usize::from(charts.width)));
    let mut inner = block.inner(charts);
    frame.render_widget(block, charts);
    let untold = model.rates.untold_bytes;
    if untold > 0 && inner.height > 0 {
        let told = format!("{} came at once and are not counted", sized(untold));
        let line = Rect { height: 1, ..inner };
        frame.render_widget(Paragraph::new(paint.span(Tone::Warn, told)), line);
        inner = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
    }
    let rooms = Layout::vertical(vec![Constraint::Fill(1); fit]).split(inner);
    for ((name, is_ms, figure), room) in figures.into_iter().take(fit).zip(rooms.iter()) {
        chart(
            name,
            is_ms,
            &seconds.iter().map(|it| figure(it)).collect::<Vec<_>>(),
            paint,
            frame,
            *room,
        );
    }
    if let Some(bars) = bars {
        histogram(model, paint, frame, bars);
    }
}

fn chart(
    name: &str,
    is_ms: bool,
    values: &[Option<u64>],
    paint: Paint,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let shown = |value: Option<u64>| match value {
        None => "-".to_owned(),
        Some(value) if is_ms => span_ms(value),
        Some(value) => number(value),
    };
    let now = values.last().copied().flatten();
    let most = values.iter().flatten().max().copied();
    let text = Line::from(vec![
        Span::raw(format!("{name}: ")),
        paint.span(Tone::Strong, shown(now)),
        paint.span(Tone::Faint, format!("  at most {}", shown(most))),
    ]);
    let [words, picture] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    frame.render_widget(Paragraph::new(text), words);
    let last = values.len().saturating_sub(usize::from(picture.width));
    // The newest stands at the right edge, also while there are few.
    let empty = usize::from(picture.width).saturating_sub(values.len());
    let bars: Vec<Option<u64>> =
        std::iter::repeat_n(None, empty).chain(values[last..].iter().copied()).collect();
    let tone = if is_ms { Tone::Warn } else { Tone::Good };
    let spark = Sparkline::default().data(bars).max(most.unwrap_or(0).max(1)).style(paint.of(tone));
    frame.render_widget(spark, picture);
}

/// How many took how long, in minutes that are kept.
fn histogram(model: &Model, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let told = match model.rates.delays() {
        None => "how long others' took: none came yet".to_owned(),
        Some(Delays { p50_ms, p95_ms, max_ms }) => {
            let (p50, p95, max) = (span_ms(p50_ms), span_ms(p95_ms), span_ms(max_ms));
            format!("how long others' took: p50 {p50}, p95 {p95}, max {max}")
        }
    };
    let bars = model.rates.histogram();
    let most = bars.iter().max().copied().unwrap_or(0).max(1);
    let last = BOUNDS_MS.last().copied().unwrap_or(0);
    let label = |at: usize| match BOUNDS_MS.get(at) {
        Some(bound) => format!("to {}", span_ms(*bound)),
        None => format!("over {}", span_ms(last)),
    };
    let room = usize::from(area.width).saturating_sub(22);
    let line = |(at, count): (usize, &u64)| {
        let long = (*count as f64 / most as f64 * room as f64).ceil() as usize;
        Line::from(vec![
            paint.span(Tone::Faint, format!("{:>9} ", label(at))),
            paint.span(Tone::Warn, "█".repeat(long.min(room))),
            Span::raw(format!(" {}", number(count))),
        ])
    };
    let lines: Vec<Line<'static>> = bars.iter().enumerate().map(line).collect();
    let block = part(cut(&told, usize::from(area.width)));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
