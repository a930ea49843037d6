//! DuckDB's own program: where it is, what it is allowed, and how a query goes in and its rows come out.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use cocli_node::Tables;

use super::answer::{Answer, Passing};
use crate::args::SqlFormat;
use crate::clock;
use crate::failure::{Exit, Failure};

/// Names another program.
const NAMED: &str = "COCLI_DUCKDB";
/// The first version whose safe mode locks the settings, too.
const OLDEST: (u32, u32) = (1, 5);
/// Errors of the query's own text: what it reads has no part in them.
const OF_QUERY: [&str; 3] = ["Parser Error", "Binder Error", "Catalog Error"];
/// Runs the rest of its words with interrupts ignored, until these words say otherwise themselves.
const UNINTERRUPTED: [&str; 3] = ["-c", "trap '' INT; exec \"$@\"", "sh"];

/// DuckDB on this machine.
pub(super) struct DuckDb(OsString);

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
    // What does not fit into the memory fails, and is not put beside the files of whoever asks. A day is the same one
    // on every machine.
    let mut sql = format!(
        "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false;\n\
         SET TimeZone = 'UTC'; SET temp_directory = '';\n\
         SET allowed_paths = [{paths}]; SET enable_external_access = false;\n"
    );
    for view in tables.views(home).map_err(|path| no_unicode(&path))? {
        sql += &format!("CREATE VIEW {} AS {};\n", view.name, view.select);
    }
    Ok(sql)
}

fn no_unicode(path: &str) -> Failure {
    let said = format!("{path} is no Unicode: DuckDB cannot be told of it");
    Failure::new(Exit::Failed, said)
}

/// What a query has behind its prelude: it locks the configuration, and those words of the shell that touch files or
/// run programs.
fn locked(prelude: &str, query: &str) -> String {
    format!("{prelude}.safe_mode\n{query}\n")
}

/// What came of a query.
pub(super) enum End {
    Answered,
    /// `of_tables`: what it read may be the reason.
    Failed {
        failure: Failure,
        of_tables: bool,
    },
}

impl DuckDb {
    /// `$COCLI_DUCKDB`, else `duckdb`.
    pub(super) fn find() -> Self {
        let named = std::env::var_os(NAMED).filter(|name| !name.is_empty());
        Self(named.unwrap_or_else(|| "duckdb".into()))
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        let program = Path::new(&self.0).display();
        if error.kind() == ErrorKind::NotFound {
            let message = format!("DuckDB is not installed: there is no program `{program}`");
            return Failure::new(Exit::Failed, message).hint(install());
        }
        Failure::new(Exit::Failed, format!("`{program}` cannot be run: {error}"))
    }

    fn refused(&self, what: &str) -> Failure {
        let program = Path::new(&self.0).display();
        Failure::new(Exit::Failed, format!("`{program}` {what}")).hint(install())
    }

    /// The version, as it is told: one that is new enough.
    pub(super) fn version(&self) -> Result<String, Failure> {
        let output = Command::new(&self.0).arg("-version").stdin(Stdio::null()).output();
        let output = output.map_err(|error| self.failed(&error))?;
        let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let number = told.split_whitespace().next().unwrap_or_default().trim_start_matches('v');
        let mut parts = number.split('.').map(|part| part.parse().ok());
        let (major, minor) = OLDEST;
        match parts.next().flatten().zip(parts.next().flatten()) {
            Some(version) if version >= OLDEST => Ok(told),
            Some(_) => {
                let said = format!("is DuckDB {told}: expected {major}.{minor} or later");
                Err(self.refused(&said))
            }
            None => Err(self.refused(&format!("is no DuckDB: expected a version, came {told:?}"))),
        }
    }

    /// Refuses a version that does not do what is asked of it: one that is too old, and one that does not take the
    /// prelude.
    fn fits(&self, prelude: &str) -> Result<(), Failure> {
        let version = self.version()?;
        let child = self.spawn(&[], Stdio::null())?;
        let (status, told) = talk(child, &locked(prelude, "SELECT 1;"), |_| Ok(()))?;
        match status.success() {
            true => Ok(()),
            false => Err(self.refused(&format!(
                "is DuckDB {version}, and does not take what it is told before a query: {told}"
            ))),
        }
    }

