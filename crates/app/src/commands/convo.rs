//! What `note` and `meeting` share: one is added, and many are listed.

use std::io::Read;

use cocli_core::{Epoch, Field, Kind, Moment, Target, Value, convo};
use cocli_node::change::{Change, Intent};
use cocli_node::convo::Convo;
use cocli_node::slug::slug;
use cocli_node::{Home, NodeError};
use serde_json::{Value as Json, json};

use super::Context;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::render::{Screen, Tone};

/// Longest text that stands in for a title, characters.
const TITLE_CHARS_MAX: usize = 60;

/// A note or meeting to be added.
pub(crate) struct New<'a> {
    pub(crate) kind: Kind,
    pub(crate) at: Moment,
    pub(crate) title: &'a str,
    /// What else it says.
    pub(crate) fields: &'a [(&'a str, &'a str)],
}

/// The company or person that is meant.
pub(crate) fn owner(home: &Home, name: &str) -> Result<Target, Failure> {
    let target = home.resolve(name)?;
    if !matches!(Kind::of(&target), Some(Kind::Company | Kind::Person)) {
        return Err(Failure::usage(format!("expected a company or person, and {target} is none")));
    }
    if let Some(by) = home.removed(&target)? {
        return Err(super::rm::removed(home, &target, &by));
    }
    if home.entity(&target)?.fields.is_empty() {
        let near = home.nearest(&target)?;
        return Err(NodeError::Unknown { name: target.to_string(), nearest: near }.into());
    }
    Ok(target)
}

/// Its target, and what is to be written of it.
pub(crate) fn changes(of: &Target, new: &New<'_>) -> Result<(Target, Vec<Change>), Failure> {
    let dice = Epoch::from_random(clock::random());
    let id = convo::id(new.kind, new.at.utc(), &slug(new.title), &dice);
    let target = Target::read(&format!("{of}/{}/{id}", new.kind.plural()))?;
    let at = new.at.to_string();
    let fields = [("timestamp", at.as_str()), ("title", new.title)];
    let put = |(field, text): &(&str, &str)| -> Result<Change, Failure> {
        let value = Intent::Put(Value::text(text).bounded()?);
        Ok(Change::new(target.clone(), Field::read(field)?, value))
    };
    let said = fields.iter().chain(new.fields).filter(|(_, text)| !text.is_empty());
    let changes = said.map(put).collect::<Result<_, _>>()?;
    Ok((target, changes))
}

/// Writes it, puts its file in place, and says where that is.
pub(super) fn add(
    context: &Context,
    home: &Home,
    of: &Target,
    new: &New<'_>,
) -> Result<(), Failure> {
    let (target, changes) = changes(of, new)?;
    let mut session = context.session(home)?;
    let verb = if new.kind == Kind::Note { "note" } else { "meeting" };
    let written = session.write(verb, &changes, false)?;
    context.finish(home, session, &written)?;
    let path = home.card_path(&target)?;
    match context.screen.json {
        true => context.screen.object(&json!({"target": target.as_str(), "path": path})),
        false => context.screen.line(format!("{target}  {}", context.screen.safe(&path))),
    }
    Ok(())
}

/// The text of a new one: as given, or from standard input.
pub(super) fn body(given: Option<&str>) -> Result<String, Failure> {
    if let Some(text) = given.filter(|text| *text != "-") {
        return Ok(text.to_owned());
    }
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| {
        Failure::new(Exit::Failed, format!("standard input cannot be read: {error}"))
    })?;
    Ok(text.trim_end().to_owned())
}

/// Lists them, each in a line; in JSON with all they say.
pub(super) fn list<'a>(
    context: &Context,
    convos: impl Iterator<Item = &'a Convo>,
    with_owner: bool,
) {
    let screen = context.screen;
    screen.lines(convos.map(|convo| match screen.json {
        true => object(convo).to_string(),
        false => line(screen, convo, with_owner),
    }));
}

fn line(screen: Screen, convo: &Convo, with_owner: bool) -> String {
    let at = match convo.at {
        Some(Moment::At(at)) => clock::shown(at)[..16].to_owned(),
        Some(Moment::Day(_)) | None => {
            format!("{:16}", convo.at.map(|day| day.to_string()).unwrap_or_default())
        }
    };
    let kind = convo.text("type");
    let kind =
        if kind.is_empty() || kind == "meeting" { String::new() } else { format!("  ({kind})") };
    let owner = if with_owner { format!("  {}", convo.of()) } else { String::new() };
    format!(
        "{}{owner}  {}{}  {}",
        screen.paint(Tone::Faint, &at),
        screen.safe(&title(convo)),
        screen.safe(&kind),
        screen.paint(Tone::Faint, convo.target.as_str().rsplit('/').next().unwrap_or_default()),
    )
}

/// The title, or the first words.
fn title(convo: &Convo) -> String {
    let title = convo.text("title");
    if !title.is_empty() {
        return title.lines().next().unwrap_or_default().to_owned();
    }
    headline(&convo.text("content"))
}

/// The first words of a text, which stand in for a title.
pub(crate) fn headline(text: &str) -> String {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    first.chars().take(TITLE_CHARS_MAX).collect()
}

fn object(convo: &Convo) -> Json {
    let shown = convo.entity.shown(Kind::of(&convo.target));
    let fields: serde_json::Map<String, Json> =
        shown.iter().map(|(field, value)| (field.key(), value.to_json())).collect();
    json!({
        "target": convo.target.as_str(), "of": convo.of(),
        "at": convo.at.map(|at| at.to_string()), "fields": fields,
    })
}

/// The newest of an entity, or the one that is named.
pub(super) fn one(home: &Home, name: &str, kind: Kind) -> Result<Target, Failure> {
    let target = home.resolve(name)?;
    if Kind::of(&target) == Some(kind) {
        return Ok(target);
    }
    let of = owner(home, name)?;
    let newest = home.convos(Some(&of), kind)?.pop();
    newest
        .map(|convo| convo.target)
        .ok_or_else(|| Failure::new(Exit::NotFound, format!("{of} has no {}", kind.plural())))
}
