//! Questions in SQL, by the real DuckDB; where there is none the tests that need it say so and end.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use super::support::{Home, Ran};

const LISTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/listed-companies.csv");

fn has_duckdb() -> bool {
    let there = Command::new("duckdb").arg("-version").output().is_ok_and(|o| o.status.success());
    if !there {
        let said = "skipped: there is no duckdb here; `pip install duckdb-cli` installs it";
        drop(writeln!(std::io::stderr(), "{said}"));
    }
    there
}

fn rows(home: &Home, query: &str) -> Vec<Json> {
    let out = home.run(&["sql", "--json", query]).ok();
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The only value of the only row.
fn one(home: &Home, query: &str) -> String {
    let out = home.run(&["sql", "--format", "csv", query]).ok();
    out.lines().nth(1).unwrap_or_default().to_owned()
}

/// Numbers as numbers, whoever wrote them.
fn plain(value: &Json) -> Json {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    number.map_or_else(|| value.clone(), Json::from)
}

fn listed(home: &Home, collection: &str) -> BTreeMap<String, BTreeMap<String, Json>> {
    let out = home.run(&["list", collection, "--json"]).ok();
    let all = out.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    all.map(|row| {
        let fields = row["fields"].as_object().unwrap().iter();
        let fields = fields.filter(|(field, _)| *field != "slug");
        let fields = fields.map(|(field, value)| (field.clone(), plain(value))).collect();
        (row["target"].as_str().unwrap().to_owned(), fields)
    })
    .collect()
}

fn asked(home: &Home, collection: &str) -> BTreeMap<String, BTreeMap<String, Json>> {
    let behind = ["target", "slug", "_odd", "other", "updated_at", "updated_by"];
    let all = rows(home, &format!("from {collection}")).into_iter();
    all.map(|row| {
        let mut fields = BTreeMap::new();
        for (field, value) in row.as_object().unwrap() {
            if !value.is_null() && !behind.contains(&field.as_str()) {
                fields.insert(field.clone(), plain(value));
            }
        }
        for (field, value) in
            ["_odd", "other"].into_iter().flat_map(|of| row[of].as_object()).flatten()
        {
            fields.insert(field.clone(), plain(value));
        }
        (row["target"].as_str().unwrap().to_owned(), fields)
    })
    .collect()
}

fn tables(home: &Home, table: &str) -> Vec<PathBuf> {
    let end = format!("-{table}.parquet");
    let all = std::fs::read_dir(home.file("cache/tables")).unwrap().map(|e| e.unwrap().path());
    all.filter(|path| path.to_str().unwrap().ends_with(&end)).collect()
}

#[test]
fn rows_are_those_of_the_list_before_and_behind_each_change_and_compaction() {
    if !has_duckdb() {
        return;
    }
    let home = Home::none();
    home.run(&["init", "home", "--node", "pi1", "--no-cards"]).ok();
    home.run(&["import", "csv", LISTED]).ok();
    let same = |count: usize| {
        let listed = listed(&home, "companies");
        assert_eq!(listed.len(), count);
        assert!(asked(&home, "companies") == listed);
        assert!(asked(&home, "people") == self::listed(&home, "people"));
        let values = home.run(&["status", "--json"]).ok();
        let values: Json = serde_json::from_str(values.lines().next().unwrap()).unwrap();
        assert_eq!(one(&home, "select count(*) from datagrams"), values["values"].to_string());
    };
    same(1837);
    home.run(&["set", "companies/apple-inc", "city=Cupertino", "own=x", "average_rating=4.5"]).ok();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    home.run(&["add", "person", "Jane", "--company", "acme"]).ok();
    home.run(&["note", "acme", "they ring back"]).ok();
    same(1838);
    assert_eq!(one(&home, "select parent from notes"), "companies/acme");
    home.run(&["compact"]).ok();
    assert_eq!(tables(&home, "companies").len(), 1, "what is merged is in no other table");
    assert!(tables(&home, "touched").is_empty());
    same(1838);
    home.run(&["rm", "companies/microsoft"]).ok();
    home.run(&["rm", "companies/acme"]).ok();
    same(1836);
    assert_eq!(one(&home, "select count(*) from notes"), "0", "a note goes with its company");
    home.run(&["compact"]).ok();
    same(1836);
    assert_eq!(one(&home, "select count(*) from notes"), "0");
}

#[test]
fn a_query_writes_nothing_and_reads_nothing_but_the_tables() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    let out = home.dir.path().join("out.csv");
    std::fs::write(home.dir.path().join("secret.csv"), "a\n1\n").unwrap();
    let refused = |query: String| {
        home.run(&["sql", &query]).fails(1, "DuckDB: ");
        assert!(!out.exists(), "{query}");
    };
    let path = out.display();
    refused(format!("copy (select 1) to '{path}'"));
    refused(format!("copy companies to '{path}' (use_tmp_file false)"));
    refused(format!("copy companies to '{}/cache/tables/x.parquet'", home.path.display()));
    refused(format!("attach '{path}'"));
    refused(format!("export database '{path}'"));
    refused(format!(".output {path}"));
    refused(format!(".shell touch {path}"));
    for query in [
        "install httpfs",
        "load httpfs",
        "select * from read_csv('secret.csv')",
        "from '.cocli/keys'",
        "from glob('*')",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
        "reset lock_configuration",
        "select getenv('HOME')",
        ".read secret.csv",
        ".open x.db",
        ".import secret.csv t",
        ".log x.log",
        ".once x.csv",
        ".edit",
    ] {
        refused(query.to_owned());
    }
    // Piped, the same.
    home.input(&["sql"], format!("copy (select 1) to '{path}'").as_bytes()).fails(1, "DuckDB: ");
    home.input(&["sql"], format!(".shell touch {path}\n").as_bytes()).fails(1, "-safe mode");
    let long = format!("select '{}' as x;\n.shell touch {path}\n", "x".repeat(200_000));
    home.input(&["sql"], long.as_bytes()).fails(1, "-safe mode");
    assert!(!out.exists());
}

