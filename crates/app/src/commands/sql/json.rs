//! DuckDB's JSON as others read it: it also writes numbers that JSON does not have, and a name twice.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::failure::{Exit, Failure};

/// The columns of the last row.
#[derive(Default)]
pub(super) struct Columns(Vec<String>);

impl Columns {
    /// Refuses a line that is no JSON object, or has a name twice.
    pub(super) fn check(&mut self, line: &[u8]) -> Result<(), Failure> {
        let mut line_of = serde_json::Deserializer::from_slice(line);
        let read = line_of.deserialize_map(&mut *self).and_then(|()| line_of.end());
        read.map_err(|error| {
            let row = String::from_utf8_lossy(line);
            let said = format!("a row is no JSON: {error}: {}", row.trim_end());
            let hint =
                "name columns by `AS`, cast infinite numbers and NaN to text, or take --format csv";
            Failure::new(Exit::Failed, said).hint(hint)
        })
    }
}

impl<'de> Visitor<'de> for &mut Columns {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object a line")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Columns(names) = self;
        let (mut count, mut are_new) = (0, false);
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            // Most rows have the columns of the one before.
            if names.get(count).is_none_or(|before| *before != name) {
                names.truncate(count);
                names.push(name.into_owned());
                are_new = true;
            }
            count += 1;
            map.next_value::<IgnoredAny>()?;
        }
        names.truncate(count);
        let mut seen = BTreeSet::new();
        match names.iter().find(|name| are_new && !seen.insert(*name)) {
            Some(name) => Err(A::Error::custom(format!("two columns are called {name:?}"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_json_that_has_each_name_once() {
        let mut columns = Columns::default();
        for line in ["{\"a\":1,\"b\":[1.5]}\n", "{\"a\":2,\"b\":null}\n", "{\"b\":1}\n", "{}\n"] {
            columns.check(line.as_bytes()).unwrap();
        }
        for line in [
            "{\"a\":1,\"a\":1}\n",
            "{\"b\":1,\"\\u0061\":2,\"a\":3}\n",
            "{\"a\":Infinity}\n",
            "{\"a\":[NaN]}\n",
            "{\"a\":1} {\"a\":1}\n",
            "hi\n",
        ] {
            assert!(columns.check(line.as_bytes()).is_err(), "{line}");
        }
    }
}
