//! What `status` says of the bucket: what is safe there, what waits, what it costs, what is the matter.

use cocli_core::Instant;
use cocli_core::bucket::Key;
use cocli_core::bucket::pace::Lacking;
use cocli_node::Home;
use cocli_node::durable::Seen;
use indicatif::HumanBytes;
use serde_json::{Value as Json, json};

use crate::bucket::Bill;
use crate::failure::Failure;
use crate::metrics;
use crate::problems::{self, Need};
use crate::render::{Screen, Tone, counted};
use crate::words::span;

/// A hub that published nothing for longer is worth a word.
const HUB_SILENT_US: i64 = 2 * 86_400_000_000;

/// What is known of the bucket of a home.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) url: String,
    /// None before the first look at it.
    pub(super) seen: Option<(Seen, Lacking)>,
    pub(super) bill: Bill,
    /// Why the daemon gets no answer, and of what kind that is.
    pub(super) trouble: Option<(String, String)>,
    /// What a month costs if it goes on like this.
    pub(super) month: Option<f64>,
}

impl Bucket {
    /// Nothing where the home has none.
    pub(super) fn of(
        home: &Home,
        daemon: Option<&Json>,
        at: Instant,
    ) -> Result<Option<Self>, Failure> {
        let Some(url) = home.config().bucket.url.clone() else { return Ok(None) };
        let seen = match home.seen()? {
            Some(seen) => {
                let lacking = home.lacking(&seen, 0)?;
                Some((seen, lacking))
            }
            None => None,
        };
        let trouble = problems::trouble(daemon).map(|(kind, said)| (kind.into(), said.into()));
        let bill = Bill::of(home, at);
        Ok(Some(Self { url, seen, month: bill.month(at), bill, trouble }))
    }

    pub(super) fn object(&self) -> Json {
        let seen = self.seen.as_ref();
        let spent = self.bill.spent;
        let published = seen.and_then(|(seen, _)| seen.published.as_ref());
        json!({
            "url": self.url,
            "own_bytes_not_there": seen.map(|(_, lacking)| lacking.mine()),
            "logs_of_others_not_there": seen.map(|(_, lacking)| lacking.others.len()),
            "nodes": seen.map(|(seen, _)| seen.next.len()),
            "manifest": seen.map(|(seen, _)| seen.manifest.0),
            "published": published.map(|(hub, at)| json!({"hub": hub.as_str(), "at": at})),
            "snapshot": seen.and_then(|(seen, _)| seen.snapshot),
            "damaged": seen.map(|(seen, _)| seen.damaged.len()),
            "gaps": seen.map(|(seen, _)| seen.stuck.len()),
            "stored_bytes": seen.map(|(seen, _)| seen.bytes),
            "requests": {"get": spent.gets, "put": spent.puts, "list": spent.lists, "delete": spent.deletes},
            "up_bytes": spent.up, "down_bytes": spent.down,
            "usd_so_far": self.bill.so_far, "usd_stored_a_month": self.bill.stored,
            "usd_month": self.month,
            "trouble": self.trouble.as_ref().map(|(kind, said)| json!({"kind": kind, "said": said})),
        })
    }

    pub(super) fn told(&self) -> metrics::Bucket<'_> {
        metrics::Bucket {
            bill: &self.bill,
            month: self.month,
            lag: self.seen.as_ref().map(|(_, lacking)| lacking.mine()),
            stored: self.seen.as_ref().map(|(seen, _)| seen.bytes),
            trouble: self.trouble.as_ref().map(|(kind, _)| kind.as_str()),
        }
    }

    pub(super) fn show(&self, lines: &mut Vec<String>, screen: Screen, at: Instant) {
        let safe = match &self.seen {
            None => screen.paint(Tone::Warn, "nothing is there yet (`cocli sync`)"),
            Some((_, lacking)) if lacking.mine() > 0 => {
                let waits = HumanBytes(lacking.mine());
                screen.paint(Tone::Warn, &format!("{waits} written here are not there yet"))
            }
            Some(_) => screen.paint(Tone::Good, "everything written here is there"),
        };
        lines.push(format!("bucket {}: {safe}", screen.safe(&self.url)));
        if let Some((seen, _)) = &self.seen {
            let nodes = counted(seen.next.len(), "node writes", "nodes write");
            let manifest = match seen.manifest.0 {
                0 => "no hub has published yet".to_owned(),
                n => format!("manifest {n} is the newest known"),
            };
            let snapshot = seen.snapshot.map(|of| format!("; for SQL: snapshot/{of}/"));
            lines.push(format!("  {nodes} there; {manifest}{}", snapshot.unwrap_or_default()));
        }
        lines.push(format!("  {}", self.cost()));
        if let Some(damaged) = self.damaged() {
            lines.push(screen.paint(Tone::Warn, &format!("  {damaged}")));
        }
        if let Some(gone) = self.hub_gone(at) {
            lines.push(screen.paint(Tone::Warn, &format!("  {gone}")));
        }
        if let Some((_, said)) = self.trouble.as_ref().filter(|(kind, _)| kind == "away") {
            let said = screen.safe(said);
            lines.push(screen.paint(Tone::Warn, &format!("  away: {said}; it is tried again")));
        }
    }

    /// A hub that published once, and not for long.
    fn hub_gone(&self, at: Instant) -> Option<String> {
        let (seen, _) = self.seen.as_ref()?;
        let (hub, published) = seen.published.as_ref()?;
        let silent_us = at.micros() - Instant::read(published)?.micros();
        (silent_us >= HUB_SILENT_US).then(|| {
            let seconds = u64::try_from(silent_us / 1_000_000).unwrap_or_default();
            format!(
                "the hub is gone: {hub} published last {} ago (`cocli hub run` there, or on another node)",
                span(seconds)
            )
        })
    }

    /// What there cannot be read.
    fn damaged(&self) -> Option<String> {
        let (seen, _) = self.seen.as_ref()?;
        let (node, n) = seen.damaged.first()?;
        let (objects, first) =
            (counted(seen.damaged.len(), "object", "objects"), Key::object(node, *n));
        Some(format!(
            "{objects} cannot be read ({first}): it is tried again, and who wrote it uploads what it held once more"
        ))
    }

    fn cost(&self) -> String {
        let spent = self.bill.spent;
        let asked = spent.gets + spent.puts + spent.lists + spent.deletes;
        let so_far = format!(
            "this month {asked} requests ({} reads, {} writes, {} listings), {} up, {} down: {:.4} USD",
            spent.gets,
            spent.puts,
            spent.lists,
            HumanBytes(spent.up),
            HumanBytes(spent.down),
            self.bill.so_far,
        );
        match self.month {
            Some(month) => format!("{so_far}; about {month:.2} USD a month at S3's list prices"),
            None => so_far,
        }
    }

    /// What needs a person.
    pub(super) fn problems(&self) -> Vec<Need> {
        let trouble = self.trouble.as_ref().map(|(kind, said)| (kind.as_str(), said.as_str()));
        problems::of_bucket(trouble, self.seen.as_ref().map(|(seen, _)| seen))
    }
}
