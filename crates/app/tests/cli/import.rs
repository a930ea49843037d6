//! `import csv` with tables as people have them.

use crate::support::Home;

fn import(home: &Home, table: &[u8], more: &[&str]) -> crate::support::Ran {
    std::fs::write(home.dir.path().join("t.csv"), table).unwrap();
    let mut words = vec!["import", "csv", "t.csv"];
    words.extend_from_slice(more);
    home.run(&words)
}

#[test]
fn a_table_with_bom_semicolons_and_quoted_newlines_comes_in() {
    let home = Home::new();
    let table = "\u{feff}name;city;note\nAcme;\"Dallas; TX\";\"two\nlines\"\n";
    import(&home, table.as_bytes(), &[]).ok();
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Dallas; TX\n");
    assert_eq!(home.run(&["get", "acme", "note"]).ok(), "two\nlines\n");
}

#[test]
fn ragged_rows_are_skipped_with_their_line_and_the_rest_comes_in() {
    let home = Home::new();
    let ran = import(&home, b"name,city\nAcme,Dallas\nShort\nBeta,Rome\n,Nowhere\n", &[]);
    assert!(ran.err.contains("t.csv:3: skipped: 1 cells, expected 2"), "{}", ran.err);
    assert!(ran.err.contains("t.csv:5: skipped: the row has no name"), "{}", ran.err);
    assert!(ran.ok().contains("2 added"));
}

#[test]
fn two_rows_for_one_company_are_one_and_the_second_fills_what_is_empty() {
    let home = Home::new();
    import(&home, b"name,city,tags\nAcme,Dallas,a\nAcme,Austin,b\n", &[]).ok();
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Dallas\n");
    assert_eq!(home.run(&["get", "acme", "tags"]).ok(), "[\"a\",\"b\"]\n");
}

#[test]
fn a_second_import_changes_nothing_unless_told_to_overwrite() {
    let home = Home::new();
    import(&home, b"name,city\nAcme,Dallas\n", &[]).ok();
    assert!(import(&home, b"name,city\nAcme,Austin\n", &[]).ok().contains("1 the same"));
    import(&home, b"name,city\nAcme,Austin\n", &["--overwrite"]).ok();
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Austin\n");
}

#[test]
fn columns_are_mapped_and_wrong_maps_are_named() {
    let home = Home::new();
    import(&home, b"Firma,Ort\nAcme,Dallas\n", &[]).fails(2, "--map COLUMN=name");
    import(&home, b"Firma,Ort\nAcme,Dallas\n", &["--map", "Firma=name", "--map", "Ort=city"]).ok();
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Dallas\n");
    import(&home, b"name,x\nA,b\n", &["--map", "y=city"]).fails(2, "no column \"y\"");
}

#[test]
fn what_is_no_table_is_refused_with_the_file() {
    let home = Home::new();
    import(&home, b"", &[]).fails(1, "t.csv: is empty");
    import(&home, b"name\nA\0b\n", &[]).fails(1, "t.csv: line 2 holds a NUL byte");
    home.run(&["import", "csv", "."]).fails(1, "is a folder");
    for (bytes, what) in [
        (
            &b"PK\x03\x04\x14\0\x06\0"[..],
            "t.csv: is a spreadsheet, or a zip file: save the sheet as CSV",
        ),
        (b"\x89PNG\r\n\x1a\n\0\0", "t.csv: is a picture"),
        (b"%PDF-1.4\nname,city\n", "t.csv: is a PDF"),
        (b"\r\n<!DOCTYPE html>\n<html>", "t.csv: is a web page"),
    ] {
        import(&home, bytes, &[]).fails(1, what);
    }
    home.run(&["import", "csv", "none.csv"]).fails(1, "none.csv: cannot read");
    assert!(import(&home, b"name,city\n", &[]).ok().contains("0 added"));
}

#[test]
fn a_dry_run_writes_nothing() {
    let home = Home::new();
    import(&home, b"name\nAcme\n", &["--dry-run"]).ok();
    assert_eq!(home.run(&["list", "companies"]).ok(), "");
}

