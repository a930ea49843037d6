//! The winners among the lines of one shard, sorted: each target is looked up once, so that only
//! targets, and not lines, are compared with all others.

use std::ops::Range;

use cocli_core::usv::Line;

use super::source::{TOGETHER, touch};
use super::spill;

/// No entry.
const NONE: u32 = u32::MAX;

/// Lines by target and field, one each: the greatest by bytes, which is the winner.
pub(super) struct Winners<'a> {
    lines: Vec<Line<'a>>,
    /// What is beside each line.
    links: Vec<Link>,
    groups: Vec<Group>,
    /// Places of groups by the hash of their target, or `NONE`.
    table: Vec<u32>,
}

/// What follows on a line; apart from it, so that many are near each other.
struct Link {
    /// The start of its field: most fields differ there.
    field: u64,
    /// The next line of the same target, or `NONE`.
    next: u32,
}

/// The lines of one target.
struct Group {
    hash: u32,
    first: u32,
}

/// A line that waits to be compared with another one.
#[derive(Clone, Copy)]
struct Waiting<'a> {
    line: Line<'a>,
    hash: u32,
    field: u64,
    /// The line that may have its target and field, or the last one that may have its target.
    with: u32,
}

impl<'a> Winners<'a> {
    /// The winners among the lines of some chunks.
    pub(super) fn of(chunks: &'a [Vec<u8>]) -> Self {
        let bytes: usize = chunks.iter().map(Vec::len).sum();
        let mut winners = Self {
            lines: Vec::with_capacity(bytes / 100),
            links: Vec::with_capacity(bytes / 100),
            groups: Vec::new(),
            table: vec![NONE; 1024],
        };
        let mut waiting = Vec::with_capacity(TOGETHER);
        for (hash, line) in chunks.iter().flat_map(|chunk| spill::lines(chunk)) {
            waiting.push(winners.meet(hash, line));
            if waiting.len() == TOGETHER {
                winners.add_all(&mut waiting);
            }
        }
        winners.add_all(&mut waiting);
        winners
    }

    /// Finds what a line is to be compared with, by what stands beside the bytes of others.
    fn meet(&self, hash: u32, line: Line<'a>) -> Waiting<'a> {
        let field = start_of(line.bytes, line.field_range());
        let mut waiting = Waiting { line, hash, field, with: NONE };
        let mask = self.table.len() - 1;
        let mut place = hash as usize & mask;
        let group = loop {
            match self.groups.get(self.table[place] as usize) {
                None => return waiting,
                Some(group) if group.hash == hash => break group,
                Some(_) => place = (place + 1) & mask,
            }
        };
        waiting.with = group.first;
        loop {
            let known = &self.links[waiting.with as usize];
            if known.field == field || known.next == NONE {
                return waiting;
            }
            waiting.with = known.next;
        }
    }

    fn add_all(&mut self, waiting: &mut Vec<Waiting<'a>>) {
        // What is compared lies anywhere in the memory.
        let known = waiting.iter().filter_map(|one| self.lines.get(one.with as usize));
        touch(known.map(|known| known.bytes));
        waiting.drain(..).for_each(|one| self.add(&one));
    }

    fn add(&mut self, one: &Waiting<'a>) {
        let with = one.with as usize;
        let known = self.lines.get(with).zip(self.links.get(with));
        match known {
            Some((known, link)) if link.field == one.field && known.key() == one.line.key() => {
                self.keep_greater(with, one);
            }
            Some((known, link))
                if link.field != one.field
                    && link.next == NONE
                    && known.target() == one.line.target() =>
            {
                self.follow(with, one);
            }
            _ => self.add_slowly(one),
        }
    }

    /// Looks for the target, and for the field among all of its lines: either may be new, or only begin or hash
    /// as another one does.
    fn add_slowly(&mut self, one: &Waiting<'a>) {
        let place = self.place(one.hash, one.line.target());
        let group = self.table[place];
        if group == NONE {
            self.table[place] = self.groups.len() as u32;
            self.groups.push(Group { hash: one.hash, first: self.lines.len() as u32 });
            self.push(one);
            if self.groups.len() * 2 > self.table.len() {
                self.grow();
            }
            return;
        }
        let mut at = self.groups[group as usize].first as usize;
        while self.links[at].field != one.field || self.lines[at].field() != one.line.field() {
            let next = self.links[at].next;
            if next == NONE {
                return self.follow(at, one);
            }
            at = next as usize;
        }
        self.keep_greater(at, one);
    }

    /// Of one target and field.
    fn keep_greater(&mut self, at: usize, one: &Waiting<'a>) {
        if one.line.bytes > self.lines[at].bytes {
            self.lines[at] = one.line;
        }
    }

    /// Behind the last line of its target.
    fn follow(&mut self, last: usize, one: &Waiting<'a>) {
        self.links[last].next = self.lines.len() as u32;
        self.push(one);
    }

    fn push(&mut self, one: &Waiting<'a>) {
        self.lines.push(one.line);
        self.links.push(Link { field: one.field, next: NONE });
    }

    /// Where the group of a target stands in the table, or would.
    fn place(&self, hash: u32, target: &[u8]) -> usize {
        let mask = self.table.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let group = self.table[place];
            if group == NONE {
                return place;
            }
            let group = &self.groups[group as usize];
            if group.hash == hash && self.lines[group.first as usize].target() == target {
                return place;
            }
            place = (place + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let mask = self.table.len() * 2 - 1;
        let mut table = vec![NONE; mask + 1];
        for (at, group) in self.groups.iter().enumerate() {
            let mut place = group.hash as usize & mask;
            while table[place] != NONE {
                place = (place + 1) & mask;
            }
            table[place] = at as u32;
        }
        self.table = table;
    }

    /// The winners, sorted by target, then field.
    pub(super) fn sorted(self) -> Vec<Line<'a>> {
        let firsts = || self.groups.iter().map(|group| &self.lines[group.first as usize]);
        let common = common_start(firsts().map(Line::target));
        let start = |line: &Line<'_>| {
            let target = line.target_range();
            start_of(line.bytes, target.start + common..target.end)
        };
        let mut order: Vec<(u64, u32)> = firsts().map(start).zip(0..).collect();
        let target_of = |at: u32| {
            let group = &self.groups[at as usize];
            self.lines[group.first as usize].target()
        };
        order.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0).then_with(|| target_of(a.1).cmp(target_of(b.1)))
        });
        let mut sorted = Vec::with_capacity(self.lines.len());
        for (_, group) in order {
            let (from, mut at) = (sorted.len(), self.groups[group as usize].first);
            while at != NONE {
                let link = &self.links[at as usize];
                sorted.push((link.field, self.lines[at as usize]));
                at = link.next;
            }
            sorted[from..]
                .sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.field().cmp(b.1.field())));
        }
        sorted.into_iter().map(|(_, line)| line).collect()
    }
}

