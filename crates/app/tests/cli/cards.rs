//! Cards edited by hand, as people and their editors do it.

use std::path::PathBuf;

use crate::cluster::{daemon, until};
use crate::support::Home;

fn edit(home: &Home, path: &str, from: &str, to: &str) {
    let text = home.read(path);
    assert!(text.contains(from), "{from:?} is not in:\n{text}");
    std::fs::write(home.file(path), text.replacen(from, to, 1)).unwrap();
}

const CARD: &str = "companies/acme/_index.md";

fn acme() -> Home {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas", "--set", "country=US"]).ok();
    home
}

#[test]
fn an_edited_field_is_taken_in_by_the_next_verb_that_names_the_target() {
    let home = acme();
    edit(&home, CARD, "city: Dallas", "city: Austin # moved");
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Austin\n");
    home.run(&["set", "acme", "state=TX"]).ok();
    let card = home.read(CARD);
    assert!(card.contains("city: Austin # moved") && card.contains("state: TX"), "{card}");
}

#[test]
fn a_stale_buffer_reverts_nobody() {
    let home = acme();
    let buffer = home.read(CARD);
    home.run(&["set", "acme", "city=Austin"]).ok();
    std::fs::write(home.file(CARD), buffer.replace("name: Acme", "name: Acme Corp")).unwrap();
    assert_eq!(home.run(&["get", "companies/acme", "name"]).ok(), "Acme Corp\n");
    assert_eq!(home.run(&["get", "companies/acme", "city"]).ok(), "Austin\n");
    home.run(&["compact"]).ok();
    assert!(home.read(CARD).contains("city: Austin"));
}

#[test]
fn body_comments_and_unknown_keys_survive_byte_for_byte() {
    let home = acme();
    edit(&home, CARD, "city: Dallas\n", "# where they sit\ncity:   Dallas\nmy key: [1, two]\n");
    let text = format!("{}\nA body with\n\n---\n\na rule in it.\n", home.read(CARD));
    std::fs::write(home.file(CARD), text).unwrap();
    home.run(&["set", "acme", "country=DE"]).ok();
    let card = home.read(CARD);
    assert!(card.contains("# where they sit\ncity:   Dallas\nmy key: [1, two]\n"), "{card}");
    assert!(card.ends_with("\nA body with\n\n---\n\na rule in it.\n"), "{card}");
    assert!(home.run(&["get", "acme", "description"]).ok().contains("a rule in it."));
}

#[test]
fn a_card_made_by_hand_creates_its_company() {
    let home = Home::new();
    std::fs::create_dir_all(home.file("companies/beta")).unwrap();
    std::fs::write(
        home.file("companies/beta/_index.md"),
        "---\nname: Beta\nzip_code: 01234\n---\n",
    )
    .unwrap();
    assert_eq!(home.run(&["get", "companies/beta", "zip_code"]).ok(), "01234\n");
    assert!(home.run(&["list", "companies"]).ok().contains("Beta"));
}

