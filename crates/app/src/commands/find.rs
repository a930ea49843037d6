//! `cocli find`: entities by a part of what they are called, or by nearly that.

use super::Context;
use super::list::line;
use crate::args::Find;
use crate::failure::Failure;

pub(super) fn run(context: &Context, args: &Find) -> Result<(), Failure> {
    let text = args.text.join(" ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return Err(Failure::usage("expected a part of a name, domain or address".to_owned()));
    }
    let home = context.home()?;
    context.catch_up(&home, None);
    let found = home.find(&text, args.limit, &cocli_fuzzy::best)?;
    let shown = found.entities.len();
    if found.nearly && !context.screen.json {
        context.screen.note(match shown {
            0 => format!("nothing here is called {text:?}, or nearly so"),
            _ => format!("nothing here is called {text:?}; nearly so:"),
        });
    }
    let screen = context.screen;
    screen.lines(found.entities.iter().map(|(target, entity)| line(screen, target, entity)));
    if shown == args.limit && !context.screen.json {
        context.screen.note(format!("the best {shown}; `--limit` shows more"));
    }
    Ok(())
}
