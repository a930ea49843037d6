use std::collections::BTreeSet;

use cocli_core::{NodeId, Stamp, Target};
use proptest::prelude::*;

use super::*;
use crate::change::{Change, Intent, Writer};

const NOW: Instant = Instant::MAX;
const FIELDS: [&str; 3] = ["name", "city", "state"];

fn target() -> Target {
    Target::read("companies/acme").unwrap()
}

fn field(name: &str) -> Field {
    Field::read(name).unwrap()
}

/// What happens between a machine of the Python program and a cluster.
#[derive(Debug, Clone)]
enum Act {
    /// A person there changes a field of its copy.
    Edits(usize, String),
    /// A person there adds or takes away a tag.
    Tags(String, bool),
    /// It saves: all fields.
    Saves,
    /// It is started anew: it sends all that it ever sent once more.
    Restarts,
    /// Somebody here sets a field; whether the packet arrives.
    Sets(usize, String, bool),
    /// Somebody here adds or takes away a tag; whether the packet arrives.
    SetsTag(String, bool, bool),
}

fn act() -> impl Strategy<Value = Act> {
    let value = "[ab c]{0,2}";
    let tag = "[a-d]";
    prop_oneof![
        (0..3_usize, value).prop_map(|(n, v)| Act::Edits(n, v)),
        (tag, any::<bool>()).prop_map(|(t, add)| Act::Tags(t, add)),
        Just(Act::Saves),
        Just(Act::Restarts),
        (0..3_usize, value, any::<bool>()).prop_map(|(n, v, there)| Act::Sets(n, v, there)),
        (tag, any::<bool>(), any::<bool>()).prop_map(|(t, add, there)| Act::SetsTag(t, add, there)),
    ]
}

/// The cluster's state, what the gateway remembers, and the copy at the other side.
#[derive(Default)]
struct World {
    now: i64,
    entity: Entity,
    memory: Memory,
    copy: BTreeMap<&'static str, String>,
    copy_tags: BTreeSet<String>,
    edited: BTreeSet<&'static str>,
    /// Tags that a person there added (true) or took away since the last save.
    tagged: BTreeMap<String, bool>,
    /// All that was merged.
    history: Vec<Datagram>,
    /// All records that it sent.
    sent: Vec<(Datagram, Type)>,
}

impl World {
    fn stamp(&mut self, node: &str) -> Stamp {
        self.now += 1;
        let instant = Instant::from_micros(self.now).unwrap();
        Stamp { instant, node: NodeId::read(node).unwrap() }
    }

    fn value(&self, name: &str) -> Hash {
        let value = self.entity.value(None, &field(name)).unwrap_or_else(Value::null);
        hash_of(Type::Text, &value)
    }

    fn tags(&self) -> BTreeSet<String> {
        self.entity.members(&field("tags")).into_iter().map(|member| member.text).collect()
    }

    fn tags_text(&self) -> Value {
        let tags: Vec<&String> = self.copy_tags.iter().collect();
        Value::json(&Json::from(tags.into_iter().cloned().collect::<Vec<_>>()))
    }

    /// The record of a field, judged; gives how many records are appended.
    fn says(&mut self, name: &str, ty: Type, value: Value) -> usize {
        let stamp = self.stamp("vm");
        let entry = Entry { stamp, value, causality: Causality::unsaid() };
        let datagram = Datagram { target: target(), field: field(name), entry };
        let mut bytes = Vec::new();
        usv::write(&datagram, &mut bytes);
        self.sent.push((datagram.clone(), ty));
        if is_first(&datagram, ty, &self.entity, &self.memory) {
            learn(self.history.iter().cloned(), &mut self.memory);
        }
        let verdict = judge((&bytes, &datagram), ty, &self.entity, &mut self.memory, NOW);
        let Verdict::News(news) = verdict else { return 0 };
        for (datagram, bytes) in &news {
            assert_eq!(usv::read(bytes).as_ref(), Ok(datagram));
            self.entity.merge(datagram.field.clone(), datagram.entry.clone());
            self.history.push(datagram.clone());
        }
        if ty == Type::Text {
            assert_eq!(news, [(datagram, bytes)], "verbatim");
        }
        news.len()
    }

