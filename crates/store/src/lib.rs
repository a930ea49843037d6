//! The data home on disk: journals, checkpoint, cards. This room touches the disk, synchronously,
//! and nothing else: it knows no peers and no users.

pub mod archive;
pub mod card;
pub mod checkpoint;
pub mod disk;
pub mod error;
pub mod expiry;
pub mod fetched;
pub mod journal;
pub mod lock;
pub mod names;
pub mod paths;
pub mod reader;
pub mod side;
pub mod sidecar;

pub use disk::{Disk, FakeDisk, FileKind, RealDisk, SharedDisk};
pub use error::{Result, StoreError};
pub use journal::{Command, Journals, Written};
pub use lock::{HomeLock, Serving};
pub use reader::Reader;
