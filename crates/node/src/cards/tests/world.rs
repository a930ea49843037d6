//! A home on a disk that fails, people with editors, and what must hold of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cocli_core::{
    Causality, Datagram, Day, Entry, Epoch, Field, Instant, Kind, LogId, NodeId, Stamp, Target,
    Value, usv,
};
use cocli_store::card;
use cocli_store::disk::fake::{Fault, Save, Times};
use cocli_store::{Disk, FakeDisk, paths};

use crate::cards::placing::shows;
use crate::change::{Change, Intent};
use crate::home::{Home, Rim};

pub(super) const TARGETS: [&str; 3] = ["companies/a", "companies/b", "people/p"];
/// The files that people edit, each with its target.
pub(super) const FILES: [(&str, usize); 5] = [
    ("companies/a/_index.md", 0),
    ("companies/a/tags.lst", 0),
    ("companies/b/_index.md", 1),
    ("companies/b/tags.lst", 1),
    ("people/p/p.md", 2),
];
const FIELDS: [&str; 3] = ["name", "city", "own"];
/// 2026-11-23, in microseconds.
const BEGAN: i64 = 1_795_435_200_000_000;
/// Looks after which nothing may be left to do.
const LOOKS_MAX: usize = 4;

/// What a person does in an editor before saving.
#[derive(Debug, Clone, Copy)]
pub(super) enum Edit {
    /// Gives a field another value.
    Field(usize),
    /// Takes a field out.
    Gone(usize),
    /// Adds a tag.
    Tag,
    /// Writes other text under the front matter.
    Body,
    /// Changes nothing that is data.
    Comment,
}

/// How an editor saves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Beside, and renamed.
    pub(super) renamed: bool,
    /// In place, in two writes: after so many operations, or when somebody waits.
    pub(super) slow: Option<u64>,
}

/// How a look ends badly.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mishap {
    /// The process dies.
    Killed,
    /// The disk does this once.
    Fault(Fault),
}

/// A text that a person saved, which must be somewhere.
#[derive(Debug, Clone)]
struct Saved {
    path: &'static str,
    text: String,
}

#[derive(Debug, Clone, Default)]
struct Buffer {
    file: usize,
    text: String,
}

pub(super) struct World {
    disk: FakeDisk,
    now: i64,
    texts: u64,
    buffers: [Buffer; 2],
    /// What each file held.
    past: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Saves that may not have been taken in yet.
    open: Vec<Saved>,
    /// Saves that are to come, by what they save.
    planned: Vec<(Vec<u8>, Option<Saved>)>,
    /// Texts that were taken in, or written by a command that said done: they stay in the journals.
    done: BTreeSet<String>,
    /// Texts that stood in a card without a `_rev`: what such a card says again is taken again.
    strange: BTreeSet<String>,
    /// Who wrote which text into which field.
    written: BTreeMap<String, (usize, &'static str)>,
    arrived: Vec<u8>,
    /// Tags that other nodes gave, each with its target.
    tags: Vec<(usize, String)>,
    /// Tags that a person's list of tags lacked when it was saved: only these may this node take out.
    unlisted: BTreeSet<String>,
    /// Tags that a person's list, or a card without a `_rev`, named when it was saved.
    listed: BTreeSet<String>,
}

impl World {
    pub(super) fn new(exchanges: bool) -> Self {
        let disk = FakeDisk::new();
        disk.set_exchanges(exchanges);
        for folder in [paths::OWN, paths::WAL, paths::CHECKPOINT, "companies", "people"] {
            disk.plant_folder(folder);
        }
        let id =
            format!("{{\"node\":\"own\",\"cluster\":\"{}\",\"machine\":\"m/0\"}}", "7".repeat(32));
        disk.plant(paths::ID, id.as_bytes());
        let mut world = Self {
            disk,
            now: BEGAN,
            texts: 0,
            buffers: Default::default(),
            past: BTreeMap::new(),
            open: Vec::new(),
            planned: Vec::new(),
            done: BTreeSet::new(),
            strange: BTreeSet::new(),
            written: BTreeMap::new(),
            arrived: Vec::new(),
            tags: Vec::new(),
            unlisted: BTreeSet::new(),
            listed: BTreeSet::new(),
        };
        for target in 0..TARGETS.len() {
            world.set(target, 0);
        }
        world
    }

