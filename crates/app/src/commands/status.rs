//! `cocli status`: how this home and its cluster are, and what needs a person.

mod bucket;
pub(super) mod history;
mod peers;
pub(super) mod read_through;

use cocli_core::NodeId;
use cocli_node::{Health, Home};
use serde_json::{Value as Json, json};

use super::Context;
use crate::args::Status;
use crate::clock;
use crate::door;
use crate::failure::{Exit, Failure};
use crate::render::{Screen, Tone, counted};
use crate::ring::Held;

pub(super) fn run(context: &Context, args: &Status) -> Result<(), Failure> {
    let home = context.home()?;
    let health = home.health()?;
    let Asked { daemon, mute } = Asked::of(&home);
    let mut problems = problems(&health);
    problems.extend(peers::problems(daemon.as_ref()));
    problems.extend(mute.clone());
    let bucket = bucket::Bucket::of(&home, daemon.as_ref())?;
    problems.extend(bucket.iter().flat_map(bucket::Bucket::problems));
    if context.screen.json {
        context.screen.object(&json!({
            "home": home.path().display().to_string(), "node": home.node().as_str(),
            "cluster": home.cluster().to_string(), "daemon": daemon,
            "bucket": bucket.as_ref().map(bucket::Bucket::object),
            "companies": health.companies, "people": health.people, "values": health.values,
            "digest": health.digest.to_string(), "odd": health.odd, "tail_bytes": health.tail_bytes,
            "files_that_do_not_travel": health.other_files,
            "vector": held(&home, &health, daemon.is_some()), "problems": problems,
            "conflicts": losses(&health),
            "read_through": read_through::object(home.scrubbed().as_ref()),
            "history": history::object(&health.history, daemon.as_ref()),
        }));
    } else {
        first_line(context.screen, &home, daemon.as_ref(), mute.is_some());
        pool(context.screen, &health);
        history::show(context.screen, &health.history, daemon.as_ref(), args.cluster);
        read_through::show(context.screen, home.scrubbed().as_ref());
        if let Some(bucket) = &bucket {
            bucket.show(context.screen);
        }
        peers::show(context.screen, daemon.as_ref(), &left(&home, daemon.as_ref())?, args.cluster);
        conflicts(context.screen, &health);
        python(context.screen, daemon.as_ref());
        rekey(context.screen, &home);
        if args.cluster {
            logs(context.screen, &health, &held(&home, &health, daemon.is_some()));
        }
        for problem in &problems {
            context.screen.line(format!(
                "{} {}",
                context.screen.paint(Tone::Bad, "needs you:"),
                problem
            ));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::NeedsPerson,
        counted(problems.len(), "thing needs a person", "things need a person"),
    ))
}

/// The page that `cocli` alone shows in a home.
pub(super) fn morning(context: &Context) -> Result<(), Failure> {
    let home = context.home()?;
    let glance = home.glance(&clock::today())?;
    let Asked { daemon, mute } = Asked::of(&home);
    let mut problems = damage(glance.holes, &glance.troubles);
    problems.extend(decisions(&glance.cards.held, &glance.cards.broken));
    problems.extend(peers::problems(daemon.as_ref()));
    problems.extend(mute.clone());
    if context.screen.json {
        context.screen.object(&json!({
            "home": home.path().display().to_string(), "node": home.node().as_str(),
            "companies": glance.companies, "people": glance.people, "due": glance.due,
            "daemon": daemon, "problems": problems,
        }));
        return Ok(());
    }
    first_line(context.screen, &home, daemon.as_ref(), mute.is_some());
    context.screen.line(entities(glance.companies, glance.people));
    if glance.due > 0 {
        let told = format!("{} due today", glance.due);
        let told = context.screen.paint(Tone::Strong, &told);
        context.screen.line(format!("{told} (`cocli today`)"));
    }
    peers::show(context.screen, daemon.as_ref(), &left(&home, daemon.as_ref())?, false);
    for problem in problems {
        context.screen.line(format!("{} {problem}", context.screen.paint(Tone::Bad, "needs you:")));
    }
    context.screen.line(context.screen.paint(Tone::Faint, "`cocli --help` lists every verb"));
    Ok(())
}

