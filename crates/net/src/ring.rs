//! The keys that one machine holds: the first seals, all of them open.
//!
//! A cluster changes its key without a moment of silence: every machine adds the new key, then each
//! uses it, then each removes the old one. Between two of these steps machines may stand at
//! different points and still understand each other.

use zeroize::Zeroizing;

use crate::hex::{from_hex, to_hex};
use crate::key::{Key, KeyId};

/// Keys that a ring holds at most: the one in use, the one before it, the one to come.
pub const RING_KEYS_MAX: usize = 3;

const HEADING: &str = "# Keys of this cluster, id and secret: the first line seals, all open.\n";

/// Why a ring was left as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// Every place is taken.
    #[error("the ring holds {RING_KEYS_MAX} keys, which is all it can: remove one first")]
    Full,
    /// The key is there already (or, once in four thousand million, another key with its id).
    #[error("key {0} is in the ring already")]
    Known(KeyId),
    /// No key has this id.
    #[error("no key {0} in the ring")]
    Unknown(KeyId),
    /// The key in use cannot be removed.
    #[error("key {0} is in use: use another one first")]
    InUse(KeyId),
}

/// Why a key file was not taken, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the keys: {fault}")]
pub struct RingTextError {
    /// Counted from 1; for a text without any key, the line after the last.
    pub line: usize,
    /// What is wrong there.
    pub fault: RingTextFault,
}

/// What may be wrong with a line of a key file. It never repeats the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RingTextFault {
    /// Something else than an id and a key.
    #[error("expected 8 hexadecimal digits (the id), a space, 64 hexadecimal digits (the key)")]
    NotAKey,
    /// The line was changed or cut together from two.
    #[error("the id {written} is not that of the key beside it ({worked_out})")]
    OtherId {
        /// As it stands in the text.
        written: KeyId,
        /// As it follows from the key.
        worked_out: KeyId,
    },
    /// A key too many, or one twice.
    #[error(transparent)]
    Ring(RingError),
    /// Comments and empty lines only.
    #[error("expected a key, found none")]
    Empty,
}

/// One to three keys. It is never empty: who has no key has no ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// In use first; the others in the order in which they were put aside or added.
    keys: Vec<Key>,
}

impl Ring {
    /// A ring of one key, which is in use.
    #[must_use]
    pub fn new(key: Key) -> Self {
        Self { keys: vec![key] }
    }

    /// The key that seals.
    #[must_use]
    pub fn in_use(&self) -> &Key {
        &self.keys[0]
    }

    /// The key of this id, to open with.
    #[must_use]
    pub fn find(&self, id: KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id() == id)
    }

    /// The ids of all keys, the one in use first.
    #[must_use]
    pub fn list(&self) -> Vec<KeyId> {
        self.keys.iter().map(Key::id).collect()
    }

    /// Takes a key to open with; the key in use stays in use.
    ///
    /// # Errors
    /// `Full` or `Known`; the ring is as it was.
    pub fn add(&mut self, key: Key) -> Result<(), RingError> {
        if self.find(key.id()).is_some() {
            return Err(RingError::Known(key.id()));
        }
        if self.keys.len() >= RING_KEYS_MAX {
            return Err(RingError::Full);
        }
        self.keys.push(key);
        Ok(())
    }

    /// Seals with this key from now on; the one used so far still opens.
    ///
    /// # Errors
    /// `Unknown`; the ring is as it was.
    pub fn use_key(&mut self, id: KeyId) -> Result<(), RingError> {
        let at = self.place(id)?;
        self.keys[..=at].rotate_right(1);
        Ok(())
    }

    /// Forgets a key: what is sealed with it no longer opens here.
    ///
    /// # Errors
    /// `Unknown`, or `InUse` for the key that seals; the ring is as it was.
    pub fn remove(&mut self, id: KeyId) -> Result<(), RingError> {
        match self.place(id)? {
            0 => Err(RingError::InUse(id)),
            at => {
                self.keys.remove(at);
                Ok(())
            }
        }
    }

    /// The text for the key file, one line a key. It is secret: keep it in a file of mode 0600.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(HEADING.len() + 3 * 80));
        text.push_str(HEADING);
        for key in &self.keys {
            let secret = Zeroizing::new(to_hex(key.as_bytes()));
            for part in [&to_hex(&key.id().0), " ", &secret, "\n"] {
                text.push_str(part);
            }
        }
        text
    }

    /// Reads what [`to_text`](Self::to_text) wrote. Empty lines and lines that begin with `#` are
    /// passed over.
    ///
    /// # Errors
    /// The first line that is no key, that has another key's id, or that is one too many.
    pub fn from_text(text: &str) -> Result<Self, RingTextError> {
        let mut ring: Option<Self> = None;
        let mut last = 0;
        for (at, line) in text.lines().enumerate() {
            last = at + 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at_line = |fault| RingTextError { line: last, fault };
            let key = read_key(line).map_err(at_line)?;
            match &mut ring {
                None => ring = Some(Self::new(key)),
                Some(ring) => ring.add(key).map_err(|e| at_line(RingTextFault::Ring(e)))?,
            }
        }
        ring.ok_or(RingTextError { line: last + 1, fault: RingTextFault::Empty })
    }

    fn place(&self, id: KeyId) -> Result<usize, RingError> {
        self.keys.iter().position(|key| key.id() == id).ok_or(RingError::Unknown(id))
    }
}

