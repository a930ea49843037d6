//! Sorted lines that somebody else made, looked at as they come: nothing of them is believed.

use cocli_core::digest::shard as shard_of;
use cocli_core::usv::{self, Line, RS};

use super::source::END;

/// How far the lines of a file were looked at.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    /// The shards that the file has lines of, each with the bytes of the file up to its end.
    parts: Vec<(u8, u64)>,
    /// Bytes looked at.
    at: u64,
    /// The last line, if it is of the part that goes on.
    last: Vec<u8>,
}

impl Lines {
    pub(super) fn new(parts: Vec<(u8, u64)>) -> Self {
        Self { parts, at: 0, last: Vec::new() }
    }

    /// The shards that the file has lines of, each with the bytes of the file up to its end.
    pub(super) fn parts(self) -> Vec<(u8, u64)> {
        self.parts
    }

    /// Bytes looked at.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Bytes of the whole file.
    pub(super) fn end(&self) -> u64 {
        self.parts.last().map_or(0, |part| part.1)
    }

    /// Looks at what follows: whole state lines in canonical form, each of the shard whose part it stands
    /// in and behind the one before it. What is wrong, and nothing is taken, or nothing.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Option<String> {
        let (mut at, mut last, mut rest) = (self.at, &self.last[..], bytes);
        let wrong = |at: u64, what: String| Some(format!("{what} at byte {at}"));
        while !rest.is_empty() {
            let ends = memchr::memchr(RS, rest).filter(|end| rest.get(end + 1) == Some(&END[1]));
            let Some(end) = ends else {
                return wrong(at, "expected a whole state line".to_owned());
            };
            let (line, behind) = (&rest[..end], at + (end + END.len()) as u64);
            let Some((shard, until)) = self.parts.iter().find(|part| at < part.1) else {
                return wrong(at, format!("expected no more than {} bytes", self.end()));
            };
            if behind > *until {
                return wrong(at, format!("the lines of shard {shard:02x} are too long"));
            }
            if let Err(what) = check(line, last, *shard) {
                return wrong(at, what);
            }
            last = if behind == *until { &[] } else { line };
            (at, rest) = (behind, &rest[end + END.len()..]);
        }
        (self.at, self.last) = (at, last.to_vec());
        None
    }
}

fn check(line: &[u8], last: &[u8], shard: u8) -> Result<(), String> {
    let datagram = usv::read_line(line).map_err(|odd| format!("a line breaks a rule ({odd})"))?;
    if usv::line(&datagram).as_bytes() != line {
        return Err("a line is not in canonical form".to_owned());
    }
    let of = shard_of(&datagram.target);
    if of != shard {
        return Err(format!("expected a line of shard {shard:02x}, found one of {of:02x}"));
    }
    match (Line::of(last), Line::of(line)) {
        (Some(last), Some(line)) if last.key() >= line.key() => {
            Err("a line does not stand behind the one before it".to_owned())
        }
        (_, None) => Err("a line has no names".to_owned()),
        _ => Ok(()),
    }
}
