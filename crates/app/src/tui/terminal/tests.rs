#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::process::Command;

use super::*;

#[path = "../../../tests/cli/pty.rs"]
mod pty;

/// Says to a test that it runs on a terminal, and what it shall do there.
const ROLE: &str = "COCLI_TEST_ON_A_TERMINAL";

/// Runs the test of this name again, on a terminal of its own.
fn on_a_terminal(test: &str, role: &str) -> pty::Pty {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = format!("tui::terminal::tests::{test}");
    pty::Pty::start(command.args([&name, "--exact", "--nocapture"]).env(ROLE, role))
}

#[test]
fn after_a_panic_of_whichever_thread_the_terminal_is_as_it_was_and_what_it_said_is_read() {
    match std::env::var(ROLE).as_deref() {
        Ok("here") => {
            let mut terminal = Terminal::take().unwrap();
            terminal.draw(|_| panic!("while it draws")).unwrap();
        }
        Ok(_) => {
            let mut terminal = Terminal::take().unwrap();
            std::thread::spawn(|| panic!("in another thread"));
            terminal.wait(None).unwrap();
        }
        Err(_) => {
            for (role, says) in [("here", "while it draws"), ("there", "in another thread")] {
                let (ended, shown) =
                    on_a_terminal(
                        "after_a_panic_of_whichever_thread_the_terminal_is_as_it_was_and_what_it_said_is_read",
                        role,
                    )
                    .ends();
                assert_eq!(ended.code(), Some(PANICKED), "{shown:?}");
                let (_, after) = shown.split_once("\u{1b}[?1049l").unwrap();
                assert!(after.contains(says), "{shown:?}");
            }
        }
    }
}

#[test]
fn whoever_is_woken_or_late_is_told_so_and_a_key_is_one_however_it_comes() {
    if std::env::var(ROLE).is_err() {
        let test = "whoever_is_woken_or_late_is_told_so_and_a_key_is_one_however_it_comes";
        let mut it = on_a_terminal(test, "waits");
        it.shows("ready");
        it.types("x\u{1b}[A");
        let (ended, shown) = it.ends();
        assert!(ended.success(), "{shown:?}");
        return;
    }
    let mut terminal = Terminal::take().unwrap();
    assert!(matches!(terminal.wait(Some(clock::monotonic())).unwrap(), Came::Late));
    let waker = terminal.waker();
    std::thread::spawn(move || waker.wake()).join().unwrap();
    assert!(matches!(terminal.wait(None).unwrap(), Came::Woken));
    terminal.draw(|frame| frame.render_widget("ready", frame.area())).unwrap();
    for code in [KeyCode::Char('x'), KeyCode::Up] {
        let came = terminal.wait(None).unwrap();
        assert!(matches!(came, Came::Key(key) if key.code == code), "{came:?}");
    }
}
