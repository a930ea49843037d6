//! All that `status` tells, as it was found: what is drawn follows from this alone.

use cocli_core::Instant;
use cocli_node::{Health, Home, Scrub};
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::bucket::Bucket;
use super::{history, peers, read_through};
use crate::clock;
use crate::cluster::{Cluster, Node, Standing};
use crate::door;
use crate::failure::Failure;
use crate::problems::{self, Known, Need};
use crate::ring::{Held, Keyless};

/// A home, and what its daemon says.
#[derive(Debug)]
pub(super) struct View {
    pub(super) at: Instant,
    pub(super) zone: TimeZone,
    pub(super) path: String,
    pub(super) node: String,
    pub(super) cluster_id: String,
    /// Why no daemon could run: there is no key.
    pub(super) keyless: Option<String>,
    pub(super) daemon: Option<Json>,
    /// Why it says nothing, though it runs.
    pub(super) mute: Option<String>,
    /// The answer to `cluster`; none of a daemon of an older version, or where none runs.
    pub(super) told: Option<Json>,
    pub(super) cluster: Option<Cluster>,
    /// What the nodes said of themselves last, where nobody tells how they are now.
    pub(super) kept: Vec<Node>,
    pub(super) health: Health,
    /// How far each log is held.
    pub(super) logs: Json,
    /// When peers are gone, those that said why.
    pub(super) left: Vec<(String, &'static str)>,
    /// Who lacks a new key, and which.
    pub(super) lack_key: Option<(Vec<String>, String)>,
    pub(super) scrub: Option<Scrub>,
    pub(super) bucket: Option<Bucket>,
}

/// What brings a home without a key among the others.
const NO_KEY: &str = " (`cocli join -` with a ticket of a member)";

impl View {
    pub(super) fn of(home: &Home) -> Result<Self, Failure> {
        let (at, Asked { daemon, mute }) = (clock::now(), Asked::of(home));
        let told = daemon.as_ref().and_then(|_| {
            // One of an older version knows no such request.
            door::ask(home, &json!({"verb": "cluster"})).ok().flatten()
        });
        let health = home.health_of(door::touched(daemon.as_ref()).as_deref())?;
        let left = match peers::any_gone(daemon.as_ref()) {
            true => left(home, at)?,
            false => Vec::new(),
        };
        Ok(Self {
            at,
            zone: TimeZone::system(),
            path: home.path().display().to_string(),
            node: home.node().to_string(),
            cluster_id: home.cluster().to_string(),
            keyless: keyless(home),
            bucket: Bucket::of(home, daemon.as_ref(), at)?,
            logs: held(home, &health, daemon.is_some()),
            kept: if told.is_none() { Cluster::kept(home, at)? } else { Vec::new() },
            cluster: told.as_ref().map(Cluster::read),
            lack_key: lack_key(home),
            scrub: home.scrubbed(),
            daemon,
            mute,
            told,
            health,
            left,
        })
    }

    /// The nodes that are told of: as they are now, or as they said they were.
    pub(super) fn nodes(&self) -> &[Node] {
        self.cluster.as_ref().map_or(&self.kept, |cluster| &cluster.nodes)
    }

    /// What needs a person.
    pub(super) fn problems(&self) -> Vec<Need> {
        let mut problems = problems::of(&Known {
            health: Some(&self.health),
            daemon: self.daemon.as_ref(),
            mute: self.mute.as_deref(),
            cluster: self.cluster.as_ref(),
        });
        problems.extend(self.bucket.iter().flat_map(Bucket::problems));
        problems
    }

    pub(super) fn object(&self) -> Json {
        let (health, daemon) = (&self.health, self.daemon.as_ref());
        let told = |key: &str| self.told.as_ref().and_then(|told| told.get(key)).cloned();
        json!({
            "at": self.at.to_string(), "home": self.path, "node": self.node, "cluster": self.cluster_id,
            "daemon": self.daemon, "bucket": self.bucket.as_ref().map(Bucket::object),
            "nodes": told("nodes").unwrap_or_else(|| self.kept.iter().map(kept_object).collect()),
            "sameness": told("sameness"), "oldest_ms": told("oldest_ms"), "parts": told("parts"),
            "companies": health.companies, "people": health.people, "values": health.values,
            "digest": health.digest.to_string(), "odd": health.odd, "tail_bytes": health.tail_bytes,
            "files_that_do_not_travel": health.other_files,
            "vector": self.logs, "problems": self.problems().iter().map(Need::object).collect::<Vec<_>>(), "conflicts": losses(health),
            "read_through": read_through::object(self.scrub.as_ref()),
            "history": history::object(&health.history, daemon),
        })
    }
}

/// A node that no daemon was asked about, under the keys that one tells.
fn kept_object(node: &Node) -> Json {
    json!({
        "node": node.name, "me": node.me, "standing": node.standing.word(), "address": node.address,
        "heard_ms": null, "round_trip_us": null, "clock_ahead_us": null, "lacks_bytes": null, "ahead_bytes": null,
        "condition": node.condition.object(), "condition_ms": node.condition_ms,
    })
}

/// What the daemon says of itself.
pub(super) struct Asked {
    pub(super) daemon: Option<Json>,
    pub(super) mute: Option<String>,
}

impl Asked {
    pub(super) fn of(home: &Home) -> Self {
        match door::ask(home, &json!({"verb": "status"})) {
            Ok(daemon) => Self { daemon, mute: None },
            Err(failure) => Self { daemon: None, mute: Some(failure.whole()) },
        }
    }
}

/// Why a home without a key is silent, and what to do about it.
pub(super) fn keyless(home: &Home) -> Option<String> {
    home.keys().is_ok_and(|keys| keys.is_empty()).then(|| {
        let keyless = Keyless::of(home);
        let next = if keyless == Keyless::Copy { "" } else { NO_KEY };
        format!("{}{next}", keyless.said())
    })
}

/// Those that said that they leave, or that they stop, in words.
pub(super) fn left(home: &Home, now: Instant) -> Result<Vec<(String, &'static str)>, Failure> {
    let word = |node: &Node| match node.standing {
        Standing::Left => Some("left the cluster"),
        Standing::Stopped => Some("stopped"),
        _ => None,
    };
    let nodes = Cluster::kept(home, now)?.into_iter();
    Ok(nodes.filter_map(|node| word(&node).map(|word| (node.name, word))).collect())
}

/// A new key that is not everywhere yet.
fn lack_key(home: &Home) -> Option<(Vec<String>, String)> {
    // A home that left its cluster has no keys, and is told so by other verbs.
    let held = Held::of(home).ok()?;
    let rekey = held.open_rekey()?;
    let lacking: Vec<String> = rekey.lacking().map(ToString::to_string).collect();
    (!lacking.is_empty()).then(|| (lacking, rekey.key.id().to_string()))
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

fn losses(health: &Health) -> Json {
    health.losses.as_ref().map_or(Json::Null, |losses| {
        let twins: Vec<&str> = losses.twins.iter().map(|target| target.as_str()).collect();
        json!({"fields": losses.fields, "many": losses.many, "may_be_two": twins})
    })
}
