//! Two entities that were added apart under one slug: seen, and set apart.

use crate::support::Home;

fn node(name: &str) -> Home {
    let home = Home::none();
    home.run(&["init", "home", "--node", name]).ok();
    home
}

/// All journals of each are in the other.
fn exchange(one: &Home, other: &Home) {
    for (from, to) in [(one, other), (other, one)] {
        for journal in from.journals() {
            let there = to.path.join("wal").join(journal.file_name().unwrap());
            let longer = |path: &std::path::Path| path.metadata().map_or(0, |meta| meta.len());
            if longer(&journal) > longer(&there) {
                std::fs::copy(&journal, there).unwrap();
            }
        }
    }
}

fn value(home: &Home, target: &str, field: &str) -> String {
    let ran = home.run(&["get", target, field]);
    if ran.code == 0 { ran.out.trim_end().to_string() } else { "none".into() }
}

/// An Acme in the attic, and another one in the barn, added later: it stands.
fn two() -> (Home, Home) {
    let (attic, barn) = (node("attic"), node("barn"));
    attic
        .run(&["add", "company", "Acme", "--set", "domain=acme.example", "--set", "city=Rome"])
        .ok();
    attic.run(&["set", "companies/acme", "state=Lazio", "tags+=tiles", "tags+=lead"]).ok();
    attic.run(&["set", "companies/acme/notes/call-a1b2", "title=Call"]).ok();
    attic.run(&["add", "person", "Anna", "--company", "acme"]).ok();
    barn.run(&["add", "company", "Acme", "--set", "domain=acme.test", "--set", "city=Oslo"]).ok();
    barn.run(&["set", "companies/acme", "phone_number=+47 22 33 44 55", "tags+=lead"]).ok();
    barn.run(&["add", "person", "Berit", "--company", "acme"]).ok();
    exchange(&attic, &barn);
    (attic, barn)
}

#[test]
fn two_entities_under_one_slug_are_seen_and_set_apart_and_that_is_undone_as_one() {
    let (attic, barn) = two();
    let told = attic.run(&["conflicts"]);
    assert!(told.err.contains("companies/acme is two entities"), "{}{}", told.out, told.err);
    let json = attic.run(&["--json", "conflicts"]).ok();
    assert_eq!(json, barn.run(&["--json", "conflicts"]).ok());
    assert_eq!(json.matches("\"two_entities\":true").count(), 1, "{json}");
    let status = barn.run(&["status"]).ok();
    assert!(status.contains("companies/acme may be two entities"), "{status}");
    let before = attic.written();
    let dry = attic.run(&["split", "acme", "--dry-run"]).ok();
    assert!(dry.contains("companies/acme-2  gets what attic wrote:"), "{dry}");
    assert!(dry.contains("  domain  acme.example") && dry.contains("state  back to nothing"));
    assert!(dry.contains("companies/acme/notes/call-a1b2") && dry.contains("people/anna"), "{dry}");
    assert_eq!(attic.written(), before, "a dry run writes nothing");

    let told: serde_json::Value =
        serde_json::from_str(&attic.run(&["--json", "split", "acme"]).ok()).unwrap();
    assert_eq!((&told["second"], &told["nodes"][0]), (&"companies/acme-2".into(), &"attic".into()));
    exchange(&attic, &barn);
    let state = |home: &Home| home.run(&["state"]).ok();
    assert_eq!(state(&attic), state(&barn));
    for home in [&attic, &barn] {
        let of = |field: &str| [value(home, "companies/acme", field), value(home, "acme-2", field)];
        assert_eq!(of("domain"), ["acme.test", "acme.example"]);
        assert_eq!(of("city"), ["Oslo", "Rome"]);
        assert_eq!(of("name"), ["Acme", "Acme"]);
        assert_eq!(of("state"), ["none", "Lazio"]);
        assert_eq!(of("phone_number"), ["+47 22 33 44 55", "none"]);
        assert_eq!(of("tags"), ["[\"lead\"]", "[\"lead\",\"tiles\"]"]);
        assert_eq!(value(home, "people/anna", "company"), "companies/acme-2");
        assert_eq!(value(home, "people/berit", "company"), "companies/acme");
        assert_eq!(value(home, "companies/acme-2/notes/call-a1b2", "title"), "Call");
        home.run(&["get", "companies/acme/notes/call-a1b2", "title"]).fails(4, "was removed");
        assert!(home.run(&["conflicts"]).ok().contains("no conflicts"));
    }
    assert!(attic.read("companies/acme-2/_index.md").contains("domain: acme.example"));
    attic.run(&["split", "acme"]).fails(3, "is one entity, as far as its history tells");

    attic.run(&["undo"]).ok();
    assert_eq!(value(&attic, "companies/acme", "state"), "Lazio");
    assert_eq!(value(&attic, "companies/acme/notes/call-a1b2", "title"), "Call");
    assert_eq!(value(&attic, "people/anna", "company"), "companies/acme");
    assert!(!attic.run(&["list", "companies"]).ok().contains("acme-2"));
}

