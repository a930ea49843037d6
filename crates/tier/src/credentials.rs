//! Who asks S3: looked for where the AWS tools look, in their order. When nobody is found the failure names
//! every place, in order, and what was there.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cocli_core::bucket::{Failure, FailureKind};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::time::Instant;

use crate::profile::Profile;
use crate::settings::Settings;

/// Where a machine of EC2 says who it is.
const MACHINE: &str = "http://169.254.169.254";
/// How long the keys that a process told are used before it is asked again.
const PROCESS_KEYS_LAST: Duration = Duration::from_secs(300);

/// Keys as they are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.id)
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asker {
    Keys(Keys),
    /// A role, by a token that stands in a file (EKS, GitHub).
    WebIdentity {
        token_file: String,
        role: String,
        session: Option<String>,
    },
    /// A container's, by a path at its host (ECS), or by an address and a token in a file (EKS).
    Container {
        relative: Option<String>,
        full: Option<(String, String)>,
    },
    /// What a command prints.
    Process(String),
    /// The machine's own (EC2).
    Machine(String),
}

/// Places that were looked at, in order, and what was there.
#[derive(Debug, Default)]
struct Tried(Vec<String>);

impl Tried {
    fn note(&mut self, place: &str, found: &str) {
        self.0.push(format!("{}. {place}: {found}", self.0.len() + 1));
    }
}

/// Finds who asks. `answers` tells whether the machine's own metadata is there; it is asked last.
///
/// # Errors
/// When nobody is found, or who is found is asked for in a way that this program does not know.
pub(crate) fn find(
    settings: &Settings,
    profile: &Profile,
    answers: &dyn Fn(&str) -> Result<(), String>,
) -> Result<Asker, Failure> {
    let mut tried = Tried::default();
    let by_profile = settings.profile.is_some();
    if !by_profile && let Some(asker) = of_environment(settings, &mut tried)? {
        return Ok(asker);
    }
    if let Some(asker) = of_profile(profile, &mut tried)? {
        return Ok(asker);
    }
    if by_profile {
        return Err(nobody(&tried, profile));
    }
    if let Some(asker) = of_container(settings, &mut tried)? {
        return Ok(asker);
    }
    of_machine(settings, &mut tried, answers).ok_or_else(|| nobody(&tried, profile))
}

fn of_environment(settings: &Settings, tried: &mut Tried) -> Result<Option<Asker>, Failure> {
    let look = |name: &str| settings.environment.get(name);
    match (look("AWS_ACCESS_KEY_ID"), look("AWS_SECRET_ACCESS_KEY")) {
        (Some(id), Some(secret)) => {
            return Ok(Some(Asker::Keys(Keys { id, secret, token: look("AWS_SESSION_TOKEN") })));
        }
        (Some(_), None) => {
            return Err(half("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not"));
        }
        (None, Some(_)) => {
            return Err(half("AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not"));
        }
        (None, None) => tried.note("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY", "not set"),
    }
    match (look("AWS_WEB_IDENTITY_TOKEN_FILE"), look("AWS_ROLE_ARN")) {
        (Some(token_file), Some(role)) => {
            let session = look("AWS_ROLE_SESSION_NAME");
            Ok(Some(Asker::WebIdentity { token_file, role, session }))
        }
        (None, None) => {
            tried.note("AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN", "not set");
            Ok(None)
        }
        _ => {
            tried.note("AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN", "only one of them is set");
            Ok(None)
        }
    }
}

fn of_profile(profile: &Profile, tried: &mut Tried) -> Result<Option<Asker>, Failure> {
    for source in &profile.sources {
        tried.note(&source.path.display().to_string(), &source.found);
    }
    if profile.sources.is_empty() {
        tried.note("~/.aws/credentials, ~/.aws/config", "HOME is not set");
    }
    let get = |key: &str| profile.get(key).map(str::to_string);
    if let (Some(role), Some(token_file)) = (get("role_arn"), get("web_identity_token_file")) {
        let session = get("role_session_name");
        return Ok(Some(Asker::WebIdentity { token_file, role, session }));
    }
    if get("role_arn").is_some() {
        return Err(unknown(profile, "takes a role (role_arn)"));
    }
    if let (Some(id), Some(secret)) = (get("aws_access_key_id"), get("aws_secret_access_key")) {
        return Ok(Some(Asker::Keys(Keys { id, secret, token: get("aws_session_token") })));
    }
    if get("sso_session").is_some() || get("sso_start_url").is_some() {
        return Err(unknown(profile, "signs in by SSO"));
    }
    Ok(get("credential_process").map(Asker::Process))
}

