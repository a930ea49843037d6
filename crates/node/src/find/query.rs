//! What is looked for: a text, and conditions.

use cocli_core::NameError;
use cocli_store::names::{digits, lower};

use super::Place;
use crate::list::Condition;

/// Digits from which on what is typed like a telephone number is one.
const NUMBER_MIN: usize = 5;

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// In lower case, blanks as one.
    wanted: String,
    /// Of what may be a telephone number.
    digits: Option<String>,
    /// All of them must hold.
    pub(super) conditions: Vec<Condition>,
    pub(super) place: Option<Place>,
    /// Of the pool, the only one that is looked at.
    pub(super) collection: Option<&'static str>,
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
                    // As it is typed where one chooses.
                    let within = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
                    conditions.push(Condition::new("tags", within.unwrap_or(tag))?);
                }
                Some(("missing", field)) if !field.is_empty() => {
                    conditions.push(Condition::missing(field)?);
                }
                _ => text.extend(word.split_whitespace()),
            }
        }
        let wanted = lower(&text.join(" "));
        let is_number = wanted.chars().all(|c| c.is_ascii_digit() || " +-()./".contains(c));
        let digits = Some(digits(&wanted)).filter(|all| is_number && all.len() >= NUMBER_MIN);
        Ok(Self { wanted, digits, conditions, place: None, collection: None })
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

    /// Only those of one collection of the pool.
    pub fn within(&mut self, collection: &'static str) {
        self.collection = Some(collection);
    }

    /// Also all that another one asks for beside its text.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.conditions.extend_from_slice(&other.conditions);
        self.place = self.place.or(other.place);
        self.collection = self.collection.or(other.collection);
        self
    }

    /// The text that is looked for.
    #[must_use]
    pub fn wanted(&self) -> &str {
        &self.wanted
    }

    /// The texts of which one must stand there: as it is typed, and the digits of a number.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        [Some(self.wanted.as_str()), self.digits.as_deref()].into_iter().flatten()
    }

    /// What something may be nearly like.
    pub(super) fn near_text(&self) -> &str {
        self.digits.as_deref().unwrap_or(&self.wanted)
    }

    /// Whether there is nothing but a text.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.conditions.is_empty() && self.place.is_none()
    }

    /// Whether nothing is looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.is_text()
    }
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
        let texts = |words: &[&str]| read(words).texts().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(texts(&["(030) 123-4567"]), ["(030) 123-4567", "301234567"]);
        assert_eq!(texts(&["1984"]), ["1984"]);
        assert_eq!(read(&["https://acme.example"]).wanted(), "https://acme.example");
        assert_eq!(Query::typed("Acme  tag:\"S&P 100\" missing:email Inc ").unwrap(), query);
        assert!(read(&["  "]).is_empty());
        assert_eq!(read(&["Acme", "Inc", "tag:\"S&P 100\"", "missing:email"]), query);
        assert!(!read(&["tag:a"]).is_empty());
    }
}
