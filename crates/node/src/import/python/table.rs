//! Its tables: rows of lines, cells between US.

use super::Move;

/// Bytes that are read at a time, and the longest row.
const READ_BYTES: usize = 4 * 1024 * 1024;

impl Move<'_> {
    /// The rows of a table, one after the other: its number and its cells.
    pub(super) fn rows(&mut self, file: &str, take: &mut dyn FnMut(&mut Self, usize, &[&str])) {
        let (mut from, mut number) = (0u64, 0);
        loop {
            let bytes = match self.disk.read_at(file, from, READ_BYTES) {
                Ok(bytes) => bytes,
                Err(error) => return self.odd(file, format!("cannot be read: {error}")),
            };
            let last = bytes.len() < READ_BYTES;
            let end = match bytes.iter().rposition(|byte| *byte == b'\n') {
                _ if last => bytes.len(),
                Some(end) => end + 1,
                None => return self.odd(file, format!("row {} is too long: left out", number + 1)),
            };
            let text = String::from_utf8_lossy(&bytes[..end]);
            for line in text.split('\n') {
                let line = line.trim_matches(['\u{1e}', '\r', ' ']);
                number += 1;
                if !line.is_empty() {
                    let cells: Vec<&str> = line.split('\u{1f}').map(str::trim).collect();
                    take(self, number, &cells);
                }
            }
            if last {
                return;
            }
            number -= 1;
            from += end as u64;
        }
    }
}
