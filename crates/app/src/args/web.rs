//! What `cocli web` takes.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Web {
    /// Where to listen: ADDRESS:PORT, or one of both. Any address but this machine's own (127.0.0.1) asks for a token.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7777")]
    pub(crate) listen: String,
    /// Ask for the token in this file (where one is needed and none is named, it is made and kept in the home).
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// A name by which browsers call this machine beside its own, as that of a proxy.
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,
}
