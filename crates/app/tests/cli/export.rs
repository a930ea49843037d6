//! Data handed on: which rows, which columns, in which form.

use std::process::Stdio;

use calamine::{Data, Reader, Xlsx};
use parquet::file::reader::FileReader;

use crate::support::{Home, run};

const LISTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/listed-companies.csv");
const HEADER: &str = "company,domain,emails,phone,website,city,state,categories,services,products,tags,gmb_url,rating,reviews";

/// Two companies with an address, one of them by its people, and one without any.
fn pool() -> Home {
    let home = Home::new();
    let ok = |words: &[&str]| home.run(words).ok();
    ok(&[
        "add",
        "company",
        "Acme Inc",
        "--set",
        "email=Info@ACME.example",
        "--set",
        "domain=acme.example",
    ]);
    ok(&[
        "set",
        "acme-inc",
        "all_emails+=info@acme.example",
        "all_emails+=sales@acme.example",
        "city=Dallas",
    ]);
    ok(&[
        "set",
        "acme-inc",
        "phone_1=+1 214 555 0134",
        "tags+=b",
        "tags+=a",
        "average_rating=4.5",
        "reviews_count=12",
    ]);
    ok(&[
        "add",
        "company",
        "Beta GmbH",
        "--set",
        "website_url=https://beta.example",
        "--set",
        "place_id=ChIJ1",
    ]);
    ok(&["add", "company", "Gamma", "--set", "city==1+1"]);
    ok(&["add", "person", "Jane Doe", "--company", "beta-gmbh", "--set", "email=jd@home.example"]);
    ok(&["add", "person", "John Doe", "--company", "Beta GmbH", "--set", "email=JD@Home.example"]);
    home
}

