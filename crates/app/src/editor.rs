//! The person's editor: `$VISUAL`, else `$EDITOR`, else `vi`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clock;
use crate::failure::{Exit, Failure};

/// Opens a file and waits until the editor is closed.
///
/// # Errors
/// When there is no such program, or it fails.
pub(crate) fn open(path: &Path) -> Result<(), Failure> {
    let named = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok());
    let editor =
        named.filter(|editor| !editor.trim().is_empty()).unwrap_or_else(|| "vi".to_owned());
    // It may come with words of its own, as `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let run = Command::new(program).args(words).arg(path).status();
    let why = match run {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => format!("it ended with {status}"),
        Err(error) => error.to_string(),
    };
    let message = format!("the editor `{editor}` did not do it: {why}");
    Err(Failure::new(Exit::Failed, message).hint("`EDITOR` names the one that you like"))
}

/// A text that was written in the editor, and the file that holds it until it stands elsewhere.
pub(crate) struct Composed {
    pub(crate) text: String,
    pub(crate) path: PathBuf,
}

/// A text written in the editor, under a line that says what it is for; empty when nothing was written.
///
/// # Errors
/// As [`open`]; when there is no place for the file.
pub(crate) fn compose(title: &str) -> Result<Composed, Failure> {
    let name = format!("cocli-{:016x}.md", u64::from_be_bytes(clock::random()));
    let path = std::env::temp_dir().join(name);
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failed, format!("{} cannot be written: {error}", path.display()))
    };
    let head = format!("<!-- {} -->\n\n", title.replace("--", "- -").replace('\n', " "));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path).and_then(|mut file| file.write_all(head.as_bytes())).map_err(failed)?;
    let opened = open(&path);
    let text = std::fs::read_to_string(&path).map_err(failed);
    opened?;
    let text = text?;
    let text = text.strip_prefix(head.trim_end()).unwrap_or(&text).trim().to_owned();
    Ok(Composed { text, path })
}
