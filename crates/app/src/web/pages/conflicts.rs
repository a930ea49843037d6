//! Values that another one took the place of, unseen: one click takes one of them.

use std::sync::Arc;

use cocli_core::{Entry, Field, Target};
use cocli_node::{Conflict, Home};
use maud::{Markup, html};

use super::{card, linked, toned, when};
use crate::commands::show::readable;
use crate::failure::Failure;
use crate::render::{Tone, counted};
use crate::web::shell::Page;
use crate::web::site::Site;
use crate::web::write::encoded;

/// Conflicts that are shown at once.
const SHOWN_MAX: usize = 100;
/// Letters of a value: enough to tell one from another.
const SAID_CHARS: usize = 2_000;

pub(in crate::web) fn page(
    site: &Arc<Site>,
    home: &Home,
    asked: &[(String, String)],
) -> Result<Page, Failure> {
    let all = home.conflicts(None)?;
    let lost = home.history_lost_until()?;
    let settled = settled(site, home, asked)?;
    let body = html! {
        @if let Some(settled) = settled { (settled) }
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

/// What the last form settled, and how it is taken back.
fn settled(
    site: &Site,
    home: &Home,
    asked: &[(String, String)],
) -> Result<Option<Markup>, Failure> {
    let of = |key: &str| asked.iter().find(|(name, _)| name == key).map(|(_, text)| text.as_str());
    let target = of("settled").and_then(|target| Target::read(target).ok());
    let field = of("field").and_then(|field| Field::read(field).ok());
    let Some((target, field)) = target.zip(field) else { return Ok(None) };
    let entity = home.entity(&target)?;
    let Some(entry) = entity.fields.get(&field) else { return Ok(None) };
    Ok(Some(html! {
        form.notice method="post" action="/undo" role="status" {
            (card::hidden(site, &target, &field))
            input type="hidden" name="seen" value=(entry.stamp);
            "Settled: " (linked(target.as_str())) " " strong { (field) } " is "
            bdi { (said(&field, entry)) } ". "
            @if !field.as_str().starts_with('_') { button { "Undo" } }
        }
    }))
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
                        (card::hidden(site, &conflict.target, &conflict.field))
                        input type="hidden" name="stands" value=(stands);
                        input type="hidden" name="keep" value=(entry.stamp);
                        @if at == 0 { (toned(Tone::Good, "stands")) } @else { (toned(Tone::Warn, "lost")) }
                        span.text { (said(&conflict.field, entry)) }
                        span.faint { a href={ "/node/" (encoded(entry.stamp.node.as_str())) } { (entry.stamp.node) } ", " (when(entry.stamp.instant)) }
                        // By its name the focus stays on it when the page comes again.
                        button id={ "take-" (conflict.target) "-" (conflict.field) "-" (entry.stamp) } { @if at == 0 { "Keep this" } @else { "Take this" } }
                    }
                }
            } }
        }
    }
}

/// A value, as it is read of a field or of a member of one.
fn said(field: &Field, entry: &Entry) -> String {
    let whole = match (entry.value.is_null(), field.element()) {
        (true, None) => "nothing".into(),
        (true, Some(_)) => "not in it".into(),
        (false, Some(_)) if entry.value == cocli_core::Value::truth() => "in it".into(),
        (false, _) => readable(&entry.value),
    };
    super::cut(&whole, SAID_CHARS)
}
