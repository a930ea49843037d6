#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use cocli_core::{Causality, Entry, Field, Instant, NodeId, Stamp, Target, Value};
use cocli_node::Conflict;
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::json;

use super::*;
use crate::tui::model::conflicts::Choice;
use crate::tui::model::pool::{Card, Found, History, Row, Which, Written};
use crate::tui::model::{Effect, Event};
use crate::tui::seen;

const SIZES: [(u16, u16); 9] =
    [(0, 0), (1, 1), (39, 9), (40, 10), (60, 10), (80, 24), (100, 12), (140, 40), (500, 3)];

fn shown(model: &Model, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(model, frame)).unwrap();
    // A terminal without columns has no text either.
    if width == 0 { String::new() } else { terminal.backend().to_string() }
}

fn model(view: View) -> Model {
    Model::new("laptop", view, true)
}

fn key(code: KeyCode) -> Event {
    Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

/// Keys one after the other; what the last of them asks for.
fn press(model: &mut Model, keys: &[KeyCode]) -> Vec<Effect> {
    keys.iter().map(|code| model.update(0, key(*code))).last().unwrap_or_default()
}

fn cluster() -> seen::Seen {
    let told = json!({
        "nodes": [
            {"node": "laptop", "me": true, "standing": "alive", "condition": {
                "version": "0.1.0", "load": 0.5, "cores": 4, "memory": 1000, "memory_free": 400,
                "disk": 1000, "disk_free": 10, "temperature": 84.2, "digest": "abc"}},
            {"node": "pi1", "standing": "down", "address": "10.0.0.2:9999", "heard_ms": 61_000,
                "clock_ahead_us": -7_200_000_000_i64, "lacks_bytes": 3_400, "condition": {}},
        ],
        "sameness": {"state": "spreading", "same": 1, "of": 2, "behind": ["pi1"], "differ": []},
        "oldest_ms": 9_000, "parts": [["laptop"], ["pi1"]],
    });
    seen::seen("laptop", &json!({}), Some(&told))
}

fn datagram(node: &str, value: &str) -> seen::Line {
    let told = json!({"node": node, "log": node, "target": "companies/acme", "field": "email",
        "value": value, "at": "2026-11-28T15:40:00.123Z", "own": node == "laptop", "delay_ms": 41});
    seen::line(&told).unwrap()
}

fn conflict(slug: &str) -> Conflict {
    let entry = |value: &str, node: &str| Entry {
        stamp: Stamp { instant: Instant::MIN, node: NodeId::read(node).unwrap() },
        causality: Causality::nothing(),
        value: Value::text(value),
    };
    Conflict {
        target: Target::read(&format!("companies/{slug}")).unwrap(),
        field: Field::read("city").unwrap(),
        entries: vec![entry("Dallas\u{1b}[2J", "pi1"), entry("Austin", "pi2")],
        twins: false,
    }
}

fn found(text: &str, count: usize) -> Found {
    let row = |n| Row {
        target: Target::read(&format!("companies/c{n}")).unwrap(),
        name: format!("Company {n}"),
    };
    Found { text: text.into(), rows: (0..count).map(row).collect(), ..Found::default() }
}

fn card() -> Card {
    let field = |name, value: &str| (Field::read(name).unwrap(), value.to_owned());
    Card {
        target: Target::read("companies/c0").unwrap(),
        fields: vec![field("name", "Company 0"), field("city", "Köln")],
        text: vec!["A text.".into()],
        removed: false,
    }
}

fn history() -> History {
    let (at, node, value) = ("2026-11-28 15:40:00".into(), "pi1".into(), "Bonn".into());
    let card = card();
    let written = vec![Written { at, node, value }];
    History { target: card.target, field: card.fields[1].0.clone(), written, lost_until: None }
}

#[test]
fn the_cluster_is_told_in_words_and_what_finds_no_room_is_named() {
    let mut model = model(View::Cluster);
    model.update(0, Event::Cluster(Ok(cluster())));
    let wide = shown(&model, (140, 30));
    for words in [
        "the network is cut: laptop | pi1; 1/2 identical; behind: pi1 (lacks 3.4 kB)",
        "not everywhere was written 9 s",
        "needs you: these do not hear each other: laptop | pi1: `cocli doctor net` on both sides",
        "99% full",
        "84°C hot",
        "-2 h",
        "-3.4 kB",
        "down",
    ] {
        assert!(wide.contains(words), "expected {words}: {wide}");
    }
    assert!(!wide.contains("no room"), "{wide}");
    let narrow = shown(&model, (40, 12));
    assert!(narrow.contains("no room: load") && narrow.contains("down"), "{narrow}");
    press(&mut model, &[KeyCode::Down, KeyCode::Enter]);
    let whole = shown(&model, (40, 20));
    assert!(whole.contains("10.0.0.2:9999") && whole.contains("61 s ago"), "{whole}");
}

#[test]
fn without_a_daemon_the_last_that_was_told_stays_and_is_called_old() {
    let mut model = model(View::Cluster);
    model.update(0, Event::Cluster(Err(Door::Shut)));
    let never = shown(&model, (80, 12));
    assert!(never.contains("no daemon runs") && never.contains("cocli daemon"), "{never}");
    model.update(1_000, Event::Cluster(Ok(cluster())));
    assert!(!shown(&model, (80, 12)).contains("no daemon runs"));
    model.update(6_000, Event::Cluster(Err(Door::Shut)));
    let gone = shown(&model, (80, 20));
    assert!(gone.contains("as it was 5 s ago") && gone.contains("no daemon runs"), "{gone}");
    model.update(7_000, Event::Cluster(Err(Door::Mute("it is busy".into()))));
    assert!(shown(&model, (80, 20)).contains("it is busy"));
}

#[test]
fn the_stream_is_filtered_and_stands_still_while_it_tells_how_many_wait() {
    let mut model = model(View::Live);
    model.update(0, Event::Follows(true));
    for value in ["one@a", "two@b", "three@a"] {
        model.update(0, Event::Line(datagram("pi1", value)));
    }
    let all = shown(&model, (120, 12));
    assert!(all.contains("companies/acme email one@a") && all.contains("41 ms"), "{all}");
    press(&mut model, &"/@A".chars().map(KeyCode::Char).collect::<Vec<_>>());
    press(&mut model, &[KeyCode::Enter]);
    let some = shown(&model, (60, 10));
    assert!(some.contains("three@a") && !some.contains("two@b"), "{some}");
    press(&mut model, &[KeyCode::Char(' ')]);
    model.update(0, Event::Line(datagram("pi1", "four@a")));
    model.update(0, Event::Line(datagram("pi1", "five@b")));
    let paused = shown(&model, (60, 10));
    assert!(paused.contains("paused: 1 waits") && !paused.contains("four@a"), "{paused}");
    press(&mut model, &[KeyCode::Char(' ')]);
    assert!(shown(&model, (60, 10)).contains("four@a"));
    // Looking back stands still; Enter opens what is looked at.
    let asked = press(&mut model, &[KeyCode::Up, KeyCode::Enter]);
    let opened = Target::read("companies/acme").unwrap();
    assert!(asked.contains(&Effect::Card(opened)), "{asked:?}");
    assert_eq!(model.view, View::Pool);
}

#[test]
fn rates_are_of_seconds_that_are_over_and_own_writes_have_no_delay() {
    let mut model = model(View::Rates);
    model.update(1_000, Event::Tick);
    for _ in 0..3 {
        model.update(1_500, Event::Line(datagram("pi1", "x")));
    }
    model.update(1_500, Event::Line(datagram("laptop", "x")));
    let soon = shown(&model, (100, 30));
    assert!(soon.contains("others, a second: -"), "{soon}");
    model.update(2_000, Event::Tick);
    let now = shown(&model, (100, 30));
    assert!(now.contains("others, a second: 3") && now.contains("own, a second: 1"), "{now}");
    assert!(now.contains("p50 41 ms, p95 41 ms"), "{now}");
    assert_eq!(model.rates.histogram(), [0, 0, 0, 3, 0, 0, 0, 0, 0, 0]);
    let low = shown(&model, (40, 10));
    assert!(low.contains("no room: delay p95"), "{low}");
    // A machine that slept for a day comes back.
    model.update(90_000_000, Event::Tick);
    assert!(shown(&model, (100, 30)).contains("others, a second: 0"));
}

#[test]
fn a_conflict_is_settled_with_the_chosen_value_once_it_was_asked_twice() {
    let mut model = model(View::Conflicts);
    model.update(0, Event::Conflicts(vec![conflict("acme"), conflict("brick")]));
    let two = shown(&model, (110, 12));
    assert!(two.contains("Conflicts (2)") && two.contains("companies/brick"), "{two}");
    assert!(two.contains("Dallas\\u{1b}[2J"), "{two}");
    assert!(press(&mut model, &[KeyCode::Right, KeyCode::Enter]).is_empty());
    assert!(shown(&model, (110, 12)).contains("keep value 2 for good?"));
    // Another key, and it is asked anew.
    assert!(
        press(&mut model, &[KeyCode::Down, KeyCode::Up, KeyCode::Right, KeyCode::Enter]).is_empty()
    );
    let settle = |choice| vec![Effect::Settle(Box::new(conflict("acme")), choice)];
    assert_eq!(press(&mut model, &[KeyCode::Enter]), settle(Choice::Keep(1)));
    let typed = press(&mut model, &"=q1".chars().map(KeyCode::Char).collect::<Vec<_>>());
    assert!(typed.is_empty() && model.view == View::Conflicts);
    assert_eq!(press(&mut model, &[KeyCode::Enter]), settle(Choice::Value("q1".into())));
    // What came in between is not settled by the question that was asked before.
    press(&mut model, &[KeyCode::Enter]);
    let mut grown = conflict("acme");
    grown.entries.insert(0, conflict("acme").entries[1].clone());
    model.update(0, Event::Conflicts(vec![grown]));
    assert!(press(&mut model, &[KeyCode::Enter]).is_empty());
}

#[test]
fn the_pool_is_browsed_searched_and_looked_into_down_to_who_wrote_a_field() {
    let mut model = model(View::Pool);
    let asked = model.begin();
    assert!(asked.contains(&Effect::Find { text: String::new(), which: Which::All }));
    let asked = model.update(0, Event::Found(found("", 1_837)));
    assert_eq!(asked, [Effect::Card(card().target)]);
    model.update(0, Event::Card(card()));
    let browsed = shown(&model, (100, 12));
    assert!(browsed.contains("1 of 1,837") && browsed.contains("Köln"), "{browsed}");
    press(&mut model, &[KeyCode::End]);
    assert!(shown(&model, (40, 12)).contains("Company 1836"));
    let asked = press(&mut model, &"/5q".chars().map(KeyCode::Char).collect::<Vec<_>>());
    assert_eq!(asked, [Effect::Find { text: "5q".into(), which: Which::All }]);
    // What was looked for before is shown no more when it comes late.
    model.update(0, Event::Found(found("5", 7)));
    assert!(!shown(&model, (100, 12)).contains("1 of 7"));
    model.update(0, Event::Found(found("5q", 3)));
    assert!(shown(&model, (100, 12)).contains("1 of 3"));
    model.update(0, Event::Card(card()));
    let asked = press(&mut model, &[KeyCode::Enter, KeyCode::Enter, KeyCode::Down, KeyCode::Enter]);
    assert_eq!(asked, [Effect::History(card().target, card().fields[1].0.clone())]);
    model.update(0, Event::History(history()));
    for size in [(40, 12), (120, 20)] {
        assert!(shown(&model, size).contains("Bonn"), "{}", shown(&model, size));
    }
    assert_eq!(press(&mut model, &[KeyCode::Char('e')]), [Effect::Edit(card().target)]);
    assert_eq!(press(&mut model, &[KeyCode::Char('q')]), [Effect::Quit]);
}

#[test]
fn every_key_is_told_where_there_is_room_and_a_terminal_that_is_too_small_is_told_so() {
    let mut model = model(View::Pool);
    assert!(shown(&model, (120, 20)).contains("e edit"));
    assert!(shown(&model, (40, 10)).contains("? keys  q end"));
    press(&mut model, &[KeyCode::Char('?')]);
    let all = shown(&model, (80, 24));
    for words in ["another value", "pause", "Ctrl-Z", "companies, people"] {
        assert!(all.contains(words), "expected {words}: {all}");
    }
    assert!(shown(&model, (40, 10)).contains("lines more"));
    assert!(shown(&model, (39, 9)).contains("39x9"));
}

#[test]
fn what_is_pasted_is_a_text_and_never_keys() {
    let paste = |model: &mut Model, text: &str| model.update(0, Event::Pasted(text.into()));
    for view in [View::Cluster, View::Rates, View::Conflicts] {
        let mut model = model(view);
        model.update(0, Event::Conflicts(vec![conflict("acme")]));
        assert!(paste(&mut model, "q\n\ne").is_empty());
        assert!(shown(&model, (80, 24)).contains("no place here"));
    }
    let mut live = model(View::Live);
    assert!(paste(&mut live, "ac\u{1b}me\nq\t").is_empty());
    assert_eq!((live.live.filter.as_str(), live.live.types), ("acme q", true));
    let mut pool = model(View::Pool);
    let find = |text: &str| vec![Effect::Find { text: text.into(), which: Which::All }];
    assert_eq!(paste(&mut pool, "Quick e\n"), find("Quick e"));
    press(&mut pool, &[KeyCode::Enter]);
    assert_eq!(
        paste(&mut pool, &"x".repeat(5_000))[0],
        find(&format!("Quick e{}", "x".repeat(993)))[0]
    );
    let mut conflicts = model(View::Conflicts);
    conflicts.update(0, Event::Conflicts(vec![conflict("acme")]));
    press(&mut conflicts, &[KeyCode::Char('=')]);
    assert!(paste(&mut conflicts, "Bonn\n").is_empty(), "a line that ends sets nothing");
    let settle = vec![Effect::Settle(Box::new(conflict("acme")), Choice::Value("Bonn".into()))];
    assert_eq!(press(&mut conflicts, &[KeyCode::Enter]), settle);
}

#[test]
fn what_needs_a_person_here_is_told_without_a_daemon_and_what_finds_no_room_is_counted() {
    let mut model = model(View::Cluster);
    model.update(0, Event::Cluster(Err(Door::Shut)));
    model.update(0, Event::Own(vec!["2 blocks of journals are damaged: `cocli doctor`".into()]));
    let alone = shown(&model, (100, 20));
    assert!(alone.contains("needs you: 2 blocks of journals"), "{alone}");
    assert!(alone.contains("1 Cluster (1)"), "{alone}");
    model.update(0, Event::Cluster(Ok(cluster())));
    let problems = |count| (0..count).map(|n| format!("card {n}")).collect();
    model.update(0, Event::Own(problems(30)));
    let many = shown(&model, (80, 24));
    assert!(many.contains("needs you: card 0") && many.contains("pi1"), "{many}");
    assert!(many.contains("more: `cocli status` has all"), "{many}");
    model.update(0, Event::Own(problems(2)));
    assert!(!shown(&model, (100, 40)).contains("has all"));
}

#[test]
fn a_node_that_differs_is_called_so_and_one_that_left_is_not_behind() {
    let nodes = json!([
        {"node": "laptop", "me": true, "standing": "alive"},
        {"node": "pi1", "standing": "alive"},
        {"node": "gone", "standing": "left", "lacks_bytes": 3_400},
    ]);
    let told = json!({"nodes": nodes, "sameness": {"state": "differing", "differing": ["pi1"]}});
    let mut model = model(View::Cluster);
    model.update(0, Event::Cluster(Ok(seen::seen("laptop", &json!({}), Some(&told)))));
    let shown = shown(&model, (100, 14));
    let row = |name: &str| shown.lines().find(|line| line.contains(&format!("\"{name} "))).unwrap();
    assert!(row("pi1").contains("differs"), "{shown}");
    assert!(row("gone").contains("left") && !row("gone").contains("kB"), "{shown}");
}

#[test]
fn without_colours_there_are_none() {
    let mut model = model(View::Cluster);
    model.update(0, Event::Cluster(Ok(cluster())));
    for colored in [true, false] {
        model.colored = colored;
        let mut terminal = Terminal::new(TestBackend::new(100, 30)).unwrap();
        terminal.draw(|frame| draw(&model, frame)).unwrap();
        let cells = terminal.backend().buffer().content();
        assert_eq!(cells.iter().any(|cell| cell.fg != Color::Reset), colored);
    }
}

fn event() -> impl Strategy<Value = Event> {
    let text = "[a-z/@\u{1b}\u{202e}é漢\n]{0,12}";
    prop_oneof![
        8 => any::<char>().prop_map(|c| key(KeyCode::Char(c))),
        8 => proptest::sample::select("q?/e=hjklgGfpy 12345".chars().collect::<Vec<_>>())
            .prop_map(|c| key(KeyCode::Char(c))),
        8 => proptest::sample::select(vec![
            KeyCode::Tab, KeyCode::BackTab, KeyCode::Enter, KeyCode::Esc, KeyCode::Up, KeyCode::Down,
            KeyCode::Left, KeyCode::Right, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Home,
            KeyCode::End, KeyCode::Backspace,
        ])
        .prop_map(key),
        1 => proptest::sample::select(vec!['c', 'u', 'w', 'd'])
            .prop_map(|c| Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL))),
        2 => Just(Event::Tick),
        2 => Just(Event::Cluster(Ok(cluster()))),
        1 => Just(Event::Cluster(Ok(seen::Seen::default()))),
        1 => text.prop_map(|text| Event::Cluster(Err(Door::Mute(text)))),
        1 => any::<bool>().prop_map(Event::Follows),
        4 => ("[a-z]{1,3}", text).prop_map(|(node, value)| Event::Line(datagram(&node, &value))),
        1 => any::<u64>().prop_map(|bytes| Event::Line(seen::Line::Much { log: "pi1".into(), bytes })),
        1 => (0..3usize).prop_map(|count| {
            Event::Conflicts((0..count).map(|n| conflict(&format!("c{n}"))).collect())
        }),
        2 => (0..60usize).prop_map(|count| Event::Found(found("", count))),
        2 => Just(Event::Card(card())),
        1 => Just(Event::History(history())),
        1 => Just(Event::Grown),
        1 => text.prop_map(Event::Pasted),
        1 => proptest::collection::vec(text, 0..30).prop_map(Event::Own),
        1 => text.prop_map(Event::Done),
        1 => text.prop_map(Event::Failed),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_happens_on_whatever_terminal_it_is_drawn(
        events in proptest::collection::vec((event(), 0..400_000u64, 0..SIZES.len()), 1..60),
        odd in (0..200u16, 0..60u16),
    ) {
        let mut model = Model::new("laptop", View::Cluster, true);
        model.begin();
        for (event, now_ms, size) in events {
            model.update(now_ms, event);
            shown(&model, SIZES[size]);
        }
        shown(&model, odd);
    }
}