#[test]
fn whose_a_third_ones_value_is_nobody_guesses() {
    let (attic, barn) = two();
    let cabin = node("cabin");
    exchange(&barn, &cabin);
    // This one saw the barn's value alone: it is of that company.
    cabin.run(&["set", "companies/acme", "phone_number=+47 99 88 77 66"]).ok();
    exchange(&cabin, &attic);
    assert!(attic.run(&["split", "acme", "--dry-run"]).ok().contains("acme-2"));
    cabin.run(&["set", "companies/acme", "hours=Mon"]).ok();
    exchange(&cabin, &attic);
    let before = attic.written();
    let refused = attic.run(&["split", "acme"]).fails(4, "nobody can tell of which of the two");
    assert!(refused.err.contains("hours = Mon  cabin"), "{}", refused.err);
    assert!(refused.err.contains("cocli split companies/acme --node"), "{}", refused.err);
    assert_eq!(attic.written(), before);
    attic.run(&["split", "acme", "--node", "cabin"]).ok();
    assert_eq!(value(&attic, "companies/acme-2", "hours"), "Mon");
    assert_eq!(value(&attic, "companies/acme", "hours"), "none");
}

#[test]
fn a_third_ones_value_that_one_of_them_replaced_is_told_and_not_buried() {
    let (attic, barn) = two();
    let cabin = node("cabin");
    exchange(&barn, &cabin);
    cabin.run(&["set", "companies/acme", "hours=Mon"]).ok();
    exchange(&cabin, &barn);
    barn.run(&["set", "companies/acme", "hours=Tue"]).ok();
    exchange(&barn, &attic);
    let before = attic.written();
    let refused = attic.run(&["split", "acme"]).fails(4, "nobody can tell of which of the two");
    assert!(refused.err.contains("hours = Mon  cabin"), "{}", refused.err);
    assert_eq!(attic.written(), before);
    attic.run(&["split", "acme", "--node", "cabin"]).ok();
    assert_eq!(value(&attic, "companies/acme-2", "hours"), "Mon");
    assert_eq!(value(&attic, "companies/acme", "hours"), "Tue");
}

#[test]
fn who_added_the_first_or_wrote_nothing_there_wrote_nothing_of_the_second() {
    let (attic, _) = two();
    let before = attic.written();
    let first = attic.run(&["split", "acme", "--node", "barn"]);
    first.fails(2, "barn added the companies/acme that stays");
    let nobody = attic.run(&["split", "acme", "--node", "attik"]);
    nobody.fails(2, "attik wrote nothing of companies/acme: expected one of attic");
    assert_eq!(attic.written(), before);
    attic.run(&["split", "acme", "--node", "attic"]).ok();
}

#[test]
fn what_was_lost_between_others_than_the_two_is_told_still() {
    let (attic, barn) = two();
    let cabin = node("cabin");
    cabin.run(&["add", "company", "Acme", "--set", "domain=acme.net", "--set", "city=Bern"]).ok();
    exchange(&cabin, &barn);
    exchange(&cabin, &attic);
    cabin.run(&["split", "acme"]).fails(4, "domain = acme.example  attic");
    cabin.run(&["split", "acme", "--node", "barn"]).ok();
    let city = |target| value(&cabin, target, "city");
    assert_eq!([city("companies/acme"), city("companies/acme-2")], ["Bern", "Oslo"]);
    // The third one is a third company.
    let told = cabin.run(&["conflicts"]).ok();
    assert!(told.contains("Rome") && told.contains("acme.example"), "{told}");
    assert!(!told.contains("Oslo") && !told.contains("acme.test"), "{told}");
    cabin.run(&["split", "acme", "--node", "attic"]).ok();
    assert_eq!([city("companies/acme"), city("companies/acme-3")], ["Bern", "Rome"]);
    assert!(cabin.run(&["conflicts"]).ok().contains("no conflicts"));
}

#[test]
fn what_was_lost_within_the_second_is_told_still() {
    let (attic, barn) = two();
    let cabin = node("cabin");
    cabin.run(&["set", "companies/acme", "city=Bari", "domain="]).ok();
    exchange(&cabin, &barn);
    exchange(&cabin, &attic);
    attic.run(&["split", "acme", "--node", "cabin"]).ok();
    assert_eq!(value(&attic, "companies/acme-2", "city"), "Bari");
    let told = attic.run(&["conflicts"]).ok();
    assert!(told.contains("Rome") && !told.contains("Bari"), "{told}");
}

#[test]
fn a_note_that_the_first_wrote_in_stays_whoever_wrote_last() {
    let (attic, barn) = two();
    barn.run(&["set", "companies/acme/notes/call-a1b2", "title=Their call"]).ok();
    attic.run(&["set", "companies/acme/notes/visit-c3d4", "title=Visit"]).ok();
    exchange(&attic, &barn);
    attic.run(&["set", "companies/acme/notes/call-a1b2", "title=Our call"]).ok();
    let plan = attic.run(&["split", "acme", "--dry-run"]).ok();
    assert!(plan.contains("notes/visit-c3d4") && !plan.contains("call-a1b2"), "{plan}");
}

#[test]
fn one_entity_is_not_split() {
    let attic = node("attic");
    attic.run(&["add", "company", "Acme", "--set", "domain=acme.example"]).ok();
    attic.run(&["split", "acme"]).fails(3, "is one entity");
    attic.run(&["split", "companies/acme/notes/x"]).fails(2, "expected a company or a person");
    attic.run(&["split", "nobody"]).fails(3, "nobody");
    // Two who set the domain of one company apart disagree about that company.
    let barn = node("barn");
    exchange(&attic, &barn);
    attic.run(&["set", "companies/acme", "domain="]).ok();
    attic.run(&["set", "companies/acme", "domain=a.example"]).ok();
    barn.run(&["set", "companies/acme", "domain=b.example"]).ok();
    exchange(&attic, &barn);
    assert!(attic.run(&["conflicts"]).ok().contains("a.example"));
    attic.run(&["split", "acme"]).fails(3, "is one entity");
}
