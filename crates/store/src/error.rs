//! What can go wrong on the disk, always with the path and what was tried.

use std::io;

use cocli_core::{Day, LogId};

/// Why the store could not do what was asked. Unless a variant says otherwise nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("could not {doing} {path}: {source}")]
    Io {
        /// Relative to the home.
        path: String,
        /// What was tried.
        doing: &'static str,
        /// Its answer.
        source: io::Error,
    },
    /// No room for what was to be written; no part of it stands in the file.
    #[error("no room on the disk for {path}: {missing} more bytes are needed")]
    NoSpace {
        /// Relative to the home.
        path: String,
        /// Bytes that could not be written.
        missing: u64,
    },
    /// Another process holds the home's lock.
    #[error("{path} is locked{}", .holder.as_ref().map(|who| format!(" by {who}")).unwrap_or_default())]
    Locked {
        /// The lock file, relative to the home.
        path: String,
        /// Who it says holds it.
        holder: Option<String>,
    },
    /// The bytes of the own log behind `trusted` may not be on the disk, whatever a later sync says:
    /// nothing is appended until `close_and_copy` has put them into a new epoch.
    #[error(
        "{log} is trusted only up to byte {trusted}: {why}; its log has to be closed and copied"
    )]
    Doubted {
        /// The own log.
        log: LogId,
        /// The last position that is known to be durable and right.
        trusted: u64,
        /// What happened.
        why: String,
    },
    /// Bytes are not what they were when they were written.
    #[error("{path} is damaged at byte {offset}: {what}")]
    Damaged {
        /// Relative to the home.
        path: String,
        /// Where, in the file.
        offset: u64,
        /// What was expected.
        what: String,
    },
    /// A part of the state is damaged or gone, and the history that it was made of is not all held here.
    #[error(
        "{path} is damaged, and cannot be made anew from the journals: history up to {day} is not kept here; the checkpoint of another node has to be fetched"
    )]
    Unheld {
        /// The damaged part, relative to the home.
        path: String,
        /// The newest day before a log's base.
        day: Day,
    },
    /// The checkpoint was made by a newer version, and the history that it was made of is not all held here.
    #[error(
        "{path} was made by a newer version of cocli (reading rules {rules}, here {}), and history up to {day} is not kept here to be read again: use the newer version",
        crate::checkpoint::RULES
    )]
    Newer {
        /// The manifest, relative to the home.
        path: String,
        /// Its reading rules.
        rules: u32,
        /// The newest day before a log's base.
        day: Day,
    },
    /// Another checkpoint was put in place while this one was read: who opens a new reader sees it.
    #[error("{path} was replaced while it was read; run the command again")]
    Replaced {
        /// Relative to the home.
        path: &'static str,
    },
    /// There is no data home here.
    #[error("{path} is no data home: expected a folder `.cocli` in it")]
    NotAHome {
        /// As it was given.
        path: String,
    },
    /// A path that leaves the home, or a name that is none.
    #[error("{path:?} is not a path below the home: {why}")]
    BadPath {
        /// As it was given.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The bytes handed in cannot be what they are said to be.
    #[error("cannot take bytes of {log} at {position}: {why}")]
    Refused {
        /// Of which log.
        log: LogId,
        /// From which position on.
        position: u64,
        /// What was expected.
        why: String,
    },
}

/// A result of the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

impl StoreError {
    /// Whether the disk has no room (or no quota) left.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        matches!(self, Self::NoSpace { .. })
    }
}

/// Says of a failed operation what was tried, and where.
pub(crate) trait Tried<T> {
    /// `doing` fits into "could not {doing} {path}".
    fn tried(self, doing: &'static str, path: &str) -> Result<T>;
    /// The same for a write of `missing` bytes: a full disk is an answer of its own.
    fn tried_to_write(self, path: &str, missing: u64) -> Result<T>;
}

impl<T> Tried<T> for io::Result<T> {
    fn tried(self, doing: &'static str, path: &str) -> Result<T> {
        self.map_err(|source| StoreError::Io { path: path.to_owned(), doing, source })
    }

    fn tried_to_write(self, path: &str, missing: u64) -> Result<T> {
        self.map_err(|source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::NoSpace { path: path.to_owned(), missing }
            }
            _ => StoreError::Io { path: path.to_owned(), doing: "write to", source },
        })
    }
}

/// `None` where the file is absent.
pub(crate) fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
