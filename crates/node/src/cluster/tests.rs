#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use cocli_core::frame::Boot;
use cocli_core::gossip::Counts;

use super::*;
use crate::nodes::KnownNode;

const S: Micros = 1_000_000;

fn id(name: &str) -> NodeId {
    NodeId::read(name).unwrap()
}

/// Holds the logs of this vector, and shows this state.
fn shows(vector: u128, digest: u128) -> Condition {
    Condition {
        vector: Some(vector),
        digest: Some(digest),
        rules: Some(1),
        up_s: Some(3600),
        ..Condition::default()
    }
}

/// A peer that was heard a second ago and holds what this node holds.
fn peer(name: &str) -> PeerStatus {
    let address = ([10, 0, 0, 1], 9999).into();
    PeerStatus {
        node: id(name),
        boot: Boot(1),
        address,
        addresses: vec![address],
        live: true,
        standing: Standing::Alive,
        silent_us: S,
        rtt_us: Some(900),
        clock_ahead_us: Some(0),
        gone: false,
        lacks_bytes: 0,
        ahead_bytes: 0,
        staying: Unequal::default(),
        condition: Some((shows(1, 1), 2 * S)),
    }
}

fn with(name: &str, change: impl Fn(&mut PeerStatus)) -> PeerStatus {
    let mut one = peer(name);
    change(&mut one);
    one
}

fn silent(name: &str, standing: Standing, silent_us: Micros) -> PeerStatus {
    with(name, |one| {
        (one.standing, one.silent_us, one.live) = (standing, silent_us, silent_us < 30 * S);
    })
}

fn kept(name: &str, change: impl Fn(&mut KeptNode)) -> (NodeId, KeptNode) {
    let known = KnownNode { node: id(name), key: None, removed: None, left: None };
    let mut one = KeptNode { known, condition: Condition::default(), at: None, stopped: None };
    change(&mut one);
    (id(name), one)
}

fn now() -> Instant {
    Instant::from_micros(1_795_000_000_000_000).unwrap()
}

fn seen_with(peers: Vec<PeerStatus>, kept: Vec<(NodeId, KeptNode)>, mine: &Condition) -> Cluster {
    let status = Status {
        peers,
        twins: BTreeSet::new(),
        unmet: Vec::new(),
        gaps: 0,
        stalled: false,
        counts: Counts::default(),
    };
    let kept = kept.into_iter().collect();
    let out = [id("thief")].into();
    let (me, now) = (id("me"), now());
    Cluster::of(&Seen { me: &me, now, mine: (mine, S), status: &status, kept: &kept, out })
}

fn seen(peers: Vec<PeerStatus>) -> Cluster {
    seen_with(peers, Vec::new(), &shows(1, 1))
}

fn stands(one: PeerStatus) -> Stands {
    seen(vec![one]).others[0].stands
}

fn parts(peers: Vec<PeerStatus>) -> Option<Vec<Vec<String>>> {
    let parts = seen(peers).parts?;
    Some(parts.iter().map(|part| part.iter().map(ToString::to_string).collect()).collect())
}

#[test]
fn a_node_is_what_the_members_say_of_it_unless_it_is_heard_or_is_not() {
    assert_eq!(stands(peer("b")), Stands::Alive);
    assert_eq!(stands(silent("b", Standing::Suspect, 4 * S)), Stands::Suspect);
    assert_eq!(stands(silent("b", Standing::Suspect, 9 * S)), Stands::Down, "within ten seconds");
    assert_eq!(stands(silent("b", Standing::Down, 9 * S)), Stands::Down);
    assert_eq!(stands(silent("b", Standing::Down, S)), Stands::Alive, "it was buried alive");
    assert_eq!(stands(silent("b", Standing::Alive, 16 * S)), Stands::Unheard);
    assert_eq!(stands(silent("b", Standing::Alive, 40 * S)), Stands::Unheard);
    let old = |one: &mut PeerStatus| (one.condition, one.silent_us) = (None, 16 * S);
    assert_eq!(stands(with("b", old)), Stands::Alive, "an older version speaks seldom");
    assert_eq!(stands(with("b", |one| one.gone = true)), Stands::Stopped);
    assert_eq!(stands(peer("thief")), Stands::Out);
}

