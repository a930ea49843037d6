//! Which data home a command means.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::failure::{Exit, Failure};

/// The user's own settings: `~/.config/cocli/config.toml`, where `init` notes the home.
pub(crate) fn user_config() -> Option<PathBuf> {
    Some(config_folder()?.join("cocli").join("config.toml"))
}

/// Where programs of this user look for their settings.
pub(crate) fn config_folder() -> Option<PathBuf> {
    match std::env::var_os("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty()) {
        Some(dir) => Some(PathBuf::from(dir)),
        None => Some(home_folder()?.join(".config")),
    }
}

pub(crate) fn home_folder() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

/// `--data`, else `$COCLI_DATA_HOME`: the homes that somebody named.
pub(crate) fn named(data: Option<&Path>) -> Option<PathBuf> {
    let given = data.map(Path::to_path_buf);
    given.or_else(|| {
        std::env::var_os("COCLI_DATA_HOME").filter(|d| !d.is_empty()).map(PathBuf::from)
    })
}

/// The home that a command works on.
///
/// # Errors
/// When there is none: says where was looked, and how to make one.
pub(crate) fn home(data: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(named) = named(data) {
        return if is_home(&named) { Ok(named) } else { Err(no_home(&named)) };
    }
    if let Some(above) = upwards() {
        return Ok(above);
    }
    if let Some(noted) = noted()? {
        return if is_home(&noted) { Ok(noted) } else { Err(no_home(&noted)) };
    }
    let message =
        "no data home: looked at --data, $COCLI_DATA_HOME, the folders upwards and your config";
    Err(Failure::new(Exit::NotFound, message)
        .hint("`cocli init` makes one, `cocli demo` shows one"))
}

/// Whether there is any home to be found, and where, without complaint.
pub(crate) fn any(data: Option<&Path>) -> Option<PathBuf> {
    home(data).ok()
}

fn no_home(path: &Path) -> Failure {
    let message =
        format!("{} is no data home: expected a folder with .cocli/ in it", path.display());
    Failure::new(Exit::NotFound, message).hint(format!("`cocli init {}` makes one", path.display()))
}

fn is_home(path: &Path) -> bool {
    path.join(".cocli").is_dir()
}

/// The nearest folder upwards that holds `.cocli/` of the same user.
fn upwards() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let user = rustix::process::geteuid().as_raw();
    let mine = |dir: &&Path| {
        dir.join(".cocli").symlink_metadata().is_ok_and(|m| m.is_dir() && m.uid() == user)
    };
    here.ancestors().find(mine).map(Path::to_path_buf)
}

/// The home that `init` noted in the user's settings.
pub(crate) fn noted() -> Result<Option<PathBuf>, Failure> {
    let Some(path) = user_config() else { return Ok(None) };
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
    let table: toml::Table = text
        .parse()
        .map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", path.display())))?;
    Ok(table.get("home").and_then(toml::Value::as_str).map(PathBuf::from))
}

/// Notes the home in the user's settings, when none stands there; tells whether it did.
pub(crate) fn note(home: &Path) -> std::io::Result<bool> {
    let Some(path) = user_config().filter(|path| !path.exists()) else { return Ok(false) };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut table = toml::Table::new();
    table.insert("home".into(), toml::Value::String(home.display().to_string()));
    std::fs::write(&path, table.to_string())?;
    Ok(true)
}
