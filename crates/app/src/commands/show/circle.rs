//! What `cocli show` tells of a company or person beyond its fields: who belongs to it, when one spoke, what
//! comes next.

use cocli_core::{Field, Kind, Value};
use cocli_node::followup::{Circle, Contact, Phone, Step, Talk};
use serde_json::{Value as Json, json};

use crate::render::{Screen, Tone};
use crate::when;

/// Whether what a field says is told among what comes next.
pub(super) fn tells(circle: &Circle, field: &Field, value: &Value) -> bool {
    let dated = circle.step.as_ref().is_some_and(|step| step.at.is_some());
    match field.as_str() {
        "next_step" => circle.step.is_some(),
        "next_at" => dated,
        "company" => circle.companies.iter().any(|(target, _)| target.as_str() == value.shown()),
        _ => false,
    }
}

/// A field of numbers as it is read: each as it was typed, and what it is to dial.
pub(super) fn number(circle: &Circle, field: &Field) -> Option<String> {
    let of = circle.phones.iter().filter(|(at, _)| at == field);
    let texts: Vec<String> = of.map(|(_, phone)| dialled(phone)).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

fn dialled(phone: &Phone) -> String {
    match &phone.e164 {
        Some(e164) if *e164 != phone.typed => format!("{} ({e164})", phone.typed),
        _ => phone.typed.clone(),
    }
}

/// The lines under the fields.
pub(super) fn show(screen: Screen, circle: &Circle) {
    let line = |key: &str, text: String| {
        screen.line(format!("{}  {}", screen.paint(Tone::Faint, key), screen.safe(&text)));
    };
    for (target, name) in &circle.companies {
        line("company     ", format!("{name}  ·  {target}"));
    }
    if !circle.people.is_empty() {
        screen.line(screen.paint(Tone::Faint, "people"));
    }
    for Contact { target, name, role, email, phone } in &circle.people {
        let phone = phone.as_ref().map(dialled).unwrap_or_default();
        let texts = [name.clone(), role.clone(), email.clone(), phone, target.to_string()];
        let texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
        screen.line(format!("  {}", screen.safe(&texts.join("  ·  "))));
    }
    if let Some(talk) = &circle.last {
        line("last contact", told(talk));
    }
    if let Some(talk) = &circle.next {
        line("next meeting", told(talk));
    }
    if let Some(Step { what, at, .. }) = &circle.step {
        let at = at.map(|at| format!("{}  ", when::shown(at))).unwrap_or_default();
        line("next step   ", format!("{at}{what}"));
    }
}

/// A note or meeting in a line.
fn told(talk: &Talk) -> String {
    let what = if talk.kind == Kind::Note { "note" } else { "meeting" };
    let title = talk.title.replace('\n', " ");
    format!("{}  {what} with {}  {title}", when::shown(talk.at), talk.name)
}

/// The same for programs.
pub(super) fn add(object: &mut Json, kind: Option<Kind>, circle: &Circle) {
    let Json::Object(object) = object else { return };
    match kind {
        Some(Kind::Company) => {
            let people: Vec<Json> = circle.people.iter().map(contact).collect();
            object.insert("people".into(), people.into());
        }
        Some(Kind::Person) => {
            let of = |(target, name): &(_, String)| json!({"target": text(target), "name": name});
            let companies: Vec<Json> = circle.companies.iter().map(of).collect();
            object.insert("companies".into(), companies.into());
        }
        _ => return,
    }
    let phones = circle.phones.iter();
    let phones = phones.map(
        |(field, phone)| json!({"field": field.key(), "typed": phone.typed, "e164": phone.e164}),
    );
    object.insert("phones".into(), phones.collect::<Vec<Json>>().into());
    object.insert("last_contact".into(), circle.last.as_ref().map_or(Json::Null, talk));
    object.insert("next_meeting".into(), circle.next.as_ref().map_or(Json::Null, talk));
    object.insert("next_step".into(), circle.step.as_ref().map_or(Json::Null, step));
}

fn text(target: &cocli_core::Target) -> &str {
    target.as_str()
}

fn contact(contact: &Contact) -> Json {
    let phone = contact.phone.as_ref();
    json!({
        "target": contact.target.as_str(), "name": contact.name, "role": contact.role,
        "email": contact.email, "phone": phone.map(|phone| &phone.typed),
        "e164": phone.and_then(|phone| phone.e164.as_ref()),
    })
}

/// A note or meeting, for programs.
pub(in crate::commands) fn talk(talk: &Talk) -> Json {
    json!({
        "target": talk.target.as_str(), "of": talk.of.as_str(), "name": talk.name,
        "kind": if talk.kind == Kind::Note { "note" } else { "meeting" },
        "title": talk.title, "at": talk.at.to_string(),
    })
}

/// A next step, for programs.
pub(in crate::commands) fn step(step: &Step) -> Json {
    json!({
        "target": step.target.as_str(), "name": step.name, "step": step.what,
        "at": step.at.map(|at| at.to_string()),
    })
}
