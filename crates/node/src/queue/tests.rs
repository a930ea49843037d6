#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;

use cocli_core::bucket::{Created, Failure, Key, Listed};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::durable::fake::{Faulty, MemoryBucket, Plan};
use crate::support::{at, birth, compact};
use crate::{Rim, home};
use cocli_core::Epoch;

thread_local! {
    static DRAWN: Cell<u64> = const { Cell::new(0) };
}

/// Tokens and ids that differ, as a rim draws them.
fn epoch() -> Epoch {
    let drawn = DRAWN.replace(DRAWN.get() + 1);
    Epoch::from_random(drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes())
}

fn rim() -> Rim {
    Rim { machine: "m".into(), epoch }
}

/// A home with a campaign whose claims are late after a second, and do not settle.
fn home(path: &Path, name: &str, cards: bool) -> Home {
    let birth = home::Birth { cards, ..birth(name) };
    let home = Home::create(path, &birth, rim(), at(0)).unwrap();
    home.new_campaign("Roadmap", at(0)).unwrap();
    let rules = "[queue]\nexpires = 1\nsettle = 0\n";
    std::fs::write(path.join("campaigns/roadmap/config.toml"), rules).unwrap();
    home
}

/// A worker at a home, with a clock that the test turns.
struct Worker<'w> {
    queue: Queue<'w>,
    bucket: Option<&'w dyn Bucket>,
    waiter: Waiter,
}

fn worker<'w>(home: &'w Home, bucket: Option<&'w dyn Bucket>) -> Worker<'w> {
    let queue = home.queue(&home.campaign("roadmap").unwrap(), "enrichment").unwrap();
    Worker { queue, bucket, waiter: Waiter::default() }
}

impl Worker<'_> {
    /// Acts at a second of both clocks.
    fn at<T>(
        &mut self,
        second: f64,
        act: impl FnOnce(&Queue<'_>, &mut Waiter, &Means<'_>) -> T,
    ) -> T {
        let micros = (second * 1e6) as i64;
        let now = Instant::from_micros(at(0).micros() + micros).unwrap();
        let clock = move || (micros.unsigned_abs(), now);
        let means = Means { bucket: self.bucket, clock: &clock, boot: "boot".into() };
        act(&self.queue, &mut self.waiter, &means)
    }

    fn push(&mut self, count: i64) -> Vec<String> {
        let payloads = (0..count).map(|n| json!({ "n": n })).collect();
        self.at(0.0, |queue, _, means| queue.push(payloads, means).unwrap().0)
    }

    fn claim(&mut self, second: f64) -> Option<Won> {
        match self.at(second, |queue, waiter, means| queue.claim(waiter, means)).unwrap().0 {
            Sought::Won(won) => Some(*won),
            Sought::None(_) => None,
        }
    }

    fn done(&mut self, won: &Won, second: f64) -> Result<Ended> {
        let token = Some(won.claim.token.as_str());
        self.at(second, |queue, _, means| queue.done(&won.task, token, means)).map(|done| done.0)
    }

    fn fail(&mut self, won: &Won, second: f64) -> Result<Ended> {
        let said = (Some(won.claim.token.as_str()), Some("no answer"));
        self.at(second, |queue, _, means| queue.fail(&won.task, said, means)).map(|done| done.0)
    }

    fn state(&self, id: &str) -> TaskState {
        Task::one(&self.queue.entity().unwrap(), id).unwrap().state
    }
}

fn is_lost(ended: Result<Ended>) -> bool {
    matches!(ended, Err(NodeError::Queue(QueueError::Lost { .. })))
}

/// What one home wrote of what expires comes to another.
fn carry(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from.join("wal")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("202611_") {
            std::fs::copy(entry.path(), to.join("wal").join(name)).unwrap();
        }
    }
}

/// Two homes that know the same tasks and nothing more of each other, and maybe a bucket.
struct Pair {
    dirs: [tempfile::TempDir; 2],
    homes: [Home; 2],
    ids: Vec<String>,
}

