//! The checkpoint: the state on disk, sorted, with the version vector that it covers.
//!
//! Its files are named by their content and never rewritten; the manifest is renamed into place. So a
//! reader needs no lock, and a crash leaves the old checkpoint or the new one.

mod compact;
mod manifest;
mod odd;
mod salvage;
mod shard;

pub(crate) use compact::from_journals;
pub use compact::{Compacted, compact, repair};
pub use manifest::{Manifest, RULES};
pub use odd::OddRecord;
pub use salvage::salvage;
pub(crate) use shard::add_line;

pub(crate) use manifest::ShardInfo;
pub(crate) use odd::{OddList, of_met};
pub(crate) use shard::{lines, lookup, read_shard};