#[test]
fn the_real_table_comes_in_whole() {
    let home = Home::new();
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/listed-companies.csv");
    let out = home.run(&["import", "csv", table]).ok();
    assert!(out.contains("0 skipped"), "{out}");
    let listed = home.run(&["list", "companies"]).ok();
    assert!(listed.lines().count() > 1800, "{}", listed.lines().count());
    assert!(home.read("companies/apple-inc/_index.md").contains("name: Apple Inc."));
}

#[test]
fn a_cell_that_no_record_can_hold_is_skipped_with_its_line() {
    let home = Home::new();
    let table = format!("name,note\nAcme,{}\nBeta,x\n", "y".repeat(9 << 20));
    let ran = import(&home, table.as_bytes(), &[]);
    assert!(ran.err.contains("t.csv:2: skipped: the value has"), "{}", ran.err);
    assert!(ran.ok().contains("1 added"));
}

#[test]
fn tables_in_the_encodings_that_programs_save_them_in_are_read() {
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        "\u{feff}name,city\nMüller,Köln\n".encode_utf16().flat_map(bytes).collect()
    };
    for table in [
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
        b"name,city\nM\xfcller,K\xf6ln\n".to_vec(),
        "\u{feff}name,city\nMüller,Köln\n".as_bytes().to_vec(),
    ] {
        let home = Home::new();
        let ran = import(&home, &table, &[]);
        let told = ran.err.contains("t.csv: line 2 is not UTF-8: read as Windows-1252");
        assert_eq!(told, table.contains(&0xf6) && !table.contains(&0), "{}", ran.err);
        ran.ok();
        assert_eq!(home.run(&["get", "muller", "city"]).ok(), "Köln\n");
    }
}

#[test]
fn a_character_on_the_edge_of_what_is_read_at_once_is_whole() {
    let home = Home::new();
    let table = format!("name,city\n{}\n", "é".repeat(1 << 20).replace("éééé", "é,é\né"));
    let ran = import(&home, table.as_bytes(), &["--dry-run"]);
    assert!(!ran.err.contains("UTF-8"), "{}", &ran.err[..200.min(ran.err.len())]);
}

#[test]
fn a_quote_that_is_never_closed_is_named_with_its_line() {
    let home = Home::new();
    let ran = import(&home, b"name,city\nAcme,Dallas\nBeta,\"Rome\nGamma,Oslo\n", &[]);
    assert!(
        ran.err.contains("t.csv:3: skipped: a quote in this row is never closed"),
        "{}",
        ran.err
    );
    assert!(ran.ok().contains("1 added"));
    // A cell of several lines at the end of a table is none.
    let ran = import(&home, b"name,city\nDelta,\"Ro\nme\"\n", &[]);
    assert!(ran.ok().contains("1 added"));
    let ran =
        import(&home, format!("name,city\nBeta,\"{}", "x\n".repeat(20 << 20)).as_bytes(), &[]);
    ran.fails(1, "from line 2 on: ").fails(1, "expected a quote that closes");
}

#[test]
fn ten_thousand_columns_are_columns() {
    let home = Home::new();
    let columns: Vec<String> = (0..10_000).map(|n| format!("c{n}")).collect();
    let table = format!("name,{}\nAcme,{}\n", columns.join(","), "x,".repeat(9_999) + "x");
    assert!(import(&home, table.as_bytes(), &[]).ok().contains("1 added"));
    assert_eq!(home.run(&["get", "acme", "c9999"]).ok(), "x\n");
}

