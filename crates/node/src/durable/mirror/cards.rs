//! What is known of the cards in the mirror: `.cocli/mirror.usv`. Anybody may delete it: then all of them are
//! put again.

use std::collections::BTreeMap;
use std::fmt::Write;

use cocli_core::Instant;
use cocli_core::bucket::Key;
use cocli_core::digest::hash;
use cocli_core::schema::POOL;
use cocli_core::usv::{RS, US};
use cocli_store::{Disk, paths};

use crate::error::Result;
use crate::home::replace;

/// What the file begins with, before the bucket's name.
const HEAD: &str = "cocli-mirror 1";

/// One card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Card {
    /// The XXH3-128 of the text that was put; `None` while it is not known what stands there.
    put: Option<u128>,
    /// When it was first seen that another text should.
    since: Option<Instant>,
    /// Whether a target shows it.
    wanted: bool,
}

/// The cards of a bucket, by their paths.
#[derive(Debug)]
pub(super) struct Cards {
    url: String,
    cards: BTreeMap<String, Card>,
    /// The hash of what stands in the file.
    saved: u128,
}

impl Cards {
    /// Reads the file: nothing is known when it is damaged, or of another bucket.
    pub(super) fn read(text: &[u8], url: &str) -> Self {
        let read = std::str::from_utf8(text).ok().and_then(|text| lines(text, url));
        Self { url: url.to_owned(), cards: read.unwrap_or_default(), saved: hash(text) }
    }

    fn text(&self) -> String {
        let (us, rs) = (char::from(US), char::from(RS));
        let mut text = format!("{HEAD}{us}{}{rs}\n", self.url);
        for (path, card) in &self.cards {
            let put = card.put.map(|put| format!("{put:032x}")).unwrap_or_default();
            let since = card.since.map(|since| since.micros().to_string()).unwrap_or_default();
            // A string takes whatever is written to it.
            let _ = writeln!(text, "{path}{us}{put}{us}{since}{rs}");
        }
        text
    }

    /// Keeps it, where it is not what stands there.
    pub(super) fn save(&mut self, disk: &dyn Disk) -> Result<()> {
        let text = self.text();
        let saved = hash(text.as_bytes());
        if saved != self.saved {
            replace(disk, paths::MIRROR, text.as_bytes())?;
            self.saved = saved;
        }
        Ok(())
    }

    /// A card should have the text of this hash. `lost`: what was put is not what stands there.
    pub(super) fn want(&mut self, path: String, text: u128, lost: bool, now: Instant) {
        let card = self.cards.entry(path).or_default();
        card.wanted = true;
        if lost {
            card.put = None;
        }
        card.since = match card.put == Some(text) {
            true => None,
            false => card.since.or(Some(now)),
        };
    }

    /// A card stands there that nobody wants.
    pub(super) fn meet(&mut self, path: String) {
        self.cards.entry(path).or_default();
    }

    /// The cards that no target shows.
    pub(super) fn unwanted(&self) -> Vec<String> {
        let unwanted = self.cards.iter().filter(|(_, card)| !card.wanted);
        unwanted.map(|(path, _)| path.clone()).collect()
    }

    /// So many of those that wait, the longest waiting first.
    pub(super) fn longest_waiting(&self, count: usize) -> Vec<String> {
        let cards = self.cards.iter();
        let mut waiting: Vec<(Instant, &String)> =
            cards.filter_map(|(path, card)| Some((card.since?, path))).collect();
        waiting.sort_unstable();
        waiting.into_iter().take(count).map(|(_, path)| path.clone()).collect()
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.cards.values().filter(|card| card.since.is_some()).count()
    }

    /// It is not known any more what stands there.
    pub(super) fn doubt(&mut self, path: &str) {
        if let Some(card) = self.cards.get_mut(path) {
            card.put = None;
        }
    }

    /// The text of this hash stands there.
    pub(super) fn settle(&mut self, path: &str, text: u128) {
        if let Some(card) = self.cards.get_mut(path) {
            (card.put, card.since) = (Some(text), None);
        }
    }

    /// It does not stand there any more.
    pub(super) fn forget(&mut self, path: &str) {
        self.cards.remove(path);
    }
}

fn lines(text: &str, url: &str) -> Option<BTreeMap<String, Card>> {
    let (us, rs) = (char::from(US), char::from(RS));
    let mut lines = text.lines().map(|line| line.strip_suffix(rs));
    let (head, of) = lines.next()??.split_once(us)?;
    if head != HEAD || of != url {
        return None;
    }
    let mut cards = BTreeMap::new();
    for line in lines {
        let mut parts = line?.split(us);
        let (path, put, since) = (parts.next()?, parts.next()?, parts.next()?);
        let put = match put {
            "" => None,
            put => Some(u128::from_str_radix(put, 16).ok()?),
        };
        let since = match since {
            "" => None,
            since => Some(Instant::from_micros(since.parse().ok()?)?),
        };
        cards.insert(card_path(path)?.to_owned(), Card { put, since, wanted: false });
    }
    Some(cards)
}

/// What is read here may be removed in the bucket: it has to be a card's.
fn card_path(path: &str) -> Option<&str> {
    let (collection, _) = path.split_once('/')?;
    let fits = POOL.contains(&collection) && path.ends_with(".md") && Key::read(path).is_some();
    fits.then_some(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use super::*;

    fn at(second: i64) -> Instant {
        Instant::from_micros(second * 1_000_000).unwrap()
    }

    fn some() -> Cards {
        let mut cards = Cards::read(b"", "memory:");
        cards.want("companies/a/_index.md".into(), 1, false, at(3));
        cards.want("companies/b/_index.md".into(), 2, false, at(2));
        cards.want("people/c/Ada Lovelace.md".into(), 3, false, at(1));
        cards.settle("companies/b/_index.md", 2);
        cards
    }

    #[test]
    fn it_reads_as_it_was_kept_and_of_another_bucket_nothing_is_known() {
        let cards = some();
        let again = Cards::read(cards.text().as_bytes(), "memory:");
        assert_eq!(again.text(), cards.text());
        assert_eq!(again.longest_waiting(9), ["people/c/Ada Lovelace.md", "companies/a/_index.md"]);
        assert_eq!(Cards::read(cards.text().as_bytes(), "s3://team").cards, BTreeMap::new());
    }

    #[test]
    fn a_file_that_names_anything_but_cards_is_not_believed() {
        let text = some().text();
        for other in ["wal/pi1/1.md", "companies/../wal/1.md", "companies/a/tags.lst"] {
            let changed = text.replace("companies/b/_index.md", other);
            assert_eq!(
                Cards::read(changed.as_bytes(), "memory:").cards,
                BTreeMap::new(),
                "{other}"
            );
        }
        for end in 0..text.len() - 1 {
            let cut = Cards::read(&text.as_bytes()[..end], "memory:");
            assert!(cut.cards.len() < 3, "cut at {end}");
        }
    }

    #[test]
    fn what_is_put_back_as_it_was_waits_no_more() {
        let mut cards = some();
        cards.want("companies/b/_index.md".into(), 7, false, at(5));
        cards.want("companies/b/_index.md".into(), 8, false, at(6));
        assert_eq!(cards.cards["companies/b/_index.md"].since, Some(at(5)));
        cards.want("companies/b/_index.md".into(), 2, false, at(7));
        assert_eq!(cards.waiting(), 2);
        cards.doubt("companies/b/_index.md");
        cards.want("companies/b/_index.md".into(), 2, false, at(8));
        assert_eq!(cards.waiting(), 3);
    }
}
