//! `cocli node`: who belongs to the cluster, and who no longer does.

mod list;

use std::time::Duration;

use cocli_core::NodeId;
use cocli_net::{Key, RING_KEYS_MAX, RingError};
use cocli_node::{Home, KnownNode, nearest};
use serde_json::json;

use super::Context;
use crate::args::{Node, NodeVerb};
use crate::failure::{Exit, Failure, chain};
use crate::rekey::{Phase, Rekey};
use crate::render::Tone;
use crate::ring::{self, Held};
use crate::{clock, door};

/// Between two looks at how far the daemon has come.
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn run(context: &Context, args: &Node) -> Result<(), Failure> {
    let home = context.home()?;
    match &args.what {
        NodeVerb::List => list::run(context, &home),
        NodeVerb::Rm { node, timeout } => remove(context, &home, node, *timeout),
    }
}

fn remove(context: &Context, home: &Home, typed: &str, seconds: f64) -> Result<(), Failure> {
    ring::of(home)?;
    let node = named(home, typed)?;
    let before = Held::of(home)?;
    // Once more is no new key, but another look at how far it has come.
    if !before.refuses_name(node.as_str().as_bytes()) {
        leave_out(context, home, &node)?;
    }
    let runs = door::ask(home, &json!({"verb": "keys"}))?.is_some();
    if runs {
        wait(home, seconds)?;
    }
    tell(context, home, &node, runs)
}

/// The node that is meant: one that is known, and not this one.
fn named(home: &Home, typed: &str) -> Result<NodeId, Failure> {
    let name = typed.strip_prefix("nodes/").unwrap_or(typed);
    if name == home.node().as_str() {
        let message = format!("{name} is this node: it cannot leave itself out");
        return Err(Failure::new(Exit::Conflict, message)
            .hint("`cocli leave` takes this machine out; a stolen one is left out on another"));
    }
    let daemon = door::ask(home, &json!({"verb": "status"}))?;
    let known = home.known_nodes()?;
    let names: Vec<String> = known
        .iter()
        .map(|one| one.node.to_string())
        .chain(list::peers(daemon.as_ref()).filter_map(|peer| list::text(peer, "node")))
        .collect();
    if let Some(node) = names.iter().find(|known| *known == name) {
        return Ok(NodeId::read(node)?);
    }
    let failure = Failure::new(Exit::NotFound, format!("no node is called {name:?}"));
    let others = names.iter().map(String::as_str).filter(|one| *one != home.node().as_str());
    Err(match nearest(name, others) {
        Some(near) => failure.hint(format!("the nearest is `{near}`")),
        None => failure.hint("`cocli node list` shows all"),
    })
}

/// Writes down the new key and who is given it, and tells the cluster of it. From here on a daemon goes on by
/// itself, now or when it is started.
fn leave_out(context: &Context, home: &Home, node: &NodeId) -> Result<(), Failure> {
    let known = home.known_nodes()?;
    let own = super::init::identity(home)?.ok_or_else(|| {
        Failure::new(Exit::Failed, "the node's own key is missing or has not 32 bytes")
            .hint("`cocli doctor --repair` makes a new one")
    })?;
    let mut alone = context.session(home)?;
    let before = Held::of(home)?;
    if before.ring.list().len() >= RING_KEYS_MAX {
        return Err(full(&before));
    }
    let key = Key::fresh().map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;
    let (now, me) = (clock::now().micros(), (home.node(), own.public()));
    let mut rekey = Rekey::begin(now, key, me, node, &known, before.rekey.as_ref());
    let mut held = before.clone();
    let full = |_: RingError| full(&before);
    rekey.enter(&mut held.ring, before.rekey.as_ref()).map_err(full)?;
    held.rekey = Some(rekey);
    held.keep(home, &alone, &before)?;
    let told = alone.leave_out(node)?;
    drop(alone);
    door::wake(home, &told);
    Ok(())
}

/// Nothing was written: a key has to go first, and who needs it is known.
fn full(held: &Held) -> Failure {
    let message = format!("the ring holds {RING_KEYS_MAX} keys, which is all it can");
    let keys = held.ring.list();
    let retired = keys.iter().rev().find(|id| held.retires(**id));
    let lacking: Vec<&str> =
        held.rekey.iter().flat_map(Rekey::lacking).map(NodeId::as_str).collect();
    let hint = match (retired, lacking.is_empty()) {
        (Some(id), false) => format!(
            "`cocli key remove {id}`: {} can then not be handed a key any more, and joins anew by `cocli ticket`",
            lacking.join(", ")
        ),
        (Some(id), true) => format!("`cocli key remove {id}`: all have a newer one"),
        _ => "`cocli key list`, and `cocli key remove ID` of one that nobody uses".into(),
    };
    Failure::new(Exit::Conflict, message).hint(hint)
}

/// Until the new key is in use.
fn wait(home: &Home, seconds: f64) -> Result<(), Failure> {
    let began = clock::monotonic();
    let patience = Duration::try_from_secs_f64(seconds).unwrap_or(LOOK);
    while Held::of(home)?.phase() == Some(Phase::Taken) && began.elapsed() < patience {
        clock::pass(LOOK);
    }
    Ok(())
}

fn tell(context: &Context, home: &Home, node: &NodeId, runs: bool) -> Result<(), Failure> {
    let (held, screen) = (Held::of(home)?, context.screen);
    let Some(rekey) = &held.rekey else { return Ok(()) };
    let others = rekey.heirs.iter().filter(|(name, heir)| *name != home.node() && !heir.left);
    let (have, lack): (Vec<_>, Vec<_>) = others.partition(|(_, heir)| heir.has);
    let names = |some: &[(&NodeId, &crate::rekey::Heir)]| -> Vec<String> {
        some.iter().map(|(name, _)| name.to_string()).collect()
    };
    let (have, lack) = (names(&have), names(&lack));
    let keyless: Vec<String> = home
        .known_nodes()?
        .into_iter()
        .filter(|one: &KnownNode| one.left.is_none() && one.node != *home.node())
        .filter(|one| !rekey.heirs.contains_key(&one.node) && !rekey.out.contains_key(&one.node))
        .map(|one| one.node.to_string())
        .collect();
    let used = held.phase() != Some(Phase::Taken);
    if screen.json {
        screen.object(&json!({
            "removed": node.as_str(), "key": rekey.key.id().to_string(), "in_use": used,
            "daemon": runs, "have": have, "lack": lack, "not_given": keyless,
        }));
        return Ok(());
    }
    let id = rekey.key.id();
    match (used, runs) {
        (true, _) => screen.line(format!("{node} is left out: key {id} is in use")),
        (false, true) => screen.line(format!(
            "{node} is left out: key {id} is being handed on, and is used in half a minute at the latest"
        )),
        (false, false) => {
            screen.line(format!("{node} is left out as soon as a daemon runs here: `cocli daemon`"));
        }
    }
    if !have.is_empty() {
        screen.line(format!("  {} {}", screen.paint(Tone::Good, "has it:"), have.join(", ")));
    }
    for name in &lack {
        let lacks = screen.paint(Tone::Warn, &format!("{name} lacks it"));
        screen.line(format!("  {lacks}, and is handed it when it comes: `cocli daemon` there"));
    }
    for name in &keyless {
        let not = screen.paint(Tone::Warn, &format!("{name} is not given it"));
        screen.line(format!("  {not}: `cocli ticket` here, then `cocli join -` there"));
    }
    screen.line("a name above that is not yours? `cocli node rm` it as well");
    Ok(())
}