#[test]
fn a_file_of_the_cache_that_somebody_wrote_to_or_took_away_is_made_anew() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    home.run(&["compact"]).ok();
    assert!(!home.file("cache/tables").exists(), "nobody asked yet");
    assert_eq!(one(&home, "select name from companies"), "Acme");
    let table = tables(&home, "companies").remove(0);
    let query =
        format!("copy (select 1) to '{}' (use_tmp_file false, format parquet)", table.display());
    let before = std::fs::read(&table).unwrap();
    drop(home.run(&["sql", &query]));
    assert_eq!(one(&home, "select name from companies"), "Acme");
    assert!(std::fs::read(&table).unwrap() == before, "the same content makes the same bytes");
    std::fs::write(&table, &before[..before.len() - 9]).unwrap();
    assert_eq!(one(&home, "select name from companies"), "Acme");
    std::fs::remove_file(&table).unwrap();
    assert_eq!(one(&home, "select name from companies"), "Acme");
    std::fs::remove_dir_all(home.file("cache")).unwrap();
    assert_eq!(one(&home, "select name from companies"), "Acme");
}

/// A program that stands for DuckDB's.
fn program(home: &Home, script: &str) -> PathBuf {
    let path = home.dir.path().join("other duckdb");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn by(home: &Home, duckdb: &Path, words: &[&str]) -> Ran {
    super::support::run(home.command().env("COCLI_DUCKDB", duckdb).args(words), b"")
}

#[test]
fn a_query_that_lost_its_files_is_asked_once_more_unless_rows_came() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    let marker = home.dir.path().join("once");
    let cache = home.file("cache");
    // It takes files away between the making of the tables, which ends when all words came, and the query.
    let once = |taking: &str| {
        let input = home.dir.path().join("words");
        let script = format!(
            "cat > '{0}'\n[ -e '{1}' ] || {{ touch '{1}'; {taking}; }}\nexec duckdb \"$@\" < '{0}'",
            input.display(),
            marker.display(),
        );
        program(&home, &script)
    };
    let duckdb = once(&format!("rm -r '{}'", cache.display()));
    assert_eq!(by(&home, &duckdb, &["sql", "select name from companies"]).ok(), "name\nAcme\n");
    assert!(marker.exists());
    // Of one file as of all.
    std::fs::remove_file(&marker).unwrap();
    let duckdb = once(&format!("rm '{}'/tables/*-companies.parquet", cache.display()));
    assert_eq!(by(&home, &duckdb, &["sql", "select name from companies"]).ok(), "name\nAcme\n");
    // Rows that came count, and do not come twice.
    std::fs::remove_file(&marker).unwrap();
    let script = format!(
        "[ -e '{0}' ] || {{ touch '{0}'; cat > /dev/null; rm -r '{1}'; yes row | head -n 50000; \
         echo 'IO Error: gone' >&2; exit 1; }}\nexec duckdb \"$@\"",
        marker.display(),
        cache.display()
    );
    let duckdb = program(&home, &script);
    let ran = by(&home, &duckdb, &["sql", "select name from companies"]);
    assert_eq!(ran.out, "row\n".repeat(50_000));
    ran.fails(1, "taken away or written to meanwhile").fails(1, "ask again");
    // Not for ever.
    let script =
        format!("cat > /dev/null; rm -r '{}'; echo 'IO Error: gone' >&2; exit 1", cache.display());
    let script = format!("[ \"$1\" = -version ] && exec duckdb -version\n{script}");
    let duckdb = program(&home, &script);
    assert_eq!(by(&home, &duckdb, &["sql", "select name from companies"]).code, 1);
}

