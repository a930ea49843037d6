//! Notes and meetings: records of their own, and files that people write in.

use crate::support::Home;

fn acme() -> Home {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    home
}

/// The names of the files in a folder, sorted.
fn files(home: &Home, folder: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(home.file(folder)) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn put(home: &Home, path: &str, text: &str) {
    std::fs::create_dir_all(home.file(path).parent().unwrap()).unwrap();
    std::fs::write(home.file(path), text).unwrap();
}

#[test]
fn a_note_is_a_file_that_takes_edits_and_says_when_and_what() {
    let home = acme();
    home.run(&["note", "acme", "they ring back on Monday"]).ok();
    let added =
        home.input(&["note", "add", "acme", "Kick off: budget / #1\nx"], b"- 40 k\n- by June\n");
    added.ok();
    let notes = files(&home, "companies/acme/notes");
    assert_eq!(notes.len(), 2, "{notes:?}");
    let kick = notes.iter().find(|name| name.contains("kick-off-budget")).unwrap();
    let text = home.read(&format!("companies/acme/notes/{kick}"));
    assert!(
        text.contains("- 40 k\n- by June\n") && text.contains("title: \"Kick off: budget"),
        "{text}"
    );
    put(&home, &format!("companies/acme/notes/{kick}"), &text.replace("40 k", "50 k"));
    let listed = home.run(&["note", "list", "acme"]).ok();
    assert!(
        listed.contains("they ring back on Monday") && listed.contains("Kick off: budget"),
        "{listed}"
    );
    let shown = home.run(&["note", "show", "acme"]).ok();
    assert!(shown.contains("50 k"), "{shown}");
}

#[test]
fn a_thousand_notes_of_one_second_are_a_thousand_files() {
    let home = acme();
    let line = |n: usize| {
        format!(
            "{{\"target\":\"companies/acme/notes/2026-11-28t10-00-00z-call-{n:04}\",\"field\":\"content\",\"value\":\"call {n}\"}}\n"
        )
    };
    let lines: String = (0..1000).map(line).collect();
    home.input(&["set", "--from", "-"], lines.as_bytes()).ok();
    assert_eq!(files(&home, "companies/acme/notes").len(), 1000);
}

#[test]
fn files_that_people_put_there_become_notes_under_the_name_they_chose() {
    let home = acme();
    put(&home, "companies/acme/notes/Call with Zoë.md", "She likes it.\n");
    put(
        &home,
        "companies/acme/notes/2026-02-18T17-04-05Z-first-call.md",
        "---\ntitle: First call\n---\n\nHello.\n",
    );
    put(&home, "companies/acme/notes/empty.md", "");
    put(&home, "companies/acme/notes/.hidden.md", "x");
    put(&home, "companies/acme/notes/picture.png", "x");
    let listed = home.run(&["note", "list", "acme"]).ok();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains("Call with Zoë") && listed.contains("2026-02-18"), "{listed}");
    let text = home.read("companies/acme/notes/Call with Zoë.md");
    assert!(
        text.starts_with("---\n")
            && text.contains("title: Call with Zoë")
            && text.ends_with("\n\nShe likes it.\n"),
        "{text}"
    );
    put(&home, "companies/acme/notes/Call with Zoë.md", &text.replace("likes", "loves"));
    home.run(&["compact"]).ok();
    assert!(home.run(&["note", "list", "acme"]).ok().contains("Call with Zoë"));
    let json = home.run(&["--json", "note", "list", "acme"]).ok();
    assert!(json.contains("She loves it.") && json.contains("2026-02-18T17:04:05Z"), "{json}");
    assert_eq!(files(&home, "companies/acme/notes").len(), 5);
}

#[test]
fn the_same_file_on_two_machines_is_one_note() {
    let (one, two) = (acme(), acme());
    for home in [&one, &two] {
        put(
            home,
            "companies/acme/notes/Weekly call.md",
            "---\ntimestamp: '2026-11-01T08:00:00Z'\n---\n\nSame.\n",
        );
        home.run(&["compact"]).ok();
    }
    let notes = |home: &Home| {
        let state = home.run(&["state"]).ok();
        let mut notes: Vec<String> = state
            .split('\u{1e}')
            .filter_map(|line| Some(line.split('\u{1f}').nth(2)?.to_owned()))
            .filter(|t| t.contains("/notes/"))
            .collect();
        notes.dedup();
        notes
    };
    assert_eq!(notes(&one), notes(&two));
    assert_eq!(notes(&one).len(), 1);
}

#[test]
fn notes_go_and_come_back_with_their_company() {
    let home = acme();
    home.run(&["note", "acme", "first"]).ok();
    home.run(&["rm", "companies/acme"]).ok();
    assert_eq!(files(&home, "companies/acme/notes"), [""; 0]);
    home.run(&["note", "list", "companies/acme"]).fails(4, "was removed");
    home.run(&["set", "companies/acme", "--revive"]).ok();
    assert_eq!(files(&home, "companies/acme/notes").len(), 1);
    assert!(home.run(&["compact"]).ok().lines().count() < 5);
    assert!(home.run(&["note", "list", "acme"]).ok().contains("first"));
}

