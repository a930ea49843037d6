//! The tree of the data home. Nobody else joins path parts: what is opened comes from here, and what
//! comes from a record or a file name is checked here first.

pub mod python;

use std::borrow::Cow;

use cocli_core::limits::LOG_BYTES_MAX;
use cocli_core::{Day, Instant, Kind, LogId, Month, SortedFile, Target, convo};

/// Folder of the journals.
pub const WAL: &str = "wal";
/// Folder of the checkpoint.
pub const CHECKPOINT: &str = "checkpoint";
/// Folder of the history: days that the checkpoint covers, compressed.
pub const ARCHIVE: &str = "archive";
/// From where on each log is held that is not held from its start.
pub const BASES: &str = ".cocli/bases.json";
/// This node's own folder.
pub const OWN: &str = ".cocli";
/// The lock of the home.
pub const LOCK: &str = ".cocli/lock";
/// Held by the one who compacts.
pub const COMPACTING: &str = ".cocli/compacting";
/// Held by the daemon.
pub const SERVING: &str = ".cocli/serving";
/// The settings of the machine.
pub const CONFIG: &str = ".cocli/config.toml";
/// The identity of the node and its cluster.
pub const ID: &str = ".cocli/id";
/// The epoch of the log that this node appends to.
pub const EPOCH: &str = ".cocli/epoch";
/// The private half of the key that streams know this node by.
pub const IDENTITY: &str = ".cocli/identity";
/// The key ring of the cluster.
pub const KEYS: &str = ".cocli/keys";
/// The change of key that leaves nodes out.
pub const REKEY: &str = ".cocli/rekey";
/// The daemon's socket.
pub const SOCKET: &str = ".cocli/sock";
/// What `cocli web` asks those for who come from other machines.
pub const WEB_TOKEN: &str = ".cocli/web.token";
/// Peers met before.
pub const PEERS: &str = ".cocli/peers.json";
/// What is known of the bucket.
pub const BUCKET: &str = ".cocli/bucket.json";
/// Held by the one who talks to the bucket.
pub const BUCKET_TURN: &str = ".cocli/bucket.turn";
/// What a clone that is under way is made from.
pub const CLONING: &str = ".cocli/cloning.json";
/// Requests to the bucket that were counted, by month.
pub const METER: &str = ".cocli/meter.json";
/// Held by the one who counts them.
pub const METER_TURN: &str = ".cocli/meter.turn";
/// What was put into the mirror, one line a card.
pub const MIRROR: &str = ".cocli/mirror.usv";
/// Which claims of tasks were seen, and since when.
pub const CLAIMS: &str = ".cocli/claims.json";
/// Held by the one who writes that.
pub const CLAIMS_TURN: &str = ".cocli/claims.turn";
/// How the columns of tables that were brought in were mapped.
pub const MAPPINGS: &str = ".cocli/mappings.json";
/// Folder of what an import fetches from a bucket, until it is done.
pub const FETCHED: &str = ".cocli/fetched";
/// Held by the one who fetches.
pub const FETCHED_TURN: &str = ".cocli/fetched.turn";
/// Folder of what Python peers sent and were told.
pub const PYTHON: &str = ".cocli/python";
/// Keeps keys and identity out of git.
pub const GITIGNORE: &str = ".cocli/.gitignore";
/// What git passes over in a home whose cards it keeps: all that the journals make, and this node's own.
pub const GIT_PASSES_OVER: &str = "/.cocli/\n/wal/\n/checkpoint/\n/archive/\n/cache/\n";
/// Where that stands.
pub const HOME_GITIGNORE: &str = ".gitignore";
/// Folder of the marks, one file a log.
pub const MARKS: &str = ".cocli/marks";
/// Folder of dumps of the state of a daemon, for whoever is asked for help.
pub const DUMPS: &str = ".cocli/dumps";
/// How far the daily reading of everything came.
pub const SCRUB: &str = ".cocli/scrub.json";
/// The holes known.
pub const HOLES: &str = ".cocli/holes.json";
/// The append that is under way.
pub const INTENT: &str = ".cocli/intent";
/// Which command wrote which bytes.
pub const COMMANDS: &str = ".cocli/commands";
/// The same of expiring logs.
const EXPIRING: &str = ".cocli/expiring";
/// The doubt in the own log, and how far closing it came.
pub const DOUBT: &str = ".cocli/doubt.json";
/// Folder of bytes taken out of journals.
pub const ASIDE: &str = ".cocli/aside";
/// Folder of the recent projections of cards.
pub const PROJECTIONS: &str = ".cocli/cards";
/// Folder where a card's new text waits to change places with the old one.
pub const SWAP: &str = ".cocli/swap";
/// Folder of what can be worked out again.
pub const CACHE: &str = "cache";
/// Folder of what entities are called.
pub const NAMES: &str = "cache/names";
/// How many entities live.
pub const LIVING: &str = "cache/living.usv";
/// Which values were lost unseen.
pub const LOST: &str = "cache/lost.usv";
/// Folder of the tables that `cocli sql` reads.
pub const TABLES: &str = "cache/tables";
/// Who has its lock makes tables.
pub const TABLES_LOCK: &str = "cache/tables/making";
/// What the checkpoint is made of.
pub const MANIFEST: &str = "checkpoint/manifest.json";
/// Folder of another node's checkpoint on its way here.
pub const INCOMING: &str = "checkpoint/incoming";
/// What that checkpoint is made of.
pub const INCOMING_MANIFEST: &str = "checkpoint/incoming/manifest.json";
/// The odd records that came with it.
pub const INCOMING_ODD: &str = "checkpoint/incoming/odd.usv";
/// Says that it is whole, and which logs go on from it.
pub const INCOMING_WHOLE: &str = "checkpoint/incoming/whole.json";

