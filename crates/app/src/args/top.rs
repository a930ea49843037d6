//! What `cocli top` takes.

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// What to show first.
    #[arg(value_enum, default_value_t = TopView::Cluster)]
    pub(crate) view: TopView,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TopView {
    /// The nodes: how each is, and whether all are the same.
    Cluster,
    /// The stream of datagrams.
    Live,
    /// How much comes, and how long it takes.
    Rates,
    /// What was lost unseen.
    Conflicts,
    /// Companies and people.
    Pool,
}
