//! The two files of the AWS tools, as far as they say who asks and where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::settings::Environment;

/// One of the two files, and what came of reading it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) found: String,
}

/// What the two files say of a profile, the one with credentials first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    pub(crate) name: String,
    keys: BTreeMap<String, String>,
    /// The files that were looked at.
    pub(crate) sources: Vec<Source>,
}

impl Profile {
    /// Reads what there is on a profile; files that cannot be read are told in `sources`.
    pub(crate) fn read(environment: &Environment, name: Option<&str>) -> Self {
        let named = name.map(str::to_string);
        let name = named
            .or_else(|| environment.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]))
            .unwrap_or_else(|| "default".to_string());
        let mut profile = Self { name, ..Self::default() };
        let files = [
            ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", false),
            ("AWS_CONFIG_FILE", ".aws/config", true),
        ];
        for (variable, usual, is_config) in files {
            let path = environment.get(variable).map(PathBuf::from);
            let Some(path) = path.or_else(|| Some(environment.home()?.join(usual))) else {
                continue;
            };
            profile.take(&path, is_config);
        }
        profile
    }

    fn take(&mut self, path: &Path, is_config: bool) {
        let section = match (is_config, self.name.as_str()) {
            (true, name) if name != "default" => format!("profile {name}"),
            (_, name) => name.to_string(),
        };
        let found = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                "no such file".to_string()
            }
            Err(error) => error.to_string(),
            Ok(text) => match sections(&text).remove(&section) {
                None => format!("no [{section}] in it"),
                Some(keys) => {
                    let names: Vec<&str> = keys.keys().map(String::as_str).collect();
                    let found = format!("[{section}] has {}", names.join(", "));
                    for (key, value) in keys {
                        self.keys.entry(key).or_insert(value);
                    }
                    found
                }
            },
        };
        self.sources.push(Source { path: path.to_path_buf(), found });
    }

    /// A key of it that is not empty.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }
}

type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// `[section]`, `key = value`; what is indented belongs to the key above it, and is of no use here.
fn sections(text: &str) -> Sections {
    let mut sections = Sections::new();
    let mut open: Option<String> = None;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let comment = line.starts_with(['#', ';']);
        if comment || line.trim().is_empty() || line.starts_with([' ', '\t']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let name = name.0.split_whitespace().collect::<Vec<_>>().join(" ").replace('"', "");
            sections.entry(name.clone()).or_default();
            open = Some(name);
        } else if let (Some(section), Some((key, value))) = (&open, line.split_once('=')) {
            let value = value.split(" #").next().unwrap_or_default().trim();
            let keys = sections.entry(section.clone()).or_default();
            keys.insert(key.trim().to_ascii_lowercase(), value.to_string());
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_are_read_and_the_one_with_credentials_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "credentials",
            "[work]\naws_access_key_id = A # mine\nregion=from-credentials\n[x]\n",
        );
        let config = "[default]\nregion = d\n; no\n[profile  work]\nRegion = c\ns3 =\n  region = no\n\
                      endpoint_url=https://e\n";
        write("config", config);
        let path = |name: &str| folder.path().join(name).display().to_string();
        let environment = Environment::of([
            ("AWS_SHARED_CREDENTIALS_FILE", &path("credentials")),
            ("AWS_CONFIG_FILE", &path("config")),
            ("AWS_PROFILE", "work"),
        ]);
        let profile = Profile::read(&environment, None);
        assert_eq!(profile.get("aws_access_key_id"), Some("A"));
        assert_eq!(profile.get("region"), Some("from-credentials"));
        assert_eq!(profile.get("endpoint_url"), Some("https://e"));
        let other = Profile::read(&environment, Some("default"));
        assert_eq!(other.get("region"), Some("d"));
        assert_eq!(other.sources[0].found, "no [default] in it");
    }
}
