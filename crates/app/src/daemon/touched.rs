//! Which cards may not be as they were put in place, for whoever asks how they are: who watches them needs not to look
//! at all of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use cocli_core::Target;
use serde_json::{Value as Json, json};

/// More are not told one by one: whoever asks looks at all.
const TARGETS_MAX: usize = 256;

/// The targets, since the last look at all files; nothing while they are not known.
#[derive(Debug, Clone, Default)]
pub(super) struct Touched(Arc<Mutex<Option<BTreeSet<Target>>>>);

impl Touched {
    /// A look at all files found these, and no others.
    pub(super) fn only(&self, found: &[Target]) {
        self.set((found.len() <= TARGETS_MAX).then(|| found.iter().cloned().collect()));
    }

    /// The files of one changed.
    pub(super) fn also(&self, target: &Target) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(targets) = known.as_mut() {
            targets.insert(target.clone());
        }
        if known.as_ref().is_some_and(|targets| targets.len() > TARGETS_MAX) {
            *known = None;
        }
    }

    /// Files changed, and nobody knows which.
    pub(super) fn unknown(&self) {
        self.set(None);
    }

    pub(super) fn targets(&self) -> Option<Vec<Target>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|targets| targets.iter().cloned().collect())
    }

    pub(super) fn shown(&self) -> Json {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        json!(known.as_ref().map(|targets| targets.iter().map(Target::as_str).collect::<Vec<_>>()))
    }

    fn set(&self, targets: Option<BTreeSet<Target>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = targets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(number: usize) -> Target {
        Target::read(&format!("companies/c{number}")).unwrap()
    }

    #[test]
    fn what_changed_since_a_look_is_added_to_what_it_found_and_too_many_are_unknown() {
        let touched = Touched::default();
        touched.also(&target(1));
        assert_eq!(touched.shown(), Json::Null, "no look yet");
        touched.only(&[target(2)]);
        touched.also(&target(1));
        touched.clone().also(&target(1));
        assert_eq!(touched.shown(), json!(["companies/c1", "companies/c2"]));
        touched.unknown();
        touched.also(&target(1));
        assert_eq!(touched.shown(), Json::Null);
        let many: Vec<Target> = (0..=TARGETS_MAX).map(target).collect();
        touched.only(&many);
        assert_eq!(touched.shown(), Json::Null);
        touched.only(&many[1..]);
        assert_eq!(touched.shown().as_array().unwrap().len(), TARGETS_MAX);
        touched.also(&many[0]);
        assert_eq!(touched.shown(), Json::Null);
    }
}
