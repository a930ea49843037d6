//! `import vcard` with contacts as address books export them.

use crate::support::{Home, Ran};

fn import(home: &Home, cards: &[u8], more: &[&str]) -> Ran {
    std::fs::write(home.dir.path().join("c.vcf"), cards).unwrap();
    let mut words = vec!["import", "vcard", "c.vcf"];
    words.extend_from_slice(more);
    home.run(&words)
}

fn get(home: &Home, target: &str, field: &str) -> String {
    home.run(&["get", target, field]).ok().trim_end().to_owned()
}

#[test]
fn a_contact_of_each_version_comes_in_whole() {
    let home = Home::new();
    home.run(&["add", "company", "Acme Inc."]).ok();
    let cards = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Doe;Jane;;Dr.;\r\nFN:Dr. Jane Doe\r\nORG:Acme Inc.;Sales\r\nTITLE:CTO\r\n\
        EMAIL;TYPE=INTERNET:jane@home.example\r\nEMAIL;TYPE=INTERNET,PREF:jane@acme.example\r\n\
        TEL;TYPE=CELL:+1 214 555 0134\r\nTEL;TYPE=FAX:+1 214 555 0199\r\nTEL;TYPE=HOME:+49 30 901820\r\n\
        ADR;TYPE=WORK:;;1 Main St\\, Suite 4;Dallas;TX;75094;USA\r\nCATEGORIES:vip,lead\r\n\
        NOTE:Met at the\\nfair\\, twice\r\nREV:2026-02-18T17:04:05Z\r\nPHOTO;ENCODING=b;TYPE=JPEG:AAAA\r\n BBBB\r\nEND:VCARD\r\n\
        BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg\r\nTEL;CELL;PREF:030 901820\r\n\
        TEL;WORK:030 901821\r\nORG:Nobody Ltd\r\nEND:VCARD\r\n\
        BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ann Roe\r\nEMAIL;PREF=2:b@x.example\r\nEMAIL;PREF=1:a@x.example\r\nTEL;VALUE=uri:tel:+1-214-555-0100\r\nEND:VCARD\r\n\
        BEGIN:VCARD\r\nVERSION:4.0\r\nKIND:org\r\nFN:Beta GmbH\r\nURL:https://beta.example\r\nEND:VCARD\r\n";
    let out = import(&home, cards.as_bytes(), &[]).ok();
    assert!(out.contains("4 added") && out.contains("1 pictures left out"), "{out}");
    for (field, value) in [
        ("name", "Dr. Jane Doe"),
        ("company", "companies/acme-inc"),
        ("role", "CTO"),
        ("email", "jane@acme.example"),
        ("all_emails", "[\"jane@home.example\"]"),
        ("phone", "+1 214 555 0134"),
        ("all_phones", "[\"+49 30 901820\"]"),
        ("street_address", "1 Main St, Suite 4"),
        ("city", "Dallas"),
        ("zip_code", "75094"),
        ("tags", "[\"lead\",\"vip\"]"),
    ] {
        assert_eq!(get(&home, "dr-jane-doe", field), value, "{field}");
    }
    let notes = home.run(&["note", "list", "dr-jane-doe"]).ok();
    assert!(notes.contains("2026-02-18"), "{notes}");
    assert_eq!(get(&home, "jorg-muller", "phone"), "030 901820");
    assert_eq!(get(&home, "jorg-muller", "company_name"), "Nobody Ltd");
    assert_eq!(get(&home, "ann-roe", "email"), "a@x.example");
    assert_eq!(get(&home, "ann-roe", "phone"), "+1-214-555-0100");
    assert_eq!(get(&home, "companies/beta-gmbh", "website_url"), "https://beta.example");
    let before = home.written();
    assert!(import(&home, cards.as_bytes(), &[]).ok().contains("0 values written"));
    assert_eq!(home.written(), before);
}

#[test]
fn what_is_no_contact_is_named_with_its_line_and_the_rest_comes_in() {
    let home = Home::new();
    import(&home, b"", &[]).fails(1, "c.vcf: holds no contact");
    import(&home, b"name,city\nAcme,Rome\n", &[]).fails(1, "holds no contact");
    let cards = b"BEGIN:VCARD\nVERSION:3.0\nEMAIL:x@y.example\nEND:VCARD\n\nBEGIN:VCARD\nVERSION:3.0\nFN:Jane\nEND:VCARD\nBEGIN:VCARD\nFN:Cut";
    let ran = import(&home, cards, &["--dry-run"]);
    assert!(ran.err.contains("c.vcf:1: skipped: a contact without a name"), "{}", ran.err);
    assert!(ran.err.contains("c.vcf:10: expected END:VCARD"), "{}", ran.err);
    ran.ok();
    assert_eq!(home.run(&["list", "people"]).ok(), "");
}

#[test]
fn an_organisation_is_linked_wherever_its_card_stands_and_a_second_import_writes_nothing() {
    let home = Home::new();
    let cards = b"BEGIN:VCARD\nVERSION:3.0\nFN:Jane Doe\nORG:Acme;Sales\nEND:VCARD\n\
        BEGIN:VCARD\nVERSION:3.0\nN:;;;;\nFN:Acme\nORG:Acme;\nX-ABShowAs:COMPANY\nADR:;Suite 2;1 Main St;Dallas;TX;75001;USA\nEND:VCARD\n";
    import(&home, cards, &[]).ok();
    assert_eq!(get(&home, "jane-doe", "company"), "companies/acme");
    assert_eq!(get(&home, "companies/acme", "street_address"), "1 Main St, Suite 2");
    assert!(import(&home, cards, &[]).ok().contains("0 values written"));
}

#[test]
fn a_card_within_a_card_and_one_without_an_end_cost_no_other_line() {
    let home = Home::new();
    let cards = b"BEGIN:VCARD\nVERSION:2.1\nFN:Boss\nAGENT:\nBEGIN:VCARD\nVERSION:2.1\nFN:Secretary\nEND:VCARD\n\
        EMAIL:boss@x.org\nEND:VCARD\nBEGIN:VCARD\nVERSION:3.0\nFN:One\nEMAIL:one@x.org\n\
        BEGIN:VCARD\nVERSION:3.0\nFN:Two\nEND:VCARD\ngarbage here\nmore\nBEGIN:VCARD\nVERSION:3.0\nFN:Three\n";
    let ran = import(&home, cards, &[]);
    for said in [
        "c.vcf:5: skipped: the card of an agent within a card",
        "c.vcf:11: expected END:VCARD",
        "c.vcf:19: skipped: expected BEGIN:VCARD",
        "c.vcf:21: expected END:VCARD",
    ] {
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    assert!(ran.ok().contains("4 added"));
    assert_eq!(get(&home, "people/boss", "email"), "boss@x.org");
    assert_eq!(get(&home, "people/one", "email"), "one@x.org");
}

#[test]
fn what_came_before_a_card_without_end_is_in_and_told() {
    let home = Home::new();
    let cards = "BEGIN:VCARD\nVERSION:3.0\nFN:First\nEND:VCARD\nBEGIN:VCARD\nFN:Long\nNOTE:"
        .to_owned()
        + &("x".repeat(1_000) + "\n ").repeat(40_000);
    let ran = import(&home, cards.as_bytes(), &[]).fails(1, "END:VCARD");
    assert!(ran.out.contains("1 added"), "{}", ran.out);
    assert_eq!(get(&home, "people/first", "name"), "First");
}