    /// Somebody here writes; the peer is told.
    fn sets(&mut self, name: &str, ty: Type, intent: Intent) -> Option<Value> {
        let writer = Writer { node: NodeId::read("pi1").unwrap(), wall: self.stamp("x").instant };
        let change = Change::new(target(), field(name), intent);
        let entries = writer.entries(&change, &self.entity).unwrap();
        let (at, entry) = entries.first()?.clone();
        for (field, entry) in entries {
            self.entity.merge(field.clone(), entry.clone());
            self.history.push(Datagram { target: target(), field, entry });
        }
        let datagram = Datagram { target: target(), field: at, entry };
        let value = whole(&datagram, ty, Some(&self.entity));
        remember_told(&datagram, ty, &value, &mut self.memory);
        Some(value)
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Edits(n, value) => {
                self.copy.insert(FIELDS[n], value);
                self.edited.insert(FIELDS[n]);
            }
            Act::Tags(tag, true) => {
                if self.copy_tags.insert(tag.clone()) {
                    self.tagged.insert(tag, true);
                }
            }
            Act::Tags(tag, false) => {
                if self.copy_tags.remove(&tag) {
                    self.tagged.insert(tag, false);
                }
            }
            Act::Sets(n, value, arrives) => {
                let told = self.sets(FIELDS[n], Type::Text, Intent::Put(Value::text(&value)));
                if told.is_some() && arrives {
                    self.copy.insert(FIELDS[n], value);
                    self.edited.remove(FIELDS[n]);
                }
            }
            Act::SetsTag(tag, add, arrives) => {
                let intent = if add { Intent::Add(tag) } else { Intent::Remove(tag) };
                if self.sets("tags", Type::Set, intent).is_some() && arrives {
                    self.copy_tags = self.tags();
                    self.tagged.clear();
                }
            }
            Act::Saves => self.saves(),
            Act::Restarts => {
                for (datagram, ty) in &self.sent {
                    let again = judge((b"", datagram), *ty, &self.entity, &mut self.memory, NOW);
                    assert_eq!(again, Verdict::Repeated, "{datagram:?}");
                }
            }
        }
    }

    fn saves(&mut self) {
        for (name, value) in self.copy.clone() {
            let (place, value) = (key(&target(), &field(name)), Value::text(&value));
            let (before, says) = (self.value(name), hash_of(Type::Text, &value));
            let here = |d: &Datagram| d.field.as_str() == name;
            let had = |d: &Datagram| hash_of(Type::Text, &d.entry.value) == says;
            let mut before_it = self.history.iter().filter(|d| here(d));
            let nothing = value.as_str().is_empty() && self.history.iter().any(here);
            let known = self.memory.said(place) == Some(says)
                || self.memory.was_told(place, says)
                || (self.memory.said(place).is_none() && (nothing || before_it.any(had)));
            let count = self.says(name, Type::Text, value.clone());
            let edited = self.edited.contains(name);
            if edited && !known {
                assert_eq!(self.value(name), says, "an edit is taken");
            } else {
                assert_eq!((self.value(name), count), (before, 0), "{name} was not edited");
            }
            assert_eq!(self.says(name, Type::Text, value), 0, "once");
        }
        self.saves_tags();
        self.edited.clear();
        self.tagged.clear();
    }

    fn saves_tags(&mut self) {
        let place = key(&target(), &field("tags"));
        let first = self.memory.list(place).is_none();
        let last = self.memory.list(place).unwrap_or_default();
        let [truth, none] =
            [Value::truth(), Value::null()].map(|value| hash_of(Type::Text, &value));
        let told = |tag: &str, value: Hash| {
            self.memory.was_told(key(&target(), &field(&format!("tags.{tag}"))), value)
        };
        let mut expected = self.tags();
        for (tag, there) in
            self.copy_tags.iter().map(|tag| (tag, true)).chain(
                self.tagged.iter().filter(|(_, added)| !**added).map(|(tag, _)| (tag, false)),
            )
        {
            match there {
                true if first && was_removed(&field(&format!("tags.{tag}")), &self.entity) => {}
                true if !last.contains_key(tag) && !told(tag, truth) => {
                    assert!(self.tagged.contains_key(tag) || expected.contains(tag), "{tag}");
                    expected.insert(tag.clone());
                }
                false if last.contains_key(tag) && !told(tag, none) => drop(expected.remove(tag)),
                _ => {}
            }
        }
        let text = self.tags_text();
        self.says("tags", Type::Set, text.clone());
        assert_eq!(self.tags(), expected);
        assert_eq!(self.says("tags", Type::Set, text), 0, "once");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn a_save_from_a_copy_that_is_behind_changes_what_was_changed_in_it_and_nothing_else(
        // As many as are remembered to have been told.
        acts in prop::collection::vec(act(), 0..8), more in prop::collection::vec(act(), 0..8)
    ) {
        let mut world = World::default();
        for name in FIELDS {
            world.copy.insert(name, String::new());
        }
        for act in acts.into_iter().chain([Act::Saves]).chain(more).chain([Act::Saves]) {
            world.act(act);
        }
    }
}

