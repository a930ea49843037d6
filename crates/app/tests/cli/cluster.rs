//! Several homes with their daemons.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::support::{Home, cocli, run};

/// How long nodes may take to be level, or to come to what else is expected of them.
const LEVEL_WITHIN: Duration = Duration::from_secs(30);

pub(crate) struct Daemon {
    child: Child,
    pub(crate) address: String,
    /// What it says on standard error, line by line.
    notes: Receiver<String>,
}

impl Daemon {
    /// Without a word, as a power cut.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// As a person or the system ends it.
    #[allow(dead_code, reason = "not every test binary asks")]
    pub(crate) fn end(&mut self) {
        self.signal("-TERM");
        assert!(self.child.wait().unwrap().success());
    }

    /// `-STOP` makes it a machine that is busy or asleep, until it is sent `-CONT`.
    #[allow(dead_code, reason = "not every test binary asks")]
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for a line on standard error with these words in it.
    #[allow(dead_code, reason = "not every test binary asks")]
    pub(crate) fn says(&self, words: &str) -> String {
        loop {
            let line = self.notes.recv_timeout(LEVEL_WITHIN).unwrap();
            if line.contains(words) {
                return line;
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn daemon(home: &Home, peers: &[&str]) -> Daemon {
    daemon_with(home, peers, &[])
}

/// With more words.
pub(crate) fn daemon_with(home: &Home, peers: &[&str], words: &[&str]) -> Daemon {
    start(home.command(), peers, words)
}

/// The daemon of the home that a command names.
pub(crate) fn start(mut command: Command, peers: &[&str], words: &[&str]) -> Daemon {
    command.args(["--json", "daemon", "--bind", "127.0.0.1", "--port", "0"]).args(words);
    for peer in peers {
        command.args(["--peer", peer]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (note, notes) = channel();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|l| note.send(l)));
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = ready["listening"].as_str().unwrap().to_string();
    Daemon { child, address, notes }
}

pub(crate) fn member(of: &Home, node: &str) -> Home {
    let ticket = of.run(&["ticket"]).ok();
    let home = Home::none();
    run(
        cocli(home.dir.path()).args(["init", "home", "--node", node, "--join", "-"]),
        ticket.as_bytes(),
    )
    .ok();
    home
}

/// Waits until all hold the same state and their cards show it.
#[expect(clippy::disallowed_methods, reason = "looks from outside, as a person would")]
pub(crate) fn level(homes: &[&Home]) {
    let began = Instant::now();
    loop {
        let all: Vec<serde_json::Value> = homes
            .iter()
            .map(|home| {
                serde_json::from_str(&home.run(&["--json", "state", "--digest"]).ok()).unwrap()
            })
            .collect();
        let equal = all.windows(2).all(|w| w[0]["digest"] == w[1]["digest"]);
        if equal && all.iter().all(|state| state["cards_level"] == true) {
            return;
        }
        assert!(began.elapsed() < LEVEL_WITHIN, "not level: {all:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until it is so.
#[track_caller]
#[allow(dead_code, reason = "not every test binary asks")]
#[expect(clippy::disallowed_methods, reason = "looks from outside, as a person would")]
pub(crate) fn until(mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < LEVEL_WITHIN, "not so within {LEVEL_WITHIN:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
