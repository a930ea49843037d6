//! Compressed bytes, as they stand in the bucket: one zstd frame with its checksum.

use std::io::Read;

use cocli_core::bucket::{Failure, FailureKind, Key};

/// Level of compression: what is new is compressed once, and read by every node.
const LEVEL: i32 = 3;

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
    let wrong =
        |what: String| Failure::new(FailureKind::Wrong, format!("{key} in the bucket: {what}"));
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
