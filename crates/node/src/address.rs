//! E-mail addresses in the form in which they are compared and handed on.

use std::borrow::Cow;

/// The addresses that a text holds, in lower case: most hold one and nothing else; people also type
/// `Ann <ann@acme.example>`, or several.
pub(crate) fn addresses(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let between = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '"');
    text.split(between).filter_map(|part| {
        let part = part.strip_prefix("mailto:").unwrap_or(part).trim_end_matches('.');
        let is_low = part.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase());
        let low = || if is_low { Cow::Borrowed(part) } else { Cow::Owned(part.to_lowercase()) };
        part.contains('@').then(low)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_the_addresses_that_a_person_sees_in_it() {
        let of = |text| addresses(text).map(Cow::into_owned).collect::<Vec<_>>();
        assert_eq!(of(" A@Acme.example. "), ["a@acme.example"]);
        assert_eq!(
            of("Ann <ann@b.example>, c@d.example;e@f"),
            ["ann@b.example", "c@d.example", "e@f"]
        );
        assert_eq!(of("mailto:x@y"), ["x@y"]);
        assert!(of("n/a").is_empty());
        assert!(matches!(addresses("a@b").next(), Some(Cow::Borrowed("a@b"))));
    }
}
