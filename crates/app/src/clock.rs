//! The only place that reads the clocks and draws random bytes: everything below takes them as
//! arguments.

use cocli_core::{Day, Epoch, Instant, Moment};
use cocli_node::Rim;
use cocli_node::followup::Now;

/// The wall clock, within the bounds of a record.
#[expect(clippy::disallowed_methods, reason = "the rim is where time comes in")]
pub(crate) fn now() -> Instant {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let micros = since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    Instant::from_micros(micros).unwrap_or(if micros < 0 { Instant::MIN } else { Instant::MAX })
}

/// The wall clock in the time zone of this machine.
pub(crate) fn here() -> jiff::Zoned {
    in_zone(now(), jiff::tz::TimeZone::system())
}

/// An instant in a time zone.
pub(crate) fn in_zone(instant: Instant, zone: jiff::tz::TimeZone) -> jiff::Zoned {
    // Every instant of ours is one of jiff's, which go on to the year 9999.
    jiff::Timestamp::from_microsecond(instant.micros()).unwrap_or_default().to_zoned(zone)
}

/// The day of an instant in the time zone of this machine.
fn day_of(instant: Instant) -> Day {
    let date = in_zone(instant, jiff::tz::TimeZone::system()).date();
    match crate::when::day_of(date) {
        Ok(Moment::Day(day)) => day,
        // Beyond the bounds of a record, where zones make no difference.
        Ok(Moment::At(_)) | Err(_) => instant.day(),
    }
}

/// When it is, and where today begins and ends in the time zone of this machine.
pub(crate) fn today() -> Now {
    let (at, here) = (now(), here());
    let micros = |zoned: Result<jiff::Zoned, jiff::Error>| {
        Instant::from_micros(zoned.ok()?.timestamp().as_microsecond())
    };
    let tomorrow = here.tomorrow().and_then(|tomorrow| tomorrow.start_of_day());
    Now {
        at,
        day: day_of(at),
        begins: micros(here.start_of_day()).unwrap_or(Instant::MIN),
        ends: micros(tomorrow).unwrap_or(Instant::MAX),
        day_of,
    }
}

/// The beginning of the day before, here.
pub(crate) fn yesterday() -> Instant {
    let began = here().yesterday().and_then(|before| before.start_of_day());
    let micros = began.ok().and_then(|at| Instant::from_micros(at.timestamp().as_microsecond()));
    micros.unwrap_or(Instant::MIN)
}

/// The monotonic clock.
#[expect(clippy::disallowed_methods, reason = "the rim is where time comes in")]
pub(crate) fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}

/// Microseconds of the monotonic clock, which all processes of one boot share.
pub(crate) fn since_boot() -> u64 {
    let since = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let (seconds, nanos) = (u64::try_from(since.tv_sec), u64::try_from(since.tv_nsec));
    seconds.unwrap_or(0).saturating_mul(1_000_000).saturating_add(nanos.unwrap_or(0) / 1000)
}

/// What tells this boot of the machine from others, where the system tells it.
pub(crate) fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// Microseconds since a moment of the monotonic clock.
pub(crate) fn micros_since(moment: std::time::Instant) -> u64 {
    u64::try_from(moment.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Lets time pass, for a thread that has nothing else to wait for.
#[expect(clippy::disallowed_methods, reason = "nothing happens that would end this wait")]
pub(crate) fn pass(time: std::time::Duration) {
    std::thread::sleep(time);
}

/// Random bytes of the system.
#[expect(clippy::disallowed_methods, reason = "the rim is where randomness comes in")]
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without a source of randomness there is no key, no epoch, no node name: nothing can go on.
    getrandom::fill(&mut bytes).expect("the system has a source of random bytes");
    bytes
}

/// What only the rim knows: the machine, and randomness.
pub(crate) fn rim() -> Rim {
    let machine = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .unwrap_or_else(|| hostname::get().unwrap_or_default().to_string_lossy().into_owned());
    Rim { machine: machine.trim().to_string(), epoch: || Epoch::from_random(random()) }
}

/// An instant as people read it, in their own time zone, to the second.
pub(crate) fn shown(instant: Instant) -> String {
    match jiff::Timestamp::from_microsecond(instant.micros()) {
        Ok(timestamp) => {
            let zoned = timestamp.to_zoned(jiff::tz::TimeZone::system());
            zoned.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
        Err(_) => instant.to_string(),
    }
}
