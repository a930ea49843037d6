//! What `cocli open` takes.

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Open {
    /// A company or person.
    pub(crate) target: String,
    /// What to open (default: the site where there is one, else the folder).
    #[arg(value_enum)]
    pub(crate) what: Option<What>,
    /// Print what would be opened, and open nothing.
    #[arg(long)]
    pub(crate) print: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// The site: `website_url`, else `domain`.
    Web,
    /// A message to `email`.
    Mail,
    /// A map, at the coordinates or the address.
    Map,
    /// The folder.
    Dir,
}
