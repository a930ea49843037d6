//! XXH3-128 of the 36 bytes of a link of a chain, from numbers.
//!
//! A chain is worked out link by link, each from the one before. Bytes that are put together in the memory are
//! read back there in other widths than they were written in, and every link waits for that; numbers stay in
//! registers. The steps are those that the specification of XXH3 has for 17 to 128 bytes (Yann Collet, xxHash,
//! `doc/xxhash_spec.md`), for this one length and without a seed. That it is the same hash is a property test.

/// Bytes of a link.
pub(super) const BYTES: usize = 36;

const PRIME_1: u64 = 0x9e37_79b1_85eb_ca87;
const PRIME_2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const PRIME_4: u64 = 0x85eb_ca77_c2b2_ae63;

/// The first words of the secret that the specification gives.
const SECRET: [u64; 8] = [
    0xbe4b_a423_396c_feb8,
    0x1cad_21f7_2c81_017c,
    0xdb97_9083_e96d_d4de,
    0x1f67_b3b7_a4a4_4072,
    0x78e5_c0cc_4ee6_79cb,
    0x2172_ffcc_7dd0_5a82,
    0x8e24_43f7_7446_08b8,
    0x4c26_3a81_e690_35e0,
];

/// XXH3-128 of the chain before (16 bytes), the day (4) and the hash of a record (16), each with its highest
/// byte first.
pub(super) fn hash(before: u128, day: u32, record: u128) -> u128 {
    // As they are read: the lowest byte first.
    let (before, day, record) = (before.swap_bytes(), day.swap_bytes(), record.swap_bytes());
    let from_4 = before >> 32 | u128::from(day) << 96;
    let from_16 = u128::from(day) | record << 32;
    let (mut low, mut high) = ((BYTES as u64).wrapping_mul(PRIME_1), 0);
    low = mix(low, from_16, SECRET[4], SECRET[5]) ^ sum(from_4);
    high = mix(high, from_4, SECRET[6], SECRET[7]) ^ sum(from_16);
    low = mix(low, before, SECRET[0], SECRET[1]) ^ sum(record);
    high = mix(high, record, SECRET[2], SECRET[3]) ^ sum(before);
    let last = low.wrapping_mul(PRIME_1).wrapping_add(high.wrapping_mul(PRIME_4));
    let last = last.wrapping_add((BYTES as u64).wrapping_mul(PRIME_2));
    let high_half = 0_u64.wrapping_sub(avalanche(last));
    u128::from(high_half) << 64 | u128::from(avalanche(low.wrapping_add(high)))
}

fn halves(bytes: u128) -> (u64, u64) {
    (bytes as u64, (bytes >> 64) as u64)
}

fn sum(bytes: u128) -> u64 {
    let (low, high) = halves(bytes);
    low.wrapping_add(high)
}

fn mix(sum: u64, bytes: u128, low_secret: u64, high_secret: u64) -> u64 {
    let (low, high) = halves(bytes);
    let product = u128::from(low ^ low_secret) * u128::from(high ^ high_secret);
    let (low, high) = halves(product);
    sum.wrapping_add(low ^ high)
}

fn avalanche(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 37)).wrapping_mul(0x1656_6791_9e37_79f9);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_hash_of_a_link_is_that_of_its_bytes(before: u128, day: u32, record: u128) {
            let mut bytes = [0; super::BYTES];
            bytes[..16].copy_from_slice(&before.to_be_bytes());
            bytes[16..20].copy_from_slice(&day.to_be_bytes());
            bytes[20..].copy_from_slice(&record.to_be_bytes());
            prop_assert_eq!(super::hash(before, day, record), crate::digest::hash(&bytes));
        }
    }
}
