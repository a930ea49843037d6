//! `cocli import cocli`: a whole home of the Python program.

use cocli_node::import::{Differs, How, KINDS, Report, Source, Tally};
use serde_json::json;

use super::{DIFFER_SHOWN_MAX, differing, how, tell_kept};
use crate::args::ImportFile;
use crate::commands::{Context, show};
use crate::failure::Failure;
use crate::{clock, door};

pub(super) fn run(context: &Context, args: &ImportFile) -> Result<(), Failure> {
    let typed = args.path.to_string_lossy();
    if typed.contains("://") && !typed.starts_with("file://") {
        let message = format!("{typed}: a bucket cannot be read here: expected a folder");
        let hint =
            format!("copy it first, as with `aws s3 sync {typed} FOLDER`, and import the folder");
        return Err(Failure::usage(message).hint(hint));
    }
    let path = typed.strip_prefix("file://").map_or_else(|| args.path.clone(), Into::into);
    let source = Source::open(&path)?;
    let home = context.home()?;
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
