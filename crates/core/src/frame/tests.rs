use alloc::string::String;
use alloc::vec;
use proptest::prelude::*;

use super::*;
use crate::digest::ChainHash;
use crate::limits::{CONDITION_BYTES_MAX, LOG_BYTES_MAX, VERSION_BYTES_MAX};
use crate::time::Day;
use crate::usv::RS;

fn node() -> impl Strategy<Value = NodeId> {
    "[A-Za-z0-9._-]{1,64}".prop_map(|text| NodeId::read(&text).unwrap())
}

fn log() -> impl Strategy<Value = LogId> {
    let staying = "[a-z0-9][a-z0-9.-]{0,62}(~[a-z2-9]{8})?";
    let expiring = "[a-z0-9][a-z0-9.-]{0,62}~([a-z2-9]{8})?~[1-9][0-9]{3}(0[1-9]|1[0-2])";
    prop_oneof![staying, expiring].prop_map(|text| LogId::read(&text).unwrap())
}

fn head() -> impl Strategy<Value = Head> {
    (0..=LOG_BYTES_MAX, any::<[u8; 16]>())
        .prop_map(|(position, hash)| Head { position, hash: ChainHash(hash) })
}

fn range() -> impl Strategy<Value = Range> {
    (log(), 0..=LOG_BYTES_MAX, any::<[u8; 16]>(), prop::collection::vec(any::<u8>(), 0..900))
        .prop_map(|(log, position, hash, mut bytes)| {
            bytes.push(RS);
            let day = Day::from_number(20_261_123).unwrap();
            let day = log.month.map_or(day, crate::time::Month::first_day);
            Range { log, day, position, hash_before: ChainHash(hash), bytes }
        })
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        (any::<u64>(), any::<u64>()).prop_map(|(cookie, echo)| Message::Hello { cookie, echo }),
        (any::<u128>(), any::<u64>()).prop_map(|(hash, sent)| Message::Sum { hash, sent }),
        any::<(u64, bool, i64)>().prop_map(|(sent, level, wall)| Message::Heard {
            sent,
            level,
            wall
        }),
        prop::collection::vec((log(), head()), 0..6).prop_map(Message::Entries),
        (log(), head(), any::<u64>()).prop_map(|(log, from, until)| Message::Want {
            log,
            from,
            until
        }),
        range().prop_map(Message::Range),
        (log(), any::<u64>()).prop_map(|(log, position)| Message::Long { log, position }),
        (log(), any::<u64>()).prop_map(|(log, position)| Message::Differs { log, position }),
        (log(), any::<u64>()).prop_map(|(log, position)| Message::Hurry { log, position }),
        Just(Message::Bye),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Message::Members),
        condition().prop_map(|condition| Message::Condition(Box::new(condition))),
    ]
}

/// Numbers of every length, absent now and then.
fn figure() -> impl Strategy<Value = Option<u64>> {
    prop::option::of((any::<u64>(), 0..64_u32).prop_map(|(number, less)| number >> less))
}

fn signed() -> impl Strategy<Value = Option<i64>> {
    prop::option::of((any::<i64>(), 0..64_u32).prop_map(|(number, less)| number >> less))
}

fn condition() -> impl Strategy<Value = Condition> {
    let text = prop::option::of("[!-~]{1,32}");
    let figures = prop::collection::vec(figure(), 12);
    (text, figures, [signed(), signed()], any::<[Option<u128>; 2]>()).prop_map(
        |(version, figures, [temperature_tenths, clock_ahead_us], [vector, digest])| Condition {
            version,
            up_s: figures[0],
            load_hundredths: figures[1],
            cores: figures[2],
            memory: figures[3],
            memory_free: figures[4],
            resident: figures[5],
            disk: figures[6],
            disk_free: figures[7],
            rules: figures[8],
            bucket_lag: figures[9],
            queued: figures[10],
            problems: figures[11],
            temperature_tenths,
            clock_ahead_us,
            vector,
            digest,
        },
    )
}

/// The body of a condition.
fn body(condition: &Condition) -> Vec<u8> {
    let mut body = Vec::new();
    condition.write(&mut body);
    body
}

/// One that says all that can be said.
fn full() -> Condition {
    let (figure, sum) = (Some(u64::MAX), Some(u128::MAX));
    Condition {
        version: Some("x".repeat(VERSION_BYTES_MAX)),
        up_s: figure,
        load_hundredths: figure,
        cores: figure,
        memory: figure,
        memory_free: figure,
        resident: figure,
        disk: figure,
        disk_free: figure,
        temperature_tenths: Some(i64::MIN),
        vector: sum,
        digest: sum,
        rules: figure,
        clock_ahead_us: Some(i64::MIN),
        bucket_lag: figure,
        queued: figure,
        problems: figure,
    }
}