#[test]
fn among_many_each_speaks_the_more_seldom_and_is_no_less_heard() {
    let quiet = |name: &str, seconds: u64| silent(name, Standing::Alive, seconds * S);
    let many = |seconds| {
        let others = (0..70).map(|n| peer(&format!("n{n}")));
        seen(others.chain([quiet("quiet", seconds)]).collect()).others
    };
    let of = |seconds| many(seconds).into_iter().find(|it| it.node == id("quiet")).unwrap().stands;
    assert_eq!((of(29), stands(quiet("b", 29))), (Stands::Alive, Stands::Unheard));
    assert_eq!(of(46), Stands::Unheard);
}

#[test]
fn of_a_node_that_was_not_met_it_is_told_what_it_kept_of_itself() {
    let all = vec![
        kept("left", |one| one.known.left = Some("2026".into())),
        kept("removed", |one| one.known.removed = Some("2026".into())),
        kept("stopped", |one| (one.at, one.stopped) = (Some(now()), Some(now()))),
        kept("broke", |one| {
            one.condition.problems = Some(3);
            one.at = Instant::from_micros(now().micros() - 5_000_000);
        }),
        kept("named", |_| ()),
    ];
    let cluster = seen_with(vec![peer("b")], all.clone(), &shows(1, 1));
    let words: Vec<_> =
        cluster.others.iter().map(|one| (one.node.as_str(), one.stands.word())).collect();
    let expected = [
        ("b", "alive"),
        ("broke", "down"),
        ("left", "left"),
        ("named", "unmet"),
        ("removed", "out"),
        ("stopped", "stopped"),
    ];
    assert_eq!(words, expected);
    let broke = &cluster.others[1];
    assert_eq!((broke.condition.problems, broke.condition_us), (Some(3), Some(5 * S)));
    assert_eq!((cluster.sameness, cluster.of), (Sameness::Identical, 2), "they are not up");
    let young = Condition { up_s: Some(1), ..shows(1, 1) };
    assert_eq!(seen_with(vec![], all, &young).others[0].stands, Stands::Unmet, "not met yet");
}

#[test]
fn what_a_node_kept_by_a_clock_that_is_ahead_takes_no_place_of_what_it_says() {
    let ahead = kept("b", |one| {
        one.condition = shows(7, 7);
        one.at = Instant::from_micros(now().micros() + 3_600_000_000);
    });
    let cluster = seen_with(vec![peer("b")], vec![ahead.clone()], &shows(1, 1));
    assert_eq!(
        (&cluster.others[0].condition, cluster.sameness),
        (&shows(1, 1), Sameness::Identical)
    );
    let mute = with("b", |one| one.condition = None);
    let cluster = seen_with(vec![mute], vec![ahead], &shows(1, 1));
    assert_eq!((&cluster.others[0].condition, cluster.sameness), (&shows(7, 7), Sameness::Unknown));
}

#[test]
fn of_two_starts_of_a_node_the_one_that_is_heard_counts() {
    let before = silent("b", Standing::Down, 20 * S);
    for peers in [vec![before.clone(), peer("b")], vec![peer("b"), before]] {
        let cluster = seen(peers);
        assert_eq!((cluster.others.len(), cluster.others[0].stands), (1, Stands::Alive));
    }
}