fn read_key(line: &str) -> Result<Key, RingTextFault> {
    let (id, secret) = line.split_once(char::is_whitespace).ok_or(RingTextFault::NotAKey)?;
    let written = KeyId::read(id).ok_or(RingTextFault::NotAKey)?;
    let key = Key::from_bytes(from_hex(secret.trim_start()).ok_or(RingTextFault::NotAKey)?);
    if key.id() == written {
        return Ok(key);
    }
    Err(RingTextFault::OtherId { written, worked_out: key.id() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Key {
        Key::from_bytes([n; 32])
    }

    fn ring(numbers: &[u8]) -> Ring {
        let mut ring = Ring::new(key(numbers[0]));
        for n in &numbers[1..] {
            ring.add(key(*n)).unwrap();
        }
        ring
    }

    #[test]
    fn a_ring_holds_three_keys_and_no_key_twice() {
        let mut ring = ring(&[1, 2, 3]);
        assert_eq!(ring.add(key(4)), Err(RingError::Full));
        assert_eq!(ring.add(key(3)), Err(RingError::Known(key(3).id())));
        assert_eq!(ring.list(), [key(1).id(), key(2).id(), key(3).id()]);
    }

    #[test]
    fn wrong_use_is_an_error_and_changes_nothing() {
        let mut ring = ring(&[1, 2]);
        let before = ring.clone();
        assert_eq!(ring.use_key(key(9).id()), Err(RingError::Unknown(key(9).id())));
        assert_eq!(ring.remove(key(9).id()), Err(RingError::Unknown(key(9).id())));
        assert_eq!(ring.remove(key(1).id()), Err(RingError::InUse(key(1).id())));
        assert_eq!(ring, before);
    }

    #[test]
    fn the_key_put_into_use_comes_first_and_the_old_one_can_go() {
        let mut ring = ring(&[1, 2, 3]);
        ring.use_key(key(3).id()).unwrap();
        assert_eq!(ring.list(), [key(3).id(), key(1).id(), key(2).id()]);
        ring.remove(key(1).id()).unwrap();
        assert_eq!(ring.list(), [key(3).id(), key(2).id()]);
    }

    #[test]
    fn a_ring_reads_back_as_it_was_written() {
        for numbers in [&[1][..], &[2, 1], &[3, 1, 2]] {
            let ring = ring(numbers);
            assert_eq!(Ring::from_text(&ring.to_text()), Ok(ring));
        }
    }

    #[test]
    fn a_bad_key_file_names_its_line_and_keeps_the_secret() {
        let fault = |text: &str| Ring::from_text(text).unwrap_err();
        let line = |n: u8| format!("{} {}\n", key(n).id(), to_hex(key(n).as_bytes()));
        assert_eq!(fault("# nothing\n\n"), RingTextError { line: 3, fault: RingTextFault::Empty });
        let cut = format!("\n{}{}", line(1), &line(2)[..40]);
        assert_eq!(fault(&cut), RingTextError { line: 3, fault: RingTextFault::NotAKey });
        let twice = format!("{}{}", line(1), line(1));
        let known = RingTextFault::Ring(RingError::Known(key(1).id()));
        assert_eq!(fault(&twice), RingTextError { line: 2, fault: known });
        let many: String = (1..=4).map(line).collect();
        let full = RingTextFault::Ring(RingError::Full);
        assert_eq!(fault(&many), RingTextError { line: 4, fault: full });
        let mixed = format!("{} {}", key(1).id(), to_hex(key(2).as_bytes()));
        let message = fault(&mixed).to_string();
        assert!(message.starts_with("line 1 of the keys: the id"), "{message}");
        assert!(!message.contains(&to_hex(key(2).as_bytes())), "{message}");
    }
}
