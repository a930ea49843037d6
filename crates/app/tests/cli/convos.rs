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

/// The targets of all notes that a home knows.
fn notes_of(home: &Home) -> Vec<String> {
    let listed = home.run(&["--json", "note", "list", "acme"]).ok();
    let target = |line: &str| -> String {
        let note: serde_json::Value = serde_json::from_str(line).unwrap();
        note["target"].as_str().unwrap().to_owned()
    };
    listed.lines().map(target).collect()
}

#[test]
fn a_note_whose_name_arrives_later_is_moved_and_not_doubled() {
    let home = acme();
    // As packets bring it: the name is the last to come.
    let name = "Call with Zoë";
    let id = {
        let other = acme();
        put(&other, &format!("companies/acme/notes/{name}.md"), "She likes it.\n");
        other.run(&["compact"]).ok();
        notes_of(&other).remove(0)
    };
    home.run(&["set", &id, "content=She likes it.", "title=Call"]).ok();
    let first = files(&home, "companies/acme/notes");
    assert_eq!(first.len(), 1);
    // What a person wrote there meanwhile comes along.
    let path = format!("companies/acme/notes/{}", first[0]);
    let text = home.read(&path).replace("likes", "loves").replace("title:", "# mine\ntitle:");
    put(&home, &path, &text);
    home.run(&["set", &id, &format!("_file={name}")]).ok();
    home.run(&["compact"]).ok();
    assert_eq!(files(&home, "companies/acme/notes"), [format!("{name}.md")]);
    let text = home.read(&format!("companies/acme/notes/{name}.md"));
    assert!(text.contains("# mine\n") && text.contains("She loves it."), "{text}");
    assert_eq!(notes_of(&home), [id]);
    let before = home.written();
    home.run(&["compact"]).ok();
    assert_eq!(home.written(), before);
}

#[test]
fn a_note_that_a_person_renames_is_the_same_note() {
    let home = acme();
    home.run(&["note", "acme", "first"]).ok();
    put(&home, "companies/acme/notes/Weekly.md", "Second.\n");
    home.run(&["compact"]).ok();
    let notes = notes_of(&home);
    assert_eq!(notes.len(), 2);
    for (round, name) in ["One more Ä.md", "again.md", "Weekly.md"].into_iter().enumerate() {
        for (old, new) in [(0, "1 "), (1, "2 ")] {
            let target = notes[old].clone();
            let was = serde_json::from_str::<serde_json::Value>(
                &home.run(&["--json", "show", &target]).ok(),
            )
            .unwrap();
            let was = was["path"].as_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&was).unwrap();
            let text = text.replace("\n---\n\n", &format!("\n---\n\nround {round} "));
            let path = format!("companies/acme/notes/{new}{name}");
            std::fs::rename(&was, home.file(&path)).unwrap();
            put(&home, &path, &text);
        }
        home.run(&["compact"]).ok();
        let mut found = notes_of(&home);
        found.sort();
        let mut expected = notes.clone();
        expected.sort();
        assert_eq!(found, expected);
        let there = files(&home, "companies/acme/notes");
        assert_eq!(there, [format!("1 {name}"), format!("2 {name}")]);
        assert!(home.run(&["note", "show", &notes[0]]).ok().contains(&format!("round {round}")));
        let stem = name.strip_suffix(".md").unwrap();
        assert_eq!(home.run(&["get", &notes[1], "_file"]).ok(), format!("2 {stem}\n"));
        let before = home.written();
        home.run(&["compact"]).ok();
        assert_eq!(home.written(), before, "nothing is taken in again");
    }
}

#[test]
fn a_copy_of_a_note_is_a_note_of_its_own() {
    let home = acme();
    put(&home, "companies/acme/notes/Weekly.md", "Agenda.\n");
    home.run(&["compact"]).ok();
    let text = home.read("companies/acme/notes/Weekly.md");
    put(&home, "companies/acme/notes/Weekly copy.md", &text);
    home.run(&["compact"]).ok();
    assert_eq!(notes_of(&home).len(), 2);
    assert_eq!(files(&home, "companies/acme/notes"), ["Weekly copy.md", "Weekly.md"]);
}

#[test]
fn an_old_name_is_free_for_another_note_and_a_name_that_is_in_use_is_nobody_elses() {
    let home = acme();
    put(&home, "companies/acme/notes/call.md", "First.\n");
    home.run(&["compact"]).ok();
    let folder = home.file("companies/acme/notes");
    std::fs::rename(folder.join("call.md"), folder.join("done.md")).unwrap();
    home.run(&["compact"]).ok();
    assert_eq!(notes_of(&home), ["companies/acme/notes/call"]);
    // A file under the name that the note had, and a note that is called as its file is.
    put(&home, "companies/acme/notes/call.md", "Second.\n");
    home.run(&["set", "companies/acme/notes/done", "content=Third."]).ok();
    for _ in 0..2 {
        home.run(&["compact"]).ok();
        assert_eq!(notes_of(&home).len(), 3);
        assert!(home.read("companies/acme/notes/done.md").ends_with("First.\n"));
        assert!(home.read("companies/acme/notes/call.md").ends_with("Second.\n"));
        assert_eq!(files(&home, "companies/acme/notes").len(), 3);
        let third = home.run(&["get", "companies/acme/notes/done", "content"]).ok();
        assert_eq!(third, "Third.\n");
    }
    // The path of a file is that of whom it shows.
    home.run(&["set", "companies/acme/notes/done.md", "title=First"]).ok();
    assert_eq!(home.run(&["get", "companies/acme/notes/call", "title"]).ok(), "First\n");
}

#[test]
fn a_renamed_note_is_renamed_on_other_machines_and_edits_there_are_its_own() {
    let one = acme();
    let two = crate::cluster::member(&one, "laptop");
    let first = crate::cluster::daemon(&one, &[]);
    let _second = crate::cluster::daemon(&two, &[&first.address]);
    one.run(&["note", "acme", "first"]).ok();
    crate::cluster::level(&[&one, &two]);
    let folder = one.file("companies/acme/notes");
    let name = files(&one, "companies/acme/notes").remove(0);
    std::fs::rename(folder.join(name), folder.join("Ende Ä.md")).unwrap();
    one.run(&["note", "list", "acme"]).ok();
    crate::cluster::until(|| files(&two, "companies/acme/notes") == ["Ende Ä.md"]);
    let path = "companies/acme/notes/Ende Ä.md";
    put(&two, path, &two.read(path).replace("first", "second"));
    two.run(&["note", "list", "acme"]).ok();
    crate::cluster::until(|| one.read(path).contains("second"));
    crate::cluster::level(&[&one, &two]);
    for home in [&one, &two] {
        assert_eq!(notes_of(home).len(), 1);
        assert_eq!(files(home, "companies/acme/notes"), ["Ende Ä.md"]);
    }
}
