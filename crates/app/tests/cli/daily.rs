//! Writing and reading on one machine.

use crate::support::{Home, Ran};

#[test]
fn what_is_set_is_read_back_by_get_show_list_and_in_the_card() {
    let home = Home::new();
    let out = home.run(&["add", "company", "Acme Inc.", "--set", "city=Dallas"]).ok();
    assert!(out.contains("companies/acme-inc"), "{out}");
    home.run(&["set", "acme-inc", "zip_code=01234", "tags+=lead"]).ok();
    assert_eq!(home.run(&["get", "companies/acme-inc", "zip_code"]).ok(), "01234\n");
    assert!(home.run(&["show", "acme-inc"]).ok().contains("Dallas"));
    assert!(home.run(&["list", "companies", "--where", "tags=lead"]).ok().contains("acme-inc"));
    assert_eq!(home.run(&["list", "companies", "--where", "tags=cold"]).ok(), "");
    let card = home.read("companies/acme-inc/_index.md");
    assert!(card.contains("zip_code: '01234'") || card.contains("zip_code: \"01234\""), "{card}");
    assert_eq!(home.read("companies/acme-inc/tags.lst"), "lead\n");
}

#[test]
fn a_change_that_changes_nothing_writes_nothing() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    let before = std::fs::read(&home.journals()[0]).unwrap();
    home.run(&["set", "companies/acme", "city=Dallas"]).ok();
    assert_eq!(std::fs::read(&home.journals()[0]).unwrap(), before);
}

#[test]
fn unset_removes_and_get_says_not_found() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    home.run(&["unset", "acme", "city"]).ok();
    home.run(&["get", "acme", "city"]).fails(3, "has no city");
    assert!(!home.read("companies/acme/_index.md").contains("city"));
}

#[test]
fn a_removed_target_refuses_writes_until_it_is_revived() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    home.run(&["rm", "acme"]).ok();
    assert_eq!(home.run(&["list", "companies"]).ok(), "");
    home.run(&["set", "companies/acme", "city=Austin"]).fails(4, "was removed by pi1");
    home.run(&["get", "companies/acme", "name"]).fails(4, "was removed by pi1");
    home.run(&["get", "acme", "name"]).fails(4, "was removed by pi1");
    home.run(&["set", "companies/acme", "city=Austin", "--revive"]).ok();
    assert_eq!(home.run(&["get", "companies/acme", "name"]).ok(), "Acme\n");
    home.run(&["rm", "acme"]).ok();
    home.run(&["set", "acme", "--revive"]).ok();
    assert_eq!(home.run(&["get", "companies/acme", "city"]).ok(), "Austin\n");
}

#[test]
fn what_nobody_knows_is_not_removed() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    let before = home.written();
    home.run(&["rm", "companies/acmi"]).fails(3, "companies/acme");
    assert_eq!(home.written(), before);
    home.run(&["set", "companies/acme/notes/n-1", "title=x"]).ok();
    home.run(&["rm", "companies/acme/notes"]).ok();
}

#[test]
fn a_dry_run_writes_nothing_even_when_a_card_was_edited() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    let card = home.file("companies/acme/_index.md");
    std::fs::write(&card, home.read("companies/acme/_index.md").replace("Dallas", "Austin"))
        .unwrap();
    let table = home.dir.path().join("t.csv");
    std::fs::write(&table, "name\nBeta\n").unwrap();
    let before = home.written();
    home.run(&["undo", "acme", "--dry-run"]).ok();
    home.run(&["import", "csv", table.to_str().unwrap(), "--dry-run"]).ok();
    assert_eq!(home.written(), before);
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Austin\n");
}

#[test]
fn reading_goes_on_when_an_edited_card_cannot_be_taken_in() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    let card = home.file("companies/acme/_index.md");
    std::fs::write(&card, home.read("companies/acme/_index.md").replace("Dallas", "Austin"))
        .unwrap();
    // A folder where the lock's file belongs: nothing can be written, whoever asks.
    let lock = home.file(".cocli/lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    let got = home.run(&["get", "companies/acme", "city"]);
    assert!(got.err.contains("not taken in"), "{}", got.err);
    assert_eq!(got.ok(), "Dallas\n");
    home.run(&["list", "companies"]).ok();
    std::fs::remove_dir(&lock).unwrap();
    assert_eq!(home.run(&["get", "companies/acme", "city"]).ok(), "Austin\n");
}

#[test]
fn many_new_targets_are_told_in_one_line() {
    let home = Home::new();
    let line = |n: usize| {
        format!("{{\"target\":\"companies/c{n}\",\"field\":\"name\",\"value\":\"C\"}}\n")
    };
    let lines: String = (0..50).map(line).collect();
    let told = home.input(&["set", "--from", "-"], lines.as_bytes());
    assert_eq!(told.err, "50 targets are new: companies/c0 to companies/c49\n");
}

