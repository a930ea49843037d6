//! Who is who: which entity that is there, or came before, a row or a contact is of. docs/import.md, "Who is the same".

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cocli_core::digest::hash;
use cocli_core::schema::Type;
use cocli_core::{Entity, Field, Kind, NameError, Target, Value};
use serde_json::Value as Json;

use super::hosts::{host, telling};
use crate::contact::e164;
use crate::followup::company_of;
use crate::slug::{slug, variants};
use crate::union::WENT;

/// Slugs beyond a taken one that are compared by what they hold; of more of one name the next free one is taken.
const NAMESAKES_MAX: usize = 32;
/// Shorter ids of places are what people type where there is none: `N/A`, `not found`.
const PLACE_ID_CHARS_MIN: usize = 12;
/// How often one entity may have become another.
const WENT_MAX: usize = 64;

/// What tells one from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum By {
    Place,
    Domain,
    /// That of an e-mail address, where nothing says a domain: it may be a provider's.
    MailDomain,
    Email,
    Phone,
    Company,
    /// Alone it tells nobody; it says whether the others mean the same one.
    Name,
}

/// A value that tells, by its hash.
type Key = (By, u128);

/// What is known by which keys.
#[derive(Debug, Default)]
pub(super) struct Identities {
    ones: Vec<One>,
    by_target: HashMap<Target, usize>,
    by_key: HashMap<(Kind, Key), Vec<usize>>,
    /// Of a slug with namesakes, where to look for a free one.
    free_from: HashMap<(Kind, String), usize>,
    /// Entities that became others, until [`Identities::settle_gone`].
    gone: Vec<Gone>,
    /// The country of telephone numbers that name none.
    region: Option<String>,
}

#[derive(Debug)]
struct One {
    target: Target,
    keys: Vec<Key>,
}

/// One that became another.
#[derive(Debug)]
struct Gone {
    kind: Kind,
    target: Target,
    into: Target,
    keys: Vec<Key>,
}

/// What a match is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// To bring values in: it has to be the same.
    Joining,
    /// To tell a person that it may be the same.
    Telling,
}

/// Who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// This one, known or new.
    One(Target),
    /// Several that are not one another.
    Several(Vec<Target>),
}

impl Identities {
    pub(super) fn new(region: Option<String>) -> Self {
        Self { region, ..Self::default() }
    }

    pub(super) fn knows(&self, target: &Target) -> bool {
        self.by_target.contains_key(target)
    }

    /// What a target is by now: one that became another is that one.
    pub(super) fn now(&self, target: &Target) -> Option<&Target> {
        self.by_target.get(target).map(|at| &self.ones[*at].target)
    }

    /// The country of telephone numbers that name none.
    pub(super) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Takes in what is known of an entity of the pool.
    pub(super) fn learn_entity(&mut self, target: &Target, entity: &Entity) {
        let Some(kind) = Kind::of(target).filter(|kind| !kind.is_convo()) else { return };
        let removed = entity.removed().is_some();
        if !removed && !entity.is_shown() {
            return;
        }
        let values = entity.shown(Some(kind));
        let went = || {
            let entry = Field::read(WENT).ok().and_then(|field| entity.fields.get(&field))?;
            Target::read(&entry.value.shown()).ok().filter(|into| Kind::of(into) == Some(kind))
        };
        match went().filter(|_| removed) {
            Some(into) => {
                let keys = self.keys(kind, &values);
                self.gone.push(Gone { kind, target: target.clone(), into, keys });
            }
            None => self.learn(kind, target, &values),
        }
    }

    /// What those had that became others tells these: for when all of the pool was learned.
    pub(super) fn settle_gone(&mut self) {
        let gone = std::mem::take(&mut self.gone);
        let next: HashMap<Target, Target> =
            gone.iter().map(|gone| (gone.target.clone(), gone.into.clone())).collect();
        for gone in gone {
            let ways = std::iter::successors(Some(&gone.into), |into| next.get(*into));
            let Some(into) = ways.take(WENT_MAX).last() else { continue };
            let there = self.by_target.get(into).copied();
            let at = there.unwrap_or_else(|| self.one(&gone.target));
            self.add(gone.kind, at, gone.keys);
            self.by_target.insert(gone.target, at);
        }
    }

