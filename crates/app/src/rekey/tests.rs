use proptest::prelude::*;

use super::*;

fn name(text: &str) -> NodeId {
    NodeId::written(text).unwrap()
}

fn key(n: u8) -> Key {
    Key::from_bytes([n; 32])
}

fn known(node: &str, n: u8) -> KnownNode {
    let key = Some(cocli_net::to_hex(&[n; 32]));
    KnownNode { node: name(node), key, removed: None, left: None }
}

fn cluster() -> Vec<KnownNode> {
    vec![known("pi1", 1), known("pi2", 2), known("laptop", 3)]
}

/// Made by `pi1`.
fn rekey(now: i64, n: u8, out: &str, known: &[KnownNode], before: Option<&Rekey>) -> Rekey {
    Rekey::begin(now, key(n), (&name("pi1"), [1; 32]), &name(out), known, before)
}

fn lacking(rekey: &Rekey) -> Vec<&str> {
    rekey.lacking().map(NodeId::as_str).collect()
}

#[test]
fn all_are_given_the_key_but_who_is_left_out_now_or_was_before() {
    let mut nodes = cluster();
    nodes.push(KnownNode { removed: Some("2026".into()), ..known("lost", 4) });
    nodes.push(KnownNode { left: Some("2026".into()), ..known("old", 5) });
    nodes.push(KnownNode { key: None, ..known("mute", 6) });
    let first = rekey(10, 9, "laptop", &nodes, None);
    assert_eq!(first.heirs.keys().map(NodeId::as_str).collect::<Vec<_>>(), ["old", "pi1", "pi2"]);
    assert_eq!(lacking(&first), ["pi2"], "who left is not waited for, nor is who made it");
    assert!(first.refuses_name(b"laptop") && first.refuses_name(b"lost"));
    assert!(first.refuses_key(&[3; 32]) && first.refuses_key(&[4; 32]));
    assert_eq!(first.heir(&[2; 32]), Some(&name("pi2")));
    assert_eq!((first.heir(&[3; 32]), first.heir(&[6; 32])), (None, None));
    // A node that takes its own removal back stays out, by the key that it had then too.
    let taken_back = vec![known("pi1", 1), known("pi2", 2), known("laptop", 7)];
    let second = rekey(5, 8, "pi2", &taken_back, Some(&first));
    assert_eq!(second.out[&name("laptop")], Some([3; 32]));
    assert!(second.made > first.made, "later, though the clock went back");
    assert_eq!(second.heirs.keys().map(NodeId::as_str).collect::<Vec<_>>(), ["pi1"]);
}

#[test]
fn a_name_that_comes_to_be_known_later_is_given_nothing() {
    let made = rekey(10, 9, "laptop", &cluster(), None);
    assert_eq!(made.heir(&[44; 32]), None);
    let mut held = made.clone();
    let mut told = made;
    told.heirs.insert(name("second"), Heir { public: [44; 32], has: true, left: false });
    held.learn(&told);
    assert_eq!(held.heir(&[44; 32]), None);
}

#[test]
fn the_phases_follow_from_the_ring() {
    let mut ring = Ring::new(key(1));
    let mut made = rekey(10, 9, "laptop", &cluster(), None);
    made.enter(&mut ring, None).unwrap();
    assert_eq!(made.phase(&ring), Phase::Taken);
    assert!(!made.retires(&ring, key(1).id()));
    ring.use_key(key(9).id()).unwrap();
    assert_eq!(made.phase(&ring), Phase::Used);
    assert!(made.retires(&ring, key(1).id()) && !made.retires(&ring, key(9).id()));
    // A key that a person adds later is none of the old ones.
    ring.add(key(5)).unwrap();
    assert!(!made.retires(&ring, key(5).id()));
    ring.remove(key(1).id()).unwrap();
    assert_eq!(made.phase(&ring), Phase::Done);
}

#[test]
fn in_a_full_ring_an_old_key_gives_way_and_never_the_one_in_use() {
    let mut ring = Ring::new(key(1));
    let mut first = rekey(10, 9, "laptop", &cluster(), None);
    first.enter(&mut ring, None).unwrap();
    let mut second = rekey(20, 8, "pi2", &cluster(), Some(&first));
    second.enter(&mut ring, Some(&first)).unwrap();
    assert_eq!(ring.list(), [1, 9, 8].map(|n| key(n).id()));
    let mut third = rekey(30, 7, "pi2", &cluster(), Some(&second));
    third.enter(&mut ring, Some(&second)).unwrap();
    assert_eq!(ring.list(), [1, 9, 7].map(|n| key(n).id()));
    let mut by_hand = Ring::new(key(1));
    by_hand.add(key(2)).unwrap();
    by_hand.add(key(3)).unwrap();
    let before = by_hand.clone();
    let mut fourth = rekey(40, 6, "pi2", &cluster(), None);
    assert_eq!(fourth.enter(&mut by_hand, None), Err(RingError::Full));
    assert_eq!(by_hand, before);
}