fn pair(count: i64, bucket: Option<&dyn Bucket>) -> Pair {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let homes = [home(dirs[0].path(), "one", false), home(dirs[1].path(), "two", false)];
    let ids = worker(&homes[0], bucket).push(count);
    carry(dirs[0].path(), dirs[1].path());
    Pair { dirs, homes, ids }
}

#[test]
fn a_task_in_the_bucket_is_one_workers_and_its_end_is_taken_once() {
    let bucket = MemoryBucket::new();
    let Pair { dirs: _dirs, homes, ids } = pair(1, Some(&bucket));
    let (mut one, mut two) = (worker(&homes[0], Some(&bucket)), worker(&homes[1], Some(&bucket)));
    let won = one.claim(1.0).unwrap();
    assert_eq!((won.claim.attempt, &won.task.id), (1, &ids[0]));
    assert!(two.claim(1.0).is_none() && one.claim(1.0).is_none());
    assert!(is_lost(two.done(&won, 1.1)));
    assert_eq!(
        one.done(&won, 1.2).unwrap(),
        Ended { state: TaskState::Done, attempt: 1, already: false }
    );
    assert!(one.done(&won, 1.3).unwrap().already);
    assert!(is_lost(one.fail(&won, 1.4)));
    // The other finds out, and tells it.
    assert_eq!(two.state(&ids[0]), TaskState::Waiting);
    assert!(two.claim(9.0).is_none());
    assert_eq!(two.state(&ids[0]), TaskState::Done);
}

/// A bucket in which somebody else is faster by one step: what `rival` says is created first.
struct Race<'r> {
    below: &'r MemoryBucket,
    rival: fn(&Claim) -> Claim,
}

impl Bucket for Race<'_> {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Failure> {
        self.below.get(key)
    }

    fn create(&self, key: &Key, bytes: &[u8]) -> Result<Created, Failure> {
        let rival = (self.rival)(&Claim::read(bytes).unwrap());
        self.below.create(key, &rival.text())?;
        self.below.create(key, bytes)
    }

    fn replace(&self, key: &Key, bytes: &[u8]) -> Result<(), Failure> {
        self.below.replace(key, bytes)
    }

    fn list(&self, folder: &Key) -> Result<Vec<Listed>, Failure> {
        self.below.list(folder)
    }

    fn folders(&self, folder: &Key) -> Result<Vec<String>, Failure> {
        self.below.folders(folder)
    }

    fn remove(&self, keys: &[Key]) -> Result<(), Failure> {
        self.below.remove(keys)
    }
}

#[test]
fn of_two_that_want_one_number_the_second_gets_nothing_be_it_a_claim_or_an_end() {
    let bucket = MemoryBucket::new();
    let Pair { dirs: _dirs, homes, ids } = pair(1, Some(&bucket));
    let rival = |claim: &Claim| Claim { token: "rival".into(), ..claim.clone() };
    let race = Race { below: &bucket, rival };
    assert!(
        worker(&homes[0], Some(&race)).claim(1.0).is_none(),
        "of another worker of this very node"
    );
    assert_eq!(worker(&homes[0], Some(&race)).state(&ids[0]), TaskState::Waiting);
    // One that was late and ends its task, when somebody takes it over.
    let Pair { dirs: _dirs, homes, ids } = pair(1, Some(&bucket));
    let won = worker(&homes[0], Some(&bucket)).claim(1.0).unwrap();
    let rival = |claim: &Claim| Claim {
        step: Step::Held,
        node: NodeId::read("three").unwrap(),
        ..claim.clone()
    };
    let race = Race { below: &bucket, rival };
    let mut late = worker(&homes[0], Some(&race));
    assert!(is_lost(late.done(&won, 9.0)));
    assert_ne!(late.state(&ids[0]), TaskState::Done);
    let newest = bucket.get(&Key::claim("roadmap", "enrichment", &ids[0], 2)).unwrap();
    assert_eq!(Claim::read(&newest.unwrap()).unwrap().node.as_str(), "three");
}

