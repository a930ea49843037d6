//! A company, a person, a note or a meeting: what is known of it, who wrote it when, and its fields to be changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use cocli_core::schema::Type;
use cocli_core::{Datagram, Entity, Field, Kind, Moment, Target, Value};
use cocli_node::convo::Convo;
use cocli_node::followup::{Circle, Contact};
use cocli_node::{Home, NodeError};
use maud::{Markup, html};

use super::{linked, list, when};
use crate::clock;
use crate::commands::rm;
use crate::commands::show::{ordered, readable};
use crate::failure::Failure;
use crate::render::{Tone, counted};
use crate::web::shell::Page;
use crate::web::site::Site;
use crate::web::stream::TARGETS_MAX;
use crate::web::write::{Shape, encoded, path};

/// Values of a field's history that are shown.
const PAST_MAX: usize = 20;
/// Notes, or meetings, that are shown.
const CONVOS_MAX: usize = 30;
/// People of a company that are shown.
const PEOPLE_MAX: usize = 50;
/// Letters of a value in a history.
const PAST_CHARS: usize = 200;

/// All that a card shows.
struct Card<'a> {
    site: &'a Site,
    target: Target,
    kind: Kind,
    entity: Entity,
    circle: Circle,
    notes: Vec<Convo>,
    meetings: Vec<Convo>,
    /// What was written to each field, the newest first.
    past: BTreeMap<Field, Vec<Datagram>>,
    conflicts: usize,
}

pub(in crate::web) fn page(
    site: &Arc<Site>,
    home: &Home,
    name: &str,
    asked: &[(String, String)],
) -> Result<Page, Failure> {
    let target = Target::read(name)?;
    let unknown =
        || -> Failure { NodeError::Unknown { name: name.to_owned(), nearest: None }.into() };
    let kind = Kind::of(&target).ok_or_else(unknown)?;
    // That an edit of the card is not taken in is told on the first page, and the reading goes on.
    let _ = home.catch_up(Some(&target), clock::now());
    let (entity, removed) = home.known(&target)?;
    if let Some(by) = removed {
        return Err(rm::removed(home, &target, &by));
    }
    if !entity.is_shown() {
        return Err(
            NodeError::Unknown { name: name.to_owned(), nearest: home.nearest(&target)? }.into()
        );
    }
    let convos =
        |of: Kind| if kind.is_convo() { Ok(Vec::new()) } else { home.convos(Some(&target), of) };
    let circle =
        if kind.is_convo() { Circle::default() } else { home.circle(&target, &clock::today())? };
    let card = Card {
        site,
        kind,
        circle,
        notes: convos(Kind::Note)?,
        meetings: convos(Kind::Meeting)?,
        past: past(home.history(Some(&target), None)?),
        conflicts: home.conflicts(Some(&target))?.len(),
        target: target.clone(),
        entity,
    };
    let here = if target.collection() == "companies" { "/companies" } else { "/people" };
    let title = card.title();
    Ok(Page::new(title, here, card.body(asked)).live(card.watched()))
}

/// Which field of which target a form is about.
pub(super) fn hidden(site: &Site, target: &Target, field: &Field) -> Markup {
    html! {
        input type="hidden" name="form" value=(site.guard.form());
        input type="hidden" name="target" value=(target);
        input type="hidden" name="field" value=(field);
    }
}

/// By field, elements with the field that they belong to.
fn past(all: Vec<Datagram>) -> BTreeMap<Field, Vec<Datagram>> {
    let mut past: BTreeMap<Field, Vec<Datagram>> = BTreeMap::new();
    for datagram in all {
        past.entry(datagram.field.base_field()).or_default().push(datagram);
    }
    for all in past.values_mut() {
        all.sort_by(|one, other| other.entry.cmp(&one.entry));
        all.dedup();
    }
    past
}

