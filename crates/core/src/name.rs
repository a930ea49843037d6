//! Names, checked once at the border and trusted after: nodes, epochs, logs, targets, fields.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::limits::{
    ELEMENT_BYTES_MAX, FIELD_BYTES_MAX, NODE_BYTES_MAX, SEGMENT_BYTES_MAX, SEGMENTS_MAX,
};
use crate::time::Month;

/// Why a name was refused; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {got:?} is not a name here: expected {expected}")]
pub struct NameError {
    /// Which kind of name.
    pub what: &'static str,
    /// The text as it came, cut to 80 characters.
    pub got: String,
    /// What would have been taken.
    pub expected: &'static str,
}

fn refuse<T>(what: &'static str, got: &str, expected: &'static str) -> Result<T, NameError> {
    Err(NameError { what, got: got.chars().take(80).collect(), expected })
}

macro_rules! text_name {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// The id of a node: one machine's home.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Box<str>);
text_name!(NodeId);

impl NodeId {
    /// Takes any id that a journal may hold: `[A-Za-z0-9._-]{1,64}`.
    ///
    /// # Errors
    /// Anything else.
    pub fn read(text: &str) -> Result<Self, NameError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if (1..=NODE_BYTES_MAX + 1).contains(&text.len()) && text.bytes().all(fits) {
            return Ok(Self(text.into()));
        }
        refuse("node", text, "1 to 64 of letters, digits, `.`, `_`, `-`")
    }

    /// Takes an id that we write: `[a-z0-9][a-z0-9.-]{0,62}`.
    ///
    /// # Errors
    /// Anything else.
    pub fn written(text: &str) -> Result<Self, NameError> {
        let first = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let fits = |b: u8| first(b) || matches!(b, b'.' | b'-');
        if (1..=NODE_BYTES_MAX).contains(&text.len())
            && text.bytes().all(fits)
            && text.bytes().next().is_some_and(first)
        {
            return Ok(Self(text.into()));
        }
        refuse(
            "node",
            text,
            "1 to 63 of lower-case letters, digits, `.`, `-`, with a letter or digit first",
        )
    }
}

/// Which of a node's logs: empty for its first, else eight random characters. Nothing orders by it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(Box<str>);
text_name!(Epoch);

impl Epoch {
    const LETTERS: &'static [u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

    /// Takes the empty text or eight of `[a-z0-9]`.
    ///
    /// # Errors
    /// Anything else.
    pub fn read(text: &str) -> Result<Self, NameError> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if matches!(text.len(), 0 | 8) && text.bytes().all(fits) {
            return Ok(Self(text.into()));
        }
        refuse("epoch", text, "nothing, or 8 of lower-case letters and digits")
    }

    /// A fresh epoch from eight random bytes.
    #[must_use]
    pub fn from_random(random: [u8; 8]) -> Self {
        let letter = |b: u8| char::from(Self::LETTERS[usize::from(b % 32)]);
        Self(random.into_iter().map(letter).collect::<String>().into())
    }

    /// Whether this is a node's first log.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.0.is_empty()
    }
}

/// A log: all journals of one (node, epoch), or the one journal of what expires of a month.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// Its origin.
    pub node: NodeId,
    /// Which of the origin's logs.
    pub epoch: Epoch,
    /// The month of an expiring log; none of one that stays.
    pub month: Option<Month>,
}

impl LogId {
    /// The log that stays of a node and epoch.
    #[must_use]
    pub fn new(node: NodeId, epoch: Epoch) -> Self {
        Self { node, epoch, month: None }
    }

    /// The log of the same node and epoch for what expires with `month`, or, of none, for what stays.
    #[must_use]
    pub fn of(&self, month: Option<Month>) -> Self {
        Self { month, ..self.clone() }
    }

    /// Whether both are of one node and epoch: whoever extends the one extends the other.
    #[must_use]
    pub fn is_kin(&self, other: &Self) -> bool {
        self.node == other.node && self.epoch == other.epoch
    }

