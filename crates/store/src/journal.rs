//! The journals of a home: its own log, and every other that it holds.
//!
//! [`Journals`] is a view of `wal/` that is cheap to open and to refresh. What appends, cuts or syncs
//! asks for the [`HomeLock`]; what reads does not. Nothing here knows peers: ranges come in
//! and go out as bytes with their place and hash.

mod aside;
mod base;
mod block;
mod chain;
mod command;
mod doubt;
mod expired;
mod file;
mod foreign;
mod foretold;
mod hole;
mod log;
mod mark;
mod news;
mod own;
mod recover;
mod replica;
mod section;
mod spot;
mod sync;
mod tail;
mod thaw;

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::limits::LOGS_MAX;
use cocli_core::{ClusterId, Day, Epoch, Head, LogId, NodeId};

use crate::archive::Piece;
use crate::disk::{Disk, FileKind, SharedDisk, Stat};
use crate::error::{Result, StoreError, Tried, if_there};
use crate::lock::HomeLock;
use crate::paths;

pub use aside::BranchAside;
pub use base::{Base, Bases, read as read_bases};
pub use command::{Command, Written};
pub use doubt::{Closed, Doubt};
pub use foreign::{Adopted, Foreign};
pub use hole::Hole;
pub use log::Trouble;
pub use replica::{Misplaced, Placed};
pub use section::{Met, Section, Stretch};
pub use sync::{Durable, SyncEnd, SyncPlan};

pub(crate) use file::{
    Salvage, is_rot, put_aside, put_aside_as, replace, rot, salvage, write_fresh,
};
pub(crate) use hole::Gap;
pub(crate) use log::DayFile;
use log::Log;
pub(crate) use news::Place;
pub(crate) use section::Block;

/// What shows that a journal came or went, or that the own log is another: the folders of journals, of
/// marks and of the archive, the epoch, and where logs begin.
type Landmarks = [Option<Stat>; 5];

/// How often a look is taken again when days move between `wal/` and the archive meanwhile.
const LOOKS_MAX: usize = 4;

/// The journals of a home as they were last looked at.
#[derive(Debug)]
pub struct Journals {
    disk: SharedDisk,
    cluster: ClusterId,
    node: NodeId,
    own: LogId,
    logs: BTreeMap<LogId, Log>,
    /// What stands in the archive, as last looked at.
    archived: BTreeMap<LogId, Vec<Piece>>,
    /// That is all of it.
    listed: bool,
    bases: base::Bases,
    foreign: Vec<String>,
    holes: hole::Holes,
    doubt: Option<Doubt>,
    /// The folders and the epoch at the last look at everything.
    landmarks: Option<Landmarks>,
    /// A doubt that could not be written down: only this view knows of it.
    unsaved: Option<Doubt>,
}

impl Journals {
    /// Looks at `wal/` and the marks. Nothing is hashed and nothing is written.
    ///
    /// # Errors
    /// When there is no home, or it cannot be read. A journal that cannot be read is a
    /// [`Trouble`] and no error.
    pub fn open(disk: SharedDisk, cluster: ClusterId, node: NodeId) -> Result<Self> {
        let mut journals = Self::unread(disk, cluster, node)?;
        journals.refresh()?;
        Ok(journals)
    }

    /// Nothing was looked at yet.
    fn unread(disk: SharedDisk, cluster: ClusterId, node: NodeId) -> Result<Self> {
        let home = disk.stat(paths::OWN).tried("look at", paths::OWN)?;
        if home.is_none_or(|stat| stat.kind != FileKind::Folder) {
            return Err(StoreError::NotAHome { path: format!("{disk:?}") });
        }
        let own = LogId::new(node.clone(), Epoch::default());
        Ok(Self {
            disk,
            cluster,
            node,
            own,
            logs: BTreeMap::new(),
            archived: BTreeMap::new(),
            listed: false,
            bases: base::Bases::new(),
            foreign: Vec::new(),
            holes: hole::Holes::default(),
            doubt: None,
            landmarks: None,
            unsaved: None,
        })
    }

