//! What the caller says of a bucket besides its address, and the environment that it hands in.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cocli_core::bucket::{Failure, FailureKind};

use crate::tls::Client;

/// How many requests run at a time when nothing else is said.
const PARALLEL: usize = 8;
/// The most that may be said.
const PARALLEL_MAX: usize = 64;
/// Seconds that an answer may take when nothing else is said.
const TIMEOUT_SECONDS: u64 = 60;
/// The most that may be said.
const TIMEOUT_SECONDS_MAX: u64 = 600;

/// Tells what a variable of this name holds.
type LookUp = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Looks a variable up: the process's environment, or a test's.
#[derive(Clone)]
pub struct Environment(Arc<LookUp>);

impl Environment {
    /// Looks variables up with this.
    pub fn new(look_up: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look_up))
    }

    /// Of these variables and no others.
    #[must_use]
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        let known: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Self::new(move |name| known.get(name).cloned())
    }

    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    pub(crate) fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.get(name))
    }

    /// The home of the user, where the AWS tools keep their files.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.first(&["HOME", "USERPROFILE"]).map(PathBuf::from)
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// What is said of a bucket besides its address. What is not said is looked up where the AWS tools look it
/// up: in the environment, then in the files of the profile. Secrets have no place here: they come from the
/// environment, those files, or the machine.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where an object store that is not the cloud's own answers: `https://minio.example:9000`.
    pub endpoint: Option<String>,
    /// The region, `auto` for R2.
    pub region: Option<String>,
    /// The profile in the files of the AWS tools. Said here it goes before keys in the environment.
    pub profile: Option<String>,
    /// Whether the bucket's name stands in the path instead of the host. Unsaid: where there is an
    /// endpoint of one's own, or a dot in the name.
    pub path_style: Option<bool>,
    /// Whether plain http will do beyond this machine.
    pub allow_http: Option<bool>,
    /// Certificates to trust besides the system's: a file of them in PEM.
    pub ca: Option<PathBuf>,
    /// How many requests run at a time; unsaid 8, and 2 for what creates on R2.
    pub parallel: Option<usize>,
    /// Seconds that an answer, and each further part of it, may take; unsaid 60. What is sent has a second
    /// more for each 64 KiB.
    pub timeout: Option<u64>,
    /// Whether objects are deleted one by one, since the store knows no deletion of many.
    pub single_deletes: Option<bool>,
    /// Where variables are looked up.
    pub environment: Environment,
}

impl Settings {
    /// Nothing said, and variables looked up there.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self { environment, ..Self::default() }
    }

    /// Says one thing by its name in `[bucket]` of the configuration, or behind the `?` of an address.
    ///
    /// # Errors
    /// When there is no such thing to say, or not so.
    pub fn say(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let flag = || match value {
            "true" | "1" | "" => Ok(Some(true)),
            "false" | "0" => Ok(Some(false)),
            _ => Err(unfit(name, value, "true or false")),
        };
        let text = || Some(value.to_string());
        match name {
            "endpoint" => self.endpoint = text(),
            "region" => self.region = text(),
            "profile" => self.profile = text(),
            "ca" => self.ca = Some(PathBuf::from(value)),
            "path_style" => self.path_style = flag()?,
            "allow_http" => self.allow_http = flag()?,
            "single_deletes" => self.single_deletes = flag()?,
            "parallel" => {
                let number = value.parse().ok().filter(|n| (1..=PARALLEL_MAX).contains(n));
                let number = number.ok_or_else(|| unfit(name, value, "a number from 1 to 64"))?;
                self.parallel = Some(number);
            }
            "timeout" => {
                let number = value.parse().ok().filter(|n| (1..=TIMEOUT_SECONDS_MAX).contains(n));
                let number = number.ok_or_else(|| unfit(name, value, "seconds from 1 to 600"))?;
                self.timeout = Some(number);
            }
            _ => {
                let known = "endpoint, region, profile, path_style, allow_http, ca, parallel, timeout, \
                             single_deletes";
                let said = format!("a bucket has no setting {name:?}: known are {known}");
                return Err(Failure::new(FailureKind::Wrong, said));
            }
        }
        Ok(())
    }

    pub(crate) fn parallel(&self) -> usize {
        self.parallel.unwrap_or(PARALLEL).clamp(1, PARALLEL_MAX)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout.unwrap_or(TIMEOUT_SECONDS))
    }

    /// Whom to trust, and which proxies to go through.
    pub(crate) fn client(&self) -> Client {
        let look = |names: &[&str]| self.environment.first(names);
        let ca = self.ca.clone().or_else(|| look(&["AWS_CA_BUNDLE"]).map(PathBuf::from));
        let https = look(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]);
        let http = look(&["http_proxy", "all_proxy", "ALL_PROXY"]);
        Client { ca, proxies: (https, http), no_proxy: look(&["no_proxy", "NO_PROXY"]) }
    }
}

fn unfit(name: &str, value: &str, wanted: &str) -> Failure {
    Failure::new(FailureKind::Wrong, format!("[bucket] {name} = {value:?} is not {wanted}"))
}
