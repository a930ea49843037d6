//! How this machine is, as far as its system tells: from `/proc` and `/sys`, and the file system of the home.
//! Where they are not there, nothing is known.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cocli_core::gossip::Condition;

/// What changes slowly, or may take its time, is looked at this often.
const SLOWLY: Duration = Duration::from_secs(30);
/// What a sensor of a machine that runs may say: thousandths of a degree.
const SENSIBLE: std::ops::RangeInclusive<i64> = -40_000..=150_000;
/// Sensors that are asked.
const SENSORS_MAX: usize = 64;

/// What is looked at.
#[derive(Debug)]
pub(super) struct Machine {
    home: PathBuf,
    proc: PathBuf,
    sys: PathBuf,
    cores: Option<u64>,
    /// What changes slowly, and when it was looked at.
    slow: Option<(Instant, Slow)>,
}

#[derive(Debug, Clone, Copy)]
struct Slow {
    disk: Option<(u64, u64)>,
    temperature_tenths: Option<i64>,
}

impl Machine {
    pub(super) fn new(home: &Path) -> Self {
        Self::below(home, Path::new("/"))
    }

    fn below(home: &Path, root: &Path) -> Self {
        let cores = std::thread::available_parallelism().ok();
        Self {
            home: home.to_owned(),
            proc: root.join("proc"),
            sys: root.join("sys/class"),
            cores: cores.map(|cores| cores.get() as u64),
            slow: None,
        }
    }

    /// Puts into a condition what is to be known now.
    pub(super) fn look(&mut self, now: Instant, condition: &mut Condition) {
        let read = |name: &str| fs::read_to_string(self.proc.join(name)).unwrap_or_default();
        condition.cores = self.cores;
        condition.load_hundredths = hundredths(&read("loadavg"));
        let memory = read("meminfo");
        condition.memory = kilobytes(&memory, "MemTotal:");
        condition.memory_free = kilobytes(&memory, "MemAvailable:");
        condition.resident = kilobytes(&read("self/status"), "VmRSS:");
        let slow = match self.slow {
            Some((at, slow)) if now < at + SLOWLY => slow,
            _ => Slow { disk: space(&self.home), temperature_tenths: self.hottest() },
        };
        if self.slow.is_none_or(|(at, _)| now >= at + SLOWLY) {
            self.slow = Some((now, slow));
        }
        condition.disk = slow.disk.map(|(whole, _)| whole);
        condition.disk_free = slow.disk.map(|(_, free)| free);
        condition.temperature_tenths = slow.temperature_tenths;
    }

    /// Of all sensors, in tenths of a degree.
    fn hottest(&self) -> Option<i64> {
        let zones = inside(&self.sys.join("thermal"), |name| name.starts_with("thermal_zone"));
        let zones = zones.into_iter().map(|zone| zone.join("temp"));
        let chips = inside(&self.sys.join("hwmon"), |_| true);
        let inputs = |name: &str| name.starts_with("temp") && name.ends_with("_input");
        let chips = chips.into_iter().flat_map(|chip| inside(&chip, inputs));
        let told = zones.chain(chips).take(SENSORS_MAX).filter_map(|path| {
            let thousandths: i64 = fs::read_to_string(path).ok()?.trim().parse().ok()?;
            SENSIBLE.contains(&thousandths).then_some(thousandths)
        });
        told.max().map(|thousandths| thousandths / 100)
    }
}

/// Bytes of the file system that holds a folder, and what of them this user may still use.
fn space(folder: &Path) -> Option<(u64, u64)> {
    let told = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.checked_mul(told.f_frsize);
    Some((bytes(told.f_blocks)?, bytes(told.f_bavail)?))
}

fn inside(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(&wanted))
        .map(|entry| entry.path())
        .collect();
    names.sort();
    names
}

/// The load over the last minute, of what the system tells as `0.42 ...`.
fn hundredths(text: &str) -> Option<u64> {
    let load: f64 = text.split(' ').next()?.parse().ok()?;
    (load.is_finite() && load >= 0.0).then_some((load * 100.0).round() as u64)
}

/// The bytes of a line `name  123 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use super::*;
    use crate::clock;

    #[test]
    fn what_the_system_tells_is_read_and_what_it_does_not_tell_is_absent() {
        let root = tempfile::tempdir().unwrap();
        let mut nothing = Condition::default();
        let now = clock::monotonic();
        Machine::below(root.path(), root.path()).look(now, &mut nothing);
        let unknown =
            [nothing.load_hundredths, nothing.memory, nothing.memory_free, nothing.resident];
        assert_eq!((unknown, nothing.temperature_tenths), ([None; 4], None));
        for (path, text) in [
            ("proc/loadavg", "0.42 0.50 0.61 1/123 4567\n"),
            ("proc/meminfo", "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:   600 kB\n"),
            ("proc/self/status", "Name:\tcocli\nVmRSS:\t  9000 kB\n"),
            ("sys/class/thermal/thermal_zone0/temp", "51540\n"),
            ("sys/class/thermal/cooling_device0/temp", "99000\n"),
            ("sys/class/hwmon/hwmon0/temp1_input", "62870\n"),
            ("sys/class/hwmon/hwmon0/temp2_input", "999999999\n"),
            ("sys/class/hwmon/hwmon0/temp1_max", "100000\n"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mut machine = Machine::below(root.path(), root.path());
        let mut told = Condition::default();
        machine.look(now, &mut told);
        let memory = [told.memory, told.memory_free, told.resident];
        assert_eq!(memory, [Some(1_024_000), Some(614_400), Some(9_216_000)]);
        assert_eq!((told.load_hundredths, told.temperature_tenths), (Some(42), Some(628)));
        assert!(told.disk.unwrap() >= told.disk_free.unwrap());
        // Sensors are not asked at each look.
        fs::write(root.path().join("sys/class/hwmon/hwmon0/temp1_input"), "70000").unwrap();
        machine.look(now + SLOWLY / 2, &mut told);
        assert_eq!(told.temperature_tenths, Some(628));
        machine.look(now + SLOWLY, &mut told);
        assert_eq!(told.temperature_tenths, Some(700));
    }
}
