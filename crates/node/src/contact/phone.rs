//! The E.164 form of a telephone number, by calling codes, trunk prefixes and lengths alone: whether a
//! number was given to anybody is not looked at (docs/decisions/0020-telephone-numbers.md).

use super::named;
use super::region::{REGIONS, Region};

/// E.164 allows so many digits, with the calling code.
const DIGITS_MAX: usize = 15;
/// Fewer digits than this, with the calling code, reach nobody from abroad.
const DIGITS_MIN: usize = 7;
/// Digits without a `+` from which on they may begin with a calling code: the Python program leaves `+` out.
const BARE_MIN: usize = 10;

/// What a number that was typed is to dial from anywhere, `+49301234567`; `country` is where it was typed
/// for, as a person writes it. Nothing where that cannot be said.
#[must_use]
pub fn e164(typed: &str, country: Option<&str>) -> Option<String> {
    let (abroad, digits) = digits_of(typed)?;
    if abroad {
        return international(&digits);
    }
    let region = country.and_then(named);
    let Some(region) = region else {
        // Only where nothing else can be meant: eleven digits from 1 on, as the Python program keeps them.
        let bare = digits.len() == 11 && digits.starts_with('1');
        return digits
            .strip_prefix("00")
            .map_or_else(|| if bare { international(&digits) } else { None }, international);
    };
    if let Some(rest) = digits.strip_prefix(region.abroad) {
        return international(rest);
    }
    let fits = |number: &str| (region.digits.0..=region.digits.1).contains(&number.len());
    let with_code = digits
        .strip_prefix(region.calling)
        .filter(|rest| digits.len() >= BARE_MIN && fits(rest) && !region.trunk.is_empty());
    let without_trunk =
        digits.strip_prefix(region.trunk).filter(|rest| !region.trunk.is_empty() && fits(rest));
    let number =
        without_trunk.or(with_code).or_else(|| fits(&digits).then_some(digits.as_str()))?;
    within(&format!("{}{number}", region.calling))
}

/// The digits of a number, and whether it begins with `+`; nothing where it is no number.
fn digits_of(typed: &str) -> Option<(bool, String)> {
    let text = without_extension(typed.trim());
    let text = text.strip_prefix("tel:").unwrap_or(text).trim();
    let (abroad, text) = match text.strip_prefix(['+', '\u{ff0b}']) {
        // `+49 (0)30`: that 0 is dialled within the country only.
        Some(rest) => (true, rest.replacen("(0)", "", 1)),
        None => (false, text.to_owned()),
    };
    let mut digits = String::new();
    for c in text.chars() {
        match digit(c) {
            Some(digit) => digits.push(digit),
            None if is_between(c) => {}
            None => return None,
        }
    }
    (!digits.is_empty()).then_some((abroad, digits))
}

/// What people put between digits.
fn is_between(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '.' | '/' | '(' | ')' | '[' | ']' | '\u{2010}'..='\u{2015}' | '\u{2212}'
        )
        || matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{202a}'
                ..='\u{202e}' | '\u{ff08}' | '\u{ff09}' | '\u{ff0d}'
        )
}

/// A digit of any of the scripts that numbers are typed in.
fn digit(c: char) -> Option<char> {
    const ZEROS: [u32; 5] = ['0' as u32, 0xff10, 0x660, 0x6f0, 0x966];
    let value =
        ZEROS.iter().find_map(|zero| u32::from(c).checked_sub(*zero).filter(|d| *d < 10))?;
    char::from_digit(value, 10)
}

/// `+1 214 555 0134 ext. 5`, `x5`, `#5`, `;ext=5`: E.164 has no extensions.
fn without_extension(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    let at = [";ext", "ext", "x", "#"].iter().filter_map(|mark| lower.find(mark)).min();
    let Some(at) = at.filter(|at| *at > 0) else { return text };
    let behind = lower[at..].trim_start_matches([';', '#']).trim_start_matches(char::is_alphabetic);
    let behind = behind.trim_start_matches(['.', '=', ':', ' ', '#']);
    let short = (1..=7).contains(&behind.len()) && behind.bytes().all(|b| b.is_ascii_digit());
    if short { text[..at].trim_end() } else { text }
}

