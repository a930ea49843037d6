//! Pictures as SVG, made here: no script, no style but that of the page, each with its words.

use maud::{Markup, html};

/// A node on the map.
#[derive(Debug)]
pub(super) struct Dot<'a> {
    pub(super) name: &'a str,
    /// Its standing in a word.
    pub(super) word: &'a str,
    /// The class that colours it.
    pub(super) tone: &'static str,
    pub(super) me: bool,
    /// Whether it is heard from here.
    pub(super) heard: bool,
}

/// Letters of a name on the map.
const NAME_CHARS: usize = 14;
const MAP: (f64, f64) = (480.0, 260.0);
/// Nodes in a circle; more are drawn on two.
const RING: usize = 12;

/// The nodes, each group that hears itself a circle; lines go from this node to those that it hears.
pub(super) fn map(groups: &[Vec<Dot<'_>>]) -> Markup {
    let share = MAP.0 / groups.len().max(1) as f64;
    let mut placed = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        let middle = (share * (number as f64 + 0.5), MAP.1 / 2.0 - 8.0);
        for (at, dot) in group.iter().enumerate() {
            placed.push((spot(middle, share, at, group.len()), dot));
        }
    }
    let me = placed.iter().find(|(_, dot)| dot.me).map(|(at, _)| *at);
    let words: Vec<String> =
        placed.iter().map(|(_, dot)| format!("{}: {}", dot.name, dot.word)).collect();
    html! {
        svg.map viewBox={ "0 0 " (MAP.0) " " (MAP.1) } role="img" aria-label={ "Map of the cluster. " (words.join(", ")) } {
            @for (at, dot) in placed.iter().filter(|(_, dot)| !dot.me) {
                @if let Some(me) = me {
                    line.edge.(dot.tone).away[!dot.heard] x1=(one(me.0)) y1=(one(me.1)) x2=(one(at.0)) y2=(one(at.1)) {}
                }
            }
            @for (at, dot) in &placed {
                circle.dot.(dot.tone) cx=(one(at.0)) cy=(one(at.1)) r=(if dot.me { 13 } else { 10 }) {}
                @if dot.me { circle.me cx=(one(at.0)) cy=(one(at.1)) r="18" {} }
                text x=(one(at.0)) y=(one(at.1 + 31.0)) text-anchor="middle" { (short(dot.name)) }
                text.faint x=(one(at.0)) y=(one(at.1 + 45.0)) text-anchor="middle" { (dot.word) }
            }
        }
    }
}

/// Where one of many stands around a middle.
fn spot(middle: (f64, f64), share: f64, at: usize, many: usize) -> (f64, f64) {
    if many == 1 {
        return middle;
    }
    let (inner, turn) =
        (at % 2 == 1 && many > RING, at as f64 / many as f64 * std::f64::consts::TAU);
    let wide = (share / 2.0 - 56.0).max(20.0);
    let (x, y) = if inner { (wide * 0.5, 45.0) } else { (wide, 85.0) };
    (middle.0 + x * turn.sin(), middle.1 - y * turn.cos())
}

fn short(name: &str) -> String {
    if name.chars().count() <= NAME_CHARS {
        return name.to_owned();
    }
    name.chars().take(NAME_CHARS - 1).chain(['…']).collect()
}

const BARS: (f64, f64) = (480.0, 150.0);

/// How often each came to pass.
pub(super) fn bars(title: &str, counts: &[(String, usize)]) -> Markup {
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1) as f64;
    let wide = BARS.0 / counts.len().max(1) as f64;
    let told: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name}: {count}"))
        .collect();
    html! {
        svg.bars viewBox={ "0 0 " (BARS.0) " " (BARS.1) } role="img" aria-label={ (title) ". " (told.join(", ")) } {
            line.axis x1="0" x2=(BARS.0) y1="120.5" y2="120.5" {}
            @for (number, (name, count)) in counts.iter().enumerate() {
                @let left = wide * number as f64;
                @let tall = (*count as f64 / most * 100.0).max(if *count > 0 { 2.0 } else { 0.0 });
                rect.bar x=(one(left + 2.0)) y=(one(120.0 - tall)) width=(one(wide - 4.0)) height=(one(tall)) {}
                @if *count > 0 {
                    text.count x=(one(left + wide / 2.0)) y=(one(116.0 - tall)) text-anchor="middle" { (count) }
                }
                text.faint x=(one(left + wide / 2.0)) y="138" text-anchor="middle" { (name) }
            }
        }
    }
}

