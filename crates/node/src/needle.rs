//! What stands in a state line that matters, so that a search need not read the others.

use cocli_core::usv::US;

/// In the line of a field whose value begins so.
pub(crate) fn of_value(field: &str, value: &str) -> Vec<u8> {
    let mut needle = of_field(field);
    needle.push(US);
    needle.extend_from_slice(value.as_bytes());
    needle
}

/// In the line of a field whose name begins so.
pub(crate) fn of_field(field: &str) -> Vec<u8> {
    let mut needle = vec![US];
    needle.extend_from_slice(field.as_bytes());
    needle
}
