//! A home of its own for each test, and the binary run in it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) struct Home {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    #[track_caller]
    pub(crate) fn fails(self, code: i32, says: &str) -> Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.err.contains(says), "expected {says:?} in: {}", self.err);
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The binary, with settings of its own and no home from the environment.
pub(crate) fn cocli(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cocli"));
    command
        .current_dir(dir)
        .env("XDG_CONFIG_HOME", dir.join("config"))
        .env("HOME", dir)
        .env("TZ", "UTC")
        .env_remove("COCLI_DATA_HOME")
        .env_remove("COCLI_CAMPAIGN");
    command
}

pub(crate) fn run(command: &mut Command, input: &[u8]) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read its input may have ended before all of it is written.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap().into()
}

impl Home {
    pub(crate) fn new() -> Self {
        let home = Self::none();
        home.run(&["init", "home", "--node", "pi1"]).ok();
        home
    }

    /// A folder without a home in it.
    pub(crate) fn none() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("home");
        Self { dir, path }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = cocli(self.dir.path());
        if self.path.exists() {
            command.arg("--data").arg(&self.path);
        }
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        run(self.command().args(words), b"")
    }

    pub(crate) fn input(&self, words: &[&str], input: &[u8]) -> Ran {
        run(self.command().args(words), input)
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.path.join(path)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.file(path)).unwrap()
    }

    /// Bytes in all journals that stay.
    pub(crate) fn written(&self) -> u64 {
        bytes_of(&self.journals())
    }

    /// Bytes in all journals, those that expire among them.
    #[allow(dead_code, reason = "not every test binary asks")]
    pub(crate) fn written_in_all(&self) -> u64 {
        bytes_of(&self.all_journals())
    }

    /// Those that stay: a daemon writes heartbeats into others, a month each.
    pub(crate) fn journals(&self) -> Vec<PathBuf> {
        let mut found = self.all_journals();
        let date = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().find('_');
        found.retain(|path| date(path) != Some(6));
        found
    }

    pub(crate) fn all_journals(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> =
            std::fs::read_dir(self.file("wal")).unwrap().map(|e| e.unwrap().path()).collect();
        found.sort();
        found
    }
}

fn bytes_of(files: &[PathBuf]) -> u64 {
    files.iter().map(|path| path.metadata().unwrap().len()).sum()
}
