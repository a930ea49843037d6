//! Datagrams as they come, and how long they took.

use std::sync::Arc;

use cocli_core::Instant;
use cocli_node::Home;
use maud::{Markup, html};

use super::{linked, when};
use crate::failure::Failure;
use crate::web::chart;
use crate::web::feed::{KEPT, Row};
use crate::web::shell::Page;
use crate::web::site::Site;
use crate::web::write::encoded;
use crate::words::{sized, span_ms};

/// Milliseconds up to which a bar counts.
const BOUNDS: [u64; 11] = [2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 60_000];

pub(in crate::web) fn page(site: &Arc<Site>, _: &Home) -> Result<Page, Failure> {
    let (rows, all) = (site.feed.rows(), site.feed.delays());
    let body = html! {
        h1 { "Live" }
        section aria-labelledby="latency" {
            h2 #latency { "From there to here" }
            div #delays { (delays(&all)) }
        }
        section aria-labelledby="rows" {
            h2 #rows { "Changes as they become durable here" }
            p.faint { "The newest " (KEPT) " since " code { "cocli web" } " was started. "
                label.live-only hidden { input #pause type="checkbox"; " Pause" } }
            table.rows {
                caption.quiet { "Changes, the newest first" }
                thead { tr { @for name in ["When", "Node", "Target", "Field", "Value", "Took"] { th scope="col" { (name) } } } }
                tbody #live data-most=(KEPT) { @for one in &rows { (row(one)) } }
            }
            @if rows.is_empty() { p.faint #none { "Nothing yet: what anybody writes comes here by itself." } }
        }
    };
    Ok(Page::new("Live", "/live", body).live("live"))
}

pub(in crate::web) fn row(row: &Row) -> Markup {
    html! {
        tr {
            td data-label="When" { @match Instant::read(&row.at) { Some(at) => (when(at)), None => (row.at) } }
            td data-label="Node" { a href={ "/node/" (encoded(&row.node)) } { (row.node) } @if row.own { span.faint { " this one" } } }
            td data-label="Target" { (linked(&row.target)) }
            td data-label="Field" { (row.field) }
            td.value data-label="Value" { @if row.removed { span.faint { "removed" } } @else { (row.value) @if row.cut { span.faint { " …" } } } }
            td data-label="Took" { @if let Some(ms) = row.delay_ms.filter(|_| !row.own) { (span_ms(ms)) } }
        }
    }
}

/// A log of which more came at once than is told.
pub(in crate::web) fn many(log: &str, bytes: u64) -> Markup {
    html! { tr.note { td colspan="6" { (sized(bytes)) " of " (log) " came at once: they are not shown one by one." } } }
}

pub(in crate::web) fn missed(rows: u64) -> Markup {
    html! { tr.note { td colspan="6" { (rows) " more came faster than they can be read." } } }
}

/// How long the changes of others took, sorted.
pub(in crate::web) fn delays(sorted: &[u64]) -> Markup {
    if sorted.is_empty() {
        return html! { p.faint { "Nothing has come from another node yet." } };
    }
    let percentile =
        |part: usize| sorted[(sorted.len() * part).div_ceil(100).clamp(1, sorted.len()) - 1];
    let mut from = 0;
    let counts: Vec<(String, usize)> = BOUNDS
        .iter()
        .map(|bound| {
            let to = sorted.partition_point(|ms| ms <= bound);
            let count = to - from;
            from = to;
            (if *bound < 1_000 { bound.to_string() } else { format!("{} s", bound / 1_000) }, count)
        })
        .collect();
    html! {
        dl.figures {
            @for (name, part) in [("half within", 50), ("90 % within", 90), ("99 % within", 99), ("slowest", 100)] {
                div { dt { (name) } dd { (span_ms(percentile(part))) } }
            }
        }
        figure {
            (chart::bars("How many changes took how long, milliseconds", &counts))
            figcaption.faint { "The last " (sorted.len()) " changes of other nodes, by how many milliseconds they took at most, from their stamp to here by two clocks." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_came_to_pass() {
        let of = |sorted: &[u64]| {
            let told = delays(sorted).into_string();
            told.split("<dd>")
                .skip(1)
                .map(|rest| rest[..rest.find('<').unwrap()].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&[7]), ["7 ms"; 4]);
        let all: Vec<u64> = (1..=200).collect();
        assert_eq!(of(&all), ["100 ms", "180 ms", "198 ms", "200 ms"]);
        assert!(delays(&all).into_string().contains("20: 10, 50: 30, 100: 50"));
    }
}
