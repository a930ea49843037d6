//! Core and store as one machine: a local change, a reading, a card edited by hand, a range from a
//! peer. Faces (commands, screens, web) call this room and render what it returns.

mod address;
mod archive;
mod campaigns;
mod cards;
pub mod change;
mod cluster;
mod compaction;
pub mod condition;
mod config;
mod conflicts;
pub mod contact;
pub mod convo;
mod dump;
pub mod durable;
mod error;
mod expiring;
pub mod export;
mod find;
pub mod followup;
mod foreign;
pub mod gateway;
mod glance;
mod health;
mod heartbeat;
mod home;
pub mod import;
mod list;
mod needle;
mod nodes;
mod page;
mod problem;
mod propagate;
mod queue;
mod reading;
mod remembered;
pub mod replica;
mod resolve;
mod sameness;
mod scrub;
mod session;
pub mod slug;
mod snapshot;
mod split;
mod tables;
mod undo;
mod union;

/// For tests in here, which share a file with those in `tests/`.
#[cfg(test)]
extern crate self as cocli_node;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

pub use cocli_store::Serving;
pub use cocli_store::archive::Archived;
pub use cocli_store::checkpoint::Turn;
pub use cocli_store::journal::Base;
pub use cocli_table::{PartInfo, TableError, part_name};

pub use archive::{History, Kept, LetGo};
pub use campaigns::{Campaign, CampaignError, Rules};
pub use cards::{Decided, Held, Placed, TakenIn, Waiting, batches};
pub use cluster::{Cluster, Member, Sameness, Seen, Stands};
pub use compaction::Beside;
pub use config::{
    Bucket as BucketConfig, Config, Mirror, Project, RestoredFrom, Setting, SettingError,
};
pub use conflicts::Conflict;
pub use conflicts::noted::Losses;
pub use error::{NodeError, Result};
pub use expiring::Recorded;
pub use find::{Found, Nearly, Place, Query, Said};
pub use glance::Glance;
pub use health::{Finding, Health, NodeKey, Outcome};
pub use heartbeat::{Beat, Heartbeats, KeptNode};
pub use home::{Birth, Home, Membership, Rim};
pub use list::Condition;
pub use nodes::KnownNode;
pub use page::{Page, Turned};
pub use problem::Problem;
pub use queue::{Ended, Means, Queue, QueueError, Sought, Told, Waiter, Won};
pub use reading::{growing, watched};
pub use remembered::{Remembered, remember};
pub use resolve::nearest;
pub use sameness::{Compared, Difference, Side};
pub use scrub::{Scrub, Scrubbed};
pub use session::{End, Session, Written};
pub use snapshot::{Origin, Snapshot};
pub use split::Split;
pub use tables::{Tables, View};
pub use undo::{Plan, Wanted};
pub use union::{Union, WENT};
