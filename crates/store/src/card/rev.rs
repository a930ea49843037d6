//! The name of what a card shows: the same on every node that shows the same.

use std::collections::BTreeMap;
use std::fmt;

use cocli_core::digest::hash;
use cocli_core::usv::{RS, US};
use cocli_core::{Field, Kind, Value};

use super::normal::shown;

/// Ten hex digits of the hash of a card's fields and values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rev(u64);

impl Rev {
    /// Reads ten lower-case hex digits.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let lower = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
        (text.len() == 10 && lower).then(|| u64::from_str_radix(text, 16).ok().map(Self))?
    }
}

impl fmt::Display for Rev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010x}", self.0)
    }
}

impl fmt::Debug for Rev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The rev of a card with these fields (the body is one of them).
#[must_use]
pub fn rev(kind: Kind, fields: &BTreeMap<Field, Value>) -> Rev {
    of_shown(&shown(kind, fields))
}

pub(super) fn of_shown(fields: &BTreeMap<Field, Value>) -> Rev {
    let mut text = Vec::with_capacity(fields.len() * 40);
    for (field, value) in fields {
        text.extend_from_slice(field.as_str().as_bytes());
        text.push(US);
        text.extend_from_slice(value.as_str().as_bytes());
        text.push(RS);
    }
    // The first 40 of 128 bits.
    Rev(u64::try_from(hash(&text) >> 88).unwrap_or_default())
}
