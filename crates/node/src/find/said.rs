//! What notes and meetings say.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use cocli_core::schema::POOL;
use cocli_core::usv::US;
use cocli_core::{Entity, Kind, Target};
use cocli_store::names::lower;
use cocli_store::side::processors;

use crate::error::Result;
use crate::followup::text;
use crate::home::Home;

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
        let needles = ["title", "content"].map(|field| [&[US], field.as_bytes(), &[US]].concat());
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
            let mut removed: HashMap<Target, bool> = HashMap::new();
            let mut living = Vec::new();
            for some in found.chunks(ASKED) {
                let owners: BTreeSet<Target> =
                    some.iter().filter_map(|said| owner(&said.target)).collect();
                let owners =
                    owners.into_iter().filter(|owner| !removed.contains_key(owner)).collect();
                let known = reader.entities(&owners)?;
                removed.extend(owners.into_iter().map(|owner| {
                    let gone = known.get(&owner).is_some_and(|entity| entity.removed().is_some());
                    (owner, gone)
                }));
                let is_there = |said: &&Said| {
                    owner(&said.target).is_none_or(|of| removed.get(&of) != Some(&true))
                };
                living.extend(some.iter().filter(is_there).take(most - living.len()).cloned());
                if living.len() == most {
                    break;
                }
            }
            Ok(living)
        })
    }
}

/// The company or person that a note or meeting stands below.
fn owner(target: &Target) -> Option<Target> {
    let mut parts = target.as_str().splitn(3, '/');
    Target::read(&format!("{}/{}", parts.next()?, parts.next()?)).ok()
}

fn said(target: Target, entity: &Entity, words: &[String]) -> Option<Said> {
    if !matches!(Kind::of(&target), Some(Kind::Note | Kind::Meeting)) || entity.removed().is_some()
    {
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
