//! A whole home of the Python program, brought in: its journals verbatim, then what its files say beyond them.
//! docs/import.md, "A home of the Python program".

mod campaigns;
mod cards;
mod emails;
mod fetch;
mod folders;
mod journals;
mod lines;
mod table;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use cocli_core::bucket::Key;
use cocli_core::entity::FILE;
use cocli_core::{Entry, Field, Instant, Target, Value};
use cocli_store::card::CARD_BYTES_MAX;
use cocli_store::disk::{RealDisk, SharedDisk};
use cocli_store::fetched::Fetched;
use cocli_store::{Disk, FileKind, paths};

use super::{Differ, How, Importer, Item, Row, lacks_card};
use crate::cards::Placed;
use crate::error::{NodeError, Result};
use crate::home::{Home, failed};
use crate::session::{End, Session};

/// What is written by it.
const VERB: &str = "import cocli";
/// Folders of companies or people of which files are held at once.
const FOLDERS_AT_ONCE: usize = 512;
/// Longest list of things that are odd; more are counted.
const ODD_MAX: usize = 10_000;

/// A home of the Python program.
#[derive(Debug)]
pub struct Source {
    disk: SharedDisk,
    /// What is told beside what is read from there.
    beside: Report,
    _fetched: Option<Fetched>,
}

impl Source {
    /// Opens a folder; no link is followed out of it.
    ///
    /// # Errors
    /// When it is none, or no home of the Python program.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let disk = RealDisk::open(path).map_err(|error| failed(&shown, "open", error))?;
        let there = |folder: &str| matches!(disk.stat(folder), Ok(Some(stat)) if stat.kind == FileKind::Folder);
        if there(paths::OWN) {
            return Err(NodeError::NoSource { path: shown, why: OURS });
        }
        if matches!(disk.stat(Key::cluster().as_str()), Ok(Some(stat)) if stat.kind == FileKind::File)
        {
            return Err(NodeError::NoSource { path: shown, why: OUR_BUCKET });
        }
        let pool = cocli_core::schema::POOL;
        if ![pool[0], pool[1], paths::CAMPAIGNS, paths::WAL].into_iter().any(there) {
            return Err(NodeError::NoSource { path: shown, why: NONE });
        }
        Ok(Self { disk: Arc::new(disk), beside: Report::default(), _fetched: None })
    }
}

impl Source {
    /// What is told of it from the first on.
    fn beside(&self) -> Report {
        let Report { odd, more_odd, passed_over, .. } = &self.beside;
        let (odd, passed_over) = (odd.clone(), passed_over.clone());
        Report { odd, more_odd: *more_odd, passed_over, ..Report::default() }
    }
}

const OURS: &str =
    "is a home of this program: join its cluster (`cocli ticket` there, `cocli join` here)";
const OUR_BUCKET: &str = "is a bucket of this program: `cocli clone` makes a home of what is in it";
const NONE: &str =
    "is no home of the Python program: expected companies/, people/, campaigns/ or wal/ in it";

/// How many of a kind are new, changed, the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Not there before.
    pub new: usize,
    /// There, and got something.
    pub changed: usize,
    /// There as they are.
    pub same: usize,
}

impl Tally {
    fn add(&mut self, was: bool, changed: bool) {
        let count = match (was, changed) {
            (false, _) => &mut self.new,
            (true, true) => &mut self.changed,
            (true, false) => &mut self.same,
        };
        *count += 1;
    }
}

/// Something that is not as it should be, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Odd {
    /// The file or folder.
    pub path: String,
    /// What was expected, what came, what was done.
    pub why: String,
}

/// What became of a home.
#[derive(Debug, Default)]
pub struct Report {
    /// By kind: `companies`, `people`, `notes`, `meetings`, `records`, `campaigns`, `members`, `excluded`, `emails`.
    pub kinds: BTreeMap<&'static str, Tally>,
    /// What is odd.
    pub odd: Vec<Odd>,
    /// Further odd things.
    pub more_odd: usize,
    /// Files that are none of these, by their folder.
    pub passed_over: BTreeMap<String, usize>,
    /// Datagrams written.
    pub datagrams: usize,
    /// Values that were left as something else stands there, with the files that say them.
    pub kept: Differs,
    /// Values of here that newer ones of the journals took the place of.
    pub replaced: Differs,
    /// Where the own log ends, when something was written.
    pub end: Option<End>,
    /// Cards that need a person.
    pub placed: Placed,
}

impl Report {
    fn add_odd(&mut self, path: &str, why: impl Into<String>) {
        if self.odd.len() < ODD_MAX {
            self.odd.push(Odd { path: path.to_owned(), why: why.into() });
        } else {
            self.more_odd += 1;
        }
    }
}

/// Values that differ: all are counted, and the first are named.
#[derive(Debug, Default)]
pub struct Differs {
    /// The first of them, with the file that says otherwise.
    pub list: Vec<(String, Differ)>,
    /// How many there are.
    pub count: usize,
}

