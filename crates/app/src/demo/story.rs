//! What happens in the demo, step by step, and what is compared at the end.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::machine::Machine;
use crate::clock::monotonic;
use crate::failure::{Exit, Failure};
use crate::render::{Screen, Tone};

/// How long nodes may take to be level before the demo gives up.
const LEVEL_WITHIN: Duration = Duration::from_secs(30);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Writes whose way is timed.
const TIMED_WRITES: usize = 30;

pub(super) struct Story {
    pub(super) screen: Screen,
    pub(super) dir: PathBuf,
    pub(super) machines: Vec<Machine>,
}

impl Story {
    pub(super) fn play(&mut self) -> Result<(), Failure> {
        self.start_all()?;
        self.import()?;
        self.edit_on_two()?;
        self.edit_a_card()?;
        self.time_writes()?;
        self.kill_and_heal()?;
        self.save_a_stale_buffer()?;
        self.step("compact on all three");
        for machine in &self.machines {
            machine.cocli(&["compact"])?;
        }
        self.level()
    }

    fn step(&self, text: &str) {
        self.screen.line(format!("{} {text}", self.screen.paint(Tone::Strong, "•")));
    }

    fn tell(&self, text: &str) {
        self.screen.line(format!("  {}", self.screen.paint(Tone::Faint, text)));
    }

    fn start_all(&mut self) -> Result<(), Failure> {
        let mut peers: Vec<String> = Vec::new();
        for machine in &mut self.machines {
            machine.start(&peers)?;
            peers.extend(machine.address.clone());
        }
        let names: Vec<String> = self
            .machines
            .iter()
            .map(|m| format!("{} ({})", m.name, m.address.as_deref().unwrap_or("?")))
            .collect();
        self.step(&format!("three nodes, each its own process and home: {}", names.join(", ")));
        Ok(())
    }

