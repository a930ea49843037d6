//! What a bucket lets who asks do, found out by trying.

use cocli_core::bucket::{Bucket, Created, Failure, FailureKind, Key};
use cocli_core::name::NodeId;
use tokio::time::Instant;

use crate::store::{Store, Stored};

/// Whether something may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Able {
    /// It may.
    Yes,
    /// It may not, and this is what the store said.
    No(String),
}

/// What a bucket lets who asks do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whether an object could be created, and a second of the same name could not. Without that nothing
    /// else counts: no bucket for us.
    pub creates: Able,
    /// Whether what was created came back with the same bytes.
    pub reads: Able,
    /// Whether it may be listed. Not needed.
    pub lists: Able,
    /// Whether objects may be deleted. Only a hub needs it.
    pub deletes: Able,
    /// Whether reading what is not there is refused (403) instead of answered (404); to be told to
    /// [`Store::missing_is_denied`].
    pub missing_is_denied: bool,
    /// How an object gets its name, where the bucket is a directory.
    pub naming: Option<String>,
    /// How long it took to create a small object: microseconds.
    pub create_micros: u64,
    /// How long it took to read it: microseconds.
    pub read_micros: u64,
}

impl Report {
    /// Whether a node can use it.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.creates == Able::Yes && self.reads == Able::Yes
    }
}

impl Store {
    /// Tries what a node needs, with an object `Key::trial(node, name)` that it creates and tries to delete;
    /// `name` must be drawn anew each time. What the store refuses stands in the report.
    ///
    /// # Errors
    /// When the store could not be asked: it is away, or is none.
    pub fn probe(&self, node: &NodeId, name: &str) -> Result<Report, Failure> {
        let key = Key::trial(node, name);
        let bytes = format!("tried by {node}: {name}").into_bytes();
        let (creates, create_micros) = timed(|| self.tries_create(&key, &bytes));
        let creates = creates?;
        let (read, read_micros) = timed(|| self.get(&key));
        let reads = match read {
            Ok(Some(read)) if read == bytes => Able::Yes,
            Ok(Some(_)) => Able::No("other bytes came back than were written".to_string()),
            Ok(None) => Able::No("what was created is not there".to_string()),
            Err(failure) => refused(failure)?,
        };
        let missing_is_denied = self.denies_missing(node, name, &reads)?;
        let lists = able(self.list(&Key::wal()).map(|_| ()))?;
        let deletes = able(self.remove(&[key]))?;
        let naming = match &self.place {
            Stored::Directory(directory) if creates == Able::Yes => {
                Some(directory.naming()?.to_string())
            }
            Stored::Directory(_) | Stored::Remote { .. } => None,
        };
        Ok(Report {
            creates,
            reads,
            lists,
            deletes,
            missing_is_denied,
            naming,
            create_micros,
            read_micros,
        })
    }

    fn tries_create(&self, key: &Key, bytes: &[u8]) -> Result<Able, Failure> {
        match self.create(key, bytes) {
            // An earlier try whose answer was lost.
            Ok(Created::New | Created::Exists) => {}
            Err(failure) => return refused(failure),
        }
        match self.create(key, b"another") {
            Ok(Created::Exists) => Ok(Able::Yes),
            Ok(Created::New) => Ok(Able::No(
                "it replaces an object that is there, though it was asked to create one \
                 (If-None-Match: * is not known to it)"
                    .to_string(),
            )),
            Err(failure) => refused(failure),
        }
    }

    /// Whether a key that is not there is refused, while one that is there could be read.
    fn denies_missing(&self, node: &NodeId, name: &str, reads: &Able) -> Result<bool, Failure> {
        let Stored::Remote { remote, .. } = &self.place else { return Ok(false) };
        let missing = Key::trial(node, &format!("{name}-missing"));
        remote.wait(async {
            match remote.read(&missing).await {
                Ok(_) => Ok(false),
                Err((_, answer)) if answer.is_denied() => Ok(*reads == Able::Yes),
                Err((failure, _)) => Err(failure),
            }
        })
    }
}

/// How long it takes: microseconds.
fn timed<T>(act: impl FnOnce() -> T) -> (T, u64) {
    let start = Instant::now();
    let done = act();
    (done, u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX))
}

fn able(tried: Result<(), Failure>) -> Result<Able, Failure> {
    tried.map_or_else(refused, |()| Ok(Able::Yes))
}

/// What a store refuses is told of it; that it is not there is no telling.
fn refused(failure: Failure) -> Result<Able, Failure> {
    match failure.kind {
        FailureKind::Denied => Ok(Able::No(failure.said)),
        FailureKind::Wrong if failure.said.contains(" 501") || failure.said.contains(" 405") => {
            Ok(Able::No(failure.said))
        }
        _ => Err(failure),
    }
}
