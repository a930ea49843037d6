//! What `cocli key` takes.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Key {
    #[command(subcommand)]
    pub(crate) what: KeyVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Show the ids of the keys here.
    List,
    /// Take a key to open with: a line that `key add` printed elsewhere, `-` reads it from standard
    /// input; without one, make a new key and print its line.
    Add {
        line: Option<String>,
        /// Make the first key of a home that was cloned from a bucket, where no machine that had one is left.
        #[arg(long, conflicts_with = "line")]
        first: bool,
    },
    /// Seal with this key from now on.
    Use { id: String },
    /// Forget a key.
    Remove { id: String },
}
