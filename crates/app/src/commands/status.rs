//! `cocli status`: how this home and its cluster are, and what needs a person.

mod bucket;
pub(super) mod history;
mod page;
mod peers;
pub(super) mod read_through;
mod table;
#[cfg(test)]
mod tests;
mod view;

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use cocli_node::Home;
use serde_json::json;

use super::Context;
use super::doctor::EXPLAIN;
use crate::args::Status;
use crate::failure::{Exit, Failure, chain};
use crate::metrics::{self, Told};
use crate::problems::{self, Known, Need};
use crate::render::{Redrawn, Tone, counted};
use crate::{clock, door};
use bucket::Bucket;
use view::{Asked, View};

pub(super) fn run(context: &Context, args: &Status) -> Result<(), Failure> {
    let home = context.home()?;
    if args.metrics {
        context.screen.raw(metrics(&home)?.as_bytes());
        return Ok(());
    }
    if let Some(seconds) = args.watch {
        return watch(context, args, Duration::from_secs_f64(seconds));
    }
    let view = View::of(&home)?;
    let problems = match context.screen.json {
        true => {
            context.screen.object(&view.object());
            view.problems().len()
        }
        false => {
            let width = context.screen.size().map(|(columns, _)| columns);
            let page = page::of(&view, context.screen, args.cluster, width);
            context.screen.lines(page.lines.into_iter());
            page.problems
        }
    };
    if problems == 0 {
        return Ok(());
    }
    Err(Failure::new(
        Exit::NeedsPerson,
        counted(problems, "thing needs a person", "things need a person"),
    )
    .hint(EXPLAIN))
}

/// What Prometheus is told of a home.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn metrics(home: &Home) -> Result<String, Failure> {
    let view = View::of(home)?;
    Ok(metrics::text(&Told {
        health: &view.health,
        problems: view.problems().len(),
        daemon: view.daemon.as_ref(),
        cluster: view.cluster.as_ref(),
        bucket: view.bucket.as_ref().map(Bucket::told),
    }))
}

/// Shows it again and again, until somebody ends it: that is no failure, whatever was shown.
fn watch(context: &Context, args: &Status, every: Duration) -> Result<(), Failure> {
    let (stop, stopped) = channel();
    ctrlc::set_handler(move || {
        let _ = stop.send(());
    })
    .map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;
    match context.screen.prints_to_a_person() {
        true => draw(context, args, every, &stopped),
        false => go_on(context, args, every, &stopped),
    }
}

/// In its place on the terminal. What cannot be read for a moment is told there, and tried again.
fn draw(
    context: &Context,
    args: &Status,
    every: Duration,
    stopped: &Receiver<()>,
) -> Result<(), Failure> {
    let screen = context.screen;
    let mut redrawn = Redrawn::begin(screen);
    loop {
        let width = screen.size().map(|(columns, _)| columns);
        match context.home().and_then(|home| View::of(&home)) {
            Ok(view) => {
                let page = page::of(&view, screen, args.cluster, width);
                redrawn.draw(page.lines, page.problems);
            }
            Err(failure) => {
                let told = screen.safe(&failure.whole());
                redrawn.draw(vec![screen.paint(Tone::Bad, &told)], 1);
            }
        }
        if is_over(every, stopped) {
            return Ok(());
        }
    }
}

/// For a program or a file: one after the other.
fn go_on(
    context: &Context,
    args: &Status,
    every: Duration,
    stopped: &Receiver<()>,
) -> Result<(), Failure> {
    loop {
        let view = View::of(&context.home()?)?;
        match context.screen.json {
            true => context.screen.object(&view.object()),
            false => {
                let page = page::of(&view, context.screen, args.cluster, None);
                context.screen.lines(page.lines.into_iter().chain([String::new()]));
            }
        }
        if is_over(every, stopped) || context.screen.reader_gone() {
            return Ok(());
        }
    }
}

fn is_over(every: Duration, stopped: &Receiver<()>) -> bool {
    !matches!(stopped.recv_timeout(every), Err(RecvTimeoutError::Timeout))
}

/// The page that `cocli` alone shows in a home.
pub(super) fn morning(context: &Context) -> Result<(), Failure> {
    let home = context.home()?;
    let Asked { daemon, mute } = Asked::of(&home);
    let glance = home.glance(&clock::today(), door::touched(daemon.as_ref()).as_deref())?;
    let mut problems = problems::damage(glance.holes, &glance.troubles);
    problems.extend(problems::decisions(&glance.cards.held, &glance.cards.broken));
    let (daemon_told, mute_told) = (daemon.as_ref(), mute.as_deref());
    problems.extend(problems::of(&Known {
        daemon: daemon_told,
        mute: mute_told,
        ..Known::default()
    }));
    let (screen, path) = (context.screen, home.path().display().to_string());
    if screen.json {
        screen.object(&json!({
            "home": path, "node": home.node().as_str(),
            "companies": glance.companies, "people": glance.people, "due": glance.due,
            "daemon": daemon, "problems": problems.iter().map(Need::object).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    let keyless = view::keyless(&home);
    let names = (home.node().as_str(), path.as_str());
    let mut lines =
        vec![page::daemon_line(screen, names, daemon.as_ref(), mute.is_some(), keyless.as_deref())];
    lines.push(page::entities(glance.companies, glance.people));
    if glance.due > 0 {
        let told = screen.paint(Tone::Strong, &format!("{} due today", glance.due));
        lines.push(format!("{told} (`cocli today`)"));
    }
    let left = if peers::any_gone(daemon.as_ref()) {
        view::left(&home, clock::now())?
    } else {
        Vec::new()
    };
    peers::each(&mut lines, screen, daemon.as_ref(), &left, false);
    peers::beside(&mut lines, screen, daemon.as_ref());
    lines.extend(problems.iter().map(|problem| page::needs_you(screen, problem)));
    lines.push(screen.paint(Tone::Faint, "`cocli --help` lists every verb"));
    screen.lines(lines.into_iter());
    Ok(())
}
