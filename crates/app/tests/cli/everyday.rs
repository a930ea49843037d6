//! People, what comes next, and today, as docs/everyday.md tells them.

use std::path::Path;

use serde_json::Value as Json;

use crate::readme::words;
use crate::support::{Home, cocli, run};

fn json(home: &Home, words: &[&str]) -> Json {
    let mut all = vec!["--json"];
    all.extend(words);
    serde_json::from_str(&home.run(&all).ok()).unwrap()
}

fn texts(all: &Json, key: &str) -> Vec<String> {
    let all = all.as_array().unwrap().iter();
    all.map(|one| one[key].as_str().unwrap_or_default().to_owned()).collect()
}

fn settings(home: &Home, text: &str) {
    let path = home.file(".cocli/config.toml");
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    std::fs::write(path, format!("{there}\n{text}\n")).unwrap();
}

#[test]
fn the_examples_of_the_page_work_line_by_line() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let page = std::fs::read_to_string(root.join("docs/everyday.md")).unwrap();
    let home = tempfile::tempdir().unwrap();
    run(cocli(home.path()).args(["init"]), b"").ok();
    let mut ran = 0;
    for block in page.split("```sh\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            let Some(line) = line.strip_prefix("cocli ") else { continue };
            let line = line.split("  #").next().unwrap();
            run(cocli(home.path()).args(words(line.trim())), b"").ok();
            ran += 1;
        }
    }
    assert!(ran >= 12, "{ran} lines");
    // Every row of the table of what may be typed.
    let table = page.split("| typed | is |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    for row in rows {
        let typed = row.split('|').nth(1).unwrap();
        for text in typed.split('`').skip(1).step_by(2) {
            let change = format!("next_at={text}");
            run(cocli(home.path()).args(["set", "acme-inc", &change]), b"").ok();
            let written = run(cocli(home.path()).args(["get", "acme-inc", "next_at"]), b"").ok();
            let digits: String = written.chars().filter(|c| !c.is_ascii_digit()).collect();
            assert!(["--\n", "--T::Z\n"].contains(&digits.as_str()), "{text}: {written}");
            ran += 1;
        }
    }
    assert!(ran >= 30, "{ran} examples");
}

#[test]
fn people_and_companies_name_each_other_whichever_field_joins_them() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    home.run(&["add", "company", "Beta"]).ok();
    home.run(&["add", "person", "Jane Doe", "--company", "acme", "--set", "role=CTO"]).ok();
    home.run(&["add", "person", "Bob Ray", "--set", "email=bob@beta.example"]).ok();
    home.run(&["set", "jane-doe", "companies+=companies/beta"]).ok();
    home.run(&["set", "bob-ray", "companies+=beta"]).ok();
    let people = |company| texts(&json(&home, &["show", company])["people"], "name");
    for _ in 0..2 {
        assert_eq!(people("companies/acme"), ["Jane Doe"]);
        assert_eq!(people("companies/beta"), ["Bob Ray", "Jane Doe"]);
        let jane = json(&home, &["show", "jane-doe"]);
        assert_eq!(texts(&jane["companies"], "name"), ["Acme", "Beta"]);
        home.run(&["compact"]).ok();
    }
    let shown = home.run(&["show", "companies/acme"]).ok();
    assert!(shown.contains("Jane Doe  ·  CTO") && shown.contains("people/jane-doe"), "{shown}");
    assert!(home.run(&["show", "jane-doe"]).ok().contains("Acme  ·  companies/acme"));
    // As a table of somebody else names it.
    home.run(&["add", "person", "Kim", "--set", "company=Acme"]).ok();
    assert_eq!(people("companies/acme"), ["Jane Doe", "Kim"]);
    home.run(&["rm", "kim"]).ok();
    // What the Python program reads stays beside it.
    assert_eq!(home.run(&["get", "jane-doe", "company_name"]).ok(), "Acme\n");
    home.run(&["rm", "jane-doe"]).ok();
    assert!(people("companies/acme").is_empty());
}

#[test]
fn somebody_of_the_same_name_gets_a_slug_of_their_own_and_is_told() {
    let home = Home::new();
    home.run(&["add", "person", "Jane Doe", "--set", "email=jane@acme.example"]).ok();
    let ran = home.run(&["add", "person", "Jane Doe", "--set", "email=jane@beta.example"]);
    assert!(ran.err.contains("people/jane-doe is somebody else"), "{}", ran.err);
    assert!(ran.ok().contains("people/jane-doe-2"));
}

