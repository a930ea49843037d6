//! `cocli import`: what people have, brought in.

mod contacts;
mod people;
mod python;
mod table;
mod text;

use std::path::Path;

use cocli_node::Home;
use cocli_node::import::{Differ, How, Importer, Item, Row};
use indicatif::ProgressBar;
use serde_json::json;

use super::Context;
use crate::args::{Import, ImportVerb, Manner};
use crate::door;
use crate::failure::{Exit, Failure};

/// Rows or contacts that are brought in by one write and one sync.
const ITEMS_AT_ONCE: usize = 8192;
/// Bytes of these after which it is enough, too.
const BYTES_AT_ONCE: usize = 16 * 1024 * 1024;
/// Values of these after which it is enough, too: rows may have thousands of cells.
const VALUES_AT_ONCE: usize = 200_000;
/// Longest list of what was left out, of what differs, and of what somebody should look at.
const SKIPPED_MAX: usize = 10_000;
/// Values that differ which a person is shown; `--json` gives more.
const DIFFER_SHOWN_MAX: usize = 20;

pub(super) fn run(context: &Context, args: &Import) -> Result<(), Failure> {
    match &args.what {
        ImportVerb::Csv(args) => table::run(context, args),
        ImportVerb::GoogleMaps(args) => table::google_maps(context, args),
        ImportVerb::Vcard(args) => contacts::run(context, args),
        ImportVerb::Cocli(args) => python::run(context, args),
    }
}

fn how(manner: Manner) -> How {
    How { overwrite: manner.overwrite, dry_run: manner.dry_run }
}

/// What became of the items of a file.
#[derive(Default)]
struct Report {
    added: usize,
    changed: usize,
    same: usize,
    /// People who came in beside the rows.
    people: usize,
    /// Line numbers and why.
    skipped: Vec<(u64, String)>,
    more_skipped: usize,
    /// Values that were left as something else stands there: all are counted, the first named.
    kept: usize,
    differ: Vec<(u64, Differ)>,
    /// What somebody should look at, with line numbers.
    notes: Vec<(u64, String)>,
    datagrams: usize,
}

impl Report {
    fn skip(&mut self, line: u64, why: String) {
        if self.skipped.len() < SKIPPED_MAX {
            self.skipped.push((line, why));
        } else {
            self.more_skipped += 1;
        }
    }

    fn note(&mut self, line: u64, what: String) {
        if self.notes.len() < SKIPPED_MAX {
            self.notes.push((line, what));
        }
    }

    fn skipped(&self) -> usize {
        self.skipped.len() + self.more_skipped
    }
}

/// A file on its way in: items gather, and are brought in batch by batch. Between two batches others may write.
struct Bringing<'c> {
    context: &'c Context,
    home: &'c Home,
    verb: &'static str,
    how: How,
    importer: Importer,
    report: Report,
    /// Items with the lines that they begin at, and whether they are counted.
    items: Vec<(u64, bool, Item)>,
    bytes: usize,
    values: usize,
    bar: ProgressBar,
}

impl<'c> Bringing<'c> {
    fn begin(
        context: &'c Context,
        home: &'c Home,
        verb: &'static str,
        manner: Manner,
    ) -> Result<Self, Failure> {
        let how = how(manner);
        let mut session = context.session(home)?;
        // What people changed is taken in by whoever writes: a dry run writes nothing.
        if !how.dry_run {
            session.take_in_all()?;
        }
        let importer = Importer::new(&mut session, how)?;
        let bar = progress(context, "rows");
        let (report, items) = (Report::default(), Vec::new());
        Ok(Self { context, home, verb, how, importer, report, items, bytes: 0, values: 0, bar })
    }

    /// The place of the next item in its batch.
    fn next(&self) -> usize {
        self.items.len()
    }

    fn push(&mut self, line: u64, counted: bool, item: Item, bytes: usize) {
        self.values += item.values.len();
        self.items.push((line, counted, item));
        self.bytes += bytes;
    }

    /// Brings in what has gathered, once it is enough.
    fn bring_if_enough(&mut self) -> Result<(), Failure> {
        let enough = self.items.len() >= ITEMS_AT_ONCE
            || self.bytes >= BYTES_AT_ONCE
            || self.values >= VALUES_AT_ONCE;
        if !enough {
            return Ok(());
        }
        self.bring(false)
    }