#[test]
fn a_card_that_does_not_parse_is_left_alone_and_named_with_its_line() {
    let home = acme();
    for (broken, says) in [
        ("no front matter at all\n", "front matter"),
        ("---\nname: [Acme\n---\n", ":"),
        ("---\nname: Acme\nname: Twice\n---\n", "name"),
        ("---\na: &a [x]\nb: [*a, *a]\n---\n", ":"),
    ] {
        std::fs::write(home.file(CARD), broken).unwrap();
        let ran = home.run(&["set", "companies/acme", "state=TX"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.err.contains(CARD) && ran.err.contains(says), "{}", ran.err);
        assert_eq!(home.read(CARD), broken);
        assert_eq!(home.run(&["get", "companies/acme", "city"]).ok(), "Dallas\n");
        home.run(&["unset", "companies/acme", "state"]).ok();
    }
}

#[test]
fn a_card_with_crlf_and_bom_reads_and_keeps_its_form() {
    let home = acme();
    let text =
        format!("\u{feff}{}", home.read(CARD).replace('\n', "\r\n").replace("Dallas", "Austin"));
    std::fs::write(home.file(CARD), text).unwrap();
    assert_eq!(home.run(&["get", "companies/acme", "city"]).ok(), "Austin\n");
    home.run(&["set", "companies/acme", "state=TX"]).ok();
    let card = home.read(CARD);
    assert!(card.starts_with("\u{feff}---\r\n") && card.contains("state: TX\r\n"), "{card:?}");
}

#[test]
fn deleting_a_card_deletes_nothing() {
    let home = acme();
    std::fs::remove_file(home.file(CARD)).unwrap();
    assert_eq!(home.run(&["get", "companies/acme", "city"]).ok(), "Dallas\n");
    home.run(&["set", "acme", "state=TX"]).ok();
    assert!(home.read(CARD).contains("Dallas"));
}

#[test]
fn tags_in_the_card_and_in_the_list_are_united() {
    let home = acme();
    home.run(&["tag", "add", "acme", "lead", "old"]).ok();
    std::fs::write(home.file("companies/acme/tags.lst"), "lead\nlisted\nold\n").unwrap();
    edit(&home, CARD, "- old\n", "- written\n");
    assert_eq!(home.run(&["get", "acme", "tags"]).ok(), "[\"lead\",\"listed\",\"written\"]\n");
    home.run(&["set", "acme", "state=TX"]).ok();
    assert_eq!(home.read("companies/acme/tags.lst"), "lead\nlisted\nwritten\n");
}

#[test]
fn a_card_without_a_known_rev_that_would_change_much_waits_for_a_person() {
    let home = Home::new();
    let mut words = vec!["add".to_string(), "company".into(), "Acme".into()];
    for n in 0..8 {
        words.extend(["--set".into(), format!("field_{n}=old {n}")]);
    }
    home.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).ok();
    let strange = home.read(CARD).replace("old", "new");
    let strange: String =
        strange.lines().filter(|l| !l.starts_with("_rev")).map(|l| format!("{l}\n")).collect();
    std::fs::write(home.file(CARD), &strange).unwrap();
    assert_eq!(home.run(&["get", "companies/acme", "field_0"]).ok(), "old 0\n");
    let status = home.run(&["status"]);
    assert_eq!(status.code, 5, "{}", status.out);
    assert!(status.out.contains("cocli accept companies/acme"), "{}", status.out);
    let before = home.written();
    let waits = home.run(&["accept", "--dry-run"]).ok();
    assert!(waits.contains("waiting: companies/acme/_index.md\n  "), "{waits}");
    assert_eq!(home.written(), before);
    home.run(&["accept", "companies/acme"]).ok();
    assert_eq!(home.run(&["get", "companies/acme", "field_7"]).ok(), "new 7\n");
    std::fs::write(home.file(CARD), strange.replace("new", "worse")).unwrap();
    home.run(&["reject", "companies/acme"]).ok();
    assert_eq!(home.run(&["get", "companies/acme", "field_7"]).ok(), "new 7\n");
    assert!(home.read(CARD).contains("new 7"));
}

#[test]
fn another_text_in_a_persons_folder_is_left_as_it_is() {
    let home = Home::new();
    home.run(&["add", "person", "Jane", "--set", "role=CEO"]).ok();
    let text = "---\ntitle: Call\n---\n\nShe called.\n";
    std::fs::write(home.file("people/jane/2024-call.md"), text).unwrap();
    home.run(&["set", "people/jane", "phone=1"]).ok();
    assert_eq!(home.read("people/jane/2024-call.md"), text);
    assert!(home.read("people/jane/jane.md").contains("role: CEO"));
}

