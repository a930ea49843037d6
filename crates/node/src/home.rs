//! A data home, opened: who it is, its settings, its secrets.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cocli_core::schema::POOL;
use cocli_core::{ClusterId, Epoch, Instant, NodeId, Vector};
use cocli_store::{Disk, HomeLock, Journals, RealDisk, Serving, SharedDisk, StoreError, paths};
use serde::{Deserialize, Serialize};

use crate::config::{Config, RestoredFrom};
use crate::error::{NodeError, Result};
use crate::session::Session;

/// What the rim knows and this room may not find out: the machine, and randomness.
#[derive(Debug, Clone)]
pub struct Rim {
    /// What tells this machine from another.
    pub machine: String,
    /// Draws a fresh epoch, should the home have to begin a new log.
    pub epoch: fn() -> Epoch,
}

/// The cluster that a home belongs to.
#[derive(Debug, Clone)]
pub struct Membership {
    /// Its id.
    pub cluster: ClusterId,
    /// Its keys, as the text of the key file.
    pub keys: Vec<u8>,
    /// Nodes to talk to, `host[:port]`.
    pub peers: Vec<String>,
}

/// What a home is made of.
#[derive(Debug, Clone)]
pub struct Birth {
    /// The node.
    pub node: NodeId,
    /// Its cluster.
    pub membership: Membership,
    /// The private half of the key that streams know it by.
    pub identity: Vec<u8>,
    /// The public half, as hex: the field `key` of `nodes/{node}`.
    pub identity_public: String,
    /// Whether it keeps cards.
    pub cards: bool,
    /// Whether the cluster may know the name already: its home was deleted, or somebody else bears
    /// it. Then the log gets an epoch of its own, and takes no place of the one that is there.
    pub maybe_known: bool,
}

/// The file `.cocli/id`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Id {
    node: String,
    cluster: String,
    machine: String,
}

/// A data home.
#[derive(Debug)]
pub struct Home {
    pub(crate) disk: SharedDisk,
    pub(crate) rim: Rim,
    path: PathBuf,
    node: NodeId,
    cluster: ClusterId,
    /// Whether `.cocli/` comes from other hardware: then the log is closed before the next write.
    pub(crate) moved: bool,
    config: Config,
}

fn unread(path: &'static str) -> impl Fn(std::io::Error) -> StoreError {
    move |source| StoreError::Io { path: path.into(), doing: "read", source }
}

impl Home {
    /// Makes a home; `path` may exist and hold files, and what an init that was cut off left, but no
    /// home.
    ///
    /// # Errors
    /// When there is a home already, or the folder cannot be written.
    pub fn create(path: &Path, birth: &Birth, rim: Rim, now: Instant) -> Result<Self> {
        let disk = Self::folder(path)?;
        let home = Self::lay_out(disk, path, birth, (rim, first_config(birth)))?;
        home.introduce(&birth.identity_public, now)?;
        Ok(home)
    }

    /// The folder of a home that is to be, with `.cocli/` in it, for its owner alone.
    pub(crate) fn folder(path: &Path) -> Result<SharedDisk> {
        let io =
            |source| StoreError::Io { path: path.display().to_string(), doing: "make", source };
        std::fs::create_dir_all(path).map_err(io)?;
        let disk = RealDisk::open(path).map_err(io)?;
        disk.make_folder(paths::OWN).map_err(|e| failed(paths::OWN, "make", e))?;
        restrict(path)?;
        Ok(Arc::new(disk))
    }

