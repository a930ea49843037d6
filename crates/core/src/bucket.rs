//! What is asked of an object store, in words, and what stands in it: docs/bucket.md.
//!
//! Objects are numbered and created once: create-if-absent is all that correctness rests on. Only a lease
//! that its owner renews, and the mirror for people, are ever written twice.

mod coverage;
mod key;
pub mod lease;
pub mod manifest;
mod newest;
pub mod object;
pub mod pace;
pub mod pause;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

pub use coverage::Coverage;
pub use key::Key;
pub use manifest::Manifest;
pub use newest::newest;
pub use object::Object;

/// An object store, as this program asks it. Calls wait for the answer; each may be made from any thread.
pub trait Bucket: Send + Sync {
    /// The bytes of an object; `None` when there is no such object.
    ///
    /// # Errors
    /// When that is not known.
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Failure>;

    /// Creates an object. It is whole and durable then, or not there.
    ///
    /// # Errors
    /// When that is not known: it may have been created all the same.
    fn create(&self, key: &Key, bytes: &[u8]) -> Result<Created, Failure>;

    /// Puts an object in place of the one that is there, if any: a lease, by its owner, or the mirror.
    ///
    /// # Errors
    /// When that is not known: it may stand there all the same.
    fn replace(&self, key: &Key, bytes: &[u8]) -> Result<(), Failure>;

    /// All objects whose key begins with a folder's, in the order of their keys. Nothing that must be right
    /// may depend on it: a listing may lag, and not everybody may ask for one.
    ///
    /// # Errors
    /// When it cannot be had whole.
    fn list(&self, folder: &Key) -> Result<Vec<Listed>, Failure>;

    /// Some of the objects below a folder, in the order of their keys, and where the listing goes on: of a bucket
    /// with millions of objects not all are held at once.
    ///
    /// # Errors
    /// When that is not known.
    fn page(&self, folder: &Key, from: Option<&Next>) -> Result<Page, Failure> {
        page_of_all(self, folder, from)
    }

    /// The bytes of an object as they come, without holding all of them; whether there is such an object.
    /// It ends at the first that `take` refuses.
    ///
    /// # Errors
    /// When they are not known to be all, and what `take` says.
    fn get_parts(
        &self,
        key: &Key,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        get_as_one(self, key, take)
    }

    /// The names of the folders right below one: of `wal/` the nodes.
    ///
    /// # Errors
    /// When it cannot be had whole.
    fn folders(&self, folder: &Key) -> Result<Vec<String>, Failure>;

    /// Removes objects; one that is not there is none that fails.
    ///
    /// # Errors
    /// When one could not be removed; others may have been.
    fn remove(&self, keys: &[Key]) -> Result<(), Failure>;

    /// Gets several objects, some at a time, and gives each with its place in `keys` as it comes, in no order.
    /// It ends at the first that `take` refuses.
    ///
    /// # Errors
    /// The first failure, of the store or of `take`.
    fn get_all(
        &self,
        keys: &[Key],
        take: &mut dyn FnMut(usize, Option<Vec<u8>>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        get_in_turn(self, keys, take)
    }

    /// The bytes of several objects, in the order of `keys`.
    ///
    /// # Errors
    /// The first failure.
    fn get_together(&self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        let mut got = vec![None; keys.len()];
        self.get_all(keys, &mut |place, bytes| {
            got[place] = bytes;
            Ok(())
        })?;
        Ok(got)
    }

    /// Creates several objects, some at a time: `made` gives each with its key when its turn comes. Which of
    /// them were there before is told in the order of their turns.
    ///
    /// # Errors
    /// The first failure, of the store or of `made`; others may have been created.
    fn create_all(
        &self,
        made: &mut dyn FnMut() -> Result<Option<(Key, Vec<u8>)>, Failure>,
    ) -> Result<Vec<Created>, Failure> {
        create_in_turn(self, made)
    }
}

/// [`Bucket::page`], all at once.
///
/// # Errors
/// As there.
pub fn page_of_all<B: Bucket + ?Sized>(
    bucket: &B,
    folder: &Key,
    from: Option<&Next>,
) -> Result<Page, Failure> {
    let listed = if from.is_none() { bucket.list(folder)? } else { Vec::new() };
    Ok(Page { listed, ..Page::default() })
}

/// [`Bucket::get_parts`], all at once.
///
/// # Errors
/// As there.
pub fn get_as_one<B: Bucket + ?Sized>(
    bucket: &B,
    key: &Key,
    take: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<bool, Failure> {
    let got = bucket.get(key)?;
    got.as_deref().map_or(Ok(false), |bytes| take(bytes).map(|()| true))
}

/// [`Bucket::get_all`], one after the other.
///
/// # Errors
/// As there.
pub fn get_in_turn<B: Bucket + ?Sized>(
    bucket: &B,
    keys: &[Key],
    take: &mut dyn FnMut(usize, Option<Vec<u8>>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for (place, key) in keys.iter().enumerate() {
        take(place, bucket.get(key)?)?;
    }
    Ok(())
}

/// [`Bucket::create_all`], one after the other.
///
/// # Errors
/// As there.
pub fn create_in_turn<B: Bucket + ?Sized>(
    bucket: &B,
    made: &mut dyn FnMut() -> Result<Option<(Key, Vec<u8>)>, Failure>,
) -> Result<Vec<Created>, Failure> {
    let mut created = Vec::new();
    while let Some((key, bytes)) = made()? {
        created.push(bucket.create(&key, &bytes)?);
    }
    Ok(created)
}

/// What came of creating an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is there now, with these bytes.
    New,
    /// Another, or the same from an earlier try whose answer was lost, was there before.
    Exists,
}

/// An object as a listing tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: Key,
    /// Its bytes.
    pub bytes: u64,
    /// When it was written, by the store's clock: microseconds since 1970.
    pub written: i64,
}

/// Some of the objects that stand below a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The objects.
    pub listed: Vec<Listed>,
    /// Names that are no keys: with a part that is empty or `..`, or with control characters.
    pub odd: Vec<String>,
    /// Where it goes on; nowhere when these were the last.
    pub next: Option<Next>,
}

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// Behind this name.
    pub after: String,
    /// With so many objects at most.
    pub most: usize,
    /// What the store gave, to go on with so many from there.
    pub token: Option<String>,
}

/// Why an answer is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is, and so what helps.
    pub kind: FailureKind,
    /// What was asked, where, and what came instead, for a person.
    pub said: String,
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// The store could not be reached, or is overloaded: later is another try worth it.
    Away,
    /// It says who asks may not do this: other credentials are needed, or another policy.
    Denied,
    /// It is not what it should be: no such bucket, another cluster's, or an answer that cannot be read.
    Wrong,
    /// The month's budget is spent.
    Budget,
}

impl Failure {
    /// A failure of this kind, told so.
    #[must_use]
    pub fn new(kind: FailureKind, said: impl Into<String>) -> Self {
        Self { kind, said: said.into() }
    }

    /// What stands under a key is not what it should be.
    #[must_use]
    pub fn wrong(key: &Key, what: &str) -> Self {
        Self::new(FailureKind::Wrong, format!("{key} in the bucket: {what}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl core::error::Error for Failure {}
