//! The winners among the lines of one shard, sorted: each target is looked up once, so that only
//! targets, and not lines, are compared with all others.

use cocli_core::usv::Line;

use super::spill;

/// No entry.
const NONE: u32 = u32::MAX;

/// Lines by target and field, one each: the greatest by bytes, which is the winner.
pub(super) struct Winners<'a> {
    lines: Vec<Slot<'a>>,
    groups: Vec<Group>,
    /// Places of groups by the hash of their target, or `NONE`.
    table: Vec<u32>,
}

/// A line, and what follows on it.
struct Slot<'a> {
    line: Line<'a>,
    /// The next line of the same target, or `NONE`.
    next: u32,
    /// The start of its field, beside it: most fields differ there.
    field: u64,
}

impl Slot<'_> {
    fn has(&self, field: u64, line: &Line<'_>) -> bool {
        self.field == field && self.line.field() == line.field()
    }
}

/// The lines of one target.
struct Group {
    hash: u32,
    first: u32,
}

impl<'a> Winners<'a> {
    /// The winners among the lines of some chunks.
    pub(super) fn of(chunks: &'a [Vec<u8>]) -> Self {
        let bytes: usize = chunks.iter().map(Vec::len).sum();
        let mut winners = Self {
            lines: Vec::with_capacity(bytes / 100),
            groups: Vec::new(),
            table: vec![NONE; 1024],
        };
        for (hash, line) in chunks.iter().flat_map(|chunk| spill::lines(chunk)) {
            winners.add(hash, line);
        }
        winners
    }

    fn add(&mut self, hash: u32, line: Line<'a>) {
        let place = self.place(hash, line.target());
        let group = self.table[place];
        if group == NONE {
            self.table[place] = self.groups.len() as u32;
            self.groups.push(Group { hash, first: self.lines.len() as u32 });
            self.push(line);
            if self.groups.len() * 2 > self.table.len() {
                self.grow();
            }
            return;
        }
        let field = next_eight(line.field());
        let (mut at, next) = (self.groups[group as usize].first as usize, self.lines.len());
        loop {
            let known = &mut self.lines[at];
            if known.has(field, &line) {
                if line.bytes > known.line.bytes {
                    known.line = line;
                }
                return;
            }
            if known.next == NONE {
                known.next = next as u32;
                self.push(line);
                return;
            }
            at = known.next as usize;
        }
    }

    fn push(&mut self, line: Line<'a>) {
        self.lines.push(Slot { line, next: NONE, field: next_eight(line.field()) });
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
            if group.hash == hash && self.lines[group.first as usize].line.target() == target {
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
        let targets =
            || self.groups.iter().map(|group| self.lines[group.first as usize].line.target());
        let common = common_start(targets());
        let mut order: Vec<(u64, u32)> =
            targets().zip(0..).map(|(target, at)| (next_eight(&target[common..]), at)).collect();
        let target_of = |at: u32| {
            let group = &self.groups[at as usize];
            self.lines[group.first as usize].line.target()
        };
        order.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0).then_with(|| target_of(a.1).cmp(target_of(b.1)))
        });
        let mut sorted = Vec::with_capacity(self.lines.len());
        for (_, group) in order {
            let (from, mut at) = (sorted.len(), self.groups[group as usize].first);
            while at != NONE {
                sorted.push((self.lines[at as usize].field, self.lines[at as usize].line));
                at = self.lines[at as usize].next;
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

/// The first eight bytes as a number that sorts as they do; zeros behind a shorter text.
fn next_eight(text: &[u8]) -> u64 {
    let mut eight = [0; 8];
    let len = text.len().min(8);
    eight[..len].copy_from_slice(&text[..len]);
    u64::from_be_bytes(eight)
}