#[test]
fn rows_that_do_not_arrive_are_a_failure_and_the_file_before_stays() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    for format in ["csv", "json", "table"] {
        let words = ["sql", "select * from range(100000)", "--format", format];
        let out = home.command().args(words).stdout(full()).output().unwrap();
        assert_eq!(out.status.code(), Some(1), "{format}");
        assert!(String::from_utf8_lossy(&out.stderr).contains("No space"), "{format}");
        let to_full = home.run(&[&words[..], &["--output", "/dev/full"]].concat());
        to_full.fails(1, "/dev/full: cannot write: No space");
    }
    let report = home.dir.path().join("report.csv");
    let report_text = report.to_str().unwrap();
    std::fs::write(&report, "good").unwrap();
    // Larger than the disk lets a file be.
    let script = format!(
        "trap '' XFSZ; ulimit -f 64; exec '{}' sql 'select * from range(100000)' --output '{report_text}'",
        home.command().get_program().to_str().unwrap()
    );
    let mut limited = Command::new("sh");
    limited.args(["-c", &script]).current_dir(home.dir.path());
    for (name, value) in home.command().get_envs() {
        value.map(|value| limited.env(name, value));
    }
    super::support::run(&mut limited, b"").fails(1, "report.csv: cannot write: File too large");
    assert_eq!(std::fs::read_to_string(&report).unwrap(), "good");
    home.run(&["sql", "select 1; select error('x')", "--output", report_text]).fails(1, "x");
    assert_eq!(std::fs::read_to_string(&report).unwrap(), "good");
    // Whoever has read enough is no failure.
    let mut child = home.command();
    child.args(["sql", "select * from range(1000000)"]).stdout(std::process::Stdio::piped());
    let mut child = child.stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let out = child.wait_with_output().unwrap();
    assert_eq!((out.status.code(), out.stderr), (Some(0), vec![]));
}

