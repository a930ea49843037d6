//! What a datagram means and how states merge. This room touches nothing: no clock, no disk, no
//! network, no randomness of its own, and no std (the member `purity` proves it).
//!
//! A [`Datagram`] is one change of one field of one target. [`usv`] turns it into the bytes of a
//! record and back; [`State`] merges any set of them, in any order, into the same winners; a
//! [`Vector`] says how far a node holds each log.
#![no_std]

extern crate alloc;

pub mod bucket;
pub mod conflict;
pub mod convo;
pub mod datagram;
pub mod digest;
pub mod entity;
pub mod expiry;
pub mod frame;
pub mod gossip;
pub mod limits;
pub mod merge;
pub mod moment;
pub mod name;
pub mod ordinant;
pub mod python;
pub mod schema;
pub mod sorted;
pub mod stamp;
pub mod task;
pub mod time;
pub mod usv;
pub mod value;
pub mod vector;

pub use datagram::{Causality, Datagram};
pub use digest::{ChainHash, ClusterId, StateDigest};
pub use entity::Entity;
pub use merge::{Entry, State};
pub use moment::Moment;
pub use name::{Epoch, Field, LogId, NameError, NodeId, Target};
pub use ordinant::Ordinant;
pub use schema::Kind;
pub use sorted::SortedFile;
pub use stamp::Stamp;
pub use time::{Day, Instant, Month};
pub use value::Value;
pub use vector::{Head, Vector};
