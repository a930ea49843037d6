//! `cocli import vcard`: contacts, one card after the other.

use std::io::{BufRead, BufReader};
use std::path::Path;

use cocli_node::import::cards;

use super::text::{self, Progress, Text};
use super::{Bringing, failed};
use crate::args::ImportFile;
use crate::commands::Context;
use crate::failure::Failure;

pub(super) fn run(context: &Context, args: &ImportFile) -> Result<(), Failure> {
    let home = context.home()?;
    let path = &args.path;
    let (text, progress) = text::open(path, &|line| context.screen.note(line))?;
    let mut bringing = Bringing::begin(context, &home, "import vcard", args.manner)?;
    let mut pieces = Pieces::new(text, progress);
    let (mut left_out, mut any) = (0, false);
    let broken = loop {
        let piece = match pieces.next(path) {
            Ok(Some(piece)) => piece,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        for (line, why) in piece.odd {
            bringing.report.skip(line, why.into());
        }
        if piece.unended {
            bringing.report.note(piece.from, NO_END.into());
        }
        if piece.card.is_empty() {
            continue;
        }
        any = true;
        let read = cards(&piece.card, bringing.next());
        left_out += read.left_out;
        for why in read.odd {
            bringing.report.skip(piece.from, why);
        }
        for item in read.items {
            let counted = !item.kind.is_convo();
            bringing.push(piece.from, counted, item, piece.card.len());
        }
        bringing.bring_if_enough()?;
    };
    if !any && broken.is_none() {
        return Err(failed(path, "holds no contact: expected lines BEGIN:VCARD and END:VCARD"));
    }
    bringing.end(path, Some(("pictures", left_out)))?;
    broken.map_or(Ok(()), Err)
}

/// A card as it stands in the file.
#[derive(Default)]
struct Piece {
    /// Its first line.
    from: u64,
    /// Its lines; none where only something odd was met.
    card: String,
    /// Whether its end is missing.
    unended: bool,
    /// What is left out beside it, with its line.
    odd: Vec<(u64, &'static str)>,
}

/// A file on its way to cards.
struct Pieces {
    lines: BufReader<Text>,
    progress: Progress,
    number: u64,
    /// A `BEGIN:VCARD` that was read while another card was open.
    begun: Option<String>,
}

impl Pieces {
    fn new(text: Text, progress: Progress) -> Self {
        Self { lines: BufReader::new(text), progress, number: 0, begun: None }
    }

    /// The next card; nothing at the end.
    fn next(&mut self, path: &Path) -> Result<Option<Piece>, Failure> {
        let mut piece = Piece::default();
        let (mut depth, mut is_agent, mut strays) = (0, false, false);
        if let Some(begin) = self.begun.take() {
            (piece.from, piece.card, depth) = (self.number, begin, 1);
        }
        loop {
            let mut line = String::new();
            let more = self.lines.read_line(&mut line);
            let more = more.map_err(|error| {
                failed(path, format!("from line {} on: {error}", self.number + 1))
            })?;
            if more == 0 {
                piece.unended = depth > 0;
                let any = piece.unended || !piece.odd.is_empty();
                return Ok(any.then_some(piece));
            }
            self.number += 1;
            let word = line.trim().to_ascii_uppercase();
            match (word.as_str(), depth) {
                ("BEGIN:VCARD", 0) => (piece.from, piece.card, depth) = (self.number, line, 1),
                ("BEGIN:VCARD", _) if is_agent || depth > 1 => {
                    if depth == 1 {
                        piece.odd.push((self.number, AGENT));
                    }
                    depth += 1;
                }
                ("BEGIN:VCARD", _) => {
                    piece.unended = true;
                    self.begun = Some(line);
                    self.progress.row_ends();
                    return Ok(Some(piece));
                }
                ("END:VCARD", 1) => {
                    piece.card.push_str(&line);
                    self.progress.row_ends();
                    return Ok(Some(piece));
                }
                ("END:VCARD", 2..) => depth -= 1,
                ("", 0) => {}
                (_, 0) if strays => {}
                (_, 0) => {
                    piece.odd.push((self.number, NO_BEGIN));
                    strays = true;
                }
                (_, 1) => piece.card.push_str(&line),
                _ => {}
            }
            if depth == 0 {
                self.progress.row_ends();
            }
            // The card of somebody's agent stands behind this line; what the line names besides is a text.
            is_agent = depth == 1
                && (is_agent && word.is_empty()
                    || word.starts_with("AGENT") && word.ends_with(':'));
        }
    }
}

const NO_END: &str = "expected END:VCARD at its end: brought in up to there";
const NO_BEGIN: &str = "expected BEGIN:VCARD: left out up to the next";
const AGENT: &str = "the card of an agent within a card: left out";