#[test]
fn a_company_tells_the_last_contact_of_its_people_too_and_what_comes_next() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    home.run(&["add", "person", "Jane", "--company", "acme"]).ok();
    home.run(&["set", "companies/acme/notes/n1", "timestamp=10 days ago", "title=Old"]).ok();
    home.run(&["set", "people/jane/notes/n2", "timestamp=2 days ago", "title=Lunch"]).ok();
    home.run(&["set", "companies/acme/meetings/m1", "timestamp=in 3 days", "title=Third"]).ok();
    home.run(&["set", "companies/acme/meetings/m2", "timestamp=tomorrow 9:00", "title=First"]).ok();
    home.run(&["set", "acme", "next_step=send offer", "next_at=in 2 days"]).ok();
    let acme = json(&home, &["show", "acme"]);
    assert_eq!(acme["last_contact"]["title"], "Lunch");
    assert_eq!(acme["last_contact"]["name"], "Jane");
    assert_eq!(acme["next_meeting"]["title"], "First");
    assert_eq!(acme["next_step"]["step"], "send offer");
    let shown = home.run(&["show", "acme"]).ok();
    for line in ["last contact", "note with Jane  Lunch", "next meeting", "next step"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(!shown.contains("next_at"), "{shown}");
}

#[test]
fn what_is_typed_for_a_time_is_written_as_a_day_or_in_utc_and_a_wrong_one_writes_nothing() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "next_at=2026-12-01 14:30"]).ok();
    assert_eq!(home.run(&["get", "acme", "next_at"]).ok(), "2026-12-01T14:30:00Z\n");
    let told = run(
        home.command().env("TZ", "Asia/Tokyo").args(["set", "acme", "next_at=1 Dec 2026 8:00"]),
        b"",
    );
    assert_eq!(told.err, "next_at: Tue 2026-12-01 08:00\n");
    assert_eq!(home.run(&["get", "acme", "next_at"]).ok(), "2026-11-30T23:00:00Z\n");
    home.run(&["set", "acme", "next_at=1 Dec 2026", "next_step=call"]).ok();
    assert_eq!(home.run(&["get", "acme", "next_at"]).ok(), "2026-12-01\n");
    let card = home.read("companies/acme/_index.md");
    assert!(card.contains("next_step: call\nnext_at: '2026-12-01'\n"), "{card}");
    let before = home.written();
    home.run(&["set", "acme", "city=Waco", "next_at=12/1"]).fails(2, "12 January");
    home.run(&["set", "acme", "next_at=30 feb"]).fails(2, "expected 1 to 29");
    home.run(&["set", "acme", "next_at=tomorow"]).fails(2, "`tomorrow`");
    home.run(&["add", "company", "Beta", "--set", "next_at=soon"]).fails(2, "expected as");
    assert_eq!(home.written(), before);
    // A program's batch is taken as it is.
    let line = "{\"target\":\"companies/acme\",\"field\":\"next_at\",\"value\":\"soon\"}\n";
    home.input(&["set", "--from", "-"], line.as_bytes()).ok();
    let today = home.run(&["today"]);
    assert!(today.err.contains("companies/acme: next_at is \"soon\""), "{}", today.err);
}

#[test]
fn numbers_and_addresses_stay_as_typed_and_their_form_stands_beside_them() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "country=Germany"]).ok();
    home.run(&["set", "acme", "phone_1=030 901820", "all_phones+=+1 (214) 555-0134"]).ok();
    assert_eq!(home.run(&["get", "acme", "phone_1"]).ok(), "030 901820\n");
    let shown = home.run(&["show", "acme"]).ok();
    assert!(shown.contains("030 901820 (+4930901820)"), "{shown}");
    assert!(shown.contains("+1 (214) 555-0134 (+12145550134)"), "{shown}");
    // A person without a country has that of the company.
    home.run(&["add", "person", "Jané", "--company", "acme", "--set", "phone=030 901821"]).ok();
    assert_eq!(json(&home, &["show", "jane"])["phones"][0]["e164"], "+4930901821");
    assert_eq!(json(&home, &["show", "acme"])["people"][0]["e164"], "+4930901821");
    let told = home.run(&["add", "person", "Bob", "--set", "phone=214 555 0134"]);
    assert!(told.err.contains("\"214 555 0134\" is kept, but"), "{}", told.err);
    settings(&home, "[contact]\nregion = \"US\"");
    assert_eq!(json(&home, &["show", "bob"])["phones"][0]["e164"], "+12145550134");
    let told = home.run(&["set", "bob", "email=bob at home", "all_emails+=b@x"]);
    assert!(told.err.contains("\"bob at home\" is kept, but there is no @"), "{}", told.err);
    assert!(!told.err.contains("b@x"), "{}", told.err);
    assert_eq!(home.run(&["get", "bob", "email"]).ok(), "bob at home\n");
    settings(&home, "[cadence]\nlead = \"2 weks\"");
    home.run(&["today"]).fails(1, "the nearest name is `weeks`");
}

