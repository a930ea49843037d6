//! A home of the Python program that stands in a bucket: what is read of it is fetched into a folder first.

use std::io::ErrorKind;
use std::sync::Arc;

use cocli_core::bucket::{Bucket, Failure, FailureKind, Key, Listed};
use cocli_core::schema::POOL;
use cocli_store::card::CARD_BYTES_MAX;
use cocli_store::disk::RealDisk;
use cocli_store::fetched::{Fetched, Piece};
use cocli_store::paths::{self, python};

use super::folders::{is_read, shape};
use super::{NONE, OUR_BUCKET, Report, Source};
use crate::error::{NodeError, Result};
use crate::home::{Home, failed};

/// Longest object that is held whole: some at a time are.
const WHOLE_BYTES_MAX: u64 = 1024 * 1024;

/// What is done about an object.
#[derive(Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// It is fetched.
    Whole,
    /// It, or what stands below it, is a link where it comes from: this name says what there is to know.
    Name(&'a str),
    /// It is too long to be read: that is what is told of it.
    Length,
    /// Nothing is read from it.
    Nothing,
}

impl Source {
    /// Fetches what is read of a home in a bucket, at `url`, into a folder below `home`, which is gone with this.
    /// Nothing is written to the bucket. `watch` is told how many objects came.
    ///
    /// # Errors
    /// When the bucket refuses, holds no home of the Python program, or the disk refuses.
    pub fn fetch(
        home: &Home,
        bucket: &dyn Bucket,
        url: &str,
        watch: &dyn Fn(usize),
    ) -> Result<Self> {
        let refused = |why| NodeError::NoSource { path: url.to_owned(), why };
        match bucket.get(&Key::cluster()) {
            Ok(Some(_)) => return Err(refused(OUR_BUCKET)),
            // Who may not list is not told what is missing: the listing says so.
            Ok(None) | Err(Failure { kind: FailureKind::Denied, .. }) => {}
            Err(failure) => return Err(failure.into()),
        }
        let io = |error| failed(paths::FETCHED, "make", error);
        let folder = Fetched::begin(home.path()).map_err(io)?;
        let disk = Arc::new(RealDisk::open(folder.path()).map_err(io)?);
        let mut fetch = Fetch { bucket, folder, watch, came: 0, report: Report::default() };
        for top in [POOL[0], POOL[1], paths::CAMPAIGNS, paths::WAL] {
            fetch.below(&Key::mirror(&format!("{top}/")))?;
        }
        if fetch.came == 0 {
            return Err(refused(NONE));
        }
        Ok(Self { disk, beside: fetch.report, _fetched: Some(fetch.folder) })
    }
}

struct Fetch<'a> {
    bucket: &'a dyn Bucket,
    folder: Fetched,
    watch: &'a dyn Fn(usize),
    came: usize,
    report: Report,
}

