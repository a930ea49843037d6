//! Every ceiling of formats and protocol, with its unit, and the relations between them.

/// Bytes of a value in canonical form.
pub const VALUE_BYTES_MAX: usize = 8 * MIB;
/// Bytes of one record with its separators.
pub const RECORD_BYTES_MAX: usize = 9 * MIB;
/// Logs that one home follows.
pub const LOGS_MAX: usize = 4096;
/// Whole months after its own for which an expiring log is told. Thirty nodes have 120 of them then.
pub const MONTHS_KEPT: u32 = 3;
/// What an expiring log rests on the disk after it was told last: microseconds.
pub const EXPIRY_REST_US: u64 = 24 * 3600 * 1_000_000;
/// A clock that is more months ahead of all that other nodes wrote ends no log.
pub const CLOCK_MONTHS_MAX: u32 = 12;
/// Bytes of one log, over all its days: no sum over logs can overflow.
pub const LOG_BYTES_MAX: u64 = 1 << 48;
/// Bytes of a node id as written by us; readers take one more.
pub const NODE_BYTES_MAX: usize = 63;
/// Bytes of one segment of a target.
pub const SEGMENT_BYTES_MAX: usize = 128;
/// Segments of a target.
pub const SEGMENTS_MAX: usize = 6;
/// Bytes of a field's plain name.
pub const FIELD_BYTES_MAX: usize = 64;
/// Bytes of an element (or of another key of a card) when percent-encoded.
pub const ELEMENT_BYTES_MAX: usize = 200;
/// Bytes between two marks of a log's hash chain.
pub const MARK_SPACING_BYTES: u64 = 64 * 1024;
/// Bytes between two known points of a range whose chain was worked out: a part of the space between
/// marks, so that these stay as close as they should wherever the range begins.
pub const POINT_SPACING_BYTES: u64 = MARK_SPACING_BYTES / 4;
/// Bytes of journal behind the frontier after which a writer compacts.
pub const TAIL_BYTES_MAX: u64 = 4 * MIB as u64;
/// Values that were lost unseen and are noted, and their bytes: of more it is not known how many there are.
pub const LOST_NOTED_MAX: usize = 10_000;
/// The same, in bytes.
pub const LOST_NOTED_BYTES_MAX: usize = 8 * MIB;
/// Bytes of a journal that the archive compresses together, unless one block between two marks is longer.
pub const ARCHIVE_FRAME_BYTES: usize = 160 * KIB as usize;
/// Frames of one file of the archive: their number has 16 bits.
pub const ARCHIVE_FRAMES_MAX: usize = 60_000;
/// Bytes that wait for the bucket and close an object.
pub const OBJECT_CLOSED_BYTES: u64 = 256 * KIB;
/// Bytes of ranges in one object, unless one record is longer.
pub const OBJECT_BYTES_MAX: u64 = 4 * MIB as u64;
/// Ranges in one object.
pub const OBJECT_RANGES_MAX: usize = 4096;
/// Bytes that an object may unfold to.
pub const OBJECT_TEXT_BYTES_MAX: usize = 16 * MIB;
/// Bytes of a compressed object, or file of a checkpoint, that are read.
pub const DOWNLOAD_BYTES_MAX: usize = 64 * MIB;
/// Base shards of a checkpoint.
pub const SHARDS: usize = 256;
/// Runs above them.
pub const RUNS_MAX: usize = 8;
/// Bytes of the manifest of a checkpoint as it is told to others.
pub const MANIFEST_BYTES_MAX: usize = 4 * MIB;
/// Bytes of odd records that are taken along with another node's checkpoint.
pub const ODD_TAKEN_BYTES_MAX: u64 = 64 * MIB as u64;
/// Levels of lists and maps in a JSON value.
pub const JSON_DEPTH_MAX: usize = 64;