#[test]
fn meetings_are_added_in_words_and_listed_in_order() {
    let home = acme();
    home.run(&["add", "person", "Ada Byron", "--company", "acme"]).ok();
    home.run(&["meeting", "add", "acme", "2026-12-01 14:30", "Kick off"]).ok();
    home.run(&["meeting", "add", "ada-byron", "2031-01-02", "Review", "--type", "phone-call"]).ok();
    home.run(&["meeting", "add", "acme", "2020-01-02 09:00", "Old"]).ok();
    let named = files(&home, "companies/acme/meetings");
    assert!(named[1].starts_with("2026-12-01T1430Z-kick-off-"), "{named:?}");
    let listed = home.run(&["meeting", "list"]).ok();
    let order: Vec<usize> =
        ["Old", "Kick off", "Review"].map(|title| listed.find(title).unwrap()).to_vec();
    assert!(order.is_sorted(), "{listed}");
    let next = home.run(&["meeting", "next"]).ok();
    assert!(next.contains("Review") && !next.contains("Old"), "{next}");
    home.run(&["meeting", "add", "acme", "2026-02-30", "No such day"]).fails(2, "no 30 February");
    home.run(&["meeting", "add", "acme", "soonish", "When"]).fails(2, "soonish");
}

#[test]
fn an_attachment_stays_here_and_status_says_so() {
    let home = acme();
    assert!(!home.run(&["status"]).ok().contains("do not travel"));
    put(&home, "companies/acme/offer.pdf", "x");
    put(&home, "companies/acme/notes/scan.png", "x");
    put(&home, "companies/acme/files/deep/a.txt", "x");
    put(&home, "companies/acme/.DS_Store", "x");
    home.run(&["note", "acme", "first"]).ok();
    assert!(home.run(&["status"]).ok().contains("3 files beside the cards stay on this machine"));
}

#[cfg(unix)]
#[test]
fn what_was_changed_in_the_editor_is_written_and_what_was_not_is_not() {
    use std::os::unix::fs::PermissionsExt;
    let home = acme();
    let editor = home.dir.path().join("editor.sh");
    let edits = |script: &str| {
        std::fs::write(&editor, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = home.command();
        command.env_remove("VISUAL").env("EDITOR", &editor).args(["edit", "acme"]);
        crate::support::run(&mut command, b"")
    };
    assert!(edits("true").ok().contains("nothing was changed"));
    let changed = edits("sed -i 's/^_rev:/city: Paris\\n_rev:/' \"$1\"").ok();
    assert!(changed.contains("1 field was changed"), "{changed}");
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Paris\n");
    edits("exit 3").fails(1, "did not do it");
    let noted = {
        std::fs::write(&editor, "#!/bin/sh\nsed -i 's/Paris/Lyon/; s/first/second/' \"$1\"\n")
            .unwrap();
        home.run(&["note", "acme", "first"]).ok();
        let mut command = home.command();
        command.env("VISUAL", &editor).args(["note", "edit", "acme"]);
        crate::support::run(&mut command, b"").ok()
    };
    assert!(noted.contains("changed"), "{noted}");
    assert!(home.run(&["note", "show", "acme"]).ok().contains("second"));
}

#[test]
fn a_note_never_takes_the_file_of_another() {
    let home = acme();
    put(&home, "companies/acme/notes/call.md", "Mine.\n");
    home.run(&["compact"]).ok();
    let other = "companies/acme/notes/other-x7k2";
    home.run(&["set", other, "content=Theirs.", "_file=call"]).ok();
    home.run(&["compact"]).ok();
    assert!(home.read("companies/acme/notes/call.md").ends_with("Mine.\n"));
    assert!(home.read("companies/acme/notes/other-x7k2.md").ends_with("Theirs.\n"));
}

#[test]
fn an_edit_of_a_note_whose_company_was_removed_waits_and_comes_back_with_it() {
    let home = acme();
    put(&home, "companies/acme/notes/call.md", "Mine.\n");
    home.run(&["compact"]).ok();
    let text = home.read("companies/acme/notes/call.md").replace("Mine.", "Mine and yours.");
    put(&home, "companies/acme/notes/call.md", &text);
    home.run(&["rm", "companies/acme"]).ok();
    assert!(home.read("companies/acme/notes/call.md").contains("Mine and yours."));
    home.run(&["set", "companies/acme", "--revive"]).ok();
    home.run(&["compact"]).ok();
    assert!(home.run(&["note", "show", "acme"]).ok().contains("Mine and yours."));
}

#[test]
fn a_day_without_a_time_is_that_day_everywhere() {
    let home = acme();
    put(&home, "companies/acme/meetings/2031-03-01-kick-off.md", "Hello.\n");
    home.run(&["meeting", "add", "acme", "2031-12-01", "Review"]).ok();
    for zone in ["America/Los_Angeles", "Europe/Berlin", "Pacific/Auckland"] {
        let mut command = home.command();
        command.env("TZ", zone).args(["meeting", "list", "acme"]);
        let listed = crate::support::run(&mut command, b"").ok();
        assert!(
            listed.starts_with("2031-03-01  ") && listed.contains("\n2031-12-01  "),
            "{zone}: {listed}"
        );
    }
}

#[test]
fn a_meeting_takes_as_long_as_was_said_in_calendars_too() {
    let home = acme();
    assert!(home.run(&["today", "--ics"]).ok().contains("BEGIN:VTIMEZONE\r\n"));
    home.run(&["meeting", "add", "acme", "2031-12-01 14:30", "Kick off", "--for", "90 min"]).ok();
    let file = files(&home, "companies/acme/meetings").remove(0);
    assert!(home.read(&format!("companies/acme/meetings/{file}")).contains("duration: 1h 30m\n"));
    home.run(&["meeting", "add", "acme", "2031-12-02 14:30", "Review"]).ok();
    let ics = home.run(&["today", "--ics"]).ok();
    assert!(ics.contains("DURATION:PT90M\r\n") && ics.contains("DURATION:PT30M\r\n"), "{ics}");
    assert!(!ics.contains("VTIMEZONE"), "{ics}");
    home.run(&["meeting", "add", "acme", "2031-12-01", "Fair", "--for", "2h"])
        .fails(2, "whole day");
    let long = ["meeting", "add", "acme", "2031-12-01 9:00", "Fair", "--for", "a while"];
    home.run(&long).fails(2, "`45m`");
}
