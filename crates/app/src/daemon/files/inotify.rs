//! Watching on Linux: `inotify` itself, with a table of the watched folders that stays small. A pool has
//! as many folders as companies, and a path of its own for each took more memory than all else.

use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use cocli_core::Kind;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::super::Event;
use super::super::changes::Changes;
use super::tell;

/// Bytes of events that are read at once.
const EVENTS_BYTES: usize = 16 * 1024;

/// What is watched, and who hears of it.
struct Watch {
    inotify: OwnedFd,
    home: PathBuf,
    folders: Folders,
    events: Sender<Event>,
    changes: Changes,
    /// That not all folders can be watched was said.
    noticed: bool,
}

/// Watches journals and pool; `None` where the system does not let it.
pub(in crate::daemon) fn watch(home: &Path, events: Sender<Event>, changes: Changes) -> Option<()> {
    let inotify = inotify::init(CreateFlags::CLOEXEC).ok()?;
    let (home, folders) = (home.to_path_buf(), Folders::default());
    let mut watch = Watch { inotify, home, folders, events, changes, noticed: false };
    watch.begin();
    std::thread::spawn(move || watch.run());
    Some(())
}

impl Watch {
    /// Watches all folders that are there, those first that tell of new ones; of those that are watched
    /// already nothing changes.
    fn begin(&mut self) {
        let watched = cocli_node::watched(&self.home);
        let below = |(folder, deep): (PathBuf, bool)| {
            (folder.strip_prefix(&self.home).unwrap_or(&folder).to_path_buf(), deep)
        };
        let names: Vec<(PathBuf, bool)> = watched.into_iter().map(below).collect();
        let (mut room, mut there) = (true, Vec::new());
        for (name, _) in &names {
            match self.add(name) {
                Ok(number) => there.push(number),
                Err(error) => room &= error != Errno::NOSPC,
            }
        }
        for (name, _) in names.iter().filter(|(_, deep)| *deep) {
            room = room && self.add_below(name, &mut there);
        }
        if room {
            // Of a folder that is gone nobody may have told. One that is watched keeps its number.
            there.sort_unstable();
            self.folders.keep(&there);
        }
        if !room {
            self.notice();
        }
    }

    /// Says once that not all folders can be watched.
    fn notice(&mut self) {
        if std::mem::replace(&mut self.noticed, true) {
            return;
        }
        let what = format!(
            "only {} folders can be watched here (fs.inotify.max_user_watches): an edit in another is seen by the next look at all cards",
            self.folders.count()
        );
        let _ = self.events.send(Event::Notice(what));
    }

    fn add(&mut self, name: &Path) -> Result<i32, Errno> {
        let wanted = WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW
            | WatchFlags::EXCL_UNLINK;
        let watched = inotify::add_watch(&self.inotify, self.home.join(name), wanted)?;
        self.folders.put(watched, name.as_os_str().as_bytes());
        Ok(watched)
    }