#[test]
fn who_is_late_loses_its_task_and_who_beats_keeps_it() {
    let bucket = MemoryBucket::new();
    let Pair { dirs: _dirs, homes, ids } = pair(1, Some(&bucket));
    let (mut one, mut two) = (worker(&homes[0], Some(&bucket)), worker(&homes[1], Some(&bucket)));
    let won = one.claim(0.0).unwrap();
    assert!(two.claim(100.0).is_none(), "it was seen for the first time");
    one.at(100.5, |queue, _, means| queue.beat(&won.task, None, means)).unwrap();
    assert!(two.claim(100.6).is_none());
    assert!(two.claim(101.5).is_none(), "it changed less than a second ago");
    let taken = two.claim(101.7).unwrap();
    assert_eq!((taken.claim.attempt, taken.claim.n), (2, 2));
    assert!(is_lost(one.done(&won, 101.8)));
    assert!(one.at(101.9, |queue, _, means| queue.beat(&won.task, None, means)).is_err());
    two.done(&taken, 102.0).unwrap();
    assert_eq!(two.state(&ids[0]), TaskState::Done);
}

#[test]
fn what_was_seen_of_a_claim_counts_in_the_next_command_of_this_boot_only() {
    let bucket = MemoryBucket::new();
    let Pair { dirs: _dirs, homes, .. } = pair(1, Some(&bucket));
    worker(&homes[0], Some(&bucket)).claim(0.0).unwrap();
    let claims = |second, boot: &str| {
        let mut two = worker(&homes[1], Some(&bucket));
        two.waiter = Waiter::load(&homes[1], boot).unwrap();
        let won = two.claim(second);
        two.waiter.save(&homes[1]).unwrap();
        won
    };
    assert!(claims(5.0, "boot").is_none());
    assert!(claims(5.9, "another").is_none());
    assert!(claims(6.5, "another").is_none(), "it was seen 0.6 s ago");
    assert_eq!(claims(7.0, "another").unwrap().claim.attempt, 2);
}

#[test]
fn a_task_that_fails_again_and_again_is_laid_aside_until_a_person_puts_it_back() {
    for bucket in [None, Some(&MemoryBucket::new() as &dyn Bucket)] {
        let dir = tempfile::tempdir().unwrap();
        let home = home(dir.path(), "one", true);
        let mut one = worker(&home, bucket);
        let id = one.push(1).remove(0);
        let file = |folder: &str| {
            dir.path()
                .join(format!("campaigns/roadmap/queues/enrichment/{folder}/{id}.json"))
                .exists()
        };
        assert!(file("pending"));
        for attempt in 1..=3 {
            let won = one.claim(f64::from(attempt)).unwrap();
            assert_eq!(won.claim.attempt, attempt);
            assert!(file("pending"));
            let ended = one.fail(&won, f64::from(attempt)).unwrap();
            let (state, folder) = match attempt {
                3 => (TaskState::Sideline, "sideline"),
                _ => (TaskState::Failed, "failed"),
            };
            assert_eq!((ended.state, one.state(&id)), (state, state));
            assert!(file(folder) && !file("pending"));
        }
        assert!(one.claim(90.0).is_none());
        let task = one.queue.tasks().unwrap().remove(0);
        assert_eq!(task.reason.as_deref(), Some("no answer"));
        one.at(91.0, |queue, _, means| queue.retry(&task, means)).unwrap();
        assert!(
            one.at(91.0, |queue, _, means| queue.retry(&task, means)).is_err() && file("pending")
        );
        let won = one.claim(92.0).unwrap();
        assert_eq!(won.claim.attempt, 1);
        one.done(&won, 93.0).unwrap();
        assert!(file("completed") && !file("sideline") && !file("pending"));
    }
}

