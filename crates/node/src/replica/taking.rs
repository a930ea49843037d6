//! Taking the checkpoint of a peer over a stream: what it is made of, then the lines of its files, one piece
//! after the other, each asked for when the keeper has taken the one before.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use cocli_core::LogId;
use cocli_core::frame::Boot;
use cocli_core::gossip::stream::{Answer, Question};
use cocli_core::gossip::{Input, Micros};
use cocli_core::limits::{CHUNK_BYTES, STREAM_SILENT_US};
use cocli_store::checkpoint::Wanted;

use super::event::{Came, Output, Part};

/// Manifests in a row of which no line came, as their files were gone: then another peer is asked.
const MANIFESTS_MAX: u8 = 4;

/// A checkpoint under way.
#[derive(Debug)]
pub(super) struct Taking {
    pub(super) call: u64,
    pub(super) peer: Boot,
    to: SocketAddr,
    logs: BTreeSet<LogId>,
    /// It is asked for its odd records.
    asks_odd: bool,
    /// When the answer is given up; none while the keeper is at it.
    pub(super) deadline: Option<Micros>,
    manifests: u8,
    /// Bytes that came, and that there are.
    pub(super) progress: (u64, u64),
}

/// How it goes on.
pub(super) type Next = Result<(), End>;

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// All of it is there.
    Whole,
    /// It did not come, for this reason.
    Cut(String),
}

impl Taking {
    pub(super) fn begin(
        now: Micros,
        (call, peer, to): (u64, Boot, SocketAddr),
        logs: Vec<LogId>,
        out: &mut Vec<Output>,
    ) -> Self {
        let logs = logs.into_iter().collect();
        let mut taking = Self {
            call,
            peer,
            to,
            logs,
            asks_odd: false,
            deadline: None,
            manifests: 0,
            progress: (0, 0),
        };
        taking.ask_manifest(now, out);
        taking
    }

    fn ask_manifest(&mut self, now: Micros, out: &mut Vec<Output>) {
        self.manifests += 1;
        self.ask(now, &Question::Checkpoint, out);
    }

    fn ask(&mut self, now: Micros, question: &Question, out: &mut Vec<Output>) {
        self.deadline = Some(now + STREAM_SILENT_US);
        out.push(Output::Ask { call: self.call, to: self.to, bytes: question.write() });
    }

    fn keep(&self, part: Part, out: &mut Vec<Output>) {
        out.push(Output::Keep { call: self.call, part });
    }

    /// An answer of the peer: the keeper takes it.
    pub(super) fn answered(&mut self, now: Micros, bytes: &[u8], out: &mut Vec<Output>) -> Next {
        let asked = self.deadline.take().is_some();
        let part = match Answer::read(bytes) {
            Some(Answer::Manifest(text)) if asked => Part::Manifest(text),
            Some(Answer::Lines { file, offset, bytes }) if asked => {
                self.manifests = 0;
                Part::Lines { file, offset, bytes }
            }
            Some(Answer::Odd(entries)) if asked => Part::Odd(entries),
            // It can tell none, as older versions.
            Some(Answer::Lacks) if asked && self.asks_odd => Part::Odd(Vec::new()),
            // It compacted meanwhile: its files are others.
            Some(Answer::Lacks)
                if asked && self.progress.1 > 0 && self.manifests < MANIFESTS_MAX =>
            {
                self.ask_manifest(now, out);
                return Ok(());
            }
            Some(Answer::Unreadable) => {
                return Err(End::Cut("it cannot read what it was asked for".to_owned()));
            }
            _ => return Err(End::Cut("it has no checkpoint to give".to_owned())),
        };
        self.keep(part, out);
        Ok(())
    }

    /// The keeper took it, or did not.
    pub(super) fn came(&mut self, now: Micros, came: Came, out: &mut Vec<Output>) -> Next {
        match came {
            Came::Next { wanted, came, all } => {
                self.progress = (came, all);
                let max = u32::try_from(CHUNK_BYTES).unwrap_or(u32::MAX);
                self.asks_odd = matches!(wanted, Some(Wanted::Odd(_)));
                match wanted {
                    Some(Wanted::Lines(file, offset)) => {
                        self.ask(now, &Question::Lines { file, offset, max }, out);
                    }
                    Some(Wanted::Odd(behind)) => {
                        self.ask(now, &Question::Odd { behind, max }, out);
                    }
                    None => self.keep(Part::Whole(self.logs.clone()), out),
                }
                Ok(())
            }
            Came::Whole => Err(End::Whole),
            Came::Refused(why) => Err(End::Cut(why)),
        }
    }
}

/// What the engine is told of an end.
pub(super) fn ended(taking: &Taking, end: &End) -> Input {
    Input::CheckpointEnded { peer: taking.peer, whole: *end == End::Whole }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use super::*;

    #[test]
    fn without_its_odd_records_nothing_is_taken_of_who_has_some_and_cannot_read_them() {
        let boot = Boot(7);
        let to = SocketAddr::from(([127, 0, 0, 1], 7));
        for (answer, expected) in [
            (Answer::Odd(b"entries".to_vec()), Ok(Part::Odd(b"entries".to_vec()))),
            // As a version says it that does not know the question.
            (Answer::Lacks, Ok(Part::Odd(Vec::new()))),
            (Answer::Unreadable, Err(End::Cut("it cannot read what it was asked for".to_owned()))),
        ] {
            let mut taking = Taking::begin(0, (1, boot, to), Vec::new(), &mut Vec::new());
            let wanted = Some(Wanted::Odd(None));
            let asks = Came::Next { wanted, came: 9, all: 9 };
            taking.came(0, asks, &mut Vec::new()).unwrap();
            let mut out = Vec::new();
            let next = taking.answered(0, &answer.write(), &mut out);
            match expected {
                Ok(part) => assert_eq!((next, out), (Ok(()), vec![Output::Keep { call: 1, part }])),
                Err(end) => assert_eq!((next, out), (Err(end), Vec::new())),
            }
        }
    }
}
