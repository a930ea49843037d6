//! `import cocli`: whole homes of the Python program.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::support::{Home, Ran};

/// A home that the Python program wrote, where it stands beside the checkout; else the test is passed over.
fn sample(name: &str) -> Option<PathBuf> {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures");
    Some(Path::new(fixtures).join(name)).filter(|path| path.exists())
}

fn import(home: &Home, source: &Path, more: &[&str]) -> Ran {
    let mut words = vec!["--json", "import", "cocli", source.to_str().unwrap()];
    words.extend_from_slice(more);
    home.run(&words)
}

fn counts(ran: Ran, kind: &str) -> [u64; 3] {
    let report: Json = serde_json::from_str(&ran.ok()).unwrap();
    ["new", "changed", "same"].map(|of| report[kind][of].as_u64().unwrap())
}

/// A home made here: paths below it, and texts.
fn source(home: &Home, files: &[(&str, &[u8])]) -> PathBuf {
    let at = home.dir.path().join("old");
    for (path, bytes) in files {
        let path = at.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    at
}

fn get(home: &Home, target: &str, field: &str) -> String {
    home.run(&["get", target, field]).ok().trim_end().to_owned()
}

/// What a dry run says, a run does; a second one writes nothing.
fn bring(home: &Home, source: &Path) -> Json {
    let before = home.written();
    let dry: Json = serde_json::from_str(&import(home, source, &["--dry-run"]).ok()).unwrap();
    assert_eq!(home.written(), before);
    let report: Json = serde_json::from_str(&import(home, source, &[]).ok()).unwrap();
    for (key, value) in report.as_object().unwrap() {
        if key != "dry_run" {
            assert_eq!(dry[key], *value, "{key}");
        }
    }
    let written = home.written();
    let again: Json = serde_json::from_str(&import(home, source, &[]).ok()).unwrap();
    assert_eq!((again["written"].as_u64(), home.written()), (Some(0), written), "{again}");
    report
}

fn is_odd(report: &Json, path: &str, why: &str) {
    let odd = report["odd"].as_array().unwrap();
    let one = odd.iter().find(|odd| odd["path"].as_str() == Some(path));
    let said = one.and_then(|odd| odd["why"].as_str());
    assert!(said.is_some_and(|said| said.contains(why)), "{path}: {report}");
}

#[test]
fn a_home_of_the_first_version_is_what_the_python_program_loads() {
    let Some(source) = sample("seed_home") else { return };
    let home = Home::new();
    let report = bring(&home, &source);
    assert_eq!(report["notes"]["new"], 2, "{report}");
    let expected = std::fs::read(source.join("expected_loaded.json")).unwrap();
    let expected: Json = serde_json::from_slice(&expected).unwrap();
    for (target, fields) in expected.as_object().unwrap() {
        let shown: Json =
            serde_json::from_str(&home.run(&["--json", "show", target]).ok()).unwrap();
        for (field, value) in fields.as_object().unwrap() {
            let got = &shown["fields"][field];
            // It puts another 1 before a foreign number at each load.
            let value = if field == "phone_1" && value.is_string() {
                &Json::from("442079460958")
            } else {
                value
            };
            let nothing = |value: &Json| {
                value.is_null()
                    || value.as_str() == Some("")
                    || value.as_array().is_some_and(Vec::is_empty)
                    || value.as_object().is_some_and(serde_json::Map::is_empty)
            };
            let sorted = |value: &Json| {
                let mut all = value.as_array().cloned().unwrap_or_default();
                all.sort_by_key(ToString::to_string);
                all
            };
            let same = match value {
                value if nothing(value) => nothing(got),
                Json::Array(_) => sorted(value) == sorted(got),
                Json::Number(n) => got == value || got.as_str() == Some(&n.to_string()),
                value => got == value,
            };
            assert!(same, "{target} {field}: expected {value}, got {got}");
        }
    }
    let notes = home.run(&["note", "list", "unicode-soehne"]).ok();
    assert!(
        notes.contains("2026-02-18 17:04") && notes.contains("First call / follow-up"),
        "{notes}"
    );
    assert!(notes.contains("2026-02-18 18:00") && notes.contains("Naive stamp"), "{notes}");
    assert!(home.file("people/zoe-obrien/zo-o-brien.md").exists(), "its card keeps its name");
}

#[test]
fn a_home_of_the_command_line_comes_in_with_its_campaign_and_what_is_odd_is_named() {
    let Some(source) = sample("seed_cli_home") else { return };
    let home = Home::new();
    let report = bring(&home, &source);
    is_odd(&report, "companies/acme/acme-west", "one folder too deep");
    is_odd(
        &report,
        "companies/acme-inc/meetings/2026-03-01T1430Z-kick-off-budget.md",
        "read field by field",
    );
    for (target, name) in [
        ("companies/acme-inc", "Acme Inc"),
        ("companies/acme-west", "Acme / West"),
        ("companies/tagged-co", "Tagged Co"),
        ("people/ann-tag", "Ann Tag"),
        ("people/bob-roe", "Bob Roe"),
        ("campaigns/road-map", "Road Map"),
    ] {
        assert_eq!(get(&home, target, "name"), name);
    }
    let meetings = home.run(&["meeting", "list", "acme-inc"]).ok();
    assert!(
        meetings.contains("2026-03-01 14:30") && meetings.contains("Kick off: budget"),
        "{meetings}"
    );
    assert_eq!(get(&home, "acme-inc", "all_emails"), "[\"bob@acme.example\"]");
    assert_eq!(get(&home, "acme-inc", "email_contexts"), "{\"bob@acme.example\":\"company_save\"}");
    // By its name alone, since the links to it are not here.
    assert_eq!(get(&home, "bob-roe", "company"), "companies/acme-inc");
    let shown = home.run(&["campaign", "show", "road-map"]).ok();
    for part in [
        "companies/tagged-co",
        "people/ann-tag",
        "not a fit",
        "junk.org",
        "junk.com",
        "flooring contractor",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_home_of_the_later_version_comes_in() {
    let Some(source) = sample("head_home") else { return };
    let home = Home::new();
    let report = bring(&home, &source);
    is_odd(&report, "wal/20261122_pi1.usv", "email is `None`, no value");
    assert_eq!(get(&home, "acme-inc", "name"), "Acmé");
    assert_eq!(get(&home, "acme-inc", "tags"), "[\"roadmap\"]");
    let meetings = home.run(&["meeting", "list", "acme-inc"]).ok();
    assert!(meetings.contains("Kick off / call") && meetings.contains("phone-call"), "{meetings}");
    let shown = home.run(&["campaign", "show", "roadmap"]).ok();
    assert!(shown.contains("companies/acme-inc"), "{shown}");
}

#[test]
fn nothing_is_followed_out_of_the_folder_but_the_names_of_links_join_people() {
    let home = Home::new();
    let at = source(
        &home,
        &[
            ("companies/acme/_index.md", b"---\nname: Acme\n---\n"),
            ("people/jane/jane.md", b"---\nname: Jane\n---\n"),
            ("people/jane/old.txt", b"x"),
        ],
    );
    let outside = home.dir.path().join("outside");
    std::fs::create_dir_all(outside.join("companies/evil")).unwrap();
    std::fs::write(outside.join("companies/evil/_index.md"), "---\nname: Evil\n---\n").unwrap();
    std::fs::create_dir_all(at.join("companies/acme/contacts")).unwrap();
    std::os::unix::fs::symlink(at.join("people/jane"), at.join("companies/acme/contacts/jane"))
        .unwrap();
    std::os::unix::fs::symlink(outside.join("companies/evil"), at.join("companies/evil")).unwrap();
    let report = bring(&home, &at);
    assert_eq!(get(&home, "people/jane", "company"), "companies/acme");
    home.run(&["get", "companies/evil", "name"]).fails(3, "");
    assert_eq!(report["passed_over"]["people/*"], 1, "{report}");
}

#[test]
fn journals_of_all_versions_come_in_verbatim_and_what_breaks_a_rule_is_named() {
    let home = Home::new();
    let record = |text: &str| format!("2026-02-18T17:04:05+00:00\u{1f}vm\u{1f}{text}\u{1f}\u{1e}");
    let own = record("companies/a\u{1f}city\u{1f}Rome") + &record("companies/a\u{1f}name\u{1f}A");
    let old = "2026-02-17T00:00:00Z\u{1f}vm\u{1f}companies/a\u{1f}state\u{1f}TX\u{1e}torn";
    let bad = record("companies/a\u{1f}_deleted\u{1f}true")
        + &record("nodes/x\u{1f}key\u{1f}k")
        + "nonsense\u{1e}";
    let at = source(
        &home,
        &[
            ("wal/20260218_vm.usv", own.as_bytes()),
            ("wal/remote_vm.usv", own.as_bytes()),
            ("wal/remote_x.usv", bad.as_bytes()),
            ("companies/a/updates/20260217_vm.usv", old.as_bytes()),
        ],
    );
    let report = bring(&home, &at);
    assert_eq!(
        (&report["records"]["new"], &report["records"]["same"]),
        (&Json::from(3), &Json::from(2))
    );
    assert_eq!(get(&home, "companies/a", "city"), "Rome");
    assert_eq!(get(&home, "companies/a", "state"), "TX");
    let own_log: String =
        home.journals().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert_eq!(own_log.matches(&record("companies/a\u{1f}city\u{1f}Rome")).count(), 1);
    is_odd(&report, "companies/a/updates/20260217_vm.usv", "no whole record");
    is_odd(&report, "wal/remote_x.usv", "no field of a company or person");
    home.run(&["get", "nodes/x", "key"]).fails(3, "");
    assert!(home.file("companies/a/_index.md").exists(), "cards of what only journals know");
}

#[test]
fn what_is_there_stays_unless_told_to_overwrite_and_sets_are_joined() {
    let home = Home::new();
    home.run(&[
        "add",
        "company",
        "Acme",
        "--set",
        "city=Oslo",
        "--set",
        "tags+=mine",
        "--set",
        "domain=acme.org",
    ])
    .ok();
    home.run(&["add", "company", "Beta", "--set", "domain=beta.org"]).ok();
    let at = source(
        &home,
        &[
            ("companies/acme/_index.md", b"---\nname: Acme\ncity: Rome\nstate: X\n---\n"),
            ("companies/acme/tags.lst", b"theirs\n"),
            ("companies/beta/_index.md", b"---\nname: Beta\ndomain: beta.com\n---\n"),
            ("companies/beta/notes/2026-02-18-x.md", b"A note\n"),
            ("companies/gamma/_index.md", b"---\nname: Gamma\ndomain: acme.org\n---\n"),
        ],
    );
    let report = bring(&home, &at);
    assert_eq!(get(&home, "acme", "city"), "Oslo");
    assert_eq!(get(&home, "acme", "state"), "X");
    assert_eq!(get(&home, "acme", "tags"), "[\"mine\",\"theirs\"]");
    assert_eq!(report["kept"], 1, "{report}");
    // Another one of that name, with its note.
    assert_eq!(get(&home, "companies/beta-2", "domain"), "beta.com");
    assert!(home.run(&["note", "list", "beta-2"]).ok().contains("2026-02-18"));
    is_odd(&report, "companies/beta", "is another one here");
    is_odd(&report, "companies/gamma/_index.md", "cocli merge companies/acme companies/gamma");
    assert_eq!(counts(import(&home, &at, &["--overwrite"]), "companies"), [0, 1, 2]);
    assert_eq!(get(&home, "acme", "city"), "Rome");
}

#[test]
fn files_that_break_every_rule_lose_nothing() {
    let home = Home::new();
    let at = source(&home, &[
        ("companies/bare/_index.md", b"Only text\n"),
        ("companies/latin/_index.md", b"---\nname: M\xfcller\n---\n"),
        ("companies/tag/_index.md", b"---\nname: !!python/object:x.Y 'T'\ntags:\n- a\n---\n"),
        ("companies/Big One/_index.md", b"---\nname: Big One\n---\n"),
        ("companies/nocard/notes/2026-01-02T03-04-05Z-a-b.md", b"text\n"),
        ("campaigns/r/companies/lost/_index.md", b"---\nname: Lost\n---\n"),
        ("campaigns/r/config.toml", b"[campaign\n"),
        ("campaigns/r/indexes/exclude/x.json", b"{"),
        ("campaigns/r/indexes/emails/shards/a3.usv", "a@lost.example\u{1f}lost.example\u{1f}lost\u{1f}web\n\u{1f}\nb@none.example\u{1f}\u{1f}nobody\n".as_bytes()),
        ("people/jane/a.md", b"---\nname: Jane\n"),
    ]);
    let report = bring(&home, &at);
    for (target, name) in [
        ("companies/bare", "bare"),
        ("companies/latin", "Müller"),
        ("companies/tag", "T"),
        ("companies/big-one", "Big One"),
        ("companies/nocard", "nocard"),
        ("companies/lost", "Lost"),
        ("people/jane", "Jane"),
    ] {
        assert_eq!(get(&home, target, "name"), name, "{report}");
    }
    assert_eq!(get(&home, "companies/bare", "description"), "Only text");
    assert_eq!(get(&home, "companies/lost", "all_emails"), "[\"a@lost.example\"]");
    assert!(home.run(&["note", "list", "nocard"]).ok().contains("2026-01-02 03:04"));
    for (path, why) in [
        ("companies/bare/_index.md", "field by field"),
        ("companies/latin/_index.md", "Latin-1"),
        ("companies/Big One", "is no slug"),
        ("campaigns/r/companies/lost", "in the folder of a campaign"),
        ("campaigns/r/config.toml", "left out"),
        ("campaigns/r/indexes/exclude/x.json", "left out"),
        ("people/jane/a.md", "field by field"),
        ("campaigns/r/indexes/emails/shards/a3.usv", "no address"),
    ] {
        is_odd(&report, path, why);
    }
}

#[test]
fn what_is_no_such_home_is_refused() {
    let home = Home::new();
    home.run(&["import", "cocli", "none"]).fails(1, "none");
    std::fs::create_dir(home.dir.path().join("empty")).unwrap();
    home.run(&["import", "cocli", "empty"]).fails(1, "is no home of the Python program");
    home.run(&["import", "cocli", home.path.to_str().unwrap()])
        .fails(1, "is a home of this program");
    home.run(&["import", "cocli", "ftp://bucket/x"]).fails(1, "is no bucket's address");
    let ours = source(&home, &[("cluster", b"x"), ("companies/acme/_index.md", b"---\n---\n")]);
    home.run(&["import", "cocli", ours.to_str().unwrap()]).fails(1, "`cocli clone`");
}

#[test]
fn an_address_of_a_folder_is_read_in_place_and_nothing_is_written_there() {
    let home = Home::new();
    let old = source(&home, &[("companies/acme/_index.md", b"---\nname: Acme\n---\n")]);
    let blank = home.dir.path().join("old home");
    std::fs::rename(&old, &blank).unwrap();
    let address = format!("file://{}/old%20home", home.dir.path().display());
    bring(&home, Path::new(&address));
    assert_eq!(get(&home, "companies/acme", "name"), "Acme");
    let there: Vec<_> =
        std::fs::read_dir(&blank).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert_eq!(there, ["companies"]);
    assert!(!home.file(".cocli/fetched").exists());
}

const RECORD: &str = "2026-02-19T10:00:00.000000+00:00\u{1f}vm\u{1f}";

fn record(target: &str, field: &str, value: &str) -> String {
    format!("{RECORD}{target}\u{1f}{field}\u{1f}{value}\u{1f}\u{1e}\n")
}

#[test]
fn what_journals_say_of_a_company_without_a_folder_comes_in() {
    let home = Home::new();
    let wal = record("companies/acme/west", "name", "Acme / West")
        + &record("companies/acme/west", "city", "Dallas")
        + &record("companies/solo", "name", "Solo");
    let at = source(
        &home,
        &[("wal/a.usv", wal.as_bytes()), ("companies/foo/_index.md", b"---\nname: Foo\n---\n")],
    );
    bring(&home, &at);
    assert_eq!(get(&home, "companies/west", "name"), "Acme / West");
    assert_eq!(get(&home, "companies/west", "city"), "Dallas");
    assert_eq!(get(&home, "companies/solo", "name"), "Solo");
}

#[test]
fn two_folders_of_one_name_are_two_from_the_first_run_on() {
    let home = Home::new();
    let at = source(
        &home,
        &[
            ("companies/acme/_index.md", b"---\nname: Acme\ndomain: a.com\ncity: Dallas\n---\n"),
            (
                "companies/aaa/acme/_index.md",
                b"---\nname: Acme\ndomain: b.com\ncity: Rome\nstate: X\n---\n",
            ),
            ("companies/x/acme/_index.md", b"---\nname: Acme\ndomain: c.com\ncity: Oslo\n---\n"),
        ],
    );
    let report = bring(&home, &at);
    for (slug, domain, city) in
        [("acme", "a.com", "Dallas"), ("acme-2", "b.com", "Rome"), ("acme-3", "c.com", "Oslo")]
    {
        let target = format!("companies/{slug}");
        assert_eq!(
            (get(&home, &target, "domain"), get(&home, &target, "city")),
            (domain.into(), city.into())
        );
    }
    home.run(&["get", "companies/acme", "state"]).fails(3, "");
    is_odd(&report, "companies/x/acme", "one folder too deep");
}

#[test]
fn two_campaigns_of_one_slug_both_come_in() {
    let home = Home::new();
    let at = source(
        &home,
        &[
            ("campaigns/Road Map/config.toml", b"[campaign]\nname = \"Old\"\n"),
            ("campaigns/road-map/config.toml", b"[campaign]\nname = \"New\"\n"),
        ],
    );
    let report = bring(&home, &at);
    assert_eq!(get(&home, "campaigns/road-map", "name"), "New");
    assert_eq!(get(&home, "campaigns/road-map-2", "name"), "Old");
    is_odd(&report, "campaigns/Road Map", "is another campaign: it is road-map-2 here");
}

#[test]
fn addresses_of_who_was_removed_are_named_and_not_counted() {
    let home = Home::new();
    home.run(&["add", "company", "Gone", "--set", "domain=gone.com"]).ok();
    home.run(&["rm", "gone"]).ok();
    let contexts = "email_contexts={\"a@acme.com\":\"Ours\"}";
    home.run(&["add", "company", "Acme", "--set", contexts]).ok();
    let row = "\u{1f}web\u{1f}\u{1f}\u{1f}\u{1f}unknown\u{1f}\n";
    let rows =
        format!("bob@gone.com\u{1f}gone.com\u{1f}gone{row}a@acme.com\u{1f}acme.com\u{1f}acme{row}");
    let at = source(
        &home,
        &[
            ("campaigns/r/config.toml", b"[campaign]\nname = \"r\"\n"),
            ("campaigns/r/indexes/emails/inbox/b2/x.usv", rows.as_bytes()),
        ],
    );
    let report = bring(&home, &at);
    assert_eq!((&report["emails"]["new"], &report["kept"]), (&Json::from(1), &Json::from(1)));
    assert_eq!(report["differ"][0]["kept"], "Ours", "{report}");
    is_odd(&report, "campaigns/r/indexes/emails/inbox/b2/x.usv", "was removed by");
}

#[test]
fn an_import_that_was_cut_off_comes_to_what_a_whole_one_would() {
    let home = Home::new();
    let wal = record("companies/acme", "tags", "[\"a\", \"old\"]")
        + &record("companies/acme", "name", "Acme")
        + &record("people/jane", "name", "Jane");
    let at = source(&home, &[("wal/a.usv", wal.as_bytes())]);
    // The journals alone came in, and no card was put in place.
    import(&home, &at, &[]).ok();
    for folder in ["companies/acme", "people/jane"] {
        std::fs::remove_dir_all(home.file(folder)).unwrap();
    }
    source(
        &home,
        &[
            ("companies/acme/_index.md", b"---\nname: Acme\ntags:\n- a\n- old\n---\n"),
            ("companies/acme/tags.lst", b"a\n"),
        ],
    );
    bring(&home, &at);
    assert_eq!(get(&home, "companies/acme", "tags"), "[\"a\"]");
    assert!(home.file("companies/acme/_index.md").exists());
    assert!(home.file("people/jane/jane.md").exists());
}

#[test]
fn values_of_here_that_give_way_to_newer_records_are_named() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Oslo"]).ok();
    let wal = record("companies/acme", "city", "Dallas").replace("2026-02-19", "2099-02-19");
    let at = source(&home, &[("wal/20990219_vm.usv", wal.as_bytes())]);
    let report = bring(&home, &at);
    let expected = serde_json::json!([{
        "path": "wal/20990219_vm.usv", "target": "companies/acme", "field": "city", "kept": "Oslo", "said": "Dallas"
    }]);
    assert_eq!((&report["replaced"], &report["gave_way"]), (&Json::from(1), &expected));
}

#[test]
fn a_card_as_long_as_no_card_is_left_out_unread() {
    let home = Home::new();
    let at = source(&home, &[("companies/acme/_index.md", b"---\nname: Acme\n---\n")]);
    let card = std::fs::OpenOptions::new().write(true).open(at.join("companies/acme/_index.md"));
    card.unwrap().set_len(1 << 40).unwrap();
    let report = bring(&home, &at);
    is_odd(&report, "companies/acme/_index.md", "has 1099511627776 bytes: expected at most");
    assert_eq!(get(&home, "companies/acme", "name"), "acme");
}

#[test]
fn a_card_with_one_broken_line_is_read_as_yaml_but_for_that_line() {
    let home = Home::new();
    let card = b"---\nname: \"\\xDCn\\xEFcode\"\ncity: 'L''Aquila'\nhours: a: b: c\ntags: [lead, hot]\n---\n";
    let at = source(&home, &[("companies/u/_index.md", card)]);
    bring(&home, &at);
    for (field, value) in [
        ("name", "\u{dc}n\u{ef}code"),
        ("city", "L'Aquila"),
        ("hours", "a: b: c"),
        ("tags", "[\"hot\",\"lead\"]"),
    ] {
        assert_eq!(get(&home, "companies/u", field), value);
    }
}
