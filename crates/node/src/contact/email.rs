//! Whether a text is an e-mail address: the addr-spec of RFC 5322 as it is in use, with the letters of
//! RFC 6531 and the lengths of RFC 5321. Nothing is refused for it.

/// Octets of an address, and of what stands before the `@`.
const ADDRESS_MAX: usize = 254;
const LOCAL_MAX: usize = 64;
/// Octets of a part of a domain.
const LABEL_MAX: usize = 63;

/// Why a text is no e-mail address; nothing where it is one.
#[must_use]
pub fn doubt(text: &str) -> Option<&'static str> {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return Some("there is no @ in it: expected NAME@DOMAIN");
    };
    if text.len() > ADDRESS_MAX || local.len() > LOCAL_MAX {
        return Some("it is too long: expected at most 254 characters, 64 of them before the @");
    }
    if !is_local(local) {
        return Some(
            "what stands before the @ is no name: expected letters, digits, dots and the like",
        );
    }
    (!is_domain(domain))
        .then_some("what stands behind the @ is no domain: expected as acme.example")
}

/// What needs no quotes.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
        || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
}

fn is_local(local: &str) -> bool {
    if let Some(quoted) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return is_quoted(quoted);
    }
    // A dot at an end, or two, is no dot-atom: some providers gave such addresses out, and they work.
    local.chars().all(|c| is_atext(c) || c == '.') && local.chars().any(is_atext)
}

fn is_quoted(text: &str) -> bool {
    let mut escaped = false;
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return false,
            c if c.is_control() => return false,
            _ => {}
        }
    }
    !escaped
}

fn is_domain(domain: &str) -> bool {
    if let Some(address) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address = address.strip_prefix("IPv6:").unwrap_or(address);
        return address.parse::<std::net::IpAddr>().is_ok();
    }
    let is_label = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| {
                c.is_ascii_alphanumeric() || c == '-' || (!c.is_ascii() && c.is_alphanumeric())
            })
    };
    domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_shape_are_taken() {
        for text in [
            "jane@acme.example",
            "jane.doe+crm@mail.acme.example",
            "o'brien@acme.example",
            "\"jane doe\"@acme.example",
            "\"a\\\"b@c\"@acme.example",
            "jöran@bücher.example",
            "用户@例子.example",
            "root@localhost",
            "x@[192.0.2.1]",
            "x@[IPv6:2001:db8::1]",
            "customer/department=shipping@acme.example",
            "name.@docomo.example",
        ] {
            assert_eq!(doubt(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_told_with_what_was_expected() {
        for (text, why) in [
            ("jane", "no @"),
            ("", "no @"),
            ("@acme.example", "before the @"),
            ("jane doe@acme.example", "before the @"),
            ("Jane <jane@acme.example>", "before the @"),
            ("jane@", "behind the @"),
            ("jane@acme..example", "behind the @"),
            ("jane@-acme.example", "behind the @"),
            ("jane@acme example", "behind the @"),
            ("x@[300.0.2.1]", "behind the @"),
            ("\"a\"b\"@acme.example", "before the @"),
        ] {
            let told = doubt(text).unwrap_or_else(|| panic!("{text} was taken"));
            assert!(told.contains(why) && told.contains("expected"), "{text}: {told}");
        }
        let long = format!("{}@acme.example", "x".repeat(65));
        assert!(doubt(&long).unwrap().contains("too long"));
    }
}
