//! One file a verb: it reads its arguments, calls `node` once, and renders what comes back.

use std::path::PathBuf;

use cocli_core::Target;
use cocli_node::{Archived, Home, Placed, Session, Written};

use serde_json::json;

use crate::args::{Cli, Verb};
use crate::failure::{Failure, chain};
use crate::locate;
use crate::render::Screen;
use crate::{clock, door};

pub(crate) mod add;
mod bench;
mod campaign;
mod clone;
pub(crate) mod compact;
mod completions;
mod config;
pub(crate) mod conflicts;
pub(crate) mod convo;
mod daemon;
mod decide;
mod demo;
mod doctor;
mod doubts;
pub(crate) mod edit;
mod export;
mod find;
mod get;
mod hub;
mod import;
mod init;
mod key;
mod leave;
pub(crate) mod list;
mod log;
mod meeting;
mod merge;
mod morning;
mod node;
mod note;
mod open;
mod queue;
pub(crate) mod rm;
pub(crate) mod set;
pub(crate) mod show;
mod sim;
mod split;
mod sql;
mod state;
pub(crate) mod status;
mod sync;
mod ticket;
mod today;
mod top;
mod undo;
mod web;

/// What every verb is handed.
#[derive(Debug)]
pub(crate) struct Context {
    /// `--data`, as given.
    pub(crate) data: Option<PathBuf>,
    /// `--campaign`, as given.
    pub(crate) campaign: Option<String>,
    pub(crate) screen: Screen,
}

impl Context {
    pub(crate) fn home(&self) -> Result<Home, Failure> {
        Ok(Home::open(&locate::home(self.data.as_deref())?, clock::rim())?)
    }

    /// Takes in what people changed in cards before something is read. That this cannot be written
    /// (a full disk, a home that is read-only) is told, and the reading goes on.
    pub(crate) fn catch_up(&self, home: &Home, only: Option<&Target>) {
        match home.catch_up(only, clock::now()) {
            Ok(placed) => show::report_cards(self, &placed),
            Err(error) => {
                self.screen.note(format!("edits of cards are not taken in: {}", chain(&error)))
            }
        }
    }

    /// What is due behind a compaction: what is over goes, and old journals move into the archive; gives how many.
    /// What is written stays written, whatever becomes of this.
    pub(crate) fn archive(&self, home: &Home) -> usize {
        self.expire(home);
        self.archived(home.archive(clock::now()))
    }

    /// As `archive`, in the background.
    pub(crate) fn archive_beside(&self, home: &Home) {
        self.archived(home.archive_beside(clock::now()));
    }

    /// Takes away the logs of months that are over.
    pub(crate) fn expire(&self, home: &Home) {
        if let Err(error) = home.expire_if_due(clock::now()) {
            let why = chain(&error);
            self.screen.note(format!("heartbeats and tasks of months that are over stay: {why}"));
        }
    }

    fn archived(&self, archived: cocli_node::Result<Archived>) -> usize {
        match archived {
            Ok(archived) => archived.days,
            Err(error) => {
                self.screen.note(format!("old journals stay in wal/: {}", chain(&error)));
                0
            }
        }
    }

    /// Says where history is asked for and not all of it is here.
    pub(crate) fn tell_of_lost_history(&self, home: &Home) -> Result<(), Failure> {
        if let Some(day) = home.history_lost_until()? {
            self.screen.note(format!(
                "of some logs history up to {day} is not kept here (`cocli status --cluster`)"
            ));
        }
        Ok(())
    }

    /// What follows on a write; what a person has to know of the cards is said.
    fn finish(&self, home: &Home, session: Session<'_>, written: &Written) -> Result<(), Failure> {
        let placed = self::written(home, session, written)?;
        show::report_cards(self, &placed);
        Ok(())
    }

    /// The home, locked for writing at this moment.
    pub(crate) fn session<'h>(&self, home: &'h Home) -> Result<Session<'h>, Failure> {
        Ok(home.session(clock::now())?)
    }
}

/// What follows on a write of which there may be many: cards are put in place, journals that grew long are merged, and
/// the daemon hears of it, whatever became of both. Whether they were merged: then what is old goes to the archive.
pub(crate) fn settled(
    home: &Home,
    mut session: Session<'_>,
    written: &Written,
) -> (cocli_node::Result<Placed>, cocli_node::Result<bool>) {
    let done = (session.place(), session.compact_if_long());
    drop(session);
    door::wake(home, &written.end);
    done
}

