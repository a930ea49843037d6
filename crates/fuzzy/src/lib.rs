//! Texts that are nearly what was typed. One plain function: the generic code behind it is compiled here
//! and nowhere else.

use frizbee::{CaseMatching, Config, Matcher};

/// Letters from which on one may be wrong, and two.
const ONE_TYPO: usize = 4;
const TWO_TYPOS: usize = 8;

/// The places of the texts that hold the letters of `wanted` in their order, a few of them missing or wrong
/// where it is long: with a score, the best first, at most `most`.
#[must_use]
pub fn best(wanted: &str, texts: &[&str], most: usize) -> Vec<(u16, usize)> {
    let letters = wanted.chars().count();
    let typos = u16::from(letters >= ONE_TYPO) + u16::from(letters >= TWO_TYPOS);
    let config = Config::default().max_typos(Some(typos)).casing(CaseMatching::Ignore);
    let found = Matcher::new(wanted, &config).match_list(texts);
    found.into_iter().take(most).map(|one| (one.score, one.index as usize)).collect()
}

#[cfg(test)]
mod tests {
    use super::best;

    #[test]
    fn a_slip_of_the_finger_finds_what_was_meant_first() {
        let texts = ["orange valley bakery", "acme industries", "apple", "zebra"];
        let place = |wanted| best(wanted, &texts, 3).first().map(|found| found.1);
        assert_eq!(place("acme indistries"), Some(1));
        assert_eq!(place("aplpe"), Some(2));
        assert_eq!(place("ovb"), Some(0));
        assert_eq!(place("qqqq"), None);
        assert_eq!(best("a", &texts, 2).len(), 2);
    }
}