#[test]
fn an_edit_in_a_persons_renamed_card_is_taken_in() {
    let home = Home::new();
    home.run(&["add", "person", "Jane", "--set", "role=CEO"]).ok();
    let text = home.read("people/jane/jane.md").replace("role: CEO", "role: CFO");
    std::fs::remove_file(home.file("people/jane/jane.md")).unwrap();
    std::fs::write(home.file("people/jane/jane-doe.md"), text).unwrap();
    assert_eq!(home.run(&["get", "people/jane", "role"]).ok(), "CFO\n");
    home.run(&["set", "people/jane", "phone=1"]).ok();
    assert!(home.read("people/jane/jane-doe.md").contains("role: CFO"));
    assert!(!home.file("people/jane/jane.md").exists());
}

/// A journal of another node, as if it had come by gossip.
fn plant(home: &Home, target: &str, field: &str, value: &str) {
    let line = format!(
        "2099-01-01T00:00:00.000000+00:00\u{1f}mac\u{1f}{target}\u{1f}{field}\u{1f}{value}\u{1f}\u{1e}"
    );
    let path = home.file("wal/20990101_mac.usv");
    let mut bytes = std::fs::read(&path).unwrap_or_default();
    bytes.extend_from_slice(line.as_bytes());
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_was_written_in_a_card_that_another_node_removed_waits_for_its_writer() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    home.run(&["add", "company", "Beta"]).ok();
    let card = home.file("companies/acme/_index.md");
    std::fs::write(&card, home.read("companies/acme/_index.md").replace("Dallas", "Austin"))
        .unwrap();
    plant(&home, "companies/acme", "_deleted", "true");
    plant(&home, "companies/beta", "_deleted", "true");
    home.run(&["compact"]).ok();
    assert!(!home.file("companies/beta/_index.md").exists(), "an untouched card goes");
    assert!(home.read("companies/acme/_index.md").contains("Austin"));
    let status = home.run(&["status"]).fails(5, "need");
    assert!(status.out.contains("removed by mac"), "{}", status.out);
    home.run(&["accept", "companies/acme"]).fails(4, "--revive");
    assert!(home.read("companies/acme/_index.md").contains("Austin"));
    // It is taken in then, and nothing waits any more.
    let revived = home.run(&["set", "acme", "--revive"]);
    assert!(revived.code == 0 && !revived.err.contains("wait"), "{}", revived.err);
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Austin\n");
    let card = home.read("companies/acme/_index.md");
    let rev = |card: &str| card.lines().find(|line| line.starts_with("_rev")).map(str::to_owned);
    home.run(&["set", "acme", "city=Austin"]).ok();
    assert_eq!(rev(&card), rev(&home.read("companies/acme/_index.md")), "it was put in place");
    home.run(&["status"]).ok();
}

#[test]
fn a_removed_card_with_edits_goes_aside_when_they_are_rejected() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    let card = home.file("companies/acme/_index.md");
    std::fs::write(&card, home.read("companies/acme/_index.md").replace("Dallas", "Austin"))
        .unwrap();
    plant(&home, "companies/acme", "_deleted", "true");
    home.run(&["reject", "companies/acme"]).ok();
    assert!(!card.exists());
    home.run(&["status"]).ok();
}

#[test]
fn many_strange_cards_at_once_wait_and_status_says_so() {
    let home = Home::new();
    let line = |n: usize| {
        format!("{{\"target\":\"companies/c{n}\",\"field\":\"name\",\"value\":\"C{n}\"}}\n")
    };
    let lines: String = (0..201).map(line).collect();
    home.input(&["set", "--from", "-"], lines.as_bytes()).ok();
    for n in 0..201 {
        std::fs::write(home.file(&format!("companies/c{n}/_index.md")), "---\nname: X\n---\n")
            .unwrap();
    }
    let status = home.run(&["status"]).fails(5, "201 things need a person");
    assert!(status.out.contains("201 cards without a known"), "{}", status.out);
    home.run(&["compact"]).ok();
    assert_eq!(home.run(&["get", "c7", "name"]).ok(), "C7\n");
    home.run(&["accept"]).ok();
    let names = |home: &Home| home.run(&["list", "companies", "--where", "name=X"]).ok();
    assert_eq!(names(&home).lines().count(), 201);
    // It was one command, for whoever takes it back.
    home.run(&["undo"]).ok();
    assert_eq!(names(&home), "");
    assert_eq!(home.run(&["get", "c7", "name"]).ok(), "C7\n");
}