/// Bytes of a UDP payload: passes every path without being cut up.
pub const PACKET_BYTES_MAX: usize = 1200;
/// Bytes of a packet that its seal may take: header, nonce and tag.
pub const SEAL_BYTES_MAX: usize = 60;
/// Bytes of a packet that entries of vectors may take while ranges wait.
pub const ENTRIES_BYTES: usize = 350;
/// Bytes of a packet that bases of logs may take while ranges wait.
pub const BASES_BYTES: usize = 150;
/// Bytes of a membership message, with room for who sends it.
pub const MEMBERSHIP_BYTES: usize = 300;
/// Bytes of the condition of a node that are read: later versions say more.
pub const CONDITION_BYTES_MAX: usize = 512;
/// Bytes of the version of the program in it.
pub const VERSION_BYTES_MAX: usize = 32;
/// Counters of a boot that are remembered against replay.
pub const REPLAY_WINDOW: u64 = 1024;
/// Proven peers.
pub const PEERS_MAX: usize = 512;
/// Addresses where a peer may be.
pub const CANDIDATES_MAX: usize = 512;
/// Proven addresses of one peer.
pub const ADDRESSES_MAX: usize = 4;
/// Live peers up to which every one is pushed to.
pub const PUSH_PEERS_MAX: usize = 30;
/// Peers pushed to when there are more than that.
pub const PUSH_FEW: usize = 4;
/// Live peers above which nobody says hello to addresses that only others told of.
pub const PEERS_SOUGHT: usize = 128;
/// Live peers up to which 30 s of silence are enough; with more it takes longer in proportion.
pub const LIVE_PEERS: usize = 32;
/// Bytes of a log that are pushed; what is longer is announced.
pub const PUSH_BYTES_MAX: u64 = 16 * KIB;
/// Wants in flight, over all logs.
pub const WANTS_MAX: usize = 16;
/// Holes behind the first that are asked for with it.
pub const WANTED_HOLES: usize = 15;
/// Bytes that answer one want.
pub const WANT_BYTES_MAX: u64 = 16 * KIB;
/// Missing bytes up to which packets are asked for; beyond, a stream.
pub const GAP_BYTES_MAX: u64 = 64 * KIB;
/// Bytes of one log that wait for what stands in front of them.
pub const EARLY_BYTES_MAX: usize = 64 * KIB as usize;
/// The same, over all logs.
pub const EARLY_BYTES_ALL_MAX: usize = 4 * MIB;
/// Received bytes that wait to be written: the longest record, and what comes beside it.
pub const INBOX_BYTES_MAX: usize = RECORD_BYTES_MAX + MIB;
/// Bytes for which there must be room before a stream asks for more, and of what was received that are
/// kept to be pushed on.
pub const COMMIT_BYTES: usize = MIB;
/// Written bytes at which a sync does not wait for more.
pub const SYNC_BYTES: usize = 16 * MIB;
/// Live peers that take no part in the membership and are asked to in one round.
pub const ASKED_PEERS: usize = 3;
/// Peers that get a sum in one round of repair.
pub const ROUND_PEERS: usize = 8;
/// Packets of entries that answer a sum.
pub const ENTRIES_PACKETS_MAX: usize = 4;
/// Streams at a time.
pub const FETCHES_MAX: usize = 4;
/// Bytes after which a stream leaves its place to others who wait for one.
pub const STREAM_TURN_BYTES: u64 = 4 * MIB as u64;
/// Bytes of a chunk of a stream, unless one record is longer.
pub const CHUNK_BYTES: usize = 320 * KIB as usize;
/// Bytes of one message of a stream.
pub const STREAM_MESSAGE_BYTES_MAX: usize = RECORD_BYTES_MAX + 1024;
/// Sums of targets in one answer.
pub const SUMS_MAX: usize = 8192;
/// Differences of two states that are told.
pub const DIFFERENCES_MAX: usize = 20;
/// Characters of a value in one of them.
pub const DIFFERENCE_CHARS_MAX: usize = 400;
/// Heads in one question for the last common one.
pub const COMMON_HEADS_MAX: usize = 512;
/// Bytes of a packet to a Python peer: what UDP over IPv4 carries, and less than it reads at once.
pub const PYTHON_PACKET_BYTES_MAX: usize = 65_507;
/// Fields of which it is remembered what one Python peer sent and was told.
pub const PYTHON_FIELDS_MAX: usize = 200_000;
/// Bytes of lists that are remembered of one Python peer.
pub const PYTHON_LISTS_BYTES_MAX: usize = 8 * MIB;
/// Bytes of all that is remembered of one Python peer, as it stands in its file; a third more with what
/// is stale in it.
pub const PYTHON_MEMORY_BYTES_MAX: usize = 32 * MIB;
/// Values that a Python peer was told, of one field, that are remembered until it sends another.
pub const PYTHON_TOLD_MAX: usize = 8;
/// Lost branches that are remembered, over all logs.
pub const LOST_BRANCHES_MAX: usize = 256;
/// Heads of an own log whose hash is remembered for `--wait`.
pub const OWN_HEADS_MAX: usize = 256;

