//! The service of one user that keeps the daemon of one home running: what its file says, and what the manager of
//! services of this system is asked. Nothing is read, written or run here.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::failure::{Exit, Failure};

/// The unit of systemd.
const UNIT: &str = "cocli.service";
/// The label of launchd.
const LABEL: &str = "cocli.daemon";

/// Who keeps services on this system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manager {
    Systemd,
    Launchd,
}

impl Manager {
    pub(crate) const HERE: Self =
        if cfg!(target_os = "macos") { Self::Launchd } else { Self::Systemd };
}

/// What the manager is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Answer. What it needs for that comes first.
    Answer,
    /// Take up the file, now and at each boot; where it runs already, by what the file says now.
    Keep,
    /// End it, and at no boot begin it.
    End,
    /// Forget it, once the file is gone.
    Forget,
    Start,
    Stop,
    Restart,
}

/// A command of the manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) words: Vec<String>,
    /// What it means for the person when this fails and the rest does not; else all has failed.
    pub(crate) or: Option<&'static str>,
    /// What came before may take a moment longer: until then it is asked again.
    pub(crate) soon: bool,
}

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) manager: Manager,
    pub(crate) file: PathBuf,
    /// Where launchd writes what the daemon tells; systemd has its journal.
    log: PathBuf,
    user: u32,
}

impl Service {
    /// `folders` are the user's own and that of settings.
    pub(crate) fn new(manager: Manager, folders: (&Path, &Path), user: u32) -> Self {
        let (own, settings) = folders;
        let file = match manager {
            Manager::Systemd => settings.join("systemd/user").join(UNIT),
            Manager::Launchd => own.join("Library/LaunchAgents").join(format!("{LABEL}.plist")),
        };
        Self { manager, file, log: own.join("Library/Logs/cocli.log"), user }
    }

    /// What its file says.
    ///
    /// # Errors
    /// When a path has letters that such a file cannot hold.
    pub(crate) fn text(&self, binary: &Path, home: &Path) -> Result<String, Failure> {
        let (binary, home) = (plain(binary)?, plain(home)?);
        match self.manager {
            // systemd takes the program's own path as it stands, and none with these in it.
            Manager::Systemd if binary.contains(['$', '"', '\'', '\\']) => Err(odd(binary)),
            Manager::Systemd => Ok(unit(binary, home)),
            Manager::Launchd => Ok(agent(binary, home, plain(&self.log)?)),
        }
    }

    /// Whether such a file is that of this home.
    pub(crate) fn is_of(&self, text: &str, home: &Path) -> bool {
        let Ok(home) = plain(home) else { return false };
        match self.manager {
            Manager::Systemd => text.contains(&format!("--data {} daemon", quoted(home))),
            Manager::Launchd => text.contains(&format!("<string>{}</string>", escaped(home))),
        }
    }

    /// The commands for it, in their order.
    pub(crate) fn steps(&self, wish: Wish) -> Vec<Step> {
        match self.manager {
            Manager::Systemd => self.systemd(wish),
            Manager::Launchd => self.launchd(wish),
        }
    }

    fn systemd(&self, wish: Wish) -> Vec<Step> {
        let unit = |command: &str| needed(&format!("systemctl --user {command}"), &[UNIT]);
        let reload = || needed("systemctl --user daemon-reload", &[]);
        let user = self.user.to_string();
        match wish {
            Wish::Answer => vec![
                // Where nobody of this user is logged in it starts the manager that all else is asked of. Without
                // a name it would be asked for whoever's session this is, and there is none.
                tried("loginctl enable-linger", &[&user], ENDS_WITH_LOGIN),
                soon(self.asks_whether_anybody_is_there()),
            ],
            Wish::Keep => {
                // By its path: settings may stand where the manager does not look.
                let file = self.file.to_string_lossy();
                vec![reload(), needed("systemctl --user enable", &[&file]), unit("restart")]
            }
            Wish::End => vec![unit("disable --now")],
            Wish::Forget => vec![reload()],
            Wish::Start => vec![unit("start")],
            Wish::Stop => vec![unit("stop")],
            Wish::Restart => vec![unit("restart")],
        }
    }

    fn launchd(&self, wish: Wish) -> Vec<Step> {
        let domain = format!("gui/{}", self.user);
        let service = format!("{domain}/{LABEL}");
        let file = self.file.to_string_lossy();
        match wish {
            Wish::Answer => vec![self.asks_whether_anybody_is_there()],
            Wish::Keep => vec![
                // What is loaded is not loaded again, and it is gone a moment after this returned.
                tried("launchctl bootout", &[&service], ""),
                // What was disabled by hand is not loaded.
                needed("launchctl enable", &[&service]),
                soon(needed("launchctl bootstrap", &[&domain, &file])),
            ],
            Wish::End => vec![tried("launchctl bootout", &[&service], "")],
            Wish::Forget => Vec::new(),
            Wish::Start => vec![needed("launchctl kickstart", &[&service])],
            Wish::Stop => vec![needed("launchctl kill SIGTERM", &[&service])],
            Wish::Restart => vec![needed("launchctl kickstart -k", &[&service])],
        }
    }