    fn bring(&mut self, last: bool) -> Result<(), Failure> {
        let mut items = Vec::new();
        let told: Vec<(u64, bool)> = std::mem::take(&mut self.items)
            .into_iter()
            .map(|(line, counted, item)| {
                items.push(item);
                (line, counted)
            })
            .collect();
        (self.bytes, self.values) = (0, 0);
        let mut session = self.context.session(self.home)?;
        let batch = self.importer.batch(&mut session, self.verb, &items)?;
        if !self.how.dry_run {
            // Everything that is asked next is asked of the checkpoint.
            let compacted =
                if last { session.compact_if_free() } else { session.compact_if_long() };
            let placed = session.place();
            drop(session);
            if let Some(end) = &batch.end {
                door::wake(self.home, end);
            }
            let placed = placed?;
            if compacted? {
                self.context.archive(self.home);
            }
            super::show::report_cards(self.context, &placed);
        }
        self.report.datagrams += batch.datagrams;
        self.report.kept += batch.kept.len();
        let free = SKIPPED_MAX.saturating_sub(self.report.differ.len());
        let differ = batch.kept.into_iter().take(free).map(|(at, differ)| (told[at].0, differ));
        self.report.differ.extend(differ);
        for (at, what) in batch.notes {
            self.report.note(told[at].0, what);
        }
        for (row, (line, counted)) in batch.rows.into_iter().zip(told) {
            self.bar.inc(1);
            match row {
                Row::Skipped(why) => self.report.skip(line, why),
                Row::Added(target) if !counted => {
                    self.report.people += usize::from(target.is_entity());
                }
                _ if !counted => {}
                Row::Added(_) => self.report.added += 1,
                Row::Changed(_) => self.report.changed += 1,
                Row::Same(_) => self.report.same += 1,
            }
        }
        Ok(())
    }

    /// Brings in the rest, and tells of all.
    fn end(mut self, file: &Path, left_out: Option<(&str, usize)>) -> Result<(), Failure> {
        if !self.items.is_empty() {
            self.bring(true)?;
        }
        self.bar.finish_and_clear();
        tell(self.context, file, self.how, &self.report, left_out);
        Ok(())
    }
}

fn tell(
    context: &Context,
    file: &Path,
    how: How,
    report: &Report,
    left_out: Option<(&str, usize)>,
) {
    let (screen, file) = (context.screen, file.display());
    for (line, what) in &report.notes {
        screen.note(format!("{file}:{line}: {what}"));
    }
    for (line, why) in &report.skipped {
        screen.note(format!("{file}:{line}: skipped: {why}"));
    }
    if report.more_skipped > 0 {
        screen.note(format!("{file}: {} more were skipped", report.more_skipped));
    }
    if screen.json {
        let told = |all: &[(u64, String)], what: &str| -> Vec<_> {
            all.iter().map(|(line, text)| json!({"line": line, what: text})).collect()
        };
        let (skipped, notes) = (told(&report.skipped, "why"), told(&report.notes, "what"));
        let differ: Vec<_> = report
            .differ
            .iter()
            .map(|(line, differ)| differing(json!({"line": line}), differ))
            .collect();
        let mut object = json!({
            "notes": notes, "differ": differ,
            "added": report.added, "changed": report.changed, "same": report.same,
            "people": report.people, "skipped": skipped, "more_skipped": report.more_skipped, "kept": report.kept,
            "written": report.datagrams, "dry_run": how.dry_run,
        });
        if let Some((what, count)) = left_out {
            object[what] = json!(count);
        }
        screen.object(&object);
        return;
    }
    let would = if how.dry_run { "would be " } else { "" };
    screen.line(format!(
        "{file}: {} {would}added, {} {would}changed, {} the same, {} skipped; {} values {would}written",
        report.added, report.changed, report.same, report.skipped(), report.datagrams
    ));
    if report.people > 0 {
        screen.line(format!("{} people {would}added beside them", report.people));
    }
    let differ = report.differ.iter().map(|(line, differ)| (format!("{file}:{line}"), differ));
    tell_kept(context, report.kept, differ);
    if let Some((what, count)) = left_out.filter(|(_, count)| *count > 0) {
        screen.line(format!("{count} {what} left out"));
    }
}

/// A value that differs, for a program.
fn differing(mut place: serde_json::Value, differ: &Differ) -> serde_json::Value {
    place["target"] = json!(differ.target.as_str());
    place["field"] = json!(differ.field.as_str());
    (place["kept"], place["said"]) = (json!(differ.held), json!(differ.said));
    place
}

/// Says how many values stayed as they are, and the first of them.
fn tell_kept<'d>(
    context: &Context,
    kept: usize,
    differ: impl Iterator<Item = (String, &'d Differ)>,
) {
    if kept == 0 {
        return;
    }
    let screen = context.screen;
    for (place, Differ { target, field, held, said }) in differ.take(DIFFER_SHOWN_MAX) {
        let held = held.as_deref().map_or("that it was removed".into(), |held| format!("{held:?}"));
        screen.note(format!("{place}: {target} {field}: kept {held}, it says {said:?}"));
    }
    if kept > DIFFER_SHOWN_MAX {
        screen.note(format!("{} more differ (`--json` names them)", kept - DIFFER_SHOWN_MAX));
    }
    screen.line(format!(
        "{kept} values differ from what stands there, which stays: `--overwrite` replaces it"
    ));
}

/// A bar on a terminal, nothing elsewhere.
pub(super) fn progress(context: &Context, what: &'static str) -> ProgressBar {
    if !context.screen.watched() {
        return ProgressBar::hidden();
    }
    ProgressBar::new_spinner().with_message(what)
}

fn failed(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, format!("{}: {why}", path.display()))
}
