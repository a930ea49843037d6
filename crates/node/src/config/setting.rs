//! One setting at a time, as `cocli config` reads and writes them; what a person wrote beside it stays.

use cocli_store::{HomeLock, paths};
use serde_json::Value as Json;
use toml_edit::{Array, DocumentMut, Item, Table, Value};

use super::Config;
use crate::error::Result;
use crate::home::{Home, replace};

/// Every setting, and its default as TOML; none where it is nothing, or depends on the machine or the store.
const SETTINGS: &[(&str, Option<&str>)] = &[
    ("gossip.port", Some("9999")),
    ("gossip.peers", Some("[]")),
    ("gossip.fallback", Some("[]")),
    ("gossip.python_peers", Some("[]")),
    ("gossip.mdns", Some("true")),
    ("gossip.interfaces", Some("[]")),
    ("cards.project", Some("\"all\"")),
    ("compact.memory", None),
    ("archive.after", Some("2")),
    ("archive.budget", Some("\"all\"")),
    ("bucket.url", None),
    ("bucket.interval", Some("120")),
    ("bucket.budget", None),
    ("bucket.mirror", Some("\"daily\"")),
    ("bucket.endpoint", None),
    ("bucket.region", None),
    ("bucket.profile", None),
    ("bucket.ca", None),
    ("bucket.path_style", None),
    ("bucket.allow_http", Some("false")),
    ("bucket.parallel", Some("8")),
    ("bucket.timeout", Some("60")),
    ("contact.region", None),
];
/// The table whose keys are tags.
const CADENCE: &str = "cadence";

/// A setting of this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The table and the key, with a dot between.
    pub key: String,
    /// What counts; none where nothing was set and there is no default.
    pub value: Option<Json>,
    /// Whether it is the default.
    pub is_default: bool,
}

