//! Finding by more than a name: numbers, tags, what is missing, where it is, what notes say.

use crate::support::Home;

fn found(home: &Home, words: &[&str]) -> Vec<String> {
    let out = home.run(&[&["--json", "find"], words].concat()).ok();
    let lines = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.map(|line| line["target"].as_str().unwrap().to_owned()).collect()
}

fn people() -> Home {
    let home = Home::new();
    for (name, values) in [
        (
            "Berlin Bakery",
            &["phone_number=+49 (0)30 123 45-67", "latitude=52.52", "longitude=13.405"][..],
        ),
        (
            "Potsdam Paper",
            &["tags+=lead", "latitude=52.39", "longitude=13.06", "email=a@paper.example"],
        ),
        (
            "Munich Mills",
            &[
                "tags+=S&P 100",
                "latitude=48.14",
                "longitude=11.58",
                "all_emails+=Bob@Mills.example",
            ],
        ),
        ("Nowhere Nuts", &["tags+=lead", "latitude=north"]),
    ] {
        home.run(&["add", "company", name]).ok();
        let slug = name.to_lowercase().replace(' ', "-");
        home.run(&[&["set", slug.as_str()], values].concat()).ok();
    }
    home
}

#[test]
fn numbers_addresses_and_tags_are_found_however_they_are_typed_merged_or_not() {
    let home = people();
    for _ in 0..2 {
        assert_eq!(found(&home, &["(030) 1234567"]), ["companies/berlin-bakery"]);
        assert_eq!(found(&home, &["1234567"]), ["companies/berlin-bakery"]);
        assert_eq!(found(&home, &["0123/45-67"]), ["companies/berlin-bakery"]);
        assert_eq!(found(&home, &["bob@mills"]), ["companies/munich-mills"]);
        assert_eq!(found(&home, &["s&p"]), ["companies/munich-mills"]);
        assert_eq!(found(&home, &["LEAD"]), ["companies/nowhere-nuts", "companies/potsdam-paper"]);
        home.run(&["compact"]).ok();
    }
    home.run(&["tag", "rm", "companies/potsdam-paper", "lead"]).ok();
    home.run(&["unset", "companies/munich-mills", "all_emails"]).ok();
    assert_eq!(found(&home, &["lead"]), ["companies/nowhere-nuts"]);
    let told = home.run(&["find", "bob@mills.example"]).err;
    assert!(told.contains("nearly so"), "{told}");
}

