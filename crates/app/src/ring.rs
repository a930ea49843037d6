//! The cluster's keys of a home, and the rekey that says what they are still good for.

use cocli_net::{KeyId, Ring};
use cocli_node::{Home, KnownNode, Session};

use crate::failure::{Exit, Failure, chain};
use crate::rekey::{Phase, Public, Rekey};

/// What stands in `.cocli/keys` and `.cocli/rekey`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) ring: Ring,
    pub(crate) rekey: Option<Rekey>,
}

impl Held {
    /// Both files as they are now.
    ///
    /// # Errors
    /// When one of them cannot be read, or holds something else.
    pub(crate) fn of(home: &Home) -> Result<Self, Failure> {
        Ok(Self { ring: of(home)?, rekey: rekey(home)? })
    }

    /// Writes what differs from `before`. The session keeps others away meanwhile. The rekey comes first: a
    /// start that finds it without its key goes on from there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn keep(
        &self,
        home: &Home,
        _alone: &Session<'_>,
        before: &Self,
    ) -> Result<(), Failure> {
        if let Some(rekey) = self.rekey.as_ref().filter(|_| self.rekey != before.rekey) {
            home.keep_rekey(rekey.to_file().as_bytes())?;
        }
        if self.ring != before.ring {
            home.keep_keys(self.ring.to_text().as_bytes())?;
        }
        Ok(())
    }

    /// How far the rekey has come, if there is one.
    pub(crate) fn phase(&self) -> Option<Phase> {
        self.rekey.as_ref().map(|rekey| rekey.phase(&self.ring))
    }

    /// The rekey, unless everybody has come and no old key is left.
    pub(crate) fn open_rekey(&self) -> Option<&Rekey> {
        self.rekey.as_ref().filter(|rekey| rekey.phase(&self.ring) != Phase::Done)
    }

    /// Whether under this key nothing goes any more but the new one.
    pub(crate) fn retires(&self, key: KeyId) -> bool {
        self.rekey.as_ref().is_some_and(|rekey| rekey.retires(&self.ring, key))
    }

    /// Whether this key waits for its use, so that a packet under it says that others use it.
    pub(crate) fn awaits(&self, key: KeyId) -> bool {
        let awaits =
            |rekey: &Rekey| rekey.key.id() == key && rekey.phase(&self.ring) == Phase::Taken;
        self.rekey.as_ref().is_some_and(awaits)
    }

    /// Whether a stream of this key is that of a node that is left out.
    pub(crate) fn refuses_key(&self, public: &Public) -> bool {
        self.rekey.as_ref().is_some_and(|rekey| rekey.refuses_key(public))
    }

    /// Whether a packet that bears this name is that of a node that is left out.
    pub(crate) fn refuses_name(&self, name: &[u8]) -> bool {
        self.rekey.as_ref().is_some_and(|rekey| rekey.refuses_name(name))
    }
}

/// What a home without a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyless {
    /// A copy of an earlier time.
    Copy,
    /// One that left.
    Left,
    /// A clone of its cluster's bucket, which nobody let in yet.
    Clone,
}

impl Keyless {
    pub(crate) fn of(home: &Home) -> Self {
        let left = |known: Vec<KnownNode>| {
            known.iter().any(|one| one.node == *home.node() && one.left.is_some())
        };
        match home.config().restored_from {
            Some(_) => Self::Copy,
            None if home.known_nodes().is_ok_and(left) => Self::Left,
            None => Self::Clone,
        }
    }

    pub(crate) fn said(self) -> &'static str {
        match self {
            Self::Copy => "is a copy of an earlier time: it joins nobody",
            Self::Left => "left its cluster",
            Self::Clone => "has no key yet, and is silent on the network",
        }
    }

    fn next(self) -> &'static str {
        match self {
            Self::Copy => "`cocli clone URL DIR` makes a member",
            Self::Left => {
                "`cocli ticket` on a member prints a ticket; `cocli join -` here takes it"
            }
            Self::Clone => {
                "`cocli ticket` on a member prints a ticket; `cocli join -` here takes it; \
                 where no member is left, `cocli key add --first` makes a key"
            }
        }
    }
}

/// Reads the key file.
///
/// # Errors
/// When it cannot be read, or holds something else.
pub(crate) fn of(home: &Home) -> Result<Ring, Failure> {
    let bytes = home.keys()?;
    if bytes.is_empty() {
        let keyless = Keyless::of(home);
        let message = format!("{} {}", home.node(), keyless.said());
        return Err(Failure::new(Exit::Failed, message).hint(keyless.next()));
    }
    let text = String::from_utf8_lossy(&bytes);
    Ring::from_text(&text).map_err(|error| {
        let path = home.path().join(".cocli").join("keys");
        Failure::new(Exit::Failed, format!("{}: {}", path.display(), chain(&error)))
            .hint("`cocli join -` with a ticket of a member writes the keys anew")
    })
}

/// Reads the rekey, if there is one.
///
/// # Errors
/// When it cannot be read, or holds something else.
pub(crate) fn rekey(home: &Home) -> Result<Option<Rekey>, Failure> {
    let Some(bytes) = home.rekey()? else { return Ok(None) };
    let text = zeroize::Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
    Rekey::from_file(&text).map(Some).map_err(|error| {
        let path = home.path().join(".cocli").join("rekey");
        Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
            .hint("`cocli join -` with a ticket of another node writes the keys anew")
    })
}