    /// Takes in what an entity has, or has more. Its first name stays its name.
    pub(super) fn learn(&mut self, kind: Kind, target: &Target, values: &BTreeMap<Field, Value>) {
        let mut keys = self.keys(kind, values);
        let at = self.one(target);
        if name_of(&self.ones[at].keys).is_some() {
            keys.retain(|key| key.0 != By::Name);
        }
        self.add(kind, at, keys);
    }

    fn one(&mut self, target: &Target) -> usize {
        let next = self.ones.len();
        let at = *self.by_target.entry(target.clone()).or_insert(next);
        if at == next {
            self.ones.push(One { target: target.clone(), keys: Vec::new() });
        }
        at
    }

    fn add(&mut self, kind: Kind, at: usize, keys: Vec<Key>) {
        let one = &mut self.ones[at];
        for key in keys {
            if !one.keys.contains(&key) {
                one.keys.push(key);
                if key.0 != By::Name {
                    self.by_key.entry((kind, key)).or_default().push(at);
                }
            }
        }
    }

    /// The entity that values are of, else a target for a new one.
    ///
    /// # Errors
    /// When the name makes no target.
    pub(super) fn who(
        &mut self,
        kind: Kind,
        values: &BTreeMap<Field, Value>,
    ) -> Result<Who, NameError> {
        let name = text(values, "name").unwrap_or_default();
        let keys = self.keys(kind, values);
        let found = self.by_keys(kind, &keys, For::Joining);
        let mut found: Vec<Target> = found.into_iter().cloned().collect();
        match found.len() {
            0 => Ok(Who::One(self.by_name(kind, &slug(&name), &keys)?)),
            1 => Ok(Who::One(found.swap_remove(0))),
            _ => Ok(Who::Several(found)),
        }
    }

    /// Others that may be the same by what they have.
    pub(super) fn alike(
        &self,
        kind: Kind,
        target: &Target,
        values: &BTreeMap<Field, Value>,
    ) -> Vec<Target> {
        let found = self.by_keys(kind, &self.keys(kind, values), For::Telling);
        found.into_iter().filter(|other| *other != target).cloned().collect()
    }

    /// Where one of this target belongs: there, unless what stands there has another domain, or a person's e-mail.
    ///
    /// # Errors
    /// When the slug makes no target.
    pub(super) fn place(
        &mut self,
        kind: Kind,
        target: &Target,
        values: &BTreeMap<Field, Value>,
    ) -> Result<Target, NameError> {
        let by = if kind == Kind::Person { By::Email } else { By::Domain };
        let mut keys = self.keys(kind, values);
        keys.retain(|key| key.0 == by);
        let Some(at) = self.by_target.get(target) else { return Ok(target.clone()) };
        let one = &self.ones[*at];
        if differ(&[by], &one.keys, &keys) {
            return self.by_name(kind, target.slug(), &keys);
        }
        Ok(one.target.clone())
    }

    /// Whether a name is known of it.
    pub(super) fn is_named(&self, target: &Target) -> bool {
        self.by_target.get(target).is_some_and(|at| name_of(&self.ones[*at].keys).is_some())
    }

    /// The one company that bears this very name, by the slugs that are made of it.
    pub(super) fn company_called(&self, name: &str) -> Option<Target> {
        let key = (By::Name, name_hash(name));
        let slug = slug(name);
        let mut found: BTreeSet<&Target> = BTreeSet::new();
        for variant in variants(&slug).take(NAMESAKES_MAX) {
            let target = Target::read(&format!("{}/{variant}", Kind::Company.plural())).ok()?;
            let Some(at) = self.by_target.get(&target) else { break };
            let one = &self.ones[*at];
            if one.keys.contains(&key) {
                found.insert(&one.target);
            }
        }
        if found.len() == 1 { found.first().map(|target| (*target).clone()) } else { None }
    }

    /// The company of a domain.
    pub(super) fn of_domain(&self, domain: &str) -> Option<&Target> {
        let key = (By::Domain, hash(telling(&host(domain)?)?.as_bytes()));
        let of = self.by_key.get(&(Kind::Company, key))?;
        (of.len() == 1).then(|| &self.ones[of[0]].target)
    }