const LINE: (f64, f64) = (320.0, 64.0);

/// A value over time that holds until the next one is told; `from` to `until` is the time that is shown.
pub(super) fn line(
    title: &str,
    points: &[(i64, f64)],
    (from, until): (i64, i64),
    say: &dyn Fn(f64) -> String,
) -> Markup {
    let Some(last) = points.last().map(|(_, value)| *value) else { return html! {} };
    let low = points.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
    let (span, time) = ((high - low).max(f64::EPSILON), (until - from).max(1) as f64);
    let x = |at: i64| ((at - from) as f64 / time).clamp(0.0, 1.0) * LINE.0;
    let y = |value: f64| if high > low { 58.0 - (value - low) / span * 52.0 } else { 32.0 };
    let mut path = String::new();
    for (at, value) in points {
        match path.is_empty() {
            true => path = format!("M{} {}", one(x(*at)), one(y(*value))),
            false => path.push_str(&format!("H{}V{}", one(x(*at)), one(y(*value)))),
        }
    }
    path.push_str(&format!("H{}", one(LINE.0)));
    html! {
        figure.chart {
            figcaption { (title) " " strong { (say(last)) } @if high > low { span.faint { " " (say(low)) " to " (say(high)) } } }
            svg viewBox={ "0 0 " (LINE.0) " " (LINE.1) } preserveAspectRatio="none" role="img"
                aria-label={ (title) ": " (say(last)) ", between " (say(low)) " and " (say(high)) } {
                line.axis x1="0" x2=(LINE.0) y1="62.5" y2="62.5" {}
                path.line d=(path) {}
            }
        }
    }
}

fn one(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(name: &str, me: bool) -> Dot<'_> {
        Dot { name, word: "alive", tone: "good", me, heard: true }
    }

    #[test]
    fn each_node_is_on_the_map_within_its_frame_and_nothing_of_a_name_is_markup() {
        let names: Vec<String> = (0..40).map(|n| format!("n{n}")).collect();
        for many in [1, 2, 8, 40] {
            let dots: Vec<Dot<'_>> =
                names[..many].iter().map(|name| dot(name, name == "n0")).collect();
            let svg = map(&[dots]).into_string();
            assert_eq!(svg.matches("class=\"dot ").count(), many);
            let cut = |key: &str| -> Vec<f64> {
                svg.split(&format!(" {key}=\""))
                    .skip(1)
                    .map(|rest| rest[..rest.find('"').unwrap()].parse().unwrap())
                    .collect()
            };
            assert!(
                cut("cx").iter().all(|x| (20.0..=460.0).contains(x))
                    && cut("cy").iter().all(|y| (18.0..=215.0).contains(y))
            );
        }
        let svg = map(&[vec![dot("<b>", true)], vec![dot("\"x", false)]]).into_string();
        assert!(!svg.contains("<b>") && svg.contains("&lt;b&gt;") && svg.contains("&quot;x"));
    }

    #[test]
    fn a_line_of_one_value_or_of_none_is_drawn_too() {
        assert_eq!(line("load", &[], (0, 10), &|v| v.to_string()).into_string(), "");
        let flat = line("load", &[(5, 1.0)], (0, 10), &|v| v.to_string()).into_string();
        assert!(flat.contains("d=\"M160.0 32.0H320.0\""), "{flat}");
        let step = line("load", &[(0, 0.0), (5, 1.0)], (0, 10), &|v| v.to_string()).into_string();
        assert!(
            step.contains("d=\"M0.0 58.0H160.0V6.0H320.0\"") && step.contains("0 to 1"),
            "{step}"
        );
        assert!(bars("none", &[]).into_string().contains("svg"));
    }
}
