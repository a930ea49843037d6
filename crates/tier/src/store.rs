//! A bucket by its address.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use cocli_core::bucket::{
    Bucket, Created, Failure, Key, Listed, Next, Page, create_in_turn, get_as_one, get_in_turn,
    page_of_all,
};

use crate::directory::Directory;
use crate::meter::{Counts, Kind, Meter};
use crate::place::{Place, Scheme};
use crate::remote::Remote;
use crate::service;
use crate::settings::Settings;

/// A bucket by its address: of a cloud, of a store that speaks like one, or a directory.
///
/// Its calls wait, from any thread that is not inside an asynchronous runtime. It keeps no object; how much
/// is in memory at a time is what `parallel` objects weigh.
pub struct Store {
    address: String,
    pub(crate) place: Stored,
    pub(crate) meter: Arc<Meter>,
}

pub(crate) enum Stored {
    Directory(Directory),
    Remote { remote: Remote, counts_itself: bool },
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.address)
    }
}

impl Store {
    /// Opens the bucket at `s3://BUCKET/PREFIX`, `gs://`, `az://`, `file:///DIRECTORY` (made when it is
    /// absent) or `memory:`. What stands behind a `?` is said like in [`Settings::say`]. A cloud is not asked
    /// anything yet; the machine's own metadata is, for a second or two, when nothing else tells who asks.
    ///
    /// # Errors
    /// When it is no address, nobody is found to ask as, or there is nobody to trust.
    pub fn open(url: &str, settings: &Settings) -> Result<Self, Failure> {
        let mut settings = settings.clone();
        let place = Place::read(url, &mut settings)?;
        let meter = Arc::new(Meter::default());
        let address = url.split(['?', '#']).next().unwrap_or_default().to_string();
        let stored = match &place.scheme {
            Scheme::Directory(path) => Stored::Directory(Directory::open(path)?),
            scheme => {
                let counts_itself = *scheme != Scheme::Memory;
                let service = service::open(&place, &settings, &meter)?;
                let bucket = address.strip_suffix(place.prefix.trim_end_matches('/'));
                let bucket = bucket.unwrap_or(&address).trim_end_matches('/').to_string();
                let remote = Remote::new(service, bucket, place.prefix, settings.parallel())?;
                Stored::Remote { remote, counts_itself }
            }
        };
        Ok(Self { address, place: stored, meter })
    }

    /// The folder that a `file:` address names; of others none. Nothing is opened or made.
    ///
    /// # Errors
    /// When it is no address.
    pub fn folder_of(url: &str) -> Result<Option<PathBuf>, Failure> {
        Ok(match Place::read(url, &mut Settings::default())?.scheme {
            Scheme::Directory(path) => Some(path),
            _ => None,
        })
    }

    /// Its address, without what was said behind the `?`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it was asked so far, and how much that was.
    #[must_use]
    pub fn meter(&self) -> Counts {
        self.meter.counts()
    }

    /// Says that this store refuses (403) to read what is not there, since who asks may not list: known from
    /// [`Store::probe`], and kept by the caller. A refusal then means a missing object, but only while the
    /// object `cluster` can be read, which is tried once a minute at most.
    pub fn missing_is_denied(&self, so: bool) {
        if let Stored::Remote { remote, .. } = &self.place {
            remote.missing_is_denied(so);
        }
    }

    /// Counts an operation where no wire does.
    fn count(&self, kind: Kind, up: usize) {
        let counted = matches!(&self.place, Stored::Remote { counts_itself: true, .. });
        if !counted {
            self.meter.asked(kind);
            self.meter.sent(up);
        }
    }

    fn came(&self, bytes: Option<&Vec<u8>>) {
        let counted = matches!(&self.place, Stored::Remote { counts_itself: true, .. });
        if !counted {
            self.meter.received(bytes.map_or(0, Vec::len));
        }
    }
}

impl Bucket for Store {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Failure> {
        self.count(Kind::Get, 0);
        let got = match &self.place {
            Stored::Directory(directory) => directory.get(key),
            Stored::Remote { remote, .. } => remote.wait(remote.get(key)),
        }?;
        self.came(got.as_ref());
        Ok(got)
    }

    fn create(&self, key: &Key, bytes: &[u8]) -> Result<Created, Failure> {
        self.count(Kind::Put, bytes.len());
        match &self.place {
            Stored::Directory(directory) => directory.create(key, bytes),
            Stored::Remote { remote, .. } => remote.wait(remote.create(key, bytes.to_vec())),
        }
    }

    fn replace(&self, key: &Key, bytes: &[u8]) -> Result<(), Failure> {
        self.count(Kind::Put, bytes.len());
        match &self.place {
            Stored::Directory(directory) => directory.replace(key, bytes),
            Stored::Remote { remote, .. } => remote.wait(remote.replace(key, bytes.to_vec())),
        }
    }

    fn list(&self, folder: &Key) -> Result<Vec<Listed>, Failure> {
        self.count(Kind::List, 0);
        match &self.place {
            Stored::Directory(directory) => directory.list(folder),
            Stored::Remote { remote, .. } => remote.wait(remote.list(folder)),
        }
    }

    fn page(&self, folder: &Key, from: Option<&Next>) -> Result<Page, Failure> {
        match &self.place {
            Stored::Remote { remote, .. } => remote.wait(remote.page(folder, from)),
            Stored::Directory(_) => page_of_all(self, folder, from),
        }
    }

    fn get_parts(
        &self,
        key: &Key,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        match &self.place {
            Stored::Remote { remote, .. } => remote.wait(remote.get_parts(key, take)),
            Stored::Directory(_) => get_as_one(self, key, take),
        }
    }

    fn folders(&self, folder: &Key) -> Result<Vec<String>, Failure> {
        self.count(Kind::List, 0);
        match &self.place {
            Stored::Directory(directory) => directory.folders(folder),
            Stored::Remote { remote, .. } => remote.wait(remote.folders(folder)),
        }
    }

    fn remove(&self, keys: &[Key]) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        self.count(Kind::Delete, 0);
        match &self.place {
            Stored::Directory(directory) => directory.remove(keys),
            Stored::Remote { remote, .. } => remote.wait(remote.remove(keys)),
        }
    }

    fn get_all(
        &self,
        keys: &[Key],
        take: &mut dyn FnMut(usize, Option<Vec<u8>>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match &self.place {
            Stored::Remote { remote, counts_itself: true } => {
                remote.wait(remote.get_all(keys, take))
            }
            _ => get_in_turn(self, keys, take),
        }
    }

    fn create_all(
        &self,
        made: &mut dyn FnMut() -> Result<Option<(Key, Vec<u8>)>, Failure>,
    ) -> Result<Vec<Created>, Failure> {
        match &self.place {
            Stored::Remote { remote, counts_itself: true } => remote.wait(remote.create_all(made)),
            _ => create_in_turn(self, made),
        }
    }
}
