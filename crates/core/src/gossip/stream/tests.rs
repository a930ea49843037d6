use alloc::vec;
use proptest::prelude::*;

use super::*;
use crate::digest::ClusterId;
use crate::gossip::event::FetchEnd;
use crate::gossip::testing::MemoryLogs;
use crate::time::Day;

fn log() -> LogId {
    LogId::read("pi1").unwrap()
}

fn held(records: &[(u32, Vec<u8>)]) -> MemoryLogs {
    let mut logs = MemoryLogs::new(ClusterId([7; 16]));
    for (day, record) in records {
        let mut record = record.clone();
        record.push(crate::usv::RS);
        logs.append(&log(), Day::from_number(20_261_100 + day).unwrap(), &record);
    }
    logs
}

fn record() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(b'a'..=b'd', 1..4)
}

/// Two branches: common records, then each its own; days rise.
fn branches() -> impl Strategy<Value = [Vec<(u32, Vec<u8>)>; 3]> {
    let part = || prop::collection::vec((0_u32..2, record()), 0..12);
    (part(), part(), part()).prop_map(|parts| {
        let mut day = 1;
        let common: Vec<_> = parts
            .0
            .into_iter()
            .map(|(d, r)| {
                day += d;
                (day, r)
            })
            .collect();
        let dated = |part: Vec<(u32, Vec<u8>)>| {
            let mut day = day;
            part.into_iter()
                .map(|(d, r)| {
                    day += d;
                    (day, r)
                })
                .collect()
        };
        [common, dated(parts.1), dated(parts.2)]
    })
}

fn compare(ours: &mut dyn Logs, theirs: &mut dyn Logs) -> Verdict {
    let start = Head::start(&ClusterId([7; 16]), &log());
    let (mut comparer, mut question) = Comparer::new(log(), start, ours);
    for _ in 0..1000 {
        let read = Question::read(&question.write()).unwrap();
        assert_eq!(read, question);
        let answered = answer(theirs, &read);
        let answered = Answer::read(&answered.write()).unwrap();
        match comparer.take(answered, ours) {
            Asked::Next(next) => question = next,
            Asked::Over(verdict) => return verdict,
        }
    }
    panic!("it never ends");
}

