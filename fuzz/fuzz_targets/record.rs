//! Any bytes are read as a record or are odd; what is written is never odd and reads back the same.
#![no_main]

use cocli_core::{Causality, Datagram, Entry, Field, Instant, NodeId, Stamp, Target, Value, usv};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(datagram) = usv::read(bytes) {
        again(&datagram);
    }
    if let Ok(line) = usv::read_line(bytes) {
        assert_eq!(usv::read_line(usv::line(&line).as_bytes()).as_ref(), Ok(&line));
    }
    let text = String::from_utf8_lossy(bytes);
    for value in [Value::text(&text), Value::read(&text)] {
        written(&text, value);
    }
});

/// A datagram with parts of the input wherever they fit.
fn written(text: &str, value: Value) {
    let field = Field::of_key(text).or_else(|_| Field::read("name"));
    let (Ok(field), Ok(node), Ok(target)) =
        (field, NodeId::read("pi1"), Target::read("companies/apple"))
    else {
        return;
    };
    let (element, hashed) = field.element_of(text);
    assert!(hashed || element.element_text().as_deref() == Some(text));
    let micros = text.len() as i64 * 86_400_000_000;
    let Some(instant) = Instant::from_micros(micros) else { return };
    let stamp = Stamp { instant, node };
    for field in [field, element] {
        let causality = Causality::saw([&stamp]);
        let entry = Entry { stamp: stamp.clone(), value: value.clone(), causality };
        again(&Datagram { target: target.clone(), field, entry });
    }
}

fn again(datagram: &Datagram) {
    let mut bytes = Vec::new();
    usv::write(datagram, &mut bytes);
    assert_eq!(usv::read(&bytes).as_ref(), Ok(datagram));
    assert_eq!(usv::records(&bytes).count(), 1);
    assert_eq!(usv::whole(&bytes), bytes.len());
}
