//! The ticket: one line of text that lets a new machine into a cluster. It is as secret as the key
//! that it carries.
//!
//! # Layout, version 1
//!
//! The text is `cocli-ticket-1-` and then the body in base 32 (RFC 4648, lower case, no padding;
//! read in either case; white space anywhere is passed over, so a ticket that a mail program broke
//! into lines is still one). Numbers are big-endian.
//!
//! | bytes | what |
//! | --- | --- |
//! | 2 | length of all that follows but the check |
//! | 16 | cluster id |
//! | 32 | key |
//! | 1 | number of peers, 0 to 16 |
//! | each: 1 + n | length, then `host[:port]`, UTF-8 |
//! | 2 + n | length, then the URL of the bucket, UTF-8; length 0 for none |
//! | 4 | check: the low half of XXH3-64 over all bytes before it |
//!
//! The length tells a ticket that was cut from one that was mistyped; the check finds every mistake
//! but one in four thousand million. It is no signature: a ticket from a stranger is a ticket to a
//! stranger's cluster.

use zeroize::Zeroizing;

use crate::Cluster;
use crate::key::{KEY_BYTES, Key};

const PREFIX: &str = "cocli-ticket-";
const VERSION: &str = "1";
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const CHECK_BYTES: usize = 4;
const LENGTH_BYTES: usize = 2;

/// Peers that a ticket carries at most.
pub const PEERS_MAX: usize = 16;
/// Bytes of the bucket's URL.
const BUCKET_BYTES_MAX: usize = 2048;
/// Characters of the text that are looked at; the longest ticket has fewer.
const TEXT_CHARS_MAX: usize = 16 * 1024;

const _: () = assert!(
    (LENGTH_BYTES + 16 + KEY_BYTES + 1 + PEERS_MAX * 256 + 2 + BUCKET_BYTES_MAX + CHECK_BYTES) * 8
        / 5
        + 64
        < TEXT_CHARS_MAX
);

/// What a new machine needs to know: which cluster, its key, whom to ask, where the bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The cluster's id.
    pub cluster: Cluster,
    /// The cluster's key in use when the ticket was written.
    pub key: Key,
    /// Machines to ask first, each `host` or `host:port`, at most [`PEERS_MAX`].
    pub peers: Vec<String>,
    /// The URL of the bucket, if the cluster has one.
    pub bucket: Option<String>,
}

/// Why a ticket was not taken, or could not be written. It never repeats the ticket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Another text.
    #[error("this is no ticket: expected one line that begins with `{PREFIX}{VERSION}-`")]
    NotATicket,
    /// A ticket of another version of this program.
    #[error(
        "this ticket has version {0:?}, this program reads version {VERSION}: use the same version of cocli on both machines"
    )]
    Version(String),
    /// A character that no ticket has.
    #[error("character {at} of the ticket is {found:?}: expected letters and the digits 2 to 7")]
    Character {
        /// Counted from 1, without white space.
        at: usize,
        /// As it stands there.
        found: char,
    },
    /// The end is missing.
    #[error(
        "the ticket is cut or mistyped: expected {expected} characters, found {found}: copy it again, whole"
    )]
    Cut {
        /// Characters that the ticket says it has, without white space.
        expected: usize,
        /// Characters that came.
        found: usize,
    },
    /// More than a ticket, or a ticket that is not the one that was written.
    #[error("the ticket is mistyped: its check fails: copy it again, whole")]
    Check,
    /// The check holds, the contents do not.
    #[error("the ticket's {0} cannot be read")]
    Contents(&'static str),
    /// More peers than a ticket carries.
    #[error("{0} peers do not fit into a ticket: expected at most {PEERS_MAX}")]
    Peers(usize),
    /// A peer or a URL that a ticket cannot carry.
    #[error(
        "{what} {text:?} does not fit into a ticket: expected 1 to {max} bytes, no control characters"
    )]
    Part {
        /// Which part.
        what: &'static str,
        /// The part, cut to 80 characters.
        text: String,
        /// Bytes that such a part may have.
        max: usize,
    },
}

