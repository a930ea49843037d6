//! The first page: is everyone alive, is everyone the same, who is behind, what needs a person.

use std::sync::Arc;

use cocli_node::Home;
use maud::{Markup, html};

use super::{problems, standing, tone, worded};
use crate::failure::Failure;
use crate::render::counted;
use crate::web::chart::{self, Dot};
use crate::web::cluster::{Cluster, Node, Sameness};
use crate::web::shell::Page;
use crate::web::site::Site;
use crate::web::speech::{ago, clock, long, number, sized};
use crate::web::write::encoded;

/// Nodes that the map has room for; the table has all.
const MAP_MAX: usize = 24;

pub(in crate::web) fn page(site: &Arc<Site>, home: &Home) -> Result<Page, Failure> {
    let (seen, health) = (site.seen(home), site.health());
    let [companies, people] = site.count(home)?;
    let problems = problems::all(&seen, health.as_deref());
    let lost = health.as_ref().and_then(|health| health.losses.as_ref());
    let (lost, many) = lost.map_or((0, false), |losses| (losses.fields, losses.many));
    let cluster = &seen.cluster;
    let body = html! {
        h1 { (headline(cluster, seen.silent.is_none())) }
        p.lead { (sameness(cluster, seen.runs)) }
        p {
            a href="/companies" { (counted(companies, "company", "companies")) } ", "
            a href="/people" { (counted(people, "person", "people")) }
            @if many { ", " a href="/conflicts" { "many conflicts" } }
            @else if lost > 0 { ", " a href="/conflicts" { (counted(lost, "conflict", "conflicts")) } }
            @if health.is_none() { span.faint { " · the cards are still being looked at" } }
        }
        @if !problems.is_empty() {
            section.problems aria-labelledby="problems" {
                h2 #problems { (counted(problems.len(), "thing needs", "things need")) " a person" }
                ul { @for problem in &problems {
                    li { (problem.what) @if !problem.next.is_empty() { span.next { " Next: " (worded(&problem.next)) } } }
                } }
            }
        }
        section.both aria-label="Nodes" {
            @if cluster.nodes.len() > 1 { (map(cluster)) }
            @if !cluster.nodes.is_empty() { (table(cluster)) }
        }
    };
    Ok(Page::new("Cluster", "/", body).live("cluster"))
}

fn headline(cluster: &Cluster, told: bool) -> String {
    let meant: Vec<&Node> = cluster.nodes.iter().filter(|node| !node.is_gone()).collect();
    let up = meant.iter().filter(|node| node.is_up()).count();
    match meant.len() {
        _ if !told => counted(meant.len(), "node is known", "nodes are known"),
        1 if up == 1 => "This node is alone".into(),
        all => format!("{up} of {} up", counted(all, "node is", "nodes are")),
    }
}

/// Whether all is everywhere, in a sentence.
fn sameness(cluster: &Cluster, runs: bool) -> Markup {
    let Some(same) = &cluster.sameness else {
        return html! { @if runs { "Whether all are the same is not known." } @else { "Whether all are the same, nobody tells while no daemon runs here." } };
    };
    let Sameness { state, same: count, of, as_of, behind, .. } = same;
    let old = cluster
        .oldest_ms
        .map(|ms| format!(" The oldest change that is not everywhere is {} old.", long(ms)));
    html! {
        @match state.as_str() {
            "identical" => {
                (tone("good", &format!("{count} of {of} identical")))
                @if let Some(at) = as_of { " as of " (moment(at)) }
                "."
            }
            "spreading" => {
                (tone("warn", "Changes are spreading")) ": " (count) " of " (of) " hold everything"
                @if !behind.is_empty() { "; behind: " (behind.join(", ")) }
                "."
            }
            "differing" => { (tone("bad", "They differ")) ": the same logs, and another state. What differs is named below." }
            "alone" => { "Nobody else is up: what is here is only here." }
            _ => { "Whether all are the same is not known yet: a node that is up has not told its digest." }
        }
        @if let Some(old) = old { (old) }
    }
}

/// A time that the daemon told.
fn moment(text: &str) -> Markup {
    match cocli_core::Instant::read(text) {
        Some(at) => super::when(at),
        None => html! { (text) },
    }
}