#[test]
fn a_file_is_written_where_a_link_leads_and_a_pipe_stays_one() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    let (file, link) = (home.dir.path().join("file"), home.dir.path().join("link"));
    for name in ["x.csv", "x.parquet"] {
        let (file, link) = (file.with_extension(name), link.with_extension(name));
        std::fs::write(&file, "before").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        home.run(&["sql", "select 1 as x", "--output", link.to_str().unwrap()]).ok();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_ne!(std::fs::read(&file).unwrap(), b"before");
    }
    assert_eq!(home.run(&["sql", "select 1 as x", "--output", "-"]).ok(), "x\n1\n");
    assert!(!home.dir.path().join("-").exists());
    home.run(&["sql", "select 1", "--format", "parquet", "--output", "-"]).fails(2, "into a file");
    home.run(&["sql", "select 1", "--format", "parquet", "--output", "/dev/null"])
        .fails(2, "is no file");
    home.run(&["sql", "select 1", "--output", "/dev/null"]).ok();
}

#[test]
fn a_folder_above_the_home_says_nothing_about_its_rows() {
    if !has_duckdb() {
        return;
    }
    let mut home = Home::none();
    home.path = home.dir.path().join("city=Nowhere/state=x");
    let path = home.path.to_str().unwrap().to_owned();
    let mut command = super::support::cocli(home.dir.path());
    super::support::run(command.args(["init", &path, "--node", "pi1"]), b"").ok();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    home.run(&["compact"]).ok();
    home.run(&["add", "company", "Bolt", "--set", "city=Austin"]).ok();
    let query = "select name, city, state from companies order by 1";
    let rows = "name,city,state\nAcme,Dallas,\nBolt,Austin,\n";
    assert_eq!(home.run(&["sql", query]).ok(), rows);
    assert_eq!(one(&home, "select count(*) from companies where state is null"), "2");
}

#[test]
fn json_that_nobody_could_read_is_refused_and_a_comment_may_stand_first() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    home.run(&["sql", "--json", "select 'inf'::double as x"]).fails(1, "no JSON");
    home.run(&["sql", "--json", "select 1 as x, 2 as x"]).fails(1, "two columns are called");
    let query = "-- all of them\nselect 1 as x";
    assert_eq!(home.run(&["sql", query, "--format", "json"]).ok(), "{\"x\":1}\n");
    home.run(&["sql", "--format", "json", query]).ok();
    home.run(&["sql", "select 1", "--nope"]).fails(2, "--nope");
    let file = home.dir.path().join("x.parquet");
    home.run(&["sql", "select 1; select 2", "--output", file.to_str().unwrap()])
        .fails(1, "one SELECT");
}

#[test]
fn a_day_is_the_same_one_in_every_time_zone() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    let query = "select '2026-11-01T23:30:00Z'::timestamptz::date as day";
    for zone in ["UTC", "Asia/Tokyo", "America/Chicago"] {
        let out =
            super::support::run(home.command().env("TZ", zone).args(["sql", query]), b"").ok();
        assert_eq!(out, "day\n2026-11-01\n", "{zone}");
    }
}

#[test]
fn who_has_no_duckdb_or_an_old_one_is_told_what_to_install() {
    let home = Home::new();
    let missing = home.dir.path().join("nothing");
    let ran = by(&home, &missing, &["sql", "select 1"]);
    ran.fails(1, "DuckDB is not installed").fails(1, "install");
    let old = program(&home, "[ \"$1\" = -version ] && echo 'v0.9.2 3c695d7ba9'\nexit 1");
    by(&home, &old, &["sql", "select 1"])
        .fails(1, "is DuckDB v0.9.2 3c695d7ba9: expected 1.5 or later")
        .fails(1, "duckdb");
    let old = program(&home, "[ \"$1\" = -version ] && echo 'v1.4.4 (Andium) 6ddac802ff'\nexit 1");
    by(&home, &old, &["sql", "select 1"]).fails(1, "expected 1.5 or later");
    let newer = program(
        &home,
        "[ \"$1\" = -version ] && { echo 'v3.0.0 (X) 1'; exit 0; }\necho 'Catalog Error: no such setting' >&2; exit 1",
    );
    by(&home, &newer, &["sql", "select 1"])
        .fails(1, "is DuckDB v3.0.0 (X) 1, and does not take")
        .fails(1, "no such setting");
    let none = program(&home, "exit 1");
    by(&home, &none, &["sql", "select 1"]).fails(1, "is no DuckDB");
}