    /// Who has one of these keys; of several that share one, to join it, the one of the name.
    fn by_keys(&self, kind: Kind, keys: &[Key], reason: For) -> BTreeSet<&Target> {
        let mut found = BTreeSet::new();
        for key in keys.iter().filter(|key| ![By::Company, By::Name].contains(&key.0)) {
            let of = equals(*key).flat_map(|held| {
                let all = self.by_key.get(&(kind, held)).into_iter().flatten();
                all.map(move |at| (held.0, &self.ones[*at]))
            });
            let fits =
                |(by, one): &(By, &One)| matches(kind, (key.0, *by), keys, &one.keys, reason);
            let fitting: Vec<&One> = of.filter(fits).map(|(_, one)| one).collect();
            let mut of_name = fitting.iter().filter(|one| name_of(&one.keys) == name_of(keys));
            match (of_name.next(), of_name.next()) {
                (Some(one), None) if reason == For::Joining => drop(found.insert(&one.target)),
                _ => found.extend(fitting.iter().map(|one| &one.target)),
            }
        }
        found
    }

    /// The first of `slug`, `slug-2`, … that is free, or bears nothing that tells it from these keys.
    fn by_name(&mut self, kind: Kind, slug: &str, keys: &[Key]) -> Result<Target, NameError> {
        let of = |slug: &str| Target::read(&format!("{}/{slug}", kind.plural()));
        for variant in variants(slug).take(NAMESAKES_MAX) {
            let target = of(&variant)?;
            let Some(at) = self.by_target.get(&target) else { return Ok(target) };
            let one = &self.ones[*at];
            let domains = &[By::Domain, By::MailDomain][..];
            let all = [&[By::Place], domains, &[By::Email], &[By::Phone], &[By::Company]];
            let other = all.into_iter().any(|by| differ(by, &one.keys, keys));
            let common = keys.iter().any(|key| key.0 != By::Name && one.keys.contains(key));
            if !other && (common || names_agree(keys, &one.keys)) {
                return Ok(one.target.clone());
            }
        }
        let from = self.free_from.entry((kind, slug.to_owned())).or_insert(NAMESAKES_MAX);
        loop {
            *from += 1;
            let target = of(&format!("{slug}-{from}"))?;
            if !self.by_target.contains_key(&target) {
                return Ok(target);
            }
        }
    }

    fn keys(&self, kind: Kind, values: &BTreeMap<Field, Value>) -> Vec<Key> {
        let of = |names: &[&str]| -> Vec<String> {
            names.iter().flat_map(|name| texts(values, name)).collect()
        };
        let mut keys = Vec::new();
        let mut add = |by: By, text: &str| {
            let key = (by, hash(text.as_bytes()));
            if !keys.contains(&key) {
                keys.push(key);
            }
        };
        if let Some(name) = text(values, "name") {
            add(By::Name, &plain_name(&name));
        }
        let emails: Vec<String> = of(&["email", "all_emails"])
            .iter()
            .map(|email| email.trim().to_lowercase())
            .filter(|email| email.contains('@'))
            .collect();
        emails.iter().for_each(|email| add(By::Email, email));
        let phones = match kind {
            Kind::Person => of(&["phone", "all_phones"]),
            _ => of(&["phone_number", "phone_1", "phone_from_website", "all_phones"]),
        };
        let country = text(values, "country").or_else(|| self.region.clone());
        for phone in phones.iter().filter_map(|phone| e164(phone, country.as_deref())) {
            add(By::Phone, &phone);
        }
        if kind == Kind::Person {
            let companies = of(&["company", "companies"]);
            let companies = companies.iter().filter_map(|company| company_of(company));
            companies.for_each(|company| add(By::Company, company.as_str()));
            return keys;
        }
        let places = of(&["place_id"]);
        let places = places.iter().filter(|place| place.chars().count() >= PLACE_ID_CHARS_MIN);
        places.for_each(|place| add(By::Place, place));
        let tells = |host: &String| telling(host).is_some();
        let own = of(&["domain", "website_url"]);
        let own = own.iter().filter_map(|text| host(text)).find(tells);
        let of_email = |email: &String| host(email.rsplit('@').next()?);
        let by_email = || emails.iter().filter_map(of_email).find(tells);
        match own {
            Some(domain) => add(By::Domain, &domain),
            None => by_email().iter().for_each(|domain| add(By::MailDomain, domain)),
        }
        keys
    }
}