/// Each part into which the cluster fell is a group; who is in none of them another one.
fn map(cluster: &Cluster) -> Markup {
    let dots = |wanted: &dyn Fn(&str) -> bool| -> Vec<Dot<'_>> {
        let meant = cluster.nodes.iter().filter(|node| !node.is_gone()).take(MAP_MAX);
        let dot = |node: &'_ Node| {
            (standing(&node.standing).0, if node.me { "this node" } else { word(&node.standing) })
        };
        let shown = meant.filter(|node| wanted(&node.name)).map(|node| (node, dot(node)));
        let heard = |node: &Node| matches!(node.standing.as_str(), "alive" | "suspect");
        shown
            .map(|(node, (tone, word))| Dot {
                name: &node.name,
                word,
                tone,
                me: node.me,
                heard: heard(node),
            })
            .collect()
    };
    let parts = &cluster.parts;
    let in_none = |name: &str| !parts.iter().flatten().any(|one| one == name);
    let groups = parts.iter().map(|part| dots(&|name| part.iter().any(|one| one == name)));
    let groups = groups.chain([dots(&in_none)]).filter(|group| !group.is_empty());
    chart::map(&groups.collect::<Vec<_>>())
}

/// A standing as the map has room for it.
fn word(standing: &str) -> &'static str {
    match standing {
        "alive" => "alive",
        "suspect" => "silent",
        "down" => "down",
        "unheard" => "not heard",
        "stopped" => "stopped",
        "unmet" => "never met",
        _ => "not known",
    }
}

fn table(cluster: &Cluster) -> Markup {
    html! {
        table.nodes {
            caption.quiet { "The nodes of the cluster, as this one sees them" }
            thead { tr {
                @for name in ["Node", "Standing", "Load", "Memory", "Disk", "Clock", "Behind", "Told"] { th scope="col" { (name) } }
            } }
            tbody { @for node in &cluster.nodes { (row(node)) } }
        }
    }
}

fn row(node: &Node) -> Markup {
    let (class, word) = standing(&node.standing);
    let condition = &node.condition;
    let load = condition.number("load").map(|load| {
        condition
            .number("cores")
            .map_or_else(|| number(load), |cores| format!("{} of {}", number(load), number(cores)))
    });
    html! {
        tr {
            th scope="row" {
                a href={ "/node/" (encoded(&node.name)) } { (node.name) }
                @if node.me { span.faint { " this one" } }
            }
            td data-label="Standing" { (tone(class, word)) }
            td data-label="Load" { (told(load.as_deref())) }
            td data-label="Memory" { (part(condition.free("memory"), condition.number("memory_free"), 0.05)) }
            td data-label="Disk" { (part(condition.free("disk"), condition.number("disk_free"), 0.05)) }
            td data-label="Clock" { (clock_of(node)) }
            td data-label="Behind" { (behind(node)) }
            td data-label="Told" { (told(node.condition_ms.map(ago).as_deref())) }
        }
    }
}

/// A dash where nothing is told, which is read as such.
pub(super) fn told(text: Option<&str>) -> Markup {
    match text {
        Some(text) => html! { (text) },
        None => html! { span.faint.untold title="not told" { "–" } },
    }
}

/// How much is free, and a word where that is little.
pub(super) fn part(free: Option<f64>, bytes: Option<f64>, least: f64) -> Markup {
    let Some(free) = free else { return told(None) };
    let size = bytes.map(|bytes| format!(" ({})", sized(bytes))).unwrap_or_default();
    html! {
        (format!("{:.0} % free", free * 100.0)) span.faint { (size) }
        @if free < least { " " (tone("bad", "nearly full")) }
    }
}

pub(super) fn clock_of(node: &Node) -> Markup {
    let Some(us) = node.clock_ahead_us.or_else(|| node.condition.number("clock_ahead_us")) else {
        return told(None);
    };
    let said = clock(us);
    html! {
        @if us.abs() < 1e6 { (said) }
        @else { (tone(if us.abs() < 6e7 { "warn" } else { "bad" }, &said)) }
    }
}

pub(super) fn behind(node: &Node) -> Markup {
    let size = |bytes: u64| sized(bytes as f64);
    html! {
        @match (node.lacks, node.ahead) {
            _ if node.me || !node.is_up() => { (told(None)) }
            (0, 0) => { "level" }
            (0, ahead) => { (size(ahead)) " ahead" }
            (lacks, 0) => { (tone("warn", &format!("lacks {}", size(lacks)))) }
            (lacks, ahead) => { (tone("warn", &format!("lacks {}", size(lacks)))) ", " (size(ahead)) " ahead" }
        }
    }
}