fn verdict(ty: Type, name: &str, there: &str, says: &str) -> Verdict {
    let mut world = World::default();
    let stamp = world.stamp("pi1");
    let entry = Entry { stamp, value: Value::read(there), causality: Causality::nothing() };
    world.entity.merge(field(name), entry);
    let stamp = world.stamp("vm");
    let entry = Entry { stamp, value: Value::read(says), causality: Causality::unsaid() };
    let datagram = Datagram { target: target(), field: field(name), entry };
    judge((b"x\x1e", &datagram), ty, &world.entity, &mut world.memory, NOW)
}

#[test]
fn what_the_python_program_writes_in_its_own_form_is_the_same() {
    for (ty, name, there, says) in [
        (Type::Int, "reviews_count", "5.0", "5"),
        (Type::Float, "average_rating", "4.50", "4.5"),
        (Type::Time, "last_enriched", "2026-02-18T17:04:05+00:00", "2026-02-18T17:04:05Z"),
        (Type::Phone, "phone_1", "+44 2079 460958", "11442079460958"),
        (Type::Email, "email", "Info@X.org", "info@x.org"),
        (Type::List, "services", "null", "[]"),
        (Type::List, "services", "[\"\u{e9}\"]", "[\"\\u00e9\"]"),
        (Type::Set, "tags", "[\"b\",\"a\"]", "[\"a\", \" b \", \"a\"]"),
        (Type::Set, "categories", "[\"a\",\"b\"]", "a; b"),
        (Type::Set, "all_emails", "[\"A@x.org\"]", "[\"a@x.org\"]"),
        (Type::Map, "email_contexts", "{\"A@x.org\":\"Bob\"}", "{\"a@x.org\": \"Bob\"}"),
        (Type::Text, "hours", "\"Mon\\r\\nTue\"", "Mon\nTue"),
    ] {
        assert_eq!(verdict(ty, name, there, says), Verdict::Same, "{name}: {there} {says}");
    }
    for (ty, name, there, says) in [
        (Type::Int, "reviews_count", "5", "6"),
        (Type::Phone, "phone_1", "2145550134", "2145550135"),
        (Type::Text, "city", "Dallas", "dallas"),
        (Type::Map, "email_contexts", "{\"a@x.org\":\"Bob\"}", "{\"a@x.org\": \"Ann\"}"),
    ] {
        let judged = verdict(ty, name, there, says);
        assert!(matches!(judged, Verdict::News(ref news) if news.len() == 1), "{name}: {says}");
    }
    assert_eq!(verdict(Type::Text, "city", "Dallas", ""), Verdict::Echo, "it never had one");
    assert_eq!(verdict(Type::Map, "email_contexts", "{}", "Bob"), Verdict::Unfit);
}

#[test]
fn a_member_that_somebody_took_away_does_not_come_back_by_the_first_list() {
    let mut world = World::default();
    for (name, value) in [("tags.a", "true"), ("tags.b", "null")] {
        let stamp = world.stamp("pi1");
        let entry = Entry { stamp, value: Value::read(value), causality: Causality::nothing() };
        world.entity.merge(field(name), entry);
    }
    assert_eq!(world.says("tags", Type::Set, Value::read("[\"a\",\"b\"]")), 0);
    assert_eq!(world.says("tags", Type::Set, Value::read("[\"a\"]")), 0);
    assert_eq!(world.says("tags", Type::Set, Value::read("[\"a\",\"b\"]")), 1);
}

#[test]
fn of_the_first_list_nothing_is_taken_as_gone() {
    let judged = verdict(Type::Set, "tags", "[\"a\",\"b\"]", "[\"b\", \"c\"]");
    let Verdict::News(news) = judged else { panic!("{judged:?}") };
    let fields: Vec<&str> = news.iter().map(|(datagram, _)| datagram.field.as_str()).collect();
    assert_eq!(fields, ["tags.c"]);
}
