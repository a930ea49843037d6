//! What the Python program sends by UDP, and what it can read: plain text, one record a packet, as
//! docs/gossip.md tells. What comes is recognised here and believed nowhere.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use serde_json::Value as Json;

use crate::datagram::Datagram;
use crate::limits::PYTHON_PACKET_BYTES_MAX;
use crate::name::{Field, Target};
use crate::schema::{Kind, Type};
use crate::stamp::Stamp;
use crate::time::Instant;
use crate::usv::{self, Odd, RS, US};
use crate::value::{Plain, Value};

/// Characters of a place id that the Python program's model takes.
const PLACE_ID_CHARS_MIN: usize = 20;

/// What is neither record of a field nor list of elements: it steers the Python program's machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// `H`: how a machine is.
    Heartbeat,
    /// `Q`: what became of a task of a queue.
    Queue,
    /// `C`: other settings for machines.
    Config,
}

/// Why a part of a packet is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Strange {
    /// A record outside every form.
    #[error(transparent)]
    Record(#[from] Odd),
    /// `H`, `Q` or `C` with a number of fields that no version has.
    #[error("{0:?} with {1} fields is of no known version")]
    Notice(char, usize),
    /// Bytes behind the last RS.
    #[error("{0} bytes without an RS behind them")]
    Torn(usize),
}

/// A part of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<'a> {
    /// A record, as it stands with its RS, and what it says.
    Record(&'a [u8], Datagram),
    /// Something that is only counted.
    Notice(Notice),
    /// Something that is refused, and why.
    Strange(&'a [u8], Strange),
}

/// The parts of a packet.
pub fn read(packet: &[u8]) -> impl Iterator<Item = Item<'_>> {
    let rest = &packet[usv::whole(packet)..];
    let torn = match notice(rest) {
        _ if rest.trim_ascii().is_empty() => None,
        Some(Ok(notice)) => Some(Item::Notice(notice)),
        _ => Some(Item::Strange(rest, Strange::Torn(rest.len()))),
    };
    let whole = usv::records(packet).map(move |record| match notice(record.bytes) {
        Some(Ok(notice)) => Item::Notice(notice),
        Some(Err(strange)) => Item::Strange(record.bytes, strange),
        None => match usv::read_in(packet, record) {
            Ok(datagram) => Item::Record(record.bytes, datagram),
            Err(odd) => Item::Strange(record.bytes, odd.into()),
        },
    });
    whole.chain(torn)
}

/// What is no record by its first field; `None` for what may be one.
fn notice(record: &[u8]) -> Option<Result<Notice, Strange>> {
    let record = record.trim_ascii_start();
    let (letter, US) = (*record.first()?, *record.get(1)?) else { return None };
    let fields = memchr::memchr_iter(US, record).count() + 1;
    let (notice, known) = match letter {
        b'H' => (Notice::Heartbeat, 7..=9),
        b'Q' => (Notice::Queue, 6..=8),
        b'C' => (Notice::Config, 4..=6),
        _ => return None,
    };
    let strange = || Strange::Notice(char::from(letter), fields);
    Some(known.contains(&fields).then_some(notice).ok_or_else(strange))
}

/// The type of a field that the Python program and we both have: one of the schema of companies and
/// people, whole.
#[must_use]
pub fn type_of(target: &Target, field: &Field) -> Option<Type> {
    let kind = Kind::of(target).filter(|kind| matches!(kind, Kind::Company | Kind::Person))?;
    kind.type_of(field.as_str())
}

/// Why something is not told to the Python program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// There is no way to say it there.
    #[error("a removal")]
    Removal,
    /// Its model refuses the value, and then hides the whole company; or it reads it as another.
    #[error("a value that is read otherwise there")]
    Value,
    /// Does not fit a packet.
    #[error("longer than a packet")]
    TooLong,
}

