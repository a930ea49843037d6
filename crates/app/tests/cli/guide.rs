//! The guide, followed to the letter: each example runs, in its order, on the machine that it names.
//!
//! What stands behind `sh` in a block's fence is the machine, and `paste` (the last line that was printed is typed in),
//! or `daemon` and by what name it is known (a terminal of its own). A block `text` is of what was just printed.
//! `console` is what cannot run here. The reader's network is a loopback here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cluster::{Daemon, start};
use crate::support::{Home, cocli, run};

/// What may stand in a `console`: other programs, and what needs a person, a network or a terminal.
const BY_HAND: &[&str] = &[
    "df",
    "du",
    "sudo",
    "timedatectl",
    "cocli daemon install",
    "cocli daemon logs",
    "cocli doctor net",
    "cocli import cocli",
    "mv ~/cocli ~/cocli-old",
    "cocli init --node pi4 --join -",
    "cocli top",
    "cocli web",
];
/// Blocks that are shown and not typed.
const SHOWN: &[&str] = &["toml"];

struct Block<'p> {
    line: usize,
    fence: Vec<&'p str>,
    text: String,
}

/// The blocks of a page, and where a daemon is ended.
fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for (number, line) in page.lines().enumerate() {
        let (bare, line_number) = (line.trim(), number + 1);
        match (bare.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => found.push(block),
            (Some(info), None) => {
                let fence = info.split_whitespace().collect();
                open = Some(Block { line: line_number, fence, text: String::new() });
            }
            (None, Some(mut block)) => {
                block.text.push_str(bare);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {
                let ended =
                    bare.strip_prefix("<!-- Ctrl-C: ").and_then(|end| end.strip_suffix(" -->"));
                let block = |name| Block {
                    line: line_number,
                    fence: vec!["Ctrl-C", name],
                    text: String::new(),
                };
                found.extend(ended.map(block));
            }
        }
    }
    assert!(open.is_none(), "a block is not closed");
    found
}

/// The machines of one page, as far as it is read.
struct Reader {
    /// With a folder for each machine, so that one may name another's disk.
    folder: tempfile::TempDir,
    page: PathBuf,
    daemons: BTreeMap<String, Daemon>,
    printed: String,
}

impl Reader {
    fn follow(page: &Path, prepared: &[&str]) {
        let (folder, page) = (tempfile::tempdir().unwrap(), page.to_path_buf());
        let mut reader = Self { folder, page, daemons: BTreeMap::new(), printed: String::new() };
        for line in prepared {
            reader.types(0, "laptop", line, false);
        }
        let text = std::fs::read_to_string(&reader.page).unwrap();
        for block in blocks(&text) {
            match block.fence.as_slice() {
                ["sh", machine] => reader.types(block.line, machine, &block.text, false),
                ["sh", machine, "paste"] => reader.types(block.line, machine, &block.text, true),
                ["sh", machine, "daemon", name @ ..] => {
                    reader.starts(machine, name.first().unwrap_or(machine), &block.text);
                }
                ["Ctrl-C", name] => reader.daemons.remove(*name).unwrap().end(),
                ["text"] => reader.compares(block.line, &block.text),
                ["console"] => reader.leaves(block.line, &block.text),
                [shown] if SHOWN.contains(shown) => {}
                fence => panic!("{}:{}: a block of {fence:?}", reader.page.display(), block.line),
            }
        }
    }

