//! The text format 0.0.4 of Prometheus: HELP, TYPE and samples, each metric once. A crate that writes it keeps
//! registries of counters for it; what is told here was counted elsewhere, and is read once.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// A metric that may be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

/// A label and its value, where a sample has one.
pub(super) type Label<L> = Option<(L, String)>;

/// What is told of metrics.
#[derive(Debug)]
pub(super) struct Sheet {
    metrics: &'static [Metric],
    /// By name, and then by label and its value.
    samples: BTreeMap<&'static str, BTreeMap<Label<&'static str>, f64>>,
}

impl Sheet {
    pub(super) fn new(metrics: &'static [Metric]) -> Self {
        Self { metrics, samples: BTreeMap::new() }
    }

    pub(super) fn put(&mut self, name: &'static str, value: f64) {
        self.samples.entry(name).or_default().insert(None, value);
    }

    pub(super) fn put_for(
        &mut self,
        name: &'static str,
        (label, of): (&'static str, &str),
        value: f64,
    ) {
        self.samples.entry(name).or_default().insert(Some((label, of.to_owned())), value);
    }

    /// What has samples, in the order of the list.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for Metric { name, kind, help } in self.metrics {
            let Some(samples) = self.samples.get(name) else { continue };
            // Writing to a text cannot fail.
            let _ = writeln!(text, "# HELP {name} {}", escaped(help, false));
            let _ = writeln!(text, "# TYPE {name} {}", kind.word());
            for (label, value) in samples {
                let _ = match label {
                    Some((label, of)) => {
                        writeln!(text, "{name}{{{label}=\"{}\"}} {value}", escaped(of, true))
                    }
                    None => writeln!(text, "{name} {value}"),
                };
            }
        }
        text
    }
}

/// Backslashes and ends of lines are escaped, in labels quotes, too.
fn escaped(text: &str, label: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if label { text.replace('"', "\\\"") } else { text }
}
