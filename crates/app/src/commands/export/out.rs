//! Where an export goes: standard output, or beside a file whose place it takes at the end.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use crate::beside::Beside;
use crate::failure::{Exit, Failure};
use crate::render::Screen;

const BUFFER_BYTES: usize = 256 * 1024;

pub(in crate::commands) struct Out {
    /// What it is called.
    name: String,
    bytes: u64,
    to: To,
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
        let Some(path) = path else {
            return Ok(Self { name: "standard output".into(), bytes: 0, to: To::Screen(screen) });
        };
        let name = path.display().to_string();
        let failed =
            |error: io::Error| Failure::new(Exit::Failed, format!("{name}: cannot write: {error}"));
        // A link is followed: the file that it names is replaced, and not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let there = fs::metadata(&path).ok();
        if there.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(Failure::usage(format!("{name}: is a folder: expected a file")));
        }
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            let file = File::options().write(true).open(&path).map_err(failed)?;
            let to = To::Straight(BufWriter::with_capacity(BUFFER_BYTES, file));
            return Ok(Self { name, bytes: 0, to });
        }
        let (beside, file) = Beside::of(&path).map_err(failed)?;
        let to = To::Beside(BufWriter::with_capacity(BUFFER_BYTES, file), beside);
        Ok(Self { name, bytes: 0, to })
    }

    pub(in crate::commands) fn failed(&self, error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        Failure::new(Exit::Failed, format!("{}: cannot write: {error}", self.name))
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

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.to {
            To::Screen(screen) => {
                screen.raw(bytes);
                bytes.len()
            }
            To::Straight(file) | To::Beside(file, ..) => file.write(bytes)?,
        };
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Screen(_) => Ok(()),
            To::Straight(file) | To::Beside(file, ..) => file.flush(),
        }
    }
}
