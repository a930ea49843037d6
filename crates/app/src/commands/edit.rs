//! `cocli edit`: a target's card in the editor, taken in when that is closed.

use cocli_core::Target;
use cocli_node::{Home, Placed};
use serde_json::json;

use super::Context;
use crate::args::Edit;
use crate::failure::{Exit, Failure};
use crate::render::counted;
use crate::{clock, door, editor};

pub(super) fn run(context: &Context, args: &Edit) -> Result<(), Failure> {
    let home = context.home()?;
    let target = home.resolve(&args.target)?;
    open(context, &home, &target)
}

/// Opens the card of a target, takes in what was changed, and says it.
pub(super) fn open(context: &Context, home: &Home, target: &Target) -> Result<(), Failure> {
    let (edits, placed) = edited(home, target)?;
    super::show::report_cards(context, &placed);
    match context.screen.json {
        true => context.screen.object(&json!({"target": target.as_str(), "edits": edits})),
        false => context.screen.line(told(target, edits)),
    }
    Ok(())
}

/// How many fields were changed, for a person.
pub(crate) fn told(target: &Target, edits: usize) -> String {
    match edits {
        0 => format!("{target}: nothing was changed"),
        _ => format!("{target}: {} changed", counted(edits, "field was", "fields were")),
    }
}

/// Opens the card of a target, and takes in what was changed: how many fields, and what a person has to know of the
/// cards then.
pub(crate) fn edited(home: &Home, target: &Target) -> Result<(usize, Placed), Failure> {
    if !home.keeps_cards() {
        let message = "this machine keeps no cards: there is no file to edit";
        return Err(Failure::new(Exit::Failed, message)
            .hint(format!("`cocli set {target} FIELD=VALUE` changes it")));
    }
    if let Some(by) = home.removed(target)? {
        return Err(super::rm::removed(home, target, &by));
    }
    if home.entity(target)?.fields.is_empty() {
        return Err(Failure::new(Exit::NotFound, format!("nothing is known of {target}")));
    }
    home.session(clock::now())?.place_these(std::slice::from_ref(target))?;
    let before = home.entity(target)?;
    editor::open(home.card_path(target)?.as_ref())?;
    let mut session = home.session(clock::now())?;
    let taken = session.take_in(std::slice::from_ref(target))?;
    let placed = session.place();
    drop(session);
    if let Some(end) = &taken.end {
        door::wake(home, end);
    }
    // A daemon that watches the cards may have been first.
    let own = home.entity(target)?.fields.into_iter().filter(|(field, entry)| {
        entry.stamp.node == *home.node() && before.fields.get(field) != Some(entry)
    });
    Ok((taken.edits.max(own.count()), placed?))
}
