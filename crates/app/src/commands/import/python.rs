//! `cocli import cocli`: a whole home of the Python program.

use cocli_core::bucket::FailureKind;
use cocli_node::import::{Differs, How, KINDS, Report, Source, Tally};
use cocli_node::{BucketConfig, Home, NodeError};
use cocli_tier::Store;
use indicatif::ProgressStyle;
use serde_json::json;

use super::{DIFFER_SHOWN_MAX, differing, how, progress, tell_kept};
use crate::args::ImportFile;
use crate::commands::{Context, show};
use crate::failure::{Exit, Failure};
use crate::{bucket, clock, door};

pub(super) fn run(context: &Context, args: &ImportFile) -> Result<(), Failure> {
    let typed = args.path.to_string_lossy();
    let home = context.home()?;
    let source = match typed.contains("://") {
        false => Source::open(&args.path)?,
        true => match Store::folder_of(&typed)? {
            Some(folder) => Source::open(&folder)?,
            None => fetched(context, &home, &typed)?,
        },
    };
    let how = how(args.manner);
    let report = home.bring_in(&source, how, clock::now())?;
    if !how.dry_run {
        let mut session = context.session(&home)?;
        let compacted = session.compact_if_free();
        drop(session);
        if let Some(end) = &report.end {
            door::wake(&home, end);
        }
        if compacted? {
            context.archive(&home);
        }
        show::report_cards(context, &report.placed);
    }
    tell(context, how, &report);
    Ok(())
}

/// A home in a bucket, whose objects are counted on a terminal as they come.
fn fetched(context: &Context, home: &Home, url: &str) -> Result<Source, Failure> {
    let store = bucket::open(url, &BucketConfig::default()).map_err(refused)?;
    let bar = progress(context, "objects fetched");
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} {msg}") {
        bar.set_style(style);
    }
    let watch = |came| bar.set_position(came as u64);
    let source = Source::fetch(home, &store, store.address(), &watch);
    bar.finish_and_clear();
    source.map_err(|error| match error {
        NodeError::Bucket(failure) => refused(failure),
        error => error.into(),
    })
}

/// What helps against it is not what helps a node at its own bucket.
fn refused(failure: cocli_core::bucket::Failure) -> Failure {
    let hint = match failure.kind {
        FailureKind::Denied => {
            Some("who may `s3:ListBucket` and `s3:GetObject` there can bring it in")
        }
        FailureKind::Away => Some("nothing was brought in yet: start it again"),
        FailureKind::Wrong | FailureKind::Budget => None,
    };
    let told = Failure::new(Exit::Failed, failure.said);
    match hint {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

fn tell(context: &Context, how: How, report: &Report) {
    let screen = context.screen;
    let of = |kind: &str| report.kinds.get(kind).copied().unwrap_or_default();
    if screen.json {
        let count =
            |tally: Tally| json!({"new": tally.new, "changed": tally.changed, "same": tally.same});
        let odd: Vec<_> =
            report.odd.iter().map(|odd| json!({"path": odd.path, "why": odd.why})).collect();
        let differ = |all: &Differs| -> Vec<_> {
            all.list.iter().map(|(path, one)| differing(json!({"path": path}), one)).collect()
        };
        let mut object = json!({
            "odd": odd, "more_odd": report.more_odd, "passed_over": report.passed_over,
            "written": report.datagrams, "kept": report.kept.count, "differ": differ(&report.kept),
            "replaced": report.replaced.count, "gave_way": differ(&report.replaced), "dry_run": how.dry_run,
        });
        for kind in KINDS {
            object[kind] = count(of(kind));
        }
        screen.object(&object);
        return;
    }
    for odd in &report.odd {
        screen.note(format!("{}: {}", odd.path, odd.why));
    }
    if report.more_odd > 0 {
        screen.note(format!("{} more things are odd", report.more_odd));
    }
    for kind in KINDS {
        let Tally { new, changed, same } = of(kind);
        if new + changed + same > 0 {
            screen.line(format!("{kind:<10} {new} new, {changed} changed, {same} the same"));
        }
    }
    let would = if how.dry_run { "would be " } else { "" };
    screen.line(format!("{} values {would}written", report.datagrams));
    let kept = report.kept.list.iter().map(|(path, differ)| (path.clone(), differ));
    tell_kept(context, report.kept.count, kept);
    let replaced = report.replaced.count;
    for (path, one) in report.replaced.list.iter().take(DIFFER_SHOWN_MAX) {
        let held = one.held.as_deref().map_or("its removal".into(), |held| format!("{held:?}"));
        screen.note(format!(
            "{path}: {} {}: {held} gives way to {:?}",
            one.target, one.field, one.said
        ));
    }
    if replaced > DIFFER_SHOWN_MAX {
        screen.note(format!("{} more give way (`--json` names them)", replaced - DIFFER_SHOWN_MAX));
    }
    if replaced > 0 {
        let gave = if how.dry_run { "would give" } else { "gave" };
        screen.line(format!("{replaced} values of here {gave} way to newer ones of its journals"));
    }
    for (folder, count) in &report.passed_over {
        let folder = screen.safe(folder);
        screen.line(format!("passed over: {count} files of {folder}"));
    }
}