#[test]
fn undo_takes_back_the_last_command_only() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    home.run(&["set", "acme", "city=Austin", "phone_1=1", "tags+=x"]).ok();
    home.run(&["undo"]).ok();
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Dallas\n");
    home.run(&["get", "acme", "phone_1"]).fails(3, "no phone_1");
    home.run(&["get", "acme", "tags"]).fails(3, "no tags");
}

#[test]
fn get_at_a_time_shows_what_stood_there_then() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    let log = home.run(&["--json", "log", "acme", "city"]).ok();
    let first: serde_json::Value = serde_json::from_str(log.trim()).unwrap();
    home.run(&["set", "acme", "city=Austin"]).ok();
    let at = first["at"].as_str().unwrap();
    assert_eq!(home.run(&["get", "acme", "city", "--at", at]).ok(), "Dallas\n");
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Austin\n");
}

#[test]
fn a_name_that_several_bear_is_listed_and_a_wrong_collection_gets_the_nearest() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    home.run(&["add", "person", "Acme"]).ok();
    home.run(&["show", "acme"]).fails(2, "people/acme");
    home.run(&["set", "comapnies/x", "a=b"]).fails(2, "companies");
    home.run(&["show", "nobody"]).fails(3, "nobody");
}

#[test]
fn a_batch_from_standard_input_is_whole_or_not_at_all() {
    let home = Home::new();
    let line = |n: u32| {
        format!("{{\"target\":\"companies/c{n}\",\"field\":\"name\",\"value\":\"C {n}\"}}\n")
    };
    let good: String = (0..50).map(line).collect();
    home.input(&["set", "--from", "-"], good.as_bytes()).ok();
    assert_eq!(home.run(&["get", "companies/c49", "name"]).ok(), "C 49\n");
    let bad =
        format!("{}{{\"target\":\"companies/..\",\"field\":\"name\",\"value\":1}}\n", line(99));
    home.input(&["set", "--from", "-"], bad.as_bytes()).fails(2, "input:2");
    home.run(&["get", "companies/c99", "name"]).fails(3, "c99");
    home.run(&["rm", "companies/c1"]).ok();
    let mixed = format!("{}{}", line(1), line(77));
    home.input(&["set", "--from", "-"], mixed.as_bytes()).fails(4, "companies/c1");
    assert_eq!(home.run(&["get", "companies/c77", "name"]).ok(), "C 77\n");
}

#[test]
fn compaction_changes_no_answer() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    home.run(&["set", "acme", "tags+=a", "tags+=b"]).ok();
    let before = home.run(&["state"]).ok();
    home.run(&["compact"]).ok();
    assert_eq!(home.run(&["state"]).ok(), before);
    home.run(&["set", "acme", "city=Austin"]).ok();
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Austin\n");
    assert_eq!(home.run(&["get", "acme", "tags"]).ok(), "[\"a\",\"b\"]\n");
}

#[test]
fn completions_and_man_pages_are_generated() {
    let home = Home::new();
    assert!(home.run(&["completions", "bash"]).ok().contains("cocli"));
    home.run(&["man", "man"]).ok();
    assert!(home.dir.path().join("man/cocli-set.1").is_file());
}

