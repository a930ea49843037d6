//! DuckDB's own program: where it is, what it is allowed, and how a query goes in and its rows come out.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use cocli_node::Tables;

use crate::args::SqlFormat;
use crate::failure::{Exit, Failure};
use crate::render::Screen;

/// Names another program.
const NAMED: &str = "COCLI_DUCKDB";
/// The first version that can be told which files it may read.
const OLDEST: (u32, u32) = (1, 2);
/// Bytes of a query that one word of a command line surely takes.
const WORD_BYTES_MAX: usize = 100_000;

/// Bytes of rows that are passed on together.
const PASS_BYTES: usize = 64 * 1024;

/// DuckDB on this machine.
pub(super) struct DuckDb(OsString);

/// Where an answer goes.
pub(super) struct Answer<'a> {
    pub(super) format: SqlFormat,
    /// Into a file that is there.
    pub(super) to: Option<&'a Path>,
    pub(super) screen: Screen,
}

/// What is run before a query: the views, over files that it may read, and nothing else that it may.
pub(super) fn prelude(
    tables: &Tables,
    home: &Path,
    output: Option<&Path>,
) -> Result<String, Failure> {
    let text = |path: &Path| match path.to_str() {
        Some(text) => Ok(format!("'{}'", text.replace('\'', "''"))),
        None => Err(no_unicode(&path.display().to_string())),
    };
    let files: Vec<_> = tables.files(home).collect();
    let paths = files.iter().map(|path| text(path)).chain(output.map(text));
    let paths = paths.collect::<Result<Vec<_>, _>>()?.join(", ");
    // What does not fit into the memory fails, and is not put beside the files of whoever asks.
    let mut sql = format!(
        "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false; \
         SET temp_directory = ''; SET allowed_paths = [{paths}]; SET enable_external_access = false; "
    );
    for view in tables.views(home).map_err(|path| no_unicode(&path))? {
        sql += &format!("CREATE VIEW {} AS {}; ", view.name, view.select);
    }
    Ok(sql)
}

fn no_unicode(path: &str) -> Failure {
    let said = format!("{path} is no Unicode: DuckDB cannot be told of it");
    Failure::new(Exit::Failed, said)
}

impl DuckDb {
    /// `$COCLI_DUCKDB`, else `duckdb`.
    pub(super) fn find() -> Self {
        let named = std::env::var_os(NAMED).filter(|name| !name.is_empty());
        Self(named.unwrap_or_else(|| "duckdb".into()))
    }

    fn command(&self, prelude: &str) -> Command {
        let mut command = Command::new(&self.0);
        command.args(["-no-init", "-cmd", prelude]);
        command
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        let program = Path::new(&self.0).display();
        if error.kind() == ErrorKind::NotFound {
            let message = format!("DuckDB is not installed: there is no program `{program}`");
            return Failure::new(Exit::Failed, message).hint(install());
        }
        Failure::new(Exit::Failed, format!("`{program}` cannot be run: {error}"))
    }

    /// The version, as it is told and as it is compared.
    fn version(&self) -> Result<(String, Option<(u32, u32)>), Failure> {
        let output = Command::new(&self.0).arg("-version").stdin(Stdio::null()).output();
        let output = output.map_err(|error| self.failed(&error))?;
        let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let number = told.split_whitespace().next().unwrap_or_default().trim_start_matches('v');
        let mut parts = number.split('.').map(|part| part.parse().ok());
        let read = parts.next().flatten().zip(parts.next().flatten());
        Ok((told, read))
    }

    /// Refuses a version that does not do what is asked of it: one that is too old, and one that does not take the
    /// prelude.
    fn fits(&self, prelude: &str) -> Result<(), Failure> {
        let (told, version) = self.version()?;
        let program = Path::new(&self.0).display();
        let refused = |what: String| {
            let said = format!("`{program}` {what}");
            Err(Failure::new(Exit::Failed, said).hint(install()))
        };
        let (major, minor) = OLDEST;
        match version {
            Some(version) if version >= OLDEST => {}
            Some(_) => {
                return refused(format!("is DuckDB {told}: expected {major}.{minor} or later"));
            }
            None => return refused(format!("is no DuckDB: expected a version, came {told:?}")),
        }
        let mut command = self.command(prelude);
        command.args(["-bail", "-c", "SELECT 1"]).stdin(Stdio::null()).stdout(Stdio::null());
        let output = command.output().map_err(|error| self.failed(&error))?;
        match output.status.success() {
            true => Ok(()),
            false => refused(format!(
                "is DuckDB {told}, and does not take what it is told before a query: {}",
                said(&output.stderr)
            )),
        }
    }

