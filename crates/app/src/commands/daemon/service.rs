//! `cocli daemon install` and its like: the service that keeps the daemon running.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cocli_node::Home;
use serde_json::json;

use crate::args::{DaemonInstall, DaemonLogs, DaemonVerb};
use crate::commands::Context;
use crate::failure::{Exit, Failure};
use crate::locate;
use crate::service::{Manager, Service, Step, Wish};
use crate::{clock, door};

/// How long a manager may take to come up, or to let go of what it ended.
const SOON: Duration = Duration::from_secs(10);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(context: &Context, verb: &DaemonVerb) -> Result<(), Failure> {
    let service = of_this_user()?;
    match verb {
        DaemonVerb::Install(args) => install(context, &service, args),
        DaemonVerb::Uninstall => uninstall(context, &service),
        DaemonVerb::Start => turn(context, &service, Wish::Start, "started"),
        DaemonVerb::Stop => turn(context, &service, Wish::Stop, "stopped"),
        DaemonVerb::Restart => turn(context, &service, Wish::Restart, "restarted"),
        DaemonVerb::Logs(args) => logs(&service, args),
    }
}

/// Whether a service of this user keeps the daemon of this home.
pub(in crate::commands) fn keeps(home: &Home) -> bool {
    let Ok(service) = of_this_user() else { return false };
    let text = standing(&service).ok().flatten();
    text.is_some_and(|text| absolute(home).is_ok_and(|path| service.is_of(&text, &path)))
}

/// By one spelling, with or without a slash at its end.
fn absolute(home: &Home) -> std::io::Result<PathBuf> {
    Ok(std::path::absolute(home.path())?.components().collect())
}

fn of_this_user() -> Result<Service, Failure> {
    let unset = || Failure::usage("$HOME is not set, so that there is no place for a service");
    let own = locate::home_folder().ok_or_else(unset)?;
    let settings = locate::config_folder().ok_or_else(unset)?;
    Ok(Service::new(Manager::HERE, (&own, &settings), rustix::process::getuid().as_raw()))
}

/// What stands in its file, if there is one.
fn standing(service: &Service) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(&service.file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&service.file, &error)),
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
}

fn install(context: &Context, service: &Service, args: &DaemonInstall) -> Result<(), Failure> {
    let (home, screen) = (context.home()?, context.screen);
    let (path, binary) = (absolute(&home)?, std::env::current_exe()?);
    let text = service.text(&binary, &path)?;
    if args.dry_run {
        show(context, service, &text);
        return Ok(());
    }
    own(&path)?;
    // Without keys a daemon ends at once.
    crate::ring::of(&home)?;
    let before = standing(service)?;
    free(service, &home, &path, before.as_deref())?;
    if built_in_place(&binary) {
        screen.note(format!(
            "{} is replaced by the next build: `cargo install --locked --path crates/app` puts one where it stays",
            binary.display()
        ));
    }
    let notes = carry_out(&service.steps(Wish::Answer)).map_err(|why| mute(service, why))?;
    notes.iter().for_each(|note| screen.note(note));
    let written = before.as_ref() != Some(&text);
    if written {
        write(&service.file, &text)?;
    }
    carry_out(&service.steps(Wish::Keep)).map_err(untaken)?;
    let file = service.file.display();
    if screen.json {
        screen.object(&json!({"file": file.to_string(), "written": written, "notes": notes}));
        return Ok(());
    }
    let done = if written { "is written" } else { "stays as it was" };
    screen.line(format!("{file} {done}"));
    screen.line(format!("the daemon of {} runs", path.display()));
    screen.line("`cocli status` shows it, `cocli daemon logs` what it tells, `cocli daemon uninstall` ends it");
    Ok(())
}

/// That it is this user's home: what `sudo` puts there would be root's, its daemon and all files that it writes.
fn own(path: &Path) -> Result<(), Failure> {
    let owner = std::fs::metadata(path).map_err(|error| failed(path, &error))?.uid();
    if owner == rustix::process::getuid().as_raw() {
        return Ok(());
    }
    let message = format!("{} is another user's", path.display());
    Err(Failure::new(Exit::Conflict, message)
        .hint("a service is installed by the user whose home it is, without sudo"))
}

/// That neither another home's service nor another daemon is in the way.
fn free(service: &Service, home: &Home, path: &Path, before: Option<&str>) -> Result<(), Failure> {
    if before.is_some_and(|text| !service.is_of(text, path)) {
        let (file, home) = (service.file.display(), path.display());
        return Err(Failure::new(Exit::Conflict, format!("{file} is not of {home}"))
            .hint("a user has one service: `cocli daemon uninstall` takes that one away"));
    }
    if door::is_open(home) && ran(&service.asks_whether_it_runs()).is_err() {
        let message = format!("{}: a daemon runs already, not by this service", path.display());
        return Err(Failure::new(Exit::Conflict, message).hint(
            "end it first: Ctrl-C where it runs, or `sudo systemctl disable --now cocli@$USER` for that of the package",
        ));
    }
    if begun_by_the_package(service, path) {
        let message = "the unit of the package begins the daemon of this home at each boot";
        return Err(Failure::new(Exit::Conflict, message).hint(
            "one of both: `sudo systemctl start cocli@$USER`, or `sudo systemctl disable --now cocli@$USER` and then this again",
        ));
    }
    Ok(())
}

