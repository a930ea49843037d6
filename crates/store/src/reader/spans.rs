//! Everything that stays, in the order of its targets and on several threads: the sorted files are cut at
//! the same targets, and what lies between two cuts in all of them is a span. Some spans are held at a time.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use cocli_core::usv::{self, Line, RS};
use cocli_core::{Entity, Target};

use super::{Delta, Reader, target_of};
use crate::checkpoint::{self, Piece};
use crate::error::{Result, StoreError};
use crate::paths;
use crate::side::{by_side, side_by_side, threads};

/// Above every target.
const END: &[u8] = &[0xff];

/// The state, cut into spans.
#[derive(Debug)]
pub struct Spans<'a> {
    reader: &'a Reader,
    sources: Vec<Source>,
    /// The target that each span begins at.
    cuts: Vec<Vec<u8>>,
}

/// Sorted lines, and where in them each span begins; behind these their end.
#[derive(Debug)]
struct Source {
    text: Text,
    begins: Vec<u64>,
}

#[derive(Debug)]
enum Text {
    File(Piece),
    Held(Vec<u8>),
}

/// What all files say of the targets of a span.
#[derive(Debug)]
pub struct Span {
    bytes: Vec<u8>,
    /// What is before it was handed on already.
    begin: Vec<u8>,
    /// Bytes that all its targets begin with alike, as where it begins and ends does.
    alike: usize,
}

impl Reader {
    /// Cuts the state into spans of about so many bytes, which begin anew at each of the `prefixes`. Everything
    /// is read once, and its hash checked; what is damaged is made again, and held.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn spans(&self, prefixes: &[String], bytes: u64) -> Result<Spans<'_>> {
        let cuts = self.cuts(prefixes, bytes);
        let shards: Vec<u8> = self.manifest.touched().into_iter().collect();
        let found = by_side(&shards, |shard| match self.whole(*shard, &cuts) {
            Err(StoreError::Damaged { .. }) => Ok(vec![held(&self.remade(*shard)?, &cuts)]),
            found => found,
        });
        let mut sources = vec![held(self.delta(), &cuts)];
        for found in found {
            sources.extend(found?);
        }
        Ok(Spans { reader: self, sources, cuts })
    }

    fn whole(&self, shard: u8, cuts: &[Vec<u8>]) -> Result<Vec<Source>> {
        let source = |piece: Piece| {
            let begins = begins(&piece.read(&*self.disk)?, cuts);
            Ok(Source { text: Text::File(piece), begins })
        };
        self.manifest.pieces(shard).into_iter().map(source).collect()
    }

    /// Where spans begin: a shard has its targets from everywhere, so one file tells how they lie: that in the
    /// middle of the bytes, as the longest may be long by one target.
    fn cuts(&self, prefixes: &[String], span_bytes: u64) -> Vec<Vec<u8>> {
        let mut cuts = BTreeSet::from([Vec::new()]);
        for prefix in prefixes.iter().map(|prefix| prefix.as_bytes()) {
            cuts.extend([prefix.to_vec(), behind(prefix)]);
        }
        let shards = self.manifest.touched().into_iter();
        let mut pieces: Vec<Piece> = shards.flat_map(|shard| self.manifest.pieces(shard)).collect();
        pieces.sort_by_key(|piece| piece.bytes);
        let all = pieces.iter().map(|piece| piece.bytes).sum::<u64>();
        let longest = pieces.last().map_or(0, |piece| piece.bytes);
        let (spans, mut before) = (all / span_bytes.max(1), 0);
        let middle = pieces.iter().find(|piece| {
            before += piece.bytes;
            before * 2 >= all - longest
        });
        // One that is damaged makes longer spans.
        let bytes = middle
            .filter(|_| spans > 0)
            .and_then(|piece| piece.read(&*self.disk).ok())
            .unwrap_or_default();
        let spans = usize::try_from(spans).unwrap_or(usize::MAX);
        for n in 1..=spans {
            let at = bytes.len() / (spans + 1) * n;
            let line = memchr::memchr(RS, &bytes[at..]).map_or(bytes.len(), |end| at + end + 2);
            cuts.extend(bytes.get(line..).map(|line| target_of(line).to_vec()));
        }
        cuts.into_iter().collect()
    }
}

