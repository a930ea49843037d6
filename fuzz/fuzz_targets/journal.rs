//! Any bytes fall apart into records and a torn rest, and the chain runs over them.
#![no_main]

use cocli_core::{ChainHash, ClusterId, Day, LogId, usv};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = usv::whole(bytes);
    let mut at = 0;
    for record in usv::records(bytes) {
        assert_eq!(record.at, at);
        assert_eq!(record.bytes.last(), Some(&usv::RS));
        at += record.bytes.len();
        if let Ok(datagram) = usv::read_in(bytes, record) {
            assert_eq!(usv::read(record.bytes).as_ref(), Ok(&datagram));
        }
    }
    assert_eq!(at, whole);
    assert!(!bytes[whole..].contains(&usv::RS));
    for (log, day) in [("pi1~abcdefgh", "20261123"), ("pi1~abcdefgh~202611", "20261101")] {
        let (Ok(log), Some(day)) = (LogId::read(log), Day::read(day)) else { return };
        let start = ChainHash::start(&ClusterId([7; 16]), &log);
        let middle = usv::whole(&bytes[..whole / 2]);
        let once = start.over(day, &bytes[..whole]);
        let twice = start.over(day, &bytes[..middle]).over(day, &bytes[middle..whole]);
        assert_eq!(once, twice);
    }
});