/// Folder of the campaigns: the Python program keeps its settings there.
pub const CAMPAIGNS: &str = "campaigns";

/// Longest file name (without its ending) that a record may choose for a card.
const FILE_BYTES_MAX: usize = 200;

/// The journal of a log and day; the only one of an expiring log, whose name has its month alone.
#[must_use]
pub fn journal(log: &LogId, day: Day) -> String {
    match log.month {
        Some(month) => format!("{WAL}/{month}_{}.usv", log.of(None)),
        None => format!("{WAL}/{day}_{log}.usv"),
    }
}

/// Reads the name of a journal back; `None` for a foreign name.
#[must_use]
pub fn journal_of(name: &str) -> Option<(LogId, Day)> {
    let (day, log) = name.strip_suffix(".usv")?.split_once('_')?;
    let log = LogId::read(log).ok().filter(|log| log.month.is_none())?;
    let read = match Month::read(day) {
        Some(month) => (log.of(Some(month)), month.first_day()),
        None => (log, Day::read(day)?),
    };
    // One name per journal: `a~` or the like would be a second one.
    (journal(&read.0, read.1).strip_prefix(WAL)?.strip_prefix('/')? == name).then_some(read)
}

/// A dump that was written at this time, as a record has it.
#[must_use]
pub fn dump(at: Instant) -> String {
    let digits: String = at.to_string().chars().filter(char::is_ascii_digit).take(20).collect();
    format!("{DUMPS}/{digits}.json")
}

/// So many bytes of a log from a position on, all of one day, compressed.
#[must_use]
pub fn archived(log: &LogId, day: Day, position: u64, bytes: u64) -> String {
    format!("{ARCHIVE}/{day}_{log}@{position}+{bytes}.usv.zst")
}

/// Reads the name of such a file back: log, day, position, bytes; `None` for any other name.
#[must_use]
pub fn archived_of(name: &str) -> Option<(LogId, Day, u64, u64)> {
    let (day, rest) = name.strip_suffix(".usv.zst")?.split_once('_')?;
    let (log, place) = rest.split_once('@')?;
    let (position, bytes) = place.split_once('+')?;
    let log = LogId::read(log).ok().filter(|log| log.month.is_none())?;
    let day = Day::read(day)?;
    let (position, bytes): (u64, u64) = (position.parse().ok()?, bytes.parse().ok()?);
    position.checked_add(bytes).filter(|end| *end <= LOG_BYTES_MAX)?;
    // One name per place: `+07` or the like would be a second one.
    let same =
        archived(&log, day, position, bytes).strip_prefix(ARCHIVE)?.strip_prefix('/')? == name;
    same.then_some((log, day, position, bytes))
}

