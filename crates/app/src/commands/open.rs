//! `cocli open`: the site, a message, a map or the folder of a company or person, in the program that the user has for it.
//!
//! What is opened comes from data that anybody may have written: it is an http, https or mailto address of which every
//! part is encoded, or a folder of the home, and goes to the opener as one argument, past any shell.

use std::path::Path;
use std::process::{Command, Stdio};

use cocli_core::{Entity, Field, Kind, Target};
use cocli_node::Home;
use serde_json::json;
use url::Url;

use super::Context;
use super::convo::owner;
use crate::args::{Open, What};
use crate::failure::{Exit, Failure};

/// The program that opens a thing as the user likes it.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
/// How near a map is looked at.
const ZOOM: u8 = 17;

pub(super) fn run(context: &Context, args: &Open) -> Result<(), Failure> {
    let home = context.home()?;
    let target = owner(&home, &args.target)?;
    context.catch_up(&home, Some(&target));
    let told = Told { entity: &home.entity(&target)?, target: &target };
    let what = args.what.unwrap_or(match told.first(&["website_url", "domain"]) {
        Some(_) => What::Web,
        None => What::Dir,
    });
    let opened = match what {
        What::Web => web(&told)?.to_string(),
        What::Mail => mail(&told)?.to_string(),
        What::Map => map(&told)?.to_string(),
        What::Dir => folder(&home, &target)?,
    };
    if !args.print {
        open(&opened)?;
    }
    match context.screen.json {
        true => context.screen.object(&json!({
            "target": target.as_str(), "what": word(what), "opens": opened, "opened": !args.print,
        })),
        false => context.screen.line(context.screen.safe(&opened)),
    }
    Ok(())
}

fn word(what: What) -> &'static str {
    match what {
        What::Web => "web",
        What::Mail => "mail",
        What::Map => "map",
        What::Dir => "dir",
    }
}

/// What is known of whom.
struct Told<'a> {
    entity: &'a Entity,
    target: &'a Target,
}

impl Told<'_> {
    fn text(&self, field: &str) -> Option<String> {
        let value = self.entity.value(Kind::of(self.target), &Field::read(field).ok()?)?;
        Some(value.shown().trim().to_owned()).filter(|text| !value.is_null() && !text.is_empty())
    }

    /// The first of some fields that says anything, and which that is.
    fn first(&self, fields: &[&'static str]) -> Option<(&'static str, String)> {
        fields.iter().find_map(|field| Some((*field, self.text(field)?)))
    }

    /// Nothing is there to be opened.
    fn lacks(&self, what: &str, change: &str) -> Failure {
        let failure = Failure::new(Exit::NotFound, format!("{} has no {what}", self.target));
        failure.hint(format!("`cocli set {} {change}`", self.target))
    }

    /// A field says what cannot be opened.
    fn refused(&self, (field, text): (&str, &str), expected: &str, change: &str) -> Failure {
        let message = format!("{field} of {} is {text:?}: expected {expected}", self.target);
        let failure = Failure::new(Exit::Failed, message);
        failure.hint(format!("`cocli set {} {change}`", self.target))
    }
}

fn web(told: &Told<'_>) -> Result<Url, Failure> {
    let (field, text) = told
        .first(&["website_url", "domain"])
        .ok_or_else(|| told.lacks("website_url and no domain", "website_url=https://..."))?;
    let change = format!("{field}=...");
    site(&text).ok_or_else(|| {
        told.refused((field, &text), "a site, such as https://acme.example/", &change)
    })
}

/// The address of a site, as people write it; nothing where it is none, or hides where it leads.
fn site(text: &str) -> Option<Url> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = Url::parse(&whole).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    (is_web && url.username().is_empty() && url.password().is_none()).then_some(url)
}

fn mail(told: &Told<'_>) -> Result<Url, Failure> {
    let address = told.text("email").or_else(|| {
        let set = told.entity.value(Kind::of(told.target), &Field::read("all_emails").ok()?)?;
        set.to_json().as_array()?.iter().find_map(|one| Some(one.as_str()?.to_owned()))
    });
    let address = address.ok_or_else(|| told.lacks("email", "email=NAME@HOST"))?;
    message_to(&address).ok_or_else(|| {
        told.refused(("email", &address), "an address, such as info@acme.example", "email=...")
    })
}