#[test]
fn what_duckdb_says_of_a_broken_query_is_told_with_its_line() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    let ran = home.run(&["sql", "select 1,\n  nope\nfrom companies"]);
    assert_eq!(ran.out, "");
    ran.fails(1, "error: DuckDB: Binder Error").fails(1, "LINE 2:   nope");
    let ran = home.run(&["sql", "--json", "selec"]).fails(1, "");
    let told: Json = serde_json::from_str(&ran.err).unwrap();
    assert!(told["error"].as_str().unwrap().contains("syntax error"), "{told}");
    home.input(&["sql"], b" \n").fails(2, "no query came");
    home.run(&["sql", "select 1", "--format", "parquet"]).fails(2, "--output FILE");
    home.run(&["sql", "select 1", "--format", "csv", "--json"]).fails(2, "one of them");
}

#[test]
fn rows_come_as_a_table_csv_json_or_a_file_from_a_home_of_any_name() {
    if !has_duckdb() {
        return;
    }
    let mut home = Home::none();
    home.path = home.dir.path().join("it's [1] \u{e9} \"x\" *");
    let path = home.path.to_str().unwrap().to_owned();
    super::support::run(
        super::support::cocli(home.dir.path()).args(["init", &path, "--node", "pi1"]),
        b"",
    )
    .ok();
    home.run(&["add", "company", "Acme", "--set", "city=O'Hara", "--set", "tags=[\"a\",\"b\"]"])
        .ok();
    let query = "select slug, city, tags, state from companies";
    assert_eq!(
        home.run(&["sql", query]).ok(),
        "slug,city,tags,state\nacme,\"O'Hara\",\"[a, b]\",\n"
    );
    assert_eq!(
        home.input(&["sql", "-", "--json"], query.as_bytes()).ok(),
        "{\"slug\":\"acme\",\"city\":\"O'Hara\",\"tags\":[\"a\",\"b\"],\"state\":null}\n"
    );
    assert!(home.run(&["sql", query, "--format", "table"]).ok().contains("\u{2502} acme"));
    let file = home.dir.path().join("it's.parquet");
    let file_text = file.to_str().unwrap();
    home.run(&["sql", &format!("{query}; -- all"), "--output", file_text]).fails(1, "Parser Error");
    assert!(!file.exists());
    home.run(&["sql", &format!("{query} -- all"), "--output", file_text]).ok();
    assert!(std::fs::read(&file).unwrap().starts_with(b"PAR1"));
    let file = home.dir.path().join("rows");
    home.run(&["sql", query, "--output", file.to_str().unwrap()]).ok();
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("slug,city"));
    let left = std::fs::read_dir(home.dir.path()).unwrap().map(|e| e.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_str().unwrap().ends_with(".new")));
}

