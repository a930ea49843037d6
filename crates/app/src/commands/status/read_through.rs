//! When all that is held was last read through, and what of it was damaged.

use cocli_node::{Scrub, Scrubbed};
use serde_json::{Value as Json, json};

use crate::render::counted;

/// It in a line; nothing where no daemon ever read.
pub(in crate::commands) fn told(scrub: Option<&Scrub>) -> Option<String> {
    let scrub = scrub?;
    let Some((ended, found)) = &scrub.last else {
        let bytes = scrub.so_far.bytes;
        return Some(format!(
            "all that is held is read through for the first time: {bytes} bytes by now"
        ));
    };
    let (day, bytes) = (ended.get(..10).unwrap_or(ended), found.bytes);
    Some(format!("all that is held was read through on {day} ({bytes} bytes): {}", damage(*found)))
}

fn damage(found: Scrubbed) -> String {
    let mut parts = Vec::new();
    let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    if found.blocks > 0 {
        parts.push(counted(number(found.blocks), "block of a journal", "blocks of journals"));
    }
    if found.files > 0 {
        let files =
            counted(number(found.files), "file of the checkpoint", "files of the checkpoint");
        parts.push(files);
    }
    match parts.is_empty() {
        true => "nothing is damaged".to_owned(),
        false => format!("damaged: {} (`cocli doctor --repair`)", parts.join(" and ")),
    }
}

pub(super) fn object(scrub: Option<&Scrub>) -> Json {
    let found = |found: &Scrubbed| json!({"bytes": found.bytes, "blocks": found.blocks, "files": found.files});
    let last = |(ended, last): &(String, Scrubbed)| json!({"ended": ended, "found": found(last)});
    scrub.map_or(Json::Null, |scrub| {
        json!({"began": scrub.began, "so_far": found(&scrub.so_far), "last": scrub.last.as_ref().map(last)})
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_all_was_read_and_what_was_damaged() {
        assert_eq!(told(None), None);
        let mut scrub = Scrub::default();
        scrub.so_far.bytes = 7;
        assert!(told(Some(&scrub)).unwrap().ends_with("for the first time: 7 bytes by now"));
        let ended = "2026-11-27T10:00:00.000000+00:00".to_owned();
        scrub.last = Some((ended, Scrubbed { bytes: 9, blocks: 0, files: 0 }));
        let sound = "all that is held was read through on 2026-11-27 (9 bytes): nothing is damaged";
        assert_eq!(told(Some(&scrub)).unwrap(), sound);
        scrub.last.as_mut().unwrap().1.blocks = 2;
        scrub.last.as_mut().unwrap().1.files = 1;
        let damaged =
            "damaged: 2 blocks of journals and 1 file of the checkpoint (`cocli doctor --repair`)";
        assert!(told(Some(&scrub)).unwrap().ends_with(damaged));
    }
}