#[test]
fn a_mapping_is_remembered_for_tables_with_the_same_columns() {
    let home = Home::new();
    import(&home, b"Firma,Ort\nAcme,Dallas\n", &["--map", "Firma=name", "--map", "Ort=city"]).ok();
    let ran = import(&home, b"Ort,Firma\nRome,Beta\n", &[]);
    assert!(
        ran.err.contains("t.csv: mapped as the last time: Firma=name, Ort=city"),
        "{}",
        ran.err
    );
    ran.ok();
    assert_eq!(home.run(&["get", "beta", "city"]).ok(), "Rome\n");
    // Not for people, nor for other columns.
    import(&home, b"Ort,Firma\nRome,Beta\n", &["--people"]).fails(2, "no column is the name");
    import(&home, b"Ort,Firma,x\nRome,Beta,y\n", &[]).fails(2, "no column is the name");
}

#[test]
fn a_row_is_the_company_that_its_domain_address_number_or_place_says() {
    let home = Home::new();
    let table = b"name,domain,email,phone,place_id,country\n\
        Acme,acme.com,,,,\nBeta,,beta@gmail.com,,,\nGamma,,,214-555-0134,,US\nDelta,,,,ChIJ5X0j7DHDwogRvQgaGw0y4FM,\n";
    import(&home, table, &[]).ok();
    let table = b"name,website,email,phone,place_id,city\n\
        Acme Inc.,http://www.acme.com/x,,,,A\nB,,BETA@gmail.com,,,B\nG,,,+1 (214) 555 0134,,C\nD,,,,ChIJ5X0j7DHDwogRvQgaGw0y4FM,D\n\
        Epsilon,,e@gmail.com,,,E\nClash,acme.com,,+12145550134,,X\n";
    let ran = import(&home, table, &[]);
    let why = "t.csv:7: skipped: it is companies/acme and companies/gamma by what it has: `cocli merge companies/acme companies/gamma`";
    assert!(ran.err.contains(why), "{}", ran.err);
    assert!(ran.ok().contains("1 added, 4 changed, 0 the same, 1 skipped"));
    for (slug, city) in
        [("acme", "A"), ("beta", "B"), ("gamma", "C"), ("delta", "D"), ("epsilon", "E")]
    {
        assert_eq!(home.run(&["get", slug, "city"]).ok(), format!("{city}\n"), "{slug}");
    }
    let before = home.written();
    assert!(import(&home, table, &[]).ok().contains("0 values written"));
    assert_eq!(home.written(), before);
}

#[test]
fn a_second_address_is_kept_beside_the_first() {
    let home = Home::new();
    import(&home, b"name,domain,email\nAcme,acme.com,a@acme.com\nAcme,acme.com,b@acme.com\n", &[])
        .ok();
    assert_eq!(home.run(&["get", "acme", "email"]).ok(), "a@acme.com\n");
    assert_eq!(home.run(&["get", "acme", "all_emails"]).ok(), "[\"b@acme.com\"]\n");
}

#[test]
fn people_in_a_column_come_in_with_the_company_of_the_row() {
    let home = Home::new();
    let table = b"name,domain,key_people\nAcme,acme.com,\"Jane Doe ( CEO ) John Roe ( CFO , COO )\"\nBeta,beta.com,Jane Doe (chair)\n";
    import(&home, table, &["--people-in", "who"]).fails(2, "no column \"who\"");
    let out = import(&home, table, &["--people-in", "key_people"]).ok();
    assert!(out.contains("2 added") && out.contains("3 people added beside them"), "{out}");
    assert_eq!(home.run(&["get", "people/jane-doe", "company"]).ok(), "companies/acme\n");
    assert_eq!(home.run(&["get", "people/john-roe", "role"]).ok(), "CFO, COO\n");
    // Somebody of that name at another company is somebody else, until a person says so.
    assert_eq!(home.run(&["get", "people/jane-doe-2", "company"]).ok(), "companies/beta\n");
    let before = home.written();
    import(&home, table, &["--people-in", "key_people"]).ok();
    assert_eq!(home.written(), before);
}

