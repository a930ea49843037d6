//! A program on a terminal of its own: what it shows, what is typed, and how it leaves the terminal.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

/// How long it may take until it shows something.
const WITHIN: Duration = Duration::from_secs(30);

pub(crate) struct Pty {
    pub(crate) child: Child,
    /// The end of the person.
    person: File,
    /// The end of the program.
    end: File,
    came: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// All that came, with what a terminal obeys.
    said: String,
    before: Termios,
}

impl Pty {
    pub(crate) fn start(command: &mut Command) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let path = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
        let end = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&end, size).unwrap();
        let before = tcgetattr(&end).unwrap();
        let handed = || end.try_clone().unwrap();
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        let child = command.stdin(handed()).stdout(handed()).stderr(handed()).spawn().unwrap();
        let person = File::from(person);
        let (mut reads, (send, came)) = (person.try_clone().unwrap(), channel());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = reads.read(&mut bytes) {
                if send.send(bytes[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let screen = vt100::Parser::new(size.ws_row, size.ws_col, 0);
        Self { child, person, end, came, screen, said: String::new(), before }
    }

    /// Waits until these words stand on the terminal.
    #[track_caller]
    pub(crate) fn shows(&mut self, words: &str) {
        self.until(words, |it| it.screen.screen().contents().contains(words));
    }

    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "looks from outside, as a person would")]
    fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        let late = Instant::now() + WITHIN;
        while !so(self) {
            let left = late.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.came.recv_timeout(left) else {
                panic!("expected {what:?}: {}\n{:?}", self.screen.screen().contents(), self.said);
            };
            self.screen.process(&bytes);
            self.said.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.person.write_all(keys.as_bytes()).unwrap();
    }

    #[allow(dead_code, reason = "not every test asks")]
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits for its end, and sees the terminal as it was.
    #[track_caller]
    pub(crate) fn ends(mut self) -> (ExitStatus, String) {
        let given_back =
            |it: &Self| it.said.rfind("\u{1b}[?1049l") > it.said.rfind("\u{1b}[?1049h");
        self.until("the terminal given back", given_back);
        let ended = self.child.wait().unwrap();
        let now = tcgetattr(&self.end).unwrap();
        let modes = |it: &Termios| (it.input_modes, it.output_modes, it.local_modes);
        assert_eq!(modes(&now), modes(&self.before), "the terminal is not as it was");
        // All that it said is on the way before this.
        self.end.write_all(b"the end").unwrap();
        self.shows("the end");
        assert!(!self.screen.screen().hide_cursor(), "the cursor is not back: {:?}", self.said);
        (ended, std::mem::take(&mut self.said))
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
