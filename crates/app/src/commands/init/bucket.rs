//! `cocli init --bucket URL`: the bucket is tried before it counts.

use cocli_core::{Epoch, NodeId};
use cocli_node::durable::Durable;
use cocli_node::{BucketConfig, Home};
use cocli_tier::{Able, Report, Store};
use serde_json::{Value as Json, json};

use super::super::Context;
use crate::bucket::{open, spend};
use crate::clock;
use crate::failure::{Exit, Failure};

/// A bucket that was tried, and what it can.
pub(super) struct Tried {
    store: Store,
    report: Report,
}

/// Gives a home that there is already a bucket.
pub(super) fn begin(context: &Context, home: &Home, url: &str) -> Result<(), Failure> {
    home.is_no_copy()?;
    let tried = try_as(url, home.node(), &home.config().bucket)?;
    if context.screen.json {
        context.screen.object(&json!({
            "home": home.path().display().to_string(), "node": home.node().as_str(),
            "cluster": home.cluster().to_string(), "bucket": url, "tried": told(&tried.report),
        }));
    }
    keep(context, home, url, &tried)?;
    if !context.screen.json {
        context.screen.line(
            "next: `cocli sync` uploads everything; a daemon that runs is to be started again",
        );
    }
    Ok(())
}

/// Tries a bucket for a home that is not made yet.
pub(super) fn tried(url: &str, node: &NodeId) -> Result<Tried, Failure> {
    try_as(url, node, &BucketConfig::default())
}

fn try_as(url: &str, node: &NodeId, config: &BucketConfig) -> Result<Tried, Failure> {
    let store = open(url, config)?;
    let name = Epoch::from_random(clock::random());
    let report = store.probe(node, name.as_str())?;
    if let Able::No(why) = &report.creates {
        return Err(unfit(url, "create an object that is not there yet, and no other", why));
    }
    if let Able::No(why) = &report.reads {
        return Err(unfit(url, "read what was created", why));
    }
    Ok(Tried { store, report })
}

fn unfit(url: &str, what: &str, why: &str) -> Failure {
    let message = format!("{url} cannot be the bucket: this machine may not {what}: {why}");
    Failure::new(Exit::Failed, message)
        .hint("docs/bucket.md, \"Rights\", has the policy that a node needs")
}

/// Makes the bucket the home's own, and says what it can.
pub(super) fn keep(
    context: &Context,
    home: &Home,
    url: &str,
    tried: &Tried,
) -> Result<(), Failure> {
    let Tried { store, report } = tried;
    let denied = report.missing_is_denied;
    store.missing_is_denied(denied);
    Durable::begin(home, store, url, denied)?;
    home.keep_bucket(url)?;
    let _ = spend(home, store.meter(), clock::now());
    if !context.screen.json {
        lines(context, url, report);
    }
    Ok(())
}

fn lines(context: &Context, url: &str, report: &Report) {
    let screen = context.screen;
    let (create, read) = (report.create_micros / 1000, report.read_micros / 1000);
    screen.line(format!("{url} is the bucket: it creates in {create} ms and reads in {read} ms"));
    if let Some(naming) = &report.naming {
        screen.line(format!("  a folder: objects get their names by {naming}"));
    }
    if let Able::No(_) = &report.lists {
        screen.line(
            "  it may not be listed by this machine: new nodes are found by their names in it",
        );
    }
    if report.missing_is_denied {
        screen.line("  what is not there is refused (403): told apart by reading `cluster`");
    }
    if let Able::No(_) = &report.deletes {
        screen.line("  nothing may be deleted by this machine: a hub needs that right");
    }
}

fn told(report: &Report) -> Json {
    let able = |able: &Able| *able == Able::Yes;
    json!({
        "creates": able(&report.creates), "reads": able(&report.reads), "lists": able(&report.lists),
        "deletes": able(&report.deletes), "missing_is_denied": report.missing_is_denied,
        "naming": report.naming, "create_us": report.create_micros, "read_us": report.read_micros,
    })
}

#[cfg(test)]
mod tests {
    use cocli_core::bucket::FailureKind;

    use super::*;

    #[test]
    fn a_bucket_that_is_no_address_is_refused_before_a_home_is_made() {
        let node = NodeId::written("pi1").unwrap();
        let failure = tried("ftp://team", &node).err().unwrap();
        assert_eq!(failure.exit, Exit::Failed);
        let kind = open("ftp://team", &BucketConfig::default()).err().map(|failure| failure.kind);
        assert_eq!(kind, Some(FailureKind::Wrong));
    }
}