/// When peers are gone, those that said that they leave.
fn left(home: &Home, daemon: Option<&Json>) -> Result<Vec<String>, Failure> {
    if !peers::any_gone(daemon) {
        return Ok(Vec::new());
    }
    let known = home.known_nodes()?.into_iter();
    Ok(known.filter(|one| one.left.is_some()).map(|one| one.node.to_string()).collect())
}

/// What the daemon says of itself.
struct Asked {
    daemon: Option<Json>,
    /// Why it says nothing, though it runs.
    mute: Option<String>,
}

impl Asked {
    fn of(home: &Home) -> Self {
        match door::ask(home, &json!({"verb": "status"})) {
            Ok(daemon) => Self { daemon, mute: None },
            Err(failure) => Self { daemon: None, mute: Some(failure.whole()) },
        }
    }
}

/// What brings a home without a key among the others.
const NO_KEY: &str = " (`cocli join -` with a ticket of a member)";

fn first_line(screen: Screen, home: &Home, daemon: Option<&Json>, mute: bool) {
    let runs = match daemon.and_then(|d| d.get("listening")).and_then(Json::as_str) {
        Some(at) => screen.paint(Tone::Good, &format!("the daemon runs, at {at}")),
        None if mute => screen.paint(Tone::Bad, "the daemon runs and does not answer"),
        None if home.keys().is_ok_and(|keys| keys.is_empty()) => {
            let next = if home.config().restored_from.is_some() { "" } else { NO_KEY };
            screen.paint(Tone::Warn, &format!("{}{next}", crate::ring::keyless(home)))
        }
        None => screen
            .paint(Tone::Warn, "no daemon runs: nothing comes in or goes out (`cocli daemon`)"),
    };
    let name = screen.paint(Tone::Strong, home.node().as_str());
    screen.line(format!("{name}  {}  {runs}", home.path().display()));
}

fn pool(screen: Screen, health: &Health) {
    let entities = entities(health.companies, health.people);
    screen.line(format!("{entities}, {}", counted(health.values, "value", "values")));
    if let Some(files) = health.other_files.filter(|files| *files > 0) {
        let files = counted(files, "file beside the cards stays", "files beside the cards stay");
        screen.line(format!("{files} on this machine (attachments do not travel)"));
    }
    if health.odd > 0 {
        let odd = health.odd;
        screen.line(format!("{odd} odd records are kept apart (`cocli doctor` lists them)"));
    }
}

/// Values that were lost unseen, as far as it is known without reading the journals.
fn conflicts(screen: Screen, health: &Health) {
    let Some(losses) = &health.losses else {
        screen.line("whether values were lost unseen is not known yet (`cocli conflicts` looks)");
        return;
    };
    if losses.many || losses.fields > 0 {
        let told = match losses.many {
            true => "more conflicts than are counted".into(),
            false => counted(losses.fields, "conflict", "conflicts"),
        };
        let told = screen.paint(Tone::Warn, &format!("{told}: values were lost unseen"));
        screen.line(format!("{told} (`cocli conflicts`)"));
    }
    for target in &losses.twins {
        let told = screen.paint(Tone::Warn, &format!("{target} may be two entities"));
        screen.line(format!("{told} (`cocli split {target} --dry-run`)"));
    }
}

fn losses(health: &Health) -> Json {
    health.losses.as_ref().map_or(Json::Null, |losses| {
        let twins: Vec<&str> = losses.twins.iter().map(|target| target.as_str()).collect();
        json!({"fields": losses.fields, "many": losses.many, "may_be_two": twins})
    })
}

fn entities(companies: usize, people: usize) -> String {
    let companies = counted(companies, "company", "companies");
    format!("{companies}, {}", counted(people, "person", "people"))
}

/// A new key that is not everywhere yet.
fn rekey(screen: Screen, home: &Home) {
    // A home that left its cluster has no keys, and is told so by other verbs.
    let Ok(held) = Held::of(home) else { return };
    let Some(rekey) = held.open_rekey() else { return };
    let lacking: Vec<&str> = rekey.lacking().map(NodeId::as_str).collect();
    if !lacking.is_empty() {
        let lack = if lacking.len() == 1 { "lacks" } else { "lack" };
        let told = format!("{} {lack} the new key {}", lacking.join(", "), rekey.key.id());
        screen.line(format!("  {} (`cocli node list`)", screen.paint(Tone::Warn, &told)));
    }
}

