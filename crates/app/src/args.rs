//! The command line: what each verb takes. The help text here is the reference.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use cocli_node::Problem;

mod config;
mod daemon;
mod export;
mod find;
mod import;
mod key;
mod log;
mod open;
mod sql;
mod status;
mod top;
mod web;
mod work;

pub(crate) use config::{Config, ConfigVerb};
pub(crate) use daemon::{DaemonInstall, DaemonLogs, DaemonVerb};
pub(crate) use export::{Export, ExportFormat, ExportTo, ExportVerb};
pub(crate) use find::Find;
pub(crate) use import::{Import, ImportCsv, ImportFile, ImportVerb, Manner};
pub(crate) use key::{Key, KeyVerb};
pub(crate) use log::{Level, LogForm, Logged};
pub(crate) use open::{Open, What};
pub(crate) use sql::{Sql, SqlFormat};
pub(crate) use status::Status;
pub(crate) use top::{Top, TopView};
pub(crate) use web::Web;
pub(crate) use work::{Campaign, CampaignVerb, Held, Queue, QueueVerb};

/// A plain-text CRM that stays the same on every machine.
#[derive(Debug, Parser)]
#[command(name = "cocli", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(
    after_help = "New here? `cocli demo` shows it at work in under a minute; `cocli init` makes a home."
)]
pub(crate) struct Cli {
    /// The data home (else $COCLI_DATA_HOME, the nearest folder upwards with .cocli/, the user's own).
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Print one JSON object, or one a line, instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The campaign (else $COCLI_CAMPAIGN).
    #[arg(long, global = true, value_name = "C")]
    pub(crate) campaign: Option<String>,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a data home, alone or as a member of a cluster.
    Init(Init),
    /// Make this home a member of a cluster.
    Join(Join),
    /// Make a home of what a bucket holds, as it is now or was at a time.
    Clone(Clone),
    /// Print what another machine needs to join: keep it secret.
    Ticket(Ticket),
    /// Print the folder of the data home.
    DataPath,
    /// Add a company or a person.
    Add(Add),
    /// Set fields of a target.
    Set(Set),
    /// Remove fields of a target.
    Unset(Unset),
    /// Print one field, or all, of a target.
    Get(Get),
    /// Show a target as a person reads it.
    Show(Show),
    /// List a collection.
    List(List),
    /// Show what today asks for: what is due, meetings, whom you have not spoken to, what others wrote.
    Today(Today),
    /// Find companies and people by a part of what they are called, or nearly that; by tags, by place; or what notes say.
    Find(Find),
    /// Ask in SQL, by DuckDB: companies, people, notes, meetings, leads, datagrams, heartbeats.
    Sql(Sql),
    /// Add or remove tags.
    Tag(Tag),
    /// Note something about a company or person, and read what was noted.
    Note(Note),
    /// Meetings: add, list, what comes next, what was lately.
    Meeting(Meeting),
    /// Open a target's card in the editor.
    Edit(Edit),
    /// Open a company or person in the browser, the mail program, on a map, or its folder.
    Open(Open),
    /// Remove a target and everything below it (its files move to the trash of the home).
    Rm(Rm),
    /// Show what was written, newest last.
    Log(Log),
    /// The campaigns: who belongs to them, who is left out, which one this terminal means.
    Campaign(Campaign),
    /// Work for several machines: tasks, each claimed by one worker at a time.
    Queue(Queue),
    /// Bring in what you have: tables, contacts, a home of the Python program.
    Import(Import),
    /// Hand companies, people or leads on: csv, usv, JSON lines, xlsx, Parquet, vCards.
    Export(Export),
    /// Merge the journals into the checkpoint and put all cards in place.
    Compact(Compact),
    /// Print the merged state, or its digest.
    State(State),
    /// Show the values that another one took the place of, unseen.
    Conflicts(Conflicts),
    /// Settle conflicts: one, or all of them one after the other.
    Resolve(Resolve),
    /// Make one of two companies or people: the first stays, with all that the second had.
    Merge(Merge),
    /// Give a company or person another slug, with all that stands below it.
    Mv(Mv),
    /// Set apart two entities that two nodes added under one slug.
    Split(Split),
    /// Take in the hand edits that wait for a decision.
    Accept(Decide),
    /// Refuse the hand edits that wait for a decision: the cards are written anew.
    Reject(Decide),
    /// Take back the last command, or what was written to a target or field.
    Undo(Undo),
    /// Add the network and the watching of files: run in the foreground, or as a service (`daemon install`).
    Daemon(Daemon),
    /// Bring this home and its bucket level, and say where everything is safe.
    Sync(Sync),
    /// Consolidate the bucket: take everything, compact, publish for clones and SQL engines.
    Hub(Hub),
    /// Say how this home and its cluster are.
    Status(Status),
    /// Watch the cluster, what comes, conflicts and the pool on the whole terminal.
    Top(Top),
    /// Show this home and its cluster in a browser: nodes, live changes, companies, people, conflicts.
    Web(Web),
    /// Look for damage and say what mends it.
    Doctor(Doctor),
    /// Three nodes on this machine: write, edit, crash, heal, compare.
    Demo(Demo),
    /// The settings of this machine.
    Config(Config),
    /// Print shell completions.
    Completions(Completions),
    /// Write man pages into a folder.
    Man(Man),
    /// The keys of the cluster on this machine.
    Key(Key),
    /// The nodes of the cluster, and how one is left out.
    Node(Node),
    /// Leave the cluster once another node holds all that is here; the files stay.
    Leave(Leave),
    /// Run the simulator.
    #[command(hide = true)]
    Sim(Sim),
    /// Measure.
    #[command(hide = true)]
    Bench(Bench),
}

