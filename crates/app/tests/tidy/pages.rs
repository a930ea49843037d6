//! The documentation as one: each link leads somewhere, each page stands in the book, each problem has its page.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use cocli_node::Problem;

const PAGES_AT_THE_ROOT: &[&str] =
    &["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"];

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
}

/// All pages, in their order.
fn all() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        PAGES_AT_THE_ROOT.iter().map(|page| super::root().join(page)).collect();
    pages(&super::root().join("docs"), &mut found);
    found.sort();
    found
}

/// The lines that are no code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// A line without what stands in it as code.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// Where the links and pictures of a line lead.
fn links(line: &str) -> Vec<String> {
    let line = without_code(line);
    let ends = line.split("](").skip(1);
    ends.filter_map(|end| Some(end.split_once(')')?.0.to_owned())).collect()
}

/// The names by which the headings of a page are linked.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|(_, line)| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(|(_, heading)| anchor(heading)).collect()
}

/// The path without `..` in it.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
        plain
    })
}

#[test]
fn each_link_leads_to_a_file_and_to_a_heading_there() {
    let (root, mut dead) = (super::root(), Vec::new());
    for page in all() {
        let text = std::fs::read_to_string(&page).unwrap();
        for (number, line) in prose(&text) {
            for link in links(line).iter().filter(|link| !link.contains("://")) {
                let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
                let to = match path {
                    "" => page.clone(),
                    path => plain(&page.parent().unwrap().join(path)),
                };
                let leaves =
                    page.starts_with(root.join("docs")) && !to.starts_with(root.join("docs"));
                let there = to.exists();
                let heading = anchor.is_empty()
                    || std::fs::read_to_string(&to)
                        .is_ok_and(|text| anchors(&text).contains(anchor));
                if !there || !heading || leaves {
                    let why = if leaves { "is not in the book" } else { "leads nowhere" };
                    dead.push(format!("{}:{}: {link} {why}", page.display(), number + 1));
                }
            }
        }
    }
    assert!(dead.is_empty(), "links:\n{}", dead.join("\n"));
}

#[test]
fn each_page_and_each_picture_of_docs_stands_in_the_book() {
    let docs = super::root().join("docs");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let listed: Vec<String> = summary.lines().flat_map(links).collect();
    let mut absent = Vec::new();
    for page in all().iter().filter_map(|page| page.strip_prefix(&docs).ok()) {
        let path = page.to_str().unwrap();
        if path != "SUMMARY.md" && !listed.iter().any(|one| one == path) {
            absent.push(format!("[{}]({path})", title(&docs.join(page))));
        }
    }
    assert!(absent.is_empty(), "absent from docs/SUMMARY.md:\n{}", absent.join("\n"));
    let twice: Vec<&String> = listed
        .iter()
        .filter(|one| listed.iter().filter(|other| other == one).count() > 1)
        .collect();
    assert!(twice.is_empty(), "more than once in docs/SUMMARY.md: {twice:?}");
    let text: String = all().iter().map(|page| std::fs::read_to_string(page).unwrap()).collect();
    for picture in std::fs::read_dir(&docs).unwrap() {
        let name = picture.unwrap().file_name().into_string().unwrap();
        assert!(
            !name.ends_with(".svg") || text.contains(&format!("{name})")),
            "no page shows {name}"
        );
    }
}

fn title(page: &Path) -> String {
    let text = std::fs::read_to_string(page).unwrap();
    text.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned()
}

#[test]
fn each_problem_has_its_page_and_each_page_its_problem() {
    let folder = super::root().join("docs/guide/problems");
    let mut found = Vec::new();
    pages(&folder, &mut found);
    found.sort();
    let names: Vec<String> =
        found.iter().map(|page| page.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let known: Vec<&str> = Problem::ALL.iter().map(|problem| problem.name()).collect();
    assert_eq!(names, known);
    for (page, name) in found.iter().zip(&names) {
        let text = std::fs::read_to_string(page).unwrap();
        let third = text.lines().nth(2).unwrap();
        assert!(third.starts_with(&format!("`{name}` in ")), "{}:3: {third}", page.display());
        for part in ["## Why it comes", "## What to do", "## If you do nothing"] {
            assert!(text.lines().any(|line| line == part), "{}: no {part:?}", page.display());
        }
    }
}