impl Fetch<'_> {
    /// All below one folder, page by page.
    fn below(&mut self, top: &Key) -> Result<()> {
        let mut next = None;
        loop {
            let page = self.bucket.page(top, next.as_ref())?;
            for name in page.odd {
                self.report.add_odd(&name, "is no path: left out");
            }
            self.page(page.listed)?;
            next = page.next;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    fn page(&mut self, listed: Vec<Listed>) -> Result<()> {
        let (mut short, mut long) = (Vec::new(), Vec::new());
        for one in listed {
            let path = one.key.as_str();
            match wanted(path, one.bytes) {
                Wanted::Whole if one.bytes <= WHOLE_BYTES_MAX => short.push(one),
                Wanted::Whole => long.push(one),
                Wanted::Name(name) => self.make(name, one.written, |_| Ok(()))?,
                Wanted::Length => self.make(path, one.written, |piece| piece.hollow(one.bytes))?,
                Wanted::Nothing => {
                    let folder = shape(paths::folder(path));
                    *self.report.passed_over.entry(folder).or_default() += 1;
                }
            }
        }
        let keys: Vec<Key> = short.iter().map(|one| one.key.clone()).collect();
        let (bucket, mut broken) = (self.bucket, None);
        let got = bucket.get_all(&keys, &mut |at, bytes| {
            let Listed { key, written, .. } = &short[at];
            let done = match bytes {
                Some(bytes) => self.make(key.as_str(), *written, |piece| piece.add(&bytes)),
                None => {
                    self.gone(key);
                    Ok(())
                }
            };
            done.map_err(|error| stop(&mut broken, error))
        });
        broken.map_or(Ok(()), Err)?;
        got?;
        long.iter().try_for_each(|one| self.long(one))
    }

    /// An object that is written as it comes.
    fn long(&mut self, Listed { key, written, .. }: &Listed) -> Result<()> {
        let path = key.as_str();
        let Some(mut piece) = self.begin(path)? else { return Ok(()) };
        let mut broken = None;
        let io = |error| failed(path, "write", error);
        let got = self.bucket.get_parts(key, &mut |part| {
            piece.add(part).map_err(|error| stop(&mut broken, io(error)))
        });
        broken.map_or(Ok(()), Err)?;
        if !got? {
            self.gone(key);
            return self.folder.forget(path).map_err(io);
        }
        piece.end(*written).map_err(io)?;
        self.came();
        Ok(())
    }

    fn make(
        &mut self,
        path: &str,
        written: i64,
        fill: impl FnOnce(&mut Piece) -> std::io::Result<()>,
    ) -> Result<()> {
        if let Some(mut piece) = self.begin(path)? {
            let done = fill(&mut piece).and_then(|()| piece.end(written));
            done.map_err(|error| failed(path, "write", error))?;
            self.came();
        }
        Ok(())
    }

    /// A new file; none where its name is none for this disk, or another has it: that is told.
    fn begin(&mut self, path: &str) -> Result<Option<Piece>> {
        match self.folder.create(path) {
            Ok(piece) => Ok(Some(piece)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // Links are told by each object below them.
                if wanted(path, 0) == Wanted::Whole {
                    self.report.add_odd(path, "is a folder too, or another name here: left out");
                }
                Ok(None)
            }
            Err(error) if is_of_its_name(error.kind()) => {
                self.report.add_odd(path, format!("{error}: left out"));
                Ok(None)
            }
            Err(error) => Err(failed(path, "make", error)),
        }
    }

    fn gone(&mut self, key: &Key) {
        self.report.add_odd(key.as_str(), "was removed while it was fetched: left out");
    }

    fn came(&mut self) {
        self.came += 1;
        (self.watch)(self.came);
    }
}

/// Ends what a bucket is at: the reason is told beside it.
fn stop(broken: &mut Option<NodeError>, error: NodeError) -> Failure {
    let failure = Failure::new(FailureKind::Wrong, error.to_string());
    *broken = Some(error);
    failure
}

fn is_of_its_name(kind: ErrorKind) -> bool {
    use ErrorKind::{InvalidFilename, InvalidInput, IsADirectory, NotADirectory};
    matches!(kind, InvalidFilename | InvalidInput | NotADirectory | IsADirectory)
}

fn wanted(path: &str, bytes: u64) -> Wanted<'_> {
    let parts: Vec<&str> = path.splitn(5, '/').collect();
    match parts[..] {
        ["companies", _, python::CONTACTS, _, ref rest @ ..]
        | ["people", _, "companies", _, ref rest @ ..] => {
            let below = rest.first().map_or(0, |rest| rest.len() + 1);
            Wanted::Name(&path[..path.len() - below])
        }
        _ if !is_read(path) => Wanted::Nothing,
        _ if bytes > CARD_BYTES_MAX as u64 && !path.ends_with(".usv") => Wanted::Length,
        _ => Wanted::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched_is_what_is_read_and_of_links_their_names() {
        let long = CARD_BYTES_MAX as u64 + 1;
        for (path, bytes, expected) in [
            ("companies/a/_index.md", 10, Wanted::Whole),
            ("companies/a/_index.md", long, Wanted::Length),
            ("wal/20261122_vm.usv", long, Wanted::Whole),
            ("companies/a/enrichments/website.md", 10, Wanted::Nothing),
            ("companies/a/contacts/jane", 10, Wanted::Name("companies/a/contacts/jane")),
            ("companies/a/contacts/jane/jane.md", 1, Wanted::Name("companies/a/contacts/jane")),
            ("companies/a/contacts/jane/x/y/z", 1, Wanted::Name("companies/a/contacts/jane")),
            ("people/jane/companies/a/_index.md", 1, Wanted::Name("people/jane/companies/a")),
            ("campaigns/r/queues/x/y.usv", 1, Wanted::Nothing),
        ] {
            assert_eq!(wanted(path, bytes), expected, "{path}");
        }
    }
}
