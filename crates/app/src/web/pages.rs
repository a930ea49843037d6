//! The pages, each a function from what the library tells to what is shown.

pub(super) mod card;
pub(super) mod conflicts;
pub(super) mod home;
pub(super) mod list;
pub(super) mod live;
pub(super) mod node;
mod problems;

use cocli_core::Instant;
use maud::{Markup, html};

use super::write::path;
use crate::clock;

/// A text in which what stands in backticks is to be typed.
pub(super) fn worded(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A target, as a link to its page where it has one.
fn linked(target: &str) -> Markup {
    let has_page = target.starts_with("companies/") || target.starts_with("people/");
    html! {
        @if has_page { a href={ "/" (path(target)) } { (target) } }
        @else if let Some(name) = target.strip_prefix("nodes/") { a href={ "/node/" (path(name)) } { (target) } }
        @else { (target) }
    }
}

/// A moment in the time zone of this machine.
fn when(at: Instant) -> Markup {
    html! { time datetime=(at) { (clock::shown(at)) } }
}

/// What a standing means, and the class that colours it.
fn standing(word: &str) -> (&'static str, &'static str) {
    match word {
        "alive" => ("good", "alive"),
        "suspect" => ("warn", "silent for a moment"),
        "down" => ("bad", "down"),
        "unheard" => ("warn", "heard by others, not from here"),
        "stopped" => ("faint", "stopped by its owner"),
        "left" => ("faint", "left the cluster"),
        "out" => ("faint", "left out"),
        "unmet" => ("faint", "never met"),
        _ => ("faint", "not known"),
    }
}

/// A word with the colour of what it means.
fn tone(class: &str, word: &str) -> Markup {
    html! { span.tone.(class) { (word) } }
}
