//! Every ceiling of formats and protocol, with its unit, and the relations between them.

/// Bytes of a value in canonical form.
pub const VALUE_BYTES_MAX: usize = 8 * MIB;
/// Bytes of one record with its separators.
pub const RECORD_BYTES_MAX: usize = 9 * MIB;
/// Logs that one home follows.
pub const LOGS_MAX: usize = 4096;
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
/// Bytes of journal behind the frontier after which a writer compacts.
pub const TAIL_BYTES_MAX: u64 = 4 * MIB as u64;
/// Base shards of a checkpoint.
pub const SHARDS: usize = 256;
/// Levels of lists and maps in a JSON value.
pub const JSON_DEPTH_MAX: usize = 64;

const MIB: usize = 1024 * 1024;

const _: () = assert!(VALUE_BYTES_MAX < RECORD_BYTES_MAX);
const _: () = assert!(NODE_BYTES_MAX < 255);
const _: () = assert!(
    SEGMENTS_MAX * (SEGMENT_BYTES_MAX + 1) + ELEMENT_BYTES_MAX + FIELD_BYTES_MAX + 256
        < RECORD_BYTES_MAX - VALUE_BYTES_MAX
);