/// The packet that tells a value of a field of this type.
///
/// # Errors
/// When it cannot be told.
pub fn write(
    (target, field): (&Target, &Field),
    ty: Type,
    stamp: &Stamp,
    value: &Value,
) -> Result<Vec<u8>, Withheld> {
    const BETWEEN: char = US as char;
    let value = spelled(field.as_str(), ty, value)?;
    let (instant, node) = (stamp.instant, &stamp.node);
    let mut text = String::with_capacity(120 + value.len());
    let _ = write!(text, "{instant}{BETWEEN}{node}{BETWEEN}{target}{BETWEEN}{field}{BETWEEN}");
    text.push_str(&value);
    text.push(BETWEEN);
    text.push(char::from(RS));
    if text.len() > PYTHON_PACKET_BYTES_MAX { Err(Withheld::TooLong) } else { Ok(text.into()) }
}

/// The value as the Python program writes it.
fn spelled(field: &str, ty: Type, value: &Value) -> Result<String, Withheld> {
    let plain = value.plain();
    match (ty, plain) {
        // What is empty is a list there, too; of a field that never was one nothing is said.
        (Type::Set | Type::List, Plain::Null) => Ok("[]".into()),
        (Type::Map, Plain::Null) => Ok("{}".into()),
        (_, Plain::Null) => Err(Withheld::Removal),
        (Type::Set | Type::List, Plain::Tree(Json::Array(items))) => {
            Ok(dumped(&Json::Array(items.iter().map(text_of).collect())))
        }
        (Type::Set | Type::List, Plain::Text(text)) => {
            let items = if text.is_empty() { Vec::new() } else { alloc::vec![text.into()] };
            Ok(dumped(&Json::Array(items)))
        }
        (Type::Map, Plain::Tree(Json::Object(map))) => {
            let texts = map.iter().map(|(key, value)| (key.clone(), text_of(value)));
            Ok(dumped(&Json::Object(texts.collect())))
        }
        (Type::Map, _) | (_, Plain::Tree(_)) => Err(Withheld::Value),
        (_, Plain::Text(text)) => {
            let text = text.replace("\r\n", "\n").replace('\r', "\n");
            if reads(field, ty, &text) { Ok(text) } else { Err(Withheld::Value) }
        }
    }
}

fn text_of(json: &Json) -> Json {
    Json::String(Value::json(json).shown().into_owned())
}

/// Whether its model takes the text, as the text that it is, and so do we when it comes back.
fn reads(field: &str, ty: Type, text: &str) -> bool {
    let breaks = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    let json = text.starts_with(['[', '{', '"']) && serde_json::from_str::<Json>(text).is_ok();
    if json || text.chars().any(breaks) {
        return false;
    }
    let number = || text.parse::<f64>().ok().filter(|number| number.is_finite());
    match ty {
        Type::Int => {
            text.parse::<i64>().is_ok()
                || number().is_some_and(|n| n % 1.0 == 0.0 && n.abs() < 1e15)
        }
        Type::Float => number().is_some(),
        Type::Time => Instant::read(text).is_some(),
        Type::Phone => text.is_empty() || text.bytes().any(|b| b.is_ascii_digit()),
        Type::Text if field == "place_id" => {
            text.chars().count() >= PLACE_ID_CHARS_MIN
                && !text.starts_with("0x")
                && !text.contains(':')
        }
        _ => true,
    }
}

/// JSON with blanks behind commas and colons, in ASCII.
fn dumped(json: &Json) -> String {
    let mut out = String::new();
    dump(json, &mut out);
    out
}

fn dump(json: &Json, out: &mut String) {
    match json {
        Json::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n == 0 { "" } else { ", " });
                dump(item, out);
            }
            out.push(']');
        }
        Json::Object(map) => {
            out.push('{');
            for (n, (key, value)) in map.iter().enumerate() {
                out.push_str(if n == 0 { "" } else { ", " });
                quote(key, out);
                out.push_str(": ");
                dump(value, out);
            }
            out.push('}');
        }
        Json::String(text) => quote(text, out),
        other => out.push_str(&other.to_string()),
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

/// The start of bytes from outside, for a person to look at.
#[must_use]
pub fn start(bytes: &[u8]) -> String {
    const SHOWN_BYTES: usize = 80;
    let text: Cow<'_, str> = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES)]);
    text.replace(char::from(US), "\u{241f}").replace(char::from(RS), "\u{241e}")
}

#[cfg(test)]
mod tests;