impl Differs {
    fn add(&mut self, file: &str, differ: Differ) {
        self.count += 1;
        if self.list.len() < ODD_MAX {
            self.list.push((file.to_owned(), differ));
        }
    }
}

/// The kinds in the order in which they are told.
pub const KINDS: [&str; 9] = [
    "companies",
    "people",
    "notes",
    "meetings",
    "records",
    "campaigns",
    "members",
    "excluded",
    "emails",
];

/// A home on its way in.
struct Move<'a> {
    home: &'a Home,
    disk: &'a dyn Disk,
    how: How,
    now: Instant,
    importer: Importer,
    report: Report,
    /// Journaled targets that stand elsewhere here.
    moved: HashMap<String, Target>,
    /// What the journals say of those.
    folded: HashMap<Target, BTreeMap<Field, Entry>>,
    /// Targets that the journals brought something for, and whether they were there before.
    journaled: HashMap<Target, bool>,
    /// The tags of those before, where the journals brought some.
    tags: HashMap<Target, BTreeSet<String>>,
    /// Companies of people, by the names of links.
    linked: HashMap<String, BTreeSet<Target>>,
    /// Folders that cannot be listed.
    unlisted: RefCell<BTreeSet<Odd>>,
    /// Targets that files were read for.
    read: HashSet<Target>,
    /// All that the journals say something of.
    told: HashSet<Target>,
    /// By the hashes of target and field, what the journals brought.
    brought: HashSet<u128>,
    /// Values of here that newer ones took the place of: the file, the value of here, the newest one.
    replaced: BTreeMap<(Target, Field), (String, Value, Value)>,
    /// The folders that came to be targets.
    placed: HashMap<Target, String>,
}

impl Home {
    /// Brings in a whole home of the Python program.
    ///
    /// # Errors
    /// When the home cannot be read or written. What was written by then stays, and the same import goes on from
    /// there.
    pub fn bring_in(&self, source: &Source, how: How, now: Instant) -> Result<Report> {
        let mut session = self.session(now)?;
        if !how.dry_run {
            session.take_in_all()?;
        }
        let importer = Importer::new(&mut session, how)?;
        drop(session);
        let mut moving = Move {
            home: self,
            disk: &*source.disk,
            how,
            now,
            importer,
            report: source.beside(),
            moved: HashMap::new(),
            folded: HashMap::new(),
            journaled: HashMap::new(),
            tags: HashMap::new(),
            linked: HashMap::new(),
            unlisted: RefCell::default(),
            read: HashSet::new(),
            told: HashSet::new(),
            brought: HashSet::new(),
            replaced: BTreeMap::new(),
            placed: HashMap::new(),
        };
        moving.all()?;
        Ok(moving.report)
    }
}

