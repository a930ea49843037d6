//! The Python program's journals are read; ours, by its rules, it can read.

use crate::support::Home;

/// As the Python program writes it: no check, lists with blanks, raw newlines, no seconds' fraction.
const WAL: &str = "2026-11-22T07:38:23.020015+00:00\u{1f}vm\u{1f}companies/soehne\u{1f}name\u{1f}Söhne 'Quoted\" GmbH\u{1f}\u{1e}\
2026-11-22T07:38:23+00:00\u{1f}vm\u{1f}companies/soehne\u{1f}tags\u{1f}[\"roadmap\", \" b-tag \", \"\\u00e9\", \"roadmap\"]\u{1f}\u{1e}\
2026-11-22T07:38:23.020015+00:00\u{1f}vm\u{1f}companies/soehne\u{1f}hours\u{1f}Mon\nTue\u{1f}\u{1e}\
2026-11-22T07:41:10.841031+00:00\u{1f}vm\u{1f}roadmap\u{1f}prod\u{1f}companies/soehne\u{1f}zip_code\u{1f}01234\u{1f}\u{1e}\
2026-11-22T07:41:10.841031+00:00\u{1f}vm\u{1f}companies/soehne\u{1f}reviews_count\u{1f}abc\u{1f}\u{1e}";

#[test]
fn a_python_journal_is_read_compacted_and_projected() {
    let home = Home::new();
    std::fs::write(home.file("wal/20261122_vm.usv"), WAL).unwrap();
    assert_eq!(home.run(&["get", "companies/soehne", "zip_code"]).ok(), "01234\n");
    home.run(&["compact"]).ok();
    let card = home.read("companies/soehne/_index.md");
    assert!(card.contains("Söhne") && card.contains("- roadmap\n"), "{card}");
    // One bad value hides nothing.
    assert!(card.contains("abc"), "{card}");
    assert_eq!(home.run(&["get", "companies/soehne", "hours"]).ok(), "Mon\nTue\n");
}

#[test]
fn what_the_python_program_heard_from_others_travels_in_our_log() {
    let home = Home::new();
    std::fs::write(home.file("wal/remote_vm.usv"), WAL).unwrap();
    home.run(&["compact"]).ok();
    assert_eq!(home.run(&["get", "companies/soehne", "zip_code"]).ok(), "01234\n");
    let before = home.journals().iter().map(|p| p.metadata().unwrap().len()).sum::<u64>();
    home.run(&["compact"]).ok();
    let after = home.journals().iter().map(|p| p.metadata().unwrap().len()).sum::<u64>();
    assert_eq!(before, after, "each record is copied once");
}

#[test]
fn our_records_have_six_fields_and_no_line_breaks() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "hours=Mon\nTue", "--set", "tags+=a"]).ok();
    home.run(&["set", "acme", "services=[\"x\", \"y\"]"]).ok();
    home.run(&["unset", "acme", "hours"]).ok();
    for journal in home.journals() {
        let text = std::fs::read_to_string(journal).unwrap();
        for record in text.split_terminator('\u{1e}') {
            let fields: Vec<&str> = record.split('\u{1f}').collect();
            assert_eq!(fields.len(), 6, "{record:?}");
            assert!(fields[0].len() == 32 && fields[0].ends_with("+00:00"), "{record:?}");
            assert!(!record.contains(['\n', '\r']), "{record:?}");
        }
    }
}

#[test]
fn homes_that_the_python_program_wrote_come_in_whole() {
    // Real samples, where they stand beside the checkout.
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures");
    for sample in ["seed_home", "seed_cli_home", "head_home"] {
        let source = std::path::Path::new(fixtures).join(sample);
        if !source.exists() {
            println!("{} is not here: passed over", source.display());
            continue;
        }
        let home = Home::new();
        let copied = std::process::Command::new("cp")
            .args(["-r", "--no-preserve=mode", &format!("{}/.", source.display())])
            .arg(&home.path)
            .status();
        assert!(copied.unwrap().success());
        home.run(&["compact"]).ok();
        let listed = home.run(&["list", "companies"]).ok();
        assert!(!listed.is_empty(), "{sample}");
        let digest = home.run(&["--json", "state", "--digest"]).ok();
        assert!(digest.contains("\"cards_level\":true"), "{sample}: {digest}");
    }
}