#[test]
fn leads_are_the_companies_with_an_address_that_nobody_left_out() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    for (name, set) in [
        ("Acme", ["email=INFO@acme.example", "domain=acme.example"]),
        ("Bolt", ["city=Dallas", "domain=bolt.example"]),
        ("Cane", ["email=c@cane.example", "domain=cane.example"]),
        ("Dune", ["email=d@dune.example", "domain=dune.example"]),
    ] {
        home.run(&["add", "company", name, "--set", set[0], "--set", set[1]]).ok();
    }
    home.run(&[
        "set",
        "companies/acme",
        "all_emails+=sales@acme.example",
        "all_emails+=info@acme.example",
    ])
    .ok();
    home.run(&["add", "person", "Jane", "--company", "acme", "--set", "email=jane@acme.example"])
        .ok();
    home.run(&["add", "person", "Joe", "--company", "bolt", "--set", "email=joe@bolt.example"])
        .ok();
    let leads = |words: &[&str]| -> BTreeSet<String> {
        let query = "select company || ': ' || emails as x from leads";
        let out = home.run(&[&["sql", query, "--format", "csv"], words].concat()).ok();
        out.lines().skip(1).map(str::to_owned).collect()
    };
    let as_exported = |words: &[&str]| {
        let told = |command: &[&str]| -> BTreeMap<String, Json> {
            let out = home.run(&[command, words].concat()).ok();
            let rows = out.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
            rows.map(|row| (row["company"].to_string(), row)).collect()
        };
        let leads = told(&["sql", "--json", "from leads"]);
        assert_eq!(leads, told(&["export", "leads", "--format", "jsonl"]), "{words:?}");
    };
    let odd = [
        "domain=WWW.Cane.example",
        "email=x@odd.example",
        "all_emails+=nowhere",
        "all_emails+=y@cane.example",
        "phone=+1 2",
        "phone_1=3",
        "gmb_url=https://maps.example",
        "tags+=b",
        "tags+=a",
        "average_rating=4.5",
        "reviews_count=7",
        "place_id=ChIJ5X0j7DHDwogRvQgaGw0y4FM",
        "state=TX",
    ];
    let acme = "Acme: info@acme.example; jane@acme.example; sales@acme.example".to_owned();
    let bolt = "Bolt: joe@bolt.example".to_owned();
    let (cane, dune) = ("Cane: c@cane.example".to_owned(), "Dune: d@dune.example".to_owned());
    let all = BTreeSet::from([acme.clone(), bolt.clone(), cane.clone(), dune]);
    assert_eq!(leads(&[]), all);
    as_exported(&[]);
    home.run(&["compact"]).ok();
    assert_eq!(leads(&[]), all);
    home.run(&["campaign", "new", "Road"]).ok();
    let road = ["--campaign", "road"];
    assert_eq!(leads(&road), BTreeSet::new());
    let mut add = vec!["campaign", "add", "companies/acme", "companies/bolt", "companies/cane"];
    add.extend(road);
    home.run(&add).ok();
    assert_eq!(leads(&road), BTreeSet::from([acme.clone(), bolt, cane]));
    for who in ["cane.example", "people/joe"] {
        home.run(&["campaign", "exclude", who, "--reason", "asked", "--campaign", "road"]).ok();
    }
    assert_eq!(leads(&road), BTreeSet::from([acme]));
    as_exported(&road);
    for name in ["Odd", "Even"] {
        home.run(&["add", "company", name]).ok();
        let target = format!("companies/{}", name.to_lowercase());
        home.run(&[&["set", target.as_str()], &odd[usize::from(name == "Even")..]].concat()).ok();
        home.run(&["campaign", "add", target.as_str(), "--campaign", "road"]).ok();
    }
    as_exported(&[]);
    as_exported(&road);
    assert_eq!(leads(&road).len(), 2);
    home.run(&["campaign", "exclude", "companies/acme", "--reason", "x", "--campaign", "road"])
        .ok();
    assert_eq!(leads(&road), BTreeSet::from(["Even: x@odd.example".to_owned()]));
    as_exported(&road);
    home.run(&["sql", "from leads", "--campaign", "nope"]).fails(3, "no campaign is called");
}

