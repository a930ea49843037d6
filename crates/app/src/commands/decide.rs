//! `cocli accept` and `cocli reject`: hand edits that wait for a person.

use serde_json::json;

use super::Context;
use crate::args::Decide;
use crate::door;
use crate::failure::Failure;

pub(super) fn accept(context: &Context, args: &Decide) -> Result<(), Failure> {
    decide(context, args, true)
}

pub(super) fn reject(context: &Context, args: &Decide) -> Result<(), Failure> {
    decide(context, args, false)
}

fn decide(context: &Context, args: &Decide, accept: bool) -> Result<(), Failure> {
    let home = context.home()?;
    let only = args.target.as_deref().map(|name| home.resolve(name)).transpose()?;
    let mut session = context.session(&home)?;
    let decided = session.decide(only.as_ref(), accept)?;
    let placed = session.place();
    drop(session);
    door::wake(&home, &decided.end);
    let placed = placed?;
    super::show::report_cards(context, &placed);
    if let Some((target, by)) = decided.removed.first() {
        return Err(super::rm::removed(target, by));
    }
    let word = if accept { "accepted" } else { "rejected" };
    match context.screen.json {
        true => context.screen.object(&json!({
            word: decided.cards, "written": decided.datagrams,
        })),
        false if decided.cards.is_empty() => context.screen.line("no edits wait"),
        false => {
            for path in &decided.cards {
                context.screen.line(context.screen.safe(&format!("{word}: {path}")));
            }
        }
    }
    Ok(())
}