    fn home(&self) -> Home {
        Self::home_on(&self.disk)
    }

    fn home_on(disk: &FakeDisk) -> Home {
        static EPOCHS: AtomicU64 = AtomicU64::new(0);
        let epoch = || Epoch::from_random(EPOCHS.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        let rim = Rim { machine: "m".into(), epoch };
        Home::over(Arc::new(disk.clone()), Path::new("/nowhere"), rim).unwrap()
    }

    fn instant(&self) -> Instant {
        Instant::from_micros(self.now).unwrap()
    }

    /// A second later.
    pub(super) fn next(&mut self) {
        self.now += 1_000_000;
        self.disk.set_clock(self.now * 1_000);
        for (number, (path, _)) in FILES.iter().enumerate() {
            if let Some(bytes) = self.disk.peek(path) {
                let past = self.past.entry(number).or_default();
                if past.last() != Some(&bytes) {
                    past.push(bytes);
                }
            }
        }
    }

    /// A text that nobody wrote before.
    fn text(&mut self) -> String {
        self.texts += 1;
        format!("v{:04}x", self.texts)
    }

    pub(super) fn open(&mut self, who: usize, file: usize) {
        let bytes = self.disk.peek(FILES[file].0).unwrap_or_default();
        self.buffers[who] = Buffer { file, text: String::from_utf8(bytes).unwrap() };
    }

    /// Changes the buffer of a person and saves it, before an operation to come or at once.
    pub(super) fn save(&mut self, at: u64, who: usize, edit: Edit, manner: Manner) {
        let Buffer { file, text: before } = self.buffers[who].clone();
        let (path, target) = FILES[file];
        let fresh = self.text();
        let (after, field) = edited(&before, path, edit, &fresh);
        let Some(after) = after else { return };
        self.buffers[who].text.clone_from(&after);
        let saved = field.map(|field| {
            self.written.insert(fresh.clone(), (target, field));
            Saved { path, text: fresh }
        });
        if !after.contains("_rev:") && path.ends_with(".md") {
            let known = |text: &&String| after.contains(text.as_str());
            self.strange.extend(self.written.keys().filter(known).cloned());
        }
        self.planned.push((after.clone().into_bytes(), saved));
        let Manner { renamed, slow } = manner;
        let save = Save { path: path.into(), bytes: after.into_bytes(), renamed, slow };
        self.disk.save_at(at, save);
        if at == 0 && slow.is_none() {
            self.note_saves();
        }
    }

    /// What people's saves took the place of, and what has to be somewhere since.
    fn note_saves(&mut self) {
        let planned = std::mem::take(&mut self.planned);
        for (save, old) in self.disk.saved() {
            // What a person wrote over before anybody saw it is nobody's loss but theirs.
            let (old, new) =
                (String::from_utf8(old.unwrap_or_default()).unwrap(), text_of(&save.bytes));
            self.open.retain(|saved| {
                saved.path != save.path || !old.contains(&saved.text) || new.contains(&saved.text)
            });
            self.note_lists(&save.path, &new);
            let mine = planned.iter().find(|(bytes, _)| *bytes == save.bytes);
            self.open.extend(mine.and_then(|(_, saved)| saved.clone()));
        }
    }

    pub(super) fn checkout(&mut self, file: usize, back: usize) {
        let past = self.past.get(&file).cloned().unwrap_or_default();
        let Some(bytes) = past.iter().rev().nth(back) else { return };
        let save =
            Save { path: FILES[file].0.into(), bytes: bytes.clone(), renamed: true, slow: None };
        self.disk.save_at(0, save);
        self.note_saves();
    }

    pub(super) fn delete(&mut self, file: usize) {
        let path = FILES[file].0;
        let old = text_of(&self.disk.peek(path).unwrap_or_default());
        self.open.retain(|saved| saved.path != path || !old.contains(&saved.text));
        self.disk.unplant(path);
    }

    fn come(&mut self, target: usize, field: &str, value: Value, late: bool) {
        let micros = self.now + if late { 0 } else { -10_000_000 };
        let stamp = Stamp {
            instant: Instant::from_micros(micros).unwrap(),
            node: NodeId::written("mac").unwrap(),
        };
        let datagram = Datagram {
            target: Target::read(TARGETS[target]).unwrap(),
            field: Field::read(field).unwrap(),
            entry: Entry { stamp, value, causality: Causality::nothing() },
        };
        usv::write(&datagram, &mut self.arrived);
        let log = LogId::read("mac").unwrap();
        let path = paths::journal(&log, Day::read("20261123").unwrap());
        self.disk.plant(&path, &self.arrived);
    }

    pub(super) fn arrive(&mut self, target: usize, field: usize, late: bool) {
        let text = self.text();
        self.come(target, FIELDS[field], Value::text(&text), late);
    }

    pub(super) fn arrive_tag(&mut self, target: usize, gone: bool) {
        let earlier = self.tags.iter().rfind(|(of, _)| *of == target).cloned();
        match earlier.filter(|_| gone) {
            Some((_, tag)) => self.come(target, &format!("tags.{tag}"), Value::null(), true),
            None => {
                let tag = self.text();
                self.come(target, &format!("tags.{tag}"), Value::truth(), true);
                self.tags.push((target, tag));
            }
        }
    }

    /// What a saved list of tags says of each tag that may stand in it.
    fn note_lists(&mut self, path: &str, text: &str) {
        let is_list = path.ends_with("tags.lst");
        let all = self.tags.iter().map(|(_, tag)| tag).chain(self.written.keys());
        let (named, not): (Vec<_>, Vec<_>) = all.cloned().partition(|tag| text.contains(tag));
        if is_list {
            self.unlisted.extend(not);
        }
        if is_list || !text.contains("_rev:") {
            self.listed.extend(named);
        }
    }

    pub(super) fn remove(&mut self, target: usize, back: bool) {
        self.come(target, "_deleted", if back { Value::null() } else { Value::truth() }, true);
    }

    pub(super) fn set(&mut self, target: usize, field: usize) {
        let text = self.text();
        let field = FIELDS[field];
        let target_of = Target::read(TARGETS[target]).unwrap();
        let change = Change::new(
            target_of.clone(),
            Field::read(field).unwrap(),
            Intent::Put(Value::text(&text)),
        );
        let home = self.home();
        let mut session = home.session(self.instant()).unwrap();
        session.take_in(&[target_of]).unwrap();
        self.written.insert(text.clone(), (target, field));
        if session.write("set", &[change], false).unwrap().datagrams > 0 {
            self.done.insert(text);
        }
        session.place().unwrap();
        self.note_saves();
    }

    /// As the daemon does it; tells whether there was anything to look at.
    fn try_look(&self, home: &Home) -> crate::error::Result<bool> {
        let mut behind = home.cards_behind()?;
        if behind.is_empty() {
            return Ok(false);
        }
        let taken = home.session(self.instant())?.take_in(&behind)?;
        behind.retain(|target| !taken.left.contains(target));
        if !behind.is_empty() {
            home.session(self.instant())?.place_these(&behind)?;
        }
        Ok(true)
    }

    pub(super) fn look(&mut self) {
        self.try_look(&self.home()).unwrap();
        self.note_saves();
        self.note_taken();
    }

    /// What was taken in by a look that nothing disturbed stays in the journals.
    fn note_taken(&mut self) {
        let journals = self.journals();
        let (taken, open): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|saved| journals.contains(&saved.text));
        self.open = open;
        self.done.extend(taken.into_iter().map(|saved| saved.text));
    }