impl Move<'_> {
    fn all(&mut self) -> Result<()> {
        let folders = self.folders();
        self.journals(&folders)?;
        self.tell_of_replaced();
        self.companies(&folders)?;
        self.folded_only()?;
        self.people()?;
        self.journaled_only()?;
        self.emails()?;
        self.campaigns()?;
        self.pass_over();
        for Odd { path, why } in self.unlisted.take() {
            self.odd(&path, why);
        }
        Ok(())
    }

    fn session(&self) -> Result<Session<'_>> {
        self.home.session(self.now)
    }

    fn odd(&mut self, path: &str, why: impl Into<String>) {
        self.report.add_odd(path, why);
    }

    fn tally(&mut self, kind: &'static str) -> &mut Tally {
        self.report.kinds.entry(kind).or_default()
    }

    /// What is in a folder; one that cannot be listed is odd, and stops nothing else.
    fn list(&self, folder: &str) -> Vec<(String, FileKind)> {
        self.disk.list(folder).unwrap_or_else(|error| {
            let why = format!("cannot be listed: {error}: what is in it is left out");
            self.unlisted.borrow_mut().insert(Odd { path: folder.to_owned(), why });
            Vec::new()
        })
    }

    /// The names of the folders in a folder.
    fn folders_in(&self, folder: &str) -> Vec<String> {
        let all = self.list(folder).into_iter();
        all.filter(|(_, kind)| *kind == FileKind::Folder).map(|(name, _)| name).collect()
    }

    fn is_file(&self, path: &str) -> bool {
        matches!(self.disk.stat(path), Ok(Some(stat)) if stat.kind == FileKind::File)
    }

    /// A file; one that cannot be read, or is too long to be one of these, is odd.
    fn read(&mut self, path: &str) -> Option<Vec<u8>> {
        let len = self.disk.stat(path).ok().flatten().map_or(0, |stat| stat.len);
        if len > CARD_BYTES_MAX as u64 {
            let why = format!("has {len} bytes: expected at most {CARD_BYTES_MAX}: left out");
            self.odd(path, why);
            return None;
        }
        match self.disk.read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                self.odd(path, format!("cannot be read: {error}"));
                None
            }
        }
    }

    /// Notes what was written.
    fn wrote(&mut self, datagrams: usize, end: Option<End>, placed: Option<Placed>) {
        self.report.datagrams += datagrams;
        self.report.end = end.or(self.report.end.take());
        if let Some(placed) = placed {
            self.report.placed.join(placed);
        }
    }

    /// Puts cards in place behind a write.
    fn settle(&self, session: &mut Session<'_>) -> Result<Option<Placed>> {
        if self.how.dry_run {
            return Ok(None);
        }
        session.compact_if_long()?;
        session.place().map(Some)
    }

    /// Writes changes of its own making.
    fn write(&mut self, changes: &[crate::change::Change]) -> Result<usize> {
        if changes.is_empty() {
            return Ok(0);
        }
        let mut session = self.home.session(self.now)?;
        let (datagrams, end) = self.importer.write(&mut session, VERB, changes)?;
        let placed = self.settle(&mut session)?;
        drop(session);
        self.wrote(datagrams, end, placed);
        Ok(datagrams)
    }

    /// Brings a batch of items in; what is left out and what differs is told by their files.
    fn batch(&mut self, files: &[String], items: &[Item]) -> Result<Vec<Row>> {
        let mut session = self.home.session(self.now)?;
        let batch = self.importer.batch(&mut session, VERB, items)?;
        let placed = self.settle(&mut session)?;
        drop(session);
        for (at, differ) in batch.kept {
            self.report.kept.add(&files[at], differ);
        }
        self.wrote(batch.datagrams, batch.end, placed);
        for (row, file) in batch.rows.iter().zip(files) {
            if let Row::Skipped(why) = row {
                self.odd(file, format!("left out: {why}"));
            }
        }
        Ok(batch.rows)
    }

    /// Brings in cards, whose files are named beside them.
    fn bring(&mut self, items: Vec<(String, Item)>) -> Result<()> {
        let (files, items): (Vec<String>, Vec<Item>) = items.into_iter().unzip();
        let rows = self.batch(&files, &items)?;
        for ((row, item), file) in rows.into_iter().zip(&items).zip(&files) {
            let Some(target) = row.target().cloned() else { continue };
            let first = self.read.insert(target.clone());
            let journaled = self.journaled.get(&target).copied();
            if first {
                let was = journaled.unwrap_or(!matches!(row, Row::Added(_)));
                let changed = journaled.is_some() || matches!(row, Row::Changed(_));
                self.tally(item.kind.plural()).add(was, changed);
            }
            if matches!(row, Row::Added(_)) && !item.kind.is_convo() {
                self.tell_of_others(file, &target, item);
            }
        }
        Ok(())
    }

    /// Says where a new one seems to be one that is there under another slug.
    fn tell_of_others(&mut self, file: &str, target: &Target, item: &Item) {
        if let Some(why) = self.importer.alike(item.kind, target, &item.values) {
            self.odd(file, why);
        }
    }

    /// Says which values of here are older than those of the journals.
    fn tell_of_replaced(&mut self) {
        for ((target, field), (file, ours, theirs)) in std::mem::take(&mut self.replaced) {
            if ours != theirs {
                let differ = Differ::new(&target, &field, Some(&ours), &theirs);
                self.report.replaced.add(&file, differ);
            }
        }
        self.brought = HashSet::new();
    }

    /// Targets that only the journals know; the cards of all of theirs.
    fn journaled_only(&mut self) -> Result<()> {
        let only: Vec<(Target, bool)> = self
            .journaled
            .iter()
            .filter(|(target, _)| !self.read.contains(*target))
            .map(|(target, was)| (target.clone(), *was))
            .collect();
        let mut session = self.home.session(self.now)?;
        if !self.how.dry_run && self.home.keeps_cards() {
            let mut all: Vec<Target> = self.journaled.keys().cloned().collect();
            // Those that an import which was cut off did not come to.
            let rest = self.told.iter().filter(|target| !self.journaled.contains_key(*target));
            let lacking: Vec<&Target> =
                rest.filter(|target| lacks_card(&session, target, None)).collect();
            session.load(lacking.iter().copied())?;
            let file = Field::read(FILE)?;
            all.extend(
                lacking
                    .into_iter()
                    .filter(|target| {
                        let Some(entity) = session.known().get(*target) else { return false };
                        let file = entity.fields.get(&file).map(|entry| entry.value.shown());
                        entity.is_shown() && lacks_card(&session, target, file.as_deref())
                    })
                    .cloned(),
            );
            let placed = session.place_these(&all)?;
            self.report.placed.join(placed);
        }
        drop(session);
        for (target, was) in only {
            if let Some(kind) = cocli_core::Kind::of(&target) {
                self.tally(kind.plural()).add(was, true);
            }
        }
        Ok(())
    }
}
