//! `cocli campaign`: which campaigns there are, who belongs to them, and which one a terminal means.

use cocli_core::Target;
use cocli_node::{Campaign, Home, Session, Written, nearest};
use serde_json::{Map, Value as Json, json};

use super::Context;
use crate::args::CampaignVerb;
use crate::failure::{Exit, Failure};
use crate::render::{Tone, counted};
use crate::{clock, door};

/// Names the campaign of a terminal.
const CHOSEN: &str = "COCLI_CAMPAIGN";

pub(super) fn run(context: &Context, args: &crate::args::Campaign) -> Result<(), Failure> {
    let home = context.home()?;
    match &args.what {
        CampaignVerb::New { name } => new(context, &home, name),
        CampaignVerb::List => list(context, &home),
        CampaignVerb::Show { named } => show(context, &home, named.as_deref()),
        CampaignVerb::Use { named } => choose(context, &home, named),
        CampaignVerb::Add { targets } => {
            enlist(context, &home, targets, true, |typed| Ok(home.member(typed)?))
        }
        // Who was removed from the pool can be taken out all the same.
        CampaignVerb::Remove { targets } => {
            enlist(context, &home, targets, false, |typed| Ok(home.resolve(typed)?))
        }
        CampaignVerb::Exclude { target, reason, .. } => {
            exclude(context, &home, target, reason.as_deref())
        }
    }
}

/// The campaign that a command means: `--campaign`, else that of the terminal. Never one that another terminal chose.
pub(super) fn chosen(context: &Context, home: &Home) -> Result<Campaign, Failure> {
    match name_of_chosen(context) {
        Some(name) => Ok(home.campaign(&name)?),
        None => Err(Failure::usage(format!(
            "no campaign is chosen: expected --campaign C, or {CHOSEN}"
        ))
        .hint("`cocli campaign list`, then `eval \"$(cocli campaign use C)\"`")),
    }
}

/// As [`chosen`], where one is.
pub(super) fn if_chosen(context: &Context, home: &Home) -> Result<Option<Campaign>, Failure> {
    Ok(name_of_chosen(context).map(|name| home.campaign(&name)).transpose()?)
}

fn name_of_chosen(context: &Context) -> Option<String> {
    let here = || std::env::var(CHOSEN).ok();
    context.campaign.clone().or_else(here).filter(|name| !name.is_empty())
}

fn new(context: &Context, home: &Home, name: &str) -> Result<(), Failure> {
    if name.trim().is_empty() {
        return Err(Failure::usage("a campaign needs a name"));
    }
    let (campaign, written) = home.new_campaign(name, clock::now())?;
    door::wake(home, &written.end);
    match context.screen.json {
        true => context.screen.object(&json!({
            "campaign": campaign.slug, "name": campaign.name, "folder": campaign.folder,
        })),
        false => context.screen.line(format!(
            "campaigns/{}  {}; `eval \"$(cocli campaign use {})\"` chooses it here",
            campaign.slug,
            context.screen.safe(&campaign.name),
            campaign.slug
        )),
    }
    Ok(())
}

fn list(context: &Context, home: &Home) -> Result<(), Failure> {
    let (screen, all) = (context.screen, home.campaigns()?);
    let chosen = name_of_chosen(context);
    for one in &all {
        let here = chosen.as_deref() == Some(&one.slug);
        if screen.json {
            screen.object(&json!({
                "campaign": one.slug, "name": one.name, "folder": one.folder, "chosen": here,
                "members": one.members.len(), "excluded": one.excluded.len(),
            }));
            continue;
        }
        let members = counted(one.members.len(), "member", "members");
        let out = match one.excluded.len() {
            0 => String::new(),
            count => format!("  ·  {count} excluded"),
        };
        screen.line(format!(
            "{}  {}  {}{}",
            screen.safe(&one.slug),
            screen.paint(Tone::Strong, &screen.safe(&one.name)),
            screen.paint(Tone::Faint, &format!("{members}{out}")),
            if here { "  (chosen here)" } else { "" }
        ));
    }
    if all.is_empty() && !screen.json {
        screen.note("none: `cocli campaign new NAME` makes one");
    }
    Ok(())
}

fn choose(context: &Context, home: &Home, named: &str) -> Result<(), Failure> {
    let slug = home.campaign(named)?.slug;
    let line = format!("export {CHOSEN}={slug}");
    match context.screen.json {
        true => context.screen.object(&json!({ "campaign": slug, "export": line })),
        false => context.screen.line(line),
    }
    if context.screen.prints_to_a_person() {
        context
            .screen
            .note(format!("nothing is chosen yet: eval \"$(cocli campaign use {slug})\""));
    }
    Ok(())
}