/// Silence after which a peer is no longer live, in microseconds; so are all below.
pub const LIVE_US: u64 = 30_000_000;
/// Time from one probe of a member to the next.
pub const PROBE_US: u64 = 1_650_000;
/// Time after which others are asked to probe it too.
pub const PROBE_RTT_US: u64 = 600_000;
/// Time that a suspect has to say that it lives.
pub const SUSPECT_US: u64 = 6_000_000;
/// Time after which some member is asked for all that it knows.
pub const MEMBERS_ASK_US: u64 = 30_000_000;
/// Time after which one that is down is told that this node is here.
pub const ANNOUNCE_DOWN_US: u64 = 60_000_000;
/// Time after which each live peer is told again how this node is.
pub const CONDITION_US: u64 = 5_000_000;
/// Shortest time between two of these.
pub const CONDITION_MIN_US: u64 = 1_000_000;
/// Live peers up to which news of it goes out after that; with more it takes longer in proportion.
pub const CONDITION_PEERS: usize = 8;
/// Shortest time between two calls to all who were lost, when one of them is back.
pub const STIR_US: u64 = 5_000_000;
/// Two boots of one node that are both heard for so long are two machines.
pub const OVERLAP_US: u64 = 1_000_000;
/// First delay of a hello, doubled up to [`HELLO_MAX_US`].
pub const HELLO_MIN_US: u64 = 250_000;
/// Longest delay between two hellos.
pub const HELLO_MAX_US: u64 = 60_000_000;
/// Silence of an address after which packets go to another of the same peer.
pub const ADDRESS_SILENT_US: u64 = 5_000_000;
/// Shortest time between two rounds of repair; the longest is twice that.
pub const ROUND_US: u64 = 1_000_000;
/// Shortest delay of the first announcement after a change; the longest is twice that.
pub const ANNOUNCE_US: u64 = 100_000;
/// Time in which a peer is not told the same entry again in answer to an old one.
pub const RETELL_US: u64 = 500_000;
/// Shortest time between two syncs, unless one is urgent.
pub const COMMIT_US: u64 = 200_000;
/// First pause after a failed append or sync, doubled up to [`STALL_MAX_US`].
pub const STALL_MIN_US: u64 = 1_000_000;
/// Longest pause after that.
pub const STALL_MAX_US: u64 = 60_000_000;
/// Shortest time-out of a want.
pub const WANT_MIN_US: u64 = 20_000;
/// Longest time-out of a want.
pub const WANT_MAX_US: u64 = 1_000_000;
/// Time in which wants that bring nothing are explained by lost packets; but for so many at least, and at most.
pub const LOSSES_US: u64 = 4_000_000;
/// Wants in a row that bring nothing and are held for losses, at least.
pub const LOSSES_MIN: u8 = 10;
/// The same, at most.
pub const LOSSES_MAX: u8 = 20;
/// Time in which a holder that failed is passed over.
pub const PASS_OVER_US: u64 = 5_000_000;
/// Round trips above twice the shortest by more than this are far.
pub const NEAR_US: u64 = 20_000;
/// Time given to ranges that may only have overtaken each other.
pub const OVERTAKE_US: u64 = 20_000;
/// A question on a stream that is unanswered for so long is a cut.
pub const STREAM_SILENT_US: u64 = 15_000_000;
/// Where packets can do it as well, a stream that brings nothing for so long and some round trips is slow.
pub const STREAM_SLOW_US: u64 = 2_000_000;
/// Round trips of a stream up to its first answer, and as many again.
pub const STREAM_ROUND_TRIPS: u64 = 8;
/// After a stream that was slow a log is asked for by packets for so long.
pub const STREAM_REST_US: u64 = 10_000_000;
/// A log is held by nobody from far enough back when that has been so for as long: others may turn up.
pub const STRANDED_US: u64 = 5_000_000;
/// First pause after a checkpoint that did not come, doubled up to [`CHECKPOINT_MAX_US`].
pub const CHECKPOINT_MIN_US: u64 = 5_000_000;
/// Longest pause after that.
pub const CHECKPOINT_MAX_US: u64 = 300_000_000;
/// Time that the joining of a checkpoint that came may take before it is asked for again.
pub const JOIN_US: u64 = 600_000_000;
/// Shortest time between two comparisons of a fork with one peer.
pub const COMPARE_US: u64 = 5_000_000;
/// Shortest time between two doubts.
pub const DOUBT_US: u64 = 10_000_000;

const KIB: u64 = 1024;

const MIB: usize = 1024 * 1024;

const _: () = assert!(VALUE_BYTES_MAX < RECORD_BYTES_MAX);
const _: () = assert!(NODE_BYTES_MAX < 255);
const _: () = assert!(
    RECORD_BYTES_MAX + OBJECT_BYTES_MAX as usize + OBJECT_RANGES_MAX * 256 < OBJECT_TEXT_BYTES_MAX
);
const _: () = assert!(OBJECT_CLOSED_BYTES < OBJECT_BYTES_MAX);
const _: () = assert!(
    SEGMENTS_MAX * (SEGMENT_BYTES_MAX + 1) + ELEMENT_BYTES_MAX + FIELD_BYTES_MAX + 256
        < RECORD_BYTES_MAX - VALUE_BYTES_MAX
);
const _: () = assert!(PUSH_BYTES_MAX <= GAP_BYTES_MAX && WANT_BYTES_MAX <= GAP_BYTES_MAX);
const _: () = assert!(RECORD_BYTES_MAX + COMMIT_BYTES <= INBOX_BYTES_MAX);
const _: () = assert!(CHUNK_BYTES < COMMIT_BYTES);
const _: () = assert!(ARCHIVE_FRAME_BYTES as u64 > 2 * MARK_SPACING_BYTES);
const _: () = assert!(ARCHIVE_FRAMES_MAX <= 1 << 16);
const _: () = assert!(RECORD_BYTES_MAX < STREAM_MESSAGE_BYTES_MAX);
const _: () = assert!(MANIFEST_BYTES_MAX < STREAM_MESSAGE_BYTES_MAX);
const _: () = assert!(ENTRIES_BYTES + BASES_BYTES + SEAL_BYTES_MAX + 200 < PACKET_BYTES_MAX);
const _: () = assert!(8 * ROUND_US < LIVE_US);
