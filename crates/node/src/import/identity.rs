//! Who is who: which entity that is there, or came before, a row or a contact is of. docs/import.md, "Who is the same".

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cocli_core::digest::hash;
use cocli_core::schema::Type;
use cocli_core::{Entity, Field, Kind, NameError, Target, Value};
use serde_json::Value as Json;

use crate::contact::e164;
use crate::followup::company_of;
use crate::slug::{slug, variants};

/// Domains that many have addresses or pages at: they tell nobody from others.
const PROVIDERS: &[&str] = &[
    "126.com",
    "163.com",
    "aol.com",
    "arcor.de",
    "blogspot.com",
    "btinternet.com",
    "business.site",
    "comcast.net",
    "duck.com",
    "email.com",
    "facebook.com",
    "fastmail.com",
    "fastmail.fm",
    "freenet.de",
    "g.page",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "goo.gl",
    "google.com",
    "googlemail.com",
    "hey.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.de",
    "hotmail.es",
    "hotmail.fr",
    "hotmail.it",
    "icloud.com",
    "instagram.com",
    "laposte.net",
    "libero.it",
    "linkedin.com",
    "linktr.ee",
    "live.co.uk",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "maps.google.com",
    "me.com",
    "msn.com",
    "naver.com",
    "orange.fr",
    "outlook.com",
    "outlook.de",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "rediffmail.com",
    "rocketmail.com",
    "sbcglobal.net",
    "sites.google.com",
    "t-online.de",
    "tutanota.com",
    "twitter.com",
    "verizon.net",
    "wanadoo.fr",
    "web.de",
    "wixsite.com",
    "wordpress.com",
    "x.com",
    "yahoo.co.in",
    "yahoo.co.jp",
    "yahoo.co.uk",
    "yahoo.com",
    "yahoo.de",
    "yahoo.fr",
    "yandex.com",
    "yandex.ru",
    "yelp.com",
    "ymail.com",
    "youtube.com",
    "zoho.com",
];

/// Slugs beyond a taken one that are compared by what they hold; of more of one name the next free one is taken.
const NAMESAKES_MAX: usize = 32;

/// What tells one from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum By {
    Place,
    Domain,
    Email,
    Phone,
    Company,
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
    /// The country of telephone numbers that name none.
    region: Option<String>,
}

#[derive(Debug)]
struct One {
    target: Target,
    keys: Vec<Key>,
    name: u128,
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

    /// Takes in what is known of an entity of the pool.
    pub(super) fn learn_entity(&mut self, target: &Target, entity: &Entity) {
        let Some(kind) = Kind::of(target).filter(|kind| !kind.is_convo()) else { return };
        if entity.removed().is_some() || entity.is_shown() {
            self.learn(kind, target, &entity.shown(Some(kind)));
        }
    }

