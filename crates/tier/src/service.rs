//! The clouds: which client stands for an address, and what it is told.

use std::sync::Arc;
use std::time::Duration;

use cocli_core::bucket::{Failure, FailureKind};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::list::PaginatedListStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use crate::answer::chain;
use crate::credentials::{self, Asker, Process};
use crate::machine;
use crate::meter::Meter;
use crate::place::{Place, Scheme};
use crate::profile::Profile;
use crate::settings::Settings;
use crate::wire::{CONNECT, Connector};

/// How often a request is tried again by `object_store`: what failed before it was done, or only reads.
const RETRIES: usize = 3;
/// After this long nothing is tried again.
const RETRY_FOR: Duration = Duration::from_secs(10);
/// Creates at a time on R2, which refuses more conditional writes.
const PARALLEL_CREATES_R2: usize = 2;

/// A client, and how it may be used.
pub(crate) struct Service {
    pub(crate) client: Arc<dyn ObjectStore>,
    /// The same, where it lists some at a time.
    pub(crate) lister: Option<Arc<dyn PaginatedListStore>>,
    pub(crate) parallel_creates: usize,
}

/// A client of the store at this place.
///
/// # Errors
/// When there is nobody to ask it as, or something that was said of it does not fit.
pub(crate) fn open(
    place: &Place,
    settings: &Settings,
    meter: &Arc<Meter>,
) -> Result<Service, Failure> {
    let (client, timeout) = (settings.client(), settings.timeout());
    let connector = Connector { client, timeout, meter: Arc::clone(meter) };
    let parallel_creates = settings.parallel();
    Ok(match &place.scheme {
        Scheme::S3 => return s3(place, settings, connector),
        Scheme::Google => Service::of(google(place, settings, connector)?, parallel_creates),
        Scheme::Azure => Service::of(azure(place, settings, connector)?, parallel_creates),
        Scheme::Memory | Scheme::Directory(_) => {
            let client = Arc::new(object_store::memory::InMemory::new());
            Service { client, lister: None, parallel_creates }
        }
    })
}

impl Service {
    fn of<C: ObjectStore + PaginatedListStore>(client: C, parallel_creates: usize) -> Self {
        let client = Arc::new(client);
        let lister: Arc<dyn PaginatedListStore> = Arc::clone(&client) as _;
        Self { client, lister: Some(lister), parallel_creates }
    }
}

fn retries() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        base: 2.0,
    };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_FOR }
}

fn options(plain: bool) -> ClientOptions {
    ClientOptions::new().with_connect_timeout(CONNECT).with_allow_http(plain)
}

fn s3(place: &Place, settings: &Settings, connector: Connector) -> Result<Service, Failure> {
    let environment = &settings.environment;
    let profile = Profile::read(environment, settings.profile.as_deref());
    let of_profile = |key: &str| profile.get(key).map(str::to_string);
    let endpoint = settings
        .endpoint
        .clone()
        .or_else(|| environment.first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]))
        .or_else(|| of_profile("endpoint_url"));
    let is_r2 = endpoint.as_deref().is_some_and(|e| e.contains(".r2.cloudflarestorage.com"));
    let region = settings
        .region
        .clone()
        .or_else(|| environment.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
        .or_else(|| of_profile("region"))
        .unwrap_or_else(|| if is_r2 { "auto" } else { "us-east-1" }.to_string());
    let plain = plain_http(endpoint.as_deref(), settings)?;
    let path_style =
        settings.path_style.unwrap_or(endpoint.is_some() || place.bucket.contains('.'));
    let mut builder = AmazonS3Builder::new()
        .with_http_connector(connector)
        .with_client_options(options(plain))
        .with_retry(retries())
        .with_bucket_name(&place.bucket)
        .with_region(region)
        .with_virtual_hosted_style_request(!path_style)
        .with_disable_bulk_delete(settings.single_deletes.unwrap_or(false));
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(if path_style {
            endpoint
        } else {
            endpoint.replacen("://", &format!("://{}.", place.bucket), 1)
        });
    }
    let asker = credentials::find(settings, &profile, &|place| machine::AMAZON.ask(place))?;
    let client = asked_by(builder, asker).build().map_err(|error| unfit(&place.bucket, &error))?;
    let usual = if is_r2 { PARALLEL_CREATES_R2 } else { settings.parallel() };
    let parallel_creates = settings.parallel.unwrap_or(usual);
    Ok(Service::of(client, parallel_creates))
}

fn asked_by(builder: AmazonS3Builder, asker: Asker) -> AmazonS3Builder {
    use AmazonS3ConfigKey as Key;
    match asker {
        Asker::Keys(keys) => {
            let builder = builder.with_access_key_id(keys.id).with_secret_access_key(keys.secret);
            match keys.token {
                Some(token) => builder.with_token(token),
                None => builder,
            }
        }
        Asker::WebIdentity { token_file, role, session } => {
            let builder = builder
                .with_config(Key::WebIdentityTokenFile, token_file)
                .with_config(Key::RoleArn, role);
            match session {
                Some(session) => builder.with_config(Key::RoleSessionName, session),
                None => builder,
            }
        }
        Asker::Container { relative: Some(path), .. } => {
            builder.with_config(Key::ContainerCredentialsRelativeUri, path)
        }
        Asker::Container { full: Some((address, file)), .. } => builder
            .with_config(Key::ContainerCredentialsFullUri, address)
            .with_config(Key::ContainerAuthorizationTokenFile, file),
        Asker::Container { .. } => builder,
        Asker::Process(command) => builder.with_credentials(Arc::new(Process::new(command))),
        Asker::Machine(place) => builder.with_metadata_endpoint(place),
    }
}

