//! Bytes as lower-case hexadecimal text.

/// Two lower-case digits a byte.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// Exactly `N` bytes, from digits of either case; `None` for anything else.
#[must_use]
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|v| u8::try_from(v).ok());
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_reads_back_and_takes_nothing_else() {
        assert_eq!(to_hex(&[0x00, 0xaf, 0xff]), "00afff");
        assert_eq!(from_hex::<3>("00aFFf"), Some([0x00, 0xaf, 0xff]));
        for bad in ["", "00aff", "00afff0", "00afxf", "+0afff", "00af\u{e9}"] {
            assert_eq!(from_hex::<3>(bad), None, "{bad:?}");
        }
    }
}