#[test]
fn a_worker_that_dies_each_time_is_one_attempt_each_time() {
    for bucket in [None, Some(&MemoryBucket::new() as &dyn Bucket)] {
        let dir = tempfile::tempdir().unwrap();
        let home = home(dir.path(), "one", false);
        let mut one = worker(&home, bucket);
        let id = one.push(1).remove(0);
        let mut attempts = Vec::new();
        for second in 0..20 {
            attempts.extend(one.claim(f64::from(second)).map(|won| won.claim.attempt));
        }
        assert_eq!((attempts, one.state(&id)), (vec![1, 2, 3], TaskState::Sideline));
    }
}

#[test]
fn an_end_that_was_killed_before_it_was_told_is_told_by_who_claims_next() {
    let bucket = MemoryBucket::new();
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path(), "one", false);
    let mut one = worker(&home, Some(&bucket));
    let id = one.push(1).remove(0);
    let won = one.claim(0.0).unwrap();
    let end = won.claim.then(Step::Done);
    bucket.create(&Key::claim("roadmap", "enrichment", &id, 2), &end.text()).unwrap();
    assert_eq!(one.state(&id), TaskState::Held);
    assert!(one.claim(9.0).is_none());
    assert_eq!(one.state(&id), TaskState::Done);
    assert!(one.done(&won, 10.0).unwrap().already);
}

#[test]
fn without_a_bucket_two_nodes_that_hear_each_other_agree_and_a_task_that_is_done_stays_done() {
    let Pair { dirs, homes, ids } = pair(1, None);
    let (mut one, mut two) = (worker(&homes[0], None), worker(&homes[1], None));
    // They do not hear each other: both have it.
    let (first, second) = (one.claim(1.0).unwrap(), two.claim(2.0).unwrap());
    carry(dirs[0].path(), dirs[1].path());
    carry(dirs[1].path(), dirs[0].path());
    let claims = [&one, &two].map(|worker| worker.queue.tasks().unwrap().remove(0).claim.unwrap());
    assert_eq!(claims[0], claims[1]);
    assert_eq!(claims[0], second.claim);
    assert!(is_lost(one.done(&first, 3.0)));
    two.done(&second, 4.0).unwrap();
    carry(dirs[1].path(), dirs[0].path());
    for (worker, dir) in [&one, &two].into_iter().zip([0, 1]) {
        assert_eq!(worker.state(&ids[0]), TaskState::Done);
        compact(&homes[dir], at(9));
        assert_eq!(worker.state(&ids[0]), TaskState::Done);
    }
    assert!(one.claim(50.0).is_none());
}

#[test]
fn tasks_of_the_bucket_are_left_alone_by_a_home_without_one() {
    let bucket = MemoryBucket::new();
    let Pair { dirs: _dirs, homes, .. } = pair(2, Some(&bucket));
    let mut two = worker(&homes[1], None);
    let refused = two.at(1.0, |queue, waiter, means| queue.claim(waiter, means)).unwrap_err();
    assert!(matches!(refused, NodeError::Queue(QueueError::NeedsBucket { count: 2, .. })));
}

