//! What one Python peer sent last and was told, field by field: `.cocli/python/`, as docs/gossip.md
//! tells. Bounded, whatever comes; of what was forgotten the journals are asked when it comes again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use cocli_core::digest::hash;
use cocli_core::limits::{
    PYTHON_FIELDS_MAX, PYTHON_LISTS_BYTES_MAX, PYTHON_MEMORY_BYTES_MAX, PYTHON_TOLD_MAX,
};
use cocli_core::{Field, LogId, NodeId, Target};

/// Node ids that a peer writes under.
const IDS_MAX: usize = 8;
/// Of so many fields the longest unheard one is forgotten when there are too many.
const FORGET_ONE_IN: usize = 5;
/// Bytes of a line `said KEY VALUE TIME` without the time, and of `list KEY TIME MEMBER...` without time
/// and members.
const SAID_BYTES: usize = 4 + 17 + 17 + 2;
const LIST_BYTES: usize = 4 + 17 + 3;
/// Bytes of a line `told KEY VALUE`.
const TOLD_BYTES: usize = 4 + 17 + 17 + 1;

/// A field of a target, or a value of it, by its hash.
pub(super) type Hash = u64;

/// Members of a list by the name of their element, each with the hash of its value.
pub(super) type Members = BTreeMap<String, Hash>;

/// The lowest half of a hash: enough to tell some hundred thousand values apart.
pub(super) fn short(bytes: &[u8]) -> Hash {
    (hash(bytes) & u128::from(u64::MAX)) as Hash
}