    fn import(&mut self) -> Result<(), Failure> {
        let table = super::table(&self.dir)?;
        self.step("import 1,837 listed companies on laptop while the others listen");
        let began = monotonic();
        let report = self.machines[0].cocli(&["import", "csv", &table.display().to_string()])?;
        let imported = began.elapsed();
        self.level()?;
        self.tell(report.trim());
        self.tell(&format!(
            "in {:.1} s, cards and all; every card is on all three after {:.1} s",
            imported.as_secs_f64(),
            began.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    fn edit_on_two(&mut self) -> Result<(), Failure> {
        self.step("edit Apple on two nodes at once: different fields, then the same one");
        let (laptop, pi1) = (&self.machines[0], &self.machines[1]);
        both(
            || laptop.cocli(&["set", "companies/apple-inc", "phone_number=14089961010"]),
            || pi1.cocli(&["set", "companies/apple-inc", "tags+=to-call"]),
        )?;
        both(
            || laptop.cocli(&["set", "companies/apple-inc", "city=Cupertino"]),
            || pi1.cocli(&["set", "companies/apple-inc", "city=Cupertino, California"]),
        )?;
        self.level()?;
        let cloud1 = &self.machines[2];
        let get = |field: &str| cloud1.cocli(&["get", "companies/apple-inc", field]);
        let (phone, tags, city) = (get("phone_number")?, get("tags")?, get("city")?);
        if phone.trim() != "14089961010" || !tags.contains("to-call") {
            return Err(Failure::new(Exit::Failed, format!("an edit is lost: {phone} {tags}")));
        }
        self.tell(&format!(
            "cloud1 has both fields; the city is {:?} on all: the greater stamp",
            city.trim()
        ));
        Ok(())
    }

    fn edit_a_card(&mut self) -> Result<(), Failure> {
        self.step("edit companies/3m/_index.md on pi1 as an editor would");
        let card = self.machines[1].card("3m");
        let text = std::fs::read_to_string(&card)?;
        let edited = text.replacen("\nname: 3M\n", "\nname: 3M Company # as they write it\n", 1);
        if edited == text {
            return Err(Failure::new(
                Exit::Failed,
                format!("{}: no line `name: 3M`", card.display()),
            ));
        }
        std::fs::write(&card, edited)?;
        self.visible("3m", "name: 3M Company")?;
        self.tell("it is in the card on all three; the comment stays in pi1's own copy");
        Ok(())
    }

    fn kill_and_heal(&mut self) -> Result<(), Failure> {
        self.step("kill cloud1 hard; write on both sides; start it again");
        self.machines[2].kill()?;
        for n in 0..5 {
            let value = format!("demo_away=laptop {n}");
            self.machines[0].cocli(&["set", "companies/apple-inc", &value])?;
            let value = format!("demo_alone=cloud1 {n}");
            self.machines[2].cocli(&["set", "companies/apple-inc", &value])?;
        }
        let peers: Vec<String> =
            self.machines[..2].iter().filter_map(|m| m.address.clone()).collect();
        let began = monotonic();
        self.machines[2].start(&peers)?;
        self.level()?;
        self.tell(&format!("all level {:.1} s after its start", began.elapsed().as_secs_f64()));
        Ok(())
    }

    fn save_a_stale_buffer(&mut self) -> Result<(), Failure> {
        self.step("save a stale editor buffer on laptop over a card that changed meanwhile");
        let card = self.machines[0].card("apple-inc");
        let buffer = std::fs::read_to_string(&card)?;
        self.machines[1].cocli(&["set", "companies/apple-inc", "city=Austin"])?;
        self.visible("apple-inc", "city: Austin")?;
        let edited = buffer.replacen("\nname: Apple Inc.\n", "\nname: Apple Computer\n", 1);
        std::fs::write(&card, edited)?;
        self.visible("apple-inc", "name: Apple Computer")?;
        self.level()?;
        let city = self.machines[0].cocli(&["get", "companies/apple-inc", "city"])?;
        if city.trim() != "Austin" {
            let message = format!("the stale buffer reverted the city to {:?}", city.trim());
            return Err(Failure::new(Exit::Failed, message));
        }
        self.tell("the new name is everywhere, and pi1's city stayed: nobody's edit is reverted");
        Ok(())
    }

    /// Waits until the card of a company holds a line on all nodes.
    fn visible(&self, slug: &str, line: &str) -> Result<(), Failure> {
        let cards: Vec<PathBuf> = self.machines.iter().map(|m| m.card(slug)).collect();
        let there =
            |card: &PathBuf| std::fs::read_to_string(card).is_ok_and(|text| text.contains(line));
        wait(|| Ok(cards.iter().all(there)), || format!("{line:?} is not in all of {cards:?}"))
    }

    /// Waits until all nodes hold the same and their cards show it.
    fn level(&self) -> Result<(), Failure> {
        let digests = || -> Result<Vec<Json>, Failure> {
            self.machines.iter().map(|m| m.json(&["state", "--digest"])).collect()
        };
        wait(
            || {
                let vectors: Vec<_> =
                    self.machines.iter().map(Machine::vector).collect::<Result<_, _>>()?;
                if vectors.windows(2).any(|w| w[0] != w[1]) {
                    return Ok(false);
                }
                let all = digests()?;
                Ok(all.windows(2).all(|w| w[0]["digest"] == w[1]["digest"]))
                    .map(|level| level && all.iter().all(|d| d["cards_level"] == Json::Bool(true)))
            },
            || format!("the nodes are not level: {:?}", digests().unwrap_or_default()),
        )
    }

    /// One write each 100 ms on laptop: when is it in the journals of the others?
    fn time_writes(&mut self) -> Result<(), Failure> {
        self.step("time a write on laptop until it is in the journals of the others");
        let others: Vec<&std::path::Path> =
            self.machines[1..].iter().map(|m| m.home.as_path()).collect();
        let sample = crate::latency::measure(&self.machines[0].home, &others, TIMED_WRITES)?;
        self.tell(&sample.to_string());
        Ok(())
    }

    /// Prints what each node holds; tells whether all hold the same.
    pub(super) fn compare(&self) -> Result<bool, Failure> {
        let screen = self.screen;
        screen.line("");
        let mut rows = Vec::new();
        for machine in &self.machines {
            let state = machine.json(&["state", "--digest"])?;
            let text = |key: &str| state[key].as_str().unwrap_or("?").to_string();
            let number = |key: &str| state[key].as_u64().unwrap_or(0);
            rows.push((text("digest"), text("pool"), number("datagrams"), number("values")));
            screen.line(format!(
                "{:<8} {} datagrams held, {} values  state {}  pool {}",
                machine.name,
                number("datagrams"),
                number("values"),
                screen.paint(Tone::Good, &text("digest")),
                text("pool"),
            ));
        }
        let equal =
            rows.windows(2).all(|w| w[0].0 == w[1].0 && w[0].2 == w[1].2 && w[0].3 == w[1].3);
        Ok(equal)
    }
}

/// Runs two things at the same time.
fn both(
    one: impl FnOnce() -> Result<String, Failure> + Send,
    other: impl FnOnce() -> Result<String, Failure> + Send,
) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        let one = one.join().map_err(|_| Failure::new(Exit::Failed, "a step ended badly"))?;
        one.and(other).map(|_| ())
    })
}

#[expect(clippy::disallowed_methods, reason = "the demo looks from outside, as a person would")]
fn wait(
    mut done: impl FnMut() -> Result<bool, Failure>,
    why: impl Fn() -> String,
) -> Result<(), Failure> {
    let began: Instant = monotonic();
    while !done()? {
        if began.elapsed() > LEVEL_WITHIN {
            return Err(Failure::new(Exit::Failed, why()));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
