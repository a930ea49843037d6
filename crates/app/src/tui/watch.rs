//! What the daemon is asked, each second and no oftener: how the cluster is; and what becomes durable, as it comes. Where
//! no daemon runs it is looked for again.

use std::time::Duration;

use cocli_node::Home;
use serde_json::json;

use super::model::{Door, Event};
use super::queue::{Closed, Sender};
use super::seen;
use crate::failure::Failure;
use crate::{clock, door};

/// From one question to the next.
const EACH: Duration = Duration::from_secs(1);

/// Asks how the cluster is until nobody listens.
pub(super) fn cluster(home: &Home, events: &Sender) {
    while events.send(Event::Cluster(asked(home))).is_ok() {
        clock::pass(EACH);
    }
}

fn asked(home: &Home) -> Result<seen::Seen, Door> {
    let mute = |failure: Failure| Door::Mute(seen::one_line(&failure.whole()));
    let daemon = door::ask(home, &json!({"verb": "status"})).map_err(mute)?.ok_or(Door::Shut)?;
    // One of an older version knows no such request.
    let answer = door::ask(home, &json!({"verb": "cluster"})).ok().flatten();
    Ok(seen::seen(home.node().as_str(), &daemon, answer.as_ref()))
}

/// Follows what becomes durable until nobody listens.
pub(super) fn follow(home: &Home, events: &Sender) {
    loop {
        // Why there is nothing to follow is told by whoever asks for the cluster.
        if let Ok(Some(lines)) = door::follow(home)
            && tell(lines, events).is_err()
        {
            return;
        }
        clock::pass(EACH);
    }
}

/// Tells line by line; what is no line is left out.
fn tell(lines: impl Iterator<Item = serde_json::Value>, events: &Sender) -> Result<(), Closed> {
    events.send(Event::Follows(true))?;
    for line in lines {
        if let Some(line) = seen::line(&line) {
            events.send(Event::Line(line))?;
        }
    }
    events.send(Event::Follows(false))
}