/// The hash of a field of a target.
pub(super) fn key(target: &Target, field: &Field) -> Hash {
    short(format!("{target}\u{1f}{field}").as_bytes())
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Known {
    said: Option<Hash>,
    /// The time of the last record, in microseconds.
    at: i64,
    /// The last list that it sent, as it stands in the file.
    list: Option<Box<str>>,
    /// Values that it was told since then, the oldest first.
    told: Vec<Hash>,
    /// When it was last heard or told of, by a clock that only counts.
    touched: u64,
}

impl Known {
    /// Bytes of its lines in the file.
    fn bytes(&self) -> usize {
        let time = digits(self.at);
        let said = self.said.map_or(0, |_| SAID_BYTES + time);
        let list = self.list.as_ref().map_or(0, |list| LIST_BYTES + time + list.len());
        said + list + TOLD_BYTES * self.told.len()
    }
}

/// Characters of a number.
fn digits(number: i64) -> usize {
    let figures = number.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    figures + usize::from(number < 0)
}

/// All that is remembered of a peer.
#[derive(Debug, Default)]
pub(super) struct Memory {
    fields: BTreeMap<Hash, Known>,
    /// Bytes of the lists, and of all lines of fields in a file that holds nothing else.
    lists_bytes: usize,
    lines_bytes: usize,
    clock: u64,
    /// How far it was told each log.
    at: BTreeMap<LogId, u64>,
    /// The nodes that it writes as.
    ids: BTreeSet<NodeId>,
    /// Lines that are not in the file yet.
    news: String,
}

impl Memory {
    /// The last value that it sent.
    pub(super) fn said(&self, key: Hash) -> Option<Hash> {
        self.fields.get(&key)?.said
    }

    /// Whether it has sent a record of this time, or a later one.
    pub(super) fn is_past(&self, key: Hash, at: i64) -> bool {
        let known = self.fields.get(&key);
        known.is_some_and(|k| (k.said.is_some() || k.list.is_some()) && at <= k.at)
    }

    /// The last list that it sent.
    pub(super) fn list(&self, key: Hash) -> Option<Members> {
        Some(members_of(self.fields.get(&key)?.list.as_deref()?))
    }

    /// Whether it was told this value, and has sent no other since.
    pub(super) fn was_told(&self, key: Hash, value: Hash) -> bool {
        self.fields.get(&key).is_some_and(|known| known.told.contains(&value))
    }

    /// It sends this value, in a record of this time.
    pub(super) fn says(&mut self, key: Hash, value: Hash, at: i64) {
        self.change(key, |known| {
            let repeated = known.said == Some(value);
            match known.told.iter().position(|told| *told == value) {
                // It has taken over this one; those that it was told later may be on their way.
                Some(at) => drop(known.told.drain(..=at)),
                None if repeated => {}
                None => known.told.clear(),
            }
            (known.said, known.at) = (Some(value), at);
        });
        self.note(format_args!("said {key:016x} {value:016x} {at}"));
        self.bound();
    }

    /// It sends this list, in a record of this time; what it was told of the members in it is settled.
    pub(super) fn lists(&mut self, key: Hash, members: &Members, told: &[Hash], at: i64) {
        let text = text_of(members);
        for element in told {
            if self.forget(element) {
                self.note(format_args!("told {element:016x}"));
            }
        }
        self.change(key, |known| {
            known.at = at;
            known.list = Some(text.as_str().into());
        });
        self.note(format_args!("list {key:016x} {at} {text}"));
        self.bound();
    }

    /// It is told this value.
    pub(super) fn tell(&mut self, key: Hash, value: Hash) {
        let mut new = false;
        self.change(key, |known| {
            new = known.told.last() != Some(&value);
            if new {
                known.told.retain(|told| *told != value);
                known.told.push(value);
            }
            if known.told.len() > PYTHON_TOLD_MAX {
                known.told.remove(0);
            }
        });
        if !new {
            return;
        }
        self.note(format_args!("told {key:016x} {value:016x}"));
        self.bound();
    }

    /// How far it was told a log.
    pub(super) fn at(&self, log: &LogId) -> u64 {
        self.at.get(log).copied().unwrap_or(0)
    }

    /// It was told a log up to there.
    pub(super) fn told_up_to(&mut self, log: &LogId, position: u64) {
        if self.at.get(log) != Some(&position) {
            self.at.insert(log.clone(), position);
            self.note(format_args!("at {log} {position}"));
        }
    }

    /// It was told all logs as far as another memory of it says.
    pub(super) fn take_positions(&mut self, other: &Self) {
        for (log, position) in &other.at {
            self.told_up_to(log, *position);
        }
    }

    /// Whether it writes as this node.
    pub(super) fn is(&self, node: &NodeId) -> bool {
        self.ids.contains(node)
    }

    /// It writes as this node.
    pub(super) fn writes_as(&mut self, node: &NodeId) {
        if self.ids.len() < IDS_MAX && self.ids.insert(node.clone()) {
            self.note(format_args!("id {node}"));
        }
    }

    /// The lines that came since the last time.
    pub(super) fn take_news(&mut self) -> String {
        std::mem::take(&mut self.news)
    }

    /// The bytes that [`Memory::text`] has.
    pub(super) fn bytes(&self) -> usize {
        let at = self.at.iter().map(|(log, position)| format!("at {log} {position}\n").len());
        let ids = self.ids.iter().map(|node| format!("id {node}\n").len());
        at.chain(ids).sum::<usize>() + self.lines_bytes
    }

    fn change(&mut self, key: Hash, how: impl FnOnce(&mut Known)) {
        self.clock += 1;
        let known = self.fields.entry(key).or_default();
        let (lines, list) = (known.bytes(), known.list.as_ref().map_or(0, |list| list.len()));
        how(known);
        known.touched = self.clock;
        self.lines_bytes = self.lines_bytes + known.bytes() - lines;
        self.lists_bytes = self.lists_bytes + known.list.as_ref().map_or(0, |l| l.len()) - list;
    }

    /// Whether there was something to forget.
    fn forget(&mut self, key: &Hash) -> bool {
        let Some(known) = self.fields.remove(key) else { return false };
        self.lines_bytes -= known.bytes();
        self.lists_bytes -= known.list.map_or(0, |list| list.len());
        true
    }

    fn note(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.news, "{line}");
    }

    /// Forgets the longest untouched when there is too much.
    fn bound(&mut self) {
        while self.fields.len() > PYTHON_FIELDS_MAX
            || self.lists_bytes > PYTHON_LISTS_BYTES_MAX
            || self.lines_bytes > PYTHON_MEMORY_BYTES_MAX
        {
            let mut ages: Vec<u64> = self.fields.values().map(|known| known.touched).collect();
            let at = ages.len() / FORGET_ONE_IN;
            let (_, oldest, _) = ages.select_nth_unstable(at);
            let oldest = *oldest;
            self.fields.retain(|_, known| known.touched > oldest);
            let lists = self.fields.values().filter_map(|known| known.list.as_ref());
            self.lists_bytes = lists.map(|list| list.len()).sum();
            self.lines_bytes = self.fields.values().map(Known::bytes).sum();
        }
    }

    /// All of it as it stands in a file, the longest untouched first.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (log, position) in &self.at {
            let _ = writeln!(text, "at {log} {position}");
        }
        for node in &self.ids {
            let _ = writeln!(text, "id {node}");
        }
        let mut fields: Vec<(&Hash, &Known)> = self.fields.iter().collect();
        fields.sort_by_key(|(_, known)| known.touched);
        for (key, known) in fields {
            if let Some(list) = &known.list {
                let _ = writeln!(text, "list {key:016x} {} {list}", known.at);
            }
            if let Some(value) = known.said {
                let _ = writeln!(text, "said {key:016x} {value:016x} {}", known.at);
            }
            for value in &known.told {
                let _ = writeln!(text, "told {key:016x} {value:016x}");
            }
        }
        text
    }

    /// Reads the text of a file; lines that do not read are passed over.
    pub(super) fn read(text: &str) -> Self {
        let mut memory = Self::default();
        for line in text.lines() {
            let _ = memory.read_line(line);
        }
        memory.news.clear();
        memory
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        let (first, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let hex =
            |text: &str| (text.len() == 16).then(|| Hash::from_str_radix(text, 16).ok()).flatten();
        match word {
            "at" => self.told_up_to(&LogId::read(first).ok()?, rest.parse().ok()?),
            "id" => self.writes_as(&NodeId::read(first).ok()?),
            "said" => {
                let (value, at) = rest.split_once(' ')?;
                self.says(hex(first)?, hex(value)?, at.parse().ok()?);
            }
            "told" if rest.is_empty() => drop(self.forget(&hex(first)?)),
            "told" => self.tell(hex(first)?, hex(rest)?),
            "list" => {
                let (at, members) = rest.split_once(' ')?;
                self.lists(hex(first)?, &members_of(members), &[], at.parse().ok()?);
            }
            _ => return None,
        }
        Some(())
    }
}