impl Ticket {
    /// The ticket as one line of letters, digits and hyphens. It holds the key: treat it so.
    ///
    /// # Errors
    /// `Peers` or `Part` when something in it has no place in a ticket.
    pub fn to_text(&self) -> Result<Zeroizing<String>, TicketError> {
        let mut body = Zeroizing::new(Vec::with_capacity(512));
        body.extend([0; LENGTH_BYTES]);
        body.extend(self.cluster);
        body.extend(self.key.as_bytes());
        if self.peers.len() > PEERS_MAX {
            return Err(TicketError::Peers(self.peers.len()));
        }
        body.extend(u8::try_from(self.peers.len()));
        for peer in &self.peers {
            let peer = part("peer", peer, usize::from(u8::MAX))?;
            body.extend(u8::try_from(peer.len()));
            body.extend(peer.as_bytes());
        }
        let bucket = match &self.bucket {
            Some(url) => part("bucket", url, BUCKET_BYTES_MAX)?,
            None => "",
        };
        body.extend(u16::try_from(bucket.len()).unwrap_or(0).to_be_bytes());
        body.extend(bucket.as_bytes());
        let length = u16::try_from(body.len() - LENGTH_BYTES).unwrap_or(0);
        body[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
        let check = check_of(&body);
        body.extend(check);
        Ok(Zeroizing::new(format!("{PREFIX}{VERSION}-{}", *to_base32(&body))))
    }

    /// Reads a ticket, with whatever white space came into it on its way.
    ///
    /// # Errors
    /// What is wrong with the text, as far as it can be told; a ticket is taken whole or not at all.
    pub fn from_text(text: &str) -> Result<Self, TicketError> {
        let text: Zeroizing<String> = Zeroizing::new(
            text.chars().filter(|c| !c.is_whitespace()).take(TEXT_CHARS_MAX).collect(),
        );
        let lower = Zeroizing::new(text.to_ascii_lowercase());
        let rest = lower.strip_prefix(PREFIX).ok_or(TicketError::NotATicket)?;
        let (version, letters) = rest.split_once('-').ok_or(TicketError::NotATicket)?;
        if version != VERSION {
            return Err(TicketError::Version(version.chars().take(16).collect()));
        }
        let skipped = lower.len() - letters.len();
        let (body, tidy) = from_base32(letters, skipped)?;
        let inside = checked(&body, skipped, letters.len())?;
        if tidy { contents(inside) } else { Err(TicketError::Check) }
    }
}

fn part<'t>(what: &'static str, text: &'t str, max: usize) -> Result<&'t str, TicketError> {
    if (1..=max).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    Err(TicketError::Part { what, text: text.chars().take(80).collect(), max })
}

fn check_of(body: &[u8]) -> [u8; CHECK_BYTES] {
    let [.., a, b, c, d] = xxhash_rust::xxh3::xxh3_64(body).to_be_bytes();
    [a, b, c, d]
}

/// The bytes between length and check, when both are right.
fn checked(body: &[u8], skipped: usize, letters: usize) -> Result<&[u8], TicketError> {
    let cut = |bytes: usize| TicketError::Cut {
        expected: skipped + (bytes * 8).div_ceil(5),
        found: skipped + letters,
    };
    let least = LENGTH_BYTES + CHECK_BYTES;
    let (length, _) = body.split_first_chunk::<LENGTH_BYTES>().ok_or(cut(least))?;
    let expected = least + usize::from(u16::from_be_bytes(*length));
    if body.len() < expected {
        return Err(cut(expected));
    }
    let (before, check) = body.split_last_chunk::<CHECK_BYTES>().ok_or(cut(least))?;
    if body.len() > expected || check_of(before) != *check {
        return Err(TicketError::Check);
    }
    Ok(&before[LENGTH_BYTES..])
}

fn contents(bytes: &[u8]) -> Result<Ticket, TicketError> {
    let mut rest = bytes;
    let cluster = *take_chunk(&mut rest).ok_or(TicketError::Contents("cluster id"))?;
    let key = take_chunk::<KEY_BYTES>(&mut rest).ok_or(TicketError::Contents("key"))?;
    let [count] = *take_chunk(&mut rest).ok_or(TicketError::Contents("list of peers"))?;
    if usize::from(count) > PEERS_MAX {
        return Err(TicketError::Peers(usize::from(count)));
    }
    let peers = (0..count)
        .map(|_| {
            let [length] = *take_chunk(&mut rest)?;
            take_text(&mut rest, usize::from(length), usize::from(u8::MAX))
        })
        .collect::<Option<Vec<String>>>()
        .ok_or(TicketError::Contents("list of peers"))?;
    let wrong = TicketError::Contents("bucket");
    let length = usize::from(u16::from_be_bytes(*take_chunk(&mut rest).ok_or(wrong.clone())?));
    let bucket = match length {
        0 => None,
        _ => Some(take_text(&mut rest, length, BUCKET_BYTES_MAX).ok_or(wrong)?),
    };
    if !rest.is_empty() {
        return Err(TicketError::Contents("end"));
    }
    Ok(Ticket { cluster, key: Key::from_bytes(*key), peers, bucket })
}

fn take_chunk<'b, const N: usize>(rest: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (chunk, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(chunk)
}

fn take_text(rest: &mut &[u8], bytes: usize, max: usize) -> Option<String> {
    let (text, after) = rest.split_at_checked(bytes)?;
    *rest = after;
    part("", str::from_utf8(text).ok()?, max).ok().map(str::to_owned)
}

fn to_base32(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity((bytes.len() * 8).div_ceil(5)));
    for group in bytes.chunks(5) {
        let mut wide = [0; 8];
        wide[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(wide);
        for n in 0..(group.len() * 8).div_ceil(5) {
            text.push(char::from(LETTERS[(bits >> (35 - 5 * n)) as usize % 32]));
        }
    }
    text
}

