//! `cocli split`: two entities that two nodes added under one slug, set apart.

use cocli_core::{Field, NodeId, Value};
use cocli_node::Split;
use serde_json::{Map, Value as Json, json};

use super::Context;
use crate::args;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::render::{Screen, Tone};

pub(super) fn run(context: &Context, args: &args::Split) -> Result<(), Failure> {
    let home = context.home()?;
    let target = home.resolve(&args.target)?;
    if !target.is_entity() {
        return Err(Failure::usage(format!("{target}: expected a company or a person")));
    }
    let nodes = args.node.iter().map(|node| NodeId::read(node)).collect::<Result<Vec<_>, _>>()?;
    let mut session = context.session(&home)?;
    if !args.dry_run {
        session.take_in(std::slice::from_ref(&target))?;
    }
    let plan = session.plan_split(&target, &nodes)?.ok_or_else(|| {
        Failure::new(
            Exit::NotFound,
            format!("{target} is one entity, as far as its history tells, or was settled"),
        )
        .hint(format!("`cocli log {target}` shows who wrote what"))
    })?;
    if !plan.unclear.is_empty() {
        return Err(refusal(context.screen, &plan));
    }
    if args.dry_run {
        tell(context.screen, &plan);
        context.screen.note("nothing was changed: without `--dry-run` it is done");
        return Ok(());
    }
    let written = session.write("split", &plan.changes, false)?;
    context.finish(&home, session, &written)?;
    tell(context.screen, &plan);
    Ok(())
}

/// Nobody can tell whose some values are.
fn refusal(screen: Screen, plan: &Split) -> Failure {
    for (field, entry) in &plan.unclear {
        let (node, at) = (&entry.stamp.node, clock::shown(entry.stamp.instant));
        screen.note(format!("{field} = {}  {node}, {at}", shown(&entry.value)));
    }
    let (first, target) = (&plan.first_node, &plan.first);
    let second = plan.second_nodes.iter().map(NodeId::as_str).collect::<Vec<_>>().join(", ");
    let message = format!(
        "others than {first} and {second} wrote values of {target}, and nobody can tell of which of the two: nothing was done"
    );
    Failure::new(Exit::Conflict, message).hint(format!(
        "`cocli split {target} --node NODE`, for each node that wrote of the one that {second} added; `--node {second}` for none else"
    ))
}

fn tell(screen: Screen, plan: &Split) {
    let nodes: Vec<&str> = plan.second_nodes.iter().map(NodeId::as_str).collect();
    if screen.json {
        let fields = |all: &[(Field, Value)]| -> Map<String, Json> {
            all.iter().map(|(field, value)| (field.key(), value.to_json())).collect()
        };
        let names = |all: &[cocli_core::Target]| -> Vec<String> {
            all.iter().map(ToString::to_string).collect()
        };
        screen.object(&json!({
            "target": plan.first.as_str(), "node": plan.first_node.as_str(),
            "second": plan.second.as_str(), "nodes": nodes,
            "gets": fields(&plan.gets), "back": fields(&plan.back),
            "below": names(&plan.below), "people": names(&plan.people),
        }));
        return;
    }
    let head = |text: String| screen.line(screen.paint(Tone::Strong, &text));
    head(format!("{}  gets what {} wrote:", plan.second, nodes.join(", ")));
    for (field, value) in &plan.gets {
        screen.line(screen.safe(&format!("  {field}  {}", shown(value))));
    }
    for (what, all) in [("", &plan.below), ("its person ", &plan.people)] {
        all.iter().for_each(|target| screen.line(format!("  {what}{target}")));
    }
    head(format!("{}  stays what {} wrote:", plan.first, plan.first_node));
    for (field, value) in &plan.back {
        screen.line(screen.safe(&format!("  {field}  back to {}", shown(value))));
    }
    if plan.back.is_empty() {
        screen.line("  nothing changes in it");
    }
}

fn shown(value: &Value) -> String {
    match value.is_null() {
        true => "nothing".into(),
        false => super::show::readable(value).replace('\n', " "),
    }
}
