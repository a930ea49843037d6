//! Writes at a steady rate.

use std::time::Duration;

use cocli_core::{Field, Target, Value};
use cocli_node::Home;
use cocli_node::change::{Change, Intent};
use serde_json::{Value as Json, json};

use super::quantiles;
use crate::failure::Failure;
use crate::{clock, door};

/// Seconds that a write may take to be durable elsewhere.
const PATIENCE_S: f64 = 10.0;

/// Writes until the time is over, `rate` times a second, or one after the other when each is to be
/// durable on `wait` other nodes.
pub(crate) fn pace(
    home: &Home,
    rate: u32,
    time: Duration,
    wait: Option<usize>,
) -> Result<Json, Failure> {
    let (began, gap) = (clock::monotonic(), Duration::from_secs(1) / rate.max(1));
    let (mut own, mut spread, mut late) = (Vec::new(), Vec::new(), 0);
    let mut due = began;
    for n in 0.. {
        let now = clock::monotonic();
        if now.duration_since(began) >= time {
            break;
        }
        clock::pass(due.saturating_duration_since(now));
        late += u64::from(now.saturating_duration_since(due) > 10 * gap);
        due += gap;
        let target = Target::read(&format!("companies/pace-{}", n % 100))?;
        let field = Field::read(&format!("n{}", home.node().as_str().len() + n % 7))?;
        let change = Change::new(target, field, Intent::Put(Value::text(&format!("write {n}"))));
        let start = clock::monotonic();
        let written = home.session(clock::now())?.write("bench", &[change], false)?;
        own.push(start.elapsed());
        match wait {
            None => door::wake(home, &written.end),
            Some(nodes) => {
                door::wait(home, &written.end, nodes, PATIENCE_S)?;
                spread.push(start.elapsed());
                due = clock::monotonic() + gap;
            }
        }
    }
    Ok(
        json!({"writes": own.len(), "late": late, "own": quantiles(own), "spread": quantiles(spread)}),
    )
}