/// `NAME` for a member of a set, `NAME=VALUE` for one of a map.
fn text_of(members: &Members) -> String {
    let truth = short(b"true");
    let member = |(name, value): (&String, &Hash)| {
        if *value == truth { name.clone() } else { format!("{name}={value:016x}") }
    };
    members.iter().map(member).collect::<Vec<_>>().join(" ")
}

fn members_of(text: &str) -> Members {
    let member = |word: &str| match word.split_once('=') {
        None => Some((word.to_string(), short(b"true"))),
        Some((name, value)) => Some((name.to_string(), Hash::from_str_radix(value, 16).ok()?)),
    };
    text.split(' ').filter(|word| !word.is_empty()).filter_map(member).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Act {
        Says(Hash, Hash),
        Tells(Hash, Hash),
        Lists(Hash, Vec<String>),
        At(u64),
        Id(u8),
    }

    fn act() -> impl Strategy<Value = Act> {
        let name = "[a-z]{1,3}(%20)?";
        prop_oneof![
            (0..6_u64, 0..4_u64).prop_map(|(k, v)| Act::Says(k, v)),
            (0..6_u64, 0..4_u64).prop_map(|(k, v)| Act::Tells(k, v)),
            (6..9_u64, prop::collection::vec(name, 0..4)).prop_map(|(k, l)| Act::Lists(k, l)),
            (0..9_u64).prop_map(Act::At),
            (0..20_u8).prop_map(Act::Id),
        ]
    }

    fn after(acts: &[Act]) -> Memory {
        let mut memory = Memory::default();
        for act in acts {
            match act {
                Act::Says(key, value) => memory.says(*key, *value, *value as i64),
                Act::Tells(key, value) => memory.tell(*key, *value),
                Act::Lists(key, list) => {
                    let value = |name: &String| match name.ends_with("%20") {
                        true => short(b"Bob"),
                        false => short(b"true"),
                    };
                    let members = list.iter().map(|name| (name.clone(), value(name))).collect();
                    memory.lists(*key, &members, &[*key - 6], 7);
                }
                Act::At(position) => memory.told_up_to(&LogId::read("pi1").unwrap(), *position),
                Act::Id(n) => memory.writes_as(&NodeId::read(&format!("n{n}")).unwrap()),
            }
        }
        memory
    }

    type Content = (BTreeMap<Hash, Known>, Vec<(LogId, u64)>, Vec<NodeId>);

    /// All but the count by which the oldest are forgotten.
    fn content(memory: &Memory) -> Content {
        let still = |known: &Known| Known { touched: 0, ..known.clone() };
        let fields = memory.fields.iter().filter(|(_, known)| still(known) != Known::default());
        let fields = fields.map(|(key, known)| (*key, still(known))).collect();
        let at = memory.at.iter().map(|(log, position)| (log.clone(), *position)).collect();
        (fields, at, memory.ids.iter().cloned().collect())
    }

    proptest! {
        #[test]
        fn the_lines_that_were_noted_and_the_whole_text_read_back_as_what_was_remembered(
            acts in prop::collection::vec(act(), 0..60)
        ) {
            let mut memory = after(&acts);
            let noted = memory.take_news();
            for text in [noted, memory.text()] {
                let again = Memory::read(&text);
                prop_assert_eq!(content(&again), content(&memory), "{}", text);
                prop_assert_eq!(again.lists_bytes, memory.lists_bytes);
                prop_assert_eq!(again.bytes(), memory.text().len());
                prop_assert!(again.news.is_empty());
            }
            prop_assert!(memory.ids.len() <= IDS_MAX);
            prop_assert!(memory.fields.values().all(|k| k.told.len() <= PYTHON_TOLD_MAX));
        }

        #[test]
        fn any_text_is_read(text in "((at|id|said|told|list|x) [0-9a-f]{0,17} ?[a-z0-9=% ]{0,20}\n?){0,9}") {
            let memory = Memory::read(&text);
            prop_assert_eq!(content(&Memory::read(&memory.text())), content(&memory));
        }
    }

    #[test]
    fn a_value_that_was_told_later_than_the_one_sent_may_still_come() {
        let mut memory = Memory::default();
        (1..=3).for_each(|value| memory.tell(0, value));
        memory.says(0, 2, 0);
        assert_eq!([1, 2, 3].map(|value| memory.was_told(0, value)), [false, false, true]);
        memory.says(0, 9, 1);
        assert!(!memory.was_told(0, 3));
    }

    #[test]
    fn of_too_many_fields_the_longest_unheard_are_forgotten() {
        let mut memory = Memory::default();
        for key in 0..=PYTHON_FIELDS_MAX as u64 {
            memory.says(key, 1, 0);
        }
        assert!(memory.fields.len() <= PYTHON_FIELDS_MAX, "{}", memory.fields.len());
        assert_eq!((memory.said(0), memory.said(PYTHON_FIELDS_MAX as u64)), (None, Some(1)));
        let long: String = "x".repeat(PYTHON_LISTS_BYTES_MAX / 4);
        for key in 0..9 {
            memory.lists(key, &Members::from([(format!("{long}{key}"), 1)]), &[], 0);
        }
        assert!(memory.lists_bytes <= PYTHON_LISTS_BYTES_MAX, "{}", memory.lists_bytes);
        assert!(memory.list(8).is_some() && memory.list(0).is_none());
    }

    #[test]
    fn what_is_remembered_stays_below_its_ceiling_whatever_is_told() {
        let mut memory = Memory::default();
        for key in 0..PYTHON_FIELDS_MAX as u64 {
            (0..PYTHON_TOLD_MAX as u64).for_each(|value| memory.tell(key, value));
        }
        let text = memory.text().len();
        assert!(text == memory.bytes() && text <= PYTHON_MEMORY_BYTES_MAX, "{text}");
        assert!(text > PYTHON_MEMORY_BYTES_MAX / 2, "more is forgotten than has to be: {text}");
    }
}
