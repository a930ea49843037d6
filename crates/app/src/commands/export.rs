//! `cocli export`: what is known, in the form that the next tool wants (docs/export.md).

mod column;
pub(super) mod out;
mod text;
mod vcard;
mod xlsx;

use std::io::Write;
use std::path::Path;

use clap::ValueEnum;
use cocli_core::Kind;
use cocli_core::schema::POOL;
use cocli_node::export::{Counts, Export, Of, Row};
use cocli_node::{Home, nearest};
use cocli_table::{Cell, ColumnSpec, Form, Table};
use indicatif::ProgressBar;
use serde_json::json;

use super::{Context, campaign, import, list};
use crate::args::{ExportFormat as Format, ExportTo, ExportVerb};
use crate::failure::{Exit, Failure, chain};
use crate::render::counted;

use column::{Column, columns, doubts};
use out::{Out, is_standard};
use text::{Line, Lines};
use xlsx::Book;

/// After so many seconds whoever waits is shown how far it is.
const SHOWN_AFTER_S: f32 = 1.0;

/// What is written, and how.
struct Plan {
    export: Export,
    what: &'static str,
    format: Format,
    columns: Vec<Column>,
    raw: bool,
}

impl Plan {
    fn specs(&self) -> impl Iterator<Item = ColumnSpec> {
        self.columns.iter().map(|column| column.spec)
    }

    fn line<'l, 'c>(&'l self, cells: &'l [Cell<'c>]) -> Line<'l, 'c> {
        Line { columns: &self.columns, cells, raw: self.raw }
    }
}

pub(super) fn run(context: &Context, args: &crate::args::Export) -> Result<(), Failure> {
    let (of, what, filter, to): (_, _, &[String], _) = match &args.what {
        ExportVerb::Leads { rows, all } => {
            (Of::Leads { all: *all }, "leads", &rows.filter, &rows.to)
        }
        ExportVerb::Companies(rows) => (Of::Pool(Kind::Company), POOL[0], &rows.filter, &rows.to),
        ExportVerb::People(rows) => (Of::Pool(Kind::Person), POOL[1], &rows.filter, &rows.to),
        ExportVerb::Datagrams(to) => (Of::Datagrams, "datagrams", &[], to),
    };
    let conditions = filter.iter().map(|text| list::condition(text));
    let conditions = conditions.collect::<Result<Vec<_>, _>>()?;
    let output = to.output.as_deref().filter(|path| !is_standard(path));
    let format = format(context, what, to, output)?;
    let columns = columns(of, &to.columns)?;
    let home = context.home()?;
    let campaign = match of {
        Of::Datagrams => None,
        _ => campaign::if_chosen(context, &home)?,
    };
    context.catch_up(&home, None);
    let plan =
        Plan { export: Export { of, campaign, conditions }, what, format, columns, raw: to.raw };
    let mut out = Out::open(context.screen, output)?;
    if matches!(format, Format::Xlsx | Format::Parquet) && out.is_terminal() {
        let named = name(format);
        return Err(Failure::usage(format!("{named} is nothing that a terminal shows"))
            .hint(format!("`cocli export {what} --output {what}.{named}`")));
    }
    let counts = write(context, &home, &plan, &mut out)?;
    let bytes = out.done()?;
    tell(context, &plan, output, counts, bytes);
    doubts(of, &plan.columns).for_each(|doubt| context.screen.note(doubt));
    if counts.rows == 0 && !context.screen.json {
        let collection = if of == Of::Pool(Kind::Person) { POOL[1] } else { POOL[0] };
        filter.iter().for_each(|text| list::doubt(context.screen, collection, text));
    }
    Ok(())
}

/// The format that is asked for.
fn format(
    context: &Context,
    what: &str,
    to: &ExportTo,
    output: Option<&Path>,
) -> Result<Format, Failure> {
    let usual = if context.screen.json && output.is_none() { Format::Jsonl } else { Format::Csv };
    let suffix = output.and_then(Path::extension).and_then(|suffix| suffix.to_str());
    let format = match (to.format, suffix.map(str::to_lowercase)) {
        (Some(format), _) => format,
        (None, Some(suffix)) => of_suffix(&suffix)?,
        (None, None) => usual,
    };
    if format == Format::Vcf && (!POOL.contains(&what) || !to.columns.is_empty()) {
        let message = "a vCard has no columns: expected companies or people, and no --columns";
        return Err(Failure::usage(message).hint("`cocli export people --output people.vcf`"));
    }
    Ok(format)
}

fn of_suffix(suffix: &str) -> Result<Format, Failure> {
    match suffix {
        "json" | "ndjson" => return Ok(Format::Jsonl),
        "vcard" => return Ok(Format::Vcf),
        "txt" => return Ok(Format::Csv),
        _ => {}
    }
    Format::from_str(suffix, true).map_err(|_| {
        let known = Format::value_variants().iter().map(|format| name(*format));
        let known = known.collect::<Vec<_>>();
        let near = nearest(suffix, known.iter().map(String::as_str));
        let message = format!(".{suffix} tells no format: expected one of {}", known.join(", "));
        let near = near.unwrap_or("csv");
        Failure::usage(message).hint(format!("`--format {near}` writes that into any file"))
    })
}

fn name(format: Format) -> String {
    let value = format.to_possible_value();
    value.map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn write(context: &Context, home: &Home, plan: &Plan, out: &mut Out) -> Result<Counts, Failure> {
    let bar = Bar::new(context, out.is_shown());
    let counts = match plan.format {
        Format::Csv => lines(home, plan, out, &bar, text::csv)?,
        Format::Usv => lines(home, plan, out, &bar, text::usv)?,
        Format::Jsonl => lines(home, plan, out, &bar, text::json)?,
        Format::Vcf => cards(home, plan, out, &bar)?,
        Format::Xlsx => {
            let mut book = Book::new(plan.what, plan.specs(), Some((context.screen, &*out)))?;
            let counts = rows(home, plan, &bar, |row| book.push(&row))?;
            if let Some(told) = book.write(out)? {
                context.screen.note(told);
            }
            counts
        }
        Format::Parquet => table(home, plan, out, &bar)?,
    };
    Ok(counts)
}

fn table(home: &Home, plan: &Plan, out: &mut Out, bar: &Bar) -> Result<Counts, Failure> {
    let columns: Vec<ColumnSpec> = plan.specs().collect();
    let made = {
        let failed = |error: cocli_table::TableError| Failure::new(Exit::Failed, chain(&error));
        let table = Table::new(&mut *out, plan.what, &columns, env!("CARGO_PKG_VERSION"));
        table.map_err(failed).and_then(|mut table| {
            let counts = rows(home, plan, bar, |row| table.push(row).map_err(failed))?;
            table.finish().map_err(failed)?;
            Ok(counts)
        })
    };
    made.map_err(|failure| out.broke(failure))
}

/// Text, which is made on all threads.
fn lines(
    home: &Home,
    plan: &Plan,
    out: &mut Out,
    bar: &Bar,
    put: fn(&mut Lines, Line<'_, '_>),
) -> Result<Counts, Failure> {
    let mut head = Lines::default();
    let names: Vec<Cell<'_>> = plan.specs().map(|spec| Cell::text(spec.name)).collect();
    if plan.format != Format::Jsonl {
        let own = plan.specs().map(|spec| ColumnSpec::own(spec.name, Form::Text));
        let columns: Vec<Column> =
            own.enumerate().map(|(at, spec)| Column::new(at, spec)).collect();
        put(&mut head, Line { columns: &columns, cells: &names, raw: plan.raw });
    }
    out.write_all(&head.done()?).map_err(|error| out.failed(&error))?;
    let add = |lines: &mut Lines, row: &Row<'_>| {
        lines.rows += 1;
        put(lines, plan.line(row.cells));
    };
    let take = |lines: Lines| {
        bar.add(lines.rows);
        let bytes = lines.done()?;
        out.write_all(&bytes).map_err(|error| out.failed(&error))
    };
    home.export(&plan.export, &add, take)?
}

fn cards(home: &Home, plan: &Plan, out: &mut Out, bar: &Bar) -> Result<Counts, Failure> {
    let add = |(cards, rows): &mut (String, u64), row: &Row<'_>| {
        *rows += 1;
        if let Some((target, entity)) = row.entity {
            vcard::put(cards, target, entity);
        }
    };
    let take = |(cards, rows): (String, u64)| {
        bar.add(rows);
        out.write_all(cards.as_bytes()).map_err(|error| out.failed(&error))
    };
    home.export(&plan.export, &add, take)?
}

