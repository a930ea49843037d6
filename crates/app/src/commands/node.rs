//! `cocli node`: who belongs to the cluster, and who no longer does.

mod list;

use std::time::Duration;

use cocli_core::NodeId;
use cocli_net::{Key, RING_KEYS_MAX, RingError};
use cocli_node::{Home, KnownNode, nearest};
use serde_json::{Value as Json, json};

use super::Context;
use crate::args::{Node, NodeVerb};
use crate::failure::{Exit, Failure, chain};
use crate::rekey::{AHEAD_MAX_US, Phase, Rekey};
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
        let daemon = door::ask(home, &json!({"verb": "status"}))?;
        not_from_a_day_to_come(daemon.as_ref(), &node)?;
        leave_out(context, home, &node)?;
    }
    let runs = door::ask(home, &json!({"verb": "keys"}))?.is_some();
    if runs {
        wait(home, seconds)?;
    }
    tell(context, home, &node, runs)
}

/// Nobody takes a key that was made more than a day ahead of the own clock: used all the same, it would
/// leave out everybody.
fn not_from_a_day_to_come(daemon: Option<&Json>, out: &NodeId) -> Result<(), Failure> {
    let live = |peer: &&Json| peer.get("live").and_then(Json::as_bool) == Some(true);
    let clocks = list::peers(daemon).filter(live).filter_map(|peer| {
        Some((list::text(peer, "node")?, peer.get("clock_ahead_us")?.as_i64()?))
    });
    let clocks: Vec<(String, i64)> = clocks.filter(|(node, _)| node != out.as_str()).collect();
    if clocks.is_empty() || clocks.iter().any(|(_, ahead)| *ahead >= -AHEAD_MAX_US) {
        return Ok(());
    }
    let names: Vec<&str> = clocks.iter().map(|(node, _)| node.as_str()).collect();
    let message = format!(
        "the clock here is more than a day ahead of that of {}: no key that is made now is taken there",
        names.join(", ")
    );
    Err(Failure::new(Exit::Conflict, message)
        .hint("set the clock that is wrong, and then `cocli node rm` again: nothing was changed"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_made_that_everybody_who_is_there_would_refuse_for_its_date() {
        let told = |clocks: &[(&str, bool, i64)]| {
            let peer = |(node, live, hours): &(&str, bool, i64)| json!({"node": node, "live": live, "clock_ahead_us": hours * 3_600_000_000});
            let peers: Vec<Json> = clocks.iter().map(peer).collect();
            let out = NodeId::written("laptop").unwrap();
            not_from_a_day_to_come(Some(&json!({ "peers": peers })), &out)
        };
        let far = told(&[("pi1", true, -25), ("pi2", true, -48), ("laptop", true, 0)]).unwrap_err();
        assert!(far.message.contains("pi1, pi2"), "{far}");
        for taken in [
            &[("pi1", true, -25), ("pi2", true, 0)][..],
            &[("pi1", true, -23)],
            &[("pi1", true, 48)],
            &[("pi1", false, -48)],
            &[("laptop", true, -48)],
        ] {
            told(taken).unwrap();
        }
        not_from_a_day_to_come(None, &NodeId::written("laptop").unwrap()).unwrap();
    }
}