#[test]
fn all_are_the_same_when_everybody_who_is_up_shows_one_state_of_the_same_logs() {
    let of = |peers| {
        let cluster = seen(peers);
        (cluster.sameness, cluster.same, cluster.of)
    };
    let told =
        |name, vector, digest| with(name, |one| one.condition = Some((shows(vector, digest), S)));
    assert_eq!(of(vec![]), (Sameness::Alone, 1, 1));
    assert_eq!(of(vec![silent("b", Standing::Down, 20 * S)]), (Sameness::Alone, 1, 1));
    assert_eq!(of(vec![peer("b"), peer("c")]), (Sameness::Identical, 3, 3));
    assert_eq!(of(vec![peer("b"), told("c", 2, 2)]), (Sameness::Spreading, 2, 3));
    assert_eq!(of(vec![peer("b"), told("c", 1, 2)]), (Sameness::Differing, 2, 3));
    // Two others hold the same logs and show different states.
    assert_eq!(of(vec![told("b", 2, 1), told("c", 2, 2)]), (Sameness::Differing, 1, 3));
    let differing = |peers| seen(peers).differing;
    assert_eq!(differing(vec![told("b", 2, 1), told("c", 2, 2), peer("d")]), [id("b"), id("c")]);
    assert_eq!(
        differing(vec![told("b", 1, 2), told("c", 1, 1)]),
        [id("b")],
        "as this one shows it"
    );
    let mute = |one: &mut PeerStatus| one.condition = None;
    assert_eq!(of(vec![peer("b"), with("c", mute)]), (Sameness::Unknown, 2, 3));
    let late = |one: &mut PeerStatus| one.condition = Some((shows(1, 1), 31 * S));
    assert_eq!(of(vec![with("b", late)]), (Sameness::Unknown, 1, 2));
    // By other rules another digest says nothing.
    let newer = Condition { rules: Some(2), ..shows(1, 2) };
    let newer = with("b", |one| one.condition = Some((newer.clone(), S)));
    assert_eq!(of(vec![newer]), (Sameness::Unknown, 1, 2));
    let untold = seen_with(vec![peer("b")], Vec::new(), &Condition::default());
    assert_eq!((untold.sameness, untold.same), (Sameness::Unknown, 1));
}

#[test]
fn who_lacks_something_is_behind_and_so_is_this_node_when_another_holds_more() {
    let lacks = |one: &mut PeerStatus| one.staying.lacks = true;
    let ahead = |one: &mut PeerStatus| one.staying.ahead = true;
    let cluster = seen(vec![with("b", lacks), peer("c"), with("z", ahead)]);
    assert_eq!((cluster.sameness, cluster.behind), (Sameness::Spreading, vec![id("b"), id("me")]));
    // What both told before something came does not make them the same.
    assert_eq!(seen(vec![with("b", lacks), peer("c")]).same, 2);
    assert_eq!(seen(vec![with("b", ahead), peer("c")]).same, 2);
    let differs = with("b", |one| one.condition = Some((shows(1, 9), 7 * S)));
    let cluster = seen(vec![differs, peer("c")]);
    assert_eq!((cluster.differing, cluster.age_us), (vec![id("b")], 7 * S));
}

#[test]
fn nodes_that_fell_silent_together_are_a_part_and_one_alone_is_down() {
    let down = |name, seconds| silent(name, Standing::Down, seconds * S);
    assert_eq!(parts(vec![peer("a"), peer("b")]), None);
    assert_eq!(parts(vec![peer("a"), down("b", 20)]), None);
    let expected = vec![vec!["a".to_owned(), "me".into()], vec!["x".into(), "y".into()]];
    assert_eq!(parts(vec![peer("a"), down("y", 20), down("x", 24)]), Some(expected.clone()));
    let with_one = vec![peer("a"), down("y", 20), down("x", 24), down("long-gone", 4000)];
    assert_eq!(parts(with_one), Some(expected));
    assert_eq!(parts(vec![peer("a"), down("y", 20), down("x", 4000)]), None);
    // Who was switched off said so.
    let stopped = |name| with(name, |one: &mut PeerStatus| one.gone = true);
    assert_eq!(parts(vec![peer("a"), stopped("x"), stopped("y")]), None);
}