impl Card<'_> {
    fn title(&self) -> String {
        match self.kind {
            Kind::Company | Kind::Person => list::name(self.kind, &self.target, &self.entity),
            Kind::Note | Kind::Meeting => {
                let title = Field::read("title")
                    .ok()
                    .and_then(|field| self.entity.value(Some(self.kind), &field));
                title.filter(|title| !title.is_null()).map_or_else(
                    || self.target.slug().to_owned(),
                    |title| title.shown().into_owned(),
                )
            }
        }
    }

    /// It, and whose names and numbers stand on its page.
    fn watched(&self) -> String {
        let people = self.circle.people.iter().take(PEOPLE_MAX).map(|person| &person.target);
        let companies = self.circle.companies.iter().map(|(company, _)| company);
        let around = people.chain(companies).map(Target::as_str);
        let all: Vec<&str> =
            std::iter::once(self.target.as_str()).chain(around).take(TARGETS_MAX).collect();
        all.join(" ")
    }

    fn body(&self, asked: &[(String, String)]) -> Markup {
        let last = self.entity.fields.values().map(|entry| &entry.stamp).max();
        let shown = self.entity.shown(Some(self.kind));
        html! {
            (self.notice(asked))
            h1 { (self.title()) }
            p.faint {
                (self.target)
                @if let Some(last) = last { " · changed " (when(last.instant)) " by " a href={ "/node/" (encoded(last.node.as_str())) } { (last.node) } }
                @if self.kind.is_convo() { " · of " (linked(self.target.entity())) }
            }
            @if self.conflicts > 0 {
                p { (super::toned(Tone::Warn, &counted(self.conflicts, "value was lost unseen", "values were lost unseen"))) " " a href="/conflicts" { "see which" } }
            }
            (self.around())
            section aria-labelledby="fields" {
                h2 #fields { "Fields" }
                div.fields {
                    @for (field, value) in ordered(Some(self.kind), &shown) { (self.field(field, value)) }
                }
                (self.another())
            }
            @if !self.kind.is_convo() {
                (self.convos("Notes", &self.notes))
                (super::add::note(self.site, &self.target))
                (self.convos("Meetings", &self.meetings))
            }
            (self.gone(&shown))
        }
    }

    /// What the last form did, and how it is taken back.
    fn notice(&self, asked: &[(String, String)]) -> Markup {
        let of = |key: &str| {
            asked
                .iter()
                .find(|(name, _)| name == key)
                .and_then(|(_, field)| Field::read(field).ok())
        };
        let is = |key: &str| asked.iter().any(|(name, _)| name == key);
        html! {
            @if let Some(field) = of("saved") {
                form.notice method="post" action="/undo" role="status" {
                    (self.hidden(&field)) (self.seen(&field))
                    strong { (field) } " is " @match self.entity.value(Some(self.kind), &field).filter(|value| !value.is_null()) {
                        Some(value) => { bdi { (cut(&readable(&value))) } }
                        None => "empty"
                    } " now. "
                    button { "Undo" } " "
                    span.faint { "or " code { "cocli undo " (self.target) " " (field) } }
                }
            } @else if let Some(field) = of("same") {
                p.notice role="status" { strong { (field) } " was so already: nothing was written." }
            } @else if let Some(field) = of("undone") {
                p.notice role="status" { strong { (field) } " is as it was before." }
            } @else if is("added") {
                p.notice role="status" { "Added: " strong { (self.title()) } " is " (self.target) "." }
            } @else if let Some(note) = self.notes.iter().find(|note| asked.iter().any(|(key, text)| key == "noted" && text == note.target.as_str())) {
                p.notice role="status" { "Noted: " a href={ "/" (path(note.target.as_str())) } { (titled(&note.text("title"))) } "." }
            }
        }
    }

    fn hidden(&self, field: &Field) -> Markup {
        hidden(self.site, &self.target, field)
    }

    /// What a form carries of the value that the page shows, so that nobody else's is changed by it.
    fn seen(&self, field: &Field) -> Markup {
        let seen = self.entity.seen(field).map(ToString::to_string).unwrap_or_default();
        html! { input type="hidden" name="seen" value=(seen); }
    }

    fn field(&self, field: &Field, value: &Value) -> Markup {
        let (seen, name) = (self.entity.seen(field), field.key());
        let id = format!("f-{}", field.base());
        html! {
            div.field id=(id) {
                div.name { (name) }
                div.is { (self.value(field, value)) }
                div.who.faint {
                    @if let Some(seen) = seen { span title=(seen) { (seen.node) ", " (when(seen.instant)) } }
                }
                details id={ "edit-" (id) } {
                    summary aria-label={ "Edit " (name) } { "Edit" }
                    (self.form(field, Some(value)))
                }
                (self.history(field, &name))
            }
        }
    }

    fn form(&self, field: &Field, value: Option<&Value>) -> Markup {
        let shape = Shape::of(Some(self.kind), field, value);
        let (typed, id) = (shape.typed(value), format!("v-{}", field.base()));
        let long = shape != Shape::Text
            || typed.contains('\n')
            || typed.len() > 80
            || field.as_str() == self.kind.body();
        html! {
            form.edit method="post" action="/set" {
                (self.hidden(field)) (self.seen(field))
                @if shape == Shape::Set { input type="hidden" name="before" value=(typed); }
                label for=(id) {
                    (field.key())
                    @match shape {
                        Shape::Set | Shape::List => ", one in a line",
                        Shape::Tree => ", as JSON",
                        Shape::Text => "",
                    }
                }
                @if long {
                    // The first line end behind the tag is none of the text.
                    textarea id=(id) name="value" rows=(typed.lines().count().clamp(2, 16)) { "\n" (typed) }
                } @else {
                    input id=(id) name="value" value=(typed) autocomplete="off";
                }
                button { "Save" }
                span.faint { " empty removes it" }
            }
        }
    }

    /// A field that is not there yet.
    fn another(&self) -> Markup {
        html! {
            details.another #another {
                summary { "Add a field" }
                form.edit method="post" action="/set" {
                    input type="hidden" name="form" value=(self.site.guard.form());
                    input type="hidden" name="target" value=(self.target);
                    input type="hidden" name="seen" value="";
                    label for="new-field" { "Field" }
                    input #new-field name="field" list="known-fields" required autocomplete="off" maxlength="200";
                    datalist #known-fields { @for spec in self.kind.fields() { option value=(spec.name) {} } }
                    label for="new-value" { "Value" }
                    textarea #new-value name="value" rows="2" {}
                    button { "Save" }
                }
            }
        }
    }

    fn history(&self, field: &Field, name: &str) -> Markup {
        let all = self.past.get(field).map(Vec::as_slice).unwrap_or_default();
        html! {
            details id={ "past-" (field.base()) } {
                summary aria-label={ "History of " (name) } { "History" span.faint { " " (all.len()) } }
                ol.past {
                    @for d in all.iter().take(PAST_MAX) {
                        li {
                            (when(d.entry.stamp.instant)) " "
                            a href={ "/node/" (encoded(d.entry.stamp.node.as_str())) } { (d.entry.stamp.node) } " "
                            @if let Some(element) = d.field.element_text() {
                                @if d.entry.value.is_null() { "took out " } @else { "put in " }
                                q { (cut(&element)) }
                            } @else if d.entry.value.is_null() { span.faint { "removed it" } }
                            @else { q { (cut(&readable(&d.entry.value))) } }
                        }
                    }
                }
                @if all.is_empty() { p.faint { "Its history is not kept here." } }
                @if all.len() > PAST_MAX { p.faint { "And " (all.len() - PAST_MAX) " older ones: " code { "cocli log " (self.target) " " (field) } } }
            }
        }
    }

    /// Fields that are empty now and were not always.
    fn gone(&self, shown: &BTreeMap<Field, Value>) -> Markup {
        let gone: Vec<&Field> = self
            .past
            .keys()
            .filter(|field| !shown.contains_key(*field) && !field.as_str().starts_with('_'))
            .collect();
        html! {
            @if !gone.is_empty() {
                section aria-labelledby="gone" {
                    h2 #gone { "Removed fields" }
                    div.fields { @for field in gone {
                        div.field id={ "f-" (field.base()) } {
                            div.name { (field.key()) }
                            details id={ "edit-f-" (field.base()) } { summary { "Edit" } (self.form(field, None)) }
                            (self.history(field, &field.key()))
                        }
                    } }
                }
            }
        }
    }

    /// A value as a person reads it; what can be opened is a link.
    fn value(&self, field: &Field, value: &Value) -> Markup {
        let text = readable(value);
        let set = self.kind.type_of(field.as_str()) == Some(Type::Set);
        let dialled =
            self.circle.phones.iter().find(|(of, phone)| of == field && phone.typed == text);
        html! {
            @if set {
                ul.chips { @for one in Shape::Set.typed(Some(value)).lines() { li { (self.chip(field, one)) } } }
            } @else if let Some((_, phone)) = dialled {
                a href={ "tel:" (phone.e164.as_deref().unwrap_or(&phone.typed)) } { (text) }
                @if let Some(e164) = phone.e164.as_ref().filter(|e164| **e164 != text) { span.faint { " " (e164) } }
            } @else if let Some(url) = address(field, &text) {
                a href=(url) rel="noopener noreferrer" { (text) }
            } @else if field.as_str() == "company" {
                (linked(&if text.contains('/') { text.clone() } else { format!("companies/{text}") }))
            } @else {
                span.text { (text) }
            }
        }
    }

    /// A member of a set; a tag leads to all who have it.
    fn chip(&self, field: &Field, member: &str) -> Markup {
        let of = self.target.collection();
        html! {
            @if field.as_str() == "tags" { a href={ "/" (of) "?where=" (encoded(&format!("tags={member}"))) } { (member) } }
            @else { (member) }
        }
    }

    /// Who and what belongs to it.
    fn around(&self) -> Markup {
        let Circle { people, companies, last, next, step, .. } = &self.circle;
        html! {
            dl.around {
                @if !companies.is_empty() {
                    div { dt { "Company" } dd { @for (target, name) in companies { a href={ "/" (path(target.as_str())) } { (name) } " " } } }
                }
                @if let Some(step) = step {
                    div { dt { "Next step" } dd { @if let Some(at) = step.at { (crate::when::shown(at)) " " } (step.what) } }
                }
                @if let Some(talk) = last { div { dt { "Last contact" } dd { (crate::when::shown(talk.at)) " " a href={ "/" (path(talk.target.as_str())) } { (titled(&talk.title)) } } } }
                @if let Some(talk) = next { div { dt { "Next meeting" } dd { (crate::when::shown(talk.at)) " " a href={ "/" (path(talk.target.as_str())) } { (titled(&talk.title)) } } } }
            }
            @if !people.is_empty() {
                section aria-labelledby="people" {
                    h2 #people { "People" }
                    ul.people { @for person in people.iter().take(PEOPLE_MAX) { (contact(person)) } }
                    @if people.len() > PEOPLE_MAX { p.faint { "And " (people.len() - PEOPLE_MAX) " more." } }
                }
            }
            @if self.kind == Kind::Company { (super::add::entity(self.site, Kind::Person, Some(&self.target))) }
        }
    }

    fn convos(&self, title: &str, convos: &[Convo]) -> Markup {
        html! {
            @if !convos.is_empty() {
                section {
                    h2 id=(title.to_lowercase()) { (title) }
                    @for convo in convos.iter().rev().take(CONVOS_MAX) {
                        details.convo id=(convo.target) {
                            summary {
                                @if let Some(at) = convo.at { span.faint { (moment(at)) } " " }
                                (titled(&convo.text("title")))
                            }
                            @let content = convo.text("content");
                            @if !content.is_empty() { p.text { (content) } }
                            p { a href={ "/" (path(convo.target.as_str())) } { "Open" } }
                        }
                    }
                    @if convos.len() > CONVOS_MAX { p.faint { "And " (convos.len() - CONVOS_MAX) " older ones." } }
                }
            }
        }
    }
}

