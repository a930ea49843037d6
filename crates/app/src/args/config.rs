//! What `cocli config` takes.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) verb: ConfigVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Print the value of a setting, or of all.
    Get {
        /// As `gossip.port`; `cadence.TAG` is how often one speaks to those with a tag.
        #[arg(value_name = "KEY")]
        key: Option<String>,
    },
    /// Change a setting.
    Set {
        /// As `gossip.port`; `cadence.TAG` is how often one speaks to those with a tag.
        #[arg(value_name = "KEY")]
        key: String,
        /// Text, a number, `true` or `false`; of a list `A,B`. An empty one makes it the default again.
        #[arg(value_name = "VALUE", allow_hyphen_values = true)]
        value: String,
    },
    /// List all settings, their values, and which are not the default.
    List,
}