impl Spans<'_> {
    /// Hands what `make` makes of each span of targets that begin with `prefix`, which the state was cut at, to
    /// `take`, in their order, until it breaks. `take` is told the target before which all is done: another
    /// reader goes on there by `from`.
    ///
    /// # Errors
    /// When the disk refuses, and what `make` says.
    pub fn each<T: Send, B: Send>(
        &self,
        prefix: &str,
        from: &[u8],
        make: &(dyn Fn(&Span) -> Result<T> + Sync),
        take: &mut (dyn FnMut(T, &[u8]) -> ControlFlow<B> + Send),
    ) -> Result<ControlFlow<B>> {
        let is_here =
            |at: &usize| self.cuts[*at].starts_with(prefix.as_bytes()) && self.behind(*at) > from;
        let wanted: Vec<usize> = (0..self.cuts.len()).filter(is_here).collect();
        let turn = Mutex::new(Turn { taken: 0, take, broke: None, over: false });
        let turns = Turns { next: AtomicUsize::new(0), turn, moved: Condvar::new() };
        let work = || {
            let _if_it_panics = Last(&turns);
            loop {
                let at = turns.next.fetch_add(1, Ordering::Relaxed);
                let Some(&span) = wanted.get(at) else { return Ok(()) };
                let made = self.load(span, from).and_then(|span| make(&span));
                let made = made.inspect_err(|_| turns.end())?;
                if !turns.hand_on(at, made, self.behind(span)) {
                    return Ok(());
                }
            }
        };
        side_by_side(threads().clamp(1, wanted.len().max(1)), &work)?;
        let broke = turns.turn.into_inner().unwrap_or_else(PoisonError::into_inner).broke;
        Ok(broke.map_or(ControlFlow::Continue(()), ControlFlow::Break))
    }

    /// Where the next one begins.
    fn behind(&self, span: usize) -> &[u8] {
        self.cuts.get(span + 1).map_or(END, Vec::as_slice)
    }

    fn load(&self, span: usize, begin: &[u8]) -> Result<Span> {
        let mut bytes = Vec::new();
        for source in &self.sources {
            let (from, to) = (source.begins[span], source.begins[span + 1]);
            match &source.text {
                _ if from == to => {}
                Text::Held(held) => bytes.extend_from_slice(&held[place(from)..place(to)]),
                Text::File(piece) => {
                    let read = piece.read_at(&*self.reader.disk, from, to - from);
                    bytes.extend_from_slice(&self.reader.or_replaced(read)?);
                }
            }
        }
        let ends = self.cuts[span].iter().zip(self.behind(span));
        let alike = ends.take_while(|(first, last)| first == last).count();
        Ok(Span { bytes, begin: begin.to_vec(), alike })
    }
}

impl Span {
    /// Hands the winning lines of each target to `take`, by target and within it by field.
    pub fn each<'s>(&'s self, mut take: impl FnMut(&[Line<'s>])) {
        let lines = self.lines();
        let heads = heads(&lines);
        // Most are told apart by a few bytes, which is faster than to look the targets up.
        let mut heads: Vec<(u64, (usize, usize))> =
            heads.into_iter().map(|head| (self.key(lines[head.0].target()), head)).collect();
        let target = |head: &(u64, (usize, usize))| lines[head.1.0].target();
        heads.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| target(a).cmp(target(b))));
        let mut several: Vec<Line<'s>> = Vec::new();
        heads.retain(|head| target(head) >= self.begin.as_slice());
        for same in heads.chunk_by(|a, b| a.0 == b.0 && target(a) == target(b)) {
            if let [(_, (from, to))] = same {
                take(&lines[*from..*to]);
                continue;
            }
            several.clear();
            same.iter().for_each(|(_, (from, to))| several.extend_from_slice(&lines[*from..*to]));
            // Of lines of one key the greatest is the winner's.
            several.sort_unstable_by(|a, b| (a.field(), b.bytes).cmp(&(b.field(), a.bytes)));
            several.dedup_by(|later, first| later.field() == first.field());
            take(&several);
        }
    }

    /// The target of some of these lines, and what they say of it.
    ///
    /// # Errors
    /// When one breaks a rule, as none in a checkpoint does.
    pub fn entity(lines: &[Line<'_>]) -> Result<(Target, Entity)> {
        let (mut target, mut entity) = (None, Entity::default());
        for line in lines {
            if target.is_none() {
                target = Some(checkpoint::read_line(line.bytes, paths::CHECKPOINT)?.target);
            }
            let (field, entry) = checkpoint::read_entry(line.bytes, paths::CHECKPOINT)?;
            entity.merge(field, entry);
        }
        let none = || StoreError::Damaged {
            path: paths::CHECKPOINT.to_owned(),
            offset: 0,
            what: "a target without lines".to_owned(),
        };
        Ok((target.ok_or_else(none)?, entity))
    }

    /// The bytes behind those that are alike, in the order of the targets as far as they go.
    fn key(&self, target: &[u8]) -> u64 {
        let mut key = [0; 8];
        let behind = target.get(self.alike..).unwrap_or_default();
        key.iter_mut().zip(behind).for_each(|(to, from)| *to = *from);
        u64::from_be_bytes(key)
    }

    fn lines(&self) -> Vec<Line<'_>> {
        let (mut lines, mut at) = (Vec::with_capacity(self.bytes.len() / 96), 0);
        for end in memchr::memchr_iter(RS, &self.bytes) {
            lines.extend(Line::of(&self.bytes[at..end]));
            at = (end + 2).min(self.bytes.len());
        }
        lines
    }
}

