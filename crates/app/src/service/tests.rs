use super::*;

const OWN: &str = "/home/ada";

fn service(manager: Manager) -> Service {
    Service::new(manager, (Path::new(OWN), Path::new("/home/ada/.config")), 1000)
}

fn words(steps: &[Step]) -> Vec<String> {
    steps.iter().map(|step| step.words.join(" ")).collect()
}

#[test]
fn a_unit_runs_this_program_on_this_home_and_is_watched() {
    let service = service(Manager::Systemd);
    assert_eq!(service.file, Path::new("/home/ada/.config/systemd/user/cocli.service"));
    let text = service.text(Path::new("/usr/bin/cocli"), Path::new("/home/ada/cocli")).unwrap();
    let lines = [
        "ExecStart=\"/usr/bin/cocli\" --data \"/home/ada/cocli\" daemon",
        "Type=notify",
        "WantedBy=default.target",
    ];
    for line in lines {
        assert!(text.lines().any(|one| one == line), "{line} in: {text}");
    }
    assert!(service.is_of(&text, Path::new("/home/ada/cocli")));
    assert!(!service.is_of(&text, Path::new("/home/ada/coc")));
    assert!(!service.is_of(&text, Path::new("/home/ada/other")));
}

#[test]
fn odd_letters_of_a_path_are_kept_as_systemd_and_xml_read_them() {
    let home = Path::new("/home/ada/a \"b\" \\ 100% $HOME <&>");
    let unit = service(Manager::Systemd).text(Path::new("/usr/bin/cocli"), home).unwrap();
    assert!(unit.contains(r#"--data "/home/ada/a \"b\" \\ 100%% $$HOME <&>" daemon"#), "{unit}");
    let agent = service(Manager::Launchd).text(Path::new("/usr/bin/cocli"), home).unwrap();
    assert!(agent.contains(r#"<string>/home/ada/a "b" \ 100% $HOME &lt;&amp;&gt;</string>"#));
    assert!(service(Manager::Systemd).is_of(&unit, home));
    assert!(service(Manager::Launchd).is_of(&agent, home));
}

#[test]
fn a_path_that_would_begin_a_line_of_its_own_is_refused() {
    let (good, bad) = (Path::new("/usr/bin/cocli"), Path::new("/home/ada\nExecStart=/bin/sh"));
    for manager in [Manager::Systemd, Manager::Launchd] {
        assert!(service(manager).text(good, bad).is_err());
        assert!(service(manager).text(bad, good).is_err());
    }
}

#[test]
fn a_program_that_systemd_would_not_take_is_refused_before_anything_is_written() {
    let home = Path::new("/home/ada/cocli");
    for program in ["/opt/$x/cocli", "/opt/it's/cocli", "/opt/\"x\"/cocli", "/opt/x\\y/cocli"] {
        assert!(service(Manager::Systemd).text(Path::new(program), home).is_err(), "{program}");
        assert!(service(Manager::Launchd).text(Path::new(program), home).is_ok(), "{program}");
    }
    let unit = service(Manager::Systemd).text(Path::new("/opt/my é 1%h @/cocli"), home).unwrap();
    assert!(unit.contains("ExecStart=\"/opt/my é 1%%h @/cocli\" "), "{unit}");
}

#[test]
fn an_agent_begins_at_login_and_again_when_it_failed() {
    let service = service(Manager::Launchd);
    assert_eq!(service.file, Path::new("/home/ada/Library/LaunchAgents/cocli.daemon.plist"));
    let text = service.text(Path::new("/usr/local/bin/cocli"), Path::new("/Users/ada/c")).unwrap();
    let flat = text.split_whitespace().collect::<String>();
    for part in [
        "<key>Label</key><string>cocli.daemon</string>",
        "<array><string>/usr/local/bin/cocli</string><string>--data</string><string>/Users/ada/c</string><string>daemon</string></array>",
        "<key>RunAtLoad</key><true/>",
        "<key>SuccessfulExit</key><false/>",
    ] {
        assert!(flat.contains(part), "{part} in: {text}");
    }
    assert_eq!(
        words(&service.steps(Wish::Keep)),
        [
            "launchctl bootout gui/1000/cocli.daemon",
            "launchctl enable gui/1000/cocli.daemon",
            "launchctl bootstrap gui/1000 /home/ada/Library/LaunchAgents/cocli.daemon.plist"
        ]
    );
}

#[test]
fn a_user_who_is_not_logged_in_gets_a_manager_before_it_is_asked() {
    let steps = service(Manager::Systemd).steps(Wish::Answer);
    assert_eq!(words(&steps), ["loginctl enable-linger 1000", "systemctl --user show-environment"]);
    assert!(steps[0].or.is_some(), "without the right to it, it runs while one is logged in");
    assert!(steps[1].or.is_none() && steps[1].soon, "a manager that is begun is there soon");
}

#[test]
fn logs_are_asked_of_whoever_keeps_them() {
    let asked = |manager, follow| service(manager).shows_logs(50, follow).join(" ");
    assert_eq!(asked(Manager::Systemd, true), "journalctl -q --user-unit cocli.service -n 50 -f");
    assert_eq!(asked(Manager::Launchd, false), "tail -n 50 /home/ada/Library/Logs/cocli.log");
}
