//! Asking ahead: whoever fetches a log has the next chunk sent to it while it works on the last one.

use cocli_core::gossip::stream::{Answer, Question};

/// The question for the chunk behind the one that was sent last over the same stream.
pub(super) const MORE: &[u8] = &[4];

/// Whether a chunk that came before it was asked for is the answer to this question.
pub(super) fn answers(early: &[u8], question: &[u8]) -> bool {
    let Some(Question::Fetch { log, from, .. }) = Question::read(question) else { return false };
    Answer::place(early, early.len()).is_some_and(|(of, start, _)| (of, start) == (log, from))
}

/// Whether what was asked for goes on behind an answer that starts so and has so many bytes.
pub(super) fn goes_on(question: &[u8], start: &[u8], length: usize) -> bool {
    let Some(Question::Fetch { until, .. }) = Question::read(question) else { return false };
    Answer::place(start, length).is_some_and(|(.., end)| end < until)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use cocli_core::frame::Range;
    use cocli_core::{ChainHash, Day, Head, LogId};

    use super::*;

    #[test]
    fn an_early_chunk_answers_the_question_for_its_very_place_alone() {
        let head = |position, hash| Head { position, hash: ChainHash([hash; 16]) };
        let ask = |log: &str, from, until| {
            Question::Fetch { log: LogId::read(log).unwrap(), from, until, max: 9 }.write()
        };
        let chunk = Answer::Chunk(Range {
            log: LogId::read("pi").unwrap(),
            day: Day::read("20261123").unwrap(),
            position: 10,
            hash_before: ChainHash([1; 16]),
            bytes: vec![b'x', 0x1e],
        })
        .write();
        assert!(answers(&chunk, &ask("pi", head(10, 1), 99)));
        for other in
            [ask("mac", head(10, 1), 99), ask("pi", head(12, 1), 99), ask("pi", head(10, 2), 99)]
        {
            assert!(!answers(&chunk, &other));
        }
        assert!(!answers(&Answer::End.write(), &ask("pi", head(10, 1), 99)));
        let goes_on = |until, answer: &[u8]| {
            let question = ask("pi", head(10, 1), until);
            let whole = goes_on(&question, answer, answer.len());
            // Its head says as much, and less says nothing.
            let start = &answer[..answer.len() - 2.min(answer.len())];
            assert_eq!(goes_on(&question, start, answer.len()), whole);
            assert!(!goes_on(&question, &start[..start.len() - start.len().min(1)], answer.len()));
            whole
        };
        assert!(goes_on(13, &chunk));
        assert!(!goes_on(12, &chunk));
        assert!(!goes_on(13, &Answer::Lacks.write()));
    }
}