/// Where the lines of each target begin and end; a target that several files tell of is there several times. What
/// one file ends with may be what the next begins with: then it is no longer sorted.
fn heads(lines: &[Line<'_>]) -> Vec<(usize, usize)> {
    let mut at = 0;
    let runs = lines.chunk_by(|a, b| a.target() == b.target() && a.field() < b.field());
    let head = |run: &[Line<'_>]| {
        at += run.len();
        (at - run.len(), at)
    };
    runs.map(head).collect()
}

/// The first text behind all that begin so.
fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut behind = prefix.to_vec();
    if let Some(last) = behind.last_mut() {
        *last += 1;
    }
    behind
}

fn begins(bytes: &[u8], cuts: &[Vec<u8>]) -> Vec<u64> {
    let begin = |cut: &Vec<u8>| checkpoint::first_of(bytes, cut) as u64;
    cuts.iter().map(begin).chain([bytes.len() as u64]).collect()
}

fn held(delta: &Delta, cuts: &[Vec<u8>]) -> Source {
    let mut bytes = Vec::new();
    for (target, entity) in delta {
        for (field, entry) in &entity.fields {
            bytes.extend_from_slice(usv::line_of(target, field, entry).as_bytes());
            bytes.extend_from_slice(&[RS, b'\n']);
        }
    }
    Source { begins: begins(&bytes, cuts), text: Text::Held(bytes) }
}

/// It lies in memory, so it fits.
fn place(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// What takes what was made of each span, and is told what comes behind it.
type Take<'t, T, B> = dyn FnMut(T, &[u8]) -> ControlFlow<B> + Send + 't;

/// Whose turn it is to hand on what it made.
struct Turns<'t, T, B> {
    /// What nobody works on yet.
    next: AtomicUsize,
    turn: Mutex<Turn<'t, T, B>>,
    moved: Condvar,
}

struct Turn<'t, T, B> {
    /// What was handed on.
    taken: usize,
    take: &'t mut Take<'t, T, B>,
    broke: Option<B>,
    over: bool,
}

impl<'t, T, B> Turns<'t, T, B> {
    fn lock(&self) -> MutexGuard<'_, Turn<'t, T, B>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all before it was handed on; tells whether it goes on.
    fn hand_on(&self, at: usize, made: T, behind: &[u8]) -> bool {
        let mut turn = self.lock();
        while turn.taken != at && !turn.over {
            turn = self.moved.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        if turn.over {
            return false;
        }
        match (turn.take)(made, behind) {
            ControlFlow::Continue(()) => turn.taken += 1,
            ControlFlow::Break(why) => (turn.broke, turn.over) = (Some(why), true),
        }
        self.moved.notify_all();
        !turn.over
    }

    fn end(&self) {
        self.lock().over = true;
        self.moved.notify_all();
    }
}

/// Lets nobody wait for the turn of one that is no more.
struct Last<'l, 't, T, B>(&'l Turns<'t, T, B>);

impl<T, B> Drop for Last<'_, '_, T, B> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
        }
    }
}