#[test]
fn a_rekey_never_takes_back_that_somebody_is_out() {
    let ours = rekey(10, 9, "laptop", &cluster(), None);
    // The stolen machine makes one itself, later, that leaves out who left it out.
    let theirs =
        Rekey::begin(99, key(8), (&name("laptop"), [3; 32]), &name("pi1"), &cluster(), None);
    assert_eq!(ours.against(&theirs), Verdict::Contrary);
    assert_eq!(theirs.against(&ours), Verdict::Contrary);
    // A person settles it by leaving out both.
    let settled = rekey(100, 7, "pi2", &cluster(), Some(&ours));
    assert_eq!(ours.against(&settled), Verdict::Theirs);
    assert_eq!(settled.against(&ours), Verdict::Ours);
}

#[test]
fn a_bad_text_is_refused_and_the_secret_is_kept() {
    let made = rekey(10, 9, "laptop", &cluster(), None);
    let text = made.to_file();
    let secret = cocli_net::to_hex(&[9; 32]);
    for (from, to) in [
        ("made 10", "made x"),
        ("made 10\n", ""),
        (&*secret, "0909"),
        ("node pi2", "node"),
        ("out laptop", "out pi2"),
        (" has", " hasnt"),
    ] {
        let fault = Rekey::from_file(&text.replacen(from, to, 1)).unwrap_err();
        assert!(!fault.contains(&secret[..8]), "{fault}");
    }
    let many = (0..=NODES_MAX).map(|n| format!("out n{n} -\n")).collect::<String>();
    assert!(Rekey::from_file(&format!("{}{many}", &*text)).is_err());
}

fn any_rekey() -> impl Strategy<Value = Rekey> {
    let heir = ("a[a-z0-9]{0,8}", any::<[u8; 32]>(), 0..3_u8);
    let out = ("b[a-z0-9]{0,8}", any::<Option<[u8; 32]>>());
    let heirs = prop::collection::vec(heir, 0..5);
    let outs = prop::collection::vec(out, 0..5);
    let old = prop::collection::vec(any::<[u8; 4]>(), 0..4);
    (0..9_i64, any::<[u8; 32]>(), heirs, outs, old).prop_map(|(made, key, heirs, out, old)| {
        let heir = |(node, public, mark): (String, Public, u8)| {
            (name(&node), Heir { public, has: mark == 1, left: mark == 2 })
        };
        Rekey {
            made,
            key: Key::from_bytes(key),
            heirs: heirs.into_iter().map(heir).collect(),
            out: out.into_iter().map(|(node, public)| (name(&node), public)).collect(),
            old: old.into_iter().map(KeyId).collect(),
        }
    })
}

proptest! {
    #[test]
    fn a_rekey_reads_back_as_it_was_written(rekey in any_rekey(), used: bool) {
        prop_assert_eq!(Rekey::from_file(&rekey.to_file()), Ok(rekey.clone()));
        let told = Told::read(&rekey.to_told(used)).unwrap();
        prop_assert_eq!(told, Told { rekey: Rekey { old: Vec::new(), ..rekey }, used });
    }

    #[test]
    fn two_nodes_judge_two_rekeys_alike(one in any_rekey(), other in any_rekey()) {
        let alike = match one.against(&other) {
            Verdict::Same => Verdict::Same,
            Verdict::Ours => Verdict::Theirs,
            Verdict::Theirs => Verdict::Ours,
            Verdict::Contrary => Verdict::Contrary,
        };
        prop_assert_eq!(other.against(&one), alike);
    }

    #[test]
    fn whatever_is_taken_leaves_out_all_that_was_out(one in any_rekey(), other in any_rekey()) {
        if one.against(&other) == Verdict::Theirs {
            prop_assert!(one.out.keys().all(|out| other.out.contains_key(out)));
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text: String) {
        let _ = Rekey::from_file(&text);
        let _ = Told::read(&format!("made 1\nnode {text}"));
    }
}
