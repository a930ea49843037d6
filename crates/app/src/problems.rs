//! What needs a person, each with its next command in backticks: the same in every face.

use cocli_node::durable::Seen;
use cocli_node::{Health, Held, Home, NodeError, Problem};
use serde_json::{Value as Json, json};

use crate::cluster::{Cluster, Difference, Node, Room, SKEW_TOLD_US, Standing};
use crate::door;
use crate::render::{counted, one_line};
use crate::sameness::groups;
use crate::words::{clock, span, whole};

/// A node that is down for longer, and did not say that it stops, is looked after.
const DOWN_TOLD_MS: u64 = 3_600_000;
/// Characters of a name or a value, and of what is to be done.
const CHARACTERS: usize = 40;
const MEND_CHARACTERS: usize = 400;
/// Differences that are told one by one.
const DIFFERENCES_MAX: usize = 5;
/// What the door of an older daemon does not say.
const MEND: &str = "`cocli doctor` on each of them";

/// One thing that needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Need {
    /// Of which kind it is: `cocli doctor explain` has a page of each.
    pub(crate) problem: Problem,
    /// What it is and what to do next, in one line.
    pub(crate) said: String,
}

impl Need {
    pub(crate) fn new(problem: Problem, said: impl Into<String>) -> Self {
        Self { problem, said: said.into() }
    }

    pub(crate) fn object(&self) -> Json {
        json!({"name": self.problem.name(), "said": self.said})
    }
}

/// What is known; whoever did not look at a part leaves it out.
#[derive(Debug, Default)]
pub(crate) struct Known<'k> {
    pub(crate) health: Option<&'k Health>,
    /// The answer to `status` at the door.
    pub(crate) daemon: Option<&'k Json>,
    /// Why the daemon says nothing, though it runs.
    pub(crate) mute: Option<&'k str>,
    /// The answer to `cluster`.
    pub(crate) cluster: Option<&'k Cluster>,
}

pub(crate) fn of(known: &Known<'_>) -> Vec<Need> {
    let mut problems = Vec::new();
    if let Some(health) = known.health {
        problems.extend(damage(health.holes, &health.troubles));
        problems.extend(decisions(&health.held, &health.broken));
    }
    problems.extend(of_daemon(known.daemon));
    problems.extend(clocks(known.daemon, known.cluster));
    problems.extend(known.mute.map(|why| Need::new(Problem::DaemonMute, why)));
    if let Some(cluster) = known.cluster {
        problems.extend(parts(cluster));
        problems.extend(differences(cluster));
        let up_s = cluster.me().and_then(|me| me.condition.number("up_s"));
        let up_ms = whole(up_s.unwrap_or_default()).saturating_mul(1_000);
        problems.extend(cluster.nodes.iter().flat_map(|node| of_node(node, up_ms)));
    }
    problems
}

/// What needs a person at this home, whether or not a daemon runs there: what is damaged or to be decided here, and the
/// bucket. Nothing of the state is read for it.
///
/// # Errors
/// When the home cannot be read.
pub(crate) fn of_home(home: &Home, daemon: Option<&Json>) -> Result<Vec<Need>, NodeError> {
    let health = home.needs_of(door::touched(daemon).as_deref())?;
    let mut problems = of(&Known { health: Some(&health), ..Known::default() });
    problems.extend(of_its_bucket(home, daemon)?);
    Ok(problems)
}

/// The same of the bucket alone.
///
/// # Errors
/// When the home cannot be read.
pub(crate) fn of_its_bucket(home: &Home, daemon: Option<&Json>) -> Result<Vec<Need>, NodeError> {
    match home.config().bucket.url {
        Some(_) => Ok(of_bucket(trouble(daemon), home.seen()?.as_ref())),
        None => Ok(Vec::new()),
    }
}

/// Why the daemon gets no answer from the bucket, and of what kind that is.
pub(crate) fn trouble(daemon: Option<&Json>) -> Option<(&str, &str)> {
    let trouble = daemon?.get("bucket")?.get("trouble")?;
    trouble.get("kind")?.as_str().zip(trouble.get("said")?.as_str())
}