/// The bytes of lower-case letters, and whether the bits left over at the end are those that a
/// writer leaves: fewer than a letter's, and zero. So one ticket has one text.
fn from_base32(letters: &str, skipped: usize) -> Result<(Zeroizing<Vec<u8>>, bool), TicketError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(letters.len()));
    let (mut bits, mut held) = (0_u32, 0);
    for (at, found) in letters.chars().enumerate() {
        let value = (0_u32..).zip(LETTERS).find(|(_, letter)| char::from(**letter) == found);
        let (value, _) = value.ok_or(TicketError::Character { at: skipped + at + 1, found })?;
        bits = bits << 5 | value;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Ok((bytes, held < 5 && bits == 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            cluster: *b"sixteen bytes id",
            key: Key::from_bytes([9; 32]),
            peers: vec!["pi1.local".into(), "10.0.0.7:9999".into(), "[fd00::1]:9999".into()],
            bucket: Some("s3://leads/pool?region=eu-central-1".into()),
        }
    }

    #[test]
    fn a_ticket_is_one_line_of_letters_digits_and_hyphens() {
        let text = ticket().to_text().unwrap();
        assert!(text.starts_with("cocli-ticket-1-"));
        assert!(text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
    }

    #[test]
    fn a_ticket_broken_into_lines_or_shouted_is_the_same_ticket() {
        let text = ticket().to_text().unwrap();
        let (head, tail) = text.split_at(40);
        for same in [format!(" {head}\r\n   {tail}\n"), text.to_uppercase()] {
            assert_eq!(Ticket::from_text(&same), Ok(ticket()));
        }
    }

    #[test]
    fn every_cut_ticket_is_refused_as_cut() {
        let text = ticket().to_text().unwrap();
        for end in 0..text.len() {
            let refused = Ticket::from_text(&text[..end]).unwrap_err();
            let plain = match end {
                0..15 => matches!(refused, TicketError::NotATicket),
                _ => matches!(refused, TicketError::Cut { found, .. } if found == end),
            };
            assert!(plain, "{end}: {refused}");
        }
    }

    #[test]
    fn every_ticket_with_one_wrong_or_added_character_is_refused() {
        let text = ticket().to_text().unwrap();
        for at in 0..=text.len() {
            for wrong in "a7z10é".chars() {
                let mut added = text.to_string();
                added.insert(at, wrong);
                assert!(Ticket::from_text(&added).is_err(), "{wrong} added at {at}");
                if at < text.len() && !text[at..].starts_with(wrong) {
                    added.remove(at + wrong.len_utf8());
                    assert!(Ticket::from_text(&added).is_err(), "{wrong} at {at}");
                }
            }
        }
    }

    #[test]
    fn a_ticket_says_what_is_wrong_with_it() {
        let text = ticket().to_text().unwrap();
        let later = text.replacen("-1-", "-2-", 1);
        assert_eq!(Ticket::from_text(&later), Err(TicketError::Version("2".into())));
        assert_eq!(Ticket::from_text("hello"), Err(TicketError::NotATicket));
        let odd = text.replacen("-1-", "-1-!", 1);
        let character = TicketError::Character { at: 16, found: '!' };
        assert_eq!(Ticket::from_text(&odd), Err(character));
    }

    #[test]
    fn what_has_no_place_in_a_ticket_is_not_written() {
        let with = |change: fn(&mut Ticket)| {
            let mut ticket = ticket();
            change(&mut ticket);
            ticket.to_text().map(|text| text.to_string())
        };
        let many = with(|t| t.peers = vec!["a".into(); 17]);
        assert_eq!(many, Err(TicketError::Peers(17)));
        for bad in [
            with(|t| t.peers[0] = String::new()),
            with(|t| t.peers[0] = "a".repeat(256)),
            with(|t| t.peers[0] = "pi1\nkey".into()),
            with(|t| t.bucket = Some(String::new())),
            with(|t| t.bucket = Some("x".repeat(BUCKET_BYTES_MAX + 1))),
        ] {
            assert!(matches!(bad, Err(TicketError::Part { .. })), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_ticket_reads_back_as_it_was_written(
            cluster: [u8; 16],
            key: [u8; 32],
            peers in prop::collection::vec("[^\\pC]{1,60}", 0..=PEERS_MAX),
            bucket in prop::option::of("[^\\pC]{1,500}"),
        ) {
            let ticket = Ticket { cluster, key: Key::from_bytes(key), peers, bucket };
            let text = ticket.to_text().unwrap();
            prop_assert!(text.len() < TEXT_CHARS_MAX);
            prop_assert_eq!(Ticket::from_text(&text), Ok(ticket));
        }

        #[test]
        fn no_text_and_no_contents_make_the_reader_panic(text: String, body: Vec<u8>) {
            let _ = Ticket::from_text(&text);
            let _ = Ticket::from_text(&format!("cocli-ticket-1-{text}"));
            let _ = contents(&body);
            let _ = checked(&body, 15, 0);
        }
    }
}