fn google(
    place: &Place,
    settings: &Settings,
    connector: Connector,
) -> Result<impl ObjectStore + PaginatedListStore, Failure> {
    let look = |names: &[&str]| settings.environment.first(names);
    let plain = plain_http(settings.endpoint.as_deref(), settings)?;
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_http_connector(connector)
        .with_client_options(options(plain))
        .with_retry(retries())
        .with_bucket_name(&place.bucket);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_base_url(endpoint);
    }
    let known = [
        (
            GoogleConfigKey::ServiceAccount,
            &["GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"][..],
        ),
        (GoogleConfigKey::ServiceAccountKey, &["GOOGLE_SERVICE_ACCOUNT_KEY"]),
        (GoogleConfigKey::SkipSignature, &["GOOGLE_SKIP_SIGNATURE"]),
    ];
    let mut asker = false;
    for (key, names) in known {
        if let Some(value) = look(names) {
            builder = builder.with_config(key, value);
            asker = true;
        }
    }
    let usual = ".config/gcloud/application_default_credentials.json";
    let file = look(&["GOOGLE_APPLICATION_CREDENTIALS"])
        .or_else(|| Some(settings.environment.home()?.join(usual).display().to_string()))
        .filter(|file| !asker && std::path::Path::new(file).exists());
    if let Some(file) = file {
        builder = builder.with_config(GoogleConfigKey::ApplicationCredentials, file);
        asker = true;
    }
    if !asker && let Err(why) = machine::GOOGLE.ask("http://metadata.google.internal") {
        let said = format!(
            "no credentials for Google Cloud Storage were found. Tried, in this order: 1. GOOGLE_SERVICE_ACCOUNT, \
             GOOGLE_SERVICE_ACCOUNT_KEY: not set; 2. GOOGLE_APPLICATION_CREDENTIALS, ~/{usual}: no such file; \
             3. the machine's account, at metadata.google.internal: {why}. Next: gcloud auth application-default login"
        );
        return Err(Failure::new(FailureKind::Denied, said));
    }
    builder.build().map_err(|error| unfit(&place.bucket, &error))
}

fn azure(
    place: &Place,
    settings: &Settings,
    connector: Connector,
) -> Result<impl ObjectStore + PaginatedListStore, Failure> {
    let plain = plain_http(settings.endpoint.as_deref(), settings)?;
    let mut builder = MicrosoftAzureBuilder::new()
        .with_http_connector(connector)
        .with_client_options(options(plain))
        .with_retry(retries())
        .with_container_name(&place.bucket);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    let known = [
        (AzureConfigKey::AccountName, &["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"][..]),
        (AzureConfigKey::AccessKey, &["AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY"]),
        (AzureConfigKey::SasKey, &["AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_SAS_TOKEN"]),
        (AzureConfigKey::ClientId, &["AZURE_CLIENT_ID"]),
        (AzureConfigKey::ClientSecret, &["AZURE_CLIENT_SECRET"]),
        (AzureConfigKey::AuthorityId, &["AZURE_TENANT_ID"]),
        (AzureConfigKey::FederatedTokenFile, &["AZURE_FEDERATED_TOKEN_FILE"]),
        (AzureConfigKey::UseAzureCli, &["AZURE_USE_AZURE_CLI"]),
        (AzureConfigKey::SkipSignature, &["AZURE_SKIP_SIGNATURE"]),
        (AzureConfigKey::UseEmulator, &["AZURE_STORAGE_USE_EMULATOR"]),
    ];
    let mut asker = false;
    for (key, names) in known {
        if let Some(value) = settings.environment.first(names) {
            asker |= !matches!(key, AzureConfigKey::AccountName);
            builder = builder.with_config(key, value);
        }
    }
    if !asker && let Err(why) = machine::AZURE.ask("http://169.254.169.254") {
        let said = format!(
            "no credentials for Azure were found. Tried, in this order: 1. AZURE_STORAGE_ACCOUNT_KEY, \
             AZURE_STORAGE_SAS_TOKEN, AZURE_CLIENT_ID with its secret or token, AZURE_USE_AZURE_CLI: not set; \
             2. the machine's identity, at 169.254.169.254: {why}. Next: set AZURE_STORAGE_ACCOUNT_NAME, and \
             AZURE_STORAGE_ACCOUNT_KEY, or az login and AZURE_USE_AZURE_CLI=true"
        );
        return Err(Failure::new(FailureKind::Denied, said));
    }
    builder.build().map_err(|error| unfit(&place.bucket, &error))
}

/// Whether plain http is spoken: to this machine when the endpoint says so, beyond it only when allowed.
fn plain_http(endpoint: Option<&str>, settings: &Settings) -> Result<bool, Failure> {
    let Some(host) = endpoint.and_then(|endpoint| endpoint.strip_prefix("http://")) else {
        return Ok(false);
    };
    let near = ["127.", "localhost", "[::1]"].iter().any(|near| host.starts_with(near));
    if near || settings.allow_http == Some(true) {
        return Ok(true);
    }
    let said = format!(
        "http://{host} would carry the data readable for everybody on the way: use https, or allow it by \
         [bucket] allow_http = true, or ?allow_http=true at the end of the bucket's address"
    );
    Err(Failure::new(FailureKind::Wrong, said))
}

fn unfit(bucket: &str, error: &object_store::Error) -> Failure {
    Failure::new(FailureKind::Wrong, format!("bucket {bucket}: {}", chain(error)))
}
