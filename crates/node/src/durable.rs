//! What a node does with a bucket.

pub mod fake;