impl Setting {
    /// The value as a person reads it, and as `config set` takes it.
    #[must_use]
    pub fn shown(&self) -> Option<String> {
        self.value.as_ref().map(|value| match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

/// A setting that there is not, or a value that it cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No setting is called so.
    #[error("there is no setting {key:?}")]
    Unknown {
        /// What was asked for.
        key: String,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// The reader refuses it.
    #[error("{key} cannot be {said:?}: {why}")]
    Value {
        /// Which.
        key: String,
        /// What was typed.
        said: String,
        /// What was expected.
        why: String,
    },
}

/// The table, the key in it, and the default of a setting.
fn known(key: &str) -> Result<(&str, &str, Option<&'static str>), SettingError> {
    let parts = key.split_once('.').filter(|(_, name)| !name.is_empty());
    let default = SETTINGS.iter().find(|(name, _)| *name == key).map(|(_, default)| *default);
    match (parts, default) {
        (Some((table, name)), Some(default)) => Ok((table, name, default)),
        (Some((CADENCE, tag)), None) => Ok((CADENCE, tag, None)),
        _ => Err(SettingError::Unknown { key: key.to_owned(), nearest: nearest(key) }),
    }
}

/// The setting that was meant: by its whole name, or else by its last part.
fn nearest(key: &str) -> Option<String> {
    let names = || SETTINGS.iter().map(|(name, _)| *name);
    let last = |name: &'static str| name.rsplit('.').next().unwrap_or(name);
    let whole = crate::nearest(key, names());
    let by_last = || {
        let part = crate::nearest(key, names().map(last))?;
        names().find(|name| last(name) == part)
    };
    whole.or_else(by_last).map(ToOwned::to_owned)
}

fn json(value: &Value) -> Json {
    match value {
        Value::String(text) => Json::from(text.value().as_str()),
        Value::Integer(number) => Json::from(*number.value()),
        Value::Float(number) => Json::from(*number.value()),
        Value::Boolean(flag) => Json::from(*flag.value()),
        Value::Datetime(time) => Json::from(time.value().to_string()),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::InlineTable(table) => {
            let pairs = table.iter().map(|(key, value)| (key.to_owned(), json(value)));
            Json::Object(pairs.collect())
        }
    }
}

/// One setting, as the text of a file has it.
fn one(settings: &DocumentMut, key: &str) -> Result<Setting, SettingError> {
    let (table, name, default) = known(key)?;
    let default = default.and_then(|text| text.parse::<Value>().ok()).map(|value| json(&value));
    let table = settings.get(table).and_then(Item::as_table_like);
    let value = table.and_then(|table| table.get(name)?.as_value().map(json));
    let value = value.or_else(|| default.clone());
    Ok(Setting { key: key.to_owned(), is_default: value == default, value })
}

/// All settings, as the text of a file has them: those that there are, and the cadences that were set.
fn all(settings: &DocumentMut) -> Vec<Setting> {
    let tags = settings.get(CADENCE).and_then(Item::as_table_like);
    let tags = tags.into_iter().flat_map(|table| table.iter());
    let cadences = tags.map(|(tag, _)| format!("{CADENCE}.{tag}"));
    let keys = SETTINGS.iter().map(|(name, _)| (*name).to_owned()).chain(cadences);
    keys.filter_map(|key| one(settings, &key).ok()).collect()
}

/// What a typed value may mean: as TOML, else as text; for a list also its members one after the other.
fn readings(said: &str, is_list: bool) -> Vec<Value> {
    let toml = said.parse::<Value>().ok().filter(|value| !is_list || value.is_array());
    let other = if is_list {
        let members = said.split([',', ' ']).filter(|member| !member.is_empty());
        Value::Array(members.collect::<Array>())
    } else {
        Value::from(said)
    };
    toml.into_iter().chain([other]).collect()
}

/// The settings with one more; a comment behind the old value stays.
fn put(mut settings: DocumentMut, (table, name): (&str, &str), mut value: Value) -> String {
    let table = settings.entry(table).or_insert(Item::Table(Table::new()));
    if let Some(table) = table.as_table_like_mut() {
        value.decor_mut().clear();
        match table.get_mut(name).and_then(Item::as_value_mut) {
            Some(old) => {
                *value.decor_mut() = old.decor().clone();
                *old = value;
            }
            None => {
                table.insert(name, Item::Value(value));
            }
        }
    }
    settings.to_string()
}

/// The text of a settings file with a setting changed; an empty value makes it the default again.
fn with(text: &str, key: &str, said: &str) -> Result<String, SettingError> {
    let (table, name, default) = known(key)?;
    let mut settings: DocumentMut = text.parse().unwrap_or_default();
    if said.is_empty() {
        if let Some(table) = settings.get_mut(table).and_then(Item::as_table_like_mut) {
            table.remove(name);
        }
        return Ok(settings.to_string());
    }
    let mut why = String::new();
    for value in readings(said, default == Some("[]")) {
        let more = put(settings.clone(), (table, name), value);
        match Config::read(paths::CONFIG, &more) {
            Ok(_) => return Ok(more),
            Err(error) if why.is_empty() => why = error.message,
            Err(_) => {}
        }
    }
    Err(SettingError::Value { key: key.to_owned(), said: said.to_owned(), why })
}

impl Home {
    /// The settings file as it stands now.
    fn settings_text(&self) -> Result<String> {
        let bytes = self.disk.read(paths::CONFIG).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Config::read(&self.path().join(paths::CONFIG).display().to_string(), &text)?;
        Ok(text)
    }

    /// All settings of this machine.
    ///
    /// # Errors
    /// When the file does not read.
    pub fn settings(&self) -> Result<Vec<Setting>> {
        Ok(all(&self.settings_text()?.parse().unwrap_or_default()))
    }

    /// One setting of this machine.
    ///
    /// # Errors
    /// When there is none of that name, or the file does not read.
    pub fn setting(&self, key: &str) -> Result<Setting> {
        Ok(one(&self.settings_text()?.parse().unwrap_or_default(), key)?)
    }

    /// Changes a setting of this machine; an empty value makes it the default again. It counts for what opens the
    /// home from now on.
    ///
    /// # Errors
    /// When there is no such setting, it cannot have that value, or the disk refuses.
    pub fn configure(&self, key: &str, said: &str) -> Result<Setting> {
        if key == "bucket.url" {
            self.is_no_copy()?;
        }
        let _lock = HomeLock::take(&*self.disk, "cocli config")?;
        let text = self.settings_text()?;
        let more = with(&text, key, said)?;
        if more != text {
            replace(&*self.disk, paths::CONFIG, more.as_bytes())?;
        }
        Ok(one(&more.parse().unwrap_or_default(), key)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn get(text: &str, key: &str) -> Setting {
        one(&text.parse().unwrap(), key).unwrap()
    }

    #[test]
    fn the_list_has_every_setting_that_the_reader_takes_and_no_other() {
        let names = |text: &str| -> BTreeSet<String> {
            let error = Config::read("c.toml", text).unwrap_err();
            let said = error.message.split("; the nearest").next().unwrap();
            let quoted = said.split('`').skip(1).step_by(2).skip(1);
            quoted.map(ToOwned::to_owned).collect()
        };
        let mut tables = names("qqq = 1\n");
        // These are no settings: it is what `clone --at` writes.
        assert!(tables.remove("restored_from") && tables.remove(CADENCE));
        let mut keys = BTreeSet::new();
        for table in &tables {
            let of = names(&format!("[{table}]\nqqq = 1\n"));
            keys.extend(of.into_iter().map(|key| format!("{table}.{key}")));
        }
        let listed: BTreeSet<String> = SETTINGS.iter().map(|(key, _)| (*key).to_owned()).collect();
        assert_eq!(listed, keys);
    }

    #[test]
    fn every_default_is_one_that_the_reader_takes() {
        for (key, default) in SETTINGS.iter().filter_map(|(key, text)| Some((key, (*text)?))) {
            let more = with("", key, default).unwrap();
            assert!(get(&more, key).is_default, "{more}");
            assert_eq!(get(&with(&more, key, "").unwrap(), key), get("", key));
        }
    }

    #[test]
    fn a_setting_is_changed_and_all_that_a_person_wrote_stays() {
        let text = "# my own\n[gossip]\nport = 1 # taken: 9999\n\n# later\n[bucket]\n";
        let more = with(text, "gossip.port", "7000").unwrap();
        assert_eq!(more, text.replace("= 1 #", "= 7000 #"));
        let more = with(&more, "cadence.S&P 100", "2 weeks").unwrap();
        assert_eq!(get(&more, "cadence.S&P 100").shown().unwrap(), "2 weeks");
        assert!(more.starts_with("# my own\n") && more.contains("# later\n"), "{more}");
        let dotted = with("gossip.port = 1\n", "gossip.mdns", "false").unwrap();
        assert_eq!(get(&dotted, "gossip.mdns").value, Some(Json::Bool(false)));
    }

    #[test]
    fn values_are_what_the_reader_takes_them_for() {
        for (key, said, is) in [
            ("bucket.profile", "5", "5"),
            ("bucket.profile", "\"5\"", "5"),
            ("archive.budget", "1 GiB", "1 GiB"),
            ("gossip.peers", "a,b:1", "[\"a\",\"b:1\"]"),
            ("gossip.peers", "[\"a\"]", "[\"a\"]"),
            ("contact.region", "germany", "germany"),
        ] {
            let more = with("", key, said).unwrap();
            assert_eq!(get(&more, key).shown().unwrap(), is, "{more}");
        }
        for (key, said, why) in [
            ("gossip.port", "70000", "u16"),
            ("gossip.port", "x", "u16"),
            ("archive.budget", "5", "\"1 GiB\""),
            ("cadence.lead", "2 weks", "`weeks`"),
            ("cards.project", "nine", "`none`"),
            ("bucket.profile", "x\n[gossip]\nport = 1", ""),
        ] {
            match with("", key, said) {
                Err(SettingError::Value { why: got, .. }) => assert!(got.contains(why), "{got}"),
                Err(other) => panic!("{other}"),
                Ok(text) => {
                    assert_eq!(get(&text, key).shown().unwrap(), said);
                    assert!(get(&text, "gossip.port").is_default, "{text}");
                }
            }
        }
    }

    #[test]
    fn an_unknown_setting_gets_the_nearest_name() {
        for (said, near) in [
            ("gossip.prot", Some("gossip.port")),
            ("intervall", Some("bucket.interval")),
            ("cadence", None),
            ("cadence.", None),
            ("qqq", None),
        ] {
            let error = with("", said, "1").unwrap_err();
            let SettingError::Unknown { nearest, .. } = error else { panic!("{error}") };
            if let Some(near) = near {
                assert_eq!(nearest.as_deref(), Some(near), "{said}");
            }
        }
    }
}
