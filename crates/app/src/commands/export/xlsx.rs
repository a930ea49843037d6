//! Rows as a sheet of a spreadsheet. Rows go through a file beside that which is written, or in the folder for
//! temporary files: memory holds one.

use std::borrow::Cow;
use std::io::Write as _;
use std::panic;
use std::path::{Path, PathBuf};

use cocli_table::{Cell, ColumnSpec, Form};
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

use super::out::Out;
use super::text::text;
use crate::failure::{Exit, Failure};
use crate::render::{Screen, counted};

/// Rows of a sheet.
const ROWS_MAX: u32 = 1_048_576;
/// UTF-16 units of a cell.
const TEXT_MAX: usize = 32_767;

pub(super) struct Book {
    book: Workbook,
    columns: Vec<ColumnSpec>,
    /// The row that comes next.
    row: u32,
    /// Texts that were too long.
    cut: usize,
}

impl Book {
    pub(super) fn new(
        what: &str,
        columns: impl Iterator<Item = ColumnSpec>,
        to: Option<(Screen, &Out)>,
    ) -> Result<Self, Failure> {
        let (mut book, columns) = (Workbook::new(), columns.collect::<Vec<_>>());
        if let Some((screen, out)) = to {
            let folder =
                out.part().and_then(Path::parent).map_or_else(std::env::temp_dir, Path::to_owned);
            // A name without a folder is here.
            let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
            end_well(screen, &folder, out.part().map(Path::to_owned));
            book.set_tempdir(&folder).map_err(|error| failed(&error))?;
        }
        let sheet = book.add_worksheet_with_constant_memory().map_err(|error| failed(&error))?;
        sheet.set_name(what).map_err(|error| failed(&error))?;
        sheet.set_freeze_panes(1, 0).map_err(|error| failed(&error))?;
        let bold = Format::new().set_bold();
        for (at, spec) in (0_u16..).zip(&columns) {
            let put = sheet.write_string_with_format(0, at, spec.name, &bold);
            put.map_err(|error| failed(&error))?;
        }
        Ok(Self { book, columns, row: 1, cut: 0 })
    }

    pub(super) fn push(&mut self, row: &[Cell<'_>]) -> Result<(), Failure> {
        if self.row >= ROWS_MAX {
            let message = format!("a sheet holds {} rows, and there are more", ROWS_MAX - 1);
            return Err(Failure::new(Exit::Failed, message)
                .hint("another --format, as parquet, holds all; or --where makes it fewer"));
        }
        let Self { book, columns, row: at_row, cut } = self;
        let sheet = book.worksheet_from_index(0).map_err(|error| failed(&error))?;
        for ((at, spec), cell) in (0_u16..).zip(columns).zip(row) {
            put(sheet, (*at_row, at), spec.form, cell, cut).map_err(|error| failed(&error))?;
        }
        self.row += 1;
        Ok(())
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, Failure> {
        self.book.save_to_buffer().map_err(|error| failed(&error))
    }

    /// Writes it, and says what is not as it was.
    pub(super) fn write(mut self, out: &mut Out) -> Result<Option<String>, Failure> {
        match out.file() {
            Some(file) => {
                self.book.save_to_writer(file).map_err(|error| out.broke(failed(&error)))?
            }
            None => out.write_all(&self.bytes()?).map_err(|error| out.failed(&error))?,
        }
        let texts = counted(self.cut, "text", "texts");
        Ok((self.cut > 0)
            .then(|| format!("{texts} end after {TEXT_MAX} characters: xlsx has no more")))
    }
}

fn put(
    sheet: &mut Worksheet,
    (row, at): (u32, u16),
    form: Form,
    cell: &Cell<'_>,
    cut: &mut usize,
) -> Result<(), XlsxError> {
    match cell {
        Cell::Null => {}
        #[expect(clippy::cast_precision_loss, reason = "a spreadsheet has no other numbers")]
        Cell::Whole(number) if form != Form::Time => {
            sheet.write_number(row, at, *number as f64)?;
        }
        Cell::Real(number) => {
            sheet.write_number(row, at, *number)?;
        }
        cell => {
            let text = text(form, cell);
            let (fitting, is_cut) = fitting(&text);
            *cut += usize::from(is_cut);
            sheet.write_string(row, at, fitting)?;
        }
    }
    Ok(())
}

/// What of a text a cell takes, and whether that is not all of it.
pub(super) fn fitting(text: &str) -> (Cow<'_, str>, bool) {
    let refused = |c: char| {
        (c.is_ascii_control() && !matches!(c, '\t' | '\n')) || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    let text = match text.contains('\r') {
        true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(text),
    };
    let mut units = 0;
    let end = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > TEXT_MAX
    });
    let end = end.map(|(at, _)| at);
    let whole = match end {
        Some(at) => Cow::Owned(text[..at].to_owned()),
        None => text,
    };
    match whole.contains(refused) {
        true => (Cow::Owned(whole.replace(refused, "\u{fffd}")), end.is_some()),
        false => (whole, end.is_some()),
    }
}

/// The crate takes it for a matter of course that the files of its rows can be written: a full disk is a panic
/// there, and the end of the program. It ends with a word to the person, and leaves nothing behind.
fn end_well(screen: Screen, folder: &Path, part: Option<PathBuf>) {
    let (folder, before) = (folder.display().to_string(), panic::take_hook());
    panic::set_hook(Box::new(move |told| {
        if !told.location().is_some_and(|at| at.file().contains("rust_xlsxwriter")) {
            return before(told);
        }
        let _ = part.as_ref().map(std::fs::remove_file);
        let failure = Failure::new(Exit::Failed, format!("xlsx: {folder} takes no more rows"))
            .hint("make room there; without --output `TMPDIR=...` names another folder");
        screen.failure(&failure);
        std::process::exit(failure.exit as i32);
    }));
}

fn failed(error: &XlsxError) -> Failure {
    Failure::new(Exit::Failed, format!("xlsx: {error}"))
}
