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
    import(&home, b"\xff\xfen\0a\0", &[]).fails(1, "UTF-16");
    import(&home, b"name\nM\xfcller\n", &[]).fails(1, "line 2 is not UTF-8");
    home.run(&["import", "csv", "."]).fails(1, "is a folder");
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