proptest! {
    #[test]
    fn a_packet_reads_back_as_what_fitted_and_never_passes_its_budget(
        node in node(),
        boot in any::<u64>(),
        counter in any::<u64>(),
        messages in prop::collection::vec(message(), 0..8),
    ) {
        let mut writer = Writer::new(&node, Boot(boot), counter);
        let fitted: Vec<Message> =
            messages.into_iter().filter(|message| writer.put(message)).collect();
        let bytes = writer.finish();
        prop_assert!(bytes.len() <= PLAIN_BYTES_MAX);
        let packet = Packet::read(&bytes).unwrap();
        prop_assert_eq!(packet, Packet { node, boot: Boot(boot), counter, messages: fitted, unknown: 0 });
    }

    #[test]
    fn every_truncation_of_a_message_is_refused(node in node(), message in message()) {
        let mut writer = Writer::new(&node, Boot(1), 2);
        let head = writer.bytes.len();
        prop_assume!(writer.put(&message));
        let bytes = writer.finish();
        for length in 0..bytes.len() {
            if length != head {
                prop_assert!(Packet::read(&bytes[..length]).is_err(), "{length}");
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..1300)) {
        let _ = Packet::read(&bytes);
    }

    #[test]
    fn a_changed_byte_is_read_or_refused(
        messages in prop::collection::vec(message(), 1..4),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut writer = Writer::new(&NodeId::read("pi1").unwrap(), Boot(1), 2);
        for message in &messages {
            writer.put(message);
        }
        let mut bytes = writer.finish();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(packet) = Packet::read(&bytes) {
            let ranges = packet.messages.iter().filter_map(|message| match message {
                Message::Range(range) => Some(range.bytes.len()),
                _ => None,
            });
            prop_assert!(ranges.sum::<usize>() <= PLAIN_BYTES_MAX);
        }
    }

    #[test]
    fn keys_of_a_condition_that_are_not_known_are_stepped_over(
        condition in condition(),
        more in prop::collection::vec((18..=255_u8, prop::collection::vec(any::<u8>(), 0..40)), 0..4),
        first in any::<bool>(),
    ) {
        let unknown: Vec<u8> = more
            .iter()
            .flat_map(|(key, value)| [&[*key, u8::try_from(value.len()).unwrap()], &value[..]].concat())
            .collect();
        let known = body(&condition);
        let bytes = if first { [unknown, known].concat() } else { [known, unknown].concat() };
        prop_assert_eq!(Condition::read(&mut Cut(&bytes)), Some(condition));
    }

    #[test]
    fn any_bytes_are_a_condition_or_none(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let read = Condition::read(&mut Cut(&bytes));
        prop_assert!(read.is_none() || bytes.len() <= CONDITION_BYTES_MAX);
        if let Some(condition) = read {
            prop_assert_eq!(Condition::read(&mut Cut(&body(&condition))), Some(condition));
        }
    }

    #[test]
    fn a_range_of_the_room_fits_an_empty_packet_to_the_last_byte(node in node(), log in log()) {
        let mut bytes = vec![b'x'; Range::room(&node, &log)];
        *bytes.last_mut().unwrap() = RS;
        let day = Day::from_number(20_261_123).unwrap();
        let range = Range { log, day, position: 7, hash_before: ChainHash([3; 16]), bytes };
        let mut writer = Writer::new(&node, Boot(1), 2);
        prop_assert!(writer.put(&Message::Range(range)));
        prop_assert_eq!(writer.finish().len(), PLAIN_BYTES_MAX);
    }
}

#[test]
fn a_message_of_a_later_version_is_stepped_over() {
    let mut writer = Writer::new(&NodeId::read("pi1").unwrap(), Boot(1), 2);
    assert!(writer.put(&Message::Bye));
    let mut bytes = writer.finish();
    bytes.extend_from_slice(&[200, 0, 3, 1, 2, 3]);
    let packet = Packet::read(&bytes).unwrap();
    assert_eq!((packet.messages, packet.unknown), (vec![Message::Bye], 1));
}

#[test]
fn who_does_not_know_of_conditions_reads_all_else_of_the_packet() {
    let mut writer = Writer::new(&NodeId::read("pi1").unwrap(), Boot(1), 2);
    assert!(writer.put(&Message::Condition(Box::default())));
    let kind = writer.bytes.len() - MESSAGE_HEAD_BYTES;
    assert!(writer.put(&Message::Condition(Box::new(full()))));
    assert!(writer.put(&Message::Bye));
    let mut bytes = writer.finish();
    // As an older version sees them: kinds that it has no name for.
    for at in [kind, kind + MESSAGE_HEAD_BYTES] {
        assert_eq!(core::mem::replace(&mut bytes[at], 255), 14);
    }
    let packet = Packet::read(&bytes).unwrap();
    assert_eq!((packet.messages, packet.unknown), (vec![Message::Bye], 2));
}

#[test]
fn a_condition_has_room_for_what_later_versions_say_and_no_more() {
    assert!(body(&Condition::default()).is_empty());
    let full = body(&full());
    assert!(2 * full.len() <= CONDITION_BYTES_MAX, "{}", full.len());
    let typical = Condition {
        version: Some("0.1.0".into()),
        up_s: Some(86_400),
        load_hundredths: Some(42),
        memory: Some(8 << 30),
        memory_free: Some(3 << 30),
        disk: Some(64 << 30),
        disk_free: Some(30 << 30),
        problems: Some(0),
        vector: Some(1 << 127),
        digest: Some(1 << 127),
        ..Condition::default()
    };
    assert!(body(&typical).len() < 100, "{}", body(&typical).len());
    let long = vec![200; CONDITION_BYTES_MAX + 1];
    assert_eq!(Condition::read(&mut Cut(&long)), None);
    assert_eq!(Condition::read(&mut Cut(&[1, 3, b'x'])), None, "torn");
}

#[test]
fn a_value_of_another_form_is_absent_and_hides_no_other() {
    let of = |value: &[u8], key: u8| {
        let mut bytes = vec![key, u8::try_from(value.len()).unwrap()];
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(&[17, 1, 9]);
        Condition::read(&mut Cut(&bytes)).unwrap()
    };
    let rest = Condition { problems: Some(9), ..Condition::default() };
    for (value, key) in
        [(&b"\x1b[2J"[..], 1), (&[b'x'; 33], 1), (b"", 1), (&[1; 9], 2), (&[1; 15], 11)]
    {
        assert_eq!(of(value, key), rest, "{key}");
    }
}

#[test]
fn a_range_behind_the_end_of_any_log_or_without_a_whole_record_is_refused() {
    let pi1 = NodeId::read("pi1").unwrap();
    let range = Range {
        log: LogId::read("pi1").unwrap(),
        day: Day::from_number(20_261_123).unwrap(),
        position: LOG_BYTES_MAX + 1,
        hash_before: ChainHash([0; 16]),
        bytes: vec![b'a', b'b', b'c', RS],
    };
    let put = |range: Range| {
        let mut writer = Writer::new(&pi1, Boot(1), 2);
        writer.put(&Message::Range(range));
        Packet::read(&writer.finish())
    };
    assert_eq!(put(range.clone()), Err(Refused::Message(6)));
    let torn = Range { position: 0, bytes: b"abc".to_vec(), ..range.clone() };
    assert_eq!(put(torn), Err(Refused::Message(6)));
    let empty = Range { position: 0, bytes: Vec::new(), ..range };
    assert_eq!(put(empty), Err(Refused::Message(6)));
    let mut bytes = Writer::new(&pi1, Boot(1), 2).finish();
    bytes.extend_from_slice(&[6, 0xff, 0xff]);
    assert_eq!(Packet::read(&bytes), Err(Refused::Torn));
}

#[test]
fn a_name_longer_than_what_came_is_refused() {
    assert_eq!(Packet::read(&[255, b'a']), Err(Refused::Head));
    assert_eq!(Packet::read(&[]), Err(Refused::Head));
    let text = String::from("x").repeat(PLAIN_BYTES_MAX + 1);
    assert_eq!(Packet::read(text.as_bytes()), Err(Refused::TooLong));
}

#[test]
fn every_hello_has_the_same_size_whoever_sends_it() {
    for name in ["a", "a-longer-name", &"x".repeat(64)] {
        let mut writer = Writer::new(&NodeId::read(name).unwrap(), Boot(1), 2);
        assert!(writer.put(&Message::Hello { cookie: 7, echo: 8 }));
        let bytes = writer.finish();
        assert_eq!(bytes.len(), HELLO_BYTES);
        let packet = Packet::read(&bytes).unwrap();
        assert_eq!(packet.messages, [Message::Hello { cookie: 7, echo: 8 }]);
    }
}

#[test]
fn a_range_is_cut_at_records_and_stops_before_one_that_is_too_long() {
    let mut bytes = Vec::new();
    for length in [3, 4, 5, 30, 2] {
        bytes.extend(core::iter::repeat_n(b'x', length));
        bytes.push(RS);
    }
    let range = Range {
        log: LogId::read("pi1").unwrap(),
        day: Day::from_number(20_261_123).unwrap(),
        position: 100,
        hash_before: ChainHash([1; 16]),
        bytes,
    };
    let (pieces, long) = range.split(10);
    assert_eq!(pieces.iter().map(|r| r.bytes.len()).collect::<Vec<_>>(), [9, 6]);
    assert_eq!((pieces[0].end(), long), (pieces[1].start(), Some(115)));
    let (pieces, long) = range.split(40);
    assert_eq!((pieces.len(), long), (2, None));
    assert_eq!(pieces[1].end(), range.end());
}
