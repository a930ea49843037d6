//! Compressed bytes, as they stand in the bucket: one zstd frame with its checksum.

use std::io::Read;

use cocli_core::bucket::{Failure, FailureKind, Key};
use cocli_core::limits::DOWNLOAD_BYTES_MAX;

/// Level of compression: what is new is compressed once, and read by every node.
const LEVEL: i32 = 3;

/// Bytes of lines that are given on in one piece, about.
const PIECE_BYTES: u64 = 1024 * 1024;
/// What ends a state line.
const LINE_END: [u8; 2] = [cocli_core::usv::RS, b'\n'];

/// Compresses.
///
/// # Errors
/// When there is no memory for it.
pub(super) fn pack(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let pack = || {
        let mut packer = zstd::bulk::Compressor::new(LEVEL)?;
        packer.include_checksum(true)?;
        packer.compress(bytes)
    };
    pack().map_err(|error: std::io::Error| Failure::new(FailureKind::Wrong, error.to_string()))
}

/// Gives back what was compressed, which stood under `key`; not more than `max` bytes.
///
/// # Errors
/// When it is damaged, or longer.
pub(super) fn unpack(key: &Key, packed: &[u8], max: usize) -> Result<Vec<u8>, Failure> {
    let wrong = |what: String| Failure::wrong(key, &what);
    is_short(key, packed)?;
    let unpack = || {
        let mut bytes = Vec::new();
        let mut reader = zstd::stream::read::Decoder::with_buffer(packed)?;
        reader.by_ref().take(max as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes =
        unpack().map_err(|error: std::io::Error| wrong(format!("it is damaged: {error}")))?;
    match bytes.len() <= max {
        true => Ok(bytes),
        false => Err(wrong(format!("it unfolds to more than {max} bytes"))),
    }
}

/// Gives back sorted lines that were compressed, which stood under `key`, in pieces of whole lines; not more than
/// `max` bytes. It ends at the first piece that `take` refuses.
///
/// # Errors
/// When it is damaged or longer, or the first failure of `take`.
pub(super) fn unpack_lines<E: From<Failure>>(
    key: &Key,
    packed: &[u8],
    max: u64,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let wrong = |what: String| Failure::wrong(key, &what);
    is_short(key, packed)?;
    let damaged = |error: std::io::Error| wrong(format!("it is damaged: {error}"));
    let reader = zstd::stream::read::Decoder::with_buffer(packed).map_err(damaged)?;
    let mut reader = reader.take(max + 1);
    let (mut held, mut all) = (Vec::new(), 0);
    loop {
        let read = reader.by_ref().take(PIECE_BYTES).read_to_end(&mut held).map_err(damaged)?;
        all += read as u64;
        if all > max {
            return Err(wrong(format!("it unfolds to more than {max} bytes")).into());
        }
        if read == 0 {
            break;
        }
        let whole = memchr::memmem::rfind(&held, &LINE_END).map_or(0, |at| at + LINE_END.len());
        if whole > 0 {
            take(&held[..whole])?;
            held.drain(..whole);
        }
    }
    match held.is_empty() {
        true => Ok(()),
        false => Err(wrong("it does not end with a whole line".to_owned()).into()),
    }
}

/// Refuses what is longer than anything that is put there.
fn is_short(key: &Key, packed: &[u8]) -> Result<(), Failure> {
    match packed.len() <= DOWNLOAD_BYTES_MAX {
        true => Ok(()),
        false => Err(Failure::wrong(key, &format!("it has more than {DOWNLOAD_BYTES_MAX} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use super::*;

    #[test]
    fn a_packed_text_with_any_byte_changed_or_cut_is_refused() {
        let text: Vec<u8> = (0..2000u32).flat_map(|n| (n * n).to_be_bytes()).collect();
        let (key, packed) = (Key::manifest(1), pack(&text).unwrap());
        assert_eq!(unpack(&key, &packed, text.len()).unwrap(), text);
        assert!(unpack(&key, &packed, text.len() - 1).is_err());
        for at in 0..packed.len() {
            assert!(unpack(&key, &packed[..at], text.len()).is_err(), "cut at {at}");
            let mut changed = packed.clone();
            changed[at] ^= 0x10;
            // A bit of the frame's head may be without meaning: the text is the same then.
            assert!(
                unpack(&key, &changed, text.len()).is_ok_and(|got| got == text)
                    || unpack(&key, &changed, text.len()).is_err()
            );
        }
    }
}
