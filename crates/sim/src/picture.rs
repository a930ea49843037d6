//! A measured run as a drawing (SVG): up to fifty nodes a row each, beyond that the share of nodes
//! that hold each write.

use std::fmt::Write as _;

use crate::watch::{Away, Watch};

/// Nodes up to which each has a row.
const ROWS_MAX: usize = 50;
const WIDTH: f64 = 1200.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 44.0;
const SECOND: f64 = 1e6;

/// What came sooner than so many microseconds is drawn so.
const AGES: [(u32, &str, &str); 3] = [
    (500_000, "#4a90c2", "within 0.5 s"),
    (2_000_000, "#e39a2d", "within 2 s"),
    (u32::MAX, "#c8352b", "later"),
];

/// Where things are on the paper.
struct Paper {
    text: String,
    height: f64,
}

impl Watch {
    /// The run as SVG.
    #[must_use]
    pub fn picture(&self) -> String {
        if self.nodes() <= ROWS_MAX { self.rows() } else { self.shares() }
    }

    fn rows(&self) -> String {
        let row = (720.0 / self.nodes() as f64).clamp(14.0, 36.0);
        let mut paper = Paper::new(TOP + row * self.nodes() as f64 + BOTTOM);
        let span = (self.last_held.max(self.last_write) - self.since) as f64 * 1.02 + SECOND / 10.0;
        let x = |at: u64| across(at.saturating_sub(self.since) as f64 / span);
        let y = |node: usize| TOP + row * (node as f64 + 0.5);
        paper.seconds(span);
        for away in &self.parted {
            self.shade(&mut paper, away, "#b9a5d6", &x, &y, row);
        }
        for away in &self.downs {
            self.shade(&mut paper, away, "#d0d0d0", &x, &y, row);
        }
        for node in 0..self.nodes() {
            paper.line((LEFT, y(node)), (WIDTH - RIGHT, y(node)), "#e4e4e4");
            if row >= 9.0 || node % 5 == 0 {
                paper.label((LEFT - 8.0, y(node) + 3.5), "end", &format!("n{node}"));
            }
        }
        for (age, (until, colour, _)) in AGES.iter().enumerate() {
            let from = age.checked_sub(1).map_or(0, |before| AGES[before].0);
            let mut path = String::new();
            for write in &self.writes {
                let late = |(_, took): &(usize, u32)| (from..*until).contains(took);
                for (node, took) in self.deliveries(write).filter(late) {
                    let (x, y) = (x(write.at + u64::from(took)), y(node) - row * 0.32);
                    let _ = write!(path, "M{x:.1} {y:.1}v{:.1}", row * 0.64);
                }
            }
            paper.stroke(&path, colour, 1.0, 0.75);
        }
        let dot = (row * 0.2).clamp(2.0, 4.0);
        for write in &self.writes {
            let (x, y) = (x(write.at), y(write.node));
            let _ = writeln!(paper.text, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{dot:.1}\"/>");
        }
        for down in &self.downs {
            let (x, y) = (x(down.from), y(down.nodes[0]));
            paper.cross((x, y), (row * 0.3).clamp(3.5, 7.0));
        }
        self.legend(&mut paper);
        paper.finish()
    }

    fn shade(
        &self,
        paper: &mut Paper,
        away: &Away,
        colour: &str,
        x: &dyn Fn(u64) -> f64,
        y: &dyn Fn(usize) -> f64,
        row: f64,
    ) {
        let end = self.last_held.max(self.last_write);
        let from = x(away.from);
        let width = (x(away.until.unwrap_or(end).min(end)) - from).max(2.0);
        for node in &away.nodes {
            let top = y(*node) - row / 2.0;
            let _ = writeln!(
                paper.text,
                "<rect x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{row:.1}\" fill=\"{colour}\" fill-opacity=\"0.45\"/>"
            );
        }
    }

    fn legend(&self, paper: &mut Paper) {
        paper.title(&format!("{} nodes, {} writes", self.nodes(), self.writes.len()));
        let mut x = LEFT + 170.0;
        let y = 26.0;
        let _ = writeln!(paper.text, "<circle cx=\"{x}\" cy=\"{y}\" r=\"4\"/>");
        paper.label((x + 9.0, y + 4.0), "start", "a write     durable there:");
        x += 200.0;
        for (_, colour, text) in AGES {
            paper.stroke(&format!("M{x} {}v14", y - 7.0), colour, 2.0, 1.0);
            paper.label((x + 7.0, y + 4.0), "start", text);
            x += 96.0;
        }
        for (some, colour, text) in
            [(&self.parted, "#b9a5d6", "cut off"), (&self.downs, "#d0d0d0", "down")]
        {
            if !some.is_empty() {
                let _ = writeln!(
                    paper.text,
                    "<rect x=\"{x}\" y=\"{}\" width=\"18\" height=\"14\" fill=\"{colour}\" fill-opacity=\"0.6\"/>",
                    y - 7.0
                );
                paper.label((x + 24.0, y + 4.0), "start", text);
                x += 84.0;
            }
        }
        if !self.downs.is_empty() {
            paper.cross((x + 5.0, y), 5.0);
            paper.label((x + 16.0, y + 4.0), "start", "power cut");
        }
    }

