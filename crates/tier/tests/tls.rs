//! Https by `ring`: whom a store trusts, and what is said when there is nobody to trust.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use cocli_core::bucket::{Bucket, FailureKind, Key};
use cocli_tier::{Environment, Settings, Store};

/// A store that has no object, by https, with a certificate of an authority of its own, which it writes down.
fn serve(authority: &Path) -> u16 {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
    std::fs::write(authority, signed.cert.pem()).unwrap();
    let key =
        rustls::pki_types::PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let _ = answer(rustls::StreamOwned::new(session, stream.unwrap()));
        }
    });
    port
}

fn answer(mut stream: impl Read + Write) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let body = "<Error><Code>NoSuchKey</Code></Error>";
    let head =
        format!("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: {}", body.len());
    write!(stream, "{head}\r\n\r\n{body}")?;
    stream.flush()
}

fn settings() -> Settings {
    let keys = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    Settings::new(Environment::of(keys))
}

#[test]
fn an_authority_is_trusted_when_it_is_named_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    let address = format!("s3://b?endpoint=https://localhost:{}", serve(&authority));
    let mut settings = settings();
    let failure = Store::open(&address, &settings).unwrap().get(&Key::cluster()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Wrong, "{failure}");
    assert!(failure.said.contains("UnknownIssuer"), "{failure}");
    settings.ca = Some(authority);
    assert_eq!(Store::open(&address, &settings).unwrap().get(&Key::cluster()), Ok(None));
    settings.ca = Some(folder.path().join("none.pem"));
    let failure = Store::open(&address, &settings).unwrap_err();
    assert!(failure.said.contains("none.pem: No such file"), "{failure}");
}

#[test]
fn without_any_authority_the_places_are_named_and_plain_http_still_works() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "in_a_process_without_authorities", "--nocapture"])
        .env("SSL_CERT_FILE", "/none")
        .env("SSL_CERT_DIR", "/none")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "runs in a process of its own, see above"]
fn in_a_process_without_authorities() {
    let failure = Store::open("s3://b?region=eu-west-1", &settings()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Wrong);
    for part in ["no certificates", "$SSL_CERT_FILE", "/etc/ssl/certs", "AWS_CA_BUNDLE"] {
        assert!(failure.said.contains(part), "{part} in {failure}");
    }
    let plain = Store::open("s3://b?endpoint=http://127.0.0.1:1", &settings()).unwrap();
    assert_eq!(plain.get(&Key::cluster()).unwrap_err().kind, FailureKind::Away);
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    let address = format!("s3://b?endpoint=https://localhost:{}", serve(&authority));
    let mut settings = settings();
    settings.ca = Some(authority);
    assert_eq!(Store::open(&address, &settings).unwrap().get(&Key::cluster()), Ok(None));
}
