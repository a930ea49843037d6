//! `cocli clone`: a home made of what a bucket holds, now or at a time.

use std::path::Display;

use cocli_core::bucket::{Bucket, FailureKind, Key};
use cocli_core::{ClusterId, Instant, NodeId};
use cocli_net::Identity;
use cocli_node::durable::{Beginning, Cloned, Restored, Source, Stage, clone, cluster_of, restore};
use cocli_node::{Birth, BucketConfig, Home, Membership};
use cocli_tier::Store;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{Context, init};
use crate::args::Clone;
use crate::failure::{Exit, Failure, chain};
use crate::render::counted;
use crate::{bucket, clock, locate, when};

/// Logs, and other things to know, that a person is told of one by one.
const LINES_MAX: usize = 10;

pub(super) fn run(context: &Context, args: &Clone) -> Result<(), Failure> {
    let at = args.at.as_deref().map(when::past).transpose()?;
    if at.is_some() && args.dir.is_none() {
        let message = "a copy of an earlier time has a folder of its own: say which";
        return Err(Failure::usage(message).hint("`cocli clone URL DIR --at TIME`"));
    }
    let path = init::wanted(context, args.dir.as_ref())?;
    let store = bucket::open(&args.url, &BucketConfig::default())?;
    let cluster = cluster_of(&store)?;
    let missing_is_denied = hides_what_is_missing(&store)?;
    let bar = bar(context);
    let watch = |stage, came, all| show(&bar, stage, came, all);
    let source = Source { bucket: &store, url: &args.url, missing_is_denied, watch: &watch };
    let birth = birth(args, cluster, at)?;
    match at {
        None => {
            let done = clone(&path, &birth, clock::rim(), source, clock::now());
            bar.finish_and_clear();
            let (home, cloned) = done?;
            let _ = bucket::spend(&home, store.meter(), clock::now());
            tell(context, &home, args, &cloned)
        }
        Some(at) => {
            let done = restore(&path, &birth, clock::rim(), (source, at), clock::now());
            bar.finish_and_clear();
            let (home, restored) = done?;
            tell_restored(context, &home, at, &restored);
            Ok(())
        }
    }
}

/// Whether the store refuses to read what is not there; it takes that for missing from now on then. `cluster` was
/// read just now, so that it is no lack of rights.
fn hides_what_is_missing(store: &Store) -> Result<bool, Failure> {
    let absent = NodeId::written("nobody")?;
    let hides = match store.get(&Key::trial(&absent, "absent")) {
        Ok(_) => false,
        Err(failure) if failure.kind == FailureKind::Denied => true,
        Err(failure) => return Err(failure.into()),
    };
    store.missing_is_denied(hides);
    Ok(hides)
}

/// The node that the home is to be: of the bucket's cluster, or alone.
fn birth(args: &Clone, cluster: ClusterId, at: Option<Instant>) -> Result<Birth, Failure> {
    let node = match &args.node {
        Some(name) => NodeId::written(name)?,
        None => NodeId::written(&init::default_name())?,
    };
    let identity = Identity::fresh().map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;
    let cluster = if at.is_some() { ClusterId(clock::random()) } else { cluster };
    Ok(Birth {
        node,
        membership: Membership { cluster, keys: Vec::new(), peers: Vec::new() },
        identity: identity.to_bytes().to_vec(),
        identity_public: identity.public_hex(),
        cards: !args.no_cards,
        maybe_known: args.node.is_some() && at.is_none(),
    })
}

