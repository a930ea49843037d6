//! The binary as a person and a script use it. One file per area.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

#[path = "cli/archive.rs"]
mod archive;
#[path = "cli/bad_input.rs"]
mod bad_input;
#[path = "cli/bucket.rs"]
mod bucket;
#[path = "cli/campaign.rs"]
mod campaign;
#[path = "cli/cards.rs"]
mod cards;
#[path = "cli/checkpoint.rs"]
mod checkpoint;
#[path = "cli/clone.rs"]
mod clone;
#[path = "cli/cluster.rs"]
mod cluster;
#[path = "cli/compaction.rs"]
mod compaction;
#[path = "cli/config.rs"]
mod config;
#[path = "cli/conflicts.rs"]
mod conflicts;
#[path = "cli/convos.rs"]
mod convos;
#[path = "cli/daily.rs"]
mod daily;
#[path = "cli/discovery.rs"]
mod discovery;
#[path = "cli/door.rs"]
mod door;
#[path = "cli/everyday.rs"]
mod everyday;
#[path = "cli/expiring.rs"]
mod expiring;
#[path = "cli/export.rs"]
mod export;
#[path = "cli/finding.rs"]
mod finding;
#[path = "cli/gateway.rs"]
mod gateway;
#[path = "cli/guide.rs"]
mod guide;
#[path = "cli/homes.rs"]
mod homes;
#[path = "cli/identity.rs"]
mod identity;
#[path = "cli/import.rs"]
mod import;
#[path = "cli/import_cocli.rs"]
mod import_cocli;
#[path = "cli/import_vcard.rs"]
mod import_vcard;
#[path = "cli/keys.rs"]
mod keys;
#[path = "cli/leave.rs"]
mod leave;
#[path = "cli/many.rs"]
mod many;
#[path = "cli/merging.rs"]
mod merging;
#[path = "cli/node.rs"]
mod node;
#[path = "cli/open.rs"]
mod open;
#[path = "cli/pty.rs"]
mod pty;
#[path = "cli/python.rs"]
mod python;
#[path = "cli/queue.rs"]
mod queue;
#[path = "cli/readme.rs"]
mod readme;
#[path = "cli/replay.rs"]
mod replay;
#[path = "cli/service.rs"]
mod service;
#[path = "cli/several.rs"]
mod several;
#[path = "cli/slow.rs"]
mod slow;
#[path = "cli/split.rs"]
mod split;
#[path = "cli/sql.rs"]
mod sql;
#[path = "cli/status.rs"]
mod status;
#[path = "cli/support.rs"]
mod support;
#[path = "cli/time.rs"]
mod time;
#[path = "cli/top.rs"]
mod top;
#[path = "cli/watching.rs"]
mod watching;
#[path = "cli/web.rs"]
mod web;
