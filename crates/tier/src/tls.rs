//! The client below the wire: whom it trusts, and through which proxy it goes.

use std::path::PathBuf;
use std::time::Duration;

use cocli_core::bucket::{Failure, FailureKind};

use crate::answer::chain;

/// Where the system's certificates are looked for on Unix, after `SSL_CERT_FILE` and `SSL_CERT_DIR`.
const PLACES: &[&str] = &[
    "/etc/ssl/certs",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/opt/etc/ssl/certs",
    "/usr/local/share/certs",
];

/// What a client is built from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    /// Certificates to trust besides the system's: a file of them in PEM.
    pub(crate) ca: Option<PathBuf>,
    /// The proxy for what is asked by https, and the one for http.
    pub(crate) proxies: (Option<String>, Option<String>),
    /// Hosts that are asked without one.
    pub(crate) no_proxy: Option<String>,
}

impl Client {
    /// A client. One that may only speak plain http needs no certificates, so none are looked for until
    /// https is: a machine without any still reaches a store beside it.
    ///
    /// # Errors
    /// When there is nobody to trust, naming where that was looked for.
    pub(crate) fn build(
        &self,
        connect: Duration,
        https_only: bool,
    ) -> Result<reqwest::Client, Failure> {
        // The first in a process wins; another that was chosen before does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let own = self.own_certificates()?;
        let builder = || self.proxied(connect, https_only);
        let system = builder()?.tls_certs_merge(own.clone()).build();
        let error = match system {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        if own.is_empty() && https_only {
            return Err(nobody_to_trust(&error));
        }
        builder()?.tls_certs_only(own).build().map_err(|error| wrong(&chain(&error)))
    }

    fn proxied(
        &self,
        connect: Duration,
        https_only: bool,
    ) -> Result<reqwest::ClientBuilder, Failure> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("cocli/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect)
            .https_only(https_only)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        let (https, http) = &self.proxies;
        let without = || self.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string);
        if let Some(proxy) = https {
            let proxy = reqwest::Proxy::https(proxy).map_err(|e| wrong(&chain(&e)))?;
            builder = builder.proxy(proxy.no_proxy(without()));
        }
        if let Some(proxy) = http {
            let proxy = reqwest::Proxy::http(proxy).map_err(|e| wrong(&chain(&e)))?;
            builder = builder.proxy(proxy.no_proxy(without()));
        }
        Ok(builder)
    }

    fn own_certificates(&self) -> Result<Vec<reqwest::Certificate>, Failure> {
        let Some(path) = &self.ca else { return Ok(Vec::new()) };
        let told = |why: String| wrong(&format!("certificates in {}: {why}", path.display()));
        let text = std::fs::read(path).map_err(|error| told(error.to_string()))?;
        let read = reqwest::Certificate::from_pem_bundle(&text).map_err(|e| told(chain(&e)))?;
        if read.is_empty() { Err(told("there are none".to_string())) } else { Ok(read) }
    }
}

fn wrong(why: &str) -> Failure {
    Failure::new(FailureKind::Wrong, format!("cannot speak https: {why}"))
}

fn nobody_to_trust(error: &reqwest::Error) -> Failure {
    wrong(&format!(
        "no certificates of authorities were found ({}). Looked at: $SSL_CERT_FILE, $SSL_CERT_DIR, {}. Install \
         them (apt-get install ca-certificates), copy such a file to one of these places, or name one: \
         AWS_CA_BUNDLE=FILE, or [bucket] ca",
        chain(error),
        PLACES.join(", ")
    ))
}