    /// Whether there is a home, or was one: whoever has written has the list of commands, and the keys of such
    /// a home stay, even without an id.
    pub(crate) fn stands(disk: &dyn Disk) -> Result<bool> {
        for proof in [paths::ID, paths::COMMANDS] {
            if disk.stat(proof).map_err(|e| failed(proof, "look at", e))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes the files of a home that has written nothing yet.
    /// Lets git pass over everything but cards, campaigns and what people put beside them; false where a list of
    /// what it passes over stands already.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin_git(&self) -> Result<bool> {
        if read_if_there(&*self.disk, paths::HOME_GITIGNORE)?.is_some() {
            return Ok(false);
        }
        replace(&*self.disk, paths::HOME_GITIGNORE, paths::GIT_PASSES_OVER.as_bytes())?;
        Ok(true)
    }

    pub(crate) fn lay_out(
        disk: SharedDisk,
        path: &Path,
        birth: &Birth,
        (rim, config): (Rim, String),
    ) -> Result<Self> {
        for folder in [paths::OWN, paths::WAL, paths::CHECKPOINT, POOL[0], POOL[1]] {
            disk.make_folder(folder).map_err(|e| failed(folder, "make", e))?;
        }
        // Of two that begin at once, the second sees the id of the first.
        let lock = HomeLock::take(&*disk, "cocli init")?;
        if Self::stands(&*disk)? {
            return Err(NodeError::HomeExists(path.display().to_string()));
        }
        replace(&*disk, paths::GITIGNORE, b"*\n")?;
        replace(&*disk, paths::IDENTITY, &birth.identity)?;
        replace(&*disk, paths::KEYS, &birth.membership.keys)?;
        replace(&*disk, paths::CONFIG, config.as_bytes())?;
        let epoch = if birth.maybe_known { (rim.epoch)() } else { Epoch::default() };
        replace(&*disk, paths::EPOCH, epoch.as_str().as_bytes())?;
        let id = Id {
            node: birth.node.to_string(),
            cluster: birth.membership.cluster.to_string(),
            machine: machine_of(path, &rim),
        };
        // Last: a folder without an id is no home, so an init that was cut off can be run again.
        replace(&*disk, paths::ID, &to_line(&id))?;
        drop(lock);
        Self::over(disk, path, rim)
    }

    /// Opens the home at `path`.
    ///
    /// # Errors
    /// When there is none, or its own files do not read.
    pub fn open(path: &Path, rim: Rim) -> Result<Self> {
        if !path.join(paths::OWN).is_dir() {
            return Err(NodeError::NoHome(path.display().to_string()));
        }
        let disk = RealDisk::open(path).map_err(|source| StoreError::Io {
            path: path.display().to_string(),
            doing: "open",
            source,
        })?;
        // What cannot be looked at, as another user's, is not what is not there.
        let begun = |file| disk.stat(file).map(|found| found.is_some()).map_err(unread(file));
        if begun(paths::CLONING)? {
            return Err(NodeError::HalfCloned(path.display().to_string()));
        }
        if !begun(paths::ID)? && !begun(paths::COMMANDS)? {
            return Err(NodeError::CutOff(path.display().to_string()));
        }
        Self::over(Arc::new(disk), path, rim)
    }

    /// The home on a disk; `path` is where it is to people.
    pub(crate) fn over(disk: SharedDisk, path: &Path, rim: Rim) -> Result<Self> {
        let own = |what: String| NodeError::Own { path: paths::ID, what };
        let id = read_id(&*disk)?;
        let cluster = ClusterId::read(&id.cluster)
            .ok_or_else(|| own("the cluster's id is not 32 hex digits".into()))?;
        let config = match disk.read(paths::CONFIG) {
            Ok(bytes) => {
                let path = path.join(paths::CONFIG).display().to_string();
                Config::read(&path, &String::from_utf8_lossy(&bytes))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Config::default(),
            Err(error) => return Err(unread(paths::CONFIG)(error).into()),
        };
        let moved = id.machine != machine_of(path, &rim);
        let node = NodeId::written(&id.node)?;
        Ok(Self { disk, rim, path: path.to_path_buf(), node, cluster, moved, config })
    }

    /// The same home, for another thread.
    ///
    /// # Errors
    /// As [`Home::open`].
    pub fn again(&self) -> Result<Self> {
        Self::over(Arc::clone(&self.disk), &self.path, self.rim.clone())
    }

    /// Notes that this machine is where the home lives now.
    pub(crate) fn settle(&self) -> Result<()> {
        self.write_id(self.cluster)
    }

    /// Whether it was noted, here or by another process, that the home lives on this machine.
    pub(crate) fn settled(&self) -> Result<bool> {
        Ok(read_id(&*self.disk)?.machine == machine_of(&self.path, &self.rim))
    }

    /// Whether the home is still of the cluster that it was opened for.
    pub(crate) fn is_same(&self) -> Result<bool> {
        Ok(read_id(&*self.disk)?.cluster == self.cluster.to_string())
    }

    fn write_id(&self, cluster: ClusterId) -> Result<()> {
        let id = Id {
            node: self.node.to_string(),
            cluster: cluster.to_string(),
            machine: machine_of(&self.path, &self.rim),
        };
        replace(&*self.disk, paths::ID, &to_line(&id))
    }

    /// Makes the home a member of another cluster: its journals come along, their chains begin
    /// anew.
    ///
    /// # Errors
    /// When the lock cannot be opened, or the disk refuses; and where not all history is kept, from which
    /// alone the chains of another cluster could be worked out.
    pub fn join(&self, membership: &Membership) -> Result<()> {
        self.is_no_copy()?;
        // A compaction knows the chains of the old cluster.
        let _turn = self.turn()?;
        let _lock = HomeLock::take(&*self.disk, "cocli join")?;
        if let Some(until) =
            self.history_lost_until()?.filter(|_| membership.cluster != self.cluster)
        {
            return Err(NodeError::Unchained { until });
        }
        // It tells of the keys that go.
        self.forget_rekey()?;
        replace(&*self.disk, paths::KEYS, &membership.keys)?;
        let text = self.disk.read(paths::CONFIG).unwrap_or_default();
        let peers = &membership.peers;
        let text = crate::config::with_peers(&String::from_utf8_lossy(&text), peers);
        replace(&*self.disk, paths::CONFIG, text.as_bytes())?;
        if membership.cluster != self.cluster {
            self.forget_chains()?;
        }
        self.write_id(membership.cluster)
    }

    /// Refuses for a copy of an earlier time, which joins nobody and uploads nothing.
    ///
    /// # Errors
    /// When it is one.
    pub fn is_no_copy(&self) -> Result<()> {
        match self.config.restored_from.clone() {
            Some(RestoredFrom { bucket, at }) => Err(NodeError::Restored { bucket, at }),
            None => Ok(()),
        }
    }

    /// Marks and holes tell of the chains of the old cluster. The new ones begin in other hashes and
    /// are worked out from the journals. Peers met there are no peers here.
    fn forget_chains(&self) -> Result<()> {
        let marks = self.disk.list(paths::MARKS).map_err(|e| failed(paths::MARKS, "list", e))?;
        let marks = marks.into_iter().map(|(name, _)| paths::mark_file(&name));
        for path in marks.chain([paths::HOLES.to_string(), paths::PEERS.to_string()]) {
            remove_if_there(&*self.disk, &path)?;
        }
        self.disk.sync_folder(paths::MARKS).map_err(|e| failed(paths::MARKS, "sync", e))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The settings of the machine.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A name for this home that a daemon and a command agree on.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}@{}", self.node, self.cluster)
    }

    /// The right to be the daemon of this home; `None` when one runs.
    ///
    /// # Errors
    /// When its file cannot be opened.
    pub fn serving(&self) -> Result<Option<Serving>> {
        Ok(Serving::try_take(&*self.disk)?)
    }

    /// Where the daemon's socket stands.
    #[must_use]
    pub fn socket_path(&self) -> PathBuf {
        self.path.join(paths::SOCKET)
    }

    /// Where the token stands that `cocli web` asks for.
    #[must_use]
    pub fn web_token_path(&self) -> PathBuf {
        self.path.join(paths::WEB_TOKEN)
    }

    /// Notes which bucket is this home's; counts when it is opened anew.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep_bucket(&self, url: &str) -> Result<()> {
        self.is_no_copy()?;
        let _lock = HomeLock::take(&*self.disk, "cocli init")?;
        let text = self.disk.read(paths::CONFIG).unwrap_or_default();
        let text = crate::config::with_bucket(&String::from_utf8_lossy(&text), url);
        replace(&*self.disk, paths::CONFIG, text.as_bytes())
    }