/// What of the bucket needs a person: one that is away is tried again.
pub(crate) fn of_bucket(trouble: Option<(&str, &str)>, seen: Option<&Seen>) -> Vec<Need> {
    let mut problems = Vec::new();
    if let Some((kind, said)) = trouble.filter(|(kind, _)| *kind != "away") {
        let (problem, what) = match kind {
            "denied" => (
                Problem::BucketDenied,
                "other credentials or rights are needed (docs/bucket.md, \"Rights\")",
            ),
            "budget" => {
                (Problem::BucketBudget, "`[bucket] budget` in .cocli/config.toml bounds it")
            }
            _ => (Problem::BucketWrong, "`cocli sync` tells more"),
        };
        problems.push(Need::new(problem, format!("the bucket: {said}: {what}")));
    }
    if let Some(seen) = seen.filter(|seen| !seen.stuck.is_empty()) {
        let first = seen.stuck.first().map(ToString::to_string).unwrap_or_default();
        let said = format!(
            "{} in the bucket ({first}) {}: a node that holds what lies between uploads it, or brings it by gossip",
            counted(seen.stuck.len(), "log", "logs"),
            if seen.stuck.len() == 1 { "has a gap" } else { "have gaps" },
        );
        problems.push(Need::new(Problem::BucketGap, said));
    }
    problems
}

pub(crate) fn damage(holes: usize, troubles: &[(String, String)]) -> Vec<Need> {
    let tell = |(path, why): &(String, String)| {
        Need::new(Problem::JournalTrouble, format!("{path}: {why}: `cocli doctor`"))
    };
    let mut problems: Vec<Need> = troubles.iter().map(tell).collect();
    if holes > 0 {
        let blocks = counted(holes, "block of a journal is", "blocks of journals are");
        problems
            .push(Need::new(Problem::JournalDamaged, format!("{blocks} damaged: `cocli doctor`")));
    }
    problems
}

/// What a person has to decide about cards.
pub(crate) fn decisions(held: &[Held], broken: &[(String, String)]) -> Vec<Need> {
    let mut problems = Vec::new();
    for held in held {
        let said = format!(
            "{}: its edits wait ({}): `cocli accept {}` or `cocli reject {}`",
            held.path, held.why, held.target, held.target
        );
        problems.push(Need::new(Problem::EditsWait, said));
    }
    for (path, why) in broken {
        // A folder, or a list of tasks, is no card that opens.
        let next =
            if path.ends_with(".md") { format!(": `cocli edit {path}`") } else { String::new() };
        problems.push(Need::new(Problem::CardBroken, format!("{path}: left alone: {why}{next}")));
    }
    problems
}

fn of_daemon(daemon: Option<&Json>) -> Vec<Need> {
    let twins = list(daemon, "twins").iter().filter_map(Json::as_str);
    // Nothing is lost by it, but nobody can tell any more who wrote what.
    let mut problems: Vec<Need> = twins
        .map(|name| {
            let said = format!(
                "two machines are called {name}: \
                 end one, then `cocli init DIR --node NAME --join -` there"
            );
            Need::new(Problem::TwoOfOneName, said)
        })
        .collect();
    if daemon.and_then(|d| d.get("stalled")).and_then(Json::as_bool) == Some(true) {
        problems.push(Need::new(
            Problem::DiskRefuses,
            "the disk takes nothing that others send: make room, or see what `cocli daemon` said",
        ));
    }
    problems
}

/// Clocks that have to be set: where the one here is wrong, the others' are right. A daemon that tells nothing of the
/// cluster tells of its peers.
fn clocks(daemon: Option<&Json>, cluster: Option<&Cluster>) -> Option<Need> {
    let off = |us: &i64| us.unsigned_abs() >= SKEW_TOLD_US;
    let others = |cluster: &&Cluster| {
        cluster.nodes.iter().filter(|it| !it.me && it.is_up() && it.clock_us().is_some()).count()
    };
    // Of two clocks nobody can tell which is wrong.
    let many = cluster.filter(|cluster| others(cluster) > 1);
    if let Some(us) = many.and_then(Cluster::me).and_then(Node::clock_us).filter(off) {
        let said = format!(
            "the clock of this machine is {} by those of the others: set it (`timedatectl`)",
            clock(us)
        );
        return Some(Need::new(Problem::ClocksDiffer, said));
    }
    let of_peer = |peer: &Json| {
        let name = peer.get("node").and_then(Json::as_str).unwrap_or("?").to_owned();
        let live = peer.get("live").and_then(Json::as_bool) == Some(true);
        Some((name, peer.get("clock_ahead_us").and_then(Json::as_i64).filter(|_| live)?))
    };
    let ahead: Vec<(String, i64)> = match cluster {
        Some(cluster) => (cluster.nodes.iter())
            .filter(|node| !node.me && node.is_up())
            .filter_map(|node| Some((node.name.clone(), node.clock_ahead_us?)))
            .collect(),
        None => list(daemon, "peers").iter().filter_map(of_peer).collect(),
    };
    let wrong: Vec<String> = (ahead.iter())
        .filter(|(_, us)| off(us))
        .map(|(name, us)| format!("{} is {}", one_line(name, CHARACTERS), clock(*us)))
        .collect();
    // Nothing is refused for it, but of two who did not see each other the clock decides.
    (!wrong.is_empty()).then(|| {
        let wrong = wrong.join(", ");
        let said = format!(
            "clocks differ: by this machine's {wrong}: set the one that is wrong (`timedatectl`)"
        );
        Need::new(Problem::ClocksDiffer, said)
    })
}

