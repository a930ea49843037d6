//! `cocli ticket`: what another machine needs to join.

use std::io::IsTerminal;

use cocli_net::{Key, Ticket};
use serde_json::json;

use super::Context;
use crate::args;
use crate::door;
use crate::failure::{Exit, Failure, chain};
use crate::ring::Held;

pub(super) fn run(context: &Context, args: &args::Ticket) -> Result<(), Failure> {
    let home = context.home()?;
    let held = Held::of(&home)?;
    let mut peers = args.address.clone();
    if peers.is_empty() {
        peers.extend(door::ask(&home, &json!({"verb": "status"}))?.and_then(|answer| {
            let listening = answer.get("listening")?.as_str()?.to_string();
            (!listening.starts_with("0.0.0.0") && !listening.starts_with("[::]"))
                .then_some(listening)
        }));
        peers.extend(home.config().gossip.peers.iter().cloned());
    }
    let ticket = Ticket { cluster: home.cluster().0, key: key(&held).clone(), peers, bucket: None };
    let text = ticket.to_text().map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;
    if context.screen.json {
        context.screen.object(&json!({"ticket": text.as_str()}));
        return Ok(());
    }
    context.screen.line(text.as_str());
    if std::io::stdout().is_terminal() {
        context.screen.note("whoever has this line is in: hand it over by a safe road");
        context.screen.note("there: `cocli init --join -`, then paste it");
        if ticket.peers.is_empty() {
            context.screen.note("no address is in it: `cocli ticket --address HOST` puts one in");
        }
    }
    Ok(())
}

/// The key in use, or the one that takes its place: who joins with the old one would not be handed the new one.
fn key(held: &Held) -> &Key {
    let next = held.rekey.as_ref().map(|rekey| &rekey.key);
    next.filter(|key| held.awaits(key.id())).unwrap_or(held.ring.in_use())
}
