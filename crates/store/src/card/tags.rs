//! `tags.lst`: one tag a line, which the Python program takes for the truth about tags.

use std::collections::BTreeSet;

use cocli_core::Value;

use super::CARD_BYTES_MAX;
use super::fault::{CardError, CardFault};
use super::normal::members;
use super::text::not_utf8;
use super::tree::Tree;

/// By what a list of tags differs from another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// Tags that it has more.
    pub added: BTreeSet<String>,
    /// Tags that it lacks.
    pub removed: BTreeSet<String>,
}

/// Reads `tags.lst`: lines without the white space around them, in any order.
///
/// # Errors
/// When it is too large or no UTF-8.
pub fn read(bytes: &[u8]) -> Result<BTreeSet<String>, CardError> {
    if bytes.len() > CARD_BYTES_MAX {
        return Err(CardFault::TooLarge(bytes.len()).at(1, 1));
    }
    let text = str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().map(str::trim);
    Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// The text of `tags.lst`: sorted lines, nothing when there are no tags.
#[must_use]
pub fn write(tags: &BTreeSet<String>) -> String {
    tags.iter().filter(|tag| fits_line(tag)).map(|tag| format!("{tag}\n")).collect()
}

/// The tags that the value of the field `tags` stands for.
#[must_use]
pub fn of(value: Option<&Value>) -> BTreeSet<String> {
    members(value.map_or(Tree::Null, Tree::of))
}

/// What was changed in a `tags.lst` since it showed `projected`. Tags that no line can hold stand in
/// the front matter only, and are not missing here.
#[must_use]
pub fn difference(projected: &BTreeSet<String>, file: &BTreeSet<String>) -> Difference {
    Difference {
        added: file.difference(projected).cloned().collect(),
        removed: projected.difference(file).filter(|tag| fits_line(tag)).cloned().collect(),
    }
}

/// Whether every reader takes the tag for one line, and leaves it as it is.
fn fits_line(tag: &str) -> bool {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    !tag.is_empty() && tag.trim() == tag && !tag.contains(breaks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(tags: &[&str]) -> BTreeSet<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn lines_in_any_order_and_form_are_the_same_tags() {
        let read = |text: &str| read(text.as_bytes()).unwrap();
        assert_eq!(read("b\r\n a \n\nb"), set(&["a", "b"]));
        assert_eq!(read("\u{feff}a\n"), set(&["a"]));
        assert_eq!(read(""), set(&[]));
        assert_eq!(write(&set(&["b", "a", "x\ny", " z", ""])), "a\nb\n");
        assert!(super::read(b"a\n\xff\n").unwrap_err().to_string().starts_with("line 2, column 1"));
    }

    #[test]
    fn a_tag_that_no_line_can_hold_is_not_missing() {
        let changed = difference(&set(&["a", "x\ny", "gone"]), &set(&["a", "new"]));
        assert_eq!((changed.added, changed.removed), (set(&["new"]), set(&["gone"])));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(tags in proptest::collection::btree_set(any::<String>(), 0..5)) {
            let file = super::read(write(&tags).as_bytes()).unwrap();
            prop_assert_eq!(difference(&tags, &file), Difference::default());
        }
    }
}
