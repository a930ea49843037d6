//! Where a model lives: the peer's protocol of the same name, as a trait.

use alloc::format;
use alloc::string::String;

use crate::digest::shard;
use crate::name::Target;

/// Every model states where it lives, on disk and in a bucket.
pub trait Ordinant {
    /// The collection that it belongs to.
    fn collection(&self) -> &str;
    /// Its path relative to the data home, `/` between the parts.
    fn local_path(&self) -> String;
    /// Its key, or the prefix of its keys, in a bucket.
    fn remote_key(&self) -> String;
    /// The shard of a checkpoint that holds it, two hex digits.
    fn shard_id(&self) -> String;
}

impl Ordinant for Target {
    fn collection(&self) -> &str {
        Self::collection(self)
    }

    fn local_path(&self) -> String {
        format!("{self}")
    }

    fn remote_key(&self) -> String {
        self.local_path()
    }

    fn shard_id(&self) -> String {
        format!("{:02x}", shard(self))
    }
}
