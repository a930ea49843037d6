//! `cocli find`: entities by a part of what they are called, or by nearly that; and what notes say.

mod pick;

use cocli_core::Kind;
use cocli_core::schema::POOL;
use cocli_node::{Home, Place, Query};
use serde_json::json;

use super::Context;
use super::list::{condition, doubt, line};
use crate::args::Find;
use crate::failure::Failure;
use crate::render::{Screen, Tone};

pub(super) fn run(context: &Context, args: &Find) -> Result<(), Failure> {
    if args.notes {
        return said(context, args);
    }
    let mut given = Query::default();
    for filter in &args.filter {
        given.add(condition(filter)?);
    }
    if let Some(near) = &args.near {
        let place = Place::read(near, args.within).ok_or_else(|| {
            Failure::usage(format!(
                "{near:?} is no place: expected LAT,LON in degrees, as 52.5,13.4"
            ))
        })?;
        given.near(place);
    }
    for field in args.text.iter().filter_map(|word| word.strip_prefix("missing:")) {
        if !context.screen.json && Kind::Person.type_of(field).is_none() {
            doubt(context.screen, POOL[0], field);
        }
    }
    let query = Query::read(args.text.iter().map(String::as_str))?.and(&given);
    let home = context.home()?;
    context.catch_up(&home, None);
    if args.pick || (args.text.is_empty() && query.is_empty() && pick::possible(context.screen)) {
        return pick::run(context, &home, args, &given);
    }
    if query.is_empty() {
        let message = "expected a part of a name, domain, address, number or tag";
        return Err(Failure::usage(message.to_owned()));
    }
    list(context, &home, args, &query)
}

fn list(context: &Context, home: &Home, args: &Find, query: &Query) -> Result<(), Failure> {
    let screen = context.screen;
    let found = home.find(query, args.limit, &cocli_fuzzy::best)?;
    let (shown, wanted) = (found.entities.len(), query.wanted());
    if !screen.json {
        match shown {
            0 if wanted.is_empty() => screen.note("none"),
            0 if !query.is_text() => screen.note("nothing that all of this holds for"),
            0 => screen.note(format!(
                "nothing here is called {wanted:?}, or nearly so; `cocli find --notes` looks in notes and meetings"
            )),
            _ if found.nearly => screen.note(format!("nothing here is called {wanted:?}; nearly so:")),
            _ => {}
        }
    }
    let away = found.kilometres.iter().map(Some).chain(std::iter::repeat(None));
    screen.lines(found.entities.iter().zip(away).map(|((target, entity), away)| {
        let line = line(screen, target, entity);
        match away {
            Some(away) if screen.json => with_distance(&line, *away),
            Some(away) => {
                format!("{} {line}", screen.paint(Tone::Faint, &format!("{away:>7.1} km")))
            }
            None => line,
        }
    }));
    if shown == args.limit && !screen.json {
        screen.note(format!("the best {shown}; `--limit` shows more"));
    }
    Ok(())
}

/// A line of JSON with how far it is, too.
fn with_distance(line: &str, away: f64) -> String {
    let mut object = serde_json::from_str(line).unwrap_or_else(|_| json!({}));
    object["km"] = json!((away * 1000.0).round() / 1000.0);
    object.to_string()
}

fn said(context: &Context, args: &Find) -> Result<(), Failure> {
    let home = context.home()?;
    context.catch_up(&home, None);
    let screen = context.screen;
    let found = home.find_said(&args.text.join(" "), args.limit)?;
    let (none, full) = (found.is_empty(), found.len() == args.limit);
    let line = |said: cocli_node::Said| {
        match screen.json {
        true => json!({
            "target": said.target.as_str(), "timestamp": said.at, "title": said.title, "around": said.around,
        })
        .to_string(),
        false => format!(
            "{}  {}  {}\n  {}",
            screen.safe(said.at.get(..10).unwrap_or(&said.at)),
            screen.paint(Tone::Strong, &one_line(screen, &said.title)),
            screen.paint(Tone::Faint, said.target.as_str()),
            one_line(screen, &said.around),
        ),
    }
    };
    screen.lines(found.into_iter().map(line));
    match none {
        true if !screen.json => screen.note("no note or meeting says that"),
        _ if full && !screen.json => {
            screen.note(format!("the newest {}; `--limit` shows more", args.limit));
        }
        _ => {}
    }
    Ok(())
}

fn one_line(screen: Screen, text: &str) -> String {
    screen.safe(&text.replace('\n', " "))
}