    fn spawn(&self, words: &[&str], stdout: Stdio) -> Result<Child, Failure> {
        let mut command = Command::new(&self.0);
        command.args(["-no-init", "-bail"]).args(words);
        command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::piped());
        command.spawn().map_err(|error| self.failed(&error))
    }

    /// A shell for a person, who may keep rows in files of their own by its `.output`: only queries may not. Gives
    /// the code with which it ended.
    pub(super) fn shell(&self, prelude: &str) -> Result<i32, Failure> {
        self.fits(prelude)?;
        // An interrupt is for the query that runs in there. The program may be one that only starts another one,
        // which is to live on as well.
        let _ = ctrlc::set_handler(|| ());
        let script = Script::of(&format!("{prelude}SET lock_configuration = true;\n"))?;
        let mut command = Command::new("sh");
        command.args(UNINTERRUPTED).arg(&self.0).args(["-no-init", "-cmd", &script.read()?]);
        let status = command.status().map_err(|error| self.failed(&error))?;
        status.code().ok_or_else(|| {
            Failure::new(Exit::Failed, format!("DuckDB's shell ended with {status}"))
        })
    }

    /// Begins a query, of which it hears only in [`Asking::ask`].
    pub(super) fn begin<'a>(&'a self, answer: &'a Answer) -> Result<Asking<'a>, Failure> {
        let words: &[&str] = match answer.format {
            SqlFormat::Csv => &["-csv", "-nullvalue", ""],
            SqlFormat::Json => &["-jsonlines"],
            SqlFormat::Table | SqlFormat::Parquet => &[],
        };
        let child = self.spawn(words, answer.stdout())?;
        Ok(Asking { duckdb: self, answer, child })
    }
}

/// A query that is begun.
pub(super) struct Asking<'a> {
    duckdb: &'a DuckDb,
    answer: &'a Answer,
    child: Child,
}

impl Asking<'_> {
    /// Runs the query, whose rows go to `passing`.
    pub(super) fn ask(
        self,
        prelude: &str,
        query: &str,
        passing: &mut Passing<'_>,
    ) -> Result<End, Failure> {
        let Self { duckdb, answer, child } = self;
        let input = locked(prelude, &answer.query(query));
        let (status, told) = talk(child, &input, |rows| passing.pass_on(rows))?;
        if status.success() {
            if !told.is_empty() {
                answer.screen.note(told);
            }
            return Ok(End::Answered);
        }
        // Whether it is the query, or DuckDB itself.
        if let Err(failure) = duckdb.fits(prelude) {
            // It does not take a view of a damaged file either.
            return Ok(End::Failed { failure, of_tables: true });
        }
        let of_tables = !OF_QUERY.iter().any(|kind| told.starts_with(kind));
        let told = if told.is_empty() { format!("it ended with {status}") } else { told };
        let failure = Failure::new(Exit::Failed, format!("DuckDB: {told}"));
        Ok(End::Failed { failure, of_tables })
    }
}

/// Gives a child its input, `take` its output, and gives how it ended and what it told; each at its own pace, as it
/// may answer before it has read all.
fn talk(
    mut child: Child,
    input: &str,
    take: impl FnOnce(&mut dyn Read) -> Result<(), Failure>,
) -> Result<(ExitStatus, String), Failure> {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    std::thread::scope(|scope| {
        // One that ends before it has read all says why.
        scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
        let told = scope.spawn(|| {
            let mut told = Vec::new();
            stderr.map_or(Ok(0), |mut stderr| stderr.read_to_end(&mut told)).map(|_| told)
        });
        let taken = child.stdout.take().map_or(Ok(()), |mut rows| take(&mut rows));
        if taken.is_err() {
            // What it has to say is for nobody any more.
            let _ = child.kill();
        }
        let status = child.wait();
        let told = told.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        taken?;
        Ok((status?, String::from_utf8_lossy(&told?).trim().to_owned()))
    })
}

/// A file with words for the shell, which is longer than a command line may be; only who runs this may read it.
struct Script(PathBuf);

impl Script {
    fn of(text: &str) -> Result<Self, Failure> {
        let name = format!("cocli-{:032x}.sql", u128::from_ne_bytes(clock::random()));
        let script = Self(std::env::temp_dir().join(name));
        let file = File::options().write(true).create_new(true).mode(0o600).open(&script.0);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
            let said = format!("{} cannot be written: {error}", script.0.display());
            Failure::new(Exit::Failed, said)
        })?;
        Ok(script)
    }

    /// The shell's command that runs it.
    fn read(&self) -> Result<String, Failure> {
        let path = self.0.to_str().ok_or_else(|| no_unicode(&self.0.display().to_string()))?;
        Ok(format!(".read \"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"")))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The one command that installs it here, new enough.
fn install() -> &'static str {
    match std::env::consts::OS {
        "macos" => "`brew install duckdb`",
        _ => "`pip install 'duckdb-cli>=1.5'`",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_shell_is_not_ended_by_an_interrupt_before_it_says_what_that_means() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("duckdb");
        // It interrupts itself, and goes on.
        let script = "#!/bin/sh\ncase \"$1\" in\n-version) echo 'v1.5.0 x';;\n*) [ \"$2\" = -bail ] || \
            { kill -INT $$; exit 3; };;\nesac\n";
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(DuckDb(program.into()).shell("").unwrap(), 3);
    }
}