#[derive(Debug, Args)]
pub(crate) struct Leave {
    /// Seconds to wait until another node holds everything.
    #[arg(long, default_value_t = 60.0, value_name = "S")]
    pub(crate) timeout: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where (default: ~/cocli).
    pub(crate) dir: Option<PathBuf>,
    /// The node's name, taken as given (default: the host name and four random characters).
    #[arg(long)]
    pub(crate) node: Option<String>,
    /// Join the cluster of this ticket; `-` reads it from standard input.
    #[arg(long, value_name = "TICKET")]
    pub(crate) join: Option<String>,
    /// Keep no cards on this machine: `get` and `set` only.
    #[arg(long)]
    pub(crate) no_cards: bool,
    /// Keep everything in this bucket too: `s3://NAME`, `gs://`, `az://` or `file:///FOLDER`. It is tried first.
    /// In a home that there is already: from now on.
    #[arg(long, value_name = "URL")]
    pub(crate) bucket: Option<String>,
    /// Write a `.gitignore` that keeps all but cards out of git. In a home that there is already, too.
    #[arg(long)]
    pub(crate) git: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The ticket; `-` reads it from standard input, so that it stays out of the shell's history.
    pub(crate) ticket: String,
}

#[derive(Debug, Args)]
pub(crate) struct Clone {
    /// The bucket: `s3://NAME/PREFIX`, `gs://`, `az://` or `file:///FOLDER`.
    pub(crate) url: String,
    /// Where (default: ~/cocli). What a clone left that was cut off there goes on.
    pub(crate) dir: Option<PathBuf>,
    /// The node's name, taken as given (default: the host name and four random characters).
    #[arg(long)]
    pub(crate) node: Option<String>,
    /// As everything was at this time, in a home that joins nobody and uploads nothing.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Keep no cards on this machine: `get` and `set` only.
    #[arg(long)]
    pub(crate) no_cards: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Ticket {
    /// An address of this machine to put into the ticket (default: what the configuration knows).
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) address: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Collection {
    Company,
    Person,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    pub(crate) what: Collection,
    /// The name, as people write it.
    pub(crate) name: String,
    /// The folder's name (default: made from the name).
    #[arg(long)]
    pub(crate) slug: Option<String>,
    /// A field to set at once.
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(crate) set: Vec<String>,
    /// The company that a person belongs to.
    #[arg(long, value_name = "SLUG")]
    pub(crate) company: Option<String>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Note {
    #[command(subcommand)]
    pub(crate) verb: Option<NoteVerb>,
    /// Whom it is about.
    #[arg(required = true)]
    pub(crate) target: Option<String>,
    /// The note, in one line.
    #[arg(required = true, num_args = 1..)]
    pub(crate) text: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NoteVerb {
    /// Add one with a title; its text comes from `--body`, from standard input, or else from the editor.
    Add(NoteAdd),
    /// List the notes of a company or person, oldest first.
    List(ConvoOf),
    /// Show the newest note of a company or person, or one.
    Show(ConvoOf),
    /// Open a note in the editor: the newest of a company or person, or one.
    Edit(ConvoOf),
}

#[derive(Debug, Args)]
pub(crate) struct NoteAdd {
    /// Whom it is about.
    pub(crate) target: String,
    /// Its title.
    pub(crate) title: String,
    /// Its text; `-` reads it from standard input.
    #[arg(long)]
    pub(crate) body: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ConvoOf {
    /// A company or person, or one note or meeting.
    pub(crate) target: String,
}

#[derive(Debug, Args)]
pub(crate) struct Meeting {
    #[command(subcommand)]
    pub(crate) verb: MeetingVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MeetingVerb {
    /// Add one.
    Add(MeetingAdd),
    /// List those of a company or person, or all of them, oldest first.
    List(MeetingsOf),
    /// Those that come, the next first.
    Next(MeetingsOf),
    /// Those of the last 180 days, the latest first.
    Recent(MeetingsOf),
}

#[derive(Debug, Args)]
pub(crate) struct MeetingAdd {
    /// With whom.
    pub(crate) target: String,
    /// When: `tomorrow 14:30`, `next tue 9:00`, `2026-12-01 14:30`.
    pub(crate) when: String,
    /// Its title.
    pub(crate) title: String,
    /// What it is: `meeting`, `phone-call`, `email`, ...
    #[arg(long = "type", value_name = "TYPE", default_value = "meeting")]
    pub(crate) kind: String,
    /// How long it takes: `45m`, `1h 30m`; calendars take half an hour where nothing is said.
    #[arg(long = "for", value_name = "LENGTH")]
    pub(crate) length: Option<String>,
    /// What was said, or is to be; `-` reads it from standard input.
    #[arg(long)]
    pub(crate) body: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct MeetingsOf {
    /// A company or person; else all.
    pub(crate) target: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// The one that stays.
    pub(crate) stays: String,
    /// The one that becomes part of it.
    pub(crate) goes: String,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Mv {
    /// A company or person.
    pub(crate) target: String,
    /// Its new slug.
    pub(crate) slug: String,
}

#[derive(Debug, Args)]
pub(crate) struct Edit {
    /// A company, person, note or meeting.
    pub(crate) target: String,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// `companies/apple`, a slug or name that only one entity bears, or the path of a card.
    #[arg(required_unless_present = "from")]
    pub(crate) target: Option<String>,
    /// `FIELD=VALUE`, `FIELD+=X` and `FIELD-=X` for sets; `FIELD=` is unset.
    #[arg(required_unless_present_any = ["from", "revive"], value_name = "FIELD=VALUE")]
    pub(crate) changes: Vec<String>,
    /// Read lines {"target","field","value"} from a file, `-` is standard input: one batch.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["target", "changes"])]
    pub(crate) from: Option<String>,
    /// Bring a removed target back.
    #[arg(long)]
    pub(crate) revive: bool,
    /// Return when this many other nodes hold it durably.
    #[arg(long, value_name = "N")]
    pub(crate) wait: Option<usize>,
    /// Seconds to wait at most.
    #[arg(long, value_name = "S", default_value_t = 10.0, requires = "wait")]
    pub(crate) timeout: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Unset {
    pub(crate) target: String,
    #[arg(required = true)]
    pub(crate) fields: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    pub(crate) target: String,
    pub(crate) field: Option<String>,
    /// As it was at this time (`yesterday`, `2h ago`, `2026-11-22 14:30`).
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    pub(crate) target: String,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// `companies` or `people`.
    pub(crate) collection: String,
    /// Only those whose field has exactly this value; a set counts when it holds it; `FIELD=` is those
    /// without one.
    #[arg(long = "where", value_name = "FIELD=VALUE")]
    pub(crate) filter: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Today {
    /// Print all meetings and next steps as iCalendar, for other programs.
    #[arg(long)]
    pub(crate) ics: bool,
}

/// A number of things that are wanted.
fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "expected a number from 1 on".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Tag {
    #[command(subcommand)]
    pub(crate) what: TagVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TagVerb {
    /// Add tags.
    Add(TagArgs),
    /// Remove tags.
    Rm(TagArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TagArgs {
    pub(crate) target: String,
    #[arg(required = true)]
    pub(crate) tags: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    pub(crate) target: String,
}

#[derive(Debug, Args)]
pub(crate) struct Log {
    pub(crate) target: Option<String>,
    pub(crate) field: Option<String>,
    /// Only what was written since.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only what this node wrote.
    #[arg(long)]
    pub(crate) node: Option<String>,
    /// Go on printing what is written here and what comes from others, until Ctrl-C.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Print the records as they stand in the journals.
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Compact {
    /// Leave the cards alone.
    #[arg(long)]
    pub(crate) no_cards: bool,
    /// Say what would be merged, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// For a daemon: merge what it says is durable (a log, position and hash a line) while it goes on.
    #[arg(long, hide = true, conflicts_with = "dry_run")]
    pub(crate) beside: bool,
    /// For a daemon: also where there is little.
    #[arg(long, hide = true, requires = "beside")]
    pub(crate) due: bool,
}

#[derive(Debug, Args)]
pub(crate) struct State {
    /// Print the state digest and the hash of the pool only.
    #[arg(long)]
    pub(crate) digest: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// Only this card (default: all that wait).
    pub(crate) target: Option<String>,
    /// Show what waits, and decide nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Conflicts {
    /// Only those of this target.
    pub(crate) target: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// Only those of this target.
    pub(crate) target: Option<String>,
    /// Only that of this field.
    pub(crate) field: Option<String>,
    /// Keep the value with this number, as `conflicts` shows it; 1 is the one that stands.
    #[arg(long, value_name = "N", conflicts_with = "value")]
    pub(crate) keep: Option<usize>,
    /// Set this value.
    #[arg(long, value_name = "V")]
    pub(crate) value: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Split {
    /// The target that is two, as `conflicts` shows it.
    pub(crate) target: String,
    /// A node whose values belong to the second one, besides the node that added it; what no such node
    /// wrote stays with the first.
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Vec<String>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Undo {
    pub(crate) target: Option<String>,
    pub(crate) field: Option<String>,
    /// What this node wrote, be it another one: with `--since`, or of one target.
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// What was written since this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Daemon {
    #[command(subcommand)]
    pub(crate) verb: Option<DaemonVerb>,
    /// UDP and TCP port (default: the configuration's, else 9999; 0 takes a free one).
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Address to bind to (default: all, of IPv4 and IPv6).
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bind: Option<std::net::IpAddr>,
    /// A node to talk to.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) peer: Vec<String>,
    /// Seconds from one upload to the bucket, or look at it, to the next (default: the configuration's, else 120).
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) bucket_interval: Option<u64>,
    #[command(flatten)]
    pub(crate) log: Logged,
}

#[derive(Debug, Args)]
pub(crate) struct Hub {
    /// Once, or again and again.
    #[arg(value_enum)]
    pub(crate) mode: HubMode,
    /// Seconds between two rounds.
    #[arg(long, default_value_t = 600, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) every: u64,
    /// Milliseconds after which the lease of a hub that died may be taken.
    #[arg(long, hide = true, default_value_t = 60_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(100..))]
    pub(crate) time_to_live: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HubMode {
    /// One round, as soon as the lease is free.
    Once,
    /// A round now and then, in the foreground.
    Run,
}

#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// Only one way (default: both).
    #[arg(value_enum)]
    pub(crate) way: Option<Way>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// Upload what the bucket lacks.
    Push,
    /// Take what the bucket has.
    Pull,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// `net`: where addresses come from, who answers, what hides the others. `dump`: a file of the state of all.
    /// `explain`: what a finding means and what to do.
    #[arg(value_enum, conflicts_with = "repair")]
    pub(crate) what: Option<Examined>,
    /// With `explain`: the name in brackets behind a finding; without it all names are listed.
    #[arg(value_parser = names(), hide_possible_values = true)]
    pub(crate) name: Option<String>,
    /// Mend what can be mended without a decision.
    #[arg(long)]
    pub(crate) repair: bool,
}

/// What `doctor` looks at, when not at the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Examined {
    /// The network.
    Net,
    /// Nothing: write the state of home and daemon into a file, for whoever is asked for help.
    Dump,
    /// Nothing: show the page of the guide about a finding.
    Explain,
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(Problem::ALL.iter().map(|problem| problem.name()))
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep the three homes here (default: a new folder under the temporary one).
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Node {
    #[command(subcommand)]
    pub(crate) what: NodeVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NodeVerb {
    /// Show the nodes: how each stands, when it was heard, which keys it has.
    List,
    /// Leave a node out for good, as when its machine was stolen: all others get a new key.
    Rm {
        /// Its name, as `node list` shows it.
        node: String,
        /// Seconds to wait until all that are alive use the new key; the daemon goes on after that.
        #[arg(long, default_value_t = 15.0, value_name = "S")]
        timeout: f64,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Sim {
    /// Machines (default: as the seed says).
    #[arg(long)]
    pub(crate) nodes: Option<usize>,
    /// Packets lost, percent (default: as the seed says).
    #[arg(long)]
    pub(crate) loss: Option<u64>,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many seeds, from `--seed` on.
    #[arg(long, default_value_t = 1)]
    pub(crate) seeds: u64,
    /// Print every event.
    #[arg(long)]
    pub(crate) trace: bool,
    #[command(flatten)]
    pub(crate) measured: SimMeasured,
}

/// Any of these makes it a measured run: calm but for what is asked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Measured run")]
pub(crate) struct SimMeasured {
    /// Writes a second, over the whole cluster (default: 10).
    #[arg(long, value_name = "WRITES")]
    pub(crate) rate: Option<f64>,
    /// How long there are writes; then it is quiet until all are equal (default: 30).
    #[arg(long, value_name = "S")]
    pub(crate) seconds: Option<u64>,
    /// Packets doubled, percent.
    #[arg(long, value_name = "PERCENT")]
    pub(crate) dup: Option<u64>,
    /// Delay of packets (default: 0.2..4).
    #[arg(long, value_name = "MS[..MS]", value_parser = delay)]
    pub(crate) delay: Option<(u64, u64)>,
    /// Longest time that a disk takes for a commit (default: 5).
    #[arg(long, value_name = "MS")]
    pub(crate) disk: Option<u64>,
    /// Cut two machines off from the others for so long.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) partition: Option<u64>,
    /// Let wall clocks differ by up to so much.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) skew: Option<u64>,
    /// Cut the power of machines: what was not synced may be gone.
    #[arg(long, value_name = "N")]
    pub(crate) crash: Option<u64>,
    /// Machines that write (default: all).
    #[arg(long, value_name = "N")]
    pub(crate) writers: Option<usize>,
    /// Machines that each is told of at its start (default: all; 40 of more than 300).
    #[arg(long, value_name = "N")]
    pub(crate) peers: Option<usize>,
    /// Draw the run.
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) picture: Option<PathBuf>,
    /// Runs of 10 to 1,000 machines, a line for each (default: 1 % loss, 5 seconds of writes).
    #[arg(long, conflicts_with_all = ["nodes", "picture"])]
    pub(crate) table: bool,
}

/// `5` or `1..20`, milliseconds, as microseconds.
fn delay(text: &str) -> Result<(u64, u64), String> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let one = |text: &str| match text.parse::<f64>() {
        Ok(ms) if (0.0..=600_000.0).contains(&ms) => Ok((ms * 1e3) as u64),
        _ => Err(format!("`{text}` is no number of milliseconds")),
    };
    let (low, high) = (one(low)?, one(high)?);
    if low <= high { Ok((low, high)) } else { Err("the shorter delay comes first".to_owned()) }
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    pub(crate) what: BenchVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchVerb {
    /// From a write here to durable on other homes of this machine; all their daemons run.
    Latency {
        /// The other homes.
        #[arg(required = true)]
        others: Vec<PathBuf>,
        /// Writes.
        #[arg(long, default_value_t = 100)]
        count: usize,
    },
    /// Write at a steady rate, as a program that keeps its home open does.
    Pace {
        /// Writes a second.
        #[arg(long, default_value_t = 200)]
        rate: u32,
        /// For how long.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
        /// One at a time: wait each time until so many other nodes hold it durably.
        #[arg(long)]
        wait: Option<usize>,
    },
    /// From writes elsewhere to written, and to durable, in homes of this machine, whose clock it is.
    Watch {
        /// The homes.
        #[arg(required = true)]
        homes: Vec<PathBuf>,
        /// For how long.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
}
