//! The data home on disk: journals, checkpoint, cards. This room touches the disk, synchronously,
//! and nothing else: it knows no peers and no users.

pub mod disk;
pub mod error;
pub mod lock;
pub mod paths;

pub use disk::{Disk, FakeDisk, RealDisk, SharedDisk};
pub use error::{Result, StoreError};
pub use lock::HomeLock;
