//! Why the node could not do what was asked.

use cocli_core::{Day, Field, Instant, NameError, NodeId, Target};
use cocli_store::StoreError;
use cocli_table::TableError;

use crate::change::NoSet;
use crate::config::ConfigError;

/// A result of the node.
pub type Result<T, E = NodeError> = std::result::Result<T, E>;

impl NodeError {
    /// Whether a part of the state is damaged and the history that it was made of is not held here.
    #[must_use]
    pub fn is_unheld(&self) -> bool {
        matches!(self, Self::Store(StoreError::Unheld { .. }))
    }

    /// What the file system said, where it refused.
    #[must_use]
    pub fn refusal(&self) -> Option<std::io::ErrorKind> {
        match self {
            Self::Store(StoreError::Io { source, .. }) => Some(source.kind()),
            _ => None,
        }
    }
}

/// What a face turns into an exit code and a hint.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The disk, or what stands on it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A setting that there is not, or a value that it cannot have.
    #[error(transparent)]
    Setting(#[from] crate::config::SettingError),
    /// The bucket, or what stands in it.
    #[error(transparent)]
    Bucket(#[from] cocli_core::bucket::Failure),
    /// A table, or where it is written to.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A campaign that there is not, or is already.
    #[error(transparent)]
    Campaign(#[from] crate::campaigns::CampaignError),
    /// A task that is not what was thought.
    #[error(transparent)]
    Queue(#[from] crate::queue::QueueError),
    /// A name outside its grammar.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A member for a field that is no set.
    #[error(transparent)]
    NoSet(#[from] NoSet),
    /// A target that stays, for a log that does not.
    #[error("{target} stays: expected `nodes/*` or `campaigns/*/queues/*`, which expire")]
    Stays {
        /// What was to be written.
        target: Target,
    },
    /// A value over the ceiling.
    #[error(transparent)]
    TooLong(#[from] cocli_core::value::TooLong),
    /// A folder from which nothing can be brought in.
    #[error("{path} {why}")]
    NoSource {
        /// The folder.
        path: String,
        /// What it is, and what was expected.
        why: &'static str,
    },
    /// A second `init`.
    #[error("{0} is a data home already")]
    HomeExists(String),
    /// No `.cocli/` there.
    #[error("{0} is no data home: expected a folder with .cocli/ in it")]
    NoHome(String),
    /// `.cocli/` without an id.
    #[error("{0} is no data home yet: its init was cut off: run it again")]
    CutOff(String),
    /// A clone that did not come to its end.
    #[error("{0} is no data home yet: its clone was cut off, and goes on when it is run again")]
    HalfCloned(String),
    /// A clone that did not come to its end, of another bucket or of another time.
    #[error("{path} is half a clone of {of}: go on with that, or remove the folder")]
    OtherClone {
        /// Where.
        path: String,
        /// What of.
        of: String,
    },
    /// Another process talks to the bucket for this home.
    #[error("another process of this home talks to its bucket")]
    BucketBusy,
    /// A home that is a copy of how things were joins nobody.
    #[error(
        "this home is a copy of what {bucket} held, as it was at {at}: it joins nobody and uploads nothing"
    )]
    Restored {
        /// The bucket.
        bucket: String,
        /// The time.
        at: String,
    },
    /// A file of `.cocli/` that does not read.
    #[error("{path}: {what}")]
    Own {
        /// Relative to the home.
        path: &'static str,
        /// What was expected.
        what: String,
    },
    /// Nothing by this name.
    #[error("nothing here is called {name:?}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest that there is.
        nearest: Option<Target>,
    },
    /// Several by this name.
    #[error("{name:?} is the name of several: {}", list(.targets, Target::as_str))]
    Several {
        /// What was asked for.
        name: String,
        /// All that bear it.
        targets: Vec<Target>,
    },
    /// A node that is said to have written of the second of two entities, and added the first.
    #[error("{node} added the {target} that stays, so what it wrote stays with that")]
    Founder {
        /// Who.
        node: NodeId,
        /// What is two.
        target: Target,
    },
    /// A node that is said to have written of the second of two entities, and wrote of neither.
    #[error(
        "{node} wrote nothing of {target}: expected one of {}",
        list(.writers, NodeId::as_str)
    )]
    Stranger {
        /// Who.
        node: NodeId,
        /// What is two.
        target: Target,
        /// Who did write of it, and did not add the first.
        writers: Vec<NodeId>,
    },
    /// The last command's records stand elsewhere now.
    #[error(
        "what the last command (`{verb}`, {at}) wrote was moved, as its log was set back or lost a branch"
    )]
    Moved {
        /// What was typed.
        verb: String,
        /// When.
        at: Instant,
    },
    /// What stood there is told of by history that is not here any more, or never was.
    #[error(
        "{target} {field}: history up to {until} is not kept here, and what stood there is part of it"
    )]
    Forgotten {
        /// Of which target.
        target: Target,
        /// Of which field.
        field: Field,
        /// The newest day that is not kept.
        until: Day,
    },
    /// A home without its whole history cannot become a member of another cluster.
    #[error("history up to {until} is not kept here, and another cluster would need all of it")]
    Unchained {
        /// The newest day that is not kept.
        until: Day,
    },
    /// What the last command wrote is not here any more.
    #[error(
        "what the last command (`{verb}`, {at}) wrote is no longer kept here, only what it came to"
    )]
    Trimmed {
        /// What was typed.
        verb: String,
        /// When.
        at: Instant,
    },
    /// A collection that there is not.
    #[error("{name:?} is no collection: the nearest is {nearest:?}")]
    Collection {
        /// What was asked for.
        name: String,
        /// The nearest that there is.
        nearest: &'static str,
    },
}

fn list<T>(all: &[T], name: impl Fn(&T) -> &str) -> String {
    all.iter().map(name).collect::<Vec<_>>().join(", ")
}
