//! One field of one target, changed by one node at one time.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use crate::merge::Entry;
use crate::name::{Field, Target};
use crate::stamp::Stamp;

/// What the writer saw at the field when it wrote.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Causality(Box<str>);

impl Causality {
    /// The writer does not say (the Python program).
    #[must_use]
    pub fn unsaid() -> Self {
        Self("".into())
    }

    /// There was no value.
    #[must_use]
    pub fn nothing() -> Self {
        Self("-".into())
    }

    /// The stamps of the values that the writer saw; `-` when there were none.
    #[must_use]
    pub fn saw<'a>(stamps: impl IntoIterator<Item = &'a Stamp>) -> Self {
        use fmt::Write;
        let mut text = String::new();
        for stamp in stamps {
            let comma = if text.is_empty() { "" } else { "," };
            let _ = write!(text, "{comma}{stamp}");
        }
        if text.is_empty() { Self::nothing() } else { Self(text.into()) }
    }

    /// Reads empty, `-`, or `{timestamp}@{node}` joined by commas; `None` for anything else.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if matches!(text, "" | "-") {
            return Some(Self(text.into()));
        }
        let mut out = String::with_capacity(text.len());
        for part in text.split(',') {
            let stamp = Stamp::read(part)?;
            if !out.is_empty() {
                out.push(',');
            }
            crate::time::push(&mut out, stamp.instant);
            out.push('@');
            out.push_str(stamp.node.as_str());
        }
        Some(Self(out.into()))
    }

    /// The stamps that it names.
    pub fn stamps(&self) -> impl Iterator<Item = Stamp> + '_ {
        self.0.split(',').filter_map(Stamp::read)
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Causality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Datagram {
    /// Of which entity.
    pub target: Target,
    /// Which field.
    pub field: Field,
    /// What was written, when, by whom, over what.
    pub entry: Entry,
}
