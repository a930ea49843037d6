//! The data home on disk: journals, checkpoint, cards. This room touches the disk, synchronously,
//! and nothing else: it knows no peers and no users.

pub mod disk;
