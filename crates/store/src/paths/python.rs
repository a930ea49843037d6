//! Where the Python program keeps things in a home of its own, as far as they are brought in.

/// A card's name in the folder of its company.
pub const CARD: &str = "_index.md";
/// The list of tags beside it.
pub const TAGS: &str = "tags.lst";
/// Journals of one company, which an early version kept in its folder.
pub const UPDATES: &str = "updates";
/// Links to people in the folder of a company.
pub const CONTACTS: &str = "contacts";

/// Something in a folder by its name.
#[must_use]
pub fn within(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Who is left out of a campaign, one file each.
#[must_use]
pub fn exclusions(campaign: &str) -> String {
    format!("{campaign}/indexes/exclude")
}

/// E-mail addresses that were found for a campaign.
#[must_use]
pub fn emails(campaign: &str) -> String {
    format!("{campaign}/indexes/emails")
}

/// Companies that were found for a campaign on Google Maps.
#[must_use]
pub fn prospects(campaign: &str) -> String {
    format!("{campaign}/indexes/google_maps_prospects")
}