#[test]
fn today_tells_what_is_due_and_whom_one_has_not_spoken_to() {
    let home = Home::new();
    settings(&home, "[cadence]\nlead = \"2 weeks\"");
    assert!(home.run(&["today"]).ok().contains("nothing is due"));
    home.run(&["add", "company", "Acme", "--set", "tags=[\"lead\"]"]).ok();
    home.run(&["add", "company", "Beta", "--set", "tags=[\"lead\"]"]).ok();
    home.run(&["set", "acme", "next_step=send offer", "next_at=yesterday"]).ok();
    home.run(&["set", "beta", "next_step=wait", "next_at=tomorrow"]).ok();
    home.run(&["set", "companies/beta/notes/n", "timestamp=3 weeks ago", "title=x"]).ok();
    home.run(&["set", "companies/beta/meetings/m", "timestamp=today", "title=Kick-off"]).ok();
    home.run(&["set", "companies/acme/notes/n", "timestamp=yesterday", "title=x"]).ok();
    for _ in 0..2 {
        let today = json(&home, &["today"]);
        assert_eq!(texts(&today["due"], "step"), ["send offer"]);
        assert_eq!(texts(&today["meetings"], "title"), ["Kick-off"]);
        let text = home.run(&["today"]).ok();
        assert!(text.contains("Acme: send offer") && text.contains("Beta: Kick-off"), "{text}");
        assert!(home.run(&[]).ok().contains("2 due today (`cocli today`)"));
        home.run(&["compact"]).ok();
    }
    assert!(texts(&json(&home, &["today"])["not_spoken_to"], "name").is_empty());
    home.run(&["rm", "companies/beta/meetings/m"]).ok();
    let silent = json(&home, &["today"])["not_spoken_to"].clone();
    assert_eq!(texts(&silent, "name"), ["Beta"]);
    assert_eq!(
        (silent[0]["days"].as_i64(), silent[0]["every_days"].as_i64()),
        (Some(21), Some(14))
    );
    assert!(home.run(&["today"]).ok().contains("for 21 days"));
}

#[test]
fn today_counts_what_others_wrote_since_yesterday() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    let now: Json =
        serde_json::from_str(home.run(&["--json", "log"]).ok().lines().last().unwrap()).unwrap();
    let now = now["at"].as_str().unwrap().to_owned();
    let day: String = now[..10].replace('-', "");
    let record =
        |at: &str, field: &str| format!("{at}\x1fpi2\x1fcompanies/acme\x1f{field}\x1f5\x1f\x1e");
    let old = "2026-01-01T10:00:00.000000+00:00";
    let text = [record(old, "old"), record(&now, "city"), record(&now, "state")].concat();
    std::fs::write(home.file(&format!("wal/{day}_pi2.usv")), text).unwrap();
    let news = json(&home, &["today"])["from_others"].clone();
    assert_eq!(texts(&news, "node"), ["pi2"]);
    assert_eq!(news[0]["changes"], 2);
    assert!(home.run(&["today"]).ok().contains("pi2: 2 changes"));
}

#[test]
fn names_of_every_script_are_told_whole() {
    let home = Home::new();
    for name in ["株式会社テスト", "Ünïcode & Söhne", "Компания", "شركة"] {
        home.run(&["add", "company", name, "--set", "next_at=today"]).ok();
    }
    let names = texts(&json(&home, &["today"])["due"], "name");
    assert_eq!(names.len(), 4);
    let text = home.run(&["today"]).ok();
    assert!(names.iter().all(|name| text.contains(name.as_str())), "{text}");
    let ics = home.run(&["today", "--ics"]).ok();
    assert!(ics.starts_with("BEGIN:VCALENDAR\r\n") && ics.contains("株式会社テスト"), "{ics}");
}