/// What follows on a write, whoever wrote: where the target is removed it is refused; else cards are put in place, and
/// the daemon hears of it.
fn written(home: &Home, mut session: Session<'_>, written: &Written) -> Result<Placed, Failure> {
    if let Some((target, by)) = written.refused.first() {
        return Err(rm::removed(home, target, by));
    }
    let placed = session.place();
    drop(session);
    door::wake(home, &written.end);
    Ok(placed?)
}

pub(crate) fn run(cli: Cli, screen: Screen) -> Result<(), Failure> {
    let context = Context { data: cli.data, campaign: cli.campaign, screen };
    match cli.verb {
        None => morning::run(&context),
        Some(Verb::Init(args)) => init::run(&context, &args),
        Some(Verb::Join(args)) => init::join(&context, &args),
        Some(Verb::Clone(args)) => clone::run(&context, &args),
        Some(Verb::Ticket(args)) => ticket::run(&context, &args),
        Some(Verb::DataPath) => {
            let home = context.home()?;
            let path = home.path().display().to_string();
            match screen.json {
                true => screen.object(&json!({ "home": path })),
                false => screen.line(path),
            }
            Ok(())
        }
        Some(Verb::Add(args)) => add::run(&context, &args),
        Some(Verb::Set(args)) => set::run(&context, &args),
        Some(Verb::Unset(args)) => set::unset(&context, &args),
        Some(Verb::Get(args)) => get::run(&context, &args),
        Some(Verb::Show(args)) => show::run(&context, &args),
        Some(Verb::List(args)) => list::run(&context, &args),
        Some(Verb::Today(args)) => today::run(&context, &args),
        Some(Verb::Find(args)) => find::run(&context, &args),
        Some(Verb::Sql(args)) => sql::run(&context, &args),
        Some(Verb::Tag(args)) => set::tag(&context, &args),
        Some(Verb::Note(args)) => note::run(&context, &args),
        Some(Verb::Meeting(args)) => meeting::run(&context, &args),
        Some(Verb::Edit(args)) => edit::run(&context, &args),
        Some(Verb::Open(args)) => open::run(&context, &args),
        Some(Verb::Rm(args)) => rm::run(&context, &args),
        Some(Verb::Log(args)) => log::run(&context, &args),
        Some(Verb::Campaign(args)) => campaign::run(&context, &args),
        Some(Verb::Queue(args)) => queue::run(&context, &args),
        Some(Verb::Import(args)) => import::run(&context, &args),
        Some(Verb::Export(args)) => export::run(&context, &args),
        Some(Verb::Compact(args)) => compact::run(&context, &args),
        Some(Verb::State(args)) => state::run(&context, &args),
        Some(Verb::Conflicts(args)) => conflicts::run(&context, &args),
        Some(Verb::Resolve(args)) => conflicts::resolve(&context, &args),
        Some(Verb::Merge(args)) => merge::run(&context, &args),
        Some(Verb::Mv(args)) => merge::rename(&context, &args),
        Some(Verb::Split(args)) => split::run(&context, &args),
        Some(Verb::Accept(args)) => decide::accept(&context, &args),
        Some(Verb::Reject(args)) => decide::reject(&context, &args),
        Some(Verb::Undo(args)) => undo::run(&context, &args),
        Some(Verb::Daemon(args)) => daemon::run(&context, &args),
        Some(Verb::Sync(args)) => sync::run(&context, &args),
        Some(Verb::Hub(args)) => hub::run(&context, &args),
        Some(Verb::Status(args)) => status::run(&context, &args),
        Some(Verb::Top(args)) => top::run(&context, &args),
        Some(Verb::Web(args)) => web::run(&context, &args),
        Some(Verb::Doctor(args)) => doctor::run(&context, &args),
        Some(Verb::Demo(args)) => demo::run(&context, &args),
        Some(Verb::Config(args)) => config::run(&context, &args),
        Some(Verb::Completions(args)) => completions::run(&context, &args),
        Some(Verb::Man(args)) => completions::man(&context, &args),
        Some(Verb::Key(args)) => key::run(&context, &args),
        Some(Verb::Node(args)) => node::run(&context, &args),
        Some(Verb::Leave(args)) => leave::run(&context, &args),
        Some(Verb::Sim(args)) => sim::run(&context, &args),
        Some(Verb::Bench(args)) => bench::run(&context, &args),
    }
}