/// What a key may be kept as: the domain of an address is that of a site as well.
fn equals(key: Key) -> impl Iterator<Item = Key> {
    let other = match key.0 {
        By::Domain => Some((By::MailDomain, key.1)),
        By::MailDomain => Some((By::Domain, key.1)),
        _ => None,
    };
    [Some(key), other].into_iter().flatten()
}

/// Whether one that has a key of another means the same: what came (`by.0`) against what is held (`by.1`).
fn matches(kind: Kind, by: (By, By), keys: &[Key], held: &[Key], reason: For) -> bool {
    let telling = reason == For::Telling;
    match (kind, by) {
        // Colleagues share a telephone, and an address as `info@`.
        (Kind::Person, (By::Email, _)) => telling || names_agree(keys, held),
        (Kind::Person, _) => names_same(keys, held),
        // A domain that only an address says may be a provider's.
        (_, (By::Domain, By::Domain)) => !differ(&[By::Place], held, keys),
        (_, (By::Domain | By::MailDomain, other)) => {
            let same = names_same(keys, held) || (telling && other == By::Domain);
            same && !differ(&[By::Place], held, keys)
        }
        // A company has one place, and one domain.
        (_, (By::Email | By::Phone, _)) => {
            !differ(&[By::Place], held, keys) && !differ(&[By::Domain], held, keys)
        }
        _ => true,
    }
}

/// The first name among the keys.
fn name_of(keys: &[Key]) -> Option<u128> {
    keys.iter().find(|key| key.0 == By::Name).map(|key| key.1)
}

fn names_same(a: &[Key], b: &[Key]) -> bool {
    a.iter().any(|key| key.0 == By::Name && b.contains(key))
}

/// Whether the names do not say that these are two: they have one in common, or one of them has none.
fn names_agree(a: &[Key], b: &[Key]) -> bool {
    !differ(&[By::Name], a, b)
}

/// Whether both have something of this, and nothing of it in common.
fn differ(by: &[By], a: &[Key], b: &[Key]) -> bool {
    let of = |key: &&Key| by.contains(&key.0);
    let common = |key: &Key| b.iter().filter(of).any(|other| other.1 == key.1);
    a.iter().any(|key| of(&key)) && b.iter().any(|key| of(&key)) && !a.iter().filter(of).any(common)
}

/// A name as names are compared: lower case, one blank for whatever stands between letters, digits, `+`, `#` and `&`.
pub(super) fn plain_name(name: &str) -> String {
    let mut plain = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() || matches!(c, '+' | '#' | '&') {
            plain.push(c);
        } else if !plain.ends_with(' ') && !plain.is_empty() {
            plain.push(' ');
        }
    }
    plain.truncate(plain.trim_end().len());
    if plain.is_empty() { name.trim().to_owned() } else { plain }
}

fn name_hash(name: &str) -> u128 {
    hash(plain_name(name).as_bytes())
}

fn value<'v>(values: &'v BTreeMap<Field, Value>, name: &str) -> Option<&'v Value> {
    values.get(&Field::read(name).ok()?).filter(|value| !value.is_null())
}

