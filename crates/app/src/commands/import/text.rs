//! A file as UTF-8 text, whatever people saved it as. Nothing of it is held beyond a buffer.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use encoding_rs::WINDOWS_1252;
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};

use super::failed;
use crate::failure::Failure;

/// Bytes that are looked at at a time.
const LOOK_BYTES: usize = 1024 * 1024;
/// Bytes of one row: more are a quote that nobody closed.
pub(super) const ROW_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A text on its way.
pub(super) struct Text {
    inner: DecodeReaderBytes<BufReader<File>, Vec<u8>>,
    progress: Progress,
}

/// How far it was read.
#[derive(Clone, Default)]
pub(super) struct Progress {
    /// Bytes since the last row ended.
    row: Rc<Cell<u64>>,
    /// The last byte that is no line break.
    last: Rc<Cell<u8>>,
}

impl Progress {
    /// A row ended.
    pub(super) fn row_ends(&self) {
        self.row.set(0);
    }

    /// The last byte that is no line break, of all that was read.
    pub(super) fn last(&self) -> u8 {
        self.last.get()
    }
}

impl Read for Text {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(into)?;
        let row = self.progress.row.get() + bytes as u64;
        self.progress.row.set(row);
        if let Some(last) = into[..bytes].iter().rev().find(|byte| !matches!(byte, b'\n' | b'\r')) {
            self.progress.last.set(*last);
        }
        if row > ROW_BYTES_MAX {
            let what = format!("a row of over {ROW_BYTES_MAX} bytes: expected a quote that closes");
            return Err(io::Error::other(what));
        }
        Ok(bytes)
    }
}

/// What a file is written in.
enum Written {
    /// UTF-8, or what its first bytes say.
    Said,
    /// Not UTF-8 from this line on.
    Windows { line: usize },
}

/// Opens a text; what is no UTF-8 and does not say what it is, is read as Windows-1252, and that is told.
pub(super) fn open(path: &Path, note: &dyn Fn(String)) -> Result<(Text, Progress), Failure> {
    if path.is_dir() {
        return Err(failed(path, "is a folder: expected a file"));
    }
    let written = look(path)?;
    let file = File::open(path).map_err(|error| failed(path, format!("cannot read: {error}")))?;
    let mut decoder = DecodeReaderBytesBuilder::new();
    decoder.bom_override(true).strip_bom(true);
    if let Written::Windows { line } = written {
        note(format!("{}: line {line} is not UTF-8: read as Windows-1252", path.display()));
        decoder.encoding(Some(WINDOWS_1252));
    }
    let buffer = vec![0; LOOK_BYTES / 8];
    let inner = decoder
        .build_with_buffer(BufReader::with_capacity(LOOK_BYTES, file), buffer)
        .map_err(|error| failed(path, format!("cannot read: {error}")))?;
    let progress = Progress::default();
    Ok((Text { inner, progress: progress.clone() }, progress))
}

/// Looks through a file once.
fn look(path: &Path) -> Result<Written, Failure> {
    let unread = |error: io::Error| failed(path, format!("cannot read: {error}"));
    let mut file = File::open(path).map_err(unread)?;
    if !file.metadata().map_err(unread)?.is_file() {
        return Err(failed(path, "is no file: save it as one first"));
    }
    let (mut held, mut filled, mut lines, mut first) = (vec![0; LOOK_BYTES], 0, 0usize, true);
    let mut foreign = None;
    loop {
        let read = file.read(&mut held[filled..]).map_err(unread)?;
        let bytes = &held[..filled + read];
        if std::mem::replace(&mut first, false)
            && [&[0xff, 0xfe][..], &[0xfe, 0xff]].iter().any(|mark| bytes.starts_with(mark))
        {
            return Ok(Written::Said);
        }
        let lines_in = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
        if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
            let line = lines + lines_in(&bytes[..at]) + 1;
            let what = "holds a NUL byte: expected text in UTF-8, UTF-16 with a byte order mark, or Windows-1252";
            return Err(failed(path, format!("line {line} {what}")));
        }
        let whole = match std::str::from_utf8(bytes) {
            Ok(_) => bytes.len(),
            // The end of the piece may be within a character.
            Err(error) if error.error_len().is_none() && read > 0 => error.valid_up_to(),
            Err(error) => {
                let at = error.valid_up_to();
                foreign.get_or_insert(lines + lines_in(&bytes[..at]) + 1);
                bytes.len()
            }
        };
        lines += lines_in(&bytes[..whole]);
        let rest = bytes.len() - whole;
        held.copy_within(whole..whole + rest, 0);
        filled = rest;
        if read == 0 {
            return Ok(foreign.map_or(Written::Said, |line| Written::Windows { line }));
        }
    }
}
