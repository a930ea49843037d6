//! A file as UTF-8 text, whatever people saved it as. Nothing of it is held beyond a buffer.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
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
/// What stands for standard input.
const STDIN: [&str; 2] = ["-", "/dev/stdin"];

/// A text on its way.
pub(super) struct Text {
    inner: DecodeReaderBytes<Bytes, Vec<u8>>,
    progress: Progress,
}

/// The bytes of a file, with those that are no UTF-8 made such where the rest is.
enum Bytes {
    Plain(BufReader<File>),
    Mended(Mended),
}

impl Read for Bytes {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(into),
            Self::Mended(mended) => mended.read(into),
        }
    }
}

/// UTF-8 with bytes of Windows-1252 in it.
struct Mended {
    file: File,
    /// Bytes that were read and not looked at; the start of a character may be their end.
    raw: Vec<u8>,
    ready: Vec<u8>,
    given: usize,
}

impl Mended {
    fn fill(&mut self) -> io::Result<()> {
        let from = self.raw.len();
        self.raw.resize(from + LOOK_BYTES, 0);
        let read = self.file.read(&mut self.raw[from..])?;
        self.raw.truncate(from + read);
        self.ready.clear();
        self.given = 0;
        let mut rest = &self.raw[..];
        while !rest.is_empty() {
            let (valid, odd, open) = split(rest);
            self.ready.extend_from_slice(&rest[..valid]);
            if open && read > 0 {
                rest = &rest[valid..];
                break;
            }
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(&rest[valid..valid + odd]);
            self.ready.extend_from_slice(text.as_bytes());
            rest = &rest[valid + odd..];
        }
        let rest = rest.to_vec();
        self.raw = rest;
        Ok(())
    }
}

