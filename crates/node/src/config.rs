//! The settings of a machine: `.cocli/config.toml`.

mod setting;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::contact;

pub use setting::{Setting, SettingError};

/// Everything that may stand in the file; what is absent has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The network.
    pub gossip: Gossip,
    /// Cards on this machine.
    pub cards: Cards,
    /// Merging journals into the checkpoint.
    pub compact: Compact,
    /// The history.
    pub archive: Archive,
    /// The bucket.
    pub bucket: Bucket,
    /// How often one speaks to whom, by tag.
    pub cadence: BTreeMap<String, Cadence>,
    /// How people are reached.
    pub contact: Contact,
    /// What this home is a copy of; none unless `cocli clone --at` made it.
    pub restored_from: Option<RestoredFrom>,
}

/// `[bucket]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bucket {
    /// Where it is: `s3://`, `gs://`, `az://` or `file://`; none when absent.
    pub url: Option<String>,
    /// Seconds from one upload, or look, to the next; 120 when absent.
    #[serde(deserialize_with = "seconds")]
    pub interval: Option<u64>,
    /// Millionths of a USD that a month may cost here: `"2 USD"`; none when absent.
    #[serde(deserialize_with = "money")]
    pub budget: Option<u64>,
    /// How often a hub brings the mirror up to date.
    pub mirror: Mirror,
    /// Where a store that is no cloud's own answers.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The profile in the files of the AWS tools.
    pub profile: Option<String>,
    /// A file of certificates to trust besides the system's.
    pub ca: Option<String>,
    /// Whether the bucket's name stands in the path.
    pub path_style: Option<bool>,
    /// Whether plain http will do beyond this machine.
    pub allow_http: Option<bool>,
    /// Requests at a time.
    pub parallel: Option<u32>,
    /// Seconds that an answer may take.
    pub timeout: Option<u32>,
}

/// How often a hub brings the mirror up to date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mirror {
    /// Never.
    Off,
    /// Once a day.
    #[default]
    Daily,
    /// Once an hour.
    Hourly,
}

fn seconds<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    let seconds = u64::deserialize(value)?;
    if seconds == 0 {
        return Err(serde::de::Error::custom("expected at least 1 second, got 0"));
    }
    Ok(Some(seconds))
}

fn money<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(value)?;
    let amount = text.strip_suffix("USD").map(str::trim_end);
    let amount = amount.and_then(|amount| amount.parse::<f64>().ok());
    match amount.filter(|amount| (0.0..1e9).contains(amount)) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within")]
        Some(amount) => Ok(Some((amount * 1e6).round() as u64)),
        None => {
            let what = format!("expected an amount such as \"2 USD\", got {text:?}");
            Err(serde::de::Error::custom(what))
        }
    }
}

/// `[restored_from]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RestoredFrom {
    /// The bucket.
    pub bucket: String,
    /// The time, to which everything is as it was.
    pub at: String,
}

/// `[gossip]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gossip {
    /// UDP and TCP port; 9999 when absent.
    pub port: Option<u16>,
    /// Nodes to talk to, `host[:port]`.
    pub peers: Vec<String>,
    /// Nodes to talk to while nobody else answers, `host[:port]`.
    pub fallback: Vec<String>,
    /// Machines that the Python program runs on, `host[:port]`: this node is their gateway.
    pub python_peers: Vec<String>,
    /// Whether nodes on the local network are looked for; they are when absent.
    pub mdns: Option<bool>,
    /// The interfaces to look on, by name; all that lead to other machines when empty.
    pub interfaces: Vec<String>,
}

/// `[cards]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cards {
    /// Which cards this machine keeps.
    pub project: Project,
}

/// `[contact]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contact {
    /// The country of telephone numbers that name none, where the entity names none either: two letters.
    #[serde(deserialize_with = "country")]
    pub region: Option<String>,
}

fn country<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(value)?;
    if let Some(code) = contact::country(&text) {
        return Ok(Some(code.to_owned()));
    }
    let near = contact::nearest_country(&text);
    let near = near.map(|code| format!("; the nearest is \"{code}\"")).unwrap_or_default();
    let what = format!("expected a country such as \"DE\" or \"Germany\", got {text:?}{near}");
    Err(serde::de::Error::custom(what))
}

/// Units of a cadence and their days.
const CADENCES: [(&str, u32); 8] = [
    ("day", 1),
    ("days", 1),
    ("week", 7),
    ("weeks", 7),
    ("month", 30),
    ("months", 30),
    ("year", 365),
    ("years", 365),
];

/// Days that may pass until one speaks to somebody again: `"2 weeks"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Cadence(pub u32);

impl TryFrom<String> for Cadence {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(days) = days_of_cadence(&text) {
            return Ok(Self(days));
        }
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        let near = crate::nearest(unit, CADENCES.iter().map(|(name, _)| *name));
        let near = near.filter(|name| *name != unit);
        let near = near.map(|name| format!("; the nearest name is `{name}`")).unwrap_or_default();
        Err(format!(
            "expected how often as \"2 weeks\", \"10 days\" or \"3 months\", got {text:?}{near}"
        ))
    }
}

