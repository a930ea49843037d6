//! The form in which it is kept: JSON.

use std::collections::BTreeMap;

use cocli_core::{ChainHash, ClusterId, Head, LogId, Month, NodeId};
use serde::{Deserialize, Serialize};

use super::Seen;

type Object = (String, u64);

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    url: String,
    cluster: String,
    life: String,
    next: BTreeMap<String, u64>,
    covered: BTreeMap<String, Vec<(u64, u64)>>,
    tips: BTreeMap<String, (u64, String)>,
    waiting: Vec<(String, u64, String, u64)>,
    open: Vec<(String, u64, String, u64, String)>,
    damaged: Vec<Object>,
    waited: Vec<String>,
    stuck: Vec<String>,
    ailed: bool,
    newest: BTreeMap<String, String>,
    checked: (Option<Object>, Option<String>),
    unread: bool,
    joined: String,
    months: Vec<(String, String, u64)>,
    nodes: u64,
    registered: Option<bool>,
    manifest: (u64, u64),
    published: Option<(String, String)>,
    snapshot: Option<u64>,
    bytes: u64,
    looked_after: (i64, i64),
    put_since: (i64, usize),
    missing_is_denied: bool,
}

/// Its text.
pub(super) fn text(seen: &Seen) -> Vec<u8> {
    let object = |(node, n): &(NodeId, u64)| (node.to_string(), *n);
    let waiting = |((node, n), logs): (&(NodeId, u64), &BTreeMap<LogId, u64>)| {
        let of =
            |(log, position): (&LogId, &u64)| (node.to_string(), *n, log.to_string(), *position);
        logs.iter().map(of).collect::<Vec<_>>()
    };
    let kept = Kept {
        url: seen.url.clone(),
        cluster: seen.cluster.to_string(),
        life: seen.life.clone(),
        next: seen.next.iter().map(|(node, n)| (node.to_string(), *n)).collect(),
        covered: seen.covered.iter().map(|(log, held)| (log.to_string(), held.to_vec())).collect(),
        tips: (seen.tips.iter())
            .map(|(log, head)| (log.to_string(), (head.position, head.hash.to_string())))
            .collect(),
        waiting: seen.waiting.iter().flat_map(waiting).collect(),
        open: (seen.open.iter())
            .flat_map(|((node, n), logs)| logs.iter().map(move |(log, head)| (node, *n, log, head)))
            .map(|(node, n, log, head)| {
                (node.to_string(), n, log.to_string(), head.position, head.hash.to_string())
            })
            .collect(),
        damaged: seen.damaged.iter().map(object).collect(),
        waited: seen.waited.iter().map(ToString::to_string).collect(),
        stuck: seen.stuck.iter().map(ToString::to_string).collect(),
        ailed: seen.ailed,
        newest: (seen.newest.iter())
            .map(|(node, hash)| (node.to_string(), format!("{hash:032x}")))
            .collect(),
        checked: (
            seen.checked.0.as_ref().map(object),
            seen.checked.1.as_ref().map(ToString::to_string),
        ),
        unread: seen.unread,
        joined: format!("{:032x}", seen.joined),
        months: (seen.months.iter())
            .map(|((node, month), n)| (node.to_string(), month.to_string(), *n))
            .collect(),
        nodes: seen.nodes,
        registered: seen.registered,
        manifest: seen.manifest,
        published: (seen.published.as_ref()).map(|(hub, at)| (hub.to_string(), at.clone())),
        snapshot: seen.snapshot,
        bytes: seen.bytes,
        looked_after: seen.looked_after,
        put_since: seen.put_since,
        missing_is_denied: seen.missing_is_denied,
    };
    serde_json::to_vec(&kept).unwrap_or_default()
}

/// Reads a text; nothing when it is none, or of another version.
pub(super) fn read(text: &[u8]) -> Option<Seen> {
    let kept: Kept = serde_json::from_slice(text).ok()?;
    let node = |text: &str| NodeId::read(text).ok();
    let log = |text: &str| LogId::read(text).ok();
    let object = |(of, n): &Object| Some((node(of)?, *n));
    let mut seen = Seen::new(&kept.url, ClusterId::read(&kept.cluster)?, &kept.life);
    for (of, n) in &kept.next {
        seen.next.insert(node(of)?, *n);
    }
    for (of, held) in &kept.covered {
        let of = log(of)?;
        held.iter().for_each(|(from, until)| seen.covered.add(&of, *from, *until));
    }
    for (of, (position, hash)) in &kept.tips {
        let head = Head { position: *position, hash: ChainHash::read(hash)? };
        seen.tips.insert(log(of)?, head);
    }
    for (of, n, waits, position) in &kept.waiting {
        seen.waiting.entry((node(of)?, *n)).or_default().insert(log(waits)?, *position);
    }
    for (of, n, open, position, hash) in &kept.open {
        let head = Head { position: *position, hash: ChainHash::read(hash)? };
        seen.open.entry((node(of)?, *n)).or_default().insert(log(open)?, head);
    }
    seen.damaged = kept.damaged.iter().map(object).collect::<Option<_>>()?;
    seen.waited = kept.waited.iter().map(|of| log(of)).collect::<Option<_>>()?;
    seen.stuck = kept.stuck.iter().map(|of| log(of)).collect::<Option<_>>()?;
    for (of, hash) in &kept.newest {
        seen.newest.insert(node(of)?, number(hash)?);
    }
    seen.checked =
        (kept.checked.0.as_ref().and_then(object), kept.checked.1.as_deref().and_then(node));
    (seen.ailed, seen.unread) = (kept.ailed, kept.unread);
    seen.joined = number(&kept.joined).unwrap_or_default();
    for (of, month, n) in &kept.months {
        seen.months.insert((node(of)?, Month::read(month)?), *n);
    }
    (seen.nodes, seen.registered) = (kept.nodes, kept.registered);
    (seen.manifest, seen.snapshot) = (kept.manifest, kept.snapshot);
    seen.published = kept.published.and_then(|(hub, at)| Some((node(&hub)?, at)));
    (seen.looked_after, seen.put_since) = (kept.looked_after, kept.put_since);
    seen.bytes = kept.bytes;
    seen.missing_is_denied = kept.missing_is_denied;
    Some(seen)
}

fn number(hash: &str) -> Option<u128> {
    u128::from_str_radix(hash, 16).ok()
}