proptest! {
    #[test]
    fn both_sides_of_a_fork_decide_alike_and_by_the_first_record_that_differs(parts in branches()) {
        let [common, one, two] = parts;
        let branch = |own: &[(u32, Vec<u8>)]| [common.clone(), own.to_vec()].concat();
        let (left, right) = (branch(&one), branch(&two));
        let (mut a, mut b) = (held(&left), held(&right));
        let verdicts = (compare(&mut a, &mut b), compare(&mut b, &mut a));
        let parted = left.iter().zip(&right).position(|(l, r)| l != r);
        match parted {
            None => prop_assert_eq!(verdicts, (Verdict::Open, Verdict::Open)),
            Some(at) => {
                let by = |r: &(u32, Vec<u8>)| { let mut b = r.1.clone(); b.push(crate::usv::RS); (b, r.0) };
                let (winner, loser, kept, lost) = if by(&left[at]) > by(&right[at]) {
                    (verdicts.0, verdicts.1, &left, &right)
                } else {
                    (verdicts.1, verdicts.0, &right, &left)
                };
                prop_assert_eq!(winner, Verdict::Keep);
                let mut of_common = held(&kept[..at]);
                let common = of_common.head(&log()).unwrap_or(of_common.start(&log()));
                let lost = held(&lost[..=at]).head(&log()).unwrap().hash;
                prop_assert_eq!(loser, Verdict::Yield { common, lost });
            }
        }
    }

    #[test]
    fn where_history_went_below_what_is_common_both_sides_decide_as_if_it_had_not(
        parts in branches(),
        bases in any::<[prop::sample::Index; 2]>(),
    ) {
        let [common, one, two] = parts;
        let branch = |own: &[(u32, Vec<u8>)]| [common.clone(), own.to_vec()].concat();
        let (mut a, mut b) = (held(&branch(&one)), held(&branch(&two)));
        let whole = (compare(&mut a, &mut b), compare(&mut b, &mut a));
        let begun = |logs: MemoryLogs, base: prop::sample::Index| {
            let base = held(&common[..base.index(common.len() + 1)]).head(&log());
            Based(logs, base.map_or(0, |head| head.position))
        };
        let (mut a, mut b) = (begun(a, bases[0]), begun(b, bases[1]));
        prop_assert_eq!((compare(&mut a, &mut b), compare(&mut b, &mut a)), whole);
    }

    #[test]
    fn a_fetch_brings_the_rest_from_any_record_on(parts in branches(), cut in any::<prop::sample::Index>()) {
        let all = parts.concat();
        prop_assume!(!all.is_empty());
        let mut theirs = held(&all);
        let mut ours = held(&all[..cut.index(all.len() + 1)]);
        let from = ours.head(&log()).unwrap_or(ours.start(&log()));
        let mut fetcher = Fetcher::new(log(), from, u64::MAX);
        let end = loop {
            match fetcher.take(answer(&mut theirs, &fetcher.question())) {
                Ok(range) => {
                    ours.append(&log(), range.day, &range.bytes);
                    if let Err(end) = fetcher.go_on(range.end()) {
                        break end;
                    }
                }
                Err(end) => break end,
            }
        };
        prop_assert_eq!(end, FetchEnd::Whole);
        prop_assert_eq!(ours.head(&log()), theirs.head(&log()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Question::read(&bytes);
        let _ = Answer::read(&bytes);
    }
}

#[test]
fn marks_are_narrowed_down_when_there_are_too_many_for_one_question() {
    let records: Vec<(u32, Vec<u8>)> =
        (0..5000_u32).map(|n| (1, n.to_be_bytes().to_vec())).collect();
    let mut other = records.clone();
    other[3210].1 = vec![b'z'];
    let (mut a, mut b) = (held(&records), held(&other));
    let Verdict::Yield { common, .. } = compare(&mut a, &mut b) else { panic!("ours is less") };
    assert_eq!(Some(common), held(&records[..3210]).head(&log()));
}

#[test]
fn questions_and_answers_about_checkpoints_read_back() {
    for shard in [None, Some(7)] {
        let file = SortedFile { shard, hash: 42 << 100 };
        let odd = |behind| Question::Odd { behind, max: 300 };
        let lines = Question::Lines { file, offset: 9, max: 300 };
        for question in [Question::Checkpoint, lines, odd(None), odd(Some((log(), 77)))] {
            let bytes = question.write();
            assert_eq!(Question::read(&bytes), Some(question));
            assert_eq!(Question::read(&[&bytes[..], b"x"].concat()), None);
        }
        let lines = Answer::Lines { file, offset: 9, bytes: b"lines".to_vec() };
        let manifest = Answer::Manifest(b"{}".to_vec());
        let odd = Answer::Odd(b"entries".to_vec());
        let others = [Answer::Odd(Vec::new()), Answer::Below(4711), Answer::Unreadable];
        for answer in [lines, manifest, odd].into_iter().chain(others) {
            assert_eq!(Answer::read(&answer.write()), Some(answer));
        }
    }
}

#[test]
fn a_head_that_is_no_records_end_here_differs() {
    let mut logs = held(&[(1, vec![b'a'; 10]), (1, vec![b'b'; 10])]);
    let mut from = logs.start(&log());
    from.position = 5;
    let question = Question::Fetch { log: log(), from, until: u64::MAX, max: 100 };
    assert_eq!(answer(&mut logs, &question), Answer::Differs);
    from.position = 500;
    let question = Question::Fetch { log: log(), from, until: u64::MAX, max: 100 };
    assert_eq!(answer(&mut logs, &question), Answer::Lacks);
}

/// Logs of which what is before a base is not held.
struct Based(MemoryLogs, u64);

impl Logs for Based {
    fn head(&mut self, log: &LogId) -> Option<Head> {
        self.0.head(log)
    }

    fn hash_at(&mut self, log: &LogId, position: u64) -> Result<Option<ChainHash>, Unreadable> {
        if position < self.1 { Err(Unreadable) } else { self.0.hash_at(log, position) }
    }

    fn read(&mut self, log: &LogId, from: u64, until: u64, max: usize) -> Option<Range> {
        if from < self.1 { None } else { self.0.read(log, from, until, max) }
    }

    fn heads(&mut self, log: &LogId, after: u64, before: u64) -> Vec<Head> {
        // Marks are few.
        let mut heads = self.0.heads(log, after.max(self.1), before);
        heads.retain(|head| head.position % 5 == 0);
        heads
    }

    fn base(&mut self, _: &LogId) -> u64 {
        self.1
    }

    fn manifest(&mut self) -> Option<Vec<u8>> {
        self.0.manifest()
    }

    fn lines(&mut self, file: SortedFile, offset: u64, max: usize) -> Option<Vec<u8>> {
        self.0.lines(file, offset, max)
    }

    fn odd(&mut self, behind: Option<&(LogId, u64)>, max: usize) -> Result<Vec<u8>, Unreadable> {
        self.0.odd(behind, max)
    }
}

#[test]
fn who_does_not_hold_the_beginning_of_a_log_lacks_it_and_is_on_no_other_branch() {
    let records: Vec<(u32, Vec<u8>)> = (1..7).map(|n| (n, vec![b'a'; n as usize])).collect();
    let (mut whole, mut other) = (held(&records), held(&records[..1]));
    // Ends of records: 2, 5, 9, 14, 20, 27.
    let mut based = Based(held(&records), 9);
    let mut head =
        |position| Head { position, hash: whole.hash_at(&log(), position).unwrap().unwrap() };
    let heads = [2, 5, 9, 14].map(&mut head);
    let mut common = |heads: &[Head]| {
        answer(&mut based, &Question::Common { log: log(), heads: heads.to_vec() })
    };
    assert_eq!(common(&heads), Answer::Common(4), "what is below a common head is common");
    assert_eq!(common(&heads[..2]), Answer::Below(9));
    let mut forked = heads;
    forked[3].hash = ChainHash([9; 16]);
    assert_eq!(common(&forked), Answer::Common(3));
    assert_eq!(common(&forked[3..]), Answer::Common(0));
    let fetch = |from| Question::Fetch { log: log(), from, until: u64::MAX, max: 100 };
    assert_eq!(answer(&mut based, &fetch(heads[1])), Answer::Below(9));
    assert!(matches!(answer(&mut based, &fetch(heads[2])), Answer::Chunk(_)));
    // Whoever compares with it comes to no verdict by what is not there.
    other.append(&log(), Day::from_number(20_261_102).unwrap(), b"zz\x1e");
    let start = other.start(&log());
    let (mut comparer, question) = Comparer::new(log(), start, &mut other);
    let mut answered = answer(&mut based, &question);
    while let Asked::Next(next) = comparer.take(answered, &mut other) {
        answered = answer(&mut based, &next);
        let nothing = matches!(answered, Answer::Lacks | Answer::Below(9) | Answer::Common(0));
        assert!(nothing, "{answered:?}");
    }
}