fn of_container(settings: &Settings, tried: &mut Tried) -> Result<Option<Asker>, Failure> {
    let look = |name: &str| settings.environment.get(name);
    if let Some(relative) = look("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        return Ok(Some(Asker::Container { relative: Some(relative), full: None }));
    }
    let full = look("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    match (full, look("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
        (Some(full), Some(file)) => {
            Ok(Some(Asker::Container { relative: None, full: Some((full, file)) }))
        }
        (Some(_), None) => Err(half(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI is set, but AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE is not, and \
             a container's credentials without a token in a file are not known here",
        )),
        (None, _) => {
            tried.note("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI", "not set");
            Ok(None)
        }
    }
}

fn of_machine(
    settings: &Settings,
    tried: &mut Tried,
    answers: &dyn Fn(&str) -> Result<(), String>,
) -> Option<Asker> {
    let look = |name: &str| settings.environment.get(name);
    let place = look("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| MACHINE.to_string());
    let told = format!("the machine's role, at {place}");
    if look("AWS_EC2_METADATA_DISABLED").is_some_and(|said| said.eq_ignore_ascii_case("true")) {
        tried.note(&told, "not asked, since AWS_EC2_METADATA_DISABLED is set");
        return None;
    }
    match answers(&place) {
        Ok(()) => Some(Asker::Machine(place)),
        Err(why) => {
            tried.note(&told, &why);
            None
        }
    }
}

fn nobody(tried: &Tried, profile: &Profile) -> Failure {
    let profile = match profile.name.as_str() {
        "default" => String::new(),
        name => format!(" --profile {name}"),
    };
    Failure::new(
        FailureKind::Denied,
        format!(
            "no credentials for S3 were found. Tried, in this order: {}. Next: aws configure{profile}, or set \
             AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            tried.0.join("; ")
        ),
    )
}

fn unknown(profile: &Profile, how: &str) -> Failure {
    let name = &profile.name;
    let export = format!("aws configure export-credentials --profile {name}");
    Failure::new(
        FailureKind::Denied,
        format!(
            "the profile {name} {how}, which only the AWS tools know. Next, for this shell: \
             eval \"$({export} --format env)\"; or for good: a profile with credential_process = {export}"
        ),
    )
}

fn half(said: &str) -> Failure {
    Failure::new(FailureKind::Denied, said)
}

/// Keys that a command prints, asked for again when they may be over.
pub(crate) struct Process {
    command: String,
    kept: tokio::sync::Mutex<Option<(Instant, Arc<AwsCredential>)>>,
}

impl Process {
    pub(crate) fn new(command: String) -> Self {
        Self { command, kept: tokio::sync::Mutex::new(None) }
    }

    fn ask(&self) -> Result<AwsCredential, String> {
        let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        let asked = Command::new(shell).args([flag, &self.command]).output();
        let output = asked.map_err(|error| error.to_string())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {}", output.status, said.trim()));
        }
        let read: serde_json::Value =
            serde_json::from_slice(&output.stdout).map_err(|_| "it prints no JSON".to_string())?;
        let text = |name: &str| read.get(name)?.as_str().map(str::to_string);
        match (text("AccessKeyId"), text("SecretAccessKey")) {
            (Some(key_id), Some(secret_key)) => {
                Ok(AwsCredential { key_id, secret_key, token: text("SessionToken") })
            }
            _ => Err("it prints no AccessKeyId and SecretAccessKey".to_string()),
        }
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Process({})", self.command)
    }
}

#[async_trait]
impl CredentialProvider for Process {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut kept = self.kept.lock().await;
        if let Some((asked, keys)) = &*kept
            && asked.elapsed() < PROCESS_KEYS_LAST
        {
            return Ok(Arc::clone(keys));
        }
        let keys = self.ask().map_err(|why| {
            let why = format!("credential_process {:?}: {why}", self.command);
            crate::answer::note(crate::answer::Answer::refused(&why));
            object_store::Error::Generic { store: "S3", source: why.into() }
        })?;
        let keys = Arc::new(keys);
        *kept = Some((Instant::now(), Arc::clone(&keys)));
        Ok(keys)
    }
}

#[cfg(test)]
mod tests;