    /// The folders of the entities in a collection, of their notes and their meetings; tells whether there was room for
    /// all.
    fn add_below(&mut self, collection: &Path, there: &mut Vec<i32>) -> bool {
        let Ok(entries) = std::fs::read_dir(self.home.join(collection)) else { return true };
        for entry in entries.flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let entity = collection.join(entry.file_name());
            for name in convos(&entity).chain([entity.clone()]) {
                match self.add(&name) {
                    Ok(number) => there.push(number),
                    Err(Errno::NOSPC) => return false,
                    Err(_) => {}
                }
            }
        }
        true
    }

    /// As long as somebody hears of it.
    fn run(mut self) {
        let mut buffer = [MaybeUninit::uninit(); EVENTS_BYTES];
        while let Some(met) = self.next(&mut buffer) {
            for (watched, what, name) in met {
                if !self.hear(watched, what, &name) {
                    return;
                }
            }
        }
    }

    /// The next events: of which folder, what happened, to which name in it.
    fn next(&self, buffer: &mut [MaybeUninit<u8>]) -> Option<Vec<(i32, ReadFlags, Vec<u8>)>> {
        let mut reader = inotify::Reader::new(&self.inotify, buffer);
        let mut met = Vec::new();
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map_or(&b""[..], std::ffi::CStr::to_bytes);
                    met.push((event.wd(), event.events(), name.to_vec()));
                }
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
            if reader.is_buffer_empty() {
                return Some(met);
            }
        }
    }

    /// Tells whether anybody listens still.
    fn hear(&mut self, watched: i32, what: ReadFlags, name: &[u8]) -> bool {
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            // What was lost may have been a new folder.
            self.begin();
            return self.changes.look();
        }
        if what.contains(ReadFlags::IGNORED) {
            self.folders.drop(watched);
            return true;
        }
        let Some(folder) = self.folders.name(watched) else { return true };
        let path = Path::new(OsStr::from_bytes(folder)).join(OsStr::from_bytes(name));
        if what.contains(ReadFlags::ISDIR) {
            let comes = what.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
            return !comes || self.hear_of_folder(&path);
        }
        tell(self.home.join(path), &self.events, &self.changes)
    }

    /// A folder is new: files may stand in it that nobody told of.
    fn hear_of_folder(&mut self, name: &Path) -> bool {
        if !holds_cards(name) {
            return true;
        }
        match self.add(name) {
            Ok(_) => {}
            Err(Errno::NOSPC) => self.notice(),
            Err(_) => return true,
        }
        let Ok(entries) = std::fs::read_dir(self.home.join(name)) else { return true };
        let heard = entries.flatten().all(|entry| tell(entry.path(), &self.events, &self.changes));
        heard && (name.components().count() != 2 || convos(name).all(|at| self.hear_of_folder(&at)))
    }
}

/// Whether cards may stand in a folder: what is deeper than an entity holds none, but for its notes and meetings.
fn holds_cards(name: &Path) -> bool {
    match name.components().count() {
        ..=2 => true,
        3 => Kind::CONVOS.into_iter().any(|kind| name.ends_with(kind.plural())),
        _ => false,
    }
}

/// The folders of an entity's notes and meetings.
fn convos(entity: &Path) -> impl Iterator<Item = PathBuf> {
    Kind::CONVOS.into_iter().map(|kind| entity.join(kind.plural()))
}

/// The names of the watched folders, by the numbers that the system gives them, which rise.
#[derive(Debug, Default)]
struct Folders {
    /// Number, and where in `names` the name begins; sorted.
    places: Vec<(i32, u32)>,
    /// Each ends with a zero byte.
    names: Vec<u8>,
    /// Bytes of names that no place leads to any more.
    unused: usize,
}

impl Folders {
    fn count(&self) -> usize {
        self.places.len()
    }

    fn put(&mut self, number: i32, name: &[u8]) {
        if self.name(number) == Some(name) {
            return;
        }
        self.drop(number);
        let Ok(begins) = u32::try_from(self.names.len()) else { return };
        self.names.extend_from_slice(name);
        self.names.push(0);
        let at = self.places.partition_point(|place| place.0 < number);
        self.places.insert(at, (number, begins));
    }

    fn name(&self, number: i32) -> Option<&[u8]> {
        let at = self.places.binary_search_by_key(&number, |place| place.0).ok()?;
        Some(self.name_at(self.places[at].1))
    }

