//! One node of the demo: a home, a settings folder, a daemon process.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cocli_node::Home;
use serde_json::{Value as Json, json};

use crate::failure::{Exit, Failure};
use crate::{clock, door};

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) name: &'static str,
    pub(super) home: PathBuf,
    settings: PathBuf,
    daemon: Option<Child>,
    /// The daemon's address, once it ran.
    pub(super) address: Option<String>,
}

impl Machine {
    pub(super) fn first(dir: &Path, name: &'static str) -> Result<Self, Failure> {
        Self::made(dir, name, None)
    }

    pub(super) fn joined(dir: &Path, name: &'static str, ticket: &str) -> Result<Self, Failure> {
        Self::made(dir, name, Some(ticket))
    }

    fn made(dir: &Path, name: &'static str, ticket: Option<&str>) -> Result<Self, Failure> {
        let (home, settings) = (dir.join(name), dir.join("settings").join(name));
        std::fs::create_dir_all(&settings)?;
        let machine = Self { name, home, settings, daemon: None, address: None };
        let mut words = vec!["init", "--node", name];
        words.extend(ticket.map(|_| ["--join", "-"]).into_iter().flatten());
        machine.input(&words, ticket.unwrap_or_default())?;
        Ok(machine)
    }

    pub(super) fn command(&self) -> Result<Command, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env("XDG_CONFIG_HOME", &self.settings).env_remove("COCLI_DATA_HOME");
        command.arg("--data").arg(&self.home);
        Ok(command)
    }

    /// Runs a verb to its end and gives back what it printed.
    pub(super) fn cocli(&self, words: &[&str]) -> Result<String, Failure> {
        self.input(words, "")
    }

    pub(super) fn input(&self, words: &[&str], input: &str) -> Result<String, Failure> {
        let mut command = self.command()?;
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let error = String::from_utf8_lossy(&output.stderr);
        let message = format!("{}: `cocli {}`: {}", self.name, words.join(" "), error.trim());
        Err(Failure::new(Exit::Failed, message))
    }

    pub(super) fn json(&self, words: &[&str]) -> Result<Json, Failure> {
        let mut all = vec!["--json"];
        all.extend_from_slice(words);
        let text = self.cocli(&all)?;
        serde_json::from_str(text.trim()).map_err(|error| {
            Failure::new(Exit::Failed, format!("{}: {}: {error}", self.name, words.join(" ")))
        })
    }

    /// The hash of the running daemon's version vector.
    pub(super) fn vector(&self) -> Result<Option<String>, Failure> {
        let home = Home::open(&self.home, clock::rim())?;
        let status = door::ask(&home, &json!({"verb": "status"}))?;
        Ok(status.and_then(|status| status.get("vector")?.as_str().map(ToString::to_string)))
    }

    pub(super) fn ticket(&self) -> Result<String, Failure> {
        self.cocli(&["ticket"])
    }

    /// Starts the daemon; it is ready when it says where it listens.
    pub(super) fn start(&mut self, peers: &[String]) -> Result<(), Failure> {
        let port = self.address.as_deref().and_then(|a| a.rsplit_once(':')).map_or("0", |(_, p)| p);
        let mut command = self.command()?;
        command.args(["--json", "daemon", "--bind", "127.0.0.1", "--port", port]);
        for peer in peers {
            command.args(["--peer", peer]);
        }
        let log = std::fs::File::create(self.settings.with_extension("log"))?;
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        self.daemon = Some(child);
        let ready: Json = serde_json::from_str(&line).unwrap_or_default();
        let address = ready.get("listening").and_then(Json::as_str).map(ToString::to_string);
        if address.is_none() {
            let log =
                std::fs::read_to_string(self.settings.with_extension("log")).unwrap_or_default();
            let message = format!("{}: the daemon did not start: {}", self.name, log.trim());
            return Err(Failure::new(Exit::Failed, message));
        }
        self.address = address;
        Ok(())
    }

    /// Ends the daemon as a power cut would: without a word.
    pub(super) fn kill(&mut self) -> Result<(), Failure> {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill()?;
            daemon.wait()?;
        }
        Ok(())
    }

    pub(super) fn card(&self, slug: &str) -> PathBuf {
        self.home.join("companies").join(slug).join("_index.md")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