    /// Reads `{node}`, `{node}~{epoch}`, `{node}~{epoch}~{YYYYMM}` or `{node}~~{YYYYMM}`.
    ///
    /// # Errors
    /// When node, epoch or month is none.
    pub fn read(text: &str) -> Result<Self, NameError> {
        let expected = "`node`, `node~epoch`, `node~epoch~YYYYMM` or `node~~YYYYMM`";
        let mut parts = text.splitn(3, '~');
        let node = NodeId::read(parts.next().unwrap_or_default())?;
        let epoch = Epoch::read(parts.next().unwrap_or_default())?;
        let month = match parts.next() {
            None if text.ends_with('~') => return refuse("log", text, expected),
            None => None,
            Some(month) => match Month::read(month) {
                None => return refuse("log", text, expected),
                month => month,
            },
        };
        Ok(Self { node, epoch, month })
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.node.as_str())?;
        if !self.epoch.is_first() || self.month.is_some() {
            write!(f, "~{}", self.epoch)?;
        }
        self.month.map_or(Ok(()), |month| write!(f, "~{month}"))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The stable id of an entity: 2 to 6 segments joined by `/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(Box<str>);
text_name!(Target);

impl Target {
    /// Takes 2 to 6 segments of `[A-Za-z0-9][A-Za-z0-9._+@-]{0,127}`; lower case under `companies/`
    /// and `people/`.
    ///
    /// # Errors
    /// Anything else.
    pub fn read(text: &str) -> Result<Self, NameError> {
        if text.split('/').all(segment_fits)
            && (2..=SEGMENTS_MAX).contains(&text.split('/').count())
        {
            let pooled = text.starts_with("companies/") || text.starts_with("people/");
            if pooled && text.bytes().any(|b| b.is_ascii_uppercase()) {
                return refuse("target", text, "lower case under companies/ and people/");
            }
            return Ok(Self(text.into()));
        }
        refuse(
            "target",
            text,
            "2 to 6 parts joined by `/`, each 1 to 128 of letters, digits and `._+@-`, with a letter or digit first (as `companies/apple`)",
        )
    }

    /// The first segment.
    #[must_use]
    pub fn collection(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The second segment: the entity's slug.
    #[must_use]
    pub fn slug(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }

    /// The first two segments: the entity that this target is or belongs to; also the shard key.
    #[must_use]
    pub fn entity(&self) -> &str {
        match self.0.match_indices('/').nth(1) {
            Some((end, _)) => &self.0[..end],
            None => &self.0,
        }
    }

    /// Whether the target is itself an entity of a collection, not something below one.
    #[must_use]
    pub fn is_entity(&self) -> bool {
        self.entity().len() == self.0.len()
    }

    /// Whether what is said of it may stand in an expiring log: `nodes/*`, `campaigns/*/queues/*`.
    #[must_use]
    pub fn may_expire(&self) -> bool {
        expires(self.0.as_bytes())
    }

    /// This target and those above it, nearest first, down to two segments.
    pub fn lineage(&self) -> impl Iterator<Item = &str> {
        let cuts: Vec<usize> = self.0.match_indices('/').map(|(at, _)| at).skip(1).collect();
        core::iter::once(&*self.0).chain(cuts.into_iter().rev().map(|at| &self.0[..at]))
    }
}

/// [`Target::may_expire`] of a target's text.
pub(crate) fn expires(target: &[u8]) -> bool {
    let mut segments = [&b""[..]; 5];
    let mut count = 0;
    for (at, segment) in target.split(|b| *b == b'/').take(5).enumerate() {
        (segments[at], count) = (segment, at + 1);
    }
    match count {
        2 => segments[0] == b"nodes",
        4 => segments[0] == b"campaigns" && segments[2] == b"queues",
        _ => false,
    }
}

fn segment_fits(segment: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._+@-".contains(&b);
    (1..=SEGMENT_BYTES_MAX).contains(&segment.len())
        && segment.as_bytes()[0].is_ascii_alphanumeric()
        && segment.bytes().all(fits)
}

/// A field, or an element of one (`tags.lead`), in canonical form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field(Box<str>);
text_name!(Field);

const FIELD_EXPECTED: &str = "a letter or `_`, then letters, digits, `_` (1 to 64), or that, `.` and an element; other characters as %XX";

impl Field {
    /// Takes a plain name, another key in percent-encoding, or either with `.` and an element, and
    /// puts the encoding into canonical form (upper-case hex, only what must be).
    ///
    /// # Errors
    /// Anything else.
    pub fn read(text: &str) -> Result<Self, NameError> {
        let (base, element) = match text.split_once('.') {
            Some((base, element)) => (base, Some(element)),
            None => (text, None),
        };
        let Some(base) = canonical_base(base) else {
            return refuse("field", text, FIELD_EXPECTED);
        };
        match element {
            None => Ok(Self(base.into())),
            Some(element) => match canonical_element(element) {
                Some(element) => Ok(Self([&*base, ".", &*element].concat().into())),
                None => refuse("field", text, FIELD_EXPECTED),
            },
        }
    }

    /// The field for a key of a card, whatever characters it has.
    ///
    /// # Errors
    /// When the key is empty or longer than 200 bytes once encoded.
    pub fn of_key(key: &str) -> Result<Self, NameError> {
        Self::read(&encode(key))
    }

    /// The element of this field that stands for `text`, and whether the text had to be hashed
    /// (then the element's value is the text).
    #[must_use]
    pub fn element_of(&self, text: &str) -> (Self, bool) {
        let encoded = encode(text);
        let long = encoded.len() > ELEMENT_BYTES_MAX || encoded.is_empty();
        let element = if long {
            Cow::Owned(alloc::format!("~{:032x}", crate::digest::hash(text.as_bytes())))
        } else {
            encoded
        };
        (Self([self.base(), ".", &*element].concat().into()), long)
    }

    /// The field without its element.
    #[must_use]
    pub fn base(&self) -> &str {
        self.0.split_once('.').map_or(&*self.0, |(base, _)| base)
    }

    /// The base as its own field.
    #[must_use]
    pub fn base_field(&self) -> Self {
        Self(self.base().into())
    }

    /// The element as it is encoded, if this is one.
    #[must_use]
    pub fn element(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, element)| element)
    }

    /// The element's text, if it can be told from the name alone (a hashed one cannot).
    #[must_use]
    pub fn element_text(&self) -> Option<String> {
        let element = self.element()?;
        if element.starts_with('~') { None } else { decode(element) }
    }

    /// The key of a card that this field is (the base, decoded).
    #[must_use]
    pub fn key(&self) -> String {
        decode(self.base()).unwrap_or_else(|| self.base().to_string())
    }
}

fn plain_name(text: &str) -> bool {
    (1..=FIELD_BYTES_MAX).contains(&text.len())
        && !text.as_bytes()[0].is_ascii_digit()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn canonical_base(text: &str) -> Option<Cow<'_, str>> {
    if plain_name(text) {
        return Some(Cow::Borrowed(text));
    }
    canonical_encoding(text)
}

fn canonical_element(text: &str) -> Option<Cow<'_, str>> {
    if let Some(hash) = text.strip_prefix('~') {
        let lower_hex = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
        return (hash.len() == 32 && hash.bytes().all(lower_hex)).then_some(Cow::Borrowed(text));
    }
    canonical_encoding(text)
}

fn canonical_encoding(text: &str) -> Option<Cow<'_, str>> {
    if text.is_empty() || text.len() > 3 * ELEMENT_BYTES_MAX {
        return None;
    }
    if !text.bytes().all(|b| element_plain(b) || b == b'%') {
        return None;
    }
    let encoded = encode(&decode(text)?).into_owned();
    (encoded.len() <= ELEMENT_BYTES_MAX).then_some(Cow::Owned(encoded))
}

fn element_plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"_@+-".contains(&b)
}

fn encode(text: &str) -> Cow<'_, str> {
    if text.bytes().all(element_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for b in text.bytes() {
        if element_plain(b) {
            out.push(char::from(b));
        } else {
            out.push('%');
            for nibble in [b >> 4, b & 15] {
                out.push(char::from(b"0123456789ABCDEF"[usize::from(nibble)]));
            }
        }
    }
    Cow::Owned(out)
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        if b == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(b);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_that_leave_the_home_or_the_grammar_are_refused() {
        for bad in [
            "",
            "companies",
            "companies/",
            "/companies/a",
            "companies/..",
            "companies/../etc",
            "companies/.git",
            "a/b/c/d/e/f/g",
            "companies/a\0b",
            "companies/a b",
            "companies/Apple",
            "companies//a",
            "companies/a\u{e9}",
        ] {
            assert!(Target::read(bad).is_err(), "{bad:?}");
        }
        assert!(Target::read(&alloc::format!("companies/{}", "a".repeat(300))).is_err());
        assert!(Target::read(&alloc::format!("companies/{}", "a".repeat(128))).is_ok());
    }

    #[test]
    fn a_target_knows_its_entity_and_what_is_above_it() {
        let note = Target::read("companies/apple/notes/2026-x1y2").unwrap();
        assert_eq!(note.entity(), "companies/apple");
        let lineage: Vec<&str> = note.lineage().collect();
        assert_eq!(
            lineage,
            ["companies/apple/notes/2026-x1y2", "companies/apple/notes", "companies/apple"]
        );
    }

    #[test]
    fn an_element_has_one_name_however_it_was_encoded() {
        for text in ["tags.%61%2eb", "tags.a%2Eb", "tags.%61%2e%62"] {
            assert_eq!(Field::read(text).unwrap().as_str(), "tags.a%2Eb");
        }
        assert_eq!(Field::read("tags.a%2Eb").unwrap().element_text().as_deref(), Some("a.b"));
        assert!(Field::read("tags.a.b").is_err());
        assert!(Field::read("my field").is_err());
        assert!(Field::read("tags.%ff").is_err());
        assert_eq!(Field::of_key("my key").unwrap().as_str(), "my%20key");
    }

    #[test]
    fn a_long_element_is_named_by_its_hash() {
        let tags = Field::read("tags").unwrap();
        let (field, hashed) = tags.element_of(&"x".repeat(201));
        assert!(hashed && field.element_text().is_none());
        assert_eq!(Field::read(field.as_str()).unwrap(), field);
    }

    #[test]
    fn nodes_and_tasks_of_campaigns_may_expire_and_nothing_else() {
        for yes in ["nodes/pi1", "campaigns/roadmap/queues/enrichment"] {
            assert!(Target::read(yes).unwrap().may_expire(), "{yes}");
        }
        for no in
            ["nodes/pi1/x", "campaigns/roadmap", "campaigns/a/queues/b/c", "companies/a/queues/b"]
        {
            assert!(!Target::read(no).unwrap().may_expire(), "{no}");
        }
    }

    #[test]
    fn logs_read_back_as_they_print() {
        for text in ["pi1", "pi1~abcdefgh", "A_b.c", "pi1~~202611", "pi1~abcdefgh~202611"] {
            let log = LogId::read(text).unwrap();
            assert_eq!(log.to_string(), text);
            assert!(log.of(None).month.is_none() && log.is_kin(&log.of(None)));
        }
        for bad in ["pi1~", "pi1~abc", "", "a/b", "a~b~c", "pi1~~", "pi1~~202613", "~~202611"] {
            assert!(LogId::read(bad).is_err(), "{bad:?}");
        }
    }
}