    pub(super) fn look_and_fail(&mut self, at: u64, mishap: Mishap, seed: u64) {
        let home = self.home();
        match mishap {
            Mishap::Killed => self.disk.fail_at(at, Fault::Error, Times::ForGood),
            Mishap::Fault(fault) => self.disk.fail_at(at, fault, Times::Once),
        }
        let _ = self.try_look(&home);
        self.disk.heal();
        match mishap {
            Mishap::Fault(Fault::Crash) => self.disk.crash(seed),
            _ => self.disk.kill(),
        }
        self.note_saves();
    }

    /// The numbers of the operations that would do this, from 1.
    fn when(&self, doing: impl Fn(&Home), what: &str) -> Option<u64> {
        let twin = self.disk.copy();
        twin.start_trace();
        doing(&Self::home_on(&twin));
        let trace = twin.trace();
        let line = trace.iter().find(|line| line.contains(what))?;
        line.split(' ').next()?.parse().ok()
    }

    /// A verb that looks at all cards; a person saves so many operations behind its reading of a file, and
    /// it dies some operations later.
    pub(super) fn catch_up_and_die(&mut self, file: usize, behind: u64, later: u64) {
        let now = self.instant();
        let catch_up = |home: &Home| drop(home.catch_up(None, now));
        let read = self.when(catch_up, &format!(" read {}", FILES[file].0)).unwrap();
        self.save(read + behind, 0, Edit::Tag, Manner { renamed: true, slow: None });
        self.disk.fail_at(read + later, Fault::Error, Times::ForGood);
        catch_up(&self.home());
        self.disk.heal();
        self.disk.kill();
        self.note_saves();
    }