    /// Takes in what an entity has, or has more.
    pub(super) fn learn(&mut self, kind: Kind, target: &Target, values: &BTreeMap<Field, Value>) {
        let next = self.ones.len();
        let at = *self.by_target.entry(target.clone()).or_insert(next);
        if at == next {
            self.ones.push(One { target: target.clone(), keys: Vec::new(), name: 0 });
        }
        let keys = self.keys(kind, values);
        let one = &mut self.ones[at];
        if let Some(name) = text(values, "name").filter(|_| one.name == 0) {
            one.name = name_hash(&name);
        }
        for key in keys {
            if !one.keys.contains(&key) {
                one.keys.push(key);
                self.by_key.entry((kind, key)).or_default().push(at);
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
        let mut found: Vec<Target> =
            self.by_keys(kind, &keys, name_hash(&name), true).into_iter().cloned().collect();
        match found.len() {
            0 => Ok(Who::One(self.by_name(kind, &slug(&name), &keys)?)),
            1 => Ok(Who::One(found.swap_remove(0))),
            _ => Ok(Who::Several(found)),
        }
    }

    /// Others that are the same by what they have.
    pub(super) fn alike(
        &self,
        kind: Kind,
        target: &Target,
        values: &BTreeMap<Field, Value>,
    ) -> Vec<Target> {
        let name = name_hash(&text(values, "name").unwrap_or_default());
        let found = self.by_keys(kind, &self.keys(kind, values), name, false);
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
        let keys: Vec<Key> =
            self.keys(kind, values).into_iter().filter(|key| key.0 == by).collect();
        let held = self.by_target.get(target).map(|at| &self.ones[*at].keys);
        if held.is_some_and(|held| differ(by, held, &keys)) {
            return self.by_name(kind, target.slug(), &keys);
        }
        Ok(target.clone())
    }

    /// Whether a name is known of it.
    pub(super) fn is_named(&self, target: &Target) -> bool {
        self.by_target.get(target).is_some_and(|at| self.ones[*at].name != 0)
    }

    /// Whether a known one bears this name.
    pub(super) fn is_called(&self, target: &Target, name: &str) -> bool {
        self.by_target.get(target).is_some_and(|at| self.ones[*at].name == name_hash(name))
    }

    /// The company of a domain.
    pub(super) fn of_domain(&self, domain: &str) -> Option<&Target> {
        let key = (By::Domain, hash(telling(&host(domain)?)?.as_bytes()));
        let of = self.by_key.get(&(Kind::Company, key))?;
        (of.len() == 1).then(|| &self.ones[of[0]].target)
    }

    /// Who has one of these keys; with `narrow`, of several that share one the one of the name.
    fn by_keys(&self, kind: Kind, keys: &[Key], name: u128, narrow: bool) -> BTreeSet<&Target> {
        let mut found = BTreeSet::new();
        for key in keys {
            let Some(of) = self.by_key.get(&(kind, *key)).filter(|_| key.0 != By::Company) else {
                continue;
            };
            let fits = |at: &&usize| {
                let one = &self.ones[**at];
                // Colleagues share a telephone; a company has one domain, and one place.
                let by_name = kind == Kind::Person && key.0 == By::Phone;
                let stronger = |by: By| kind == Kind::Company && by < key.0 && by < By::Email;
                (!by_name || one.name == name)
                    && ![By::Place, By::Domain]
                        .into_iter()
                        .any(|by| stronger(by) && differ(by, &one.keys, keys))
            };
            let fitting: Vec<&One> = of.iter().filter(fits).map(|at| &self.ones[*at]).collect();
            let of_name: Vec<&One> =
                fitting.iter().copied().filter(|one| one.name == name).collect();
            let meant =
                if narrow && fitting.len() > 1 && of_name.len() == 1 { of_name } else { fitting };
            found.extend(meant.into_iter().map(|one| &one.target));
        }
        found
    }

    /// The first of `slug`, `slug-2`, … that is free, or bears nothing that tells it from these keys.
    fn by_name(&mut self, kind: Kind, slug: &str, keys: &[Key]) -> Result<Target, NameError> {
        let of = |slug: &str| Target::read(&format!("{}/{slug}", kind.plural()));
        for variant in variants(slug).take(NAMESAKES_MAX) {
            let target = of(&variant)?;
            let Some(at) = self.by_target.get(&target) else { return Ok(target) };
            let held = &self.ones[*at].keys;
            let all = [By::Place, By::Domain, By::Email, By::Phone, By::Company];
            if !all.into_iter().any(|by| differ(by, held, keys)) {
                return Ok(target);
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
        of(&["place_id"]).iter().for_each(|place| add(By::Place, place));
        let own = of(&["domain"]).into_iter().chain(of(&["website_url"]));
        let own: Vec<String> = own.filter_map(|text| host(&text)).collect();
        let by_email =
            || emails.iter().filter_map(|email| host(email.rsplit('@').next()?)).collect();
        let domains: Vec<String> = if own.is_empty() { by_email() } else { own };
        if let Some(domain) = domains.first().and_then(|domain| telling(domain)) {
            add(By::Domain, domain);
        }
        keys
    }
}

/// Whether both have something of this, and nothing of it in common.
fn differ(by: By, a: &[Key], b: &[Key]) -> bool {
    let has = |keys: &[Key]| keys.iter().any(|key| key.0 == by);
    has(a) && has(b) && !a.iter().any(|key| key.0 == by && b.contains(key))
}

/// A domain, unless it is a provider's.
fn telling(domain: &str) -> Option<&str> {
    (!PROVIDERS.contains(&domain)).then_some(domain)
}

/// The host of an address of a page, without `www.`; nothing where it is none.
pub(super) fn host(site: &str) -> Option<String> {
    let site = site.trim().to_lowercase();
    let host = site.split("://").last().unwrap_or_default();
    let host = host.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host).trim_end_matches('.');
    let fits = host.contains('.') && !host.contains(|c: char| c.is_whitespace() || c == '@');
    fits.then(|| host.to_owned())
}

fn name_hash(name: &str) -> u128 {
    hash(slug(name).as_bytes())
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

    #[test]
    fn a_company_is_known_by_any_of_its_keys_and_by_no_provider() {
        let mut pool = pool(
            Kind::Company,
            &[
                ("companies/acme", &[("name", "Acme"), ("domain", "acme.com"), ("place_id", "P1")]),
                ("companies/beta", &[("name", "Beta"), ("phone_1", "+1 214 555 0134")]),
                ("companies/joe", &[("name", "Joe"), ("email", "joe@gmail.com")]),
            ],
        );
        let of = Kind::Company;
        let acme = "companies/acme";
        is(&mut pool, of, &[("name", "ACME Inc"), ("website_url", "https://www.acme.com/x")], acme);
        is(&mut pool, of, &[("name", "A"), ("email", "info@acme.com")], acme);
        is(&mut pool, of, &[("name", "A"), ("place_id", "P1")], acme);
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
            &[("name", "Acme"), ("domain", "acme.com"), ("place_id", "P2")],
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
        is(&mut pool, of, &[("name", "J. Doe"), ("email", "Jane@x.org")], "people/jane-doe");
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
}
