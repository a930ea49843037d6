//! docs/formats.md is what the program does: its examples are read here.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use cocli_core::usv;

fn examples(info: &str) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string("../../docs/formats.md").unwrap();
    let fence = format!("```{info}\n");
    let blocks = text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| block.replace('␟', "\u{1f}").replace('␞', "\u{1e}").into_bytes()).collect()
}

#[test]
fn every_record_of_the_document_is_read() {
    let examples = examples("usv");
    assert!(examples.len() >= 2);
    for block in &examples {
        for record in usv::records(block) {
            let read = usv::read_in(block, record);
            let text = String::from_utf8_lossy(record.bytes).into_owned();
            let datagram = read.unwrap_or_else(|odd| panic!("{odd}: {text}"));
            if usv::is_checked(record.bytes) {
                let mut written = Vec::new();
                usv::write(&datagram, &mut written);
                assert_eq!(String::from_utf8(written).unwrap(), text.trim_start());
            }
        }
    }
}

#[test]
fn every_odd_record_of_the_document_is_odd() {
    for block in examples("usv odd") {
        for record in usv::records(&block) {
            assert!(
                usv::read_in(&block, record).is_err(),
                "{}",
                String::from_utf8_lossy(record.bytes)
            );
        }
    }
}

#[test]
fn the_state_lines_of_the_document_are_those_of_its_records() {
    let records = examples("usv").remove(0);
    let mut state = cocli_core::State::default();
    state.extend(usv::records(&records).map(|record| usv::read(record.bytes).unwrap()));
    let lines: Vec<String> =
        state.entries().map(|(t, f, e)| usv::line_of(t, f, e) + "\u{1e}\n").collect();
    assert_eq!(lines.concat().into_bytes(), examples("usv lines").remove(0));
}
