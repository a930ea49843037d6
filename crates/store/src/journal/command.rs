//! Which command wrote which bytes of the own log (`undo` asks), and the append that is under way:
//! what a torn batch is told by.

use cocli_core::digest::hash;
use cocli_core::{Day, Instant, LogId};
use serde::{Deserialize, Serialize};

use super::Journals;
use crate::disk::Disk;
use crate::error::{Result, Tried, if_there};
use crate::paths;

/// The list is cut to its newer half when it passes this.
const COMMANDS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Where the newest command is looked for: verbs are short.
const NEWEST_BYTES: u64 = 4096;

/// Who writes, for the list of commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The wall clock.
    pub at: Instant,
    /// What was typed: `set`, `import csv`.
    pub verb: String,
}

/// Bytes of an own log that one command wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// When, by the wall clock.
    pub at: Instant,
    /// What was typed.
    pub verb: String,
    /// In which log.
    pub log: LogId,
    /// From which position on.
    pub from: u64,
    /// Up to which position.
    pub to: u64,
    /// Of these bytes.
    pub hash: u128,
}

#[derive(Serialize, Deserialize)]
struct Line {
    at: String,
    verb: String,
    log: String,
    from: u64,
    to: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    day: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    hash: String,
}

/// An append that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intent {
    pub(crate) written: Written,
    pub(crate) day: Day,
    /// Where in the day's journal.
    pub(crate) offset: u64,
}

impl Written {
    fn line(&self) -> Line {
        Line {
            at: self.at.to_string(),
            verb: self.verb.clone(),
            log: self.log.to_string(),
            from: self.from,
            to: self.to,
            day: None,
            offset: None,
            hash: format!("{:032x}", self.hash),
        }
    }

    fn of(line: &Line) -> Option<Self> {
        Some(Self {
            at: Instant::read(&line.at)?,
            verb: line.verb.clone(),
            log: LogId::read(&line.log).ok()?,
            from: line.from,
            to: line.to,
            hash: u128::from_str_radix(&line.hash, 16).ok()?,
        })
    }
}

fn json(line: &Line) -> Vec<u8> {
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    text
}

impl Intent {
    /// Writes it down; `sync` when a batch must not stand half after a power cut.
    pub(crate) fn begin(&self, disk: &dyn Disk, sync: bool) -> Result<()> {
        let line =
            Line { day: Some(self.day.number()), offset: Some(self.offset), ..self.written.line() };
        let text = json(&line);
        let before = disk.stat(paths::INTENT).tried("look at", paths::INTENT)?.map(|stat| stat.len);
        if before.is_none_or(|len| len == 0) {
            // Its name has to be durable before its first byte says that it is.
            disk.write_at(paths::INTENT, 0, &[], true).tried_to_write(paths::INTENT, 1)?;
            disk.sync_folder(paths::OWN).tried("sync", paths::OWN)?;
            disk.write_at(paths::INTENT, 0, b"\n", true).tried_to_write(paths::INTENT, 1)?;
        } else if before.is_some_and(|len| len > 1) {
            disk.cut(paths::INTENT, 1).tried("cut", paths::INTENT)?;
        }
        disk.write_at(paths::INTENT, 1, &text, true)
            .tried_to_write(paths::INTENT, text.len() as u64)?;
        if sync {
            disk.sync(paths::INTENT).tried("sync", paths::INTENT)?;
        }
        Ok(())
    }

    /// The append that was under way when the last process ended, if any.
    pub(crate) fn read(disk: &dyn Disk) -> Result<Option<Self>> {
        let bytes = if_there(disk.read(paths::INTENT)).tried("read", paths::INTENT)?;
        let bytes = bytes.unwrap_or_default();
        let Some((b'\n', bytes)) = bytes.split_first() else { return Ok(None) };
        let Some(end) = memchr::memchr(b'\n', bytes) else { return Ok(None) };
        // One that cannot be read was torn before its sync: the batch had not begun.
        Ok(serde_json::from_slice::<Line>(&bytes[..end]).ok().and_then(|line| {
            Some(Self {
                written: Written::of(&line)?,
                day: Day::from_number(line.day?)?,
                offset: line.offset?,
            })
        }))
    }

    /// The append is finished or undone.
    pub(crate) fn clear(disk: &dyn Disk) -> Result<()> {
        disk.cut(paths::INTENT, 1).tried("cut", paths::INTENT)
    }

    /// Notes a finished append among the commands.
    pub(crate) fn note(&self, disk: &dyn Disk) -> Result<()> {
        let (text, path) = (json(&self.written.line()), paths::commands(&self.written.log));
        let mut len = disk.stat(path).tried("look at", path)?.map_or(0, |stat| stat.len);
        if len > COMMANDS_BYTES_MAX {
            let half = disk
                .read_at(path, len / 2, usize::try_from(len).unwrap_or(usize::MAX))
                .tried("read", path)?;
            let kept = memchr::memchr(b'\n', &half).map_or(half.len(), |at| at + 1);
            super::replace(disk, path, &half[kept..])?;
            len = (half.len() - kept) as u64;
        }
        disk.write_at(path, len, &text, true).tried_to_write(path, text.len() as u64)
    }

    /// Whether the newest command in the list is this one.
    pub(crate) fn is_noted(&self, disk: &dyn Disk) -> Result<bool> {
        Ok(newest(disk, &self.written.log)?.as_ref() == Some(&self.written))
    }
}

/// The newest command in the list of a log: it was written down after its bytes were synced.
pub(crate) fn newest(disk: &dyn Disk, log: &LogId) -> Result<Option<Written>> {
    let path = paths::commands(log);
    let stat = disk.stat(path).tried("look at", path)?;
    let Some(stat) = stat.filter(|stat| stat.len > 0) else { return Ok(None) };
    let from = stat.len.saturating_sub(NEWEST_BYTES);
    let bytes = disk.read_at(path, from, usize::try_from(NEWEST_BYTES).unwrap_or(0));
    let bytes = bytes.tried("read", path)?;
    Ok(bytes.rsplit(|byte| *byte == b'\n').find_map(read_line))
}

fn commands(disk: &dyn Disk) -> Result<Vec<Written>> {
    let bytes = if_there(disk.read(paths::COMMANDS)).tried("read", paths::COMMANDS)?;
    Ok(lines(&bytes.unwrap_or_default()))
}

fn lines(bytes: &[u8]) -> Vec<Written> {
    bytes.split(|byte| *byte == b'\n').filter_map(read_line).collect()
}

fn read_line(line: &[u8]) -> Option<Written> {
    Written::of(&serde_json::from_slice::<Line>(line).ok()?)
}

impl Journals {
    /// What commands here wrote into the log that stays, oldest first. It is not synced: after a power cut
    /// the newest may be missing.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn commands(&self) -> Result<Vec<Written>> {
        commands(&*self.disk)
    }

    /// Whether the bytes that a command wrote still stand there: where a log was closed or lost a
    /// branch, those of others may.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn stands(&self, written: &Written) -> Result<bool> {
        let mut bytes = Vec::new();
        for section in self.sections_between(&written.log, written.from, written.to) {
            let path = section.path();
            bytes.extend_from_slice(&section.load(&*self.disk).tried("read", &path)?.bytes);
        }
        Ok(hash(&bytes) == written.hash)
    }
}
