//! What notes and meetings say.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use cocli_core::schema::POOL;
use cocli_core::{Entity, Kind, Target};
use cocli_store::names::lower;
use cocli_store::side::processors;

use crate::conflicts::removed;
use crate::error::Result;
use crate::followup::text;
use crate::home::Home;
use crate::needle;

/// Whom notes are about is asked of so many at once.
const ASKED: usize = 256;
/// Characters shown before what was found.
const BEFORE: usize = 30;
/// Characters shown in all.
const SHOWN: usize = 100;

/// A note or meeting that says what is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The note or meeting.
    pub target: Target,
    /// When it was, as it stands there.
    pub at: String,
    /// Its title.
    pub title: String,
    /// The text around the first word, on one line.
    pub around: String,
}

impl Home {
    /// Notes and meetings whose title or text holds all words, whatever their case, the newest first.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn find_said(&self, words: &str, most: usize) -> Result<Vec<Said>> {
        let words: Vec<String> = lower(words).split_whitespace().map(Into::into).collect();
        if words.is_empty() || most == 0 {
            return Ok(Vec::new());
        }
        let needles = ["title", "content"].map(|field| needle::of_value(field, ""));
        self.read(|reader| {
            let found = Mutex::new(Vec::new());
            for collection in POOL {
                reader.search(
                    processors(),
                    &format!("{collection}/"),
                    &needles,
                    &|of, entity| {
                        if let Some(said) = said(of, &entity, &words) {
                            found.lock().unwrap_or_else(PoisonError::into_inner).push(said);
                        }
                    },
                )?;
            }
            let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
            found.sort_unstable_by(|a, b| (&b.at, &b.target).cmp(&(&a.at, &a.target)));
            // What stands below a company that was removed is gone with it.
            let (mut asked, mut gone, mut living) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
            for some in found.chunks(ASKED) {
                let owners = some.iter().filter_map(|said| Target::read(said.target.entity()).ok());
                let owners = owners.filter(|owner| asked.insert(owner.clone())).collect();
                let removed = removed(reader, &owners)?.into_iter();
                gone.extend(removed.map(|owner| owner.to_string()));
                let is_there = |said: &&Said| !gone.contains(said.target.entity());
                living.extend(some.iter().filter(is_there).take(most - living.len()).cloned());
                if living.len() == most {
                    break;
                }
            }
            Ok(living)
        })
    }
}

fn said(target: Target, entity: &Entity, words: &[String]) -> Option<Said> {
    if !Kind::of(&target).is_some_and(Kind::is_convo) || entity.removed().is_some() {
        return None;
    }
    let of = |field: &str| text(entity, &target, field);
    let (title, content) = (of("title"), of("content"));
    let all = lower(&format!("{title}\n{content}"));
    if !words.iter().all(|word| all.contains(word.as_str())) {
        return None;
    }
    let (at, around) = (of("timestamp"), around(&content, &words[0]));
    Some(Said { target, at, title, around })
}

/// A text as one line, from a little before a word on.
fn around(text: &str, word: &str) -> String {
    let line: Vec<char> = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect();
    let lower: String = line.iter().map(|c| c.to_lowercase().next().unwrap_or(*c)).collect();
    let place = lower.find(word).map_or(0, |at| lower[..at].chars().count());
    let start = place.saturating_sub(BEFORE);
    let end = (start + SHOWN).min(line.len());
    let cut = |there: bool| if there { "…" } else { "" };
    let shown: String = line[start..end].iter().collect();
    format!("{}{shown}{}", cut(start > 0), cut(end < line.len()))
}

#[cfg(test)]
mod tests {
    use super::around;

    #[test]
    fn a_long_text_is_cut_around_the_word() {
        let text = format!("{}\nThe Offer was ßent {}", "before ".repeat(20), "after ".repeat(40));
        let shown = around(&text, "offer");
        assert!(shown.starts_with('…') && shown.ends_with('…'), "{shown}");
        assert!(shown.contains("The Offer was ßent"), "{shown}");
        assert_eq!(around("short  text", "absent"), "short text");
    }
}
