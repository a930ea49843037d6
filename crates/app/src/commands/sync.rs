//! `cocli sync`: this home and its bucket, level; and where everything is safe.

use cocli_core::bucket::pace::Lacking;
use cocli_node::Home;
use cocli_node::durable::Trip;
use indicatif::HumanBytes;
use serde_json::json;

use super::Context;
use crate::args::{Sync, Way};
use crate::failure::{Exit, Failure};
use crate::render::{Tone, counted};
use crate::{bucket, clock, door};

pub(super) fn run(context: &Context, args: &Sync) -> Result<(), Failure> {
    let home = context.home()?;
    context.catch_up(&home, None);
    let Some((url, store)) = bucket::of(&home)? else {
        return Err(Failure::new(Exit::Failed, "this home has no bucket")
            .hint("`cocli init --bucket URL` gives it one; `cocli daemon` syncs with peers"));
    };
    let (pull, push) = (args.way != Some(Way::Push), args.way != Some(Way::Pull));
    let came = bucket::visit(&home, (&url, &store), true, |durable| {
        let trip = durable.level(pull, push, clock::now())?;
        Ok((trip, durable.lacking(0)?))
    })?;
    let (trip, lacking) = came.ok_or_else(|| Failure::new(Exit::Failed, "the bucket is busy"))?;
    if !trip.pulled.logs.is_empty() || !trip.pushed.met.logs.is_empty() {
        door::look(&home)?;
        // What came is shown in the cards.
        context.session(&home)?.place_all()?;
    }
    show(context, &home, &url, &trip, &lacking)
}

fn show(
    context: &Context,
    home: &Home,
    url: &str,
    trip: &Trip,
    lacking: &Lacking,
) -> Result<(), Failure> {
    let peers = holders(home)?;
    let waits = lacking.mine();
    if context.screen.json {
        context.screen.object(&json!({
            "bucket": url,
            "came": {"objects": trip.pulled.objects, "bytes": trip.pulled.bytes},
            "went": {"objects": trip.pushed.objects, "bytes": trip.pushed.bytes},
            "own_bytes_not_in_bucket": waits,
            "logs_not_in_bucket": lacking.others.len(),
            "nodes_that_hold_everything": peers,
            "notices": trip.pulled.notices,
        }));
        return Ok(());
    }
    let screen = context.screen;
    for notice in trip.pulled.notices.iter().chain(&trip.pushed.met.notices) {
        screen.note(notice);
    }
    let came = HumanBytes(trip.pulled.bytes);
    screen.line(format!("came: {came} in {}", counted(trip.pulled.objects, "object", "objects")));
    let went = HumanBytes(trip.pushed.bytes);
    screen.line(format!("went: {went} in {}", counted(trip.pushed.objects, "object", "objects")));
    let safe = match waits {
        0 => screen.paint(Tone::Good, &format!("everything written here is in {url}")),
        waits => screen
            .paint(Tone::Warn, &format!("{} written here are not in {url} yet", HumanBytes(waits))),
    };
    screen.line(safe);
    if !peers.is_empty() {
        screen.line(format!("and on {}", peers.join(", ")));
    }
    Ok(())
}

/// Live peers that hold everything that is here.
fn holders(home: &Home) -> Result<Vec<String>, Failure> {
    let status = door::ask(home, &json!({"verb": "status"}))?.unwrap_or_default();
    let peers = status.get("peers").and_then(|peers| peers.as_array()).cloned().unwrap_or_default();
    let holds = |peer: &serde_json::Value| {
        let live = peer.get("live")?.as_bool()?;
        let all = peer.get("lacks_bytes")?.as_u64()? == 0;
        (live && all).then(|| peer.get("node")?.as_str().map(ToOwned::to_owned)).flatten()
    };
    Ok(peers.iter().filter_map(holds).collect())
}