#[test]
fn undo_leaves_alone_what_nobody_typed() {
    let home = Home::new();
    let key = home.run(&["get", "nodes/pi1", "key"]).ok();
    home.run(&["undo"]).fails(3, "nothing to undo");
    home.run(&["undo", "--since", "1h ago"]).fails(3, "nothing to undo");
    assert_eq!(home.run(&["get", "nodes/pi1", "key"]).ok(), key);
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error_unless_its_reader_went_away() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    for words in [&["get", "acme", "city"][..], &["--json", "list", "companies"], &["data-path"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran: Ran = home.command().args(words).stdout(full).output().unwrap().into();
        ran.fails(1, "standard output");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran: Ran = home.command().args(words).stdout(writer).output().unwrap().into();
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    }
}

#[test]
fn the_path_of_the_home_is_json_when_asked() {
    let home = Home::new();
    let out: serde_json::Value =
        serde_json::from_str(&home.run(&["--json", "data-path"]).ok()).unwrap();
    assert_eq!(out["home"], home.path.display().to_string());
}

#[test]
fn what_a_part_of_a_name_finds_is_the_best_first_and_what_is_mistyped_is_found_too() {
    let home = Home::new();
    for (name, domain) in [("Acme Industries", "acme.example"), ("Big Acme", ""), ("Pacmer", "")] {
        let domain = format!("domain={domain}");
        home.run(&["add", "company", name, "--set", &domain]).ok();
    }
    home.run(&["add", "person", "Jané Doe", "--set", "email=jd@acme.example"]).ok();
    let found = |text: &str| {
        let out = home.run(&["find", text]).ok();
        let slugs = out.lines().filter_map(|line| line.split_whitespace().next());
        slugs.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(found("ACME"), ["acme-industries", "big-acme", "jane-doe", "pacmer"]);
    assert_eq!(found("jané"), ["jane-doe"]);
    assert_eq!(found("jane-"), ["jane-doe"]);
    assert_eq!(found("indistries"), ["acme-industries"]);
    assert_eq!(found("acme.example"), ["acme-industries", "jane-doe"]);
    // Merged or not, what it was called before finds nothing.
    for compacted in [false, true] {
        home.run(&["set", "companies/pacmer", "name=Other"]).ok();
        home.run(&["unset", "companies/acme-industries", "domain"]).ok();
        home.run(&["rm", "companies/big-acme"]).ok();
        assert_eq!(found("acme"), ["acme-industries", "jane-doe", "pacmer"], "{compacted}");
        assert_eq!(found("acme.example"), ["jane-doe"]);
        assert_eq!(found("other"), ["pacmer"]);
        home.run(&["compact"]).ok();
    }
    let one = home.run(&["--json", "find", "acme", "--limit", "1"]).ok();
    assert!(one.contains("\"target\":\"companies/acme-industries\"") && one.lines().count() == 1);
    home.run(&["find", " "]).fails(2, "expected a part of a name");
    home.run(&["find"]).fails(2, "expected a part of a name");
    home.run(&["find", "--pick"]).fails(2, "needs a terminal");
    assert_eq!(found("  acme   industries "), ["acme-industries"]);
    home.run(&["find", "acme", "--limit", "0"]).fails(2, "expected a number from 1 on");
}

#[test]
fn a_condition_that_nothing_meets_names_the_field_that_was_meant() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Oslo", "--set", "mood=good"]).ok();
    let told = |condition: &str| {
        let ran = home.run(&["list", "companies", "--where", condition]);
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{condition}");
        ran.err
    };
    assert!(told("ctiy=Oslo").contains("the nearest is \"city\""));
    assert!(told("City=Oslo").contains("the nearest is \"city\""));
    assert_eq!([told("city=Rome"), told("mood=bad")], ["none\n", "none\n"]);
    assert_eq!(home.run(&["list", "companies", "--where", "mood=good"]).ok().lines().count(), 1);
}

#[test]
fn a_span_is_one_that_is_past_with_or_without_ago() {
    let home = Home::new();
    home.run(&["set", "companies/acme", "city=Oslo"]).ok();
    for since in ["2h", "2h ago", "2 hours", "1 day ago", "yesterday", "last tue", "today"] {
        let dry = home.run(&["undo", "companies/acme", "--since", since, "--dry-run"]);
        assert!(dry.err.contains("nothing was changed"), "{since}: {}", dry.err);
        assert!(dry.ok().contains("companies/acme  city back to nothing"), "{since}");
    }
    home.run(&["undo", "--since", "14:00:61"]).fails(2, "expected");
    home.run(&["undo", "--since", "yesterdya"]).fails(2, "the nearest word is `yesterday`");
    let at = |time: &str| home.run(&["get", "companies/acme", "city", "--at", time]);
    assert_eq!(at("now").ok(), "Oslo\n");
    assert!(at("yesterday").out.is_empty());
}

#[test]
fn what_a_scraper_that_went_wild_wrote_goes_back_and_what_others_changed_since_stays() {
    let home = Home::new();
    let line = |time: &str, target: &str, field: &str, value: &str| {
        format!(
            "2026-11-01T{time}.000000+00:00\x1fscraper\x1fcompanies/{target}\x1f{field}\x1f{value}\x1f\x1e"
        )
    };
    let records = [
        line("10:00:00", "acme", "name", "Acme"),
        line("10:00:01", "bolt", "name", "Bolt"),
        line("14:00:00", "acme", "name", "<html>"),
        line("14:00:01", "bolt", "name", "<html>"),
        line("14:00:02", "acme", "tags.spam", "true"),
        line("14:00:03", "ghost", "name", "<html>"),
    ];
    std::fs::write(home.path.join("wal/20261101_scraper.usv"), records.concat()).unwrap();
    home.run(&["compact"]).ok();
    home.run(&["set", "companies/bolt", "name=Bolt Ltd."]).ok();
    home.run(&["undo", "--node", "scraper"]).fails(2, "expected a target or `--since`");
    let since = ["undo", "--node", "scraper", "--since", "2026-11-01T12:00:00Z"];
    let foretold = home.run(&[&since[..], &["--dry-run"]].concat()).ok();
    assert!(foretold.contains("companies/acme  name back to Acme"), "{foretold}");
    assert!(foretold.contains("companies/acme  tags.spam is out again"), "{foretold}");
    assert_eq!(home.run(&["get", "acme", "name"]).ok(), "<html>\n");
    home.run(&since).fails(4, "companies/bolt name stays: ");
    assert_eq!(home.run(&["get", "acme", "name"]).ok(), "Acme\n");
    assert_eq!(home.run(&["get", "companies/bolt", "name"]).ok(), "Bolt Ltd.\n");
    home.run(&["get", "acme", "tags"]).fails(3, "has no tags");
    assert!(!home.run(&["list", "companies"]).ok().contains("ghost"));
    // Taken back itself, it is as before.
    home.run(&["undo"]).ok();
    assert_eq!(home.run(&["get", "acme", "name"]).ok(), "<html>\n");
    home.run(&["undo", "companies/acme", "name", "--node", "scraper"]).fails(4, "stays");
}