    fn name_at(&self, begins: u32) -> &[u8] {
        let rest = &self.names[begins as usize..];
        rest.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    fn drop(&mut self, number: i32) {
        if let Ok(at) = self.places.binary_search_by_key(&number, |place| place.0) {
            let (_, begins) = self.places.remove(at);
            self.unused += self.name_at(begins).len() + 1;
        }
        if self.unused > self.names.len() / 2 {
            self.close_up();
        }
    }

    /// Drops all but these numbers, which are sorted.
    fn keep(&mut self, numbers: &[i32]) {
        self.places.retain(|(number, _)| numbers.binary_search(number).is_ok());
        self.close_up();
    }

    /// Writes the names that are used anew.
    fn close_up(&mut self) {
        let mut names = Vec::with_capacity(self.names.len() - self.unused);
        let mut places = Vec::with_capacity(self.places.len());
        for &(number, begins) in &self.places {
            places.push((number, u32::try_from(names.len()).unwrap_or(u32::MAX)));
            names.extend_from_slice(self.name_at(begins));
            names.push(0);
        }
        *self = Self { places, names, unused: 0 };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::super::super::CardEvent;
    use super::super::super::changes::Waiting;
    use super::*;

    /// A home with one company's folder.
    fn home() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["wal", "companies/old/notes", "people"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        dir
    }

    #[test]
    fn folders_are_known_by_their_numbers_until_they_are_dropped() {
        let mut folders = Folders::default();
        for (number, name) in [(1, "companies"), (3, "companies/a"), (2, "people"), (9, "people/b")]
        {
            folders.put(number, name.as_bytes());
        }
        folders.put(3, b"companies/renamed");
        assert_eq!(folders.name(3), Some(&b"companies/renamed"[..]));
        assert_eq!(folders.name(2), Some(&b"people"[..]));
        folders.drop(3);
        assert_eq!((folders.name(3), folders.name(4), folders.count()), (None, None, 3));
        for number in 10..1_000 {
            folders.put(number, b"companies/one-that-comes-and-goes");
            folders.drop(number);
        }
        assert_eq!(folders.name(9), Some(&b"people/b"[..]));
        assert!(folders.names.len() < 200, "{}", folders.names.len());
    }

    #[test]
    fn when_the_systems_queue_runs_over_all_files_are_looked_at_and_new_folders_are_watched() {
        let dir = home();
        let home = dir.path();
        let (events, _heard) = channel();
        let (cards, changed) = channel();
        let changes = Changes::new(cards, Waiting::default());
        let inotify = inotify::init(CreateFlags::CLOEXEC).unwrap();
        let (home, folders) = (home.to_path_buf(), Folders::default());
        let mut watch = Watch { inotify, home, folders, events, changes, noticed: false };
        watch.begin();
        let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        let limit: usize = limit.trim().parse().unwrap();
        // Two after each other that are the same count as one.
        for number in 0..limit {
            let path = watch.home.join(format!("companies/old/{}.txt", number % 2));
            std::fs::write(path, "a").unwrap();
        }
        std::fs::create_dir(watch.home.join("companies/new")).unwrap();
        let home = watch.home.clone();
        let thread = std::thread::spawn(move || watch.run());
        let patience = Duration::from_secs(20);
        while !matches!(changed.recv_timeout(patience).unwrap(), CardEvent::Look) {}
        std::fs::write(home.join("companies/new/_index.md"), "a").unwrap();
        while !matches!(changed.recv_timeout(patience).unwrap(), CardEvent::Changed(_)) {}
        drop(changed);
        std::fs::write(home.join("companies/new/_index.md"), "b").unwrap();
        thread.join().unwrap();
    }

    #[test]
    fn saves_are_heard_of_in_folders_that_were_there_and_in_new_ones() {
        let dir = home();
        let home = dir.path();
        let (events, heard) = channel();
        let (cards, changed) = channel();
        watch(home, events, Changes::new(cards, Waiting::default())).unwrap();
        let patience = Duration::from_secs(20);
        let hears = |path: &str| loop {
            match changed.recv_timeout(patience).unwrap() {
                CardEvent::Changed(at) if at == home.join(path) => return,
                _ => {}
            }
        };
        std::fs::write(home.join("companies/old/_index.md"), "a").unwrap();
        hears("companies/old/_index.md");
        std::fs::create_dir(home.join("companies/new")).unwrap();
        std::fs::write(home.join("companies/new/_index.md"), "a").unwrap();
        hears("companies/new/_index.md");
        std::fs::rename(home.join("companies/new"), home.join("people/moved")).unwrap();
        hears("people/moved/_index.md");
        // Of notes, too: in a folder that was there, in a new one, and in one that came with its entity.
        std::fs::write(home.join("companies/old/notes/first.md"), "a").unwrap();
        hears("companies/old/notes/first.md");
        std::fs::create_dir(home.join("companies/old/meetings")).unwrap();
        std::fs::write(home.join("companies/old/meetings/second.md"), "a").unwrap();
        hears("companies/old/meetings/second.md");
        std::fs::rename(home.join("companies/old"), home.join("people/there")).unwrap();
        hears("people/there/notes/first.md");
        std::fs::write(home.join("people/there/notes/third.md"), "a").unwrap();
        hears("people/there/notes/third.md");
        std::fs::write(home.join("wal/20261123_pi1.usv"), "a").unwrap();
        assert!(matches!(heard.recv_timeout(patience).unwrap(), Event::Journals));
    }
}
