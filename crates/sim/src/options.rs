//! What a world is like.

use crate::chance::Chance;

/// What a world is like. Times are simulated.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything that is left to chance comes from here.
    pub seed: u64,
    /// Machines at the beginning.
    pub nodes: usize,
    /// Packets lost, in a thousand.
    pub loss: u64,
    /// Packets doubled, in a thousand.
    pub duplicates: u64,
    /// How often a doubled packet arrives, at most.
    pub copies: u64,
    /// Packets delayed by up to [`Self::late_ms`], in a thousand; the others take a few milliseconds.
    pub late: u64,
    /// Shortest and longest delay of the others, microseconds.
    pub delay_us: (u64, u64),
    /// The longest delay of a packet, milliseconds.
    pub late_ms: u64,
    /// Messages of streams with which the stream is cut, in a thousand.
    pub cuts: u64,
    /// Longest time that the disk takes for a job, milliseconds.
    pub disk_ms: u64,
    /// Time between two looks of a daemon at its files, milliseconds; up to twice that.
    pub look_ms: u64,
    /// Writes, spread over the time of the faults.
    pub writes: usize,
    /// Bytes of the longest value.
    pub value_bytes: usize,
    /// Seconds in which writes and faults happen.
    pub seconds: u64,
    /// Seconds of quiet after which all have to be level.
    pub quiet_seconds: u64,
    /// How often other things go wrong.
    pub faults: Faults,
    /// Keep a line for each event.
    pub trace: bool,
    /// Measure the propagation: see [`crate::measure`].
    pub measured: Option<Measured>,
}

/// What a measured run adds.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Microseconds from one write to the next, over the whole cluster.
    pub every_us: u64,
    /// Machines that write; all, if it is not said.
    pub writers: Option<usize>,
    /// Machines that each is told of at its start; all, if it is not said.
    pub peers: Option<usize>,
    /// How long two machines are cut off from the others.
    pub parted_seconds: u64,
    /// By how much wall clocks differ at most.
    pub skew_seconds: u64,
    /// Power cuts: what was not synced may be gone.
    pub crashes: u64,
}

/// How often what goes wrong, over the whole run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Power cuts: what was not synced may be gone.
    pub crashes: u64,
    /// Killed processes: what was written stays.
    pub kills: u64,
    /// Links that are cut for a while, in one direction or both.
    pub partitions: u64,
    /// Disks that fail once, or for a while.
    pub disks: u64,
    /// Homes copied to another machine.
    pub clones: u64,
    /// Homes set back to an earlier image.
    pub restores: u64,
    /// Machines that change their address.
    pub moves: u64,
    /// A machine sleeps for up to 40 seconds.
    pub sleeps: u64,
    /// Machines that let all their history go.
    pub trims: u64,
}

impl Options {
    /// A calm world: nothing goes wrong unless it is said.
    #[must_use]
    pub fn calm(seed: u64, nodes: usize) -> Self {
        Self {
            seed,
            nodes,
            loss: 0,
            duplicates: 0,
            copies: 4,
            late: 0,
            delay_us: (200, 4_000),
            late_ms: 5_000,
            cuts: 0,
            disk_ms: 5,
            look_ms: 2_500,
            writes: 30,
            value_bytes: 40,
            seconds: 30,
            quiet_seconds: 240,
            faults: Faults::default(),
            trace: false,
            measured: None,
        }
    }

    /// A world to be measured: calm, with ten writes a second, and looks as far apart as a daemon's.
    #[must_use]
    pub fn measured(seed: u64, nodes: usize) -> Self {
        let measured = Measured {
            every_us: 100_000,
            writers: None,
            peers: None,
            parted_seconds: 0,
            skew_seconds: 0,
            crashes: 0,
        };
        Self { look_ms: 5_000, measured: Some(measured), ..Self::calm(seed, nodes) }
    }

    /// A world in which anything may happen, as the seed chooses.
    #[must_use]
    pub fn any(seed: u64) -> Self {
        let keeping = Self::keeping(seed);
        let alone = keeping.faults.clones + keeping.faults.restores == 0;
        if alone && seed.is_multiple_of(3) { Self::trimming(seed) } else { keeping }
    }

    /// The same, where all keep their history.
    fn keeping(seed: u64) -> Self {
        let chance = &mut Chance::new(seed ^ 0x5eed_0f0d);
        let some = |chance: &mut Chance, most: u64| {
            if chance.permille(500) { chance.between(0, most) } else { 0 }
        };
        Self {
            loss: some(chance, 300),
            duplicates: some(chance, 200),
            late: some(chance, 200),
            cuts: some(chance, 150),
            disk_ms: chance.between(1, 500),
            writes: usize::try_from(chance.between(20, 60)).unwrap_or(20),
            value_bytes: if chance.permille(150) { 4_000 } else { 60 },
            seconds: chance.between(20, 60),
            faults: Faults {
                crashes: some(chance, 4),
                kills: some(chance, 3),
                partitions: some(chance, 5),
                disks: some(chance, 3),
                clones: u64::from(chance.permille(250)),
                restores: u64::from(chance.permille(350)),
                moves: some(chance, 1),
                sleeps: some(chance, 1),
                trims: 0,
            },
            ..Self::calm(seed, usize::try_from(chance.between(3, 5)).unwrap_or(3))
        }
    }

    /// As [`Options::any`], where machines let their history go, and no home is cloned or set back: two
    /// branches that part before every base can be told apart by nobody.
    #[must_use]
    pub fn trimming(seed: u64) -> Self {
        let keeping = Self::keeping(seed);
        let trims = 1 + seed / 3 % 6;
        Self { faults: Faults { clones: 0, restores: 0, trims, ..keeping.faults }, ..keeping }
    }
}
