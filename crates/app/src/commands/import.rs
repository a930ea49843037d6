//! `cocli import csv`: rows of a table as companies or people.

use std::path::Path;

use cocli_core::Kind;
use cocli_node::change::Change;
use cocli_node::import::{Importer, Mapping, Row};
use indicatif::ProgressBar;
use serde_json::json;

use super::Context;
use crate::args::{Import, ImportCsv, ImportVerb};
use crate::door;
use crate::failure::{Exit, Failure};

/// Delimiters that a table may have, tried on its header line.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

#[derive(Default)]
struct Report {
    added: usize,
    changed: usize,
    same: usize,
    /// Line numbers and why.
    skipped: Vec<(u64, String)>,
}

pub(super) fn run(context: &Context, args: &Import) -> Result<(), Failure> {
    let ImportVerb::Csv(args) = &args.what;
    let home = context.home()?;
    let text = read(&args.file)?;
    let mut session = context.session(&home)?;
    // What people changed is taken in by whoever writes: a dry run writes nothing.
    if !args.dry_run {
        session.take_in_all()?;
    }
    let (changes, report) = {
        let state = session.state()?;
        rows(context, args, &text, state)?
    };
    let mut datagrams = 0;
    if !args.dry_run {
        let written = session.write("import csv", &changes, false)?;
        datagrams = written.datagrams;
        // Everything that is asked next is asked of the checkpoint.
        let compacted = session.compact_if_free();
        let placed = session.place();
        drop(session);
        door::wake(&home, &written.end);
        let placed = placed?;
        if compacted? {
            context.archive(&home);
        }
        super::show::report_cards(context, &placed);
    }
    tell(context, args, &report, datagrams);
    Ok(())
}

fn tell(context: &Context, args: &ImportCsv, report: &Report, datagrams: usize) {
    let screen = context.screen;
    let file = args.file.display();
    for (line, why) in &report.skipped {
        screen.note(format!("{file}:{line}: skipped: {why}"));
    }
    if screen.json {
        let skipped: Vec<_> =
            report.skipped.iter().map(|(line, why)| json!({"line": line, "why": why})).collect();
        screen.object(&json!({
            "added": report.added, "changed": report.changed, "same": report.same,
            "skipped": skipped, "written": datagrams, "dry_run": args.dry_run,
        }));
        return;
    }
    let would = if args.dry_run { "would be " } else { "" };
    screen.line(format!(
        "{file}: {} {would}added, {} {would}changed, {} the same, {} skipped; {datagrams} values written",
        report.added, report.changed, report.same, report.skipped.len()
    ));
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |why: String| Failure::new(Exit::Failed, format!("{}: {why}", path.display()));
    if path.is_dir() {
        return Err(failed("is a folder: expected a table".into()));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(format!("cannot read: {error}")))?;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(failed("is UTF-16: save it as UTF-8 first".into()));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    String::from_utf8(bytes.to_vec()).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = bytes[..at].iter().filter(|b| **b == b'\n').count() + 1;
        failed(format!("line {line} is not UTF-8: save it as UTF-8 first"))
    })
}

/// The delimiter that parts the header line into most columns.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    let count = |d: u8| header.bytes().filter(|b| *b == d).count();
    DELIMITERS.into_iter().rev().max_by_key(|d| count(*d)).unwrap_or(b',')
}

fn rows(
    context: &Context,
    args: &ImportCsv,
    text: &str,
    state: &cocli_core::State,
) -> Result<(Vec<Change>, Report), Failure> {
    let kind = if args.people { Kind::Person } else { Kind::Company };
    let mut table = csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .flexible(true)
        .from_reader(text.as_bytes());
    let broken =
        |error: csv::Error| Failure::new(Exit::Failed, format!("{}: {error}", args.file.display()));
    let columns: Vec<String> =
        table.headers().map_err(broken)?.iter().map(ToString::to_string).collect();
    if columns.iter().all(|column| column.trim().is_empty()) {
        let message = format!("{}: is empty: expected a header line", args.file.display());
        return Err(Failure::new(Exit::Failed, message));
    }
    let given = args.map.iter().map(|text| {
        text.split_once('=')
            .map(|(c, f)| (c.to_string(), f.to_string()))
            .ok_or_else(|| Failure::usage(format!("{text:?} is no mapping: expected COLUMN=FIELD")))
    });
    let given = given.collect::<Result<Vec<_>, _>>()?;
    let mapping = Mapping::new(kind, &columns, &given)?;
    let mut importer = Importer::new(kind, mapping, args.overwrite, state);
    let (mut changes, mut report) = (Vec::new(), Report::default());
    let bar = progress(context, "rows");
    for record in table.records() {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != columns.len() {
            let why = format!("{} cells, expected {}", record.len(), columns.len());
            report.skipped.push((line, why));
            continue;
        }
        let (row, wanted) = importer.row(record.iter());
        changes.extend(wanted);
        match row {
            Row::Added(_) => report.added += 1,
            Row::Changed(_) => report.changed += 1,
            Row::Same(_) => report.same += 1,
            Row::Skipped(why) => report.skipped.push((line, why)),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok((changes, report))
}

/// A bar on a terminal, nothing elsewhere.
pub(super) fn progress(context: &Context, what: &'static str) -> ProgressBar {
    if !context.screen.watched() {
        return ProgressBar::hidden();
    }
    ProgressBar::new_spinner().with_message(what)
}
