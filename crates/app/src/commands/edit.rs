//! `cocli edit`: a target's card in the editor, taken in when that is closed.

use cocli_core::Target;
use cocli_node::Home;
use serde_json::json;

use super::Context;
use crate::args::Edit;
use crate::door;
use crate::editor;
use crate::failure::{Exit, Failure};

pub(super) fn run(context: &Context, args: &Edit) -> Result<(), Failure> {
    let home = context.home()?;
    let target = home.resolve(&args.target)?;
    open(context, &home, &target)
}

/// Opens the card of a target, and takes in what was changed.
pub(super) fn open(context: &Context, home: &Home, target: &Target) -> Result<(), Failure> {
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
    context.session(home)?.place_these(std::slice::from_ref(target))?;
    editor::open(home.card_path(target)?.as_ref())?;
    let mut session = context.session(home)?;
    let taken = session.take_in(std::slice::from_ref(target))?;
    let placed = session.place();
    drop(session);
    if let Some(end) = &taken.end {
        door::wake(home, end);
    }
    super::show::report_cards(context, &placed?);
    match context.screen.json {
        true => context.screen.object(&json!({"target": target.as_str(), "edits": taken.edits})),
        false if taken.edits == 0 => context.screen.line(format!("{target}: nothing was changed")),
        false => {
            let edits = crate::render::counted(taken.edits, "field was", "fields were");
            context.screen.line(format!("{target}: {edits} changed"));
        }
    }
    Ok(())
}
