//! Which home a command works on, and what `init` leaves alone.

use crate::support::{Home, cocli, run};

#[test]
fn a_second_init_is_refused_and_changes_nothing() {
    let home = Home::new();
    let id = home.read(".cocli/id");
    let path = home.path.display().to_string();
    run(cocli(home.dir.path()).args(["init", &path]), b"").fails(4, "is a data home already");
    assert_eq!(home.read(".cocli/id"), id);
}

#[test]
fn an_init_that_was_cut_off_says_so_and_is_run_again() {
    let home = Home::none();
    // As far as the keys, and those of another length.
    std::fs::create_dir_all(home.file(".cocli")).unwrap();
    std::fs::write(home.file(".cocli/keys"), "half of a key\n".repeat(100)).unwrap();
    let ran = home.run(&["list", "companies"]).fails(3, "its init was cut off");
    assert!(ran.err.contains("next: `cocli init"), "{}", ran.err);
    let path = home.path.display().to_string();
    run(cocli(home.dir.path()).args(["init", &path, "--node", "pi1"]), b"").ok();
    home.run(&["set", "companies/acme", "city=Dallas"]).ok();
    home.run(&["ticket"]).ok();
}

#[test]
fn settings_that_cannot_be_read_are_not_taken_for_none() {
    let home = Home::new();
    std::fs::remove_file(home.file(".cocli/config.toml")).ok();
    home.run(&["list", "companies"]).ok();
    std::fs::create_dir(home.file(".cocli/config.toml")).unwrap();
    home.run(&["list", "companies"]).fails(1, "could not read .cocli/config.toml");
}

#[test]
fn a_home_that_lost_its_id_keeps_its_keys() {
    let home = Home::new();
    let secrets =
        || [".cocli/keys", ".cocli/identity"].map(|f| std::fs::read(home.file(f)).unwrap());
    let before = secrets();
    std::fs::remove_file(home.file(".cocli/id")).unwrap();
    let path = home.path.display().to_string();
    run(cocli(home.dir.path()).args(["init", &path]), b"").fails(4, "is a data home already");
    assert_eq!(secrets(), before);
    home.run(&["list", "companies"]).fails(1, ".cocli/id");
}

#[test]
fn without_a_home_the_error_says_where_was_looked_and_what_to_type() {
    let none = Home::none();
    let ran = none.run(&["list", "companies"]).fails(3, "COCLI_DATA_HOME");
    assert!(ran.err.contains("cocli init"), "{}", ran.err);
}

#[test]
fn the_nearest_home_upwards_is_found_and_keys_stay_out_of_git() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    let below = home.file("companies/acme");
    let out = run(cocli(home.dir.path()).current_dir(below).arg("data-path"), b"").ok();
    assert_eq!(out.trim(), home.path.display().to_string());
    assert_eq!(home.read(".cocli/.gitignore"), "*\n");
}

#[test]
fn init_in_a_named_home_writes_no_user_settings() {
    let home = Home::none();
    let path = home.path.display().to_string();
    run(cocli(home.dir.path()).args(["--data", &path, "init"]), b"").ok();
    assert!(!home.dir.path().join("config/cocli/config.toml").exists());
    let other = Home::none();
    run(cocli(other.dir.path()).args(["init", "mine"]), b"").ok();
    let noted = std::fs::read_to_string(other.dir.path().join("config/cocli/config.toml")).unwrap();
    assert!(noted.contains("mine"), "{noted}");
}

#[test]
fn secrets_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    for secret in [".cocli/keys", ".cocli/identity"] {
        let mode = std::fs::metadata(home.file(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{secret}: {mode:o}");
    }
}

#[test]
fn an_unknown_setting_is_an_error_with_line_and_nearest_name() {
    let home = Home::new();
    std::fs::write(home.file(".cocli/config.toml"), "[gossip]\nprot = 1\n").unwrap();
    home.run(&["list", "companies"]).fails(1, "config.toml:2").fails(1, "`port`");
}

#[test]
fn a_home_that_is_read_only_says_so_and_still_reads() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    // Permissions do not bind root.
    if rustix::process::geteuid().is_root() {
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    for folder in ["wal", ".cocli", "companies/acme"] {
        std::fs::set_permissions(home.file(folder), std::fs::Permissions::from_mode(0o555))
            .unwrap();
    }
    assert_eq!(home.run(&["get", "companies/acme", "city"]).ok(), "Dallas\n");
    home.run(&["set", "companies/acme", "city=Austin"]).fails(1, "denied");
}

#[test]
fn a_measured_simulation_is_the_same_for_the_same_seed_and_draws_a_picture() {
    let home = Home::none();
    let picture = home.dir.path().join("run.svg");
    let run = |seed: &str| {
        let words = ["sim", "--nodes", "4", "--seconds", "5", "--loss", "10", "--seed", seed];
        let told = home.run(&[&words[..], &["--picture", picture.to_str().unwrap()]].concat()).ok();
        let trace = told.lines().last().unwrap().to_string();
        assert!(trace.contains("trace"), "{told}");
        trace
    };
    assert_eq!(run("3"), run("3"));
    assert_ne!(run("3"), run("4"));
    assert!(std::fs::read_to_string(picture).unwrap().starts_with("<svg"));
}

#[test]
fn git_sees_cards_and_nothing_that_the_journals_make_and_an_old_checkout_changes_nothing() {
    let home = Home::new();
    home.run(&["init", "home", "--git"]).ok();
    let git = |words: &[&str]| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
        let mut git = std::process::Command::new("git");
        git.current_dir(&home.path).env("HOME", home.dir.path()).args(who).args(words);
        let ran = git.output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    };
    home.run(&["add", "company", "Acme", "--set", "city=Paris"]).ok();
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "Paris"]);
    assert_eq!(git(&["ls-files"]), ".gitignore\ncompanies/acme/_index.md\n");
    home.run(&["set", "acme", "city=Lyon"]).ok();
    git(&["commit", "-qam", "Lyon"]);
    git(&["checkout", "-q", "HEAD~1", "--", "."]);
    home.run(&["compact"]).ok();
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Lyon\n");
    std::fs::write(home.file(".gitignore"), "mine\n").unwrap();
    home.run(&["init", "home", "--git"]).ok();
    assert_eq!(home.read(".gitignore"), "mine\n");
}
