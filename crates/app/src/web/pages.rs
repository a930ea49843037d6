//! The pages, each a function from what the library tells to what is shown.

mod add;
pub(super) mod card;
pub(super) mod conflicts;
pub(super) mod home;
pub(super) mod list;
pub(super) mod live;
pub(super) mod node;

use cocli_core::Instant;
use maud::{Markup, html};

use super::write::path;
use crate::clock;
use crate::cluster::Standing;
use crate::render::Tone;

/// A text in which what stands in backticks is to be typed.
pub(super) fn worded(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// The first letters of a text.
fn cut(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
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

/// What a standing means, and its colour.
fn standing(of: Standing) -> (Tone, &'static str) {
    match of {
        Standing::Alive => (Tone::Good, "alive"),
        Standing::Suspect => (Tone::Warn, "silent for a moment"),
        Standing::Down => (Tone::Bad, "down"),
        Standing::Unheard => (Tone::Warn, "heard by others, not from here"),
        Standing::Stopped => (Tone::Faint, "stopped by its owner"),
        Standing::Left => (Tone::Faint, "left the cluster"),
        Standing::Out => (Tone::Faint, "left out"),
        Standing::Unmet => (Tone::Faint, "never met"),
        Standing::Unknown => (Tone::Faint, "not known"),
    }
}

/// The class that colours it.
fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
        Tone::Faint => "faint",
        Tone::Strong => "strong",
    }
}

/// A word with the colour of what it means.
fn toned(tone: Tone, word: &str) -> Markup {
    html! { span.tone.(class(tone)) { (worded(word)) } }
}