fn list<'j>(daemon: Option<&'j Json>, key: &str) -> &'j [Json] {
    daemon.and_then(|d| d.get(key)).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// Into which parts the cluster fell.
fn parts(cluster: &Cluster) -> Option<Need> {
    (cluster.parts.len() > 1).then(|| {
        let groups = groups(cluster);
        let said =
            format!("these do not hear each other: {groups}: `cocli doctor net` on both sides");
        Need::new(Problem::NetworkCut, said)
    })
}

/// What differs, as far as it is named, and what the door says that mends it.
fn differences(cluster: &Cluster) -> Vec<Need> {
    let same = &cluster.sameness;
    let mend = same.mend.as_deref().map_or(MEND.into(), |mend| one_line(mend, MEND_CHARACTERS));
    let differ = &same.differ;
    let told = differ.iter().take(DIFFERENCES_MAX);
    let differs = |said: String| Need::new(Problem::StatesDiffer, said);
    let mut problems: Vec<Need> =
        told.map(|one| differs(format!("{}: {mend}", difference(one)))).collect();
    if differ.len() > DIFFERENCES_MAX {
        let more = differ.len() - DIFFERENCES_MAX;
        problems.push(differs(format!("{more} more fields differ: `cocli status --json` has all")));
    }
    let named = |name: &String| differ.iter().any(|one| one.node == *name);
    problems.extend(same.differing.iter().filter(|name| !named(name)).map(|name| {
        let name = one_line(name, CHARACTERS);
        differs(format!("{name} holds the same logs and shows another state: {mend}"))
    }));
    problems
}

fn difference(one: &Difference) -> String {
    let [node, target, field] =
        [&one.node, &one.target, &one.field].map(|text| one_line(text, CHARACTERS));
    let [here, there] = [&one.here, &one.there].map(|value| match value {
        Some(value) => format!("\"{}\"", one_line(value, CHARACTERS)),
        None => "nothing".to_owned(),
    });
    format!("{node} differs in {target} {field}: {here} here, {there} there")
}