#[test]
fn a_lead_is_a_company_with_its_addresses_and_those_of_its_people_each_once() {
    let home = pool();
    let ran = home.run(&["export", "leads"]);
    assert!(ran.err.contains("left out: 1 without an e-mail address"), "{}", ran.err);
    let place = "https://www.google.com/maps/search/?api=1&query=google&query_place_id=ChIJ1";
    let expected = format!(
        "{HEADER}\n\
         Acme Inc,acme.example,info@acme.example; sales@acme.example,+1 214 555 0134,acme.example,Dallas,,,,,a; b,,4.5,12\n\
         Beta GmbH,,jd@home.example,,https://beta.example,,,,,,,{place},,\n"
    );
    assert_eq!(ran.ok(), expected);
    let all = home.run(&["export", "leads", "--all", "--columns", "city,company"]).ok();
    assert_eq!(all, "city,company\nDallas,Acme Inc\n,Beta GmbH\n'=1+1,Gamma\n");
    let some = home.run(&["export", "leads", "--where", "tags=a", "--columns", "company"]).ok();
    assert_eq!(some, "company\nAcme Inc\n");
    let usv = home.run(&["export", "leads", "--columns", "company,city", "--format", "usv"]).ok();
    assert_eq!(usv, "company\u{1f}city\u{1e}\nAcme Inc\u{1f}Dallas\u{1e}\nBeta GmbH\u{1f}\u{1e}\n");
    let json = home.run(&["--json", "export", "leads", "--columns", "company,rating,state"]).ok();
    assert_eq!(json.lines().next().unwrap(), r#"{"company":"Acme Inc","rating":4.5,"state":null}"#);
}

#[test]
fn the_leads_of_a_campaign_are_its_members_without_who_is_excluded() {
    let home = pool();
    home.run(&["campaign", "new", "one"]).ok();
    let one = |words: &[&str]| run(home.command().env("COCLI_CAMPAIGN", "one").args(words), b"");
    let names = || one(&["export", "leads", "--all", "--columns", "company,emails"]).ok();
    one(&["campaign", "add", "acme-inc", "beta-gmbh"]).ok();
    assert_eq!(names().lines().count(), 3);
    assert!(names().contains("Beta GmbH,jd@home.example\n"));
    // Of two people with one address one asked to be left out: nobody is written to there.
    one(&["campaign", "exclude", "jane-doe", "--reason", "asked"]).ok();
    assert!(names().contains("Beta GmbH,\n"));
    assert!(!one(&["export", "people"]).ok().contains("jd@home.example"));
    one(&["campaign", "exclude", "Info@Acme.example", "--reason", "unsubscribed"]).ok();
    assert!(names().contains("Acme Inc,sales@acme.example\n"));
    one(&["campaign", "exclude", "www.acme.example", "--reason", "a rival"]).ok();
    assert_eq!(names(), "company,emails\nBeta GmbH,\n");
    let told = one(&["--json", "export", "leads", "--output", "x.csv"]).ok();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let left_out = serde_json::json!({"excluded": 1, "without_email": 1});
    assert_eq!((&told["rows"], &told["left_out"]), (&0.into(), &left_out));
    assert_eq!(told["bytes"], HEADER.len() + 1);
    assert_eq!(one(&["--campaign", "", "export", "leads"]).ok().lines().count(), 3);
    one(&["--campaign", "onne", "export", "leads"]).fails(3, "no campaign is called");
}

#[test]
fn all_listed_companies_are_handed_on_in_every_form() {
    let home = Home::new();
    home.run(&["import", "csv", LISTED]).ok();
    let csv = home.run(&["export", "leads", "--all"]).ok();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1_837);
    for (of, file) in [
        ("leads", "a.xlsx"),
        ("companies", "b.parquet"),
        ("companies", "c.vcf"),
        ("datagrams", "d.jsonl"),
    ] {
        let mut words = vec!["export", of, "--output", file];
        words.extend((of == "leads").then_some("--all"));
        home.run(&words).ok();
    }
    let file = |name: &str| std::fs::read(home.dir.path().join(name)).unwrap();
    let mut book = Xlsx::new(std::io::Cursor::new(file("a.xlsx"))).unwrap();
    assert!(book.worksheet_formula("leads").unwrap().is_empty());
    let range = book.worksheet_range("leads").unwrap();
    assert_eq!(range.height(), 1_838);
    for (sheet, row) in range.rows().skip(1).zip(&rows) {
        for (cell, text) in sheet.iter().zip(row) {
            let shown = if *cell == Data::Empty { String::new() } else { cell.to_string() };
            assert_eq!(shown, text.strip_prefix('\'').unwrap_or(text));
        }
    }
    let bytes = bytes::Bytes::from(file("b.parquet"));
    let parquet = parquet::file::reader::SerializedFileReader::new(bytes).unwrap();
    assert_eq!(parquet.get_row_iter(None).unwrap().count(), 1_837);
    let cards = String::from_utf8(file("c.vcf")).unwrap();
    assert_eq!(cards.matches("BEGIN:VCARD\r\n").count(), 1_837);
    let winners = String::from_utf8(file("d.jsonl")).unwrap();
    assert!(winners.contains(r#""field":"name","value":"Apple Inc."#), "{}", &winners[..400]);
    // The same data gives the same bytes, merged or not.
    home.run(&["compact"]).ok();
    assert_eq!(home.run(&["export", "leads", "--all"]).ok(), csv);
}

#[test]
fn what_cannot_be_had_is_refused_with_what_can() {
    let home = pool();
    home.run(&["export", "leads", "--columns", "company,emial"]).fails(2, "`emails`");
    home.run(&["export", "leads", "--columns", "city,city"]).fails(2, "twice");
    home.run(&["export", "leads", "--format", "vcf"]).fails(2, "a vCard has no columns");
    home.run(&["export", "leads", "--where", "city"]).fails(2, "expected FIELD=VALUE");
    home.run(&["export", "leads", "--format", "xls"]).fails(2, "xlsx");
    home.run(&["export", "leads", "--output", "."]).fails(2, "is a folder");
    home.run(&["export", "leads", "--output", "none/x.csv"]).fails(1, "none/x.csv");
}

#[test]
fn an_export_that_breaks_off_leaves_the_old_file_and_nothing_beside_it() {
    let home = pool();
    let old = home.dir.path().join("x.xlsx");
    std::fs::write(&old, "old").unwrap();
    let beside = || std::fs::read_dir(home.dir.path()).unwrap().count();
    let before = beside();
    // What is put by for it has no place.
    let small = ["-c", "ulimit -f 1; trap '' XFSZ; exec \"$@\"", "sh"];
    let cocli = home.command();
    let mut command = std::process::Command::new("sh");
    command.args(small).arg(cocli.get_program()).current_dir(cocli.get_current_dir().unwrap());
    command.envs(cocli.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.args(cocli.get_args()).args(["export", "leads", "--output", "x.xlsx", "--all"]);
    let ran = run(&mut command, b"").fails(1, "x");
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    assert_eq!((std::fs::read(&old).unwrap(), beside()), (b"old".to_vec(), before));
    home.run(&["export", "leads", "--output", "x.xlsx"]).ok();
    assert!(std::fs::read(&old).unwrap().starts_with(b"PK"));
    assert_eq!(beside(), before);
    // What is no file is written straight into, and stays.
    home.run(&["export", "leads", "--output", "/dev/null"]).ok();
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let home = Home::new();
    home.run(&["import", "csv", LISTED]).ok();
    let mut command = home.command();
    command.args(["export", "companies"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn a_card_of_a_person_has_all_addresses_and_unfolds() {
    let home = pool();
    home.run(&[
        "set",
        "jane-doe",
        "all_emails+=x@y.example",
        "phone=+49 30 901820",
        "role=CTO, founder",
    ])
    .ok();
    let cards =
        home.run(&["export", "people", "--where", "role=CTO, founder", "--format", "vcf"]).ok();
    for line in [
        "BEGIN:VCARD",
        "VERSION:4.0",
        "UID;VALUE=text:people/jane-doe",
        "FN:Jane Doe",
        "N:Doe;Jane;;;",
        "TITLE:CTO\\, founder",
        "EMAIL:jd@home.example",
        "EMAIL:x@y.example",
        "TEL:+49 30 901820",
        "END:VCARD",
    ] {
        assert!(cards.contains(&format!("{line}\r\n")), "{line} in {cards}");
    }
}

#[test]
fn where_it_goes_is_what_a_person_means() {
    let home = pool();
    let at = |name: &str| home.dir.path().join(name);
    let text = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    // Standard output goes on where the shell left it.
    let sh = |line: &str| {
        let cocli = home.command();
        let mut command = std::process::Command::new("sh");
        command.args(["-c", line, cocli.get_program().to_str().unwrap()]);
        command.args(cocli.get_args()).current_dir(home.dir.path());
        command.envs(cocli.get_envs().filter_map(|(key, value)| Some((key, value?))));
        run(&mut command, b"")
    };
    sh("echo OLD > a.csv; \"$0\" \"$@\" export leads --columns city --output /dev/stdout >> a.csv")
        .ok();
    assert_eq!(text("a.csv"), "OLD\ncity\nDallas\n\"\"\n");
    // A link is followed, to a file that is not there yet as well.
    std::os::unix::fs::symlink("real.csv", at("link.csv")).unwrap();
    home.run(&["export", "leads", "--columns", "city", "--output", "link.csv"]).ok();
    assert!(at("link.csv").is_symlink() && text("real.csv").starts_with("city\n"));
    home.run(&["export", "leads", "--output", "a.json"]).ok();
    assert!(text("a.json").starts_with("{\"company\":"));
    home.run(&["export", "leads", "--output", "a.xls"]).fails(2, "xlsx");
    home.run(&["export", "leads", "--output", "new/"]).fails(2, "is a folder");
    home.run(&["export", "leads", "--output", "none/x.csv"]).fails(1, "mkdir -p none");
}

#[test]
fn a_field_of_ones_own_is_a_column_and_a_mistyped_one_is_doubted() {
    let home = pool();
    home.run(&["set", "acme-inc", "crm_id=0042"]).ok();
    let words = ["export", "companies", "--columns", "slug,crm_id", "--where", "name=Acme Inc"];
    assert_eq!(home.run(&words).ok(), "slug,crm_id\nacme-inc,0042\n");
    let ran = home.run(&["export", "companies", "--columns", "slug,nmae"]);
    assert!(
        ran.err.contains("no row has a field nmae; the nearest column is `name`"),
        "{}",
        ran.err
    );
    let raw = home.run(&["export", "leads", "--all", "--raw", "--columns", "city"]).ok();
    assert!(raw.contains("\n=1+1\n"), "{raw}");
}
