//! How a file that has been written whole is given a name that no other has.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ways to give a file a name that no other has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// By a hard link.
    Link,
    /// By a rename that replaces nothing.
    Rename,
    /// Neither: nothing can be created there.
    Neither,
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Link => "hard links",
            Self::Rename => "renames that replace nothing, since it has no hard links",
            Self::Neither => "nothing: it has no hard links, and no renames that replace nothing",
        })
    }
}

impl Naming {
    /// Finds out which works, with a file and a free name in the same folder.
    pub(super) fn try_out(from: &Path, to: &Path) -> Self {
        if fs::hard_link(from, to).is_ok() {
            Self::Link
        } else if rename_new(from, to).is_ok() {
            Self::Rename
        } else {
            Self::Neither
        }
    }
}

/// Gives `from` the name `to`. Whether links are known is remembered in `no_links`.
pub(super) fn name(from: &Path, to: &Path, no_links: &AtomicBool) -> io::Result<()> {
    if !no_links.load(Ordering::Relaxed) {
        match fs::hard_link(from, to) {
            Err(error) if knows_none(&error) => {}
            done => return done,
        }
    }
    let renamed = rename_new(from, to);
    if renamed.is_ok() {
        no_links.store(true, Ordering::Relaxed);
    }
    renamed
}

/// What file systems without hard links say: FAT says that it is not permitted.
fn knows_none(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied)
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(|errno| match errno {
        rustix::io::Errno::INVAL => neither(),
        errno => errno.into(),
    })
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn rename_new(_: &Path, _: &Path) -> io::Result<()> {
    Err(neither())
}

fn neither() -> io::Error {
    let said = "this file system has no hard links, and no renames that replace nothing: \
                it cannot hold a bucket";
    io::Error::new(ErrorKind::Unsupported, said)
}
