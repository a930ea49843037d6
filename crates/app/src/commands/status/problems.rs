//! What needs a person, each with its next command.

use cocli_node::{Health, Held};

use super::table::span;
use super::view::View;
use super::{peers, sameness};
use crate::cluster::{Cluster, Node, Room, Standing};
use crate::render::{counted, one_line};

/// A node that is down for longer, and did not say that it stops, is looked after.
const DOWN_TOLD_MS: u64 = 3_600_000;
/// Characters of a name.
const NAME_CHARACTERS: usize = 40;

pub(super) fn of(view: &View) -> Vec<String> {
    let mut problems = of_home(&view.health);
    let me = view.cluster.as_ref().and_then(Cluster::me);
    problems.extend(peers::problems(view.daemon.as_ref(), me.and_then(Node::clock_us)));
    problems.extend(view.mute.clone());
    problems.extend(view.bucket.iter().flat_map(super::bucket::Bucket::problems));
    if let Some(cluster) = &view.cluster {
        problems.extend(of_cluster(cluster));
    }
    problems
}

fn of_home(health: &Health) -> Vec<String> {
    let mut problems = damage(health.holes, &health.troubles);
    problems.extend(decisions(&health.held, &health.broken));
    problems
}

pub(super) fn damage(holes: usize, troubles: &[(String, String)]) -> Vec<String> {
    let tell = |(path, why): &(String, String)| format!("{path}: {why}: `cocli doctor`");
    let mut problems: Vec<String> = troubles.iter().map(tell).collect();
    if holes > 0 {
        let blocks = counted(holes, "block of a journal is", "blocks of journals are");
        problems.push(format!("{blocks} damaged: `cocli doctor`"));
    }
    problems
}

/// What a person has to decide about cards.
pub(super) fn decisions(held: &[Held], broken: &[(String, String)]) -> Vec<String> {
    let mut problems = Vec::new();
    for held in held {
        problems.push(format!(
            "{}: its edits wait ({}): `cocli accept {}` or `cocli reject {}`",
            held.path, held.why, held.target, held.target
        ));
    }
    for (path, why) in broken {
        problems.push(format!("{path}: left alone: {why}"));
    }
    problems
}

fn of_cluster(cluster: &Cluster) -> Vec<String> {
    let mut problems = sameness::problems(cluster);
    problems.extend(cluster.nodes.iter().flat_map(of_node));
    problems
}

fn of_node(node: &Node) -> Vec<String> {
    let (name, mut problems) = (one_line(&node.name, NAME_CHARACTERS), Vec::new());
    let whose = if node.me { "this machine".to_owned() } else { name.clone() };
    if let Some(ms) = node.heard_ms.filter(|ms| *ms >= DOWN_TOLD_MS)
        && node.standing == Standing::Down
    {
        problems.push(format!(
            "{name} is down for {}: `cocli daemon` there, or `cocli node rm {name}` when it is gone for good",
            span(ms / 1000)
        ));
    }
    // Of a node that is off nobody knows how its disk is by now.
    if !node.is_up() {
        return problems;
    }
    if node.condition.room() == Some(Room::Full) {
        problems.push(format!("the disk of {whose} is full: make room there (`df -h`)"));
    }
    if let Some(count) = node.condition.number("problems").filter(|count| *count >= 1.0 && !node.me)
    {
        let things = if count < 2.0 { "thing needs" } else { "things need" };
        problems.push(format!("{count:.0} {things} a person on {name}: `cocli status` there"));
    }
    problems
}