    /// Looks again: other processes append, and people put journals here by hand. Cheap when
    /// nothing changed.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub fn refresh(&mut self) -> Result<()> {
        let mut landmarks = self.look_around()?;
        self.landmarks = None;
        self.own = LogId::new(self.node.clone(), read_epoch(&*self.disk)?);
        self.doubt = self.read_doubt()?;
        self.holes.read(&*self.disk)?;
        let mut names = Vec::new();
        let mut settled = false;
        for _ in 0..LOOKS_MAX {
            // In this order: a day that moves into the archive meanwhile is seen in one of them.
            names = self.disk.list_stats(paths::WAL).tried("list", paths::WAL)?;
            self.look_in_archive()?;
            // Where the disk does not say when a folder changed, nothing is known of that.
            let Some([_, _, archive, _, bases]) = landmarks else { break };
            let stat = |path| self.disk.stat(path).tried("look at", path);
            if (archive, bases) == (stat(paths::ARCHIVE)?, stat(paths::BASES)?) {
                settled = true;
                break;
            }
            landmarks = self.look_around()?;
        }
        let (mut found, mut foreign) = (BTreeMap::<LogId, Vec<(Day, Stat)>>::new(), Vec::new());
        for (name, stat) in names {
            match paths::journal_of(&name) {
                Some((log, day)) => found.entry(log).or_default().push((day, stat)),
                None if stat.kind == FileKind::File => foreign.push(name),
                None => {}
            }
        }
        self.foreign = foreign;
        let mut marks = BTreeMap::new();
        for (name, stat) in self.disk.list_stats(paths::MARKS).tried("list", paths::MARKS)? {
            if let Some(log) = name.strip_suffix(".marks").and_then(|log| LogId::read(log).ok()) {
                marks.insert(log, stat);
            }
        }
        let known = found.keys().chain(marks.keys()).chain(self.archived.keys());
        let known: BTreeSet<LogId> = known.chain(self.bases.keys()).cloned().collect();
        self.logs.retain(|log, _| known.contains(log));
        // However many there are, the own logs are among them.
        let own: Vec<&LogId> = known.iter().filter(|id| self.owns(id)).collect();
        let others = known.iter().filter(|id| !self.owns(id));
        let others = others.take(LOGS_MAX.saturating_sub(own.len().max(1)));
        let all: Vec<LogId> = own.iter().copied().chain(others).cloned().collect();
        for id in all {
            self.look_at(&id, found.remove(&id).unwrap_or_default(), marks.get(&id).copied())?;
        }
        // Where days went on moving during every look, the folders were newer than what is known of them.
        self.landmarks = landmarks.filter(|_| settled);
        self.judge_own()
    }

    /// Looks again at the newest journals of some logs alone, when no journal came or went since the
    /// last look at everything; else at everything.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub fn refresh_logs<'a>(&mut self, logs: impl IntoIterator<Item = &'a LogId>) -> Result<()> {
        let landmarks = self.look_around()?;
        if landmarks.is_none() || landmarks != self.landmarks {
            return self.refresh();
        }
        let mut own = false;
        for id in logs {
            own |= self.owns(id);
            // Of a log without a journal nothing can have changed: a journal would have come.
            let Some(log) = self.logs.get(id) else { continue };
            let Some((day, before)) = log.found.last().copied() else { continue };
            let (mut found, known_marks) = (log.found.clone(), log.marks_stat);
            let path = paths::journal(id, day);
            let Some(stat) = self.disk.stat(&path).tried("look at", &path)? else {
                return self.refresh();
            };
            let path = paths::marks(id);
            let marks = self.disk.stat(&path).tried("look at", &path)?;
            if (stat, marks) != (before, known_marks) {
                found.pop();
                found.push((day, stat));
                self.look_at(id, found, marks)?;
            }
        }
        if own { self.judge_own() } else { Ok(()) }
    }

    /// Nothing where the disk does not say when a folder changed.
    fn look_around(&self) -> Result<Option<Landmarks>> {
        let stat = |path| self.disk.stat(path).tried("look at", path);
        let folders = [stat(paths::WAL)?, stat(paths::MARKS)?, stat(paths::ARCHIVE)?];
        let told = folders.iter().flatten().all(|folder| folder.modified_ns != 0);
        let [wal, marks, archive] = folders;
        let landmarks = [wal, marks, archive, stat(paths::EPOCH)?, stat(paths::BASES)?];
        Ok(told.then_some(landmarks))
    }

    fn look_at(&mut self, id: &LogId, found: Vec<(Day, Stat)>, marks: Option<Stat>) -> Result<()> {
        let own = self.owns(id);
        let start = self.start_of(id);
        let start_day = self.bases.get(id).map(|base| base.day);
        let pieces = self.archived.get(id).map_or(&[][..], Vec::as_slice);
        let log = self.logs.entry(id.clone()).or_insert_with(|| Log::new(id.clone(), start));
        let moved = log.start != start;
        let same = log.found == found && log.marks_stat == marks && log.pieces == pieces;
        if same && !moved && !log.stale {
            return Ok(());
        }
        log.pieces = pieces.to_vec();
        log.start_day = start_day;
        if moved {
            log.begin_at(start);
        }
        let path = paths::marks(id);
        if moved || log.marks_stat != marks || log.marks.is_empty() || log.marked > log.end {
            // Marks that cannot be read cost the time to work them out again.
            let bytes = match self.disk.read(&path) {
                Err(error) if file::is_loss(&error) => Vec::new(),
                bytes => bytes.tried("read", &path)?,
            };
            let before = std::mem::replace(&mut log.marks, mark::read(&bytes));
            log.forget_below_start();
            // Marks that vanished were cut with what they marked.
            let mut saved = before.iter().filter(|mark| mark.saved);
            let cut = saved.any(|mark| !mark::stands(&log.marks, mark));
            let last = log.marks.last().map_or(0, |mark| mark.head.position);
            log.durable = if cut { last } else { log.durable.max(last) }.max(start.position);
            log.marks_stat = marks;
            log.tip = log.start;
        }
        if own && log.tip.position > log.durable {
            // A batch that was not whole may have been cut since, and another stand there.
            log.marks.retain(|mark| mark.saved || mark.head.position <= log.durable);
            log.tip = log.last_mark();
        }
        let disk = &self.disk;
        let whole = |day, raw, floor| file::whole(&**disk, &paths::journal(id, day), raw, floor);
        log.lay(found, &whole).tried("read a journal of", &path)?;
        let last = log.last_mark();
        if log.tip.position < last.position || log.tip.position > log.end {
            log.tip = last;
        }
        Ok(())
    }

    /// What marks and commands prove of the own logs. When one ends before that, bytes that were durable
    /// are gone, and what comes next must not take their place. An expiring log of which nothing is there
    /// has gone by its name.
    fn judge_own(&mut self) -> Result<()> {
        for id in self.own_logs() {
            let log = self.logs.get(&id);
            let (end, marked) = log.map_or((0, 0), |log| (log.end, log.marked));
            let unreadable = log.is_some_and(|log| log.unreadable.is_some());
            let newest = command::newest(&*self.disk, &id)?.filter(|newest| newest.log == id);
            let proven = marked.max(newest.map_or(0, |newest| newest.to));
            if proven <= end && !unreadable {
                if let Some(log) = self.logs.get_mut(&id) {
                    log.durable = log.durable.max(proven);
                }
            } else if self.doubt.is_none() {
                let why = match unreadable {
                    true => format!("it cannot be read from its byte {end} on"),
                    false => format!("it ends at byte {end}, and once had {proven}"),
                };
                self.doubt = Some(Doubt { log: id, trusted: end, why, epoch: None });
            }
        }
        Ok(())
    }

    /// The own logs: the one that stays, and the expiring ones that are there.
    fn own_logs(&self) -> Vec<LogId> {
        let expiring = self.logs.keys().filter(|id| id.month.is_some() && self.owns(id));
        std::iter::once(&self.own).chain(expiring).cloned().collect()
    }

    /// Whether this home alone extends a log.
    #[must_use]
    pub fn owns(&self, log: &LogId) -> bool {
        log.is_kin(&self.own)
    }

    /// What was written down, by whichever process, or could not be by this one.
    fn read_doubt(&self) -> Result<Option<Doubt>> {
        let saved = doubt::read(&*self.disk)?;
        Ok(saved.or_else(|| self.unsaved.clone().filter(|doubt| self.owns(&doubt.log))))
    }

    /// The log that this home appends to; it also appends to the expiring ones of the same epoch.
    #[must_use]
    pub fn own(&self) -> &LogId {
        &self.own
    }

    /// The cluster, where all chains begin.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The disk that they stand on.
    #[must_use]
    pub fn disk(&self) -> &SharedDisk {
        &self.disk
    }

    /// Why nothing can be appended to the own log, until `close_and_copy`.
    #[must_use]
    pub fn doubt(&self) -> Option<&Doubt> {
        self.doubt.as_ref()
    }

    /// All logs that are held.
    pub fn logs(&self) -> impl Iterator<Item = &LogId> {
        self.logs.keys()
    }

    /// The journals of a log by day: where each begins, and how long it is.
    pub fn days(&self, log: &LogId) -> impl Iterator<Item = (Day, u64, u64)> {
        self.logs
            .get(log)
            .into_iter()
            .flat_map(|log| &log.days)
            .map(|day| (day.day, day.start, day.whole))
    }

    /// The bytes of whole records held of a log, synced or not.
    #[must_use]
    pub fn end(&self, log: &LogId) -> u64 {
        self.logs.get(log).map_or(0, |log| log.end)
    }

    /// Journals that are not as their marks say.
    pub fn troubles(&self) -> impl Iterator<Item = (&LogId, Day, &Trouble)> {
        self.logs
            .values()
            .flat_map(|log| log.troubles.iter().map(|(day, why)| (&log.id, *day, why)))
    }

    fn log_mut(&mut self, id: &LogId) -> Option<&mut Log> {
        self.logs.get_mut(id)
    }

    /// Where what is held of a log begins.
    fn start_of(&self, id: &LogId) -> Head {
        self.bases.get(id).map_or_else(|| Head::start(&self.cluster, id), |base| base.head)
    }

    /// The log, made when nothing is held of it yet.
    fn entry(&mut self, id: &LogId) -> &mut Log {
        let start = self.start_of(id);
        self.logs.entry(id.clone()).or_insert_with(|| Log::new(id.clone(), start))
    }

    /// The folders that appends need.
    fn make_folders(&self, _lock: &HomeLock) -> Result<()> {
        for folder in [paths::WAL, paths::MARKS] {
            if self.disk.stat(folder).tried("look at", folder)?.is_none() {
                self.disk.make_folder(folder).tried_to_write(folder, 0)?;
            }
        }
        Ok(())
    }
}

/// The epoch that the home appends to.
fn read_epoch(disk: &dyn Disk) -> Result<Epoch> {
    let bytes = if_there(disk.read(paths::EPOCH)).tried("read", paths::EPOCH)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    Epoch::read(text.trim()).map_err(|error| StoreError::Damaged {
        path: paths::EPOCH.to_owned(),
        offset: 0,
        what: error.to_string(),
    })
}
