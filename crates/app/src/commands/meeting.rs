//! `cocli meeting`: what was agreed with whom, and when.

use cocli_core::{Kind, Moment};
use cocli_node::followup::Now;

use super::Context;
use super::convo::{New, add, body, list, owner};
use crate::args::{Meeting, MeetingAdd, MeetingVerb, MeetingsOf};
use crate::clock;
use crate::failure::Failure;
use crate::when::{self, Lean};

/// How long ago what is recent was at most.
const RECENT_DAYS: i64 = 180;
const DAY_MICROS: i64 = 86_400_000_000;

pub(super) fn run(context: &Context, args: &Meeting) -> Result<(), Failure> {
    match &args.verb {
        MeetingVerb::Add(args) => add_meeting(context, args),
        MeetingVerb::List(args) => list_some(context, args, |_, _| true, false),
        MeetingVerb::Next(args) => list_some(context, args, |at, now| !now.has_passed(at), false),
        MeetingVerb::Recent(args) => {
            let since = |now: &Now| now.at.micros() - RECENT_DAYS * DAY_MICROS;
            let is_recent =
                |at: Moment, now: &Now| now.has_passed(at) && at.utc().micros() >= since(now);
            list_some(context, args, is_recent, true)
        }
    }
}

fn add_meeting(context: &Context, args: &MeetingAdd) -> Result<(), Failure> {
    let home = context.home()?;
    let of = owner(&home, &args.target)?;
    let at = when::typed(&args.when, Lean::Ahead)?;
    let text = match &args.body {
        Some(given) => body(Some(given))?,
        None => String::new(),
    };
    let length = args.length.as_deref().map(|typed| length(typed, at)).transpose()?;
    let fields = [
        ("type", args.kind.as_str()),
        ("content", text.as_str()),
        ("duration", length.as_deref().unwrap_or_default()),
    ];
    add(context, &home, &of, &New { kind: Kind::Meeting, at, title: &args.title, fields: &fields })
}

/// How long a meeting takes, as it is written.
fn length(typed: &str, at: Moment) -> Result<String, Failure> {
    if matches!(at, Moment::Day(_)) {
        let message = "a meeting without a time of day is of the whole day";
        return Err(Failure::usage(message).hint("name one, as `tomorrow 14:30`"));
    }
    let minutes = when::minutes(typed).ok_or_else(|| {
        Failure::usage(format!("{typed:?} is no length: expected one as `45m` or `1h 30m`"))
    })?;
    Ok(match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes}m"),
        (hours, 0) => format!("{hours}h"),
        (hours, minutes) => format!("{hours}h {minutes}m"),
    })
}

fn list_some(
    context: &Context,
    args: &MeetingsOf,
    wanted: impl Fn(Moment, &Now) -> bool,
    latest_first: bool,
) -> Result<(), Failure> {
    let home = context.home()?;
    let of = args.target.as_ref().map(|name| owner(&home, name)).transpose()?;
    context.catch_up(&home, of.as_ref());
    let now = clock::today();
    let mut meetings = home.convos(of.as_ref(), Kind::Meeting)?;
    meetings.retain(|meeting| meeting.at.is_none_or(|at| wanted(at, &now)));
    if latest_first {
        meetings.reverse();
    }
    list(context, meetings.iter(), of.is_none());
    Ok(())
}
