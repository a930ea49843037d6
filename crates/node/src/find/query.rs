//! What is looked for: a text, and conditions.

use cocli_core::NameError;
use cocli_store::names::digits;

use super::Place;
use crate::list::Condition;

/// Digits from which on what is typed like a telephone number is one.
const NUMBER_MIN: usize = 5;

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// In lower case, blanks as one; of a telephone number the digits.
    wanted: String,
    /// All of them must hold.
    pub(super) conditions: Vec<Condition>,
    place: Option<Place>,
}

impl Query {
    /// Words as they are typed: `tag:lead` and `missing:email` are conditions, all else is the text.
    ///
    /// # Errors
    /// When a field that shall be missing has no name that a field may have.
    pub fn read<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<Self, NameError> {
        let (mut text, mut conditions) = (Vec::new(), Vec::new());
        for word in words {
            match word.split_once(':') {
                Some(("tag", tag)) if !tag.is_empty() => {
                    conditions.push(Condition::new("tags", tag)?);
                }
                Some(("missing", field)) if !field.is_empty() => {
                    conditions.push(Condition::missing(field)?);
                }
                _ => text.extend(word.split_whitespace()),
            }
        }
        Ok(Self { wanted: wanted(&text.join(" ")), conditions, place: None })
    }

    /// As [`Query::read`], of one line: blanks part the words but within double quotes.
    ///
    /// # Errors
    /// As [`Query::read`].
    pub fn typed(line: &str) -> Result<Self, NameError> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match (c, words.last_mut()) {
                ('"', _) => quoted = !quoted,
                (c, Some(word)) if quoted || !c.is_whitespace() => word.push(c),
                _ => words.push(String::new()),
            }
        }
        Self::read(words.iter().map(String::as_str))
    }

    /// Also this must hold.
    pub fn add(&mut self, condition: Condition) {
        self.conditions.push(condition);
    }

    /// Only those near a place, the nearest first.
    pub fn near(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// The place, if only what is near one is looked for.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    /// The text that is looked for.
    #[must_use]
    pub fn wanted(&self) -> &str {
        &self.wanted
    }

    /// Whether there is nothing but a text.
    pub(super) fn is_text(&self) -> bool {
        self.conditions.is_empty() && self.place.is_none()
    }

    /// Whether nothing is looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.is_text()
    }
}

fn wanted(text: &str) -> String {
    let is_number = text.chars().all(|c| c.is_ascii_digit() || " +-()./".contains(c));
    let digits = digits(text);
    if is_number && digits.len() >= NUMBER_MIN { digits } else { text.to_lowercase() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use super::*;

    #[test]
    fn words_are_a_text_or_conditions_and_numbers_are_their_digits() {
        let read = |words: &[&str]| Query::read(words.iter().copied()).unwrap();
        let query = read(&["Acme", "tag:S&P 100", "missing:email", " Inc "]);
        assert_eq!((query.wanted(), query.conditions.len()), ("acme inc", 2));
        assert_eq!(read(&["(030) 123-4567"]).wanted(), "301234567");
        assert_eq!(read(&["1984"]).wanted(), "1984");
        assert_eq!(read(&["https://acme.example"]).wanted(), "https://acme.example");
        assert_eq!(Query::typed("Acme  tag:\"S&P 100\" missing:email Inc ").unwrap(), query);
        assert!(read(&["  "]).is_empty());
        assert!(!read(&["tag:a"]).is_empty());
    }
}
