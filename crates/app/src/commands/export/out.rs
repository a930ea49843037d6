//! Where an export goes: standard output, or beside a file whose place it takes at the end.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::beside::Beside;
use crate::failure::{Exit, Failure};
use crate::render::Screen;

const BUFFER_BYTES: usize = 256 * 1024;
/// What standard output is called where a program wants a file: opened anew it would begin at its start.
const STANDARD: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
/// Links that lead from one to the next.
const LINKS_MAX: usize = 40;

pub(in crate::commands) struct Out {
    /// What it is called.
    name: String,
    bytes: u64,
    to: To,
    /// Why the last write failed: who writes a format for us may not tell.
    broke: Option<io::Error>,
}

enum To {
    Screen(Screen),
    /// A pipe, a device.
    Straight(BufWriter<File>),
    /// A file that is not in place yet.
    Beside(BufWriter<File>, Beside),
}

impl Out {
    pub(in crate::commands) fn open(screen: Screen, path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path.filter(|path| !is_standard(path)) else {
            let (name, to) = ("standard output".into(), To::Screen(screen));
            return Ok(Self { name, bytes: 0, to, broke: None });
        };
        let name = path.display().to_string();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let failed = |error: io::Error| {
            let failure = Failure::new(Exit::Failed, format!("{name}: cannot write: {error}"));
            match folder.filter(|folder| !folder.exists()) {
                Some(folder) => failure.hint(format!("`mkdir -p {}` makes it", folder.display())),
                None => failure,
            }
        };
        let path = followed(path);
        let there = fs::metadata(&path).ok();
        let slash = name.ends_with(std::path::is_separator);
        if slash || there.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(Failure::usage(format!("{name}: is a folder: expected a file")));
        }
        let straight = there.as_ref().is_some_and(|there| !there.is_file());
        let to = if straight || path.starts_with("/dev/fd") || path.starts_with("/proc") {
            let file = File::options().append(true).open(&path).map_err(failed)?;
            To::Straight(BufWriter::with_capacity(BUFFER_BYTES, file))
        } else {
            let (beside, file) = Beside::of(&path).map_err(failed)?;
            To::Beside(BufWriter::with_capacity(BUFFER_BYTES, file), beside)
        };
        Ok(Self { name, bytes: 0, to, broke: None })
    }

    pub(in crate::commands) fn failed(&self, error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        Failure::new(Exit::Failed, format!("{}: cannot write: {error}", self.name))
    }

    /// The same of who wrote a format here: the disk's own words, where it has said some.
    pub(super) fn broke(&mut self, failure: Failure) -> Failure {
        self.broke.take().map_or(failure, |error| self.failed(&error))
    }

    /// Whether a terminal gets it.
    pub(super) fn is_terminal(&self) -> bool {
        match &self.to {
            To::Screen(_) => io::stdout().is_terminal(),
            To::Straight(file) => file.get_ref().is_terminal(),
            To::Beside(..) => false,
        }
    }

    /// The file beside its place, until it is put there.
    pub(super) fn part(&self) -> Option<&Path> {
        match &self.to {
            To::Beside(_, beside) => Some(beside.path()),
            _ => None,
        }
    }

    /// Whether it goes to standard output.
    pub(in crate::commands) fn is_shown(&self) -> bool {
        matches!(self.to, To::Screen(_))
    }

    /// The file, where one can be written to at any place of it.
    pub(super) fn file(&mut self) -> Option<&mut BufWriter<File>> {
        match &mut self.to {
            To::Beside(file, ..) => Some(file),
            _ => None,
        }
    }

    /// Puts a file in place, and tells its bytes.
    pub(in crate::commands) fn done(mut self) -> Result<u64, Failure> {
        self.flush().map_err(|error| self.failed(&error))?;
        let name = self.name;
        let To::Beside(mut file, beside) = self.to else { return Ok(self.bytes) };
        let put = || {
            let bytes = file.seek(SeekFrom::End(0))?;
            file.get_ref().sync_all()?;
            beside.put()?;
            Ok(bytes)
        };
        put().map_err(|error: io::Error| {
            Failure::new(Exit::Failed, format!("{name}: cannot put in place: {error}"))
        })
    }
}

/// The file that links lead to: it is replaced, and not the link; none needs to stand there yet.
pub(in crate::commands) fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(to) = fs::read_link(&path) else { break };
        path = path.parent().map_or_else(|| to.clone(), |folder| folder.join(&to));
    }
    path
}

/// Whether a path is what standard output is called.
pub(super) fn is_standard(path: &Path) -> bool {
    STANDARD.iter().any(|name| path == Path::new(name))
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.to {
            To::Screen(screen) => {
                screen.rows(bytes);
                Ok(bytes.len())
            }
            To::Straight(file) | To::Beside(file, ..) => file.write(bytes),
        };
        self.noted(written).inspect(|written| self.bytes += *written as u64)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match &mut self.to {
            To::Screen(_) => Ok(()),
            To::Straight(file) | To::Beside(file, ..) => file.flush(),
        };
        self.noted(flushed)
    }
}

impl Out {
    fn noted<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        done.inspect_err(|error| self.broke = Some(io::Error::new(error.kind(), error.to_string())))
    }
}
