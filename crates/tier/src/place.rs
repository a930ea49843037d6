//! The address of a bucket: which kind of store, which bucket, and below what in it.

use std::path::PathBuf;

use cocli_core::bucket::{Failure, FailureKind, Key};

use crate::settings::Settings;

/// Kinds of stores, by the scheme of their address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scheme {
    S3,
    Google,
    Azure,
    Memory,
    Directory(PathBuf),
}

/// Where a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) scheme: Scheme,
    /// The bucket's name; of a directory and of memory none.
    pub(crate) bucket: String,
    /// What all keys begin with: nothing, or parts that end in `/`.
    pub(crate) prefix: String,
}

impl Place {
    /// Reads an address; what it says behind `?` goes into the settings.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn read(url: &str, settings: &mut Settings) -> Result<Self, Failure> {
        let (address, said) = match url.split_once('?') {
            Some((address, said)) if !url.starts_with("file:") => (address, said),
            _ => (url, ""),
        };
        for pair in said.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            settings.say(&decoded(name), &decoded(value))?;
        }
        if let Some(path) = address.strip_prefix("file://") {
            return directory(path, url);
        }
        if let Some(prefix) = address.strip_prefix("memory:") {
            let prefix = prefix_of(prefix, url)?;
            return Ok(Self { scheme: Scheme::Memory, bucket: String::new(), prefix });
        }
        let (scheme, rest) = address.split_once("://").ok_or_else(|| unknown(url))?;
        let scheme = match scheme {
            "s3" | "s3a" => Scheme::S3,
            "gs" => Scheme::Google,
            "az" | "azure" => Scheme::Azure,
            _ => return Err(unknown(url)),
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if bucket.is_empty() || !bucket.chars().all(plain) {
            return Err(wrong(format!(
                "{url:?} names no bucket: s3://BUCKET or s3://BUCKET/PREFIX"
            )));
        }
        Ok(Self { scheme, bucket: bucket.to_string(), prefix: prefix_of(prefix, url)? })
    }
}

fn directory(path: &str, url: &str) -> Result<Place, Failure> {
    if !path.starts_with('/') {
        return Err(wrong(format!("{url:?} needs a path from the root: file:///DIRECTORY")));
    }
    // file:///C:/bucket is C:/bucket.
    let drive = path.as_bytes().get(2) == Some(&b':');
    let path = PathBuf::from(decoded(if drive { &path[1..] } else { path }));
    let (bucket, prefix) = (String::new(), String::new());
    Ok(Place { scheme: Scheme::Directory(path), bucket, prefix })
}

fn prefix_of(text: &str, url: &str) -> Result<String, Failure> {
    let text = decoded(text.trim_matches('/'));
    if text.is_empty() {
        return Ok(String::new());
    }
    let prefix = format!("{text}/");
    let fits = Key::read(&prefix).is_some();
    if fits { Ok(prefix) } else { Err(wrong(format!("{url:?} has an unfit prefix"))) }
}

/// Undoes `%41`; what is none of these stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        bytes.push(hex.unwrap_or(first));
        rest = if hex.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_string())
}

fn unknown(url: &str) -> Failure {
    wrong(format!(
        "{url:?} is no bucket's address: s3://BUCKET/PREFIX, gs://BUCKET, az://CONTAINER or file:///DIRECTORY"
    ))
}

fn wrong(said: String) -> Failure {
    Failure::new(FailureKind::Wrong, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<(Place, Settings), Failure> {
        let mut settings = Settings::default();
        Ok((Place::read(url, &mut settings)?, settings))
    }

    #[test]
    fn an_address_says_bucket_prefix_and_settings() {
        let url = "s3://b.ucket/a/b%20c/?endpoint=http://127.0.0.1:9000&region=auto&path_style";
        let (place, settings) = read(url).unwrap();
        assert_eq!(place.scheme, Scheme::S3);
        assert_eq!((place.bucket.as_str(), place.prefix.as_str()), ("b.ucket", "a/b c/"));
        assert_eq!(settings.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!((settings.region.as_deref(), settings.path_style), (Some("auto"), Some(true)));
        assert_eq!(read("gs://b").unwrap().0.prefix, "");
        assert_eq!(read("memory:x/").unwrap().0.prefix, "x/");
        let (place, _) = read("file:///srv/a%20b?c").unwrap();
        assert_eq!(place.scheme, Scheme::Directory(PathBuf::from("/srv/a b?c")));
    }

    #[test]
    fn what_is_no_address_is_said_so() {
        for url in ["", "bucket", "s3://", "s3:///x", "http://x/y", "s3://b/../c", "file://x"] {
            let failure = read(url).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Wrong, "{url}");
        }
        for said in ["colour=red", "parallel=0", "parallel=65", "path_style=maybe"] {
            assert!(read(&format!("s3://b?{said}")).is_err(), "{said}");
        }
    }
}