    /// The text of the key file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn keys(&self) -> Result<Vec<u8>> {
        self.disk.read(paths::KEYS).map_err(|e| failed(paths::KEYS, "read", e))
    }

    /// Puts another text in place of the key file's.
    ///
    /// # Errors
    /// When the disk refuses: the old keys stand there then.
    pub fn keep_keys(&self, text: &[u8]) -> Result<()> {
        replace(&*self.disk, paths::KEYS, text)
    }

    /// The text of the change of key that leaves nodes out, if there was one.
    ///
    /// # Errors
    /// When it stands there and cannot be read.
    pub fn rekey(&self) -> Result<Option<Vec<u8>>> {
        read_if_there(&*self.disk, paths::REKEY)
    }

    /// Puts another one in its place.
    ///
    /// # Errors
    /// When the disk refuses: the old one stands there then.
    pub fn keep_rekey(&self, text: &[u8]) -> Result<()> {
        replace(&*self.disk, paths::REKEY, text)
    }

    /// There is none any more.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget_rekey(&self) -> Result<()> {
        // Also what a write left that was cut off: it holds a key.
        for path in [paths::REKEY.to_owned(), paths::fresh(paths::REKEY)] {
            remove_if_there(&*self.disk, &path)?;
        }
        self.disk.sync_folder(paths::OWN).map_err(|e| failed(paths::OWN, "sync", e))
    }

    /// The private half of the key that streams know this node by.
    ///
    /// # Errors
    /// When it stands there and cannot be read.
    pub fn identity(&self) -> Result<Option<Vec<u8>>> {
        read_if_there(&*self.disk, paths::IDENTITY)
    }

    pub(crate) fn replace_identity(&self, private: &[u8]) -> Result<()> {
        let _lock = HomeLock::take(&*self.disk, "cocli doctor")?;
        replace(&*self.disk, paths::IDENTITY, private)
    }

    /// The journals as they are now.
    pub(crate) fn journals(&self) -> Result<Journals> {
        Ok(Journals::open(Arc::clone(&self.disk), self.cluster, self.node.clone())?)
    }

    /// Those of the own logs alone, for who writes.
    pub(crate) fn own_journals(&self, lock: &HomeLock) -> Result<Journals> {
        let (disk, node) = (Arc::clone(&self.disk), self.node.clone());
        Ok(Journals::open_own(lock, disk, self.cluster, node)?)
    }

    /// How far each log is held durably.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn vector(&self) -> Result<Vector> {
        Ok(self.journals()?.vector()?)
    }

    /// The home, locked for writing at this moment of the wall clock.
    ///
    /// # Errors
    /// When the lock or the journals cannot be opened.
    pub fn session(&self, now: Instant) -> Result<Session<'_>> {
        Session::begin(self, now)
    }
}

