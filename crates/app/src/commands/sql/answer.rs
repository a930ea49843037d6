//! The rows of an answer on their way: what DuckDB prints passes through here, since it does not notice when a write
//! fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::super::export::out::Out;
use super::json::Columns;
use crate::args::SqlFormat;
use crate::failure::Failure;
use crate::render::Screen;

/// Bytes of rows that are passed on together.
const PASS_BYTES: usize = 64 * 1024;

/// How an answer comes.
pub(super) struct Answer {
    pub(super) format: SqlFormat,
    /// The file that DuckDB itself writes, as it does with Parquet only.
    pub(super) parquet: Option<PathBuf>,
    /// Whether it goes to standard output.
    pub(super) is_shown: bool,
    pub(super) screen: Screen,
}

impl Answer {
    /// The query as it is run.
    pub(super) fn query(&self, query: &str) -> String {
        let Some(path) = self.parquet.as_deref().and_then(Path::to_str) else {
            return query.to_owned();
        };
        // A comment may be at its end.
        let (query, path) = (query.trim_end().trim_end_matches(';'), path.replace('\'', "''"));
        format!(
            "COPY ({query}\n) TO '{path}' (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false);"
        )
    }

    /// Only a table on a terminal is not passed on: DuckDB has to see how wide that is.
    pub(super) fn stdout(&self) -> Stdio {
        let is_drawn = self.format == SqlFormat::Table && self.is_shown;
        match is_drawn && self.screen.prints_to_a_person() {
            true => Stdio::inherit(),
            false => Stdio::piped(),
        }
    }
}

/// The rows of one answer, line by line.
pub(super) struct Passing<'a> {
    answer: &'a Answer,
    out: &'a mut Out,
    columns: Columns,
    /// What is not handed on yet.
    lines: Vec<u8>,
    /// Whether anything was.
    pub(super) begun: bool,
}

impl<'a> Passing<'a> {
    pub(super) fn new(answer: &'a Answer, out: &'a mut Out) -> Self {
        Self { answer, out, columns: Columns::default(), lines: Vec::new(), begun: false }
    }

    /// Hands on what comes, but for the last of it.
    pub(super) fn pass_on(&mut self, rows: &mut dyn Read) -> Result<(), Failure> {
        let mut rows = BufReader::with_capacity(PASS_BYTES, rows);
        loop {
            let begin = self.lines.len();
            if rows.read_until(b'\n', &mut self.lines)? == 0 {
                return Ok(());
            }
            if self.answer.format == SqlFormat::Json {
                match &self.lines[begin..] {
                    // It stands for no rows.
                    b"\n" => self.lines.truncate(begin),
                    line => self.columns.check(line)?,
                }
            }
            if self.lines.len() >= PASS_BYTES {
                self.flush()?;
            }
        }
    }

    /// Hands on what is left.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        let screen = self.answer.screen;
        let text = match self.answer.is_shown && screen.prints_to_a_person() {
            // As DuckDB does it in a table only.
            true => screen.safe(&String::from_utf8_lossy(&self.lines)).into_bytes(),
            false => std::mem::take(&mut self.lines),
        };
        self.lines.clear();
        self.begun |= !text.is_empty();
        self.out.write_all(&text).map_err(|error| self.out.failed(&error))
    }
}
