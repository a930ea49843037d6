use super::*;
use crate::settings::Environment;

fn nobody_there(_: &str) -> Result<(), String> {
    Err("no answer".to_string())
}

fn found(settings: &Settings) -> Result<Asker, Failure> {
    let profile = Profile::read(&settings.environment, settings.profile.as_deref());
    find(settings, &profile, &nobody_there)
}

fn keys(id: &str) -> Asker {
    Asker::Keys(Keys { id: id.to_string(), secret: "s".to_string(), token: None })
}

#[test]
fn without_any_every_place_is_named_in_order_with_what_was_there() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    std::fs::write(home.path().join(".aws/config"), "[default]\nregion = x\n").unwrap();
    let home = home.path().display().to_string();
    let failure = found(&Settings::new(Environment::of([("HOME", &home)]))).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Denied);
    let places = [
        "1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: not set",
        "2. AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN: not set",
        &format!("3. {home}/.aws/credentials: no such file"),
        &format!("4. {home}/.aws/config: [default] has region"),
        "5. AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI: not set",
        "6. the machine's role, at http://169.254.169.254: no answer",
        "Next: aws configure, or set AWS_ACCESS_KEY_ID",
    ];
    let mut rest = failure.said.as_str();
    for place in places {
        rest = rest.split_once(place).unwrap_or_else(|| panic!("{place} in {rest}")).1;
    }
}

#[test]
fn keys_in_the_environment_go_before_a_profile_unless_it_is_said() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("credentials").display().to_string();
    let text = "[work]\naws_access_key_id=P\naws_secret_access_key=s\n";
    std::fs::write(&file, text).unwrap();
    let environment = Environment::of([
        ("AWS_ACCESS_KEY_ID", "E"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_PROFILE", "work"),
        ("AWS_SHARED_CREDENTIALS_FILE", &file),
    ]);
    let mut settings = Settings::new(environment);
    assert_eq!(found(&settings), Ok(keys("E")));
    settings.profile = Some("work".to_string());
    assert_eq!(found(&settings), Ok(keys("P")));
    let environment =
        Environment::of([("AWS_PROFILE", "work"), ("AWS_SHARED_CREDENTIALS_FILE", &file)]);
    assert_eq!(found(&Settings::new(environment)), Ok(keys("P")));
}

#[test]
fn half_of_a_pair_is_a_failure_and_not_passed_over() {
    let failure = found(&Settings::new(Environment::of([("AWS_ACCESS_KEY_ID", "E")]))).unwrap_err();
    assert!(failure.said.contains("AWS_SECRET_ACCESS_KEY is not"), "{failure}");
}

#[test]
fn what_only_the_aws_tools_know_is_named_with_the_way_around() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config").display().to_string();
    let text = "[profile sso]\nsso_session = x\n[profile role]\nrole_arn = y\nsource_profile = z\n\
                [profile web]\nrole_arn = y\nweb_identity_token_file = /t\n\
                [profile run]\ncredential_process = echo x\n";
    std::fs::write(&file, text).unwrap();
    let of = |name: &str| {
        let mut settings = Settings::new(Environment::of([("AWS_CONFIG_FILE", &file)]));
        settings.profile = Some(name.to_string());
        found(&settings)
    };
    for (name, how) in [("sso", "signs in by SSO"), ("role", "takes a role")] {
        let said = of(name).unwrap_err().said;
        assert!(said.contains(how), "{said}");
        assert!(said.contains(&format!("export-credentials --profile {name}")), "{said}");
    }
    assert!(matches!(of("web"), Ok(Asker::WebIdentity { .. })));
    assert_eq!(of("run"), Ok(Asker::Process("echo x".to_string())));
    assert!(of("none").unwrap_err().said.contains("no [profile none] in it"));
}

#[test]
fn a_machine_is_asked_last_and_not_when_that_is_switched_off() {
    let settings = Settings::default();
    let there = |_: &str| Ok(());
    let machine = find(&settings, &Profile::default(), &there);
    assert_eq!(machine, Ok(Asker::Machine(MACHINE.to_string())));
    let off = Settings::new(Environment::of([("AWS_EC2_METADATA_DISABLED", "true")]));
    assert!(find(&off, &Profile::default(), &there).is_err());
}

#[test]
fn a_process_is_asked_once_and_its_failure_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let command = format!(
        "echo >> {}; echo '{{\"Version\":1,\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"s\"}}'",
        log.display()
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let process = Process::new(command);
    for _ in 0..3 {
        let keys = runtime.block_on(process.get_credential()).unwrap();
        assert_eq!(keys.key_id, "K");
    }
    assert_eq!(std::fs::read(&log).unwrap().len(), 1);
    let failing = Process::new("echo over >&2; exit 3".to_string());
    let error = runtime.block_on(failing.get_credential()).unwrap_err().to_string();
    assert!(error.contains("over"), "{error}");
}
