//! The first page: is everyone alive, is everyone the same, who is behind, what needs a person.

use std::sync::Arc;

use cocli_node::Home;
use maud::{Markup, html};

use super::{class, standing, toned, worded};
use crate::cluster::{Cluster, MEMORY_FREE_MIN, Node, Room, SKEW_SHOWN_US, SKEW_TOLD_US, Standing};
use crate::failure::Failure;
use crate::render::{Tone, counted};
use crate::web::chart::{self, Dot};
use crate::web::shell::Page;
use crate::web::site::Site;
use crate::web::speech::{ago, clock, number};
use crate::web::write::encoded;
use crate::words::{between, sized, whole};

/// Nodes that the map has room for; the table has all.
const MAP_MAX: usize = 24;

pub(in crate::web) fn page(site: &Arc<Site>, home: &Home) -> Result<Page, Failure> {
    let (seen, health) = (site.seen(home), site.health());
    let [companies, people] = site.count(home)?;
    let problems = seen.problems(health.as_deref());
    let lost = health.as_ref().and_then(|health| health.losses.as_ref());
    let (lost, many) = lost.map_or((0, false), |losses| (losses.fields, losses.many));
    let twins = health.iter().filter_map(|health| health.losses.as_ref()).flat_map(|it| &it.twins);
    let (cluster, (sameness, same)) = (&seen.cluster, seen.sameness());
    let body = html! {
        h1 { (headline(cluster, seen.told)) }
        p.lead { (toned(sameness, &same)) }
        p {
            a href="/companies" { (counted(companies, "company", "companies")) } ", "
            a href="/people" { (counted(people, "person", "people")) }
            @if many { ", " a href="/conflicts" { "many conflicts" } }
            @else if lost > 0 { ", " a href="/conflicts" { (counted(lost, "conflict", "conflicts")) } }
            @if health.is_none() { span.faint { " · the cards are still being looked at" } }
        }
        @for target in twins {
            p { (worded(&format!("{target} may be two entities (`cocli split {target} --dry-run`)"))) }
        }
        @if !problems.is_empty() {
            section.problems aria-labelledby="problems" {
                h2 #problems { (counted(problems.len(), "thing needs", "things need")) " a person" }
                ul { @for problem in &problems {
                    li { (worded(&problem.said)) }
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
        1.. if !told => counted(meant.len(), "node is known", "nodes are known"),
        0 => "No other node is known".into(),
        1 if up == 1 => "This node is alone".into(),
        all => format!("{up} of {} up", counted(all, "node is", "nodes are")),
    }
}

/// Each part into which the cluster fell is a group; who is in none of them another one.
fn map(cluster: &Cluster) -> Markup {
    let dots = |wanted: &dyn Fn(&str) -> bool| -> Vec<Dot<'_>> {
        let meant = cluster.nodes.iter().filter(|node| !node.is_gone()).take(MAP_MAX);
        let dot = |node: &'_ Node| {
            (
                class(standing(node.standing).0),
                if node.me { "this node" } else { word(node.standing) },
            )
        };
        let shown = meant.filter(|node| wanted(&node.name)).map(|node| (node, dot(node)));
        let heard = |node: &Node| matches!(node.standing, Standing::Alive | Standing::Suspect);
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
fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Suspect => "silent",
        Standing::Unheard => "not heard",
        Standing::Unmet => "never met",
        Standing::Unknown => "not known",
        Standing::Out => "left out",
        other => other.word(),
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
    let (tone, word) = standing(node.standing);
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
            td data-label="Standing" { (toned(tone, word)) }
            td data-label="Load" { (told(load.as_deref())) }
            td data-label="Memory" { (memory(node)) }
            td data-label="Disk" { (disk(node)) }
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

pub(super) fn memory(node: &Node) -> Markup {
    let few = node.condition.free("memory").is_some_and(|free| free < MEMORY_FREE_MIN);
    free(node, "memory", few.then_some((Tone::Bad, "nearly full")))
}

pub(super) fn disk(node: &Node) -> Markup {
    free(
        node,
        "disk",
        match node.condition.room() {
            Some(Room::Full) => Some((Tone::Bad, "full")),
            Some(Room::Low) => Some((Tone::Warn, "low")),
            Some(Room::Enough) | None => None,
        },
    )
}

/// How much is free, and a word where that is little.
fn free(node: &Node, of: &str, little: Option<(Tone, &str)>) -> Markup {
    let Some(free) = node.condition.free(of) else { return told(None) };
    let bytes = node.condition.number(&format!("{of}_free")).unwrap_or_default();
    html! {
        (format!("{:.0} % free", free * 100.0)) span.faint { " (" (sized(whole(bytes))) ")" }
        @if let Some((tone, word)) = little { " " (toned(tone, word)) }
    }
}

pub(super) fn clock_of(node: &Node) -> Markup {
    let Some(us) = node.clock_us() else { return told(None) };
    let said = clock(us);
    match us.unsigned_abs() {
        SKEW_TOLD_US.. => toned(Tone::Bad, &said),
        SKEW_SHOWN_US.. => toned(Tone::Warn, &said),
        _ => html! { (said) },
    }
}

pub(super) fn behind(node: &Node) -> Markup {
    match (node.lacks_bytes, node.ahead_bytes) {
        _ if node.me || !node.is_up() => told(None),
        (0, 0) => html! { "level" },
        (lacks, ahead) => toned(Tone::Warn, &between(lacks, ahead)),
    }
}