/// Something in the archive by its name.
#[must_use]
pub fn in_archive(name: &str) -> String {
    format!("{ARCHIVE}/{name}")
}

/// Where a journal is written anew before it takes its place in `wal/` again.
#[must_use]
pub fn thawing(log: &LogId, day: Day) -> String {
    format!("{ARCHIVE}/{day}_{log}.usv.new")
}

/// Something in `wal/` whose name is no journal's.
#[must_use]
pub fn foreign(name: &str) -> String {
    format!("{WAL}/{name}")
}

/// What a Python peer sent and was told, by the hash of its name.
#[must_use]
pub fn python(name: u128) -> String {
    format!("{PYTHON}/{name:032x}")
}

/// Something in the folder of what Python peers sent and were told.
#[must_use]
pub fn in_python(name: &str) -> String {
    format!("{PYTHON}/{name}")
}

/// Which command wrote which bytes of an own log.
#[must_use]
pub fn commands(log: &LogId) -> &'static str {
    if log.month.is_some() { EXPIRING } else { COMMANDS }
}

/// The marks of a log.
#[must_use]
pub fn marks(log: &LogId) -> String {
    format!("{MARKS}/{log}.marks")
}

/// A file of marks by its name.
#[must_use]
pub fn mark_file(name: &str) -> String {
    format!("{MARKS}/{name}")
}

/// Bytes of a log taken out of it, from a position on.
#[must_use]
pub fn aside(log: &LogId, position: u64, hash: u128) -> String {
    format!("{ASIDE}/{log}-{position}-{hash:032x}.usv")
}

/// Lines of a checkpoint that newer reading rules cannot read.
#[must_use]
pub fn aside_lines(hash: u128) -> String {
    format!("{ASIDE}/checkpoint-{hash:032x}.usv")
}

/// The settings in a folder at or below the campaigns'.
#[must_use]
pub fn campaign_settings(folder: &str) -> String {
    format!("{folder}/config.toml")
}

/// A folder in one of the campaigns' by its name.
#[must_use]
pub fn in_campaigns(folder: &str, name: &str) -> String {
    format!("{folder}/{name}")
}

/// The folder for the tasks of a queue that are in one of its states, in a campaign's.
#[must_use]
pub fn tasks(campaign: &str, queue: &str, state: &str) -> String {
    format!("{campaign}/queues/{queue}/{state}")
}

/// A task in that folder.
#[must_use]
pub fn task(folder: &str, id: &str) -> String {
    format!("{folder}/{id}.json")
}

/// The task whose file in that folder this is; `None` for any other name.
#[must_use]
pub fn task_of(name: &str) -> Option<&str> {
    name.strip_suffix(".json").filter(|id| cocli_core::task::is_id(id))
}

/// The folder of the checkpoint: that of the logs that stay, or, in it, that of those of a month.
#[must_use]
pub fn checkpoint(month: Option<Month>) -> String {
    month.map_or_else(|| CHECKPOINT.to_owned(), |month| format!("{CHECKPOINT}/{month}"))
}

/// What a checkpoint is made of.
#[must_use]
pub fn manifest(month: Option<Month>) -> String {
    in_checkpoint(month, "manifest.json")
}

/// The records of a checkpoint's logs that broke a rule.
#[must_use]
pub fn odd(month: Option<Month>) -> String {
    in_checkpoint(month, "odd.usv")
}

/// A base shard by its content.
#[must_use]
pub fn shard(month: Option<Month>, shard: u8, hash: u128) -> String {
    in_checkpoint(month, &format!("{shard:02x}-{hash:032x}.usv"))
}

/// The names of the entities of a shard.
#[must_use]
pub fn names(shard: u8, hash: u128) -> String {
    format!("{NAMES}/{shard:02x}-{hash:032x}.usv")
}

/// A table of what has this key.
#[must_use]
pub fn table(key: u128, table: &str) -> String {
    in_tables(&format!("{key:032x}-{table}.parquet"))
}

/// Says that the tables of what has this key are whole.
#[must_use]
pub fn whole_tables(key: u128) -> String {
    in_tables(&format!("{key:032x}.json"))
}

/// Names the tables that one process reads; locked as long as it does.
#[must_use]
pub fn reading(process: u32, number: u32) -> String {
    in_tables(&format!("reading-{process}-{number}"))
}