/// `2 weeks` in days, at least one.
fn days_of_cadence(text: &str) -> Option<u32> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = (text[..end].parse::<u32>().ok()?, text[end..].trim_start());
    let days = CADENCES.iter().find(|(name, _)| *name == unit)?.1;
    number.checked_mul(days).filter(|days| (1..=36_500).contains(days))
}

/// `[compact]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compact {
    /// Memory that it may take, in MiB, at least 8; when absent the least of 256 and an eighth of the
    /// machine's.
    #[serde(deserialize_with = "enough")]
    pub memory: Option<u32>,
}

/// `[archive]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Archive {
    /// Days that a journal stays in `wal/`, as plain text; 2 when absent.
    pub after: Option<u32>,
    /// Bytes that its files may take: `"1 GiB"`; none for `"all"`, which it is when absent. What is beyond goes
    /// when others hold it.
    #[serde(deserialize_with = "size")]
    pub budget: Option<u64>,
}

/// Units of a size and their bytes.
const UNITS: [(&str, u64); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

fn size<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    struct Size;
    impl serde::de::Visitor<'_> for Size {
        type Value = Option<u64>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("\"all\", or a size such as \"1 GiB\" (B, KiB, MiB, GiB, TiB)")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            if text == "all" {
                return Ok(None);
            }
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            let (number, unit) = (&text[..end], text[end..].trim_start());
            let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes);
            let bytes =
                number.parse::<u64>().ok().zip(unit).and_then(|(n, unit)| n.checked_mul(unit));
            match bytes {
                Some(bytes) => Ok(Some(bytes)),
                None => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
            }
        }
    }
    value.deserialize_str(Size)
}

/// What a compaction cannot do without, in MiB.
const MEMORY_LEAST: u32 = 8;

fn enough<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<u32>, D::Error> {
    let memory = u32::deserialize(value)?;
    if memory < MEMORY_LEAST {
        let what = format!("expected at least {MEMORY_LEAST} (MiB), got {memory}");
        return Err(serde::de::Error::custom(what));
    }
    Ok(Some(memory))
}

/// Which cards a machine keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Project {
    /// All.
    #[default]
    All,
    /// None: `get` and `set` only.
    None,
}

/// The file does not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}: {message}")]
pub struct ConfigError {
    /// The file.
    pub path: String,
    /// Its line, from 1.
    pub line: usize,
    /// What was expected, with the nearest name when a key is unknown.
    pub message: String,
}

impl Config {
    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// When it is no TOML, a key is unknown or a value has another type.
    pub fn read(path: &str, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let line = text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1;
            ConfigError { path: path.to_string(), line, message: with_nearest(error.message()) }
        })
    }
}

/// The text of a settings file with these peers added; everything else stays as it is, what a person
/// wrote beside the settings too.
#[must_use]
pub(crate) fn with_peers(text: &str, peers: &[String]) -> String {
    use toml_edit::{Array, DocumentMut, Item, Table, value};
    // The file was read when the home was opened.
    let mut settings: DocumentMut = text.parse().unwrap_or_default();
    let gossip = settings.entry("gossip").or_insert(Item::Table(Table::new()));
    if let Some(gossip) = gossip.as_table_like_mut() {
        let list = gossip.entry("peers").or_insert(value(Array::new()));
        if let Some(list) = list.as_array_mut() {
            for peer in peers {
                if !list.iter().any(|known| known.as_str() == Some(peer)) {
                    list.push(peer);
                }
            }
        }
    }
    settings.to_string()
}

/// The text of a settings file with the bucket's address in it; everything else stays as it is.
#[must_use]
pub(crate) fn with_bucket(text: &str, url: &str) -> String {
    use toml_edit::{DocumentMut, Item, Table, value};
    let mut settings: DocumentMut = text.parse().unwrap_or_default();
    let bucket = settings.entry("bucket").or_insert(Item::Table(Table::new()));
    if let Some(bucket) = bucket.as_table_like_mut() {
        bucket.insert("url", value(url));
    }
    settings.to_string()
}

