//! What the daemon is asked, each second and no oftener: how the cluster is; and what becomes durable, as it comes. Where
//! no daemon runs it is looked for again.

use std::time::Duration;

use cocli_node::Home;
use serde_json::{Value as Json, json};

use super::model::{Door, Event};
use super::queue::{Closed, Sender};
use super::seen;
use crate::failure::{Failure, chain};
use crate::{clock, door, problems};

/// From one question to the next.
const EACH: Duration = Duration::from_secs(1);
/// From one look at what needs a person at this home to the next; longer where that takes long.
const OWN: Duration = Duration::from_secs(10);
const REST_TIMES: u32 = 20;

/// Asks how the cluster is until nobody listens.
pub(super) fn cluster(home: &Home, events: &Sender) {
    let (mut own, mut due) = (None, clock::monotonic());
    loop {
        let daemon = daemon(home);
        let seen = daemon.as_ref().map(|daemon| seen(home, daemon)).map_err(Clone::clone);
        if events.send(Event::Cluster(seen)).is_err() {
            return;
        }
        let began = clock::monotonic();
        if began >= due {
            let now = own_problems(home, daemon.as_ref().ok());
            due = clock::monotonic() + OWN.max((clock::monotonic() - began) * REST_TIMES);
            if own.as_ref() != Some(&now) && events.send(Event::Own(now.clone())).is_err() {
                return;
            }
            own = Some(now);
        }
        clock::pass(EACH);
    }
}

fn daemon(home: &Home) -> Result<Json, Door> {
    let mute = |failure: Failure| Door::Mute(seen::one_line(&failure.whole()));
    door::ask(home, &json!({"verb": "status"})).map_err(mute)?.ok_or(Door::Shut)
}

fn seen(home: &Home, daemon: &Json) -> seen::Seen {
    // One of an older version knows no such request.
    let answer = door::ask(home, &json!({"verb": "cluster"})).ok().flatten();
    seen::seen(home.node().as_str(), daemon, answer.as_ref())
}

/// What needs a person at this home; that it cannot be read does.
fn own_problems(home: &Home, daemon: Option<&Json>) -> Vec<String> {
    match problems::of_home(home, daemon) {
        Ok(problems) => problems.iter().map(|need| seen::one_line(&need.said)).collect(),
        Err(error) => vec![seen::one_line(&format!("{}: `cocli doctor`", chain(&error)))],
    }
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
