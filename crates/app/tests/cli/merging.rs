//! Two entities that are one, and one under another name.

use crate::support::Home;

fn two() -> Home {
    let home = Home::new();
    home.run(&[
        "add",
        "company",
        "Acme Inc",
        "--set",
        "city=Paris",
        "--set",
        "tags+=lead",
        "--set",
        "description=Makes anvils.",
    ])
    .ok();
    home.run(&[
        "add",
        "company",
        "Acme West",
        "--set",
        "city=Lyon",
        "--set",
        "domain=acme.example",
        "--set",
        "tags+=west",
        "--set",
        "description=Sells anvils.",
        "--set",
        "stars=5",
    ])
    .ok();
    home.run(&["add", "person", "Ada Byron", "--company", "acme-west"]).ok();
    home.run(&["note", "acme-west", "they ring back"]).ok();
    std::fs::write(home.file("companies/acme-west/notes/My own.md"), "Mine.\n").unwrap();
    home.run(&["meeting", "add", "acme-west", "2026-12-01 14:30", "Kick off"]).ok();
    home
}

#[test]
fn the_one_that_stays_has_all_that_the_other_had_and_undo_takes_it_back() {
    let home = two();
    let told = home.run(&["merge", "acme-inc", "acme-west", "--dry-run"]).ok();
    assert!(told.contains("city: Paris stays, not Lyon"), "{told}");
    home.run(&["get", "acme-west", "city"]).ok();
    home.run(&["merge", "acme-inc", "acme-west"]).ok();
    let get = |field: &str| home.run(&["get", "companies/acme-inc", field]).ok();
    assert_eq!(
        (get("city"), get("domain"), get("stars")),
        ("Paris\n".into(), "acme.example\n".into(), "5\n".into())
    );
    assert!(get("tags").contains("lead") && get("tags").contains("west"));
    assert_eq!(get("description"), "Makes anvils.\n\nSells anvils.\n");
    assert_eq!(home.run(&["get", "ada-byron", "company"]).ok(), "companies/acme-inc\n");
    let notes = home.run(&["note", "list", "acme-inc"]).ok();
    assert!(notes.contains("they ring back") && notes.contains("My own"), "{notes}");
    assert!(home.file("companies/acme-inc/notes/My own.md").exists());
    assert!(home.run(&["meeting", "list", "acme-inc"]).ok().contains("Kick off"));
    home.run(&["set", "companies/acme-west", "city=Metz"]).fails(4, "is companies/acme-inc now");
    assert!(!home.file("companies/acme-west/_index.md").exists());
    home.run(&["undo"]).ok();
    assert_eq!(home.run(&["get", "companies/acme-west", "city"]).ok(), "Lyon\n");
    assert_eq!(home.run(&["get", "ada-byron", "company"]).ok(), "companies/acme-west\n");
    assert!(home.run(&["note", "list", "acme-west"]).ok().contains("My own"));
    assert_eq!(home.run(&["note", "list", "acme-inc"]).ok(), "");
}

#[test]
fn another_slug_takes_everything_along() {
    let home = two();
    home.run(&["mv", "acme-west", "acme-inc"]).fails(4, "is there already");
    home.run(&["mv", "acme-west", "Not a slug"]).fails(2, "");
    home.run(&["mv", "acme-west", "x/notes/y"]).fails(2, "expected a slug");
    home.run(&["mv", "acme-west", "people/acme"]).fails(2, "expected a slug");
    home.run(&[
        "add",
        "person",
        "Bo",
        "--set",
        "company=Acme West",
        "--set",
        "companies+=acme-west",
    ])
    .ok();
    home.run(&["mv", "acme-west", "acme-lyon"]).ok();
    assert_eq!(home.run(&["get", "acme-lyon", "city"]).ok(), "Lyon\n");
    assert!(home.run(&["note", "list", "acme-lyon"]).ok().contains("My own"));
    assert_eq!(home.run(&["get", "ada-byron", "company"]).ok(), "companies/acme-lyon\n");
    assert_eq!(home.run(&["get", "bo", "company"]).ok(), "companies/acme-lyon\n");
    assert!(home.run(&["get", "bo", "companies"]).ok().contains("companies/acme-lyon"));
    home.run(&["merge", "acme-lyon", "acme-lyon"]).fails(2, "expected two");
    home.run(&["merge", "acme-lyon", "ada-byron"]).fails(2, "of a kind");
}

#[test]
fn two_notes_of_one_name_stay_two() {
    let home = two();
    for company in ["acme-inc", "acme-west"] {
        let folder = home.file(&format!("companies/{company}/notes"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("call.md"), format!("With {company}.\n")).unwrap();
    }
    home.run(&["compact"]).ok();
    home.run(&["rm", "companies/acme-inc/notes/call"]).ok();
    home.run(&["merge", "acme-inc", "acme-west"]).ok();
    let notes = home.run(&["--json", "note", "list", "acme-inc"]).ok();
    assert!(notes.contains("With acme-west.") && !notes.contains("With acme-inc."), "{notes}");
}
