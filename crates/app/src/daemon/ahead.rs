//! Asking ahead: whoever fetches a log has the next chunk sent to it while it works on the last one.

use cocli_core::gossip::stream::{Answer, Question};

/// The question for the chunk behind the one that was sent last over the same stream.
pub(super) const MORE: &[u8] = &[4];

/// Whether a chunk that came before it was asked for is the answer to this question.
pub(super) fn answers(early: &[u8], question: &[u8]) -> bool {
    let Some(Question::Fetch { log, from, .. }) = Question::read(question) else { return false };
    Answer::place(early).is_some_and(|(of, start, _)| (of, start) == (log, from))
}

/// Whether what was asked for goes on behind this answer.
pub(super) fn goes_on(question: &[u8], answer: &[u8]) -> bool {
    let Some(Question::Fetch { until, .. }) = Question::read(question) else { return false };
    Answer::place(answer).is_some_and(|(.., end)| end < until)
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
        assert!(goes_on(&ask("pi", head(10, 1), 13), &chunk));
        assert!(!goes_on(&ask("pi", head(10, 1), 12), &chunk));
        assert!(!goes_on(&ask("pi", head(10, 1), 13), &Answer::Lacks.write()));
    }
}