    /// The first card that the look would put in place may not be written.
    pub(super) fn look_refused(&mut self) {
        let look = |home: &Home| assert!(self.try_look(home).unwrap());
        let at = self.when(look, " exchange ").unwrap();
        self.disk.fail_at(at, Fault::Denied, Times::Once);
        self.try_look(&self.home()).unwrap();
        self.disk.heal();
    }

    /// Cards that `status` names as left alone.
    pub(super) fn left_alone(&self) -> Vec<String> {
        let met = self.home().look_at_cards().unwrap();
        met.broken.into_iter().map(|(path, _)| path).collect()
    }

    pub(super) fn crash(&mut self, seed: u64) {
        self.disk.crash(seed);
    }

    fn journals(&self) -> String {
        let wal = self.disk.files().into_iter().filter(|path| path.starts_with(paths::WAL));
        wal.map(|path| text_of(&self.disk.peek(&path).unwrap())).collect()
    }

    /// Looks until there is nothing to do, which is soon; then a look writes nothing.
    pub(super) fn settle(&mut self) {
        for _ in 0..LOOKS_MAX {
            self.next();
            self.look();
        }
        self.next();
        self.disk.start_trace();
        self.look();
        let reads = ["read", "read_at", "stat", "list", "lock"];
        let wrote = |line: &&String| {
            let what = line.split(' ').nth(1).unwrap();
            !reads.contains(&what) && !line.ends_with(paths::LOCK)
        };
        let trace = self.disk.trace();
        let wrote: Vec<_> = trace.iter().filter(wrote).collect();
        assert!(wrote.is_empty(), "nothing happened, and a look wrote: {wrote:?}");
    }

    pub(super) fn check(&self) {
        self.check_nothing_is_lost();
        self.check_nobody_elses_value_appears();
        self.check_cards_show_the_state();
    }

    fn check_nothing_is_lost(&self) {
        let journals = self.journals();
        for text in &self.done {
            assert!(journals.contains(text), "{text} was taken in and is gone");
        }
        let files = self.disk.files();
        let aside = files.iter().filter(|path| path.starts_with(paths::ASIDE));
        let aside: String = aside.map(|path| text_of(&self.disk.peek(path).unwrap())).collect();
        for saved in &self.open {
            let stands = text_of(&self.disk.peek(saved.path).unwrap_or_default());
            assert!(
                [&journals, &stands, &aside].iter().any(|place| place.contains(&saved.text)),
                "{} in {} is nowhere; there stands:\n{stands}",
                saved.text,
                saved.path,
            );
        }
    }

