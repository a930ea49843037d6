//! The README's tour, run line by line as a new user would.

use std::path::Path;

use crate::support::{cocli, run};

#[test]
fn the_readmes_tour_works_line_by_line() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let tour = readme.split("## Tour").nth(1).unwrap();
    let block = tour.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut ran = 0;
    for line in block.lines().filter(|line| line.starts_with("cocli ")) {
        let line = line.split("  #").next().unwrap();
        let words = words(line.trim_start_matches("cocli ").trim());
        run(cocli(home.path()).current_dir(root).args(&words), b"").ok();
        ran += 1;
    }
    assert!(ran >= 8, "{ran} lines of the tour");
}

/// Words as a shell parts them, with double quotes.
pub(crate) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}
