//! People whom a cell names: `Jane Doe (CEO) John Roe (CFO, COO)`, or with `;` or line breaks between them.

use std::collections::BTreeMap;

use cocli_core::{Field, Value};

/// Longest name; more is a sentence.
const NAME_CHARS_MAX: usize = 60;

/// The people of a cell: their names, and the roles in brackets behind them.
pub(super) fn of(cell: &str) -> Vec<BTreeMap<Field, Value>> {
    let mut people: Vec<(String, String)> = Vec::new();
    let (mut name, mut role, mut depth) = (String::new(), String::new(), 0usize);
    for c in cell.chars().chain([';']) {
        match c {
            '(' => depth += 1,
            ')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    add(&mut people, &mut name, &mut role);
                }
            }
            ';' | '\n' if depth == 0 => add(&mut people, &mut name, &mut role),
            c if depth > 0 => role.push(c),
            c => name.push(c),
        }
    }
    // A bracket that nobody closed.
    add(&mut people, &mut name, &mut role);
    people.into_iter().map(|(name, role)| values(&name, &role)).collect()
}

fn add(people: &mut Vec<(String, String)>, name: &mut String, role: &mut String) {
    let between = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '-' | '–' | '&');
    let (found, said) = (std::mem::take(name), std::mem::take(role));
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ").replace(" ,", ",");
    let found = found.trim_matches(between);
    // `Hiromi Yamaji, President & CEO`
    let (found, said) = match found.split_once(',') {
        Some((found, more)) if said.is_empty() => (found.trim(), more.trim().to_owned()),
        _ => (found, said),
    };
    let fits = (2..=NAME_CHARS_MAX).contains(&found.chars().count());
    if fits && found.chars().any(char::is_alphabetic) && !found.starts_with('[') {
        people.push((found.to_owned(), said));
    }
}

fn values(name: &str, role: &str) -> BTreeMap<Field, Value> {
    let pairs = [("name", name), ("role", role)].into_iter().filter(|(_, text)| !text.is_empty());
    pairs.filter_map(|(field, text)| Some((Field::read(field).ok()?, Value::text(text)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_roles_are_read_from_the_ways_people_write_them() {
        for (cell, expected) in [
            ("Tim Cook ( CEO )", "Tim Cook=CEO"),
            ("A B ( chair ) C D ( group chief executive )", "A B=chair|C D=group chief executive"),
            (
                "Jack Dorsey ( chair , CEO )Will Station ( CFO )",
                "Jack Dorsey=chair, CEO|Will Station=CFO",
            ),
            ("Hiromi Yamaji, President & CEO (2023-)", "Hiromi Yamaji, President & CEO=2023-"),
            ("Jane Doe; John Roe, CFO", "Jane Doe=|John Roe=CFO"),
            ("Jane Doe (CEO (acting)) (x", "Jane Doe=CEO acting"),
            ("", ""),
            (")) [1] (", ""),
        ] {
            let field = |name| Field::read(name).unwrap();
            let shown = |values: &BTreeMap<Field, Value>| {
                let text = |name| values.get(&field(name)).map(|v| v.shown().into_owned());
                format!("{}={}", text("name").unwrap(), text("role").unwrap_or_default())
            };
            let found: Vec<String> = of(cell).iter().map(shown).collect();
            assert_eq!(found.join("|"), expected, "{cell}");
        }
    }
}