#[test]
fn a_name_that_a_person_gave_the_file_is_the_path_that_is_shown() {
    let home = Home::new();
    home.run(&["add", "person", "Jane Doe"]).ok();
    std::fs::rename(home.file("people/jane-doe/jane-doe.md"), home.file("people/jane-doe/jane.md"))
        .unwrap();
    let shown = home.run(&["--json", "show", "jane-doe"]).ok();
    assert!(shown.contains("people/jane-doe/jane.md"), "{shown}");
}

#[test]
fn a_tag_written_in_the_list_of_a_removed_company_waits_too() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "tags+=lead"]).ok();
    std::fs::write(home.file("companies/acme/tags.lst"), "hot\nlead\n").unwrap();
    plant(&home, "companies/acme", "_deleted", "true");
    home.run(&["compact"]).ok();
    assert_eq!(home.read("companies/acme/tags.lst"), "hot\nlead\n");
    home.run(&["status"]).fails(5, "need");
    home.run(&["set", "acme", "--revive"]).ok();
    assert_eq!(home.run(&["get", "acme", "tags"]).ok(), "[\"hot\",\"lead\"]\n");
}

#[test]
fn what_puts_old_files_back_slowly_while_a_daemon_runs_waits_for_a_person_all_the_same() {
    const SOME: usize = 70;
    let home = Home::new();
    let line = |n: usize| {
        format!("{{\"target\":\"companies/c{n}\",\"field\":\"name\",\"value\":\"C{n}\"}}\n")
    };
    let lines: String = (0..3 * SOME + 3).map(line).collect();
    home.input(&["set", "--from", "-"], lines.as_bytes()).ok();
    let _daemon = daemon(&home, &[]);
    for round in 0..3 {
        for n in round * SOME..(round + 1) * SOME {
            std::fs::write(home.file(&format!("companies/c{n}/_index.md")), "---\nname: X\n---\n")
                .unwrap();
        }
        // A person's own edit is seen by the same look.
        let card = format!("companies/c{}/_index.md", 3 * SOME + round);
        let text = home.read(&card).replace("_rev", &format!("city: C{round}\n_rev"));
        std::fs::write(home.file(&card), text).unwrap();
        let taken = format!("city\u{1f}C{round}\u{1f}");
        let has = |path: &PathBuf| std::fs::read_to_string(path).unwrap().contains(&taken);
        until(|| home.journals().iter().any(has));
    }
    let status = home.run(&["status"]).fails(5, "need");
    assert!(status.out.contains("210 cards without a known"), "{}", status.out);
    assert_eq!(home.run(&["get", "c7", "name"]).ok(), "C7\n");
}

#[test]
fn a_card_begun_by_hand_with_keys_and_no_values_yet_stays_where_it_is() {
    let home = Home::new();
    std::fs::create_dir_all(home.file("companies/beta")).unwrap();
    let draft = "---\nname:\ncity:\n---\n";
    std::fs::write(home.file("companies/beta/_index.md"), draft).unwrap();
    home.run(&["compact"]).ok();
    assert_eq!(home.read("companies/beta/_index.md"), draft);
    std::fs::write(home.file("companies/beta/_index.md"), draft.replace("name:", "name: Beta"))
        .unwrap();
    assert_eq!(home.run(&["get", "companies/beta", "name"]).ok(), "Beta\n");
}

#[test]
fn a_file_larger_than_any_card_is_named_and_not_read() {
    let home = acme();
    std::fs::File::create(home.file(CARD)).unwrap().set_len(1 << 40).unwrap();
    let status = home.run(&["status"]).fails(5, "need");
    assert!(status.out.contains("expected at most 8388608"), "{}", status.out);
}
