//! What is opened in other programs, with an opener that tells what it was handed.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Home, Ran, run};

const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Opens with an opener that writes what it gets into a file; gives that too.
fn open(home: &Home, words: &[&str]) -> (Ran, Option<String>) {
    let (bin, told) = (home.dir.path().join("bin"), home.dir.path().join("told"));
    let _ = std::fs::remove_file(&told);
    std::fs::create_dir_all(&bin).unwrap();
    let script = format!("#!/bin/sh\nprintf '%s|' \"$#\" \"$@\" > '{}'\n", told.display());
    std::fs::write(bin.join(OPENER), script).unwrap();
    std::fs::set_permissions(bin.join(OPENER), PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let ran = run(home.command().env("PATH", path).arg("open").args(words), b"");
    (ran, std::fs::read_to_string(told).ok())
}

#[test]
fn each_word_opens_what_is_known() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    let folder = home.path.canonicalize().unwrap().join("companies/acme").display().to_string();
    assert_eq!(open(&home, &["acme"]).1, Some(format!("1|{folder}|")));
    let (ran, told) = open(&home, &["acme", "web"]);
    ran.fails(3, "cocli set companies/acme website_url=");
    assert_eq!(told, None);
    open(&home, &["acme", "mail"]).0.fails(3, "cocli set companies/acme email=");
    open(&home, &["acme", "map"]).0.fails(3, "cocli set companies/acme full_address=");
    home.run(&["set", "acme", "domain=acme.example", "email=info@acme.example", "city=Söhlde"])
        .ok();
    for (word, opened) in [
        ("web", "https://acme.example/"),
        ("mail", "mailto:info@acme.example"),
        ("map", "https://www.openstreetmap.org/search?query=S%C3%B6hlde"),
        ("dir", folder.as_str()),
    ] {
        assert_eq!(open(&home, &["acme", word]).1, Some(format!("1|{opened}|")));
        let (ran, told) = open(&home, &["acme", word, "--print"]);
        assert_eq!((ran.ok(), told), (format!("{opened}\n"), None));
    }
    assert_eq!(open(&home, &["acme"]).1.as_deref(), Some("1|https://acme.example/|"));
    home.run(&["set", "acme", "latitude=52.1", "longitude=-10.25"]).ok();
    let there = open(&home, &["acme", "map"]).1.unwrap();
    assert!(there.contains("mlat=52.1&mlon=-10.25#map=17/52.1/-10.25"), "{there}");
}

#[test]
fn nothing_that_a_field_says_is_run_or_opened_as_something_else() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    for said in ["file:///etc/passwd", "javascript:alert(1)", "https://bank.example@evil.example"] {
        home.run(&["set", "acme", &format!("website_url={said}")]).ok();
        let (ran, told) = open(&home, &["acme", "web"]);
        ran.fails(1, "expected a site");
        assert_eq!(told, None);
    }
    home.run(&["set", "acme", "website_url=acme.example/$(touch x);`id` --x"]).ok();
    let told = open(&home, &["acme"]).1.unwrap();
    assert_eq!(told, "1|https://acme.example/$(touch%20x);%60id%60%20--x|");
    home.run(&["set", "acme", "email=a@b.example?bcc=c@d.example"]).ok();
    open(&home, &["acme", "mail"]).0.fails(1, "expected an address");
}
