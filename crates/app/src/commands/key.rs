//! `cocli key`: the keys of the cluster on this machine. They never travel in datagrams: each is
//! added by hand, first everywhere, then used everywhere, then the old one removed.

use std::io::IsTerminal;

use cocli_net::{Key, KeyId, Ring};
use cocli_node::Home;
use serde_json::json;

use super::Context;
use crate::args::{self, KeyVerb};
use crate::failure::{Exit, Failure, chain};
use crate::render::Tone;
use crate::ring::{self, Held, Keyless};
use crate::{door, pasted};

pub(super) fn run(context: &Context, args: &args::Key) -> Result<(), Failure> {
    let home = context.home()?;
    // Held to the end: two changes at once would lose one.
    let _alone = context.session(&home)?;
    if matches!(args.what, KeyVerb::Add { first: true, .. }) {
        return first(context, &home);
    }
    let held = Held::of(&home)?;
    let mut ring = held.ring.clone();
    match &args.what {
        KeyVerb::List => list(context, &held),
        KeyVerb::Add { line, .. } => {
            add(context, &home, &mut ring, line.as_deref())?;
        }
        KeyVerb::Use { id } => {
            let id = read_id(id)?;
            if held.retires(id) {
                let message = format!("{id} was given up, since a node that was left out has it");
                return Err(Failure::new(Exit::Conflict, message)
                    .hint("`cocli node list` says who still needs it to be handed the new one"));
            }
            ring.use_key(id).map_err(refused)?;
            keep(&home, &ring)?;
            told(
                context,
                json!({ "uses": id.to_string() }),
                &format!("seals with {id} from now on"),
            );
        }
        KeyVerb::Remove { id } => {
            let id = read_id(id)?;
            if held.awaits(id) {
                let message = format!("{id} is being handed to the other nodes");
                return Err(Failure::new(Exit::Conflict, message)
                    .hint("`cocli node list` says who has it already"));
            }
            ring.remove(id).map_err(refused)?;
            let cut_off = who_seals_with(&home, id);
            keep(&home, &ring)?;
            let text = format!("{id} is forgotten here: what is sealed with it no longer opens");
            let object = json!({ "removed": id.to_string(), "cut_off": cut_off });
            told(context, object, &text);
            if !cut_off.is_empty() {
                let (who, new) = (cut_off.join(", "), ring.in_use().id());
                context.screen.note(format!(
                    "cut off: {who} sealed with it until now, and is not heard here before `cocli key use {new}` there (first `cocli key add -` where `cocli key list` does not show {new})"
                ));
            }
        }
    }
    Ok(())
}

fn add(context: &Context, home: &Home, ring: &mut Ring, line: Option<&str>) -> Result<(), Failure> {
    let key = match line {
        None => fresh()?,
        Some(line) => given(context, line)?,
    };
    ring.add(key.clone()).map_err(refused)?;
    home.keep_keys(ring.to_text().as_bytes())?;
    // Before the daemon is asked: this line is shown once.
    added(context, &key, line.is_none());
    take_up(home)
}

fn fresh() -> Result<Key, Failure> {
    Key::fresh().map_err(|error| Failure::new(Exit::Failed, chain(&error)))
}

/// What was cloned from a bucket becomes the first member of its cluster again.
fn first(context: &Context, home: &Home) -> Result<(), Failure> {
    if !home.keys()?.is_empty() {
        return Err(Failure::new(Exit::Conflict, format!("{} has a key already", home.node()))
            .hint("`cocli ticket` lets others in; `cocli key add` makes another key"));
    }
    if Keyless::of(home) != Keyless::Clone {
        return ring::of(home).map(|_| ());
    }
    let key = fresh()?;
    home.keep_keys(Ring::new(key.clone()).to_text().as_bytes())?;
    let id = key.id().to_string();
    let text = format!("{id} is the key of the cluster: `cocli ticket` lets others in");
    told(context, json!({ "added": id, "uses": id }), &text);
    Ok(())
}