/// A field as text; nothing where it is absent or empty.
pub(super) fn text(values: &BTreeMap<Field, Value>, name: &str) -> Option<String> {
    let text = value(values, name)?.shown().trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The texts that a field holds: its members where it is a set, else its text.
fn texts(values: &BTreeMap<Field, Value>, name: &str) -> Vec<String> {
    match value(values, name).map(Value::to_json) {
        None => Vec::new(),
        Some(Json::Array(items)) => {
            items.iter().filter_map(Json::as_str).map(str::to_owned).collect()
        }
        Some(_) => text(values, name).into_iter().collect(),
    }
}

/// Whether a field of this kind holds many.
pub(super) fn is_many(kind: Option<Kind>, field: &Field) -> bool {
    matches!(kind.and_then(|kind| kind.type_of(field.as_str())), Some(Type::Set | Type::Map))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<Field, Value> {
        let read = |(name, text): &(&str, &str)| (Field::read(name).unwrap(), Value::read(text));
        pairs.iter().map(read).collect()
    }

    fn pool(kind: Kind, known: &[(&str, &[(&str, &str)])]) -> Identities {
        let mut pool = Identities::new(None);
        for (target, pairs) in known {
            pool.learn(kind, &Target::read(target).unwrap(), &values(pairs));
        }
        pool
    }

    #[track_caller]
    fn is(pool: &mut Identities, kind: Kind, pairs: &[(&str, &str)], expected: &str) {
        let who = pool.who(kind, &values(pairs)).unwrap();
        let shown = match who {
            Who::One(target) => target.to_string(),
            Who::Several(all) => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        };
        assert_eq!(shown, expected, "{pairs:?}");
    }

    const PLACE: &str = "ChIJ5X0j7DHDwogRvQgaGw0y4FM";

    #[test]
    fn a_company_is_known_by_any_of_its_keys_and_by_no_provider() {
        let mut pool = pool(
            Kind::Company,
            &[
                (
                    "companies/acme",
                    &[("name", "Acme"), ("domain", "acme.com"), ("place_id", PLACE)],
                ),
                ("companies/beta", &[("name", "Beta"), ("phone_1", "+1 214 555 0134")]),
                ("companies/joe", &[("name", "Joe"), ("email", "joe@gmail.com")]),
            ],
        );
        let of = Kind::Company;
        let acme = "companies/acme";
        is(&mut pool, of, &[("name", "ACME Inc"), ("website_url", "https://www.acme.com/x")], acme);
        // A domain that only an address says may be a provider's: the name has to agree.
        is(&mut pool, of, &[("name", "acme"), ("email", "info@acme.com")], acme);
        is(&mut pool, of, &[("name", "A"), ("email", "info@acme.com")], "companies/a");
        is(&mut pool, of, &[("name", "A"), ("place_id", PLACE)], acme);
        let phone = [("name", "B"), ("phone_number", "(214) 555-0134"), ("country", "US")];
        is(&mut pool, of, &phone, "companies/beta");
        is(&mut pool, of, &[("name", "J"), ("email", "JOE@gmail.com")], "companies/joe");
        // A provider's domain is nobody's.
        is(&mut pool, of, &[("name", "Ann"), ("email", "ann@gmail.com")], "companies/ann");
        // The name alone, where nothing differs; else another one.
        is(&mut pool, of, &[("name", "Acme")], acme);
        is(&mut pool, of, &[("name", "Acme"), ("domain", "acme.org")], "companies/acme-2");
        is(&mut pool, of, &[("name", "Joe"), ("email", "j@gmail.com")], "companies/joe-2");
        // Another place of the same chain.
        is(
            &mut pool,
            of,
            &[
                ("name", "Acme"),
                ("domain", "acme.com"),
                ("place_id", "ChIJb8Jg9pZYwokR-qHGtvSkLzs"),
            ],
            "companies/acme-2",
        );
        // Its telephone is another one's.
        let both = [("name", "X"), ("domain", "acme.com"), ("phone_1", "+12145550134")];
        is(&mut pool, of, &both, "companies/acme companies/beta");
    }

    #[test]
    fn colleagues_with_one_telephone_are_two_people() {
        let jane = [("name", "Jane Doe"), ("phone", "+12145550134"), ("email", "jane@x.org")];
        let mut pool = pool(Kind::Person, &[("people/jane-doe", &jane)]);
        let of = Kind::Person;
        let phone = ("phone", "+1 (214) 555-0134");
        is(&mut pool, of, &[("name", "John Roe"), phone], "people/john-roe");
        is(
            &mut pool,
            of,
            &[("name", "Jane Doe"), phone, ("email", "j@home.org")],
            "people/jane-doe",
        );
        is(&mut pool, of, &[("name", "jane doe"), ("email", "Jane@x.org")], "people/jane-doe");
        // Two who share an address, as `info@`, are two.
        is(&mut pool, of, &[("name", "J. Doe"), ("email", "Jane@x.org")], "people/j-doe");
        is(&mut pool, of, &[("name", "Jane Doe"), ("email", "other@y.org")], "people/jane-doe-2");
    }

    #[test]
    fn many_of_one_name_each_get_a_slug() {
        let mut pool = pool(Kind::Company, &[]);
        for n in 1..=200 {
            let values = values(&[("name", "Acme"), ("domain", &format!("a{n}.org"))]);
            let Who::One(target) = pool.who(Kind::Company, &values).unwrap() else { panic!() };
            assert!(!pool.knows(&target));
            pool.learn(Kind::Company, &target, &values);
        }
        is(
            &mut pool,
            Kind::Company,
            &[("name", "Acme"), ("domain", "a200.org")],
            "companies/acme-200",
        );
    }

    #[test]
    fn names_that_make_one_slug_are_not_one_name() {
        for (one, other) in [
            ("C++ Ltd", "C Ltd"),
            ("C# Ltd", "C Ltd"),
            ("\u{674e}\u{4f1f}", "\u{674e}\u{5a01}"),
            (
                "Brotherhood of Electrical Workers and Allied Trades, Local Union Number 134",
                "Brotherhood of Electrical Workers and Allied Trades, Local Union Number 77",
            ),
        ] {
            let target = Target::read(&format!("companies/{}", slug(one))).unwrap();
            assert_eq!(slug(one), slug(other));
            let mut pool = Identities::new(None);
            pool.learn(Kind::Company, &target, &values(&[("name", one)]));
            is(&mut pool, Kind::Company, &[("name", other)], &format!("{target}-2"));
            is(&mut pool, Kind::Company, &[("name", one)], target.as_str());
        }
        for (one, other) in [("Acme, Inc.", "ACME  Inc"), ("L'Or\u{e9}al", "l-or\u{e9}al")] {
            assert_eq!(plain_name(one), plain_name(other));
        }
        assert_ne!(plain_name("!!"), plain_name("--"));
    }

    #[test]
    fn strangers_with_one_provider_or_no_place_are_not_one() {
        let mut pool = pool(
            Kind::Company,
            &[
                ("companies/joe", &[("name", "Joe"), ("email", "joes@small-isp.net")]),
                (
                    "companies/one",
                    &[("name", "One"), ("website_url", "https://m.facebook.com/one")],
                ),
                ("companies/na", &[("name", "Na"), ("place_id", "not found")]),
            ],
        );
        let of = Kind::Company;
        is(&mut pool, of, &[("name", "Bob"), ("email", "bob@small-isp.net")], "companies/bob");
        is(
            &mut pool,
            of,
            &[("name", "Two"), ("website_url", "m.facebook.com/two")],
            "companies/two",
        );
        is(&mut pool, of, &[("name", "No"), ("place_id", "not found")], "companies/no");
        // The first that tells counts.
        let site =
            [("name", "One"), ("domain", "facebook.com"), ("website_url", "https://one.org")];
        pool.learn(of, &Target::read("companies/one").unwrap(), &values(&site));
        is(&mut pool, of, &[("name", "Uno"), ("domain", "one.org")], "companies/one");
    }

    #[test]
    fn who_became_another_is_that_one() {
        let read = |field: &str, text: &str| (Field::read(field).unwrap(), Value::read(text));
        let entity = |pairs: &[(&str, &str)]| {
            let mut entity = Entity::default();
            for (field, value) in pairs.iter().map(|(field, text)| read(field, text)) {
                let instant = cocli_core::Instant::from_micros(1).unwrap();
                let stamp =
                    cocli_core::Stamp { instant, node: cocli_core::NodeId::written("n").unwrap() };
                let causality = cocli_core::Causality::saw(Vec::new());
                entity.merge(field, cocli_core::Entry { stamp, value, causality });
            }
            entity
        };
        let mut pool = Identities::new(None);
        for (target, pairs) in [
            (
                "companies/a",
                &[
                    ("name", "A"),
                    ("domain", "a.org"),
                    ("_deleted", "true"),
                    ("_went", "companies/b"),
                ][..],
            ),
            (
                "companies/b",
                &[
                    ("name", "B"),
                    ("domain", "b.org"),
                    ("_deleted", "true"),
                    ("_went", "companies/c"),
                ],
            ),
            ("companies/c", &[("name", "C"), ("domain", "c.org")]),
            ("companies/x", &[("name", "X"), ("_deleted", "true"), ("_went", "companies/x")]),
        ] {
            pool.learn_entity(&Target::read(target).unwrap(), &entity(pairs));
        }
        pool.settle_gone();
        let of = Kind::Company;
        is(&mut pool, of, &[("name", "A"), ("domain", "a.org")], "companies/c");
        is(&mut pool, of, &[("name", "A")], "companies/c");
        is(&mut pool, of, &[("name", "Z"), ("domain", "b.org")], "companies/c");
        is(&mut pool, of, &[("name", "X")], "companies/x");
    }
}
