//! The checkpoint: the state on disk, sorted, with the version vector that it covers.
//!
//! Its files are named by their content and never rewritten; the manifest is renamed into place. So a
//! reader needs no lock, and a crash leaves the old checkpoint or the new one.

mod compact;
mod damage;
mod fold;
mod gather;
mod incoming;
mod join;
mod lines;
mod manifest;
mod means;
mod odd;
mod ordered;
mod output;
mod place;
mod renew;
mod run;
mod salvage;
mod shard;
mod sort;
mod source;
mod spill;
mod tell;
mod turn;

pub(crate) use compact::from_journals;
pub use compact::{
    Begun, Compacted, Complain, Pending, compact, compact_by, pending, repair, repair_by,
};
pub use damage::{Damage, bytes, damaged, damaged_in};
pub use incoming::{Incoming, Taken, Wanted, waits};
pub use join::join;
pub use manifest::{Manifest, RULES};
pub use means::Means;
pub use odd::{OddRecord, last_odd, odd_behind};
pub use place::{Merged, Placed};
pub use salvage::{outlives_own, salvage};
pub(crate) use shard::add_line;
pub use tell::{Told, piece, told};
pub use turn::Turn;

pub(crate) use manifest::{ShardInfo, held_from_start};
pub(crate) use odd::{OddList, of_met};
pub(crate) use ordered::Ordered;
pub(crate) use shard::{first_of, lines, lookup, read_entry, read_line};
pub(crate) use source::Piece;
