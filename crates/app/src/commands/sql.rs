//! `cocli sql`: questions in SQL, answered by DuckDB over tables of the state (docs/sql.md).

use std::fs::{self, File};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use cocli_node::{Campaign, Home, NodeError, Tables};
use indicatif::{ProgressBar, ProgressStyle};

use super::export::out::{Out, followed};
use super::{Context, campaign};
use crate::args::{Sql, SqlFormat};
use crate::beside::Beside;
use crate::failure::{Exit, Failure};
use answer::{Answer, Passing};
use duckdb::{DuckDb, End};

mod answer;
mod duckdb;
mod json;

pub(super) fn run(context: &Context, args: &Sql) -> Result<(), Failure> {
    let home = context.home()?;
    if args.keep {
        // Where that is refused it takes its equal share.
        let _ = rustix::process::nice(super::compact::YIELDING);
        return Ok(home.keep_tables(&|_, _| ())?);
    }
    let output = args.output.as_deref().filter(|path| *path != Path::new("-"));
    let query = query(args)?;
    let format = format(context, args, output)?;
    let duckdb = DuckDb::find();
    context.catch_up(&home, None);
    let campaign = campaign::if_chosen(context, &home)?;
    let asked = Asked { context, home: &home, campaign, duckdb };
    let Some(query) = query else {
        if args.format.is_some() || args.output.is_some() || context.screen.json {
            return Err(Failure::usage("a format or a file is for a query: expected one"));
        }
        return match asked.shell()? {
            0 => Ok(()),
            code => std::process::exit(code),
        };
    };
    match (format, output) {
        (SqlFormat::Parquet, None) => {
            let said = format!("Parquet goes into a file: expected --output FILE with {query:?}");
            Err(Failure::usage(said))
        }
        (SqlFormat::Parquet, Some(output)) => asked.parquet(&query, output),
        _ => asked.rows(&query, format, output),
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

fn format(context: &Context, args: &Sql, output: Option<&Path>) -> Result<SqlFormat, Failure> {
    match args.format {
        Some(format) if context.screen.json && format != SqlFormat::Json => {
            Err(Failure::usage("--json is --format json: expected one of them"))
        }
        Some(format) => Ok(format),
        None if context.screen.json => Ok(SqlFormat::Json),
        None if output.and_then(Path::extension).is_some_and(|end| end == "parquet") => {
            Ok(SqlFormat::Parquet)
        }
        None if context.screen.prints_to_a_person() && output.is_none() => Ok(SqlFormat::Table),
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
        tables.map_err(|error| {
            let is_damage =
                matches!(error, NodeError::Store(cocli_store::StoreError::Damaged { .. }));
            let failure = Failure::from(error);
            match is_damage {
                true => failure.hint("`cocli compact` makes the damaged part anew"),
                false => failure,
            }
        })
    }

    fn prelude(&self, tables: &Tables, output: Option<&Path>) -> Result<String, Failure> {
        let root = self.home.path().canonicalize()?;
        duckdb::prelude(tables, &root, output)
    }

    /// Gives the code with which it ended.
    fn shell(&self) -> Result<i32, Failure> {
        self.duckdb.version()?;
        let tables = self.tables()?;
        self.duckdb.shell(&self.prelude(&tables, None)?)
    }

    /// Prints the rows, or writes them into a file.
    fn rows(&self, query: &str, format: SqlFormat, to: Option<&Path>) -> Result<(), Failure> {
        let screen = self.context.screen;
        let mut out = Out::open(screen, to)?;
        let answer = Answer { format, parquet: None, is_shown: out.is_shown(), screen };
        self.answer(query, &answer, &mut out)?;
        out.done().map(drop)
    }

    /// DuckDB writes the file, beside its place until it is whole.
    fn parquet(&self, query: &str, output: &Path) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Failed, format!("{}: cannot write: {error}", output.display()))
        };
        let place = followed(output);
        if fs::metadata(&place).is_ok_and(|there| !there.is_file()) {
            let said = format!("{} is no file: expected one for Parquet", output.display());
            return Err(Failure::usage(said));
        }
        let screen = self.context.screen;
        let (beside, file) = Beside::of(&place).map_err(failed)?;
        let fresh: PathBuf = beside.path().canonicalize().map_err(failed)?;
        let parquet = Some(fresh.clone());
        let answer = Answer { format: SqlFormat::Parquet, parquet, is_shown: false, screen };
        // It has nothing to print.
        self.answer(query, &answer, &mut Out::open(screen, None)?)?;
        drop(file);
        File::open(&fresh).and_then(|file| file.sync_all()).map_err(failed)?;
        beside.put().map_err(failed)
    }

    fn answer(&self, query: &str, answer: &Answer, out: &mut Out) -> Result<(), Failure> {
        let mut may_repeat = true;
        loop {
            // Before the tables are made, so that whoever has no DuckDB does not wait for them.
            let asking = self.duckdb.begin(answer)?;
            let tables = self.tables()?;
            let prelude = self.prelude(&tables, answer.parquet.as_deref())?;
            let mut passing = Passing::new(answer, out);
            let end = asking.ask(&prelude, query, &mut passing)?;
            let End::Failed { failure, of_tables } = end else { return passing.flush() };
            // Somebody may have deleted the cache meanwhile: what it held is made again, once.
            let is_lost = of_tables && !tables.check();
            if !is_lost || !may_repeat || passing.begun {
                passing.flush()?;
                return Err(match answer.format {
                    _ if is_lost => lost(),
                    SqlFormat::Parquet if !of_tables => {
                        failure.hint("a Parquet file holds the rows of one SELECT")
                    }
                    _ => failure,
                });
            }
            may_repeat = false;
        }
    }
}

fn lost() -> Failure {
    let said = "what the query read was taken away or written to meanwhile";
    Failure::new(Exit::Failed, said).hint("ask again: the tables are made anew")
}