/// What tells a home from a copy of it: the machine, and the folder's number on its disk.
fn machine_of(path: &Path, rim: &Rim) -> String {
    use std::os::unix::fs::MetadataExt;
    let folder = std::fs::metadata(path.join(paths::OWN)).map_or(0, |meta| meta.ino());
    format!("{}/{folder}", rim.machine)
}

fn read_id(disk: &dyn Disk) -> Result<Id> {
    let own = |what: String| NodeError::Own { path: paths::ID, what };
    let bytes = disk.read(paths::ID).map_err(|e| own(format!("cannot read: {e}")))?;
    serde_json::from_slice(&bytes).map_err(|e| own(e.to_string()))
}

/// `.cocli/` is for its owner alone.
fn restrict(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let own = path.join(paths::OWN);
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o700))
        .map_err(|e| failed(paths::OWN, "close to others", e))
}

pub(crate) fn first_config(birth: &Birth) -> String {
    let peers: Vec<String> =
        birth.membership.peers.iter().map(|peer| format!("{peer:?}")).collect();
    let project = if birth.cards { "all" } else { "none" };
    format!(
        "[gossip]\n# port = 9999\npeers = [{}]\n\n[cards]\nproject = {project:?}\n",
        peers.join(", ")
    )
}

fn to_line(id: &Id) -> Vec<u8> {
    let mut line = serde_json::to_vec(id).unwrap_or_default();
    line.push(b'\n');
    line
}

pub(crate) fn failed(path: &str, doing: &'static str, source: std::io::Error) -> NodeError {
    StoreError::Io { path: path.to_string(), doing, source }.into()
}

/// The bytes of a file, if it is there.
pub(crate) fn read_if_there(disk: &dyn Disk, path: &str) -> Result<Option<Vec<u8>>> {
    match disk.read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, "read", error)),
    }
}

/// Takes a file away, if it is there.
pub(crate) fn remove_if_there(disk: &dyn Disk, path: &str) -> Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed(path, "remove", error))
        }
        _ => Ok(()),
    }
}

/// Puts a small file in place of another: old or new, never half.
pub(crate) fn replace(disk: &dyn Disk, path: &str, bytes: &[u8]) -> Result<()> {
    let fresh = paths::fresh(path);
    let step = |doing, result: std::io::Result<()>| result.map_err(|e| failed(path, doing, e));
    let _ = disk.remove(&fresh);
    step("write", disk.write_at(&fresh, 0, bytes, true))?;
    step("sync", disk.sync(&fresh))?;
    step("replace", disk.rename(&fresh, path))?;
    step("sync", disk.sync_folder(paths::folder(path)))
}