impl Read for Mended {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() {
            let before = self.raw.len();
            self.fill()?;
            if self.ready.is_empty() && self.raw.len() == before {
                return Ok(0);
            }
        }
        let count = into.len().min(self.ready.len() - self.given);
        into[..count].copy_from_slice(&self.ready[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

/// How many bytes are UTF-8, how many behind these are none, and whether these may be the start of a character.
fn split(bytes: &[u8]) -> (usize, usize, bool) {
    match std::str::from_utf8(bytes) {
        Ok(_) => (bytes.len(), 0, false),
        Err(error) => {
            let valid = error.valid_up_to();
            let odd = error.error_len();
            (valid, odd.unwrap_or(bytes.len() - valid), odd.is_none())
        }
    }
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
            let what = format!(
                "over {ROW_BYTES_MAX} bytes that do not end: expected a quote that closes, or END:VCARD"
            );
            return Err(io::Error::other(what));
        }
        Ok(bytes)
    }
}

/// What a file is written in.
enum Written {
    /// UTF-8, or what its first bytes say.
    Said,
    /// Windows-1252: nothing but ASCII is UTF-8, and this line is neither.
    Windows { line: usize },
    /// UTF-8, with so many bytes that are none, from this line on.
    Mixed { line: usize, bytes: usize },
}

/// Opens a text; what is no UTF-8 and does not say what it is, is read as Windows-1252, and that is told.
pub(super) fn open(path: &Path, note: &dyn Fn(String)) -> Result<(Text, Progress), Failure> {
    let unread = |error: io::Error| failed(path, format!("cannot read: {error}"));
    let mut file = file(path)?;
    let written = look(path, &mut file)?;
    file.seek(SeekFrom::Start(0)).map_err(unread)?;
    let mut decoder = DecodeReaderBytesBuilder::new();
    decoder.bom_override(true).strip_bom(true);
    let plain = |file| Bytes::Plain(BufReader::with_capacity(LOOK_BYTES, file));
    let shown = path.display();
    let bytes = match written {
        Written::Said => plain(file),
        Written::Windows { line } => {
            note(format!("{shown}: line {line} is not UTF-8: read as Windows-1252"));
            decoder.encoding(Some(WINDOWS_1252));
            plain(file)
        }
        Written::Mixed { line, bytes } => {
            note(format!(
                "{shown}: line {line} is not UTF-8, though the rest is: {bytes} bytes are read as Windows-1252"
            ));
            Bytes::Mended(Mended { file, raw: Vec::new(), ready: Vec::new(), given: 0 })
        }
    };
    let buffer = vec![0; LOOK_BYTES / 8];
    let inner = decoder.build_with_buffer(bytes, buffer).map_err(unread)?;
    let progress = Progress::default();
    Ok((Text { inner, progress: progress.clone() }, progress))
}

/// The file, or what comes from standard input as one.
fn file(path: &Path) -> Result<File, Failure> {
    let unread = |error: io::Error| failed(path, format!("cannot read: {error}"));
    if STDIN.iter().any(|name| path == Path::new(name)) {
        let owned = io::stdin().as_fd().try_clone_to_owned().map_err(unread)?;
        let file = File::from(owned);
        return match file.metadata().map_err(unread)? {
            stat if stat.is_file() => Ok(file),
            stat if stat.is_dir() => Err(failed(path, FOLDER)),
            _ => spooled(file).map_err(unread),
        };
    }
    // A pipe would be waited for at its opening.
    let stat = fs::metadata(path).map_err(unread)?;
    if stat.is_dir() {
        return Err(failed(path, FOLDER));
    }
    if !stat.is_file() {
        return Err(failed(path, "is no file: give it to standard input, as `-`"));
    }
    File::open(path).map_err(unread)
}

const FOLDER: &str = "is a folder: expected a file";

/// All that comes, in a file that has no name: it is read twice.
fn spooled(mut from: File) -> io::Result<File> {
    let name = format!("cocli-import-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    io::copy(&mut from, &mut file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// Looks through a file once.
fn look(path: &Path, file: &mut File) -> Result<Written, Failure> {
    let unread = |error: io::Error| failed(path, format!("cannot read: {error}"));
    file.seek(SeekFrom::Start(0)).map_err(unread)?;
    let (mut held, mut filled, mut lines, mut first) = (vec![0; LOOK_BYTES], 0, 0usize, true);
    let (mut foreign, mut odd_bytes, mut wide) = (None, 0, 0usize);
    loop {
        let read = file.read(&mut held[filled..]).map_err(unread)?;
        let bytes = &held[..filled + read];
        if std::mem::replace(&mut first, false) {
            if let Some(what) = mistaken(bytes) {
                return Err(failed(path, what));
            }
            if [[0xff, 0xfe], [0xfe, 0xff]].iter().any(|mark| bytes.starts_with(mark)) {
                return look_utf16(path, file, bytes[0] == 0xff);
            }
        }
        let lines_in = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
        if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
            return Err(nul(path, lines + lines_in(&bytes[..at]) + 1));
        }
        let mut at = 0;
        while at < bytes.len() {
            let (valid, odd, open) = split(&bytes[at..]);
            // Bytes of 0xc0 and up begin a character of several.
            wide += bytes[at..at + valid].iter().filter(|byte| **byte >= 0xc0).count();
            at += valid;
            if odd == 0 || (open && read > 0) {
                break;
            }
            foreign.get_or_insert(lines + lines_in(&bytes[..at]) + 1);
            (at, odd_bytes) = (at + odd, odd_bytes + odd);
        }
        lines += lines_in(&bytes[..at]);
        let rest = bytes.len() - at;
        held.copy_within(at..at + rest, 0);
        filled = rest;
        if read == 0 {
            return Ok(match foreign {
                None => Written::Said,
                // Two letters of Windows-1252 may look like one of UTF-8; most of them do not.
                Some(line) if wide > odd_bytes => Written::Mixed { line, bytes: odd_bytes },
                Some(line) => Written::Windows { line },
            });
        }
    }
}

/// What a file is that people take for a table, by its first bytes, and what helps.
fn mistaken(bytes: &[u8]) -> Option<&'static str> {
    const SHEET: &str = "is a spreadsheet, or a zip file: save the sheet as CSV, and import that";
    const PICTURE: &str = "is a picture: expected text";
    const KNOWN: [(&[u8], &str); 8] = [
        (b"PK\x03\x04", SHEET),
        (b"\xd0\xcf\x11\xe0", SHEET),
        (b"\x89PNG", PICTURE),
        (b"\xff\xd8\xff", PICTURE),
        (b"GIF8", PICTURE),
        (b"%PDF-", "is a PDF: expected text"),
        (b"\x1f\x8b", "is compressed: `gunzip` makes text of it"),
        (b"PAR1", "is a Parquet file: DuckDB makes CSV of it"),
    ];
    let start = bytes[..bytes.len().min(LOOK_BYTES / 1024)].trim_ascii_start().to_ascii_lowercase();
    let is_page = [&b"<!doctype html"[..], b"<html"].iter().any(|page| start.starts_with(page));
    let known = KNOWN.iter().find(|(first, _)| bytes.starts_with(first)).map(|(_, what)| *what);
    known.or(is_page.then_some("is a web page: a download that wants one to be signed in is one"))
}

fn nul(path: &Path, line: usize) -> Failure {
    let what =
        "holds a NUL byte: expected text in UTF-8, UTF-16 with a byte order mark, or Windows-1252";
    failed(path, format!("line {line} {what}"))
}

/// Looks through UTF-16 once: it says itself what it is, and may hold a NUL as well.
fn look_utf16(path: &Path, file: &mut File, little: bool) -> Result<Written, Failure> {
    let unread = |error: io::Error| failed(path, format!("cannot read: {error}"));
    file.seek(SeekFrom::Start(0)).map_err(unread)?;
    let (mut line, mut held) = (1, Vec::new());
    loop {
        held.clear();
        let read = file.by_ref().take(LOOK_BYTES as u64).read_to_end(&mut held).map_err(unread)?;
        for pair in held.chunks_exact(2) {
            let unit = if little { [pair[1], pair[0]] } else { [pair[0], pair[1]] };
            match u16::from_be_bytes(unit) {
                0 => return Err(nul(path, line)),
                0x0a => line += 1,
                _ => {}
            }
        }
        if read == 0 {
            return Ok(Written::Said);
        }
    }
}
