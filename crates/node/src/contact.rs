//! How people are reached: telephone numbers and e-mail addresses stay as they were typed; what they come
//! to is worked out when they are read.

mod email;
mod phone;
mod region;

pub use email::doubt;
pub use phone::e164;

use region::{REGIONS, Region};

/// The country that somebody writes: `DE`, `DEU`, `Germany`; its two letters.
#[must_use]
pub fn country(text: &str) -> Option<&'static str> {
    named(text).map(|region| region.code)
}

/// The two-letter code of the country that is nearest to what was written.
#[must_use]
pub fn nearest_country(text: &str) -> Option<&'static str> {
    let text = text.trim().to_lowercase();
    let alike = |name: &str| strsim::jaro_winkler(&text, &name.to_lowercase());
    let best = |region: &Region| region.names.split('|').map(alike).fold(0.0, f64::max);
    let near = REGIONS.iter().max_by(|a, b| best(a).total_cmp(&best(b)))?;
    (best(near) > 0.8).then_some(near.code)
}

fn named(text: &str) -> Option<&'static Region> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let same = |name: &str| name == text || name.to_lowercase() == text.to_lowercase();
    REGIONS.iter().find(|region| same(region.code) || region.names.split('|').any(same))
}
