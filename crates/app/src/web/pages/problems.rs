//! What needs a person, each with the next thing to do.

use cocli_node::Health;

use crate::web::cluster::{Node, Seen};
use crate::web::speech::clock;

/// Less of a disk free is nearly full.
const DISK_FREE_MIN: f64 = 0.05;
/// A clock that differs by more has to be set by a person.
const SKEW_US: f64 = 60_000_000.0;

/// A problem, and what to do; what is to be typed stands in backticks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) what: String,
    pub(super) next: String,
}

fn problem(what: impl Into<String>, next: impl Into<String>) -> Problem {
    Problem { what: what.into(), next: next.into() }
}

pub(super) fn all(seen: &Seen, health: Option<&Health>) -> Vec<Problem> {
    let mut all = Vec::new();
    if let Some(silent) = &seen.silent {
        all.push(problem(silent.message.clone(), silent.hint.clone().unwrap_or_default()));
    }
    let cluster = &seen.cluster;
    cluster.nodes.iter().for_each(|node| of_node(node, &mut all));
    if cluster.parts.len() > 1 {
        let parts: Vec<String> = cluster.parts.iter().map(|part| part.join(", ")).collect();
        all.push(problem(
            format!(
                "The cluster fell into parts that do not hear each other: {}.",
                parts.join(" | ")
            ),
            "see what is between them: `cocli doctor net` on a node of each part",
        ));
    }
    for differs in cluster.sameness.iter().flat_map(|same| &same.differ) {
        all.push(problem(
            format!(
                "{} {} is {:?} here and {:?} on {}, though both hold the same logs.",
                differs.target, differs.field, differs.here, differs.there, differs.node
            ),
            "`cocli doctor --repair` on both makes the state anew from the journals",
        ));
    }
    health.into_iter().for_each(|health| of_home(health, &mut all));
    all
}

fn of_node(node: &Node, all: &mut Vec<Problem>) {
    let name = &node.name;
    if node.standing == "down" {
        all.push(problem(
            format!("{name} is down."),
            "start it, and `cocli daemon` there; for good: `cocli node rm` and its name",
        ));
    }
    if let Some(us) = node.clock_ahead_us.filter(|us| us.abs() >= SKEW_US && node.is_up()) {
        all.push(problem(
            format!("The clock of {name} is {}.", clock(us)),
            "set it: of two who change the same unseen, the clock decides",
        ));
    }
    if node.condition.free("disk").is_some_and(|free| free < DISK_FREE_MIN) && !node.is_gone() {
        all.push(problem(
            format!("The disk of {name} is nearly full."),
            "make room there; nothing is lost, but it takes nothing in when it is full",
        ));
    }
    if let Some(many) = node.condition.number("problems").filter(|many| *many > 0.0 && !node.me) {
        let things =
            if many < 2.0 { "1 thing needs".into() } else { format!("{many:.0} things need") };
        all.push(problem(
            format!("On {name} {things} a person."),
            "`cocli status` there says what",
        ));
    }
}

fn of_home(health: &Health, all: &mut Vec<Problem>) {
    if health.holes > 0 {
        all.push(problem(
            format!("Journals are damaged in {} places.", health.holes),
            "`cocli doctor` says where, and what mends it",
        ));
    }
    for (path, why) in &health.troubles {
        all.push(problem(format!("{path}: {why}."), "`cocli doctor`"));
    }
    for held in &health.held {
        let next = format!("`cocli accept {0}` or `cocli reject {0}`", held.target);
        all.push(problem(format!("{}: its edits wait: {}.", held.path, held.why), next));
    }
    for (path, why) in &health.broken {
        all.push(problem(format!("{path} is left alone: {why}."), "mend the file in an editor"));
    }
    for target in health.losses.iter().flat_map(|losses| &losses.twins) {
        all.push(problem(
            format!("{target} may be two entities under one slug."),
            format!("`cocli split {target} --dry-run`"),
        ));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::web::cluster::read;

    #[test]
    fn each_that_needs_a_person_is_named_with_what_to_do() {
        let told = json!({"nodes": [
            {"node": "a", "me": true, "standing": "alive", "condition": {"problems": 1}},
            {"node": "b", "standing": "down", "clock_ahead_us": 90_000_000},
            {"node": "c", "standing": "alive", "clock_ahead_us": -90_000_000, "condition": {"disk": 100, "disk_free": 4, "problems": 2}},
            {"node": "d", "standing": "left", "condition": {"disk": 100, "disk_free": 0}},
        ], "parts": [["a", "c"], ["d"]],
            "sameness": {"state": "differing", "differ": [{"node": "c", "target": "companies/x", "field": "city", "here": "a", "there": "b"}]}});
        let seen = Seen { cluster: read(&told), silent: None, runs: true };
        let told: Vec<String> = all(&seen, None).into_iter().map(|one| one.what).collect();
        assert_eq!(
            told,
            [
                "b is down.",
                "The clock of c is 90 s behind.",
                "The disk of c is nearly full.",
                "On c 2 things need a person.",
                "The cluster fell into parts that do not hear each other: a, c | d.",
                "companies/x city is \"a\" here and \"b\" on c, though both hold the same logs.",
            ]
        );
    }
}