fn show(context: &Context, home: &Home, named: Option<&str>) -> Result<(), Failure> {
    let campaign = match named {
        Some(named) => home.campaign(named)?,
        None => chosen(context, home)?,
    };
    let settings = home.campaign_settings(&campaign)?;
    let queues = home.queues(&campaign)?;
    let screen = context.screen;
    if screen.json {
        let excluded = campaign.excluded.iter();
        let excluded: Vec<Json> =
            excluded.map(|(who, reason)| json!({"who": who, "reason": reason})).collect();
        let queues: Map<String, Json> = queues
            .iter()
            .map(|(name, tasks)| (name.clone(), super::queue::counts(tasks)))
            .collect();
        screen.object(&json!({
            "campaign": campaign.slug, "name": campaign.name, "folder": campaign.folder,
            "members": campaign.members, "excluded": excluded, "queues": queues,
            "settings": serde_json::to_value(&settings).unwrap_or_default(),
        }));
        return Ok(());
    }
    let title = format!("{}  ({})", screen.safe(&campaign.name), screen.safe(&campaign.slug));
    screen.line(screen.paint(Tone::Strong, &title));
    screen.line(counted(campaign.members.len(), "member", "members"));
    screen.lines(campaign.members.iter().map(|member| match campaign.excludes(member) {
        Some(_) => format!("  {}  (excluded)", screen.safe(member)),
        None => format!("  {}", screen.safe(member)),
    }));
    screen.line(format!("{} excluded", campaign.excluded.len()));
    let excluded = campaign.excluded.iter();
    screen
        .lines(excluded.map(|(who, why)| format!("  {}: {}", screen.safe(who), screen.safe(why))));
    for (name, tasks) in &queues {
        screen.line(format!("queue {name}: {}", super::queue::summary(tasks)));
    }
    let text = settings.to_string();
    if !text.is_empty() {
        screen.line("settings");
        screen.lines(text.lines().map(|line| format!("  {}", screen.safe(line))));
    }
    Ok(())
}

fn enlist(
    context: &Context,
    home: &Home,
    typed: &[String],
    member: bool,
    resolve: impl Fn(&str) -> Result<Target, Failure>,
) -> Result<(), Failure> {
    let campaign = chosen(context, home)?;
    let targets = typed.iter().map(|one| resolve(one)).collect::<Result<Vec<_>, _>>()?;
    let mut session = context.session(home)?;
    let written = session.enlist(&campaign, &targets, member)?;
    finish(context, home, session, &written)?;
    match context.screen.json {
        true => context.screen.object(&json!({
            "campaign": campaign.slug, "changed": written.datagrams, "unchanged": written.unchanged,
        })),
        false => context.screen.line(format!(
            "{} {} {}{}",
            counted(written.datagrams, "member", "members"),
            if member { "added to" } else { "taken out of" },
            campaign.slug,
            match written.unchanged {
                0 => String::new(),
                count => format!("; {count} so already"),
            }
        )),
    }
    Ok(())
}

fn exclude(
    context: &Context,
    home: &Home,
    typed: &str,
    reason: Option<&str>,
) -> Result<(), Failure> {
    let campaign = chosen(context, home)?;
    let who = match reason {
        Some(_) => who(home, typed)?,
        None => excluded(home, &campaign, typed)?,
    };
    if reason.is_some_and(|reason| reason.trim().is_empty()) {
        return Err(Failure::usage("an exclusion needs a reason: expected --reason TEXT"));
    }
    let mut session = context.session(home)?;
    let written = session.exclude(&campaign, &who, reason)?;
    finish(context, home, session, &written)?;
    match (context.screen.json, reason) {
        (true, reason) => context.screen.object(&json!({
            "campaign": campaign.slug, "who": who, "excluded": reason.is_some(), "reason": reason,
        })),
        (false, Some(_)) => {
            context.screen.line(format!("{who} is excluded from {}", campaign.slug))
        }
        (false, None) => {
            context.screen.line(format!("{who} is no longer excluded from {}", campaign.slug));
        }
    }
    Ok(())
}

/// A target of the pool; else a domain or an address, of whom nobody in the pool has to be.
fn who(home: &Home, typed: &str) -> Result<String, Failure> {
    let member = home.member(typed);
    let lower = typed.trim().to_lowercase();
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    let is_domain = |text: &str| text.contains('.') && text.chars().all(fits);
    let is_called = |target: &Target| target.slug() == lower || target.as_str() == lower;
    match (&member, lower.split_once('@')) {
        (Ok(target), _) if is_called(target) => Ok(target.to_string()),
        // Somebody may be called so as well, which a domain or an address holds for.
        (_, Some((name, domain))) if !name.is_empty() && is_domain(domain) => Ok(lower),
        (_, None) if is_domain(&lower) => {
            Ok(lower.strip_prefix("www.").unwrap_or(&lower).to_owned())
        }
        _ => Ok(member?.to_string()),
    }
}

/// Who is meant of those that are left out.
fn excluded(home: &Home, campaign: &Campaign, typed: &str) -> Result<String, Failure> {
    let wanted = typed.trim().to_lowercase();
    let wanted = wanted.strip_prefix("www.").unwrap_or(&wanted);
    let of_slug = |who: &&String| **who == wanted || who.rsplit('/').next() == Some(wanted);
    if let Some(who) = campaign.excluded.keys().find(of_slug) {
        return Ok(who.clone());
    }
    let resolved = home.resolve(typed).ok();
    if let Some(target) = resolved.filter(|target| campaign.excludes(target.as_str()).is_some()) {
        return Ok(target.to_string());
    }
    let failure =
        Failure::new(Exit::NotFound, format!("{typed:?} is not excluded from {}", campaign.slug));
    let near = nearest(wanted, campaign.excluded.keys().map(String::as_str));
    Err(match near {
        Some(near) => failure.hint(format!("the nearest is `{near}`")),
        None => failure.hint("`cocli campaign show` lists who is"),
    })
}

/// What was written is told to the daemon; long journals are merged.
fn finish(
    context: &Context,
    home: &Home,
    session: Session<'_>,
    written: &Written,
) -> Result<(), Failure> {
    if let Some((target, by)) = written.refused.first() {
        return Err(super::rm::removed(home, target, by));
    }
    let (placed, compacted) = super::settled(home, session, written);
    super::show::report_cards(context, &placed?);
    if compacted? {
        context.archive(home);
    }
    Ok(())
}