/// The nodes whose last packet was sealed with a key, as far as a daemon runs and heard of them.
fn who_seals_with(home: &Home, id: KeyId) -> Vec<String> {
    let status = door::ask(home, &json!({"verb": "status"})).ok().flatten().unwrap_or_default();
    let peers = status["peers"].as_array().into_iter().flatten();
    let with_it = peers.filter(|peer| peer["seals_with"] == id.to_string());
    let mut nodes: Vec<String> =
        with_it.filter_map(|peer| peer["node"].as_str().map(str::to_owned)).collect();
    nodes.sort();
    nodes.dedup();
    nodes
}

fn list(context: &Context, held: &Held) {
    for (at, id) in held.ring.list().into_iter().enumerate() {
        let (used, retired) = (at == 0, held.retires(id));
        if context.screen.json {
            let object = json!({"key": id.to_string(), "in_use": used, "retired": retired});
            context.screen.object(&object);
            continue;
        }
        let what = match (used, retired) {
            (true, _) => "seals and opens",
            (_, true) => "hands the new key to who was away, and nothing else",
            _ if held.awaits(id) => "opens, and seals once all that are alive have it",
            _ => "opens",
        };
        context.screen.line(format!("{id}  {}", context.screen.paint(Tone::Faint, what)));
    }
}

/// The secret line goes to standard output alone, so that it can be handed on by a pipe.
fn added(context: &Context, key: &Key, fresh: bool) {
    let id = key.id();
    let text = Ring::new(key.clone()).to_text();
    let line = text.lines().last().unwrap_or_default();
    match (context.screen.json, fresh) {
        (true, true) => context.screen.object(&json!({"added": id.to_string(), "line": line})),
        (true, false) => context.screen.object(&json!({"added": id.to_string()})),
        (false, false) => context.screen.line(format!("{id} opens here from now on")),
        (false, true) => {
            context.screen.line(line);
            if std::io::stdout().is_terminal() {
                context.screen.note("whoever has this line is in: hand it over by a safe road");
                context.screen.note("on each other machine: `cocli key add -`, then paste it");
                context.screen.note(format!("when all have it: `cocli key use {id}` on each"));
            }
        }
    }
}

fn told(context: &Context, object: serde_json::Value, text: &str) {
    match context.screen.json {
        true => context.screen.object(&object),
        false => context.screen.line(text),
    }
}

/// A line of another machine's `cocli key add`; `-` reads it from standard input, so that it stays out
/// of the shell's history.
fn given(context: &Context, line: &str) -> Result<Key, Failure> {
    let ring = match line {
        "-" => Ring::from_text(&pasted::read(context.screen, "the line of the key", |_| true)?),
        line => Ring::from_text(line),
    };
    let ring = ring.map_err(|error| {
        Failure::usage(chain(&error)).hint("`cocli key add` on another machine prints such a line")
    })?;
    Ok(ring.in_use().clone())
}

fn read_id(text: &str) -> Result<KeyId, Failure> {
    KeyId::read(text).ok_or_else(|| {
        Failure::usage(format!("{text:?} is no key id: expected eight hexadecimal digits"))
            .hint("`cocli key list` shows them")
    })
}

/// A ring that was left as it was.
fn refused(error: cocli_net::RingError) -> Failure {
    let hint = match error {
        cocli_net::RingError::Full => "`cocli key remove ID` makes room",
        cocli_net::RingError::InUse(_) => "`cocli key use ID` of another one first",
        cocli_net::RingError::Known(_) | cocli_net::RingError::Unknown(_) => {
            "`cocli key list` shows what is there"
        }
    };
    let exit = match error {
        cocli_net::RingError::Unknown(_) => Exit::NotFound,
        _ => Exit::Conflict,
    };
    Failure::new(exit, chain(&error)).hint(hint)
}

/// Writes the key file; a running daemon takes it up at once.
fn keep(home: &Home, ring: &Ring) -> Result<(), Failure> {
    home.keep_keys(ring.to_text().as_bytes())?;
    take_up(home)
}

fn take_up(home: &Home) -> Result<(), Failure> {
    door::ask(home, &json!({"verb": "keys"})).map(|_| ()).map_err(|failure| Failure {
        message: format!("it is in the key file, but {}", failure.message),
        ..failure
    })
}
