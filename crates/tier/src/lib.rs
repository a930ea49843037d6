//! Touches the bucket, and nothing else: an object store or a directory behind core's
//! [`Bucket`](cocli_core::bucket::Bucket), its faults told apart by what helps.
//!
//! What is asynchronous stays in here: a store has a runtime of its own, and its calls wait. They may come
//! from any thread, but not from inside another runtime. No environment is read in here, save what the TLS
//! library looks at to find the system's certificates (`SSL_CERT_FILE`, `SSL_CERT_DIR`): the caller hands a
//! look-up in.

mod answer;
mod credentials;
mod directory;
mod machine;
mod meter;
mod place;
mod probe;
mod profile;
mod remote;
mod service;
mod settings;
mod store;
#[doc(hidden)]
pub mod suite;
mod tls;
mod wire;

pub use meter::{
    Counts, Meter, OUT_FREE_GB_PER_MONTH, OUT_PER_GB_USD, READS_PER_MILLION_USD,
    STORED_PER_GB_MONTH_USD, WRITES_PER_MILLION_USD, stored_usd_per_month,
};
pub use probe::{Able, Report};
pub use settings::{Environment, Settings};
pub use store::Store;
