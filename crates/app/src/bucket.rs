//! The bucket of a home: opened as its settings and the environment say.

use cocli_core::bucket::{Failure, FailureKind};
use cocli_node::{BucketConfig, Home};
use cocli_tier::{Environment, Settings, Store};

/// Opens the bucket at `url`.
///
/// # Errors
/// When it is no address, or nobody is found to ask as.
pub(crate) fn open(url: &str, config: &BucketConfig) -> Result<Store, Failure> {
    Store::open(url, &settings(config))
}

/// Opens the bucket of a home, with its address; nothing where it has none.
///
/// # Errors
/// As [`open`].
pub(crate) fn of(home: &Home) -> Result<Option<(String, Store)>, Failure> {
    let config = &home.config().bucket;
    let Some(url) = &config.url else { return Ok(None) };
    Ok(Some((url.clone(), open(url, config)?)))
}

fn settings(config: &BucketConfig) -> Settings {
    let mut settings = Settings::new(Environment::new(|name| std::env::var(name).ok()));
    settings.endpoint.clone_from(&config.endpoint);
    settings.region.clone_from(&config.region);
    settings.profile.clone_from(&config.profile);
    settings.ca = config.ca.as_ref().map(Into::into);
    settings.path_style = config.path_style;
    settings.allow_http = config.allow_http;
    settings.parallel = config.parallel.map(|n| n as usize);
    settings.timeout = config.timeout.map(u64::from);
    settings
}

/// What to do about a failure.
pub(crate) fn hint(failure: &Failure) -> Option<String> {
    match failure.kind {
        FailureKind::Away => Some("everything else works on; it is tried again by itself while `cocli daemon` runs".into()),
        FailureKind::Denied => Some("docs/bucket.md, \"Rights\", has the policy that a node needs".into()),
        FailureKind::Budget => Some("`[bucket] budget` in .cocli/config.toml bounds it; `cocli sync` asked by hand still goes".into()),
        FailureKind::Wrong => None,
    }
}
