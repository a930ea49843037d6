//! `cocli today`: what is due, meetings, whom one has not spoken to for too long, what others wrote.

mod ics;

use cocli_core::Moment;
use cocli_node::followup::{Agenda, News, Now, Silence};
use serde_json::{Value as Json, json};

use super::Context;
use super::show::circle;
use crate::args::Today;
use crate::clock;
use crate::failure::Failure;
use crate::render::{Screen, Tone, counted};
use crate::when;

/// Changes of each node that are told.
const NEWEST: usize = 3;
/// Names that a person is shown of those one has not spoken to.
const SILENT: usize = 20;

pub(super) fn run(context: &Context, args: &Today) -> Result<(), Failure> {
    let (home, screen, now) = (context.home()?, context.screen, clock::today());
    context.catch_up(&home, None);
    if args.ics {
        screen.raw(ics::calendar(&home.diary(&now)?, &home.cluster().to_string()).as_bytes());
        return Ok(());
    }
    let agenda = home.agenda(&now)?;
    let news = home.news(clock::yesterday(), NEWEST)?;
    if screen.json {
        screen.object(&object(&now, &agenda, &news));
        return Ok(());
    }
    screen.line(screen.paint(Tone::Strong, &when::shown(Moment::Day(now.day))));
    due(screen, &now, &agenda);
    silent(screen, &agenda.silent);
    others(screen, &news);
    for (target, text) in &agenda.unclear {
        screen.note(format!(
            "{target}: next_at is {text:?}, which is no day and no time: `cocli set {target} next_at=...`"
        ));
    }
    Ok(())
}

/// Next steps and meetings, in the order of the day.
fn due(screen: Screen, now: &Now, agenda: &Agenda) {
    let steps = agenda.due.iter().filter_map(|step| {
        let what = if step.what.is_empty() { "next step" } else { &step.what };
        Some((step.at?, &step.name, what.to_owned(), &step.target))
    });
    let meetings = agenda.meetings.iter().map(|talk| {
        let title = if talk.title.is_empty() { "meeting" } else { &talk.title };
        (talk.at, &talk.name, title.to_owned(), &talk.target)
    });
    let mut rows: Vec<_> = steps.chain(meetings).collect();
    rows.sort_by_key(|(at, _, _, target)| (now.place(*at), (*target).clone()));
    if rows.is_empty() {
        screen.line("nothing is due");
    }
    for (at, name, what, target) in rows {
        let what = what.replace('\n', " ");
        let text = format!("{name}: {what}");
        let at = moment(now, at);
        let late = if at.starts_with("today") { Tone::Good } else { Tone::Warn };
        screen.line(format!(
            "  {}  {}  {}",
            screen.paint(late, &format!("{at:<16}")),
            screen.safe(&text),
            screen.paint(Tone::Faint, target.as_str())
        ));
    }
}

/// `today 14:30`, or the day where it is another one.
fn moment(now: &Now, at: Moment) -> String {
    let shown = when::shown(at);
    let day = when::shown(Moment::Day(now.day));
    shown.strip_prefix(&day).map_or(shown.clone(), |time| format!("today{time}"))
}

fn silent(screen: Screen, silent: &[Silence]) {
    if silent.is_empty() {
        return;
    }
    screen.line(screen.paint(Tone::Faint, "not spoken to"));
    for one in silent.iter().take(SILENT) {
        let since = one.days.map_or_else(
            || "never".to_owned(),
            |days| format!("for {}", counted(days, "day", "days")),
        );
        let every = counted(one.every, "day", "days");
        let text = format!("{}: {}, every {every}", one.name, one.tag);
        screen.line(format!(
            "  {since:<16}  {}  {}",
            screen.safe(&text),
            screen.paint(Tone::Faint, one.target.as_str())
        ));
    }
    if silent.len() > SILENT {
        screen.line(format!("  and {} more (`cocli today --json`)", silent.len() - SILENT));
    }
}

fn others(screen: Screen, news: &[News]) {
    if news.is_empty() {
        return;
    }
    screen.line(screen.paint(Tone::Faint, "from others since yesterday"));
    for News { node, count, newest } in news {
        screen.line(format!("  {node}: {}", counted(*count, "change", "changes")));
        for datagram in newest {
            let value = &datagram.entry.value;
            let value = if value.is_null() { "removed".into() } else { value.shown() };
            let value: String = value.chars().take(60).collect();
            let text = format!("{}  {}={value}", datagram.target, datagram.field.key());
            screen.line(format!(
                "    {}  {}",
                screen.paint(Tone::Faint, &clock::shown(datagram.entry.stamp.instant)),
                screen.safe(&text.replace('\n', " "))
            ));
        }
    }
}

fn object(now: &Now, agenda: &Agenda, others: &[News]) -> Json {
    let silence = |one: &Silence| {
        json!({
            "target": one.target.as_str(), "name": one.name, "tag": one.tag, "every_days": one.every,
            "last": one.last.map(|at| at.to_string()), "days": one.days,
        })
    };
    let news = |news: &News| {
        let newest = news.newest.iter().map(|datagram| {
            json!({
                "at": datagram.entry.stamp.instant.to_string(), "target": datagram.target.as_str(),
                "field": datagram.field.as_str(), "value": datagram.entry.value.to_json(),
            })
        });
        json!({"node": news.node.as_str(), "changes": news.count, "newest": newest.collect::<Vec<_>>()})
    };
    let unclear = agenda.unclear.iter();
    let unclear = unclear.map(|(target, text)| json!({"target": target.as_str(), "next_at": text}));
    json!({
        "day": Moment::Day(now.day).to_string(),
        "due": agenda.due.iter().map(circle::step).collect::<Vec<_>>(),
        "meetings": agenda.meetings.iter().map(circle::talk).collect::<Vec<_>>(),
        "not_spoken_to": agenda.silent.iter().map(silence).collect::<Vec<_>>(),
        "from_others": others.iter().map(news).collect::<Vec<_>>(),
        "unclear": unclear.collect::<Vec<_>>(),
    })
}
