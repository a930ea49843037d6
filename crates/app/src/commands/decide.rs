//! `cocli accept` and `cocli reject`: hand edits that wait for a person.

use cocli_core::Value;
use cocli_node::Waiting;
use cocli_node::change::{Change, Intent};
use serde_json::{Map, Value as Json, json};

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
    let waiting = session.waiting(only.as_ref())?;
    let word = match (args.dry_run, accept) {
        (true, _) => "waiting",
        (false, true) => "accepted",
        (false, false) => "rejected",
    };
    let removed = waiting.iter().find(|card| accept && card.removed.is_some());
    let removed = removed.and_then(|card| Some((card.target.clone(), card.removed.clone()?)));
    let lines: Vec<Line> =
        waiting.iter().filter(|c| !accept || c.removed.is_none()).map(Line::of).collect();
    if !args.dry_run {
        let decided = session.decide(waiting, accept)?;
        let placed = session.place();
        drop(session);
        door::wake(&home, &decided.end);
        super::show::report_cards(context, &placed?);
    }
    if lines.is_empty() && removed.is_none() && !context.screen.json {
        context.screen.line("no edits wait");
    }
    lines.iter().for_each(|line| line.show(context, word));
    match removed {
        Some((target, by)) => Err(super::rm::removed(&home, &target, &by)),
        None => Ok(()),
    }
}

/// A card and what was edited in it.
struct Line {
    path: String,
    fields: Vec<(String, Value)>,
}

impl Line {
    fn of(card: &Waiting) -> Self {
        let field = |change: &Change| match &change.intent {
            Intent::Put(value) => Some((change.field.to_string(), value.clone())),
            Intent::Add(_) | Intent::Remove(_) | Intent::Settle { .. } => None,
        };
        Self { path: card.path.clone(), fields: card.changes.iter().filter_map(field).collect() }
    }

    fn show(&self, context: &Context, word: &str) {
        let screen = context.screen;
        if screen.json {
            let fields: Map<String, Json> =
                self.fields.iter().map(|(f, v)| (f.clone(), v.to_json())).collect();
            screen.object(&json!({word: self.path, "fields": fields}));
            return;
        }
        screen.line(screen.safe(&format!("{word}: {}", self.path)));
        for (field, value) in &self.fields {
            let text = if value.is_null() { "nothing".into() } else { value.shown() };
            screen.line(screen.safe(&format!("  {field}: {text}")));
        }
    }
}
