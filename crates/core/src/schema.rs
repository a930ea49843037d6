//! The kinds of entities and the types of their fields. A type says how a value is *read* and shown;
//! it never decides a merge.

use crate::name::Target;

/// What an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `companies/{slug}`
    Company,
    /// `people/{slug}`
    Person,
    /// `{entity}/notes/{id}`
    Note,
    /// `{entity}/meetings/{id}`
    Meeting,
}

/// How a field's value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text as it is.
    Text,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// An instant, ISO-8601.
    Time,
    /// An e-mail address.
    Email,
    /// A telephone number, digits.
    Phone,
    /// A list in the order that people gave it, one value as a whole.
    List,
    /// A list without order, merged element by element.
    Set,
    /// A map, merged key by key.
    Map,
    /// The text under the front matter.
    Body,
}

/// One field of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    /// Its name.
    pub name: &'static str,
    /// How it is read.
    pub ty: Type,
    /// A counter or rating that changes by itself: conflicts there are not listed.
    pub quiet: bool,
}

const fn of(name: &'static str, ty: Type) -> FieldSpec {
    FieldSpec { name, ty, quiet: false }
}

const fn quiet(name: &'static str, ty: Type) -> FieldSpec {
    FieldSpec { name, ty, quiet: true }
}

use Type::{Body, Email, Float, Int, List, Map, Phone, Set, Text, Time};

const COMPANY: &[FieldSpec] = &[
    of("name", Text),
    of("domain", Text),
    of("type", Text),
    of("tags", Set),
    of("slug", Text),
    of("company_hash", Text),
    of("description", Body),
    quiet("visits_per_day", Int),
    of("keywords", Set),
    of("full_address", Text),
    of("street_address", Text),
    of("city", Text),
    of("zip_code", Text),
    of("state", Text),
    of("country", Text),
    of("timezone", Text),
    of("phone_1", Phone),
    of("phone_number", Phone),
    of("phone_from_website", Phone),
    of("email", Email),
    of("website_url", Text),
    of("all_emails", Set),
    of("email_contexts", Map),
    of("tech_stack", List),
    of("categories", Set),
    quiet("reviews_count", Int),
    quiet("average_rating", Float),
    of("business_status", Text),
    of("hours", Text),
    of("latitude", Float),
    of("longitude", Float),
    of("facebook_url", Text),
    of("linkedin_url", Text),
    of("instagram_url", Text),
    of("twitter_url", Text),
    of("youtube_url", Text),
    of("about_us_url", Text),
    of("contact_url", Text),
    of("services", List),
    of("products", List),
    of("meta_description", Text),
    of("meta_keywords", Text),
    of("place_id", Text),
    quiet("last_enriched", Time),
    of("list_found_at", Time),
    of("details_found_at", Time),
    of("enqueued_at", Time),
    of("callback_at", Time),
    quiet("enrichment_ttl_days", Int),
    quiet("processed_by", Text),
    of("all_phones", Set),
    of("next_step", Text),
    of("next_at", Time),
];

const PERSON: &[FieldSpec] = &[
    of("name", Text),
    of("email", Email),
    of("phone", Phone),
    of("company_name", Text),
    of("role", Text),
    of("tags", Set),
    of("slug", Text),
    of("full_address", Text),
    of("street_address", Text),
    of("city", Text),
    of("state", Text),
    of("zip_code", Text),
    of("country", Text),
    of("body", Body),
    of("company", Text),
    of("companies", Set),
    of("all_emails", Set),
    of("all_phones", Set),
    of("next_step", Text),
    of("next_at", Time),
];

const NOTE: &[FieldSpec] = &[of("timestamp", Time), of("title", Text), of("content", Body)];

const MEETING: &[FieldSpec] =
    &[of("timestamp", Time), of("title", Text), of("type", Text), of("content", Body)];

/// The collections of the pool.
pub const POOL: [&str; 2] = ["companies", "people"];
/// Every collection that a target may be in.
pub const COLLECTIONS: [&str; 4] = ["companies", "people", "campaigns", "nodes"];

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Company, Self::Person, Self::Note, Self::Meeting];

    /// The conversations that stand below an entity.
    pub const CONVOS: [Self; 2] = [Self::Note, Self::Meeting];

    /// What many of it are called: the collection, or the part of a target that they stand below.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Company => "companies",
            Self::Person => "people",
            Self::Note => "notes",
            Self::Meeting => "meetings",
        }
    }

    /// Whether it is one of [`Kind::CONVOS`].
    #[must_use]
    pub fn is_convo(self) -> bool {
        Self::CONVOS.contains(&self)
    }

    /// The kind of a target, by its path alone.
    #[must_use]
    pub fn of(target: &Target) -> Option<Self> {
        let mut parts = target.as_str().split('/');
        let collection = parts.next()?;
        parts.next()?;
        match (collection, parts.next(), parts.next(), parts.next()) {
            ("companies", None, ..) => Some(Self::Company),
            ("people", None, ..) => Some(Self::Person),
            ("companies" | "people", Some("notes"), Some(_), None) => Some(Self::Note),
            ("companies" | "people", Some("meetings"), Some(_), None) => Some(Self::Meeting),
            _ => None,
        }
    }

    /// Its fields, in the order of a card.
    #[must_use]
    pub fn fields(self) -> &'static [FieldSpec] {
        match self {
            Self::Company => COMPANY,
            Self::Person => PERSON,
            Self::Note => NOTE,
            Self::Meeting => MEETING,
        }
    }

    /// Whether a field changes by itself.
    #[must_use]
    pub fn is_quiet(self, field: &str) -> bool {
        self.fields().iter().any(|spec| spec.name == field && spec.quiet)
    }

    /// The type of a field, if the schema knows it.
    #[must_use]
    pub fn type_of(self, field: &str) -> Option<Type> {
        self.fields().iter().find(|spec| spec.name == field).map(|spec| spec.ty)
    }

    /// The field that is the text under the front matter.
    #[must_use]
    pub fn body(self) -> &'static str {
        match self {
            Self::Company => "description",
            Self::Person => "body",
            Self::Note | Self::Meeting => "content",
        }
    }
}