/// Adds the nearest known key to "unknown field `x`, expected one of `y`, `z`".
fn with_nearest(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let nearest = quoted.next().filter(|_| message.starts_with("unknown")).and_then(|unknown| {
        quoted.max_by(|a, b| {
            strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b))
        })
    });
    match nearest {
        Some(name) => format!("{message}; the nearest name is `{name}`"),
        None => message.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_an_error_with_line_and_nearest_name() {
        let error = Config::read("c.toml", "[gossip]\nport = 1\npeer = []\n").unwrap_err();
        assert_eq!(error.line, 3);
        assert!(error.message.ends_with("the nearest name is `peers`"), "{error}");
    }

    #[test]
    fn peers_are_added_and_all_that_a_person_wrote_stays() {
        let text =
            "# my own\n[gossip]\nport = 1 # taken: 9999\npeers = [\n  \"a\", # the attic\n]\n";
        let more = with_peers(text, &["a".into(), "b:1".into()]);
        assert_eq!(Config::read("c.toml", &more).unwrap().gossip.peers, ["a", "b:1"]);
        for kept in ["# my own\n", "port = 1 # taken: 9999\n", "# the attic\n"] {
            assert!(more.contains(kept), "{more}");
        }
        for empty in ["", "[cards]\nproject = \"none\"\n"] {
            let more = with_peers(empty, &["a".into()]);
            assert_eq!(Config::read("c.toml", &more).unwrap().gossip.peers, ["a"]);
            assert!(more.contains(empty), "{more}");
        }
    }

    #[test]
    fn memory_is_told_in_mebibytes() {
        let config = Config::read("c.toml", "[compact]\nmemory = 64\n").unwrap();
        assert_eq!(config.compact.memory, Some(64));
        let error = Config::read("c.toml", "\n[compact]\nmemory = 0\n").unwrap_err();
        assert_eq!(error.line, 3);
        assert!(error.message.contains("at least 8 (MiB), got 0"), "{error}");
    }

    #[test]
    fn days_in_wal_are_a_number() {
        let after = |value: &str| Config::read("c.toml", &format!("[archive]\nafter = {value}\n"));
        assert_eq!(after("30").unwrap().archive.after, Some(30));
        assert!(after("-1").is_err() && after("\"2 days\"").is_err());
    }

    #[test]
    fn the_archive_has_a_size_or_keeps_all() {
        let budget = |value: &str| {
            Config::read("c.toml", &format!("[archive]\nbudget = {value}\n"))
                .map(|c| c.archive.budget)
        };
        for (text, bytes) in [
            ("\"all\"", None),
            ("\"1 GiB\"", Some(1 << 30)),
            ("\"500MiB\"", Some(500 << 20)),
            ("\"0 B\"", Some(0)),
        ] {
            assert_eq!(budget(text).unwrap(), bytes, "{text}");
        }
        for text in
            ["5", "\"\"", "\"1 GB\"", "\"GiB\"", "\"-1 GiB\"", "\"99999999999999 TiB\"", "\"none\""]
        {
            let error = budget(text).unwrap_err();
            assert!(error.message.contains("\"all\", or a size such as"), "{text}: {error}");
        }
    }

    #[test]
    fn a_bucket_has_an_interval_and_a_budget() {
        let read = |text: &str| Config::read("c.toml", &format!("[bucket]\n{text}\n"));
        let bucket =
            read("url = \"s3://team\"\nbudget = \"1.5 USD\"\nmirror = \"off\"").unwrap().bucket;
        assert_eq!((bucket.budget, bucket.mirror), (Some(1_500_000), Mirror::Off));
        for wrong in
            ["budget = \"2 EUR\"", "budget = \"-1 USD\"", "interval = 0", "mirror = \"weekly\""]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let more = with_bucket("# mine\n[bucket]\ninterval = 30 # slow\n", "file:///mnt");
        assert!(more.contains("# mine") && more.contains("interval = 30 # slow"), "{more}");
        assert_eq!(
            Config::read("c.toml", &more).unwrap().bucket.url.as_deref(),
            Some("file:///mnt")
        );
    }

    #[test]
    fn a_cadence_is_so_many_days_a_tag_and_a_wrong_one_gets_the_nearest_name() {
        let read = |text: &str| Config::read("c.toml", &format!("[cadence]\n{text}\n"));
        let cadence = read("lead = \"2 weeks\"\n\"S&P 100\" = \"3months\"").unwrap().cadence;
        assert_eq!(cadence["lead"], Cadence(14));
        assert_eq!(cadence["S&P 100"], Cadence(90));
        let error = read("lead = \"2 weks\"").unwrap_err();
        assert_eq!(error.line, 2);
        assert!(error.message.ends_with("the nearest name is `weeks`"), "{error}");
        for wrong in ["0 days", "weeks", "-1 weeks", "99999999999 days", "2", ""] {
            assert!(read(&format!("lead = \"{wrong}\"")).is_err(), "{wrong}");
        }
        assert!(read("lead = 2").is_err());
    }

    #[test]
    fn the_region_of_numbers_is_a_country() {
        let read = |text: &str| Config::read("c.toml", &format!("[contact]\n{text}\n"));
        assert_eq!(read("region = \"germany\"").unwrap().contact.region.as_deref(), Some("DE"));
        let error = read("region = \"Germny\"").unwrap_err();
        assert!(error.message.contains("the nearest is \"DE\""), "{error}");
        let error = read("regoin = \"DE\"").unwrap_err();
        assert!(error.message.contains("the nearest name is `region`"), "{error}");
    }

    #[test]
    fn what_is_absent_has_its_default() {
        let config = Config::read("c.toml", "[cards]\nproject = \"none\"\n").unwrap();
        assert_eq!(config.cards.project, Project::None);
        assert_eq!(config.gossip, Gossip::default());
    }
}
