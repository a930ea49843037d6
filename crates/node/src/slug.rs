//! The slug of a new company or person, made from its name.

use cocli_core::digest::hash;

/// Longest slug that is made from a name; a given one may be longer.
const SLUG_BYTES_MAX: usize = 64;

/// The name transliterated to ASCII, lower case, runs of the rest as `-`; a short hash where that
/// leaves nothing.
#[must_use]
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in deunicode::deunicode_with_tofu(name, " ").chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') && c != '\'' {
            slug.push('-');
        }
    }
    slug.truncate(SLUG_BYTES_MAX);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        format!("x{:08x}", hash(name.as_bytes()) as u32)
    } else {
        slug.to_string()
    }
}

/// `slug`, then `slug-2`, `slug-3`, …
pub fn variants(slug: &str) -> impl Iterator<Item = String> + '_ {
    std::iter::once(slug.to_string()).chain((2..).map(move |n| format!("{slug}-{n}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_slugs_that_people_would_type() {
        for (name, expected) in [
            ("Acme Inc.", "acme-inc"),
            ("Acme / West", "acme-west"),
            ("AT&T", "at-t"),
            ("Ünïcode & Söhne", "unicode-sohne"),
            ("L'Oréal", "loreal"),
            ("1&1", "1-1"),
            ("  --  ", "x"),
        ] {
            assert!(slug(name).starts_with(expected), "{name}: {}", slug(name));
        }
        assert!(slug("日本").starts_with("ri-ben"), "{}", slug("日本"));
        assert_eq!(slug(&"x".repeat(300)).len(), SLUG_BYTES_MAX);
        assert_ne!(slug("🀀"), slug("🀁"));
    }
}
