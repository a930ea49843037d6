//! `cocli import vcard`: contacts, one card after the other.

use std::io::{BufRead, BufReader};

use cocli_node::import::cards;

use super::{Bringing, failed, text};
use crate::args::ImportFile;
use crate::commands::Context;
use crate::failure::Failure;

pub(super) fn run(context: &Context, args: &ImportFile) -> Result<(), Failure> {
    let home = context.home()?;
    let path = &args.path;
    let (text, progress) = text::open(path, &|line| context.screen.note(line))?;
    let mut bringing = Bringing::begin(context, &home, "import vcard", args.manner)?;
    let (mut lines, mut card, mut from, mut number) = (BufReader::new(text), String::new(), 1, 0);
    let (mut left_out, mut any) = (0, false);
    loop {
        let start = card.len();
        let more = lines.read_line(&mut card);
        let more =
            more.map_err(|error| failed(path, format!("line {number}: cannot read: {error}")))?;
        let line = card[start..].trim().to_ascii_uppercase();
        number += 1;
        if line == "BEGIN:VCARD" && start > 0 && card[..start].trim().is_empty() {
            from = number;
        }
        let ends = line == "END:VCARD";
        if !ends && more > 0 {
            continue;
        }
        if card.to_ascii_uppercase().contains("BEGIN:VCARD") {
            any = true;
            let read = cards(&card, bringing.next(), &bringing.importer);
            left_out += read.left_out;
            for why in read.odd {
                bringing.report.skip(from, why);
            }
            for item in read.items {
                let counted = !item.kind.is_convo();
                bringing.push(from, counted, item, card.len());
            }
            if !ends {
                bringing.report.skip(from, "expected END:VCARD at its end".into());
            }
        }
        card.clear();
        from = number + 1;
        progress.row_ends();
        bringing.bring_if_enough()?;
        if more == 0 {
            break;
        }
    }
    if !any {
        return Err(failed(path, "holds no contact: expected lines BEGIN:VCARD and END:VCARD"));
    }
    bringing.end(path, Some(("pictures", left_out)))
}