/// Bytes that all of the texts begin with.
fn common_start<'a>(mut texts: impl Iterator<Item = &'a [u8]>) -> usize {
    let Some(first) = texts.next() else { return 0 };
    texts.fold(first.len(), |common, text| {
        let both = first[..common].iter().zip(text);
        both.take_while(|(a, b)| a == b).count()
    })
}

/// The first eight bytes of a part as a number that sorts as they do; zeros behind a shorter one.
fn start_of(bytes: &[u8], part: Range<usize>) -> u64 {
    let len = part.len().min(8);
    // Most often enough stands behind it, and nothing is copied.
    let eight = match bytes[part.start..].first_chunk() {
        Some(eight) => u64::from_be_bytes(*eight),
        None => bytes[part.start..].iter().rev().fold(0, |sum, b| sum >> 8 | u64::from(*b) << 56),
    };
    if len == 0 { 0 } else { eight & (u64::MAX << (64 - 8 * len)) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cocli_core::usv::Line;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// Also where targets have one hash, and fields one start.
        #[test]
        fn winners_are_the_greatest_lines_of_each_target_and_field_in_their_order(
            lines in prop::collection::vec(
                (0..50_u8, "[ab]{1,2}", "(longfield)?[xy]?z?", "[a-c]{0,3}"),
                0..200,
            ),
        ) {
            let (mut chunks, mut expected) = (vec![Vec::new(), Vec::new()], BTreeMap::new());
            for (at, (second, target, field, value)) in lines.iter().enumerate() {
                let text = format!("{second:02}\x1fn\x1fc/{target}\x1f{field}\x1f{value}\x1f-").into_bytes();
                let line = Line::of(&text).unwrap();
                // As many hashes as lengths.
                chunks[at % 2].extend(spill::head(&line, target.len() as u32));
                chunks[at % 2].extend(&text);
                let known = expected.entry((target, field)).or_insert_with(Vec::new);
                *known = text.max(std::mem::take(known));
            }
            let sorted: Vec<Vec<u8>> =
                Winners::of(&chunks).sorted().iter().map(|line| line.bytes.to_vec()).collect();
            prop_assert_eq!(sorted, expected.into_values().collect::<Vec<_>>());
        }
    }
}