    /// Whether there is a manager for this user.
    pub(crate) fn asks_whether_anybody_is_there(&self) -> Step {
        match self.manager {
            Manager::Systemd => needed("systemctl --user show-environment", &[]),
            Manager::Launchd => needed("launchctl print", &[&format!("gui/{}", self.user)]),
        }
    }

    /// The command that tells whether it runs.
    pub(crate) fn asks_whether_it_runs(&self) -> Vec<String> {
        match self.manager {
            Manager::Systemd => needed("systemctl --user is-active --quiet", &[UNIT]).words,
            Manager::Launchd => {
                needed("launchctl print", &[&format!("gui/{}/{LABEL}", self.user)]).words
            }
        }
    }

    /// The command that tells whether the package's unit is begun at each boot, for the user of this name.
    pub(crate) fn asks_for_that_of_the_package(&self, user: &str) -> Option<Vec<String>> {
        let ask = || needed("systemctl is-enabled --quiet", &[&format!("cocli@{user}.service")]);
        (self.manager == Manager::Systemd).then(|| ask().words)
    }

    /// The command that shows what it told.
    pub(crate) fn shows_logs(&self, lines: u32, follow: bool) -> Vec<String> {
        let (lines, file) = (lines.to_string(), self.log.to_string_lossy());
        let follow = follow.then_some("-f");
        let words: Vec<&str> = match self.manager {
            Manager::Systemd => vec!["-q", "--user-unit", UNIT, "-n", &lines],
            Manager::Launchd => vec!["-n", &lines],
        };
        let program = match self.manager {
            Manager::Systemd => "journalctl",
            Manager::Launchd => "tail",
        };
        let mut command = needed(program, &words).words;
        command.extend(follow.map(ToOwned::to_owned));
        command.extend((self.manager == Manager::Launchd).then(|| file.into_owned()));
        command
    }
}

const ENDS_WITH_LOGIN: &str =
    "it runs only while you are logged in: `sudo loginctl enable-linger $USER` makes it stay";

fn needed(command: &str, more: &[&str]) -> Step {
    let words = command.split(' ').chain(more.iter().copied());
    Step { words: words.map(ToOwned::to_owned).collect(), or: None, soon: false }
}

fn tried(command: &str, more: &[&str], or: &'static str) -> Step {
    Step { or: Some(or), ..needed(command, more) }
}

fn soon(step: Step) -> Step {
    Step { soon: true, ..step }
}

/// A path that can stand in a file of text lines.
fn plain(path: &Path) -> Result<&str, Failure> {
    let text = path.to_str().filter(|text| !text.contains(char::is_control));
    text.ok_or_else(|| odd(&path.to_string_lossy()))
}

fn odd(path: &str) -> Failure {
    let message = format!("{path:?} cannot stand in the file of a service");
    Failure::new(Exit::Failed, message)
        .hint("expected UTF-8 without control characters and, for the program, without `$`, `\\` and quotes")
}

/// A word of a command line of systemd.
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for letter in word.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            '%' | '$' => text.extend([letter, letter]),
            _ => text.push(letter),
        }
    }
    text.push('"');
    text
}

/// Text of an element of XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A unit of the user's manager. What it forbids costs no right of the daemon, and needs none of root.
fn unit(binary: &str, home: &str) -> String {
    let (binary, home) = (quoted(binary), quoted(home));
    format!(
        "# Written by `cocli daemon install`; `cocli daemon uninstall` takes it away.
[Unit]
Description=cocli: a CRM kept level with other machines
Documentation=man:cocli-daemon(1)

[Service]
Type=notify
ExecStart={binary} --data {home} daemon
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2
TimeoutStartSec=300
WatchdogSec=120
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
UMask=0077

[Install]
WantedBy=default.target
"
    )
}

/// An agent of launchd: begun at login, begun again when it failed.
fn agent(binary: &str, home: &str, log: &str) -> String {
    let mut words = String::new();
    for word in [binary, "--data", home, "daemon"] {
        let _ = write!(words, "\n    <string>{}</string>", escaped(word));
    }
    let log = escaped(log);
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Written by `cocli daemon install`; `cocli daemon uninstall` takes it away. -->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>{LABEL}</string>
  <key>ProgramArguments</key>
  <array>{words}
  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ThrottleInterval</key>
  <integer>5</integer>
  <key>ProcessType</key>
  <string>Background</string>
  <key>Umask</key>
  <integer>63</integer>
  <key>StandardOutPath</key>
  <string>{log}</string>
  <key>StandardErrorPath</key>
  <string>{log}</string>
</dict>
</plist>
"#
    )
}

#[cfg(test)]
mod tests;
