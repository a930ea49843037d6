//! `cocli doctor`: looks at everything, says what is damaged and what mends it.

use cocli_net::Identity;
use cocli_node::{Finding, Home, NodeKey, Outcome, Problem};
use serde_json::{Value as Json, json};

mod dump;
mod explain;
mod net;

use super::Context;
use crate::args::{Doctor, Examined};
use crate::failure::{Exit, Failure, chain};
use crate::render::{Tone, counted};
use crate::{clock, door};

/// Where more is told of what a name in brackets stands for.
pub(super) const EXPLAIN: &str = "`cocli doctor explain NAME` tells more of each";

pub(super) fn run(context: &Context, args: &Doctor) -> Result<(), Failure> {
    if args.what == Some(Examined::Explain) {
        return explain::run(context, args.name.as_deref());
    }
    if args.name.is_some() {
        return Err(Failure::new(Exit::Usage, "a name goes with `cocli doctor explain`"));
    }
    let home = context.home()?;
    match args.what {
        Some(Examined::Net) => return net::run(context, &home),
        Some(Examined::Dump) => return dump::run(context, &home),
        _ => {}
    }
    let mut findings = examined(context, &home, args.repair)?;
    findings.extend(home.examine_tables(args.repair)?);
    findings.extend(own_key(&home, args.repair)?);
    // A daemon that does not answer is told of by `status`.
    let daemon = door::ask(&home, &json!({"verb": "status"})).ok().flatten();
    findings.extend(from_python(daemon.as_ref()));
    findings.extend(beyond_budget(&home, daemon.as_ref())?);
    findings.extend(read_through(&home));
    let screen = context.screen;
    for finding in &findings {
        if screen.json {
            screen.object(&json!({
                "name": finding.problem.name(), "where": finding.place, "what": finding.what,
                "mended": finding.outcome == Outcome::Mended, "open": finding.outcome == Outcome::Open,
                "next": finding.next,
            }));
            continue;
        }
        let word = match finding.outcome {
            Outcome::Mended => screen.paint(Tone::Good, "mended"),
            Outcome::Open => screen.paint(Tone::Bad, "found"),
            Outcome::Fact => screen.paint(Tone::Faint, "note"),
        };
        screen.line(format!(
            "{word}  {}: {} {}",
            screen.safe(&finding.place),
            screen.safe(&finding.what),
            screen.paint(Tone::Faint, &format!("[{}]", finding.problem)),
        ));
        if let Some(next) = &finding.next {
            screen.line(format!("       next: {next}"));
        }
    }
    let open = findings.iter().filter(|finding| finding.outcome == Outcome::Open).count();
    if open > 0 {
        return Err(found(open));
    }
    if findings.iter().all(|finding| finding.outcome == Outcome::Fact) && !screen.json {
        screen.line("journals, checkpoint, tables, cards and the node's own key are sound");
    }
    Ok(())
}

/// What is found in journals, checkpoint and cards.
fn examined(context: &Context, home: &Home, repair: bool) -> Result<Vec<Finding>, Failure> {
    let amiss = home.journals_amiss()?;
    let turn = repair.then(|| super::compact::turn(context, home)).transpose()?;
    let mut findings = context.session(home)?.examine(turn)?;
    // What a session mends when it begins is told all the same.
    let still = |one: &Finding| findings.iter().any(|found| found.place == one.place);
    let mended: Vec<Finding> = amiss.into_iter().filter(|one| !still(one)).collect();
    findings.extend(mended.into_iter().map(|one| Finding {
        outcome: Outcome::Mended,
        next: Some("what is missing of it `cocli daemon` fetches from other nodes".into()),
        ..one
    }));
    Ok(findings)
}

/// So much was found.
fn found(count: usize) -> Failure {
    Failure::new(Exit::NeedsPerson, counted(count, "finding", "findings")).hint(EXPLAIN)
}

/// The last packets of Python peers that the daemon refused.
fn from_python(daemon: Option<&Json>) -> Vec<Finding> {
    let list = |json: &Json, key: &str| json.get(key).and_then(Json::as_array).cloned();
    let text = |json: &Json, key: &str| json.get(key).and_then(Json::as_str).unwrap_or("?").into();
    let mut findings = Vec::new();
    for peer in daemon.and_then(|daemon| list(daemon, "python")).unwrap_or_default() {
        for odd in list(&peer, "odd").unwrap_or_default() {
            let (why, start): (String, String) = (text(&odd, "why"), text(&odd, "start"));
            findings.push(Finding {
                problem: Problem::PythonRefused,
                place: text(&peer, "peer"),
                what: format!("refused, {why}: {start}"),
                outcome: Outcome::Fact,
                next: None,
            });
        }
    }
    findings
}

/// The archive against its budget, where it has one.
fn beyond_budget(home: &Home, daemon: Option<&Json>) -> Result<Option<Finding>, Failure> {
    let told = super::status::history::budget(&home.history_held()?, daemon);
    Ok(told.as_deref().and_then(|told| told.split_once(": ")).map(|(place, what)| Finding {
        problem: Problem::ArchiveOverBudget,
        place: place.into(),
        what: what.into(),
        outcome: Outcome::Fact,
        next: None,
    }))
}

/// When a daemon last read all of it, which is what was looked at here, too.
fn read_through(home: &Home) -> Option<Finding> {
    let told = super::status::read_through::told(home.scrubbed().as_ref())?;
    let place = "daemon".into();
    Some(Finding {
        problem: Problem::LastRead,
        place,
        what: told,
        outcome: Outcome::Fact,
        next: None,
    })
}

/// The key that streams know this node by: nobody else has its private half, so a lost one is made anew.
fn own_key(home: &Home, repair: bool) -> Result<Option<Finding>, Failure> {
    let stands = super::init::identity(home)?.map(|identity| identity.public_hex());
    let fresh = if repair && stands.is_none() {
        let identity =
            Identity::fresh().map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;
        let private = identity.to_bytes().to_vec();
        Some(NodeKey { private, public: identity.public_hex() })
    } else {
        None
    };
    Ok(home.examine_key(stands.as_deref(), fresh.as_ref(), repair, clock::now())?)
}
