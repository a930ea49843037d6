//! What a machine can hold of the style: who may import whom, how long functions and files grow,
//! which licences come in.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

#[path = "tidy/pages.rs"]
mod pages;

/// Crate by crate, which of ours it may import. Anything absent is forbidden (ARCHITECTURE.md).
const IMPORTS: &[(&str, &[&str])] = &[
    ("cocli-core", &[]),
    ("cocli-store", &["cocli-core"]),
    ("cocli-net", &["cocli-core"]),
    ("cocli-tier", &["cocli-core"]),
    ("cocli-sim", &["cocli-core", "cocli-store", "cocli-node", "cocli-tier"]),
    ("cocli-table", &["cocli-core"]),
    ("cocli-node", &["cocli-core", "cocli-store", "cocli-table"]),
    ("cocli-fuzzy", &[]),
    (
        "cocli-crm",
        &[
            "cocli-core",
            "cocli-store",
            "cocli-table",
            "cocli-node",
            "cocli-net",
            "cocli-tier",
            "cocli-sim",
            "cocli-fuzzy",
        ],
    ),
    ("cocli-purity", &["cocli-core"]),
];

const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    // Of single files: those of the crate stay under it, ours do not change.
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "MIT-0",
    "0BSD",
];

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// The platform that this was built on: only its packages have been fetched.
fn platform() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_string()
}

fn metadata() -> Json {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", &platform()])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn packages(metadata: &Json) -> impl Iterator<Item = (&str, &Json)> {
    metadata["packages"].as_array().unwrap().iter().map(|p| (p["name"].as_str().unwrap(), p))
}

#[test]
fn crates_import_only_what_the_table_allows() {
    let allowed: BTreeMap<&str, &[&str]> = IMPORTS.iter().copied().collect();
    for (name, package) in packages(&metadata()).filter(|(name, _)| name.starts_with("cocli-")) {
        let table = allowed.get(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let dependency = dependency["name"].as_str().unwrap();
            if dependency.starts_with("cocli-") {
                assert!(table.contains(&dependency), "{name} imports {dependency}");
            }
        }
    }
}

#[test]
fn licences_fit() {
    for (name, package) in packages(&metadata()) {
        let licence = package["license"].as_str().unwrap_or("none").replace('/', " OR ");
        let fits = |one: &str| LICENCES.contains(&one.trim().trim_matches(['(', ')']).trim());
        let any = licence.split(" OR ").any(|all| all.split(" AND ").all(fits));
        let all = licence
            .split(" AND ")
            .all(|part| part.trim().trim_matches(['(', ')']).split(" OR ").any(fits));
        assert!(any || all, "{name} is under {licence}");
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The lines of a file that are not its test module.
fn production(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.lines().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(usize::MAX);
    text.lines().enumerate().take(end)
}

#[test]
fn functions_and_files_stay_short() {
    let mut found = Vec::new();
    sources(&root().join("crates"), &mut found);
    let mut long = Vec::new();
    for path in found.iter().filter(|p| !p.components().any(|c| c.as_os_str() == "tests")) {
        let text = std::fs::read_to_string(path).unwrap();
        if production(&text).count() > FILE_LINES_MAX {
            long.push(format!("{}: over {FILE_LINES_MAX} lines", path.display()));
        }
        let mut open: Option<(usize, usize)> = None;
        for (number, line) in production(&text) {
            let indent = line.len() - line.trim_start().len();
            let code =
                line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
            let starts = code.starts_with("fn ") || code.starts_with("const fn ");
            if open.is_none() && starts && !line.trim_end().ends_with(';') {
                open = Some((number, indent));
            } else if let Some((start, depth)) = open
                && indent == depth
                && line.trim() == "}"
            {
                if number - start + 1 > FUNCTION_LINES_MAX {
                    long.push(format!(
                        "{}:{}: {} lines",
                        path.display(),
                        start + 1,
                        number - start + 1
                    ));
                }
                open = None;
            }
        }
    }
    assert!(long.is_empty(), "too long:\n{}", long.join("\n"));
}

#[test]
fn nobody_but_paths_joins_the_names_of_the_home() {
    let mut found = Vec::new();
    for room in ["node", "net", "app"] {
        sources(&root().join("crates").join(room).join("src"), &mut found);
    }
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in production(&text) {
            let code = line.split("//").next().unwrap_or_default();
            for name in ["\"wal/", "\".cocli/", "\"checkpoint/"] {
                assert!(!code.contains(name), "{}:{}: {name}", path.display(), number + 1);
            }
        }
    }
}