/// An empty message to an address; what else a value might say, as a subject or a copy to others, is part of the
/// address, and so none.
fn message_to(address: &str) -> Option<Url> {
    let (name, host) = address.trim().rsplit_once('@')?;
    let is_plain = |text: &str| {
        !text.is_empty()
            && !text
                .contains(|c: char| c.is_control() || c.is_whitespace() || "<>,;:\"@".contains(c))
    };
    if !is_plain(name) || !is_plain(host) {
        return None;
    }
    let encoded = |text: &str| -> String {
        let bytes = text.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        });
        bytes.collect()
    };
    Url::parse(&format!("mailto:{}@{}", encoded(name), encoded(host))).ok()
}

fn map(told: &Told<'_>) -> Result<Url, Failure> {
    let number = |field, most: f64| {
        told.text(field)?.parse::<f64>().ok().filter(|degrees| degrees.abs() <= most)
    };
    let found = match number("latitude", 90.0).zip(number("longitude", 180.0)) {
        Some((north, east)) => {
            let there = format!("https://www.openstreetmap.org/#map={ZOOM}/{north}/{east}");
            Url::parse_with_params(
                &there,
                [("mlat", north.to_string()), ("mlon", east.to_string())],
            )
        }
        None => {
            let address = address(told)
                .ok_or_else(|| told.lacks("coordinates and no address", "full_address=..."))?;
            Url::parse_with_params("https://www.openstreetmap.org/search", [("query", address)])
        }
    };
    found.map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", told.target)))
}

/// Where it is, in one line; a country alone is no address.
fn address(told: &Told<'_>) -> Option<String> {
    let full =
        told.text("full_address").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    full.or_else(|| {
        told.first(&["street_address", "zip_code", "city"])?;
        let parts = ["street_address", "zip_code", "city", "state", "country"];
        let parts: Vec<String> = parts.iter().filter_map(|field| told.text(field)).collect();
        Some(parts.join(", "))
    })
}

fn folder(home: &Home, target: &Target) -> Result<String, Failure> {
    let card = home.card_path(target)?;
    // In full, so that nothing of it is taken for an option.
    let folder = Path::new(&card).parent().and_then(|folder| folder.canonicalize().ok());
    folder.map(|folder| folder.display().to_string()).ok_or_else(|| {
        let failure =
            Failure::new(Exit::NotFound, format!("{target} has no folder on this machine"));
        match home.keeps_cards() {
            true => failure.hint("`cocli compact` puts all cards in place"),
            false => failure.hint("`cocli config set cards.project all`, then `cocli compact`"),
        }
    })
}

/// Hands something to the user's opener, and waits until that has passed it on.
fn open(what: &str) -> Result<(), Failure> {
    let run = Command::new(OPENER).arg(what).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let why = match run {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => format!("it ended with {status}"),
        Err(error) => error.to_string(),
    };
    let failure = Failure::new(Exit::Failed, format!("`{OPENER}` did not open {what}: {why}"));
    Err(failure.hint("`cocli open --print` prints it only"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_site_is_taken_as_people_write_it_and_nothing_else_is_opened() {
        for (text, is) in [
            ("acme.example", "https://acme.example/"),
            ("http://acme.example/a b?q=\"x\"", "http://acme.example/a%20b?q=%22x%22"),
            ("acme.example:8080/x", "https://acme.example:8080/x"),
            ("müller.example", "https://xn--mller-kva.example/"),
        ] {
            assert_eq!(site(text).unwrap().as_str(), is);
        }
        for text in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "ftp://acme.example",
            "mailto:a@acme.example",
            "https://bank.example@evil.example/",
            "data:text/html,x",
            "vscode://x",
            "-psn",
            "",
        ] {
            let opened = site(text);
            let is_web = opened.as_ref().is_none_or(|url| url.as_str().starts_with("https://-psn"));
            assert!(is_web, "{text}: {opened:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_field_says_only_web_and_mail_are_opened_and_every_byte_is_plain(text in ".*") {
            let plain = |url: &Url| url.as_str().bytes().all(|b| b.is_ascii_graphic());
            if let Some(url) = site(&text) {
                prop_assert!(plain(&url) && ["http", "https"].contains(&url.scheme()));
            }
            if let Some(url) = message_to(&text) {
                prop_assert!(plain(&url) && url.scheme() == "mailto" && url.query().is_none());
            }
        }

        #[test]
        fn a_message_goes_to_one_address_and_brings_nothing_else(name in "[a-z+?&=%#/']{1,9}") {
            let url = message_to(&format!("{name}@acme.example")).unwrap();
            prop_assert!(url.query().is_none() && url.fragment().is_none(), "{}", url);
            prop_assert!(url.path().ends_with("@acme.example"));
        }
    }
}
