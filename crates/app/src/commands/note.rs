//! `cocli note`: what is to be remembered of a company or person.

use std::io::IsTerminal;

use cocli_core::Kind;
use cocli_node::convo::to_the_second;

use super::Context;
use super::convo::{New, add, body, headline, list, one, owner};
use crate::args::{ConvoOf, Note, NoteAdd, NoteVerb, Show};
use crate::failure::{Exit, Failure};
use crate::{clock, editor};

pub(super) fn run(context: &Context, args: &Note) -> Result<(), Failure> {
    match &args.verb {
        Some(NoteVerb::Add(args)) => add_titled(context, args),
        Some(NoteVerb::List(args)) => list_of(context, args),
        Some(NoteVerb::Show(args)) => {
            let home = context.home()?;
            context.catch_up(&home, Some(&home.resolve(&args.target)?));
            let target = one(&home, &args.target, Kind::Note)?.to_string();
            super::show::run(context, &Show { target })
        }
        Some(NoteVerb::Edit(args)) => {
            let home = context.home()?;
            super::edit::open(context, &home, &one(&home, &args.target, Kind::Note)?)
        }
        None => add_line(context, args),
    }
}

/// One line: it is its own title.
fn add_line(context: &Context, args: &Note) -> Result<(), Failure> {
    let home = context.home()?;
    let text = args.text.join(" ");
    let of = owner(&home, args.target.as_deref().unwrap_or_default())?;
    let title = headline(&text);
    let fields = [("content", text.as_str())];
    add(
        context,
        &home,
        &of,
        &New { kind: Kind::Note, at: to_the_second(clock::now()), title: &title, fields: &fields },
    )
}

/// Its text is as given, from standard input, or, where a person sits there, from the editor.
fn add_titled(context: &Context, args: &NoteAdd) -> Result<(), Failure> {
    let home = context.home()?;
    let of = owner(&home, &args.target)?;
    let edits = args.body.is_none() && std::io::stdin().is_terminal();
    let composed = if edits { Some(editor::compose(&args.title)?) } else { None };
    let text = match &composed {
        Some(composed) => composed.text.clone(),
        None => body(args.body.as_deref())?,
    };
    let noted = match text.is_empty() {
        true => Err(Failure::new(Exit::Failed, "the note has no text: nothing is noted")),
        false => {
            let fields = [("content", text.as_str())];
            let new = New {
                kind: Kind::Note,
                at: to_the_second(clock::now()),
                title: &args.title,
                fields: &fields,
            };
            add(context, &home, &of, &new)
        }
    };
    let Some(editor::Composed { path, .. }) = composed else { return noted };
    match noted {
        Err(failure) if !text.is_empty() => {
            Err(failure.hint(format!("what you wrote stands in {}", path.display())))
        }
        noted => {
            let _ = std::fs::remove_file(path);
            noted
        }
    }
}

fn list_of(context: &Context, args: &ConvoOf) -> Result<(), Failure> {
    let home = context.home()?;
    let of = owner(&home, &args.target)?;
    context.catch_up(&home, Some(&of));
    let notes = home.convos(Some(&of), Kind::Note)?;
    list(context, notes.iter(), false);
    Ok(())
}