#[test]
fn google_maps_rows_become_leads() {
    let home = Home::new();
    let header = "Keyword,Name,Full_Address,Street_Address,City,Zip,State,Country,Timezone,Phone_1,Phone_Standard_format,\
        Phone_From_WEBSITE,Email_From_WEBSITE,Website,Domain,First_category,Second_category,Reviews_count,Average_rating,\
        Business_Status,Hours,Facebook_URL,Linkedin_URL,Instagram_URL,Meta_Description,Meta_Keywords,Place_ID";
    let row = "flooring,Acme Floors,\"1 Main St, Dallas\",1 Main St,Dallas,75094,TX,US,America/Chicago,214-555-0134,12145550134,\
        ,info@acme.example,https://acme.example,acme.example,Flooring store,Tile store,42,4.5,\
        OPERATIONAL,Mon: 8-5,,,,best floors,floor,ChIJ5X0j7DHDwogRvQgaGw0y4FM";
    let empty = ",".repeat(26);
    let only_name = format!(",Bare{}", ",".repeat(25));
    std::fs::write(
        home.dir.path().join("g.csv"),
        format!("{header}\n{row}\n{empty}\n{only_name}\n"),
    )
    .unwrap();
    let ran = home.run(&["import", "google-maps", "g.csv"]);
    assert!(ran.err.contains("g.csv:3: skipped: the row has no name"), "{}", ran.err);
    assert!(ran.ok().contains("2 added"));
    for (field, value) in [
        ("type", "Lead"),
        ("tags", "[\"flooring\",\"google-maps-import\"]"),
        ("categories", "[\"Flooring store\",\"Tile store\"]"),
        ("zip_code", "75094"),
        ("phone_number", "12145550134"),
        ("phone_1", "214-555-0134"),
        ("email", "info@acme.example"),
        ("website_url", "https://acme.example"),
        ("reviews_count", "42"),
        ("place_id", "ChIJ5X0j7DHDwogRvQgaGw0y4FM"),
        ("meta_description", "best floors"),
    ] {
        assert_eq!(home.run(&["get", "acme-floors", field]).ok(), format!("{value}\n"), "{field}");
    }
    assert_eq!(home.run(&["get", "bare", "type"]).ok(), "Lead\n");
    assert!(home.run(&["import", "google-maps", "g.csv"]).ok().contains("0 values written"));
}

#[test]
fn a_long_table_comes_in_batch_by_batch_and_goes_on_where_it_was() {
    let home = Home::new();
    let rows: String = (0..9_000).map(|n| format!("Company {n},c{n}.example\n")).collect();
    let half: String = rows.lines().take(1_000).map(|line| format!("{line}\n")).collect();
    import(&home, format!("name,domain\n{half}").as_bytes(), &[]).ok();
    let out = import(&home, format!("name,domain\n{rows}").as_bytes(), &[]).ok();
    assert!(
        out.contains("8000 added, 0 changed, 1000 the same, 0 skipped; 16000 values written"),
        "{out}"
    );
}

#[test]
fn strangers_at_one_provider_or_page_host_stay_strangers() {
    let home = Home::new();
    let table = b"name,email,website,place_id\n\
        Joe Plumbing,joes@att.net,,N/A\nBob Roofing,bob@att.net,,N/A\nAnn,ann@small-isp.net,,-\nZed,zed@small-isp.net,,-\n\
        Cafe One,,https://m.facebook.com/one,\nCafe Two,,https://m.facebook.com/two,\n\
        Taco,,https://fb.com/taco,\nBurrito,,https://fb.com/burrito,\nBar,,https://linktr.ee/bar,\nPub,,https://linktr.ee/pub,\n";
    assert!(import(&home, table, &[]).ok().contains("10 added"));
    home.run(&["get", "taco", "domain"]).fails(3, "");
    assert!(import(&home, table, &[]).ok().contains("0 values written"));
}

#[test]
fn names_that_make_one_slug_are_companies_of_their_own() {
    let home = Home::new();
    let long = "International Brotherhood of Electrical Workers and Allied Trades Local Union";
    let table = format!(
        "name,city\nC++ Ltd,A\nC Ltd,B\nC# Ltd,C\n李伟,D\n李威,E\n{long} 134,F\n{long} 77,G\n"
    );
    assert!(import(&home, table.as_bytes(), &[]).ok().contains("7 added"));
    let out = import(&home, table.as_bytes(), &[]).ok();
    assert!(out.contains("7 the same") && out.contains("0 values written"), "{out}");
}

