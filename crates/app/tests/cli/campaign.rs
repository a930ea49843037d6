//! Campaigns: which there are, which one a terminal means, who belongs to them.

use std::process::Command;

use crate::support::{Home, Ran, run};

/// As in a terminal that chose this campaign.
fn chosen(home: &Home, campaign: &str, words: &[&str]) -> Ran {
    run(home.command().env("COCLI_CAMPAIGN", campaign).args(words), b"")
}

fn pool() -> Home {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    home.run(&["add", "person", "Jane Doe"]).ok();
    home
}

#[test]
fn a_campaign_needs_no_template_and_bears_the_name_that_was_typed() {
    let home = Home::new();
    assert!(home.run(&["campaign", "list"]).ok().is_empty());
    assert!(home.run(&["campaign", "new", "Ünïcode & Söhne"]).ok().contains("unicode-sohne"));
    assert!(home.read("campaigns/unicode-sohne/config.toml").contains("Ünïcode & Söhne"));
    assert!(home.run(&["campaign", "list"]).ok().contains("Ünïcode & Söhne"));
    home.run(&["campaign", "new", "Unicode Sohne"]).fails(4, "there already");
    home.run(&["campaign", "new", "  "]).fails(2, "needs a name");
}

#[test]
fn what_one_terminal_chooses_is_nothing_to_another_and_no_file_says_it() {
    let home = pool();
    home.run(&["campaign", "new", "one"]).ok();
    home.run(&["campaign", "new", "two"]).ok();
    let before = home.written();
    let line = home.run(&["campaign", "use", "one"]).ok();
    assert_eq!(line, "export COCLI_CAMPAIGN=one\n");
    assert_eq!(home.written(), before);
    home.run(&["campaign", "add", "acme"]).fails(2, "no campaign is chosen");
    // The line does what it says, in this shell alone.
    let mut shell = Command::new("sh");
    let script = "eval \"$($COCLI campaign use one)\" && $COCLI campaign add acme";
    let cocli = home.command();
    let program = cocli.get_program().to_string_lossy().into_owned();
    shell.args(["-c", script]).env("COCLI", program).env("COCLI_DATA_HOME", &home.path);
    shell.env("XDG_CONFIG_HOME", home.dir.path()).env_remove("COCLI_CAMPAIGN");
    run(&mut shell, b"").ok();
    home.run(&["campaign", "add", "jane-doe"]).fails(2, "no campaign is chosen");
    chosen(&home, "two", &["campaign", "add", "jane-doe"]).ok();
    chosen(&home, "two", &["--campaign", "one", "campaign", "add", "jane-doe"]).ok();
    let shown = |name| home.run(&["--json", "campaign", "show", name]).ok();
    assert!(shown("one").contains(r#""members":["companies/acme","people/jane-doe"]"#));
    assert!(shown("two").contains(r#""members":["people/jane-doe"]"#));
}

#[test]
fn a_campaign_that_does_not_exist_is_refused_with_the_nearest_and_nothing_is_written() {
    let home = pool();
    home.run(&["campaign", "new", "Road Map"]).ok();
    let before = home.written();
    for words in [
        &["campaign", "add", "acme"][..],
        &["campaign", "exclude", "acme", "--reason", "x"],
        &["queue", "push", "q", "--payload", "1"],
        &["queue", "claim", "q"],
    ] {
        let ran = chosen(&home, "raod-map", words).fails(3, "no campaign is called \"raod-map\"");
        assert!(ran.err.contains("road-map`"), "{}", ran.err);
    }
    home.run(&["campaign", "use", "roadmap"]).fails(3, "road-map");
    assert_eq!(home.written(), before);
    // By name, as people say it.
    assert_eq!(home.run(&["campaign", "use", "road map"]).ok(), "export COCLI_CAMPAIGN=road-map\n");
    home.run(&["rm", "campaigns/road-map"]).ok();
    chosen(&home, "road-map", &["campaign", "add", "acme"]).fails(3, "no campaign");
}

#[test]
fn who_is_excluded_is_left_out_with_a_reason_until_that_is_taken_back() {
    let home = pool();
    home.run(&["campaign", "new", "one"]).ok();
    let one = |words: &[&str]| chosen(&home, "one", words);
    one(&["campaign", "add", "acme", "jane-doe"]).ok();
    one(&["campaign", "exclude", "acme"]).fails(2, "--reason");
    one(&["campaign", "exclude", "acme", "--reason", "asked us to stop"]).ok();
    one(&["campaign", "exclude", "Junk.com", "--reason", "true"]).ok();
    one(&["campaign", "exclude", "akme", "--reason", "x"]).fails(3, "companies/acme");
    let shown = one(&["campaign", "show"]).ok();
    assert!(shown.contains("companies/acme  (excluded)"), "{shown}");
    assert!(shown.contains("companies/acme: asked us to stop\n  junk.com: true"), "{shown}");
    one(&["campaign", "add", "acme"]).fails(4, "asked us to stop");
    for gone in ["acme", "junk.com"] {
        one(&["campaign", "exclude", gone, "--remove"]).ok();
        one(&["campaign", "exclude", gone, "--remove"]).fails(3, "not excluded");
    }
    one(&["campaign", "add", "acme"]).ok();
    one(&["rm", "companies/acme"]).ok();
    one(&["campaign", "add", "companies/acme"]).fails(3, "");
    one(&["campaign", "remove", "companies/acme"]).ok();
    one(&["campaign", "add", "nodes/pi1"]).fails(2, "no member");
    let shown = one(&["--json", "campaign", "show"]).ok();
    assert!(shown.contains(r#""members":["people/jane-doe"]"#), "{shown}");
}

#[test]
fn settings_are_inherited_from_the_folders_above_and_one_that_does_not_read_is_named() {
    let home = Home::new();
    let put = |path: &str, text: &str| {
        let path = home.file(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    put("campaigns/config.toml", "[queue]\nattempts = 9\nexpires = 5\n[a]\nb = 1\n");
    put("campaigns/client/config.toml", "[queue]\nexpires = 6\n");
    put("campaigns/client/road/config.toml", "[a]\nc = 2\n");
    let shown = home.run(&["--json", "campaign", "show", "road"]).ok();
    let settings = r#""settings":{"a":{"b":1,"c":2},"queue":{"attempts":9,"expires":6}}"#;
    assert!(shown.contains(settings), "{shown}");
    // Known to this machine alone so far; now to all.
    home.run(&["campaign", "new", "road"]).ok();
    assert!(!home.file("campaigns/road").exists());
    put("campaigns/client/config.toml", "[queue\n");
    home.run(&["campaign", "show", "road"]).fails(1, "campaigns/client/config.toml");
    put("campaigns/client/config.toml", "[queue]\nattempts = \"many\"\n");
    home.run(&["--campaign", "road", "queue", "claim", "q"]).fails(1, "[queue] attempts");
}