    fn machine(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// A shell that ends at the first line that fails.
    fn types(&mut self, line: usize, machine: &str, text: &str, pastes: bool) {
        let folder = self.machine(machine);
        // An editor that writes one line, where a person would.
        let editor = self.folder.path().join("editor");
        std::fs::write(&editor, "sed -i 's/^city: .*/city: Austin/' \"$1\"\n").unwrap();
        let as_typed = cocli(&folder);
        let binary = Path::new(as_typed.get_program()).parent().unwrap().display().to_string();
        let mut shell = Command::new("bash");
        for (name, value) in as_typed.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell
            .args(["-euo", "pipefail", "-c", &self.with_keys(&folder, text)])
            .current_dir(&folder)
            .env("PATH", format!("{binary}:{}", std::env::var("PATH").unwrap()))
            .env("EDITOR", format!("sh {}", editor.display()))
            .env_remove("VISUAL");
        let last = self.printed.lines().last().filter(|_| pastes).map(|line| format!("{line}\n"));
        let input = last.unwrap_or_default();
        let ran = run(&mut shell, input.as_bytes());
        let place = format!("{}:{line}", self.page.display());
        assert_eq!(ran.code, 0, "{place}:\n{text}{}{}", ran.out, ran.err);
        // A line that goes to several machines is pasted again.
        if !pastes {
            self.printed = ran.out;
        }
    }

    /// The ids that a reader sees: that of the key that was just made, and of the one before it.
    fn with_keys(&self, folder: &Path, text: &str) -> String {
        if !text.contains(" NEW") && !text.contains(" OLD") {
            return text.to_owned();
        }
        // Before the new one is used it only opens, and after that the old one does.
        let list = run(cocli(folder).args(["key", "list"]), b"").ok();
        let other = list.lines().find(|line| !line.contains("seals")).unwrap();
        let id = format!(" {}", other.split(' ').next().unwrap());
        text.replace(" NEW", &id).replace(" OLD", &id)
    }

    fn starts(&mut self, machine: &str, name: &str, text: &str) {
        let folder = self.machine(machine);
        let mut words = text.split_whitespace().skip(1).map(|word| match word.strip_prefix("~/") {
            Some(path) => folder.join(path).display().to_string(),
            None => word.to_owned(),
        });
        let mut command = cocli(&folder);
        // Which port and which peers is seen to here.
        command.args(words.by_ref().take_while(|word| word != "daemon"));
        let peers: Vec<&str> =
            self.daemons.values().map(|daemon| daemon.address.as_str()).collect();
        let daemon = start(command, &peers, &[]);
        self.daemons.insert(name.to_owned(), daemon);
    }

    /// Each line of it was printed, in this order; others may stand between.
    fn compares(&self, line: usize, text: &str) {
        let mut printed = self.printed.lines();
        for told in text.lines() {
            let place = format!("{}:{line}", self.page.display());
            assert!(
                printed.any(|one| is_told(told, one)),
                "{place}: {told:?} not in\n{}",
                self.printed
            );
        }
    }

    fn leaves(&self, line: usize, text: &str) {
        for typed in text.lines().filter_map(|typed| typed.strip_prefix("$ ")) {
            let by_hand = |one: &&str| typed == *one || typed.starts_with(&format!("{one} "));
            let place = format!("{}:{line}", self.page.display());
            assert!(BY_HAND.iter().any(by_hand), "{place}: why does {typed:?} not run?");
        }
    }
}

/// Whether a line is the one that is told; `...` is whatever stands there.
fn is_told(told: &str, line: &str) -> bool {
    let (mut parts, mut rest) = (told.split("..."), line.trim());
    let Some(start) = parts.next().and_then(|first| rest.strip_prefix(first)) else { return false };
    rest = start;
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.is_empty() || told.ends_with("...")
}

fn guide() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide")).to_path_buf()
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    pages.sort();
    pages
}

#[test]
fn each_example_of_the_guide_works_as_it_stands() {
    let pages = pages(&guide());
    assert!(pages.len() >= 7, "{pages:?}");
    std::thread::scope(|all| {
        pages.iter().for_each(|page| drop(all.spawn(|| Reader::follow(page, &[]))));
    });
}

#[test]
fn each_example_about_a_problem_works_as_it_stands() {
    let prepared = ["cocli init --node laptop", "cocli add company Acme --set city=Dallas"];
    for page in pages(&guide().join("problems")) {
        if std::fs::read_to_string(&page).unwrap().contains("```") {
            Reader::follow(&page, &prepared);
        }
    }
}

#[test]
fn a_finding_is_explained_by_its_name_and_programs_go_by_it() {
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    std::fs::write(home.file("companies/acme/_index.md"), "---\nname: \"Acme\n---\n").unwrap();
    home.run(&["status"]).fails(5, "`cocli doctor explain NAME`");
    let status: serde_json::Value =
        serde_json::from_str(&home.run(&["--json", "status"]).out).unwrap();
    assert_eq!(status["problems"][0]["name"], "card-broken");
    let found = home.run(&["doctor"]).fails(5, "1 finding").out;
    assert!(found.contains("[card-broken]"), "{found}");
    let page = home.run(&["doctor", "explain", "card-broken"]).ok();
    assert!(page.starts_with("# A card cannot be read\n\n`card-broken` in "), "{page}");
    // Without a home, too.
    let all = Home::none().run(&["doctor", "explain"]).ok();
    assert!(all.contains("card-broken"), "{all}");
    home.run(&["doctor", "explain", "card-broke"]).fails(2, "card-broken");
    home.run(&["doctor", "net", "card-broken"]).fails(2, "explain");
}

#[test]
fn doctor_tells_of_this_nodes_own_journal_that_was_deleted() {
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Oslo"]).ok();
    home.run(&["compact"]).ok();
    for journal in std::fs::read_dir(home.file("wal")).unwrap() {
        std::fs::remove_file(journal.unwrap().path()).unwrap();
    }
    let told = home.run(&["doctor"]).ok();
    assert!(told.contains("mended  wal/") && told.contains("[journal-trouble]"), "{told}");
    assert_eq!(home.run(&["get", "companies/acme", "city"]).ok(), "Oslo\n");
    assert!(home.run(&["doctor"]).ok().contains("are sound"));
}