/// Records of another node: of each field with each value a company (and a person of it) that has an address.
fn odd_records() -> (String, Vec<String>) {
    let fields = [
        "name",
        "name.x",
        "domain",
        "email",
        "all_emails",
        "all_emails.B%40y",
        "all_emails.a@x",
        "tags",
        "tags.lead",
        "tags.S%26P",
        "services",
        "services.x",
        "categories",
        "products",
        "all_phones",
        "phone_1",
        "phone",
        "phone_number",
        "phone_from_website",
        "average_rating",
        "reviews_count",
        "place_id",
        "gmb_url",
        "website_url",
        "_deleted",
        "city",
        "state",
        "people/email",
        "people/all_emails",
        "people/all_emails.B%40y",
        "people/company",
        "people/companies",
        "people/_deleted",
    ];
    let values = [
        "null",
        "true",
        "",
        "a",
        " A@X ",
        "\"\\tb@y\\t\"",
        "c@junk.com",
        "[\"a@x\",\"Z@z\"]",
        "[\"a\",\"\",\"b\"]",
        "[\"\",null]",
        "[\"b\",null,5,[1]]",
        "{\"a\":\"x\"}",
        "\"null\"",
        "\"two\\nlines\"",
        "=x",
        "4.5",
        "5.0",
        "7",
        "junk.com",
        "WWW.Junk.com",
        "\"\\tjunk.com\\t\"",
        "\" www.junk.com\\u00a0\"",
    ];
    let (mut text, mut targets, mut n) = (String::new(), Vec::new(), 0);
    let mut put = |target: &str, field: &str, value: &str| {
        n += 1;
        let time =
            format!("2026-11-01T{:02}:{:02}:{:02}.000000+00:00", n / 3600, n / 60 % 60, n % 60);
        text += &format!("{time}\x1fscraper\x1f{target}\x1f{field}\x1f{value}\x1f\x1e");
    };
    for (at, field) in fields.iter().enumerate() {
        for (which, value) in values.iter().enumerate() {
            let (company, person) =
                (format!("companies/c{at}-{which}"), format!("people/p{at}-{which}"));
            put(&company, "website", "x");
            match field.strip_prefix("people/") {
                Some(field) => {
                    put(&person, "company", &company);
                    put(&person, "email", "p@x");
                    put(&person, field, value);
                }
                None => {
                    put(&company, "email", "a@x");
                    put(&company, field, value);
                }
            }
            if *field != "_deleted" {
                targets.push(company);
            }
        }
    }
    (text, targets)
}

#[test]
fn leads_are_those_of_the_export_cell_by_cell_whatever_a_field_holds() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    let (text, targets) = odd_records();
    std::fs::write(home.file("wal/20261101_scraper.usv"), text).unwrap();
    let told = |words: &[&str], more: &[&str]| -> Vec<String> {
        let out = home.run(&[words, more].concat()).ok();
        let rows = out.lines().map(|line| {
            let row: BTreeMap<String, Json> = serde_json::from_str(line).unwrap();
            let number = |value: Json| if value.is_number() { plain(&value) } else { value };
            let row: BTreeMap<_, _> = row.into_iter().map(|(k, v)| (k, number(v))).collect();
            serde_json::to_string(&row).unwrap()
        });
        let mut rows: Vec<String> = rows.collect();
        rows.sort();
        rows
    };
    let same = |more: &[&str]| {
        let sql = told(&["sql", "--json", "from leads"], more);
        let exported = told(&["export", "leads", "--format", "jsonl"], more);
        assert!(sql.len() > 300, "{} of {} {more:?}", sql.len(), exported.len());
        for (sql, exported) in sql.iter().zip(&exported) {
            assert_eq!(sql, exported);
        }
        assert_eq!(sql.len(), exported.len());
    };
    same(&[]);
    home.run(&["campaign", "new", "Road"]).ok();
    let mut add = vec!["campaign", "add", "--campaign", "road"];
    add.extend(targets.iter().map(String::as_str));
    home.run(&add).ok();
    home.run(&["campaign", "exclude", "junk.com", "--reason", "asked", "--campaign", "road"]).ok();
    same(&["--campaign", "road"]);
    let doubled = "select count(*) from (select target, company, email from addresses group by all \
                   having count(*) > 1)";
    assert_eq!(one(&home, doubled), "0");
}

/// Spoils bytes in the middle of a file, which keeps its length and time.
fn rot(path: &Path) {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let stat = file.metadata().unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[4..middle].fill(0xff);
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
    file.set_modified(stat.modified().unwrap()).unwrap();
}

