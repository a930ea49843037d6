//! `cocli doctor explain`: the guide's page about a finding, out of the binary.

use cocli_node::Problem;
use serde_json::json;

use crate::commands::Context;
use crate::failure::{Exit, Failure};
use crate::render::Tone;

macro_rules! page {
    ($name:literal) => {
        include_str!(concat!("../../../../../docs/guide/problems/", $name, ".md"))
    };
}

/// One page, or what there is a page of.
pub(super) fn run(context: &Context, name: Option<&str>) -> Result<(), Failure> {
    let screen = context.screen;
    let Some(name) = name else {
        for problem in Problem::ALL {
            match screen.json {
                true => screen.object(&json!({"name": problem.name(), "title": title(*problem)})),
                false => screen.line(format!(
                    "{:<22} {}",
                    screen.paint(Tone::Strong, problem.name()),
                    title(*problem)
                )),
            }
        }
        return Ok(());
    };
    let problem = Problem::ALL.iter().find(|problem| problem.name() == name);
    let problem = problem.ok_or_else(|| Failure::new(Exit::Usage, format!("no page {name}")))?;
    match screen.json {
        true => screen.object(&json!({"name": name, "page": page(*problem)})),
        false => screen.lines(page(*problem).lines().map(ToOwned::to_owned)),
    }
    Ok(())
}

/// Its first heading.
fn title(problem: Problem) -> &'static str {
    page(problem).lines().next().unwrap_or_default().trim_start_matches("# ")
}

const fn page(problem: Problem) -> &'static str {
    match problem {
        Problem::AddressesUnreadable => page!("addresses-unreadable"),
        Problem::ArchiveIndexDamaged => page!("archive-index-damaged"),
        Problem::ArchiveOverBudget => page!("archive-over-budget"),
        Problem::BucketBudget => page!("bucket-budget"),
        Problem::BucketDenied => page!("bucket-denied"),
        Problem::BucketGap => page!("bucket-gap"),
        Problem::BucketWrong => page!("bucket-wrong"),
        Problem::CampaignUnreadable => page!("campaign-unreadable"),
        Problem::CardBroken => page!("card-broken"),
        Problem::CardsMissing => page!("cards-missing"),
        Problem::CheckpointDamaged => page!("checkpoint-damaged"),
        Problem::ClocksDiffer => page!("clocks-differ"),
        Problem::DaemonMute => page!("daemon-mute"),
        Problem::DiskFull => page!("disk-full"),
        Problem::DiskRefuses => page!("disk-refuses"),
        Problem::EditsWait => page!("edits-wait"),
        Problem::JournalDamaged => page!("journal-damaged"),
        Problem::JournalTrouble => page!("journal-trouble"),
        Problem::KeysUnreadable => page!("keys-unreadable"),
        Problem::LastRead => page!("last-read"),
        Problem::MonthNotMerged => page!("month-not-merged"),
        Problem::NetworkCut => page!("network-cut"),
        Problem::NobodyAnswers => page!("nobody-answers"),
        Problem::NodeDown => page!("node-down"),
        Problem::NodeNeedsPerson => page!("node-needs-person"),
        Problem::OddRecord => page!("odd-record"),
        Problem::OwnKey => page!("own-key"),
        Problem::PortTaken => page!("port-taken"),
        Problem::PythonRefused => page!("python-refused"),
        Problem::StatesDiffer => page!("states-differ"),
        Problem::TableDamaged => page!("table-damaged"),
        Problem::TwoOfOneName => page!("two-of-one-name"),
    }
}
