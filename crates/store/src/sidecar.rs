//! Files of `cache/`: what can be worked out again. Anybody may delete one, so none is written durably, and what is
//! not whole counts as not there. Some go with one manifest and with no other.

use cocli_core::digest::hash;

use crate::checkpoint::Manifest;
use crate::disk::Disk;
use crate::paths;

/// Puts one there. What fails is worked out again by who needs it.
pub(crate) fn write(disk: &dyn Disk, path: &str, bytes: &[u8]) {
    let _ = disk.make_folder(paths::folder(path));
    let _ = disk.remove(path);
    if disk.write_at(path, 0, bytes, false).is_err() {
        let _ = disk.remove(path);
    }
}

/// The text of one that goes with the manifest of this id: a line that says so, then all else.
#[must_use]
pub fn text(id: u128, rest: &[u8]) -> Vec<u8> {
    [head(id, rest).as_bytes(), b"\n", rest].concat()
}

/// What stands in one behind its first line, where it is whole and of this manifest.
#[must_use]
pub fn read(disk: &dyn Disk, path: &str, manifest: &Manifest) -> Option<Vec<u8>> {
    let mut bytes = disk.read(path).ok()?;
    let rest = bytes.split_off(memchr::memchr(b'\n', &bytes)? + 1);
    (bytes == format!("{}\n", head(manifest.id(), &rest)).as_bytes()).then_some(rest)
}

/// Of which manifest the rest is, and that it is whole.
fn head(id: u128, rest: &[u8]) -> String {
    format!("{id:032x} {:032x}", hash(rest))
}