/// Rows, which are handed on one by one.
fn rows(
    home: &Home,
    plan: &Plan,
    bar: &Bar,
    mut push: impl FnMut(Vec<Cell<'static>>) -> Result<(), Failure> + Send,
) -> Result<Counts, Failure> {
    let add = |rows: &mut Vec<Vec<Cell<'static>>>, row: &Row<'_>| {
        let cell = |column: &Column| column.cell(row.cells).into_owned().into_owned();
        rows.push(plan.columns.iter().map(cell).collect());
    };
    let take = |rows: Vec<Vec<Cell<'static>>>| {
        bar.add(rows.len() as u64);
        rows.into_iter().try_for_each(&mut push)
    };
    home.export(&plan.export, &add, take)?
}

fn tell(context: &Context, plan: &Plan, output: Option<&Path>, counts: Counts, bytes: u64) {
    let (screen, campaign) = (context.screen, plan.export.campaign.as_ref());
    let Counts { rows, excluded, without_email } = counts;
    if let (true, Some(path)) = (screen.json, output) {
        let format = plan.format.to_possible_value();
        screen.object(&json!({
            "file": path.display().to_string(), "rows": rows, "bytes": bytes,
            "format": format.as_ref().map(|value| value.get_name()),
            "campaign": campaign.map(|campaign| &campaign.slug),
            "left_out": {"excluded": excluded, "without_email": without_email},
        }));
        return;
    }
    let mut out = Vec::new();
    if excluded > 0 {
        out.push(format!("{excluded} excluded"));
    }
    if without_email > 0 {
        out.push(format!("{without_email} without an e-mail address (`--all` has them too)"));
    }
    let left_out = match out.is_empty() {
        true => String::new(),
        false => format!("left out: {}", out.join(", ")),
    };
    let Some(path) = output else {
        if !left_out.is_empty() {
            screen.note(left_out);
        }
        return;
    };
    let of = campaign.map(|campaign| format!(" of {}", campaign.slug)).unwrap_or_default();
    let rows = counted(rows, "row", "rows");
    let left_out = if left_out.is_empty() { left_out } else { format!("; {left_out}") };
    let line = format!("{}: {rows}{of}, {bytes} bytes{left_out}", path.display());
    screen.line(screen.safe(&line));
}

/// How far it is, once somebody has waited for a while.
struct Bar(ProgressBar);

impl Bar {
    fn new(context: &Context, is_shown: bool) -> Self {
        // Rows on the same terminal tell enough.
        Self(match context.screen.prints_to_a_person() && is_shown {
            true => ProgressBar::hidden(),
            false => import::progress(context, "rows"),
        })
    }

    fn add(&self, rows: u64) {
        if self.0.elapsed().as_secs_f32() < SHOWN_AFTER_S {
            return;
        }
        self.0.inc(rows);
    }
}