/// The unit of the package runs what its user's settings name.
fn begun_by_the_package(service: &Service, path: &Path) -> bool {
    let noted = locate::noted().ok().flatten();
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty());
    let asks = user.and_then(|user| service.asks_for_that_of_the_package(&user));
    noted.is_some_and(|noted| noted == path) && asks.is_some_and(|asks| ran(&asks).is_ok())
}

fn show(context: &Context, service: &Service, text: &str) {
    let (screen, file) = (context.screen, service.file.display());
    let steps = [service.steps(Wish::Answer), service.steps(Wish::Keep)].concat();
    if screen.json {
        let commands: Vec<_> = steps.iter().map(|step| &step.words).collect();
        screen.object(&json!({"file": file.to_string(), "text": text, "commands": commands}));
        return;
    }
    screen.line(format!("# {file}"));
    screen.raw(text.as_bytes());
    screen.line("\n# then");
    screen.lines(steps.iter().map(|step| step.words.join(" ")));
}

/// Whether Cargo built it, and nobody installed it.
fn built_in_place(binary: &Path) -> bool {
    binary.ancestors().any(|folder| folder.join("CACHEDIR.TAG").exists())
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let folder = file.parent().unwrap_or(file);
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::File::create(file))
        .and_then(|mut open| open.write_all(text.as_bytes()));
    written.map_err(|error| failed(file, &error))
}

fn uninstall(context: &Context, service: &Service) -> Result<(), Failure> {
    installed(service)?;
    if let Err(why) = carry_out(&service.steps(Wish::End)) {
        // A manager that does not know it, or cannot read its file, has nothing to end.
        let there = carry_out(&[service.asks_whether_anybody_is_there()]).is_ok();
        if !there || ran(&service.asks_whether_it_runs()).is_ok() {
            return Err(untaken(why));
        }
    }
    std::fs::remove_file(&service.file).map_err(|error| failed(&service.file, &error))?;
    carry_out(&service.steps(Wish::Forget)).map_err(untaken)?;
    let (screen, file) = (context.screen, service.file.display());
    match screen.json {
        true => screen.object(&json!({"file": file.to_string(), "removed": true})),
        false => screen
            .line(format!("the service is ended, and {file} is gone; the home stays as it is")),
    }
    Ok(())
}

/// Of what is not installed nothing can be asked.
fn installed(service: &Service) -> Result<(), Failure> {
    if standing(service)?.is_some() {
        return Ok(());
    }
    let message = format!("no service of yours: there is no {}", service.file.display());
    Err(Failure::new(Exit::NotFound, message).hint(
        "`cocli daemon install` makes one; that of the package is turned by `sudo systemctl restart cocli@$USER`",
    ))
}

fn turn(context: &Context, service: &Service, wish: Wish, done: &str) -> Result<(), Failure> {
    installed(service)?;
    carry_out(&service.steps(wish)).map_err(untaken)?;
    match context.screen.json {
        true => context.screen.object(&json!({ "service": done })),
        false => context.screen.line(format!("the service is {done}")),
    }
    Ok(())
}

fn logs(service: &Service, args: &DaemonLogs) -> Result<(), Failure> {
    installed(service)?;
    let words = service.shows_logs(args.lines, args.follow);
    let status = command(&words).status();
    let status = status.map_err(|error| Failure::new(Exit::Failed, not_run(&words, &error)))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, format!("`{}`: {status}", words.join(" "))))
}

/// Nobody keeps services here, or not for this user.
fn mute(service: &Service, why: String) -> Failure {
    let hint = match service.manager {
        Manager::Systemd => {
            "nothing was written. Where systemd runs: `sudo loginctl enable-linger $USER`, then this again; \
             elsewhere have `cocli daemon` run by what starts services there"
        }
        Manager::Launchd => "nothing was written; an agent wants its user to be logged in",
    };
    Failure::new(Exit::Failed, why).hint(hint)
}

/// The manager does not do what it was asked.
fn untaken(why: String) -> Failure {
    Failure::new(Exit::Failed, why).hint("`cocli daemon logs` tells what the daemon said")
}

/// Runs one after the other, and tells what failed and may.
fn carry_out(steps: &[Step]) -> Result<Vec<String>, String> {
    let mut notes = Vec::new();
    for step in steps {
        // What nothing led to comes no later either.
        let done = match step.soon && notes.is_empty() {
            true => in_the_end(&step.words),
            false => ran(&step.words),
        };
        match (done, step.or) {
            (Ok(()), _) | (Err(_), Some("")) => {}
            (Err(why), Some(or)) => notes.push(format!("{or} ({why})")),
            (Err(why), None) => return Err(why),
        }
    }
    Ok(notes)
}

fn in_the_end(words: &[String]) -> Result<(), String> {
    let began = clock::monotonic();
    loop {
        match ran(words) {
            Err(_) if began.elapsed() < SOON => clock::pass(LOOK),
            done => return done,
        }
    }
}

fn ran(words: &[String]) -> Result<(), String> {
    let output = command(words).output().map_err(|error| not_run(words, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{}`: {}", words.join(" "), said.trim()))
}

fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    // Behind `su` and `sudo -u` nobody says where the user's manager is; it is always there.
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        let folder = format!("/run/user/{}", rustix::process::getuid().as_raw());
        command.env("XDG_RUNTIME_DIR", folder);
    }
    command
}

fn not_run(words: &[String], error: &std::io::Error) -> String {
    format!("`{}` cannot be run: {error}", words.join(" "))
}