#[test]
fn two_people_who_share_an_address_are_two_and_it_is_said() {
    let home = Home::new();
    let table = b"name,email,phone\nJane Doe,info@acme.com,+12145550001\nJohn Roe,INFO@acme.com,+12145550002\n";
    let ran = import(&home, table, &["--people"]);
    let said = "t.csv:3: people/john-roe seems to be people/jane-doe as well: `cocli merge people/jane-doe people/john-roe`";
    assert!(ran.err.contains(said), "{}", ran.err);
    assert!(ran.ok().contains("2 added"));
    let ran = import(&home, table, &["--people"]);
    assert!(!ran.err.contains("seems to be"), "{}", ran.err);
    assert!(ran.ok().contains("0 values written"));
}

#[test]
fn no_column_vanishes_without_a_word() {
    let home = Home::new();
    let table = b"name,Phone,Telephone,Email,E-Mail,Address,Headquarters,city,City\n\
        Acme,+12145550001,+12145550002,a@acme.com,b@acme.com,1 Main,2 Oak,x,y\n";
    let ran = import(&home, table, &[]);
    assert!(ran.err.contains("the column \"City\" is left out"), "{}", ran.err);
    ran.ok();
    for (field, value) in [
        ("all_phones", "[\"+12145550002\"]"),
        ("all_emails", "[\"b@acme.com\"]"),
        ("full_address", "1 Main"),
        ("headquarters", "2 Oak"),
        ("city", "x"),
    ] {
        assert_eq!(home.run(&["get", "acme", field]).ok(), format!("{value}\n"), "{field}");
    }
    import(&home, b"Company,Name\nHolding,Beta\n", &[]).ok();
    assert_eq!(home.run(&["get", "beta", "company"]).ok(), "Holding\n");
}

#[test]
fn what_a_person_removed_stays_removed_unless_told_to_overwrite() {
    let home = Home::new();
    let table = b"name,domain,city,tags,email\nAcme,acme.com,Dallas,lead;hot,wrong@acme.com\n";
    import(&home, table, &[]).ok();
    home.run(&["unset", "acme", "email"]).ok();
    home.run(&["tag", "rm", "acme", "hot"]).ok();
    let card = home.read("companies/acme/_index.md").replace("city: Dallas\n", "");
    std::fs::write(home.file("companies/acme/_index.md"), card).unwrap();
    let ran = import(&home, table, &[]);
    for said in [
        "t.csv:2: companies/acme city: kept that it was removed, it says \"Dallas\"",
        "companies/acme email: kept that it was removed",
        "companies/acme tags.hot: kept that it was removed",
    ] {
        assert!(ran.err.contains(said), "{}", ran.err);
    }
    assert!(ran.ok().contains("3 values differ"));
    home.run(&["get", "acme", "email"]).fails(3, "");
    home.run(&["get", "acme", "city"]).fails(3, "");
    assert_eq!(home.run(&["get", "acme", "tags"]).ok(), "[\"lead\"]\n");
    import(&home, table, &["--overwrite"]).ok();
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Dallas\n");
    assert_eq!(home.run(&["get", "acme", "tags"]).ok(), "[\"hot\",\"lead\"]\n");
}