#[test]
fn files_of_tasks_say_what_the_journals_say_after_a_compaction() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path(), "one", true);
    let mut one = worker(&home, None);
    let ids = one.push(3);
    let won = one.claim(1.0).unwrap();
    one.done(&won, 2.0).unwrap();
    let queue = dir.path().join("campaigns/roadmap/queues/enrichment");
    let done = queue.join(format!("completed/{}.json", ids[0]));
    let right = std::fs::read_to_string(&done).unwrap();
    let tmp = queue.join("pending/t00000000000-abcd.json");
    std::fs::write(&done, "changed by hand").unwrap();
    std::fs::remove_file(queue.join(format!("pending/{}.json", ids[1]))).unwrap();
    let ours = "{\"id\":\"t00000000000-abcd\",\"state\":\"pending\",\"payload\":1}";
    std::fs::write(&tmp, ours).unwrap();
    let pythons = queue.join("pending/ChIJ5X0j7DHDwogRvQgaGw0y4FM.json");
    std::fs::write(&pythons, "{\"place_id\":\"ChIJ5X0j7DHDwogRvQgaGw0y4FM\"}").unwrap();
    std::fs::create_dir(queue.join("pending/a")).unwrap();
    std::fs::write(queue.join("pending/README.md"), "somebody's").unwrap();
    home.session(at(3)).unwrap().place_all().unwrap();
    assert_eq!(std::fs::read_to_string(&done).unwrap(), right);
    assert!(queue.join(format!("pending/{}.json", ids[1])).exists() && !tmp.exists());
    assert!(pythons.exists());
    assert!(queue.join("pending/a").exists() && queue.join("pending/README.md").exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Workers that take, beat, fail, end and forget what they had, at a bucket whose answers get lost.
    #[test]
    fn each_task_is_done_at_most_once_whatever_the_bucket_answers(
        moves in prop::collection::vec((0usize..3, 0u8..8, 1u32..700), 1..60), seed in any::<u64>(),
    ) {
        let bucket = Faulty::new(MemoryBucket::new(), Plan::default());
        let Pair { dirs: _dirs, homes, ids } = pair(4, Some(&bucket));
        bucket.follow(Plan { seed, away: 5, lost: 10, ..Plan::default() });
        let mut workers = [0, 1, 1].map(|at: usize| worker(&homes[at], Some(&bucket)));
        let mut held: [Option<Won>; 3] = [None, None, None];
        let (mut second, mut ends) = (0.0, Vec::new());
        for (who, what, passed) in moves {
            second += f64::from(passed) / 1000.0;
            let worker = &mut workers[who];
            match (held[who].take(), what) {
                (None, _) => {
                    let sought = worker.at(second, |queue, waiter, means| queue.claim(waiter, means));
                    if let Ok((Sought::Won(won), _)) = sought {
                        held[who] = Some(*won);
                    }
                }
                (Some(won), 0..=3) => match worker.done(&won, second) {
                    Ok(ended) => ends.push((won.task.id.clone(), won.claim.token.clone(), ended.state)),
                    Err(NodeError::Queue(_)) => {}
                    // Nobody knows: it is said again.
                    Err(_) => held[who] = Some(won),
                },
                (Some(won), 4) => drop(worker.fail(&won, second)),
                (Some(won), 5..=6) => {
                    let _ = worker.at(second, |queue, _, means| queue.beat(&won.task, None, means));
                    held[who] = Some(won);
                }
                (Some(_), _) => {}
            }
        }
        bucket.follow(Plan::default());
        let tokens: BTreeSet<_> = ends.iter().map(|(id, token, _)| (id, token)).collect();
        let done: BTreeSet<_> = ends.iter().map(|(id, ..)| id).collect();
        prop_assert_eq!(tokens.len(), done.len(), "two workers did one task: {:?}", ends);
        // All come to an end, and the bucket knows each end once.
        for step in 0..40 {
            second += 0.6;
            if let Some(won) = workers[step % 3].claim(second) {
                workers[step % 3].done(&won, second).unwrap();
            }
        }
        let contents = bucket.below().contents();
        for id in &ids {
            let of_task = contents.iter().filter(|(key, _)| key.contains(id.as_str()));
            let claims: Vec<Claim> = of_task.map(|(_, text)| Claim::read(text).unwrap()).collect();
            let ended = claims.iter().filter(|claim| matches!(claim.step, Step::Done | Step::Sideline)).count();
            prop_assert_eq!(ended, 1, "{:?}", claims);
            if ends.iter().any(|(done, ..)| done == id) {
                prop_assert!(claims.iter().any(|claim| claim.step == Step::Done));
            }
        }
    }
}