/// `up_ms` is how long the daemon here runs: whom it did not hear in that time it cannot have met.
fn of_node(node: &Node, up_ms: u64) -> Vec<Need> {
    let (name, mut problems) = (one_line(&node.name, CHARACTERS), Vec::new());
    let whose = if node.me { "this machine".to_owned() } else { name.clone() };
    let kept_ms = node.condition_ms.filter(|_| up_ms >= DOWN_TOLD_MS);
    if let Some(ms) = node.heard_ms.or(kept_ms).filter(|ms| *ms >= DOWN_TOLD_MS)
        && node.standing == Standing::Down
    {
        let said = format!(
            "{name} is down for {}: `cocli daemon` there, or `cocli node rm {name}` when it is gone for good",
            span(ms / 1000)
        );
        problems.push(Need::new(Problem::NodeDown, said));
    }
    // Of a node that is off nobody knows how its disk is by now.
    if !node.is_up() {
        return problems;
    }
    if node.condition.room() == Some(Room::Full) {
        let said = format!("the disk of {whose} is full: make room there (`df -h`)");
        problems.push(Need::new(Problem::DiskFull, said));
    }
    if let Some(count) = node.condition.number("problems").filter(|count| *count >= 1.0 && !node.me)
    {
        let things = if count < 2.0 { "thing needs" } else { "things need" };
        let said = format!("{count:.0} {things} a person on {name}: `cocli status` there");
        problems.push(Need::new(Problem::NodeNeedsPerson, said));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_clocks(daemon: &Json, cluster: Option<&Json>) -> Vec<String> {
        let cluster = cluster.map(Cluster::read);
        let known = Known { daemon: Some(daemon), cluster: cluster.as_ref(), ..Known::default() };
        of(&known).into_iter().map(|need| need.said).collect()
    }

    #[test]
    fn clocks_that_are_a_minute_apart_need_a_person_and_those_of_the_silent_do_not() {
        let peer = |node: &str, live: bool, seconds: i64| {
            let standing = if live { "alive" } else { "down" };
            json!({"node": node, "live": live, "standing": standing, "clock_ahead_us": seconds * 1_000_000})
        };
        let peers = [
            peer("slow", true, -3 * 3_600),
            peer("fast", true, 2 * 86_400),
            peer("near", true, 59),
            peer("away", false, 86_400),
        ];
        let said = "clocks differ: by this machine's slow is 3 h behind, fast is 2 days ahead: set the one that is wrong (`timedatectl`)";
        // With or without a cluster that is told of, and never twice.
        let daemon = json!({ "peers": peers });
        assert_eq!(of_clocks(&daemon, None), [said]);
        assert_eq!(of_clocks(&daemon, Some(&json!({ "nodes": peers }))), [said]);
        assert!(of_clocks(&json!({"peers": [peers[2], peers[3]]}), None).is_empty());
        let me = json!({"node": "me", "me": true, "standing": "alive", "condition": {"clock_ahead_us": -7_200_000_000_i64}});
        // Of two clocks nobody can tell which is wrong.
        let two = of_clocks(&daemon, Some(&json!({"nodes": [me, peers[0]]})));
        assert_eq!(two.len(), 1);
        assert!(
            two[0].starts_with("clocks differ: by this machine's slow is 3 h behind"),
            "{two:?}"
        );
        let own = of_clocks(&daemon, Some(&json!({"nodes": [me, peers[0], peers[1]]})));
        assert_eq!(own.len(), 1);
        assert!(own[0].starts_with("the clock of this machine is 2 h behind"), "{own:?}");
    }

    #[test]
    fn a_node_that_was_down_before_the_daemon_here_began_is_told_once_that_had_the_time_to_hear_it()
    {
        let of = |up_s: u64, heard_ms: Json, condition_ms: Json| {
            of_clocks(
                &json!({}),
                Some(&json!({"nodes": [
                    {"node": "me", "me": true, "standing": "alive", "condition": {"up_s": up_s}},
                    {"node": "pi1", "standing": "down", "heard_ms": heard_ms, "condition_ms": condition_ms},
                ]})),
            )
        };
        let days = json!(3 * 86_400_000_u64);
        let told = of(3_600, Json::Null, days.clone());
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("pi1 is down for 3 days: `cocli daemon` there"), "{told:?}");
        assert!(of(3_599, Json::Null, days.clone()).is_empty(), "this one may have been away");
        assert!(of(7_200, Json::Null, json!(900_000)).is_empty());
        assert!(of(7_200, json!(900_000), days).is_empty(), "it was heard since");
    }

    #[test]
    fn nodes_that_differ_from_each_other_need_a_person_though_this_one_holds_other_logs() {
        let told = json!({"sameness": {"state": "differing", "differing": ["pi1", "pi2"]}});
        assert_eq!(differences(&Cluster::read(&told)).len(), 2);
    }

    #[test]
    fn a_bucket_that_denies_needs_a_person_and_one_that_is_away_does_not() {
        let of = |kind: &str| {
            let daemon = json!({"bucket": {"trouble": {"kind": kind, "said": "no"}}});
            of_bucket(trouble(Some(&daemon)), None)
        };
        assert!(of("away").is_empty());
        let wrong = Need::new(Problem::BucketWrong, "the bucket: no: `cocli sync` tells more");
        assert_eq!(of("wrong"), [wrong]);
        assert!(of_bucket(trouble(Some(&json!({"bucket": {"trouble": null}}))), None).is_empty());
    }

    #[test]
    fn who_differs_is_told_before_it_is_known_in_what_and_the_door_says_what_mends_it() {
        let mut told = json!({"sameness": {"state": "differing", "differing": ["pi1", "pi2"], "differ": [
            {"node": "pi1", "target": "companies/x", "field": "city", "here": "a", "there": null},
        ], "wrong": ["pi1"], "mend": "delete `it`"}});
        let of = |told: &Json| -> Vec<String> {
            differences(&Cluster::read(told)).into_iter().map(|need| need.said).collect()
        };
        assert_eq!(
            of(&told),
            [
                "pi1 differs in companies/x city: \"a\" here, nothing there: delete `it`",
                "pi2 holds the same logs and shows another state: delete `it`",
            ]
        );
        told["sameness"]["mend"] = Json::Null;
        assert!(of(&told).iter().all(|one| one.ends_with(MEND)));
    }
}
