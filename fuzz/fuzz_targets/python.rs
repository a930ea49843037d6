//! Any packet of a Python peer is taken apart; what counts as a record reads alike alone, and what is
//! told of it in turn is one record with the same place.
#![no_main]

use cocli_core::python::{self, Item};
use cocli_core::usv;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|packet: &[u8]| {
    for item in python::read(packet) {
        match item {
            Item::Record(bytes, datagram) => {
                assert_eq!(usv::read(bytes).as_ref(), Ok(&datagram));
                let place = (&datagram.target, &datagram.field);
                let Some(ty) = python::type_of(place.0, place.1) else { continue };
                let (stamp, value) = (&datagram.entry.stamp, &datagram.entry.value);
                if let Ok(told) = python::write(place, ty, stamp, value) {
                    let read: Vec<Item<'_>> = python::read(&told).collect();
                    assert!(
                        matches!(&read[..], [Item::Record(_, d)] if (&d.target, &d.field) == place)
                    );
                }
            }
            Item::Strange(bytes, why) => {
                assert!(!why.to_string().is_empty() && python::start(bytes).len() < 400);
            }
            Item::Notice(_) => {}
        }
    }
});