#[test]
fn a_table_that_rotted_is_made_anew_by_the_query_that_fails_and_found_by_doctor() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    home.run(&["sql", "select 1"]).ok();
    home.run(&["compact"]).ok();
    let query = "select name from companies";
    assert_eq!(one(&home, query), "Acme");
    let table = tables(&home, "companies").remove(0);
    let good = std::fs::read(&table).unwrap();
    rot(&table);
    assert_eq!(one(&home, query), "Acme");
    assert!(std::fs::read(&table).unwrap() == good);
    rot(&table);
    home.run(&["doctor"]).fails(5, "");
    let told = home.run(&["doctor"]).out;
    assert!(told.contains("its bytes are not those"), "{told}");
    let told = home.run(&["doctor", "--repair"]).ok();
    assert!(told.contains("mended"), "{told}");
    assert_eq!(one(&home, query), "Acme");
    home.run(&["doctor"]).ok();
    // What fails by itself is no reason to make tables.
    let before = std::fs::metadata(&table).unwrap().modified().unwrap();
    home.run(&["sql", "select error('x') from companies"]).fails(1, "x");
    assert_eq!(std::fs::metadata(&table).unwrap().modified().unwrap(), before);
}

#[test]
fn a_damaged_shard_names_what_makes_it_anew() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    home.run(&["add", "company", "Acme"]).ok();
    home.run(&["compact"]).ok();
    let shards = std::fs::read_dir(home.file("checkpoint")).unwrap();
    let shards = shards.map(|entry| entry.unwrap().path());
    for path in shards.filter(|path| path.extension().is_some_and(|end| end == "usv")) {
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        std::fs::write(&path, bytes).unwrap();
    }
    home.run(&["sql", "from companies"]).fails(1, "is damaged").fails(1, "`cocli compact`");
}

#[test]
fn nodes_are_told_with_whatever_is_known_of_them() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    home.run(&["set", "nodes/pi1", "Version=7", "node=odd", "version=8"]).ok();
    let rows = rows(&home, "from heartbeats");
    assert_eq!(rows.len(), 1);
    for (column, value) in [("node", "pi1"), ("node_", "odd"), ("Version", "7"), ("version_", "8")]
    {
        assert_eq!(rows[0][column], value, "{rows:?}");
    }
}

#[test]
fn a_node_of_very_many_fields_has_columns_for_some_and_a_map_of_the_others() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    let fields: Vec<String> = (0..1500).map(|n| format!("field_{n:04}=v{n}")).collect();
    let fields = fields.iter().map(String::as_str);
    home.run(&["set", "nodes/pi1"].into_iter().chain(fields).collect::<Vec<_>>()).ok();
    let query =
        "select field_0000 || other['field_1499'] || (cardinality(other) >= 1000) from heartbeats";
    assert_eq!(one(&home, query), "v0v1499true");
}

#[test]
fn queries_changes_and_compactions_at_once_do_not_break_one_another() {
    if !has_duckdb() {
        return;
    }
    let home = Home::new();
    home.run(&["add", "company", "Acme", "--set", "city=Dallas"]).ok();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..6 {
                    let count = one(&home, "select count(*) from companies where city = 'Dallas'");
                    assert!(count.parse::<u32>().unwrap() >= 1, "{count}");
                }
            });
        }
        scope.spawn(|| {
            for n in 0..6 {
                home.run(&["add", "company", &format!("More {n}"), "--set", "city=Dallas"]).ok();
                home.run(&["compact"]).ok();
            }
        });
    });
    assert_eq!(one(&home, "select count(*) from companies"), "7");
    home.run(&["compact"]).ok();
    assert_eq!(tables(&home, "companies").len(), 1, "nobody reads the others any more");
    assert_eq!(
        std::fs::read_dir(home.file("cache/tables"))
            .unwrap()
            .filter(|e| {
                e.as_ref().unwrap().file_name().to_str().unwrap().starts_with("reading-")
            })
            .count(),
        0
    );
}