/// Machines of the Python program, for whom this node is the gateway.
fn python(screen: Screen, daemon: Option<&Json>) {
    let peers = daemon.and_then(|d| d.get("python")).and_then(Json::as_array);
    for peer in peers.into_iter().flatten() {
        let text = |key: &str| peer.get(key).and_then(Json::as_str);
        let number = |key: &str| peer.get(key).and_then(Json::as_u64).unwrap_or(0);
        let place = match text("address") {
            Some(address) => screen.paint(Tone::Faint, address),
            None => screen.paint(Tone::Warn, "no address"),
        };
        screen.line(format!(
            "  {}  {place}  Python: {} taken, {} said nothing new; {} told, {} withheld",
            screen.safe(text("peer").unwrap_or("?")),
            counted_of(number("appended"), "change", "changes"),
            number("same") + number("repeated") + number("echoes"),
            counted_of(number("told"), "record", "records"),
            number("withheld"),
        ));
        if let Some(why) = text("closed") {
            let closed = format!("closed: {}; it is tried again", screen.safe(why));
            screen.line(format!("      {}", screen.paint(Tone::Warn, &closed)));
        }
        let notices = ["heartbeats", "queues", "configs"].map(number);
        if notices.iter().any(|count| *count > 0) {
            let [h, q, c] = notices;
            screen.line(format!(
                "      heartbeats (H) {h}, queues (Q) {q}, settings (C) {c}: counted, never obeyed"
            ));
        }
        let (refused, dropped) = (number("refused"), number("dropped"));
        if refused + dropped > 0 {
            let refused =
                screen.paint(Tone::Warn, &format!("{refused} refused, {dropped} dropped"));
            screen.line(format!("      {refused}"));
        }
        for odd in peer.get("odd").and_then(Json::as_array).into_iter().flatten() {
            let text = |key: &str| screen.safe(odd.get(key).and_then(Json::as_str).unwrap_or("?"));
            screen.line(format!("      {}: {}", text("why"), text("start")));
        }
    }
}

fn counted_of(count: u64, one: &str, many: &str) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), one, many)
}

fn logs(screen: Screen, health: &Health, held: &Json) {
    screen.line(format!("state {}", health.digest));
    for (log, head) in held.as_object().into_iter().flatten() {
        let position = head.get("position").and_then(Json::as_u64).unwrap_or_default();
        let hash = head.get("hash").and_then(Json::as_str).unwrap_or("?");
        screen.line(format!("  {}  {position} bytes  {}", screen.safe(log), screen.safe(hash)));
    }
}

/// How far each log is held. A daemon that runs knows what it has synced; without it only what a mark
/// proves counts.
fn held(home: &Home, health: &Health, runs: bool) -> Json {
    let told = if runs { door::ask(home, &json!({"verb": "vector"})).ok().flatten() } else { None };
    told.and_then(|told| told.get("logs").cloned()).unwrap_or_else(|| vector(health))
}

fn vector(health: &Health) -> Json {
    let entries = health.vector.0.iter();
    entries
        .map(|(log, head)| {
            (log.to_string(), json!({"position": head.position, "hash": head.hash.to_string()}))
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// What needs a person, each with its next command.
fn problems(health: &Health) -> Vec<String> {
    let mut problems = damage(health.holes, &health.troubles);
    problems.extend(decisions(&health.held, &health.broken));
    problems
}

fn damage(holes: usize, troubles: &[(String, String)]) -> Vec<String> {
    let tell = |(path, why): &(String, String)| format!("{path}: {why}: `cocli doctor`");
    let mut problems: Vec<String> = troubles.iter().map(tell).collect();
    if holes > 0 {
        let blocks = counted(holes, "block of a journal is", "blocks of journals are");
        problems.push(format!("{blocks} damaged: `cocli doctor`"));
    }
    problems
}

/// What a person has to decide about cards.
fn decisions(held: &[cocli_node::Held], broken: &[(String, String)]) -> Vec<String> {
    let mut problems = Vec::new();
    for held in held {
        problems.push(format!(
            "{}: its edits wait ({}): `cocli accept {}` or `cocli reject {}`",
            held.path, held.why, held.target, held.target
        ));
    }
    for (path, why) in broken {
        problems.push(format!("{path}: left alone: {why}"));
    }
    problems
}
