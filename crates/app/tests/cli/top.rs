//! `cocli top`, and the picker of `find`, on a real terminal.

use std::os::unix::process::ExitStatusExt;

use crate::cluster::{daemon, level, member};
use crate::pty::Pty;
use crate::support::Home;

#[test]
fn what_another_machine_writes_appears_and_the_terminal_is_left_as_it_was() {
    let home = Home::new();
    let pi = member(&home, "pi");
    let here = daemon(&home, &[]);
    let _there = daemon(&pi, &[&here.address]);
    pi.run(&["add", "company", "Acme"]).ok();
    level(&[&home, &pi]);
    let mut top = Pty::start(home.command().args(["top", "live"]));
    top.shows("as they become durable here");
    pi.run(&["set", "acme", "email=seen-by-top@acme.example"]).ok();
    top.shows("seen-by-top@acme.example");
    // The pool is searched by the letters that are views and ends elsewhere.
    top.types("5");
    top.shows("companies/acme");
    top.types("/q1");
    top.shows("nothing is called so");
    top.types("\r");
    top.types("1q");
    let (ended, shown) = top.ends();
    assert!(ended.success(), "{shown:?}");
}

#[test]
fn without_a_daemon_it_says_so_and_goes_on_by_itself_once_one_runs() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    let mut top = Pty::start(home.command().args(["top", "pool"]));
    top.shows("no daemon runs");
    top.shows("companies/acme");
    let _daemon = daemon(&home, &[]);
    top.types("2");
    top.shows("as they become durable here");
    top.types("q");
    assert!(top.ends().0.success());
}

#[test]
fn a_signal_ends_it_and_the_picker_once_the_terminal_is_given_back() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    for (words, shows) in [(&["top"][..], "Cluster"), (&["find"], "type a part of a name")] {
        for (signal, number) in [("-TERM", 15), ("-INT", 2), ("-HUP", 1)] {
            let mut it = Pty::start(home.command().args(words));
            it.shows(shows);
            it.signal(signal);
            let (ended, shown) = it.ends();
            assert_eq!(ended.signal(), Some(number), "{words:?} {signal}: {shown:?}");
        }
    }
}

#[test]
fn the_editor_has_the_terminal_until_it_is_closed() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    // It ends at a line, as only a terminal that is given back brings one.
    let editor = home.dir.path().join("editor");
    let script =
        "#!/bin/sh\necho 'editing now'\nread line\nsed -i \"s/^name: .*/name: $line/\" \"$1\"\n";
    std::fs::write(&editor, script).unwrap();
    std::process::Command::new("chmod").arg("+x").arg(&editor).status().unwrap();
    let mut command = home.command();
    let mut top =
        Pty::start(command.args(["top", "pool"]).env("EDITOR", &editor).env_remove("VISUAL"));
    top.shows("companies/acme");
    top.types("e");
    top.shows("editing now");
    top.types("Brick\n");
    top.shows("1 field was changed");
    top.types("q");
    assert!(top.ends().0.success());
    assert_eq!(home.run(&["get", "companies/acme", "name"]).ok(), "Brick\n");
}

#[test]
fn where_nobody_looks_it_says_what_programs_ask() {
    let home = Home::new();
    home.run(&["top"]).fails(2, "cocli log -f --json");
    home.run(&["top", "--json"]).fails(2, "needs a terminal");
}