#[test]
fn who_is_gone_takes_nobodys_place_and_who_has_many_addresses_takes_one() {
    let home = Home::new();
    let lines = |count: usize, field: &str, value: &dyn Fn(usize) -> String| {
        let line = |n| {
            format!(
                "{{\"target\":\"companies/xyz{n}\",\"field\":\"{field}\",\"value\":{}}}\n",
                value(n)
            )
        };
        (0..count).map(line).collect::<String>()
    };
    home.input(&["set", "--from", "-"], lines(120, "name", &|n| format!("\"Xyz {n}\"")).as_bytes())
        .ok();
    home.run(&["add", "company", "Xyz Long Living Name"]).ok();
    home.run(&["compact"]).ok();
    home.input(&["set", "--from", "-"], lines(120, "_deleted", &|_| "true".into()).as_bytes()).ok();
    let ran = home.run(&["find", "xyz"]);
    assert_eq!((ran.out.lines().count(), ran.err.as_str()), (1, ""));
    let many: Vec<String> = (0..99).map(|n| format!("all_emails+=x{n}@gmail.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    home.run(&["add", "company", "Zeta"]).ok();
    home.run(&[&["set", "companies/zeta"], &many[..]].concat()).ok();
    home.run(&["set", "companies/xyz-long-living-name", "email=a-very-long-address@gmail.example"])
        .ok();
    assert_eq!(found(&home, &["gmail"]).len(), 2);
    assert_eq!(
        found(&home, &["a-very-long-adress@gmail.exmple"]),
        ["companies/xyz-long-living-name"]
    );
}

#[test]
fn a_name_of_digits_is_found_as_it_is_typed_and_what_cannot_be_near_is_said() {
    let home = Home::new();
    home.run(&["add", "company", "118 118"]).ok();
    let ran = home.run(&["find", "118 118"]);
    assert!(ran.out.starts_with("118-118") && ran.err.is_empty(), "{}", ran.err);
    home.run(&["find", "--near", "1,1", "--within", "-3"]).fails(2, "expected kilometres");
    let told = home.run(&["find", "118", "tag:none"]).err;
    assert!(told.contains("nothing that all of this holds for"), "{told}");
}

#[test]
fn conditions_narrow_what_a_text_finds_and_stand_alone() {
    let home = people();
    assert_eq!(found(&home, &["tag:lead"]), ["companies/nowhere-nuts", "companies/potsdam-paper"]);
    assert_eq!(found(&home, &["tag:S&P 100"]), ["companies/munich-mills"]);
    let without = ["companies/berlin-bakery", "companies/nowhere-nuts"];
    assert_eq!(found(&home, &["missing:email"]), without);
    assert_eq!(found(&home, &["missing:phone", "tag:lead", "paper"]), ["companies/potsdam-paper"]);
    assert_eq!(found(&home, &["papper", "tag:lead"]), ["companies/potsdam-paper"]);
    assert_eq!(found(&home, &["bakery", "tag:lead"]), Vec::<String>::new());
    assert_eq!(found(&home, &["--where", "name=Berlin Bakery"]), ["companies/berlin-bakery"]);
    home.run(&["rm", "companies/nowhere-nuts"]).ok();
    assert_eq!(found(&home, &["tag:lead"]), ["companies/potsdam-paper"]);
    home.run(&["find", "--where", "city"]).fails(2, "expected FIELD=VALUE");
}

#[test]
fn what_is_near_a_place_comes_nearest_first_with_how_far_it_is() {
    let home = people();
    let near = |within: &str| found(&home, &["--near", "52.52,13.40", "--within", within]);
    assert_eq!(near("1"), ["companies/berlin-bakery"]);
    assert_eq!(near("50"), ["companies/berlin-bakery", "companies/potsdam-paper"]);
    assert_eq!(near("600").len(), 3);
    let out = home.run(&["find", "paper", "--near", "52.52,13.40"]).ok();
    assert!(out.starts_with("   27.") && out.contains(" km potsdam-paper"), "{out}");
    assert_eq!(found(&home, &["--near", "-33.9,151.2"]), Vec::<String>::new());
    home.run(&["find", "--near", "north"]).fails(2, "expected LAT,LON");
    home.run(&["find", "--within", "5"]).fails(2, "--near");
}

#[test]
fn what_notes_and_meetings_say_is_found_the_newest_first_while_whom_they_are_about_is_there() {
    let home = people();
    home.run(&[
        "note",
        "add",
        "berlin-bakery",
        "First",
        "--body",
        "They want\nthe OFFER by Monday",
    ])
    .ok();
    home.run(&["meeting", "add", "munich-mills", "2020-01-01 10:00", "About the offer"]).ok();
    let targets = found(&home, &["--notes", "the", "offer"]);
    let about: Vec<&str> = targets.iter().map(|t| t.rsplitn(3, '/').last().unwrap()).collect();
    assert_eq!(about, ["companies/berlin-bakery", "companies/munich-mills"]);
    assert_eq!(found(&home, &["--notes", "monday offer"]).len(), 1);
    let out = home.run(&["find", "--notes", "monday"]).ok();
    assert!(out.contains("They want the OFFER by Monday"), "{out}");
    home.run(&["rm", "companies/berlin-bakery"]).ok();
    assert_eq!(found(&home, &["--notes", "offer"]).len(), 1);
    home.run(&["find", "--notes"]).fails(2, "TEXT");
}

#[test]
fn a_field_that_nobody_has_is_doubted_and_a_tag_may_stand_in_quotes() {
    let home = Home::new();
    home.run(&["set", "companies/acme", "name=Acme", "tags=[\"S&P 100\"]"]).ok();
    for word in ["tag:S&P 100", "tag:\"S&P 100\""] {
        assert_eq!(found(&home, &[word]), ["companies/acme"], "{word}");
    }
    let ran = home.run(&["find", "missing:emial"]);
    assert!(ran.err.contains("the nearest is \"email\""), "{}", ran.err);
    assert_eq!(home.run(&["find", "missing:phone"]).err, "");
    let ran = home.run(&["list", "companies", "--where", "slug=acme"]);
    assert!(ran.err.contains("\"slug\" is told of everybody beside the fields"), "{}", ran.err);
}
