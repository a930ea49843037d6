//! `cocli init` and `cocli join`: a home, and the cluster that it belongs to.

use std::path::PathBuf;

use cocli_core::{ClusterId, NodeId};
use cocli_net::{Identity, Key, Ring, Ticket, TicketError};
use cocli_node::{Birth, Home, Membership};
use serde_json::json;

use super::Context;
use crate::args::{Init, Join};
use crate::failure::{Exit, Failure, chain};
use crate::{clock, door, locate, pasted};

mod bucket;

pub(super) fn run(context: &Context, args: &Init) -> Result<(), Failure> {
    let path = wanted(context, args.dir.as_ref())?;
    if (args.bucket.is_some() || args.git)
        && let Ok(home) = Home::open(&path, clock::rim())
    {
        if args.git {
            git(context, &home)?;
        }
        return args.bucket.as_deref().map_or(Ok(()), |url| bucket::begin(context, &home, url));
    }
    let ticket = args.join.as_deref().map(|text| ticket(context, text)).transpose()?;
    let node = match &args.node {
        Some(name) => NodeId::written(name)?,
        None => NodeId::written(&default_name())?,
    };
    let identity = Identity::fresh().map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;
    let birth = Birth {
        node: node.clone(),
        membership: membership(ticket.as_ref())?,
        identity: identity.to_bytes().to_vec(),
        identity_public: identity.public_hex(),
        cards: !args.no_cards,
        maybe_known: args.node.is_some() && ticket.is_some(),
    };
    let tried = args.bucket.as_deref().map(|url| bucket::tried(url, &node)).transpose()?;
    let home = Home::create(&path, &birth, clock::rim(), clock::now())?;
    let named = context.data.is_some() || std::env::var_os("COCLI_DATA_HOME").is_some();
    let noted = if named { false } else { locate::note(home.path())? };
    let screen = context.screen;
    if screen.json {
        screen.object(&json!({"home": home.path().display().to_string(), "node": node.as_str(),
            "cluster": home.cluster().to_string(), "joined": ticket.is_some(),
            "bucket": args.bucket}));
    }
    if !screen.json {
        screen.line(format!("{} is a data home; this node is {node}", home.path().display()));
        if noted {
            screen.line("it is your default home: commands find it from any folder");
        }
    }
    if let Some((url, tried)) = args.bucket.as_deref().zip(tried) {
        bucket::keep(context, &home, url, &tried)?;
    }
    if args.git {
        git(context, &home)?;
    }
    if screen.json {
        return Ok(());
    }
    next(context, ticket.is_some());
    Ok(())
}

/// Keeps all but cards out of git.
fn git(context: &Context, home: &Home) -> Result<(), Failure> {
    let (begun, screen) = (home.begin_git()?, context.screen);
    if screen.json {
        screen.note(if begun {
            ".gitignore is written"
        } else {
            ".gitignore stands there already"
        });
    } else if begun {
        screen.line("git passes over all but cards here (.gitignore); `git init` begins it");
    } else {
        screen.line(".gitignore stands there already, and stays as it is");
    }
    Ok(())
}

pub(super) fn join(context: &Context, args: &Join) -> Result<(), Failure> {
    let home = context.home()?;
    let ticket = ticket(context, &args.ticket)?;
    if door::is_open(&home) {
        let message =
            format!("{}: a daemon runs, and keeps to the old keys", home.path().display());
        return Err(Failure::new(Exit::Conflict, message).hint(
            "end it (Ctrl-C where it runs, or `cocli daemon stop`), then join, then start it again",
        ));
    }
    let membership = membership(Some(&ticket))?;
    home.join(&membership)?;
    // Opened anew: it may be of another cluster now.
    context.home()?.came_back(clock::now())?;
    match context.screen.json {
        true => context.screen.object(&json!({"cluster": membership.cluster.to_string()})),
        false => {
            context.screen.line(format!("{} is a member of the cluster now", home.node()));
            next(context, true);
        }
    }
    Ok(())
}

fn next(context: &Context, joined: bool) {
    let screen = context.screen;
    if !joined {
        screen.line("next: `cocli add company \"Acme Inc\"`, or `cocli import csv FILE`");
        screen.line("another machine joins with what `cocli ticket` prints here");
    }
    screen.line("`cocli daemon` keeps this machine level with the others while it runs, `cocli daemon install` for good");
}

/// Where the home goes: the argument, `--data`, the environment, else `~/cocli`.
pub(super) fn wanted(context: &Context, dir: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    let given = dir.cloned().or_else(|| locate::named(context.data.as_deref()));
    let path = match given {
        Some(path) => path,
        None => locate::home_folder()
            .ok_or_else(|| Failure::usage("$HOME is not set: say where: `cocli init DIR`"))?
            .join("cocli"),
    };
    std::path::absolute(&path).map_err(Failure::from)
}

/// The host's name made fit, and four random characters.
pub(super) fn default_name() -> String {
    let host = hostname::get().unwrap_or_default().to_string_lossy().to_lowercase();
    let host: String = host
        .split('.')
        .next()
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' })
        .take(50)
        .collect();
    let host = host.trim_matches('-');
    let host = if host.is_empty() { "node" } else { host };
    let tail = cocli_core::Epoch::from_random(clock::random()).as_str()[..4].to_string();
    format!("{host}-{tail}")
}

fn ticket(context: &Context, text: &str) -> Result<Ticket, Failure> {
    // A mail program may have broken it into lines.
    let whole = |text: &str| !matches!(Ticket::from_text(text), Err(TicketError::Cut { .. }));
    let ticket = match text {
        "-" => Ticket::from_text(&pasted::read(context.screen, "the ticket", whole)?),
        text => Ticket::from_text(text),
    };
    ticket.map_err(|error| {
        Failure::usage(chain(&error)).hint("`cocli ticket` on a member prints one; copy all of it")
    })
}

/// The cluster of a ticket, or a new one.
fn membership(ticket: Option<&Ticket>) -> Result<Membership, Failure> {
    let failed = |error: cocli_net::NoRandom| Failure::new(Exit::Failed, chain(&error));
    let (cluster, key, peers) = match ticket {
        Some(ticket) => (ticket.cluster, ticket.key.clone(), ticket.peers.clone()),
        None => (clock::random(), Key::fresh().map_err(failed)?, Vec::new()),
    };
    let keys = Ring::new(key).to_text().as_bytes().to_vec();
    Ok(Membership { cluster: ClusterId(cluster), keys, peers })
}

/// The key that streams know this node by; `None` when none that fits stands there.
pub(crate) fn identity(home: &Home) -> Result<Option<Identity>, Failure> {
    let private = home.identity()?.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    Ok(private.map(Identity::from_bytes))
}
