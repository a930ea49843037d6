//! `cocli doctor explain`: the guide's page about a finding, out of the binary.

use cocli_node::Problem;
use serde_json::json;

use crate::commands::Context;
use crate::failure::{Exit, Failure};
use crate::render::Tone;

/// One page, or what there is a page of.
pub(super) fn run(context: &Context, name: Option<&str>) -> Result<(), Failure> {
    let screen = context.screen;
    let Some(name) = name else {
        for problem in Problem::ALL {
            match screen.json {
                true => screen.object(&json!({"name": problem.name(), "title": title(*problem)})),
                false => screen.line(format!(
                    "{} {}",
                    screen.paint(Tone::Strong, &format!("{:<22}", problem.name())),
                    title(*problem)
                )),
            }
        }
        return Ok(());
    };
    let problem = Problem::ALL.iter().find(|problem| problem.name() == name);
    let problem = problem.ok_or_else(|| Failure::new(Exit::Usage, format!("no page {name}")))?;
    match screen.json {
        true => screen.object(&json!({"name": name, "page": problem.page()})),
        false => screen.lines(problem.page().lines().map(ToOwned::to_owned)),
    }
    Ok(())
}

/// Its first heading.
fn title(problem: Problem) -> &'static str {
    problem.page().lines().next().unwrap_or_default().trim_start_matches("# ")
}
