//! `cocli leave`: out of the cluster, with everything that was written here safe elsewhere.

use std::time::Duration;

use cocli_node::{End, Home};
use serde_json::{Value as Json, json};

use super::{Context, daemon};
use crate::args::Leave;
use crate::failure::{Exit, Failure};
use crate::{clock, door, ring};

/// Between two looks at the daemon.
const LOOK: Duration = Duration::from_millis(50);
/// How long the daemon may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(10);

pub(super) fn run(context: &Context, args: &Leave) -> Result<(), Failure> {
    let home = context.home()?;
    ring::of(&home)?;
    context.catch_up(&home, None);
    if !door::is_open(&home) {
        return Err(Failure::new(Exit::Failed, "no daemon runs, so nobody knows what others hold")
            .hint("`cocli daemon`, and then `cocli leave` beside it"));
    }
    wait_for_holder(&home, args.timeout)?;
    // Only now, so that who cannot leave has not said so; and it is to be known elsewhere, too.
    let told = context.session(&home)?.leave()?;
    door::wake(&home, &told);
    let (holder, end) = wait_for_holder(&home, args.timeout).inspect_err(|_| {
        // It stays: what was told is taken back. The failure to be told of is the first one.
        let _ = home.came_back(clock::now());
    })?;
    forget(&home, end)?;
    // The daemon ends last, and after what is told: in a container everything ends with it.
    match context.screen.json {
        true => context.screen.object(&json!({"left": true, "holder": holder})),
        false => {
            context.screen.line(format!(
                "{} left: {holder} holds all that is here, and the key is forgotten",
                home.node()
            ));
            context.screen.line(
                "the files stay; `cocli join -` with a ticket of a member brings this machine back",
            );
            if daemon::service::keeps(&home) {
                context.screen.line("`cocli daemon uninstall` takes its service away");
            }
        }
    }
    end_daemon(&home)
}

/// Forgets the keys, unless the home has grown beyond what another one holds.
fn forget(home: &Home, end: End) -> Result<(), Failure> {
    // Under the lock, so that nothing is written between this look and the end of the key.
    let mut session = home.session(clock::now())?;
    if session.end()? != end {
        drop(session);
        let _ = home.came_back(clock::now());
        return Err(Failure::new(Exit::Failed, "something was written here meanwhile")
            .hint("`cocli leave` again"));
    }
    home.forget_rekey()?;
    home.keep_keys(b"")?;
    Ok(())
}

/// Another node that holds every byte that this one holds: the newest own ones, which end there, by
/// their hash.
fn wait_for_holder(home: &Home, seconds: f64) -> Result<(String, End), Failure> {
    let end = home.session(clock::now())?.end()?;
    let began = clock::monotonic();
    let patience = Duration::try_from_secs_f64(seconds).unwrap_or(GOODBYE);
    if end.head.position > 0 {
        door::wait(home, &end, 1, seconds)?;
    }
    loop {
        let status = door::ask(home, &json!({"verb": "status"}))?.unwrap_or_default();
        if let Some(holder) = holder(home, &status) {
            return Ok((holder, end));
        }
        if began.elapsed() >= patience {
            let message = format!("no other node holds all that is here after {seconds} s");
            return Err(Failure::new(Exit::Failed, message)
                .hint("nothing was changed; `cocli status` shows how far the others are"));
        }
        clock::pass(LOOK);
    }
}

fn holder(home: &Home, status: &Json) -> Option<String> {
    let peers = status.get("peers")?.as_array()?;
    // Who is ahead in a log may hold another branch of it.
    let holds = |peer: &&Json| {
        ["live", "level"].iter().all(|so| peer.get(so).and_then(Json::as_bool) == Some(true))
            && peer.get("node").and_then(Json::as_str) != Some(home.node().as_str())
    };
    peers.iter().find(holds)?.get("node")?.as_str().map(ToOwned::to_owned)
}

/// The daemon says goodbye to all, and ends.
fn end_daemon(home: &Home) -> Result<(), Failure> {
    // Its end may cut its answer off: what counts is that the door closes.
    let _ = door::ask(home, &json!({"verb": "stop"}));
    let asked = clock::monotonic();
    while door::is_open(home) {
        if asked.elapsed() > GOODBYE {
            return Err(Failure::new(Exit::Failed, "the daemon does not end")
                .hint("it goes on as a member until it is ended where it runs"));
        }
        clock::pass(LOOK);
    }
    Ok(())
}
