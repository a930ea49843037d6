//! The bucket.