fn moment(at: Moment) -> String {
    crate::when::shown(at)
}

fn titled(title: &str) -> &str {
    if title.trim().is_empty() { "without a title" } else { title }
}

fn contact(person: &Contact) -> Markup {
    html! {
        li {
            a href={ "/" (path(person.target.as_str())) } { (person.name) }
            @if !person.role.is_empty() { ", " bdi { (person.role) } }
            @if !person.email.is_empty() { " · " a href={ "mailto:" (encoded(&person.email)) } { (person.email) } }
            @if let Some(phone) = &person.phone { " · " a href={ "tel:" (phone.e164.as_deref().unwrap_or(&phone.typed)) } { (phone.typed) } }
        }
    }
}

/// Where a value leads to: nothing but the web, and mail.
fn address(field: &Field, text: &str) -> Option<String> {
    let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    match field.as_str() {
        "email" if plain && text.contains('@') => Some(format!("mailto:{}", encoded(text))),
        "domain" if plain && text.contains('.') && !text.contains([':', '/', '@', '\\']) => {
            Some(format!("https://{text}/"))
        }
        _ if plain && (text.starts_with("https://") || text.starts_with("http://")) => {
            Some(text.to_owned())
        }
        _ => None,
    }
}

fn cut(text: &str) -> String {
    super::cut(text, PAST_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_leads_to_the_web_or_to_mail_and_nowhere_else() {
        let lead = |field: &str, text: &str| address(&Field::read(field).unwrap(), text);
        assert_eq!(lead("domain", "acme.example"), Some("https://acme.example/".into()));
        assert_eq!(
            lead("website_url", "http://acme.example/a"),
            Some("http://acme.example/a".into())
        );
        assert_eq!(lead("email", "a@b.c?bcc=x@y"), Some("mailto:a%40b.c%3Fbcc%3Dx%40y".into()));
        for text in
            ["javascript:alert(1)", "data:text/html,x", " https://x", "java\nscript:x", "acme"]
        {
            for field in ["domain", "website_url", "email", "name"] {
                assert_eq!(lead(field, text), None, "{field} {text}");
            }
        }
        assert_eq!(lead("domain", "user@evil.example"), None);
    }
}