#[test]
fn what_differs_is_named_with_its_line_and_given_to_programs() {
    let home = Home::new();
    import(&home, b"name,city\nAcme,Dallas\n", &[]).ok();
    let ran = import(&home, b"name,city\nAcme,Austin\n", &[]);
    let said = "t.csv:2: companies/acme city: kept \"Dallas\", it says \"Austin\"";
    assert!(ran.err.contains(said), "{}", ran.err);
    let json = home.run(&["--json", "import", "csv", "t.csv"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let expected = serde_json::json!([
        {"line": 2, "target": "companies/acme", "field": "city", "kept": "Dallas", "said": "Austin"}
    ]);
    assert_eq!((&json["differ"], &json["kept"]), (&expected, &serde_json::json!(1)));
}

#[test]
fn cards_that_an_import_cut_off_did_not_come_to_are_put_in_place_by_the_next() {
    let home = Home::new();
    import(&home, b"name,city\nAcme,Dallas\nBeta,Rome\n", &[]).ok();
    std::fs::remove_dir_all(home.file("companies/acme")).unwrap();
    let doctor = home.run(&["doctor"]);
    assert!(doctor.out.contains("without a card: 1"), "{}", doctor.out);
    assert!(import(&home, b"name,city\nAcme,Dallas\nBeta,Rome\n", &[]).ok().contains("2 the same"));
    assert!(home.read("companies/acme/_index.md").contains("city: Dallas"));
    assert!(!home.run(&["doctor"]).out.contains("without a card"));
}

#[test]
fn what_came_before_an_error_is_in_and_told() {
    let home = Home::new();
    let table = format!("name,city\nAcme,Dallas\nBeta,\"{}", "x\n".repeat(20 << 20));
    let ran = import(&home, table.as_bytes(), &[]).fails(1, "from line 3 on: ");
    assert!(ran.out.contains("1 added"), "{}", ran.out);
    assert_eq!(home.run(&["get", "acme", "city"]).ok(), "Dallas\n");
}

#[test]
fn a_quote_that_swallows_rows_is_noted() {
    let home = Home::new();
    let ran = import(&home, b"name,city\nAcme,\"Dallas\nBeta,Austin\nGamma,\"Waco\"\n", &[]);
    assert!(ran.err.contains("t.csv:2: a cell of this row goes on over"), "{}", ran.err);
    let ran = import(&home, b"name,city\nDelta,\"two\nlines\"\n", &[]);
    assert!(!ran.err.contains("goes on"), "{}", ran.err);
}

#[test]
fn one_odd_byte_leaves_the_rest_of_a_table_as_it_is() {
    let home = Home::new();
    let mut table = b"name,city\n".to_vec();
    for n in 0..3 {
        table.extend(format!("Ünïcode {n},Köln\n").into_bytes());
    }
    table.extend(b"Caf\xe9,Paris\nA\x80,B\n");
    let ran = import(&home, &table, &[]);
    assert!(
        ran.err.contains("t.csv: line 5 is not UTF-8, though the rest is: 2 bytes"),
        "{}",
        ran.err
    );
    ran.ok();
    assert_eq!(home.run(&["get", "unicode-1", "name"]).ok(), "Ünïcode 1\n");
    assert_eq!(home.run(&["get", "cafe", "name"]).ok(), "Café\n");
    assert!(home.run(&["list", "companies"]).ok().contains("A€"));
}

#[test]
fn two_that_a_person_made_one_are_one_to_the_next_import() {
    let home = Home::new();
    let table = b"name,domain,email,phone\nA,a.com,,\nB,,b@gmail.com,\nC,,,+12145550134\n";
    import(&home, table, &[]).ok();
    let row = b"name,domain,email,phone,city\nX,a.com,b@gmail.com,+12145550134,Waco\n";
    let ran = import(&home, row, &[]);
    let said =
        "`cocli merge companies/a companies/b` and `cocli merge companies/a companies/c`, should";
    assert!(ran.err.contains(said), "{}", ran.err);
    home.run(&["merge", "companies/a", "companies/b"]).ok();
    home.run(&["merge", "companies/a", "companies/c"]).ok();
    assert!(import(&home, row, &[]).ok().contains("1 changed"));
    assert_eq!(home.run(&["get", "a", "city"]).ok(), "Waco\n");
    // By their old names as well.
    assert!(import(&home, table, &[]).ok().contains("0 added"));
    home.run(&["mv", "a", "alpha"]).ok();
    assert!(import(&home, table, &[]).ok().contains("0 added, 0 changed, 3 the same, 0 skipped"));
}

#[test]
fn people_of_a_row_that_is_left_out_are_left_out() {
    let home = Home::new();
    import(&home, b"name,domain,phone\nAcme,acme.com,\nBeta,,+12145550134\n", &[]).ok();
    let table = b"name,domain,phone,people\nClash,acme.com,+12145550134,Jane Doe (CEO)\n";
    let ran = import(&home, table, &["--people-in", "people"]);
    assert!(ran.err.contains("t.csv:2: skipped: its company was left out"), "{}", ran.err);
    home.run(&["rm", "beta"]).ok();
    import(&home, b"name,people\nBeta,John Roe\n", &["--people-in", "people"]).ok();
    assert_eq!(home.run(&["list", "people"]).ok(), "");
}

#[test]
fn a_pipe_is_refused_and_standard_input_is_read() {
    let home = Home::new();
    let pipe = home.dir.path().join("p.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    home.run(&["import", "csv", "p.csv"]).fails(1, "is no file: give it to standard input");
    for (name, word) in [("Acme", "-"), ("Beta", "/dev/stdin")] {
        let table = format!("name,city\n{name},Köln\n");
        home.input(&["import", "csv", word], table.as_bytes()).ok();
    }
    assert_eq!(home.run(&["get", "beta", "city"]).ok(), "Köln\n");
    home.input(&["import", "vcard", "-"], b"BEGIN:VCARD\nVERSION:3.0\nFN:Jane\nEND:VCARD\n").ok();
    assert_eq!(home.run(&["get", "people/jane", "name"]).ok(), "Jane\n");
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    for table in [
        "name,city\nAcme,Dallas\nShort\n",
        "name,city\r\nAcme,Dallas\r\nShort\r\n",
        "sep=,\r\nname,city\r\nShort\r\n",
        "\n\nname,city\n\nAcme,\"a\nb\"\nShort\n",
    ] {
        let home = Home::new();
        let line = table.lines().position(|line| line == "Short").unwrap() + 1;
        let ran = import(&home, table.as_bytes(), &[]);
        assert!(ran.err.contains(&format!("t.csv:{line}: skipped: 1 cells")), "{}", ran.err);
    }
}

#[test]
fn a_first_line_may_say_the_delimiter() {
    let home = Home::new();
    import(&home, "\u{feff}sep=|\nname|city\nAcme, Ltd|Dallas, TX\n".as_bytes(), &[]).ok();
    assert_eq!(home.run(&["get", "acme-ltd", "city"]).ok(), "Dallas, TX\n");
}

#[test]
fn a_remembered_mapping_that_does_not_fit_says_how_to_forget_it() {
    let home = Home::new();
    import(&home, b"a,b\nAcme,x\n", &["--map", "a=name"]).ok();
    let path = home.file(".cocli/mappings.json");
    let kept = std::fs::read_to_string(&path).unwrap().replace("\"name\"", "\"_deleted\"");
    std::fs::write(&path, kept).unwrap();
    let ran = import(&home, b"a,b\nAcme,x\n", &[]);
    ran.fails(2, "the mapping in .cocli/mappings.json does not fit").fails(2, "`--map` takes its");
}

#[test]
fn one_number_or_address_typed_two_ways_stands_once() {
    let home = Home::new();
    let table = b"name,domain,phone,country,email\nAcme,acme.com,(214) 555-0134,US,Info@acme.com\n\
        Acme,acme.com,+1 214 555 0134,US,info@ACME.com\nAcme,acme.com,214.555.0199,US,x@acme.com\nAcme,acme.com,+12145550199,US,X@acme.com\n";
    import(&home, table, &[]).ok();
    assert_eq!(home.run(&["get", "acme", "phone_number"]).ok(), "(214) 555-0134\n");
    assert_eq!(home.run(&["get", "acme", "all_phones"]).ok(), "[\"214.555.0199\"]\n");
    assert_eq!(home.run(&["get", "acme", "all_emails"]).ok(), "[\"x@acme.com\"]\n");
}

#[test]
fn people_are_linked_to_the_company_that_a_column_names() {
    let home = Home::new();
    home.run(&["add", "company", "Acme Inc."]).ok();
    let table = b"First Name,Last Name,Company,Email\nJane,Doe,Acme Inc,j@x.org\nJohn,Roe,Nowhere Ltd,jo@x.org\n";
    import(&home, table, &["--people"]).ok();
    assert_eq!(home.run(&["get", "jane-doe", "company"]).ok(), "companies/acme-inc\n");
    assert_eq!(home.run(&["get", "john-roe", "company_name"]).ok(), "Nowhere Ltd\n");
    home.run(&["get", "john-roe", "company"]).fails(3, "");
    assert!(import(&home, table, &["--people"]).ok().contains("0 values written"));
}

#[test]
fn a_nul_in_utf16_is_refused_as_well() {
    let home = Home::new();
    let table: Vec<u8> = "\u{feff}name\nA\0b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    import(&home, &table, &[]).fails(1, "t.csv: line 2 holds a NUL byte");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a kill needs a moment; nothing waits for it")]
fn an_import_that_is_killed_comes_to_what_a_whole_one_would() {
    let (home, whole) = (Home::new(), Home::new());
    let rows: String =
        (0..600).map(|n| format!("Company {n},c{},a;b{}\n", n % 500, n % 7)).collect();
    let table = format!("name,city,tags\n{rows}");
    import(&whole, table.as_bytes(), &[]).ok();
    std::fs::write(home.dir.path().join("t.csv"), &table).unwrap();
    for milliseconds in [15, 40, 90] {
        let mut child = home.command().args(["import", "csv", "t.csv"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    import(&home, table.as_bytes(), &[]).ok();
    let state = |home: &Home| home.run(&["--json", "list", "companies"]).ok();
    assert_eq!(state(&home), state(&whole));
    home.run(&["doctor"]).ok();
    assert!(
        import(&home, table.as_bytes(), &[]).ok().contains("600 the same, 0 skipped; 0 values")
    );
}

#[test]
fn an_export_that_comes_back_writes_nothing_but_what_was_changed_in_it() {
    let home = Home::new();
    let fields = [
        "name==Acme",
        "phone_number=+1 (214) 555-0134",
        "my_own=-x-",
        "my_list=[\"a\",\"b\"]",
        "tags=[\"a\",\"b\"]",
    ];
    home.run(&[&["set", "companies/acme"][..], &fields].concat()).ok();
    home.run(&["add", "person", "Jane Doe", "--company", "acme", "--set", "phone=+1 214 555 0135"])
        .ok();
    home.run(&["export", "people", "--output", "people.csv"]).ok();
    assert!(
        home.run(&["import", "csv", "people.csv", "--people"]).ok().contains("; 0 values written")
    );
    home.run(&["export", "companies", "--output", "t.csv"]).ok();
    assert!(
        home.run(&["import", "csv", "t.csv"])
            .ok()
            .contains("1 the same, 0 skipped; 0 values written")
    );
    let table = std::fs::read_to_string(home.dir.path().join("t.csv")).unwrap();
    let table = table.replacen(",a; b,", ",a; b; c,", 1);
    assert!(
        import(&home, table.as_bytes(), &[])
            .ok()
            .contains("1 changed, 0 the same, 0 skipped; 1 values")
    );
    // In another home the fields of one's own come in as well.
    let other = Home::new();
    import(&other, table.as_bytes(), &[]).ok();
    assert_eq!(other.run(&["get", "companies/acme", "my_own"]).ok(), "-x-\n");
    other.run(&["get", "companies/acme", "updated_by"]).fails(3, "");
    // What is no target is a field as any other.
    import(&other, b"name,target,slug\nBeta,50 seats,b\n", &[]).ok();
    assert_eq!(other.run(&["get", "companies/beta", "target"]).ok(), "50 seats\n");
}