/// Digits that begin with a calling code, where some country of it has numbers of that length.
fn international(digits: &str) -> Option<String> {
    let of = |region: &&Region| {
        let number = digits.strip_prefix(region.calling);
        number.is_some_and(|n| (region.digits.0..=region.digits.1).contains(&n.len()))
    };
    REGIONS.iter().find(of).and_then(|_| within(digits))
}

fn within(digits: &str) -> Option<String> {
    (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()).then(|| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read_as_they_are_typed_in_their_country() {
        for (typed, country, to) in [
            ("030 901820", "Germany", "+4930901820"),
            ("030/90 18-20", "DE", "+4930901820"),
            ("+49 (0)30 901820", "France", "+4930901820"),
            ("0049 30 901820", "DE", "+4930901820"),
            ("4930901820", "DE", "+4930901820"),
            ("(214) 555-0134", "United States", "+12145550134"),
            ("1-214-555-0134", "usa", "+12145550134"),
            ("12145550134", "US", "+12145550134"),
            ("011 44 20 7946 0018", "US", "+442079460018"),
            ("020 7946 0018", "UK", "+442079460018"),
            ("06 1234 5678", "Italy", "+390612345678"),
            ("8 (495) 123-45-67", "RU", "+74951234567"),
            ("800 123-45-67", "RU", "+78001234567"),
            ("\u{ff10}\u{ff13}-\u{ff11}\u{ff12}\u{ff13}\u{ff14}-5678", "Japan", "+81312345678"),
            ("02 9374 4000", "Australia", "+61293744000"),
            ("+1 214 555 0134 ext. 12", "DE", "+12145550134"),
            ("+1 214 555 0134x12", "DE", "+12145550134"),
            ("tel:+12145550134;ext=5", "DE", "+12145550134"),
            ("01 42 68 53 00", "France", "+33142685300"),
        ] {
            assert_eq!(e164(typed, Some(country)).as_deref(), Some(to), "{typed} in {country}");
        }
    }

    #[test]
    fn without_a_country_only_what_names_its_own_is_read() {
        let read = |typed| e164(typed, None);
        assert_eq!(read("+41 44 668 18 00").as_deref(), Some("+41446681800"));
        assert_eq!(read("0041 44 668 18 00").as_deref(), Some("+41446681800"));
        assert_eq!(read("12145550134").as_deref(), Some("+12145550134"));
        assert_eq!(read("214 555 0134"), None);
        assert_eq!(read("030 901820"), None);
        assert_eq!(read("4930901820"), None, "it may be one of any country");
        assert_eq!(e164("030 901820", Some("Atlantis")), None);
    }

    #[test]
    fn what_is_no_number_has_no_form() {
        for typed in
            ["", "n/a", "ask Jane", "+", "+999 123 456 789", "123", "214-CALL-5550134", "x5"]
        {
            assert_eq!(e164(typed, Some("US")), None, "{typed}");
        }
        assert_eq!(e164("030 901820 / 030 901821 / 030 901822", Some("DE")), None, "three of them");
    }

    #[test]
    fn countries_are_known_by_code_and_name() {
        for (text, code) in [("de", "DE"), ("DEU", "DE"), ("germany", "DE"), ("U.S.", "US")] {
            assert_eq!(super::super::country(text), Some(code), "{text}");
        }
        assert_eq!(super::super::country(""), None);
        assert_eq!(super::super::nearest_country("Germny"), Some("DE"));
        assert_eq!(super::super::nearest_country("qqqq"), None);
    }

    proptest! {
        #[test]
        fn no_text_stops_it_and_a_form_is_its_own_form(
            typed in r"(\+|00|0)?[0-9 ()/x.-]{0,20}|\PC{0,20}",
            country in proptest::option::of(proptest::sample::select(vec!["DE", "US", "IT", "RU", "HU"])),
        ) {
            if let Some(form) = e164(&typed, country) {
                prop_assert!(form.len() <= 16 && form[1..].bytes().all(|b| b.is_ascii_digit()));
                prop_assert_eq!(e164(&form, None), Some(form));
            }
        }
    }
}