    /// A shell for a person, who may keep rows in files of their own by its `.output`: only queries may not.
    pub(super) fn shell(&self, prelude: &str) -> Result<(), Failure> {
        self.fits(prelude)?;
        // An interrupt is for the query that runs in there.
        let _ = ctrlc::set_handler(|| ());
        let prelude = format!("{prelude}SET lock_configuration = true;");
        let status = self.command(&prelude).status().map_err(|error| self.failed(&error))?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::new(Exit::Failed, format!("DuckDB's shell ended with {status}"))),
        }
    }

    /// Runs a query; its words for what went wrong are the failure.
    pub(super) fn ask(
        &self,
        prelude: &str,
        query: &str,
        answer: &Answer<'_>,
    ) -> Result<(), Failure> {
        let mut command = self.command(prelude);
        // Locks the configuration, and those words of the shell that touch files or run programs.
        command.args(["-bail", "-cmd", ".safe_mode"]);
        let query = answer.query(query);
        match answer.format {
            SqlFormat::Csv => command.args(["-csv", "-nullvalue", ""]),
            SqlFormat::Json => command.arg("-jsonlines"),
            SqlFormat::Table | SqlFormat::Parquet => &mut command,
        };
        command.stdout(answer.stdout()?).stderr(Stdio::piped());
        let is_word = query.len() <= WORD_BYTES_MAX && !query.contains('\0');
        match is_word {
            true => command.arg("-c").arg(&query).stdin(Stdio::null()),
            false => command.stdin(Stdio::piped()),
        };
        let mut child = command.spawn().map_err(|error| self.failed(&error))?;
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        // Each at its own pace: it may answer before it has read all.
        let (status, told) = std::thread::scope(|scope| {
            // One that ends before it has read all says why.
            scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(query.as_bytes())));
            let told = scope.spawn(|| {
                let mut told = Vec::new();
                stderr.map_or(Ok(0), |mut stderr| stderr.read_to_end(&mut told)).map(|_| told)
            });
            let passed = child.stdout.take().map_or(Ok(()), |rows| answer.pass_on(rows));
            let status = child.wait();
            passed?;
            let told = told.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            Ok::<_, Failure>((status?, said(&told)))
        })?;
        if status.success() {
            if !told.is_empty() {
                answer.screen.note(told);
            }
            return Ok(());
        }
        // Whether it is the query, or DuckDB itself.
        self.fits(prelude)?;
        let told = if told.is_empty() { format!("it ended with {status}") } else { told };
        Err(Failure::new(Exit::Failed, format!("DuckDB: {told}")))
    }
}

impl Answer<'_> {
    /// The query as it is run.
    fn query(&self, query: &str) -> String {
        match (self.format, self.to.and_then(Path::to_str)) {
            (SqlFormat::Parquet, Some(path)) => {
                // A comment may be at its end.
                let query = query.trim_end().trim_end_matches(';');
                let path = path.replace('\'', "''");
                format!(
                    "COPY ({query}\n) TO '{path}' (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"
                )
            }
            _ => query.to_owned(),
        }
    }

    /// Whether rows are passed on here line by line: without the empty one that stands for no rows in JSON, and
    /// with control characters of data escaped, as DuckDB does it in a table only.
    fn is_passed_on(&self) -> bool {
        match self.format {
            SqlFormat::Json => true,
            SqlFormat::Csv => self.to.is_none() && self.screen.prints_to_a_person(),
            SqlFormat::Table | SqlFormat::Parquet => false,
        }
    }

    fn stdout(&self) -> Result<Stdio, Failure> {
        Ok(match self.to {
            _ if self.format == SqlFormat::Parquet => Stdio::null(),
            _ if self.is_passed_on() => Stdio::piped(),
            Some(path) => File::create(path)?.into(),
            None => Stdio::inherit(),
        })
    }

    fn pass_on(&self, rows: impl Read) -> Result<(), Failure> {
        let mut file = self.to.map(File::create).transpose()?;
        let mut put = |lines: &mut Vec<u8>| match &mut file {
            Some(file) => file.write_all(lines).map(|()| lines.clear()),
            None => {
                match self.screen.prints_to_a_person() {
                    true => self
                        .screen
                        .raw(self.screen.safe(&String::from_utf8_lossy(lines)).as_bytes()),
                    false => self.screen.raw(lines),
                }
                lines.clear();
                Ok(())
            }
        };
        let (mut rows, mut lines) = (BufReader::with_capacity(PASS_BYTES, rows), Vec::new());
        loop {
            let begin = lines.len();
            let read = rows.read_until(b'\n', &mut lines)?;
            if self.format == SqlFormat::Json && lines[begin..] == *b"\n" {
                lines.truncate(begin);
            }
            if read == 0 || lines.len() >= PASS_BYTES {
                put(&mut lines)?;
            }
            if read == 0 {
                return Ok(());
            }
        }
    }
}

/// What it told on standard error, without colours.
fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::new();
    let mut parts = text.split("\u{1b}[");
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain.trim().to_owned()
}

/// The one command that installs it here.
fn install() -> &'static str {
    match std::env::consts::OS {
        "macos" => "`brew install duckdb`",
        "windows" => "`winget install DuckDB.cli`",
        _ => "`pip install duckdb-cli`",
    }
}
