//! What passes with time: logs of heartbeats and tasks, a month each. They merge by the same laws as all
//! else; only their end is decided here, by the wall clock that is given.

use crate::limits::{CLOCK_MONTHS_MAX, EXPIRY_REST_US, MONTHS_KEPT};
use crate::merge::Entry;
use crate::name::{LogId, Target};
use crate::time::{Instant, Month};
use crate::value::Plain;

/// States of a task after which nobody works on it any more.
pub const FINISHED: [&str; 4] = ["done", "completed", "failed", "cancelled"];

/// The oldest month whose log is told, asked for and taken at this moment: three whole months have passed
/// after those before it.
#[must_use]
pub fn oldest_told(now: Instant) -> Month {
    now.day().month().before(MONTHS_KEPT)
}

/// The oldest month whose log stays on the disk. What is told no more rests for a while: a clock that is
/// set back by less has lost nothing.
#[must_use]
pub fn oldest_kept(now: Instant) -> Month {
    let before = now.micros().saturating_sub_unsigned(EXPIRY_REST_US);
    oldest_told(Instant::from_micros(before).unwrap_or(Instant::MIN))
}

/// Whether a log is no longer told, asked for or taken. One that stays never is.
#[must_use]
pub fn is_over(log: &LogId, oldest: Option<Month>) -> bool {
    matches!((log.month, oldest), (Some(month), Some(oldest)) if month < oldest)
}

/// Whether a clock may end logs: not when it is more than a year ahead of the newest month that another
/// node wrote in, where any did.
#[must_use]
pub fn is_believed(now: Instant, newest_of_others: Option<Month>) -> bool {
    newest_of_others.is_none_or(|newest| now.day().month().before(CLOCK_MONTHS_MAX) <= newest)
}

/// Whether an entry is a task that somebody may still have to do: of a queue, a JSON object, and its
/// `state`, should it have one, is none of [`FINISHED`].
#[must_use]
pub fn is_unfinished(target: &Target, entry: &Entry) -> bool {
    if !(target.may_expire() && target.collection() == "campaigns") {
        return false;
    }
    let Plain::Tree(serde_json::Value::Object(task)) = entry.value.plain() else { return false };
    let state = task.get("state").and_then(serde_json::Value::as_str);
    !state.is_some_and(|state| FINISHED.contains(&state))
}

/// Whether the winner among what goes has to be written again before it goes. `rest` is the winner among
/// all that stays: an older one must not take its place, and nobody forgets a task that is unfinished.
#[must_use]
pub fn is_carried(target: &Target, going: &Entry, rest: Option<&Entry>) -> bool {
    match rest {
        Some(rest) => rest < going,
        None => is_unfinished(target, going),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::Causality;
    use crate::name::NodeId;
    use crate::stamp::Stamp;
    use crate::value::Value;

    fn at(text: &str) -> Instant {
        Instant::read(text).unwrap()
    }

    fn month(text: &str) -> Month {
        Month::read(text).unwrap()
    }

    #[test]
    fn a_month_is_told_for_three_whole_months_after_it_and_kept_a_day_longer() {
        assert_eq!(oldest_told(at("2027-02-28T23:59:59.999999Z")), month("202611"));
        assert_eq!(oldest_told(at("2027-03-01T00:00:00Z")), month("202612"));
        assert_eq!(oldest_kept(at("2027-03-01T23:59:59.999999Z")), month("202611"));
        assert_eq!(oldest_kept(at("2027-03-02T00:00:00Z")), month("202612"));
        assert_eq!(oldest_kept(Instant::MIN), month("196910"));
    }

    #[test]
    fn only_expiring_logs_of_older_months_are_over() {
        let log = |text: &str| LogId::read(text).unwrap();
        let oldest = Some(month("202612"));
        assert!(is_over(&log("pi1~~202611"), oldest));
        assert!(!is_over(&log("pi1~~202612"), oldest));
        assert!(!is_over(&log("pi1"), oldest));
        assert!(!is_over(&log("pi1~~202611"), None));
    }

    #[test]
    fn a_clock_a_year_ahead_of_all_others_ends_nothing() {
        let others = Some(month("202611"));
        assert!(is_believed(at("2027-11-30T00:00:00Z"), others));
        assert!(!is_believed(at("2027-12-01T00:00:00Z"), others));
        assert!(is_believed(at("2099-12-01T00:00:00Z"), None));
    }

    #[test]
    fn a_task_is_unfinished_until_its_state_says_otherwise() {
        let queue = Target::read("campaigns/roadmap/queues/enrichment").unwrap();
        let node = Target::read("nodes/pi1").unwrap();
        let entry = |value: &str| Entry {
            stamp: Stamp { instant: Instant::MIN, node: NodeId::read("pi1").unwrap() },
            value: Value::read(value),
            causality: Causality::unsaid(),
        };
        for open in [r#"{"url":"a"}"#, r#"{"state":"pending"}"#, r#"{"state":1}"#, "{}"] {
            assert!(is_unfinished(&queue, &entry(open)), "{open}");
            assert!(!is_unfinished(&node, &entry(open)), "{open}");
        }
        for over in ["null", "text", "[1]", r#"{"state":"done"}"#, r#"{"state":"failed","n":1}"#] {
            assert!(!is_unfinished(&queue, &entry(over)), "{over}");
        }
    }
}