/// Something in the folder of the tables by its name.
#[must_use]
pub fn in_tables(name: &str) -> String {
    format!("{TABLES}/{name}")
}

/// A sorted run above the shards.
#[must_use]
pub fn run(month: Option<Month>, hash: u128) -> String {
    in_checkpoint(month, &format!("run-{hash:032x}.usv"))
}

/// A file of a checkpoint by its content.
#[must_use]
pub fn sorted(month: Option<Month>, file: SortedFile) -> String {
    match file.shard {
        Some(of) => shard(month, of, file.hash),
        None => run(month, file.hash),
    }
}

/// Such a file of another node's checkpoint, as far as it came.
#[must_use]
pub fn incoming(file: SortedFile) -> String {
    let path = sorted(None, file);
    format!("{INCOMING}/{}", path.rsplit('/').next().unwrap_or_default())
}

/// Something of another node's checkpoint by its name.
#[must_use]
pub fn in_incoming(name: &str) -> String {
    format!("{INCOMING}/{name}")
}

/// Where a thread of a compaction puts lines that the memory does not hold; gone when it is over.
#[must_use]
pub fn spill(worker: usize) -> String {
    format!("{CHECKPOINT}/spill-{worker}.new")
}

/// What a compaction writes of a shard before its name is known; `part` numbers what it sets apart.
#[must_use]
pub fn unfinished(month: Option<Month>, shard: u8, part: Option<usize>) -> String {
    match part {
        None => in_checkpoint(month, &format!("{shard:02x}.new")),
        Some(part) => in_checkpoint(month, &format!("{shard:02x}-{part}.new")),
    }
}

/// Something in a checkpoint by its name.
#[must_use]
pub fn in_checkpoint(month: Option<Month>, name: &str) -> String {
    format!("{}/{name}", checkpoint(month))
}

/// A card, or a list of tags, of a target that was removed: kept for the person who wrote in it.
#[must_use]
pub fn removed(target: &Target, hash: u128, ending: &str) -> String {
    format!("{ASIDE}/{}-{hash:032x}.{ending}", target.as_str().replace('/', "-"))
}

/// Where a file from `.cocli/swap/` goes that is of no known target, by the hash of its bytes.
#[must_use]
pub fn nobodys(hash: u128) -> String {
    format!("{ASIDE}/card-{hash:032x}.md")
}

/// The kept projections of the targets of a shard.
#[must_use]
pub fn projections(shard: u8) -> String {
    format!("{PROJECTIONS}/{shard:02x}.jsonl")
}

/// Where a card or list of tags changes places: by its target's shard and the hash of its path.
#[must_use]
pub fn swap(shard: u8, hash: u128) -> String {
    format!("{SWAP}/{shard:02x}-{hash:032x}")
}

/// A file beside `path` that replaces it once it is whole.
#[must_use]
pub fn fresh(path: &str) -> String {
    format!("{path}.new")
}

/// The folder that a path stands in; empty for the home itself.
#[must_use]
pub fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The card of a target, if its kind has one. `file` is the value of its field `_file`: a name chosen
/// once, with or without `.md`; one that is no plain file name is passed over.
#[must_use]
pub fn card(target: &Target, file: Option<&str>) -> Option<String> {
    let last = target.as_str().rsplit('/').next().unwrap_or_default();
    let kind = Kind::of(target)?;
    let own = if kind.is_convo() { convo::file_name(last).into() } else { Cow::Borrowed(last) };
    let name = file.and_then(file_name).unwrap_or(own);
    match kind {
        Kind::Company => Some(format!("{target}/_index.md")),
        Kind::Person => Some(format!("{target}/{name}.md")),
        Kind::Note | Kind::Meeting => Some(format!("{}/{name}.md", convos(target.entity(), kind))),
    }
}

/// The folder of an entity's notes, or meetings.
#[must_use]
pub fn convos(entity: &str, kind: Kind) -> String {
    format!("{entity}/{}", kind.plural())
}

/// A file in the folder of an entity's notes, or meetings.
#[must_use]
pub fn in_convos(folder: &str, name: &str) -> String {
    format!("{folder}/{name}")
}

