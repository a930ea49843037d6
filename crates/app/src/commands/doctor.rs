//! `cocli doctor`: looks at everything, says what is damaged and what mends it.

use serde_json::json;

use super::Context;
use crate::args::Doctor;
use crate::failure::{Exit, Failure};
use crate::render::Tone;

pub(super) fn run(context: &Context, args: &Doctor) -> Result<(), Failure> {
    let home = context.home()?;
    let findings = {
        let mut session = context.session(&home)?;
        session.examine(args.repair)?
    };
    let screen = context.screen;
    for finding in &findings {
        if screen.json {
            screen.object(&json!({
                "where": finding.place, "what": finding.what, "mended": finding.mended,
                "next": finding.next,
            }));
            continue;
        }
        let word = if finding.mended {
            screen.paint(Tone::Good, "mended")
        } else {
            screen.paint(Tone::Bad, "found")
        };
        screen.line(format!(
            "{word}  {}: {}",
            screen.safe(&finding.place),
            screen.safe(&finding.what)
        ));
        if let Some(next) = &finding.next {
            screen.line(format!("       next: {next}"));
        }
    }
    let open = findings.iter().filter(|finding| !finding.mended).count();
    if open > 0 {
        return Err(Failure::new(Exit::NeedsPerson, format!("{open} findings")));
    }
    if findings.is_empty() && !screen.json {
        screen.line("journals, checkpoint and cards are sound");
    }
    Ok(())
}
