//! The cluster's keys of a home.

use cocli_net::Ring;
use cocli_node::Home;

use crate::failure::{Exit, Failure, chain};

/// Reads the key file.
///
/// # Errors
/// When it cannot be read, or holds something else.
pub(crate) fn of(home: &Home) -> Result<Ring, Failure> {
    let bytes = home.keys()?;
    if bytes.is_empty() {
        return Err(Failure::new(Exit::Failed, format!("{} left its cluster", home.node()))
            .hint("`cocli join TICKET` brings it back; `cocli ticket` elsewhere prints one"));
    }
    let text = String::from_utf8_lossy(&bytes);
    Ring::from_text(&text).map_err(|error| {
        let path = home.path().join(".cocli").join("keys");
        Failure::new(Exit::Failed, format!("{}: {}", path.display(), chain(&error)))
            .hint("`cocli join TICKET` writes the keys anew")
    })
}
