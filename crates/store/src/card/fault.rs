//! Why a card cannot be read: where, what, and what to do. Such a file is left alone.

use cocli_core::limits::{JSON_DEPTH_MAX, VALUE_BYTES_MAX};

use super::CARD_BYTES_MAX;

/// A card that cannot be read; nothing was taken from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct CardError {
    /// Line of the file, from 1.
    pub line: usize,
    /// Character of the line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub fault: CardFault,
}

/// What is wrong with a card, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardFault {
    /// More than [`CARD_BYTES_MAX`].
    #[error("the file has {0} bytes: expected at most {CARD_BYTES_MAX}")]
    TooLarge(usize),
    /// Not UTF-8 from this byte of the file on.
    #[error("the file is not UTF-8 from its byte {0} on: save it as UTF-8")]
    NotUtf8(usize),
    /// The first line is no fence.
    #[error("there is no front matter: expected `---` as the first line")]
    NoFrontMatter,
    /// No second fence.
    #[error("the front matter has no end: expected a line `---` behind its last key")]
    Unterminated,
    /// The parser's words.
    #[error("{0}; text with `: `, ` #` or a sign at its start needs quotes, as in `title: 'a: b'`")]
    Yaml(String),
    /// One key twice in a map.
    #[error("the key `{key}` stands twice, first in line {first}: remove one of the two")]
    DuplicateKey {
        /// The key.
        key: String,
        /// Line of the file where it stands first; that of the map when it is an inner one.
        first: usize,
    },
    /// An anchor or alias.
    #[error("anchors (`&x`) and aliases (`*x`) are not read: write the value out, or quote it")]
    Anchor,
    /// A list, or plain text.
    #[error("the front matter is no map: expected lines like `name: Acme`")]
    NotAMap,
    /// A list or map in the place of a key.
    #[error("a list or map stands where a key should: expected text before the `:`")]
    KeyNotText,
    /// `...` and more behind it.
    #[error("a second YAML document begins: expected one; remove the line `...`")]
    SecondDocument,
    /// Deeper than [`JSON_DEPTH_MAX`].
    #[error("lists and maps stand {JSON_DEPTH_MAX} deep in each other: expected fewer")]
    TooDeep,
    /// A value over the ceiling.
    #[error("the value of `{0}` is too long: expected at most {VALUE_BYTES_MAX} bytes")]
    ValueTooLong(String),
}

impl CardFault {
    pub(super) fn at(self, line: usize, column: usize) -> CardError {
        CardError { line, column, fault: self }
    }
}