/// The file of a note or meeting that a path names: the entity, the kind, and the file's name without its ending.
#[must_use]
pub fn convo_of(path: &str) -> Option<(&str, Kind, &str)> {
    let (folder, name) = path.strip_suffix(".md")?.rsplit_once('/')?;
    let (entity, plural) = folder.rsplit_once('/')?;
    let kind = Kind::CONVOS.into_iter().find(|kind| kind.plural() == plural)?;
    let is_entity = Target::read(entity).is_ok_and(|entity| {
        entity.is_entity() && matches!(Kind::of(&entity), Some(Kind::Company | Kind::Person))
    });
    (is_entity && file_name(name).is_some()).then_some((entity, kind, name))
}

/// The list of tags beside a company's card.
#[must_use]
pub fn tags(target: &Target) -> Option<String> {
    (Kind::of(target)? == Kind::Company).then(|| format!("{target}/tags.lst"))
}

/// A file name without folders, dots at its start or control characters.
fn file_name(text: &str) -> Option<Cow<'_, str>> {
    let stem = text.strip_suffix(".md").unwrap_or(text);
    let plain = |c: char| !c.is_control() && !matches!(c, '/' | '\\');
    let fits = (1..=FILE_BYTES_MAX).contains(&stem.len()) && stem.chars().all(plain);
    (fits && !stem.starts_with('.')).then_some(Cow::Borrowed(stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journals_read_back_as_they_are_named_and_nothing_else_does() {
        for name in [
            "20261123_pi1.usv",
            "20261123_a_b.usv",
            "20261123_pi1~abcdefgh.usv",
            "202611_pi1.usv",
            "202611_20261123_a.usv",
            "202611_pi1~abcdefgh.usv",
        ] {
            let (log, day) = journal_of(name).unwrap();
            assert_eq!(journal(&log, day), format!("wal/{name}"));
        }
        for name in [
            "remote_pi1.usv",
            "20261301_pi1.usv",
            "20261123_.usv",
            "20261123_pi1~.usv",
            "x",
            "202613_pi1.usv",
            "202611_pi1~~202611.usv",
            "20261123_pi1~~202611.usv",
        ] {
            assert_eq!(journal_of(name), None, "{name}");
        }
    }

    #[test]
    fn pieces_of_the_archive_read_back_as_they_are_named_and_nothing_else_does() {
        for name in ["20261123_pi1@0+150.usv.zst", "20261123_a_b~abcdefgh@4711+9.usv.zst"] {
            let (log, day, position, bytes) = archived_of(name).unwrap();
            assert_eq!(archived(&log, day, position, bytes), format!("archive/{name}"));
        }
        for name in [
            "20261123_pi1.usv.zst",
            "20261123_pi1@0+07.usv.zst",
            "20261123_pi1@-1+7.usv.zst",
            "20261123_@0+1.usv.zst",
            "x",
        ] {
            assert_eq!(archived_of(name), None, "{name}");
        }
    }

    #[test]
    fn no_field_leads_a_card_out_of_its_folder() {
        let person = Target::read("people/jane-doe").unwrap();
        for file in ["../../x", "a/b", ".hidden", "", "a\0b", "..\\x"] {
            assert_eq!(
                card(&person, Some(file)).unwrap(),
                "people/jane-doe/jane-doe.md",
                "{file:?}"
            );
        }
        assert_eq!(card(&person, Some("Jané.md")).unwrap(), "people/jane-doe/Jané.md");
        let note = Target::read("companies/apple/notes/call-x1y2").unwrap();
        assert_eq!(card(&note, None).unwrap(), "companies/apple/notes/call-x1y2.md");
        let note = Target::read("people/ada/notes/2026-02-18t17-04-05z-call-x1y2").unwrap();
        let file = "people/ada/notes/2026-02-18T17-04-05Z-call-x1y2.md";
        assert_eq!(card(&note, None).unwrap(), file);
        assert_eq!(
            convo_of(file),
            Some(("people/ada", Kind::Note, "2026-02-18T17-04-05Z-call-x1y2"))
        );
        for path in ["people/ada/notes/.x.md", "people/ada/x.md", "wal/a/notes/x.md", "notes/x.md"]
        {
            assert_eq!(convo_of(path), None, "{path}");
        }
        assert_eq!(card(&Target::read("nodes/pi1").unwrap(), None), None);
    }
}