    /// The share of nodes that hold each write, by the time since it.
    fn shares(&self) -> String {
        let mut paper = Paper::new(560.0);
        let times: Vec<Vec<u32>> = self.writes.iter().map(|write| self.times(write)).collect();
        let most = times.iter().flatten().copied().max().unwrap_or(0).max(1_000);
        let least = times.iter().filter_map(|t| t.first()).copied().min().unwrap_or(1).max(1_000);
        let low = f64::from(least).log10().floor();
        let high = (f64::from(most) * 1.1).log10();
        let x = |us: f64| across(((us.max(1.0).log10() - low) / (high - low)).clamp(0.0, 1.0));
        let bottom = paper.height - BOTTOM;
        let y = |share: f64| bottom - share * (bottom - TOP);
        for percent in [0, 25, 50, 75, 100] {
            let y = y(f64::from(percent) / 100.0);
            paper.line((LEFT, y), (WIDTH - RIGHT, y), "#e4e4e4");
            paper.label((LEFT - 8.0, y + 3.5), "end", &format!("{percent}%"));
        }
        for us in (0..6).flat_map(|e| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(e + 3))) {
            if (low..=high).contains(&us.log10()) {
                paper.line((x(us), TOP), (x(us), bottom), "#eeeeee");
                paper.label((x(us), bottom + 16.0), "middle", &time(us));
            }
        }
        let others = self.nodes().saturating_sub(1).max(1) as f64;
        let curve = |times: &[u32]| {
            let mut path = format!("M{:.1} {:.1}", LEFT, y(0.0));
            // A point for each pixel is enough.
            let every = (times.len() / 500).max(1);
            for (number, us) in times.iter().enumerate() {
                if number % every == 0 || number + 1 == times.len() {
                    let share = (number + 1) as f64 / others;
                    let _ = write!(path, "L{:.1} {:.1}", x(f64::from(*us)), y(share));
                }
            }
            path
        };
        let thin = (60.0 / times.len().max(1) as f64).clamp(0.06, 0.5);
        for times in times.iter().filter(|times| !times.is_empty()) {
            paper.stroke(&curve(times), "#4a90c2", 0.8, thin);
        }
        let mut all: Vec<u32> = times.iter().flatten().copied().collect();
        all.sort_unstable();
        let usual: Vec<u32> = all.into_iter().step_by(times.len().max(1)).collect();
        paper.stroke(&curve(&usual), "#1b3a57", 2.5, 1.0);
        let counts = format!("{} nodes, {} writes", self.nodes(), self.writes.len());
        paper.title(&format!("{counts}: share of nodes that hold a write, by the time since it"));
        paper.finish()
    }
}

fn across(share: f64) -> f64 {
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

fn time(us: f64) -> String {
    if us < SECOND { format!("{} ms", us / 1e3) } else { format!("{} s", us / SECOND) }
}

impl Paper {
    fn new(height: f64) -> Self {
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"sans-serif\" font-size=\"11\">\n"
        );
        text += "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
        Self { text, height }
    }

    /// Marks on the axis of time, about ten.
    fn seconds(&mut self, span: f64) {
        let steps = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0];
        let step = steps.into_iter().find(|step| span / SECOND / step <= 14.0).unwrap_or(3_600.0);
        let bottom = self.height - BOTTOM;
        for mark in 0..=(span / SECOND / step) as u32 {
            let at = f64::from(mark) * step;
            let x = across(at * SECOND / span);
            self.line((x, TOP), (x, bottom), "#eeeeee");
            self.label((x, bottom + 16.0), "middle", &format!("{at} s"));
        }
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str) {
        let path = format!("M{:.1} {:.1}L{:.1} {:.1}", from.0, from.1, to.0, to.1);
        self.stroke(&path, colour, 1.0, 1.0);
    }

    fn stroke(&mut self, path: &str, colour: &str, width: f64, opacity: f64) {
        if !path.is_empty() {
            let _ = writeln!(
                self.text,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-opacity=\"{opacity:.2}\"/>"
            );
        }
    }

    fn cross(&mut self, (x, y): (f64, f64), arm: f64) {
        let (l, r, t, b) = (x - arm, x + arm, y - arm, y + arm);
        let path = format!("M{l:.1} {t:.1}L{r:.1} {b:.1}M{l:.1} {b:.1}L{r:.1} {t:.1}");
        self.stroke(&path, "#c8352b", 2.0, 1.0);
    }

    fn label(&mut self, (x, y): (f64, f64), anchor: &str, text: &str) {
        let _ = writeln!(
            self.text,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#444\">{text}</text>"
        );
    }

    fn title(&mut self, text: &str) {
        let _ = writeln!(self.text, "<text x=\"16\" y=\"31\" font-size=\"15\">{text}</text>");
    }

    fn finish(mut self) -> String {
        self.text += "</svg>\n";
        self.text
    }
}
