//! A value taken apart: text, list, map, null. Scalars are text, whatever JSON calls them.

use std::collections::BTreeMap;

use cocli_core::Value;
use cocli_core::value::Plain;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tree {
    Null,
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// Numbers keep the text that they have, and of a doubled key the last value stands.
    pub(super) fn of(value: &Value) -> Self {
        match value.plain() {
            Plain::Null => Self::Null,
            Plain::Text(text) => Self::Text(text.into_owned()),
            Plain::Tree(_) => {
                let mut rest = value.as_str();
                read(&mut rest).unwrap_or_else(|| Self::Text(value.as_str().to_owned()))
            }
        }
    }

    pub(super) fn value(&self) -> Value {
        match self {
            Self::Null => Value::null(),
            Self::Text(text) => Value::text(text),
            Self::List(_) | Self::Map(_) => {
                let mut json = String::new();
                self.write(&mut json);
                Value::read(&json)
            }
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Text(text) => string(text, out),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Map(items) => {
                out.push('{');
                for (at, (key, item)) in items.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    string(key, out);
                    out.push(':');
                    item.write(out);
                }
                out.push('}');
            }
        }
    }

    /// The text of a member of a set.
    pub(super) fn member(self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Text(text) => Some(text),
            tree => Some(tree.value().as_str().to_owned()),
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(_) => false,
            Self::List(items) => items.is_empty(),
            Self::Map(items) => items.is_empty(),
        }
    }
}

fn string(text: &str, out: &mut String) {
    // A JSON string cannot fail to be written.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Reads canonical JSON, which is no deeper than `JSON_DEPTH_MAX` and has no white space.
fn read(rest: &mut &str) -> Option<Tree> {
    match *rest.as_bytes().first()? {
        b'"' => Some(Tree::Text(quoted(rest)?)),
        b'[' => {
            let mut items = Vec::new();
            list(rest, ']', |rest| {
                items.push(read(rest)?);
                Some(())
            })?;
            Some(Tree::List(items))
        }
        b'{' => {
            let mut items: Vec<(String, Tree)> = Vec::new();
            let mut places = BTreeMap::new();
            list(rest, '}', |rest| {
                let key = quoted(rest)?;
                *rest = rest.strip_prefix(':')?;
                let item = read(rest)?;
                match places.get(&key) {
                    Some(place) => items[*place] = (key, item),
                    None => {
                        places.insert(key.clone(), items.len());
                        items.push((key, item));
                    }
                }
                Some(())
            })?;
            Some(Tree::Map(items))
        }
        _ => {
            let end = rest.find([',', ']', '}']).unwrap_or(rest.len());
            let (scalar, behind) = rest.split_at(end);
            *rest = behind;
            Some(if scalar == "null" { Tree::Null } else { Tree::Text(scalar.to_owned()) })
        }
    }
}

fn list(rest: &mut &str, end: char, mut item: impl FnMut(&mut &str) -> Option<()>) -> Option<()> {
    *rest = rest.get(1..)?;
    if let Some(behind) = rest.strip_prefix(end) {
        *rest = behind;
        return Some(());
    }
    loop {
        item(rest)?;
        if let Some(behind) = rest.strip_prefix(',') {
            *rest = behind;
        } else {
            *rest = rest.strip_prefix(end)?;
            return Some(());
        }
    }
}

fn quoted(rest: &mut &str) -> Option<String> {
    let mut escaped = false;
    let end = rest.bytes().enumerate().skip(1).find(|(_, b)| match b {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        b => *b == b'"',
    })?;
    let (string, behind) = rest.split_at(end.0 + 1);
    *rest = behind;
    serde_json::from_str(string).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_in_trees_are_text_and_null_stays_null() {
        let tree = |json: &str| Tree::of(&Value::read(json)).value();
        assert_eq!(
            tree("[1.50,true,null,\"a\\\"b\"]").as_str(),
            "[\"1.50\",\"true\",null,\"a\\\"b\"]"
        );
        assert_eq!(tree("{\"b\":1,\"a\":[],\"b\":2}").as_str(), "{\"b\":\"2\",\"a\":[]}");
        assert_eq!(tree("null"), Value::null());
        assert_eq!(tree("[x"), Value::text("[x"));
    }
}