    /// What this node wrote, a person wrote here, and once.
    fn check_nobody_elses_value_appears(&self) {
        let own = NodeId::written("own").unwrap();
        let home = self.home();
        let mut met = BTreeSet::new();
        for datagram in home.history(None, None).unwrap() {
            let (value, field) = (datagram.entry.value.as_str(), datagram.field.as_str());
            if datagram.entry.stamp.node != own {
                continue;
            }
            let text = datagram.field.element().unwrap_or(value).trim();
            if value == "null" {
                let may = !field.starts_with("tags.") || self.unlisted.contains(text);
                assert!(may, "nobody took the tag {text} out");
                continue;
            }
            if self.tags.iter().any(|(_, tag)| tag == text) {
                assert!(self.listed.contains(text), "nobody gave the tag {text} back");
                continue;
            }
            let (target, of) =
                self.written.get(text).unwrap_or_else(|| panic!("nobody wrote {text}"));
            assert_eq!(
                (TARGETS[*target], *of),
                (datagram.target.as_str(), datagram.field.base()),
                "{text}"
            );
            // A list of tags that was opened before says again what it said.
            let again = !met.insert((datagram.entry.stamp.clone(), text.to_owned()));
            let others = met.iter().filter(|(_, other)| other == text).count();
            let may = field.starts_with("tags.") || self.strange.contains(text);
            assert!(again || may || others == 1, "{text} was taken in twice");
        }
    }

    fn check_cards_show_the_state(&self) {
        let home = self.home();
        let met = home.look_at_cards().unwrap();
        let waits: BTreeSet<&str> = met.held.iter().map(|held| held.target.as_str()).collect();
        assert!(met.broken.is_empty(), "{:?}", met.broken);
        for text in TARGETS.into_iter().filter(|target| !waits.contains(target)) {
            let target = Target::read(text).unwrap();
            let entity = home.entity(&target).unwrap();
            let shown = shows(&entity, &target).filter(|_| entity.removed().is_none());
            let (path, _) = FILES.iter().find(|(path, _)| path.starts_with(text)).unwrap();
            let stands = self.disk.peek(path).map(|bytes| {
                let file = card::parse(&bytes).unwrap();
                (
                    file.rev(),
                    card::rev(Kind::of(&target).unwrap(), &file.fields(Kind::of(&target).unwrap())),
                )
            });
            let text = text_of(&self.disk.peek(path).unwrap_or_default());
            assert_eq!(
                stands,
                shown.map(|shown| (Some(shown.rev()), shown.rev())),
                "{target}:\n{text}"
            );
        }
        let swaps = self.disk.list(paths::SWAP).unwrap();
        assert!(swaps.iter().all(|(name, _)| name.ends_with(".new")), "{swaps:?}");
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A file as somebody edited it, and the field that has the text now. Nothing where the file has no such place.
fn edited(
    before: &str,
    path: &str,
    edit: Edit,
    text: &str,
) -> (Option<String>, Option<&'static str>) {
    if path.ends_with("tags.lst") {
        let Edit::Tag = edit else { return (None, None) };
        return (Some(format!("{before}{text}\n")), Some("tags"));
    }
    let Some(front) = before.strip_prefix("---\n") else {
        // Somebody makes a card by hand.
        return (Some(format!("---\nown: {text}\n---\n")), Some("own"));
    };
    let (front, body) = front.split_once("---\n").unwrap();
    let line = |field: &str| {
        let start = format!("{field}:");
        front.lines().find(|line| line.starts_with(&start)).map(|line| format!("{line}\n"))
    };
    let with = |front: String| Some(format!("---\n{front}---\n{body}"));
    match edit {
        Edit::Field(field) => {
            let new = format!("{}: {text}\n", FIELDS[field]);
            let front = match line(FIELDS[field]) {
                Some(line) => front.replacen(&line, &new, 1),
                None => format!("{new}{front}"),
            };
            (with(front), Some(FIELDS[field]))
        }
        Edit::Gone(field) => {
            let gone = line(FIELDS[field]).map(|line| front.replacen(&line, "", 1));
            (gone.and_then(with), None)
        }
        Edit::Tag if path.starts_with("companies") => {
            let front = match line("tags") {
                Some(line) if line == "tags: []\n" => {
                    front.replacen(&line, &format!("tags:\n- {text}\n"), 1)
                }
                Some(line) => front.replacen(&line, &format!("{line}- {text}\n"), 1),
                None => format!("tags:\n- {text}\n{front}"),
            };
            (with(front), Some("tags"))
        }
        Edit::Tag => (None, None),
        Edit::Body => {
            let field = if path.starts_with("companies") { "description" } else { "body" };
            (Some(format!("---\n{front}---\n\n{text}\n")), Some(field))
        }
        Edit::Comment => (with(format!("# {text}\n{front}")), None),
    }
}
