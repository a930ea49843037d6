//! `cocli sql`: questions in SQL, answered by DuckDB over tables of the state (docs/sql.md).

use std::io::{IsTerminal, Read};
use std::path::Path;

use cocli_node::{Campaign, Home, Tables};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Context, campaign};
use crate::args::{Sql, SqlFormat};
use crate::beside::Beside;
use crate::failure::{Exit, Failure};
use duckdb::{Answer, DuckDb};

mod duckdb;

pub(super) fn run(context: &Context, args: &Sql) -> Result<(), Failure> {
    let home = context.home()?;
    if args.keep {
        // Where that is refused it takes its equal share.
        let _ = rustix::process::nice(super::compact::YIELDING);
        return Ok(home.keep_tables(&|_, _| ())?);
    }
    let query = query(args)?;
    let format = format(context, args)?;
    let duckdb = DuckDb::find();
    context.catch_up(&home, None);
    let campaign = campaign::if_chosen(context, &home)?;
    let asked = Asked { context, home: &home, campaign, duckdb };
    match (query, &args.output) {
        (None, _) if args.format.is_some() || args.output.is_some() || context.screen.json => {
            Err(Failure::usage("a format or a file is for a query: expected one"))
        }
        (None, _) => asked.shell(),
        (Some(query), None) if format == SqlFormat::Parquet => {
            let said = format!("Parquet goes into a file: expected --output FILE with {query:?}");
            Err(Failure::usage(said))
        }
        (Some(query), None) => asked.answer(&query, format, None),
        (Some(query), Some(output)) => asked.write(&query, format, output),
    }
}

/// The query, if there is one.
fn query(args: &Sql) -> Result<Option<String>, Failure> {
    let query = match args.query.as_deref() {
        Some("-") => read()?,
        Some(query) => query.to_owned(),
        None if std::io::stdin().is_terminal() => return Ok(None),
        None => read()?,
    };
    if query.trim().is_empty() {
        return Err(Failure::usage("no query came: expected one, as \"select * from leads\""));
    }
    Ok(Some(query))
}

fn read() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| {
        Failure::new(Exit::Failed, format!("standard input holds no query: {error}"))
    })?;
    Ok(text)
}

fn format(context: &Context, args: &Sql) -> Result<SqlFormat, Failure> {
    match args.format {
        Some(format) if context.screen.json && format != SqlFormat::Json => {
            Err(Failure::usage("--json is --format json: expected one of them"))
        }
        Some(format) => Ok(format),
        None if context.screen.json => Ok(SqlFormat::Json),
        None if args
            .output
            .as_ref()
            .is_some_and(|path| path.extension().is_some_and(|end| end == "parquet")) =>
        {
            Ok(SqlFormat::Parquet)
        }
        None if context.screen.prints_to_a_person() && args.output.is_none() => {
            Ok(SqlFormat::Table)
        }
        None => Ok(SqlFormat::Csv),
    }
}

/// What is asked, of whom.
struct Asked<'a> {
    context: &'a Context,
    home: &'a Home,
    campaign: Option<Campaign>,
    duckdb: DuckDb,
}

impl Asked<'_> {
    /// The tables as they stand now.
    fn tables(&self) -> Result<Tables, Failure> {
        let bar = match self.context.screen.watched() {
            true => ProgressBar::new(0),
            false => ProgressBar::hidden(),
        };
        let style =
            ProgressStyle::with_template("making tables {wide_bar} {bytes} of {total_bytes}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let tables = self.home.tables(self.campaign.as_ref(), &|done, all| {
            bar.set_length(all);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        Ok(tables?)
    }

    fn prelude(&self, tables: &Tables, output: Option<&Path>) -> Result<String, Failure> {
        let root = self.home.path().canonicalize()?;
        duckdb::prelude(tables, &root, output)
    }

    fn shell(&self) -> Result<(), Failure> {
        let tables = self.tables()?;
        self.duckdb.shell(&self.prelude(&tables, None)?)
    }

    /// Prints the rows, or writes them into a file.
    fn answer(&self, query: &str, format: SqlFormat, to: Option<&Path>) -> Result<(), Failure> {
        let parquet = to.filter(|_| format == SqlFormat::Parquet);
        let answer = Answer { format, to, screen: self.context.screen };
        let once = |last: bool| {
            let tables = self.tables()?;
            let answered = self.duckdb.ask(&self.prelude(&tables, parquet)?, query, &answer);
            // Somebody may have deleted the cache meanwhile: what it held is made again, once.
            let counts = answered.is_ok() || last || tables.are_whole();
            Ok::<_, Failure>(counts.then_some(answered))
        };
        match once(false)? {
            Some(answered) => answered,
            None => once(true)?.unwrap_or(Ok(())),
        }
    }

    /// The file is beside its place until it is whole.
    fn write(&self, query: &str, format: SqlFormat, output: &Path) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Failed, format!("{} cannot be written: {error}", output.display()))
        };
        let (beside, _) = Beside::of(output).map_err(failed)?;
        let fresh = beside.path().canonicalize().map_err(failed)?;
        self.answer(query, format, Some(&fresh))?;
        beside.put().map_err(failed)
    }
}
