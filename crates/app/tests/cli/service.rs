//! The daemon as a service: what its manager hears, and how `daemon install` puts it there. The manager itself
//! is stood in for by programs that note what they are asked; `tests/install/boot.sh` has the real one.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::daemon;
use crate::support::{Home, Ran, run};

/// The next line of a message to the manager.
fn heard(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 4096];
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "looks from outside, as a manager does")]
fn the_manager_hears_that_the_daemon_is_ready_that_it_lives_and_that_it_ends() {
    let home = Home::new();
    let path = home.dir.path().join("manager");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut command = home.command();
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    command.args(["daemon", "--bind", "127.0.0.1", "--port", "0"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let ready = heard(&manager);
    assert!(ready.starts_with("READY=1\nSTATUS=pi1 listens at 127.0.0.1:"), "{ready}");
    // Ten a second; what else wakes the loop comes by the second at most.
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(heard(&manager), "WATCHDOG=1\n");
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let last = std::iter::repeat_with(|| heard(&manager)).find(|said| said != "WATCHDOG=1\n");
    assert_eq!(last.as_deref(), Some("STOPPING=1\n"));
    assert!(child.wait().unwrap().success());
}

/// A home whose user has a manager that notes what it is asked; `is-active` is not so.
struct Managed {
    home: Home,
}

impl Managed {
    fn new() -> Self {
        let managed = Self { home: Home::new() };
        for program in ["systemctl", "loginctl", "journalctl"] {
            managed.program(program, "case \"$*\" in *is-active*|*is-enabled*) exit 3;; esac");
        }
        managed
    }

    fn program(&self, name: &str, script: &str) {
        let folder = self.home.dir.path().join("bin");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        let text = format!("#!/bin/sh\necho {name} \"$@\" >>\"$HOME/asked\"\n{script}\n");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, words: &[&str]) -> Ran {
        let mut command = self.home.command();
        command
            .env("USER", "ada")
            .env("PATH", self.home.dir.path().join("bin"))
            .arg("daemon")
            .args(words);
        run(&mut command, b"")
    }

    fn asked(&self) -> Vec<String> {
        let file = self.home.dir.path().join("asked");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let _ = std::fs::remove_file(file);
        text.lines().filter(|line| !line.contains(" is-")).map(ToOwned::to_owned).collect()
    }

    fn unit(&self) -> std::path::PathBuf {
        self.home.dir.path().join("config/systemd/user/cocli.service")
    }

    /// What is asked of the manager to have it kept.
    fn kept(&self) -> [String; 5] {
        let user = std::fs::metadata(&self.home.path).unwrap().uid();
        [
            format!("loginctl enable-linger {user}"),
            "systemctl --user show-environment".into(),
            "systemctl --user daemon-reload".into(),
            format!("systemctl --user enable {}", self.unit().display()),
            "systemctl --user restart cocli.service".into(),
        ]
    }
}

#[test]
#[cfg(not(target_os = "macos"))]
fn a_service_is_installed_once_turned_and_taken_away_again() {
    let managed = Managed::new();
    let dry = managed.run(&["install", "--dry-run"]).ok();
    assert!(dry.contains("Type=notify") && dry.contains(&managed.kept()[4]), "{dry}");
    assert!(!managed.unit().exists() && managed.asked().is_empty());

    let first = managed.run(&["install"]).ok();
    assert!(first.contains("cocli.service is written"), "{first}");
    let text = std::fs::read_to_string(managed.unit()).unwrap();
    let home = managed.home.path.to_str().unwrap();
    assert!(text.contains(&format!("--data \"{home}\" daemon\n")), "{text}");
    assert_eq!(managed.asked(), managed.kept());
    let slash = format!("{home}/./");
    let again = managed.run(&["install", "--data", &slash]).ok();
    assert!(again.contains("stays as it was"), "{again}");
    assert_eq!(managed.asked(), managed.kept());

    managed.run(&["restart"]).ok();
    managed.run(&["logs", "-n", "7"]).ok();
    let turned =
        ["systemctl --user restart cocli.service", "journalctl -q --user-unit cocli.service -n 7"];
    assert_eq!(managed.asked(), turned);
    managed.run(&["uninstall"]).ok();
    assert!(!managed.unit().exists());
    let gone = ["systemctl --user disable --now cocli.service", "systemctl --user daemon-reload"];
    assert_eq!(managed.asked(), gone);
    managed.run(&["stop"]).fails(3, "`cocli daemon install` makes one");
    managed.run(&["uninstall"]).fails(3, "`cocli daemon install` makes one");
}

#[test]
#[cfg(not(target_os = "macos"))]
fn a_service_of_another_home_and_a_daemon_that_runs_already_are_left_alone() {
    let managed = Managed::new();
    let unit = managed.unit();
    std::fs::create_dir_all(unit.parent().unwrap()).unwrap();
    std::fs::write(&unit, "ExecStart=cocli --data \"/other\" daemon\n").unwrap();
    managed.run(&["install"]).fails(4, "a user has one service");
    assert!(std::fs::read_to_string(&unit).unwrap().contains("/other"));
    std::fs::remove_file(&unit).unwrap();
    // One that the package begins at the next boot.
    managed
        .program("systemctl", "case \"$*\" in *is-enabled*cocli@ada.service) ;; *) exit 3;; esac");
    managed.run(&["install"]).fails(4, "the unit of the package begins");
    assert!(!unit.exists() && managed.asked().is_empty());
    let _daemon = daemon(&managed.home, &[]);
    managed.run(&["install"]).fails(4, "a daemon runs already");
    assert!(!unit.exists() && managed.asked().is_empty());
}

#[test]
#[cfg(not(target_os = "macos"))]
fn where_the_manager_refuses_it_is_said_what_to_type() {
    let managed = Managed::new();
    managed.program("loginctl", "exit 1");
    managed.program("systemctl", "echo Failed to connect to bus >&2; exit 1");
    let ran = managed.run(&["install"]).fails(1, "Failed to connect to bus");
    assert!(ran.err.contains("sudo loginctl enable-linger $USER"), "{}", ran.err);
    std::fs::remove_file(managed.home.dir.path().join("bin/systemctl")).unwrap();
    managed.run(&["install"]).fails(1, "`systemctl --user show-environment` cannot be run");
    assert!(!managed.unit().exists());

    // It lingers not, and says what that means.
    let managed = Managed::new();
    managed.program("loginctl", "echo Access denied >&2; exit 1");
    let ran = managed.run(&["install"]);
    assert!(ran.err.contains("it runs only while you are logged in"), "{}", ran.err);
    ran.ok();
    let restart =
        "case \"$*\" in *is-active*|*is-enabled*|*restart*) echo Job failed >&2; exit 1;; esac";
    managed.program("systemctl", restart);
    managed.run(&["install"]).fails(1, "Job failed");
    managed.run(&["uninstall"]).ok();
}

#[test]
#[cfg(not(target_os = "macos"))]
fn a_manager_that_lingering_begins_is_waited_for() {
    let managed = Managed::new();
    let once = "case \"$*\" in *is-active*|*is-enabled*) exit 3;; *show-environment*) \
        [ -e \"$HOME/up\" ] || { : >\"$HOME/up\"; echo Failed to connect to bus >&2; exit 1; };; esac";
    managed.program("systemctl", once);
    managed.run(&["install"]).ok();
    let asked = managed.asked();
    assert_eq!(asked.iter().filter(|one| one.contains("show-environment")).count(), 2, "{asked:?}");
}

#[test]
#[cfg(not(target_os = "macos"))]
fn a_service_that_the_manager_does_not_know_can_be_taken_away() {
    let managed = Managed::new();
    managed.run(&["install"]).ok();
    // As a file says that the manager cannot read.
    let unknown = "case \"$*\" in *is-active*|*is-enabled*) exit 4;; *disable*) echo not loaded >&2; exit 1;; esac";
    managed.program("systemctl", unknown);
    managed.run(&["uninstall"]).ok();
    assert!(!managed.unit().exists());
    // One that runs, or may run, stays.
    managed.program("systemctl", "case \"$*\" in *is-enabled*) exit 1;; esac");
    managed.run(&["install"]).ok();
    for running in ["*disable*", "*disable*|*is-active*|*show-environment*"] {
        managed
            .program("systemctl", &format!("case \"$*\" in {running}) echo no >&2; exit 1;; esac"));
        managed.run(&["uninstall"]).fails(1, "disable --now");
        assert!(managed.unit().exists());
    }
}
