//! Values that another one took the place of, unseen: one click takes one of them.

use std::sync::Arc;

use cocli_core::{Entry, Field};
use cocli_node::{Conflict, Home};
use maud::{Markup, html};

use super::{linked, toned, when};
use crate::commands::show::readable;
use crate::failure::Failure;
use crate::render::{Tone, counted};
use crate::web::shell::Page;
use crate::web::site::Site;
use crate::web::write::encoded;

/// Conflicts that are shown at once.
const SHOWN_MAX: usize = 100;

pub(in crate::web) fn page(site: &Arc<Site>, home: &Home) -> Result<Page, Failure> {
    let all = home.conflicts(None)?;
    let lost = home.history_lost_until()?;
    let body = html! {
        h1 { (counted(all.len(), "conflict", "conflicts")) }
        p.lead {
            @if all.is_empty() { "Nobody's value was lost unseen." }
            @else { "Two wrote the same field and did not see each other. One value stands; here are the others, the newest first." }
        }
        @if let Some(day) = lost { p.faint { "Of some logs history up to " (day) " is not kept here: what was lost before is not told." } }
        @for conflict in all.iter().take(SHOWN_MAX) { (one(site, conflict)) }
        @if all.len() > SHOWN_MAX { p { "And " (all.len() - SHOWN_MAX) " more: they come up as these are settled, or by " code { "cocli resolve" } "." } }
    };
    Ok(Page::new("Conflicts", "/conflicts", body).live("conflicts"))
}

fn one(site: &Site, conflict: &Conflict) -> Markup {
    let stands = conflict.entries.first().map(|entry| entry.stamp.to_string()).unwrap_or_default();
    html! {
        section.conflict {
            h2 { (linked(conflict.target.as_str())) " " (conflict.field) }
            @if conflict.twins {
                p { "These may be two entities under one slug: " code { "cocli split " (conflict.target) " --dry-run" } " shows whose is what." }
            }
            ul.choices { @for (at, entry) in conflict.entries.iter().enumerate() {
                li {
                    form method="post" action="/resolve" {
                        input type="hidden" name="form" value=(site.guard.form());
                        input type="hidden" name="target" value=(conflict.target);
                        input type="hidden" name="field" value=(conflict.field);
                        input type="hidden" name="stands" value=(stands);
                        input type="hidden" name="keep" value=(entry.stamp);
                        @if at == 0 { (toned(Tone::Good, "stands")) } @else { (toned(Tone::Warn, "lost")) }
                        span.text { (said(&conflict.field, entry)) }
                        span.faint { a href={ "/node/" (encoded(entry.stamp.node.as_str())) } { (entry.stamp.node) } ", " (when(entry.stamp.instant)) }
                        button { @if at == 0 { "Keep this" } @else { "Take this" } }
                    }
                }
            } }
        }
    }
}

/// A value, as it is read of a field or of a member of one.
fn said(field: &Field, entry: &Entry) -> String {
    match (entry.value.is_null(), field.element()) {
        (true, None) => "nothing".into(),
        (true, Some(_)) => "not in it".into(),
        (false, Some(_)) if entry.value == cocli_core::Value::truth() => "in it".into(),
        (false, _) => readable(&entry.value),
    }
}
