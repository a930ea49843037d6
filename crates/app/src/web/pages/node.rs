//! A node: how it is, which logs are held here, and what it told of itself over time.

use std::collections::BTreeMap;
use std::sync::Arc;

use cocli_core::{Datagram, NodeId, Target};
use cocli_node::{Home, NodeError};
use maud::{Markup, html};

use super::home::{behind, clock_of, disk, memory, told};
use super::{standing, toned, when};
use crate::clock;
use crate::cluster::Node;
use crate::failure::Failure;
use crate::web::chart;
use crate::web::shell::Page;
use crate::web::site::Site;
use crate::web::speech::{self, ago, number};
use crate::words::{self, span, whole};

/// Days of history that are drawn.
const DAYS: i64 = 7;
const DAY_MICROS: i64 = 86_400_000_000;

fn sized(bytes: f64) -> String {
    words::sized(whole(bytes))
}

/// What is drawn: the field, its title, how it is said.
type Drawn = (&'static str, &'static str, fn(f64) -> String);

const DRAWN: [Drawn; 8] = [
    ("load", "Load", number),
    ("memory_free", "Memory free", sized),
    ("resident", "Daemon's memory", sized),
    ("disk_free", "Disk free", sized),
    ("temperature", "Temperature", |value| format!("{value:.0} °C")),
    ("clock_ahead_us", "Clock", |us| speech::clock(us as i64)),
    ("queued", "Tasks that wait", number),
    ("bucket_lag", "Not in the bucket", sized),
];

pub(in crate::web) fn page(site: &Arc<Site>, home: &Home, name: &str) -> Result<Page, Failure> {
    let id = NodeId::read(name)?;
    let seen = site.seen(home);
    let node = seen.cluster.nodes.iter().find(|node| node.name == id.as_str());
    let target = Target::read(&format!("nodes/{id}"))?;
    let history = home.history(Some(&target), None)?;
    let logs: Vec<_> = home
        .vector()?
        .0
        .into_iter()
        .filter(|(log, _)| log.month.is_none() && log.node == id)
        .collect();
    if node.is_none() && history.is_empty() && logs.is_empty() {
        return Err(NodeError::Unknown { name: target.to_string(), nearest: None }.into());
    }
    let drawn = charts(&history);
    let body = html! {
        h1 { (id) @if node.is_some_and(|node| node.me) { span.faint { " this one" } } }
        @if let Some(node) = node { (facts(node)) }
        section aria-labelledby="history" {
            h2 #history { "The last " (DAYS) " days" }
            @if drawn.is_empty() { p.faint { "It has told nothing of itself yet: a daemon does, at its start and every 10 minutes." } }
            div.charts { @for chart in &drawn { (chart) } }
        }
        section aria-labelledby="logs" {
            h2 #logs { "Its logs, as far as they are held here" }
            table {
                thead { tr { @for name in ["Log", "Held", "Hash"] { th scope="col" { (name) } } } }
                tbody { @for (log, head) in &logs {
                    tr { th scope="row" { (log) } td data-label="Held" { (words::sized(head.position)) span.faint { " " (head.position) " bytes" } } td.hash data-label="Hash" { (head.hash) } }
                } }
            }
            @if logs.is_empty() { p.faint { "Nothing that it wrote is here." } }
        }
        (events(&history))
    };
    Ok(Page::new(name, "/", body).live("cluster"))
}

fn facts(node: &Node) -> Markup {
    let (tone, word) = standing(node.standing);
    let condition = &node.condition;
    let number_of = |key: &str| condition.number(key);
    let (version, up) = (condition.text("version"), number_of("up_s").map(|s| span(whole(s))));
    let rows: [(&str, Markup); 15] = [
        ("Standing", toned(tone, word)),
        ("Address", told(node.address.as_deref())),
        ("Heard", told(node.heard_ms.map(ago).as_deref())),
        (
            "Round trip",
            told(node.round_trip_us.map(|us| format!("{:.1} ms", us as f64 / 1_000.0)).as_deref()),
        ),
        ("Clock", clock_of(node)),
        ("Behind", behind(node)),
        ("Told", told(node.condition_ms.map(ago).as_deref())),
        ("Version", told(version)),
        ("Daemon runs for", told(up.as_deref())),
        (
            "Load",
            told(
                number_of("load")
                    .map(|load| {
                        format!(
                            "{} of {}",
                            number(load),
                            number_of("cores").map_or("?".into(), number)
                        )
                    })
                    .as_deref(),
            ),
        ),
        ("Memory", memory(node)),
        ("Daemon's memory", told(number_of("resident").map(sized).as_deref())),
        ("Disk", disk(node)),
        ("Temperature", told(number_of("temperature").map(|t| format!("{t:.0} °C")).as_deref())),
        ("Digest", told(condition.text("digest"))),
    ];
    html! {
        dl.facts {
            @for (name, value) in rows { div { dt { (name) } dd { (value) } } }
            @if condition.object().is_empty() { div { dt { "Condition" } dd { "not told" } } }
        }
    }
}

/// What was told of each number over time.
fn charts(history: &[Datagram]) -> Vec<Markup> {
    let now = clock::now().micros();
    let mut of: BTreeMap<&str, Vec<(i64, f64)>> = BTreeMap::new();
    for d in history {
        let number = d.entry.value.shown().parse().ok().filter(|number: &f64| number.is_finite());
        if let Some(number) = number {
            of.entry(d.field.as_str()).or_default().push((d.entry.stamp.instant.micros(), number));
        }
    }
    // Of a node that is young, all of its life.
    let first = of.values().flatten().map(|(at, _)| *at).min().unwrap_or(now);
    let from = first.max(now - DAYS * DAY_MICROS);
    let chart = |(field, title, say): &Drawn| {
        let mut points = of.remove(*field)?;
        points.sort_by_key(|(at, _)| *at);
        // What held when the time that is shown began still counts.
        let first = points.partition_point(|(at, _)| *at < from).saturating_sub(1);
        Some(chart::line(title, &points[first..], (from, now), say))
    };
    DRAWN.iter().filter_map(chart).collect()
}

/// What it said that is no number, and when: that it stopped, which version it is.
fn events(history: &[Datagram]) -> Markup {
    let mut told: Vec<&Datagram> = history
        .iter()
        .filter(|d| {
            !d.entry.value.is_null()
                && matches!(d.field.as_str(), "stopped" | "version" | "left" | "removed")
        })
        .collect();
    told.sort_by(|one, other| other.entry.cmp(&one.entry));
    html! {
        @if !told.is_empty() {
            section aria-labelledby="events" {
                h2 #events { "What it said" }
                ol.past { @for d in told.iter().take(20) { li { (when(d.entry.stamp.instant)) " " (d.field) " " q { (d.entry.value.shown()) } } } }
            }
        }
    }
}