fn tell(context: &Context, home: &Home, args: &Clone, cloned: &Cloned) -> Result<(), Failure> {
    let screen = context.screen;
    let named = context.data.is_some() || std::env::var_os("COCLI_DATA_HOME").is_some();
    let noted = if named { false } else { locate::note(home.path())? };
    super::show::report_cards(context, &cloned.cards);
    for notice in cloned.notices.iter().take(LINES_MAX) {
        screen.note(notice);
    }
    if screen.json {
        let manifest = cloned.manifest.as_ref();
        screen.object(&json!({
            "home": home.path().display().to_string(), "node": home.node().as_str(),
            "cluster": home.cluster().to_string(), "manifest": manifest.map(|one| one.0),
            "hub": manifest.map(|one| one.1.as_str()), "at": manifest.map(|one| &one.2),
            "objects": cloned.objects, "bytes": cloned.bytes, "values": cloned.values,
            "companies": cloned.companies, "people": cloned.people,
            "cards": cloned.cards.written, "waiting": cloned.waiting, "damaged": cloned.damaged,
        }));
    } else {
        screen.line(format!("{} is a data home; this node is {}", shown(home), home.node()));
        screen.line(format!(
            "{} in {}: {}{}",
            entities(cloned.companies, cloned.people),
            counted(cloned.values, "value", "values"),
            match &cloned.manifest {
                Some((n, hub, at)) => format!("what {hub} published at {at} (manifest {n}), and "),
                None => String::new(),
            },
            format_args!(
                "{} ({} bytes)",
                counted(cloned.objects, "object", "objects"),
                cloned.bytes
            ),
        ));
        if cloned.waiting > 0 {
            let objects = counted(cloned.waiting, "object waits", "objects wait");
            screen.line(format!("{objects} for bytes that nobody has put into the bucket yet"));
        }
        if noted {
            screen.line("it is your default home: commands find it from any folder");
        }
        screen.line(format!("next: `cd {}`; `cocli sync` takes what is new in the bucket, and puts there what is written here", shown(home)));
        screen.line("`cocli join -` with a ticket of a member lets it talk to the others; until then it is silent on the network");
    }
    if cloned.damaged.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} in {} cannot be read, and what it held is missing here",
        cloned.damaged.join(", "),
        args.url
    );
    Err(Failure::new(Exit::Failed, message)
        .hint("who holds it puts it there again; `cocli sync` here takes it then"))
}

fn tell_restored(context: &Context, home: &Home, at: Instant, restored: &Restored) {
    let screen = context.screen;
    super::show::report_cards(context, &restored.cards);
    for notice in restored.notices.iter().take(LINES_MAX) {
        screen.note(notice);
    }
    if screen.json {
        let beginnings = restored.beginnings.iter().map(
            |Beginning { log, day }| json!({"log": log.to_string(), "since": day.to_string()}),
        );
        screen.object(&json!({
            "home": home.path().display().to_string(), "node": home.node().as_str(),
            "cluster": home.cluster().to_string(), "at": at.to_string(),
            "records": restored.records, "later": restored.later, "odd": restored.odd,
            "objects": restored.objects, "values": restored.values,
            "companies": restored.companies, "people": restored.people,
            "cards": restored.cards.written, "logs": beginnings.collect::<Vec<_>>(),
        }));
        return;
    }
    screen.line(format!("{} is a copy of how things were at {}", shown(home), clock::shown(at)));
    screen.line(format!(
        "{} in {}: {} of {}; {} later",
        entities(restored.companies, restored.people),
        counted(restored.values, "value", "values"),
        counted(restored.records, "record", "records"),
        counted(restored.objects, "object", "objects"),
        counted(restored.later, "was written", "were written"),
    ));
    for Beginning { log, day } in restored.beginnings.iter().take(LINES_MAX) {
        screen.line(format!("of {log} nothing before {day} stands in the bucket"));
    }
    if restored.beginnings.len() > LINES_MAX {
        let more = restored.beginnings.len() - LINES_MAX;
        screen
            .line(format!("nor is the beginning of {}", counted(more, "other log", "other logs")));
    }
    if restored.odd > 0 {
        let odd = counted(restored.odd, "record breaks", "records break");
        screen.line(format!("{odd} a rule and have no time: they are left out"));
    }
    screen.line("it joins nobody and uploads nothing; `cocli undo --since TIME` on a member brings values back");
}

fn shown(home: &Home) -> Display<'_> {
    home.path().display()
}

fn entities(companies: usize, people: usize) -> String {
    let companies = counted(companies, "company", "companies");
    format!("{companies}, {}", counted(people, "person", "people"))
}

/// Shown on a terminal only.
fn bar(context: &Context) -> ProgressBar {
    match context.screen.watched() {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::hidden(),
    }
}

fn show(bar: &ProgressBar, stage: Stage, came: u64, all: u64) {
    if stage == Stage::Files && bar.length() != Some(all) {
        bar.set_style(ProgressStyle::default_bar());
        bar.set_length(all);
    }
    if stage == Stage::Files {
        bar.set_position(came);
        return;
    }
    let what = match stage {
        Stage::Files | Stage::Join => "merging the checkpoint",
        Stage::Objects => "objects of nodes",
        Stage::Merge => "merging what they hold",
        Stage::Cards => "putting cards in place",
    };
    bar.set_style(ProgressStyle::default_spinner());
    bar.set_message(match came {
        0 => what.to_string(),
        came => format!("{what}: {came}"),
    });
    bar.tick();
}
