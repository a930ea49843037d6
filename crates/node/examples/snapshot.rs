//! Writes a home's state as tables, `OUT/{table}/part-{k}.parquet`: what `tests/bucket/engines.py` reads
//! with other engines, and what time and memory are measured on.
//!
//! usage: snapshot HOME OUT
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for measuring")]

use std::fs::{File, create_dir_all};
use std::path::Path;

use cocli_core::Epoch;
use cocli_node::{Home, Origin, Rim, part_name};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [home, out] = &words[..] else { panic!("usage: snapshot HOME OUT") };
    let rim = Rim { machine: "snapshot".into(), epoch: || Epoch::from_random([1; 8]) };
    let home = Home::open(Path::new(home), rim).unwrap();
    let origin = Origin { version: env!("CARGO_PKG_VERSION").into(), manifest: Some(1) };
    let snapshot = home.snapshot(&origin, |table, part| {
        let folder = Path::new(out).join(table);
        create_dir_all(&folder)?;
        File::create(folder.join(part_name(part)))
    });
    let snapshot = snapshot.unwrap();
    println!("{}", snapshot.digest);
    for part in snapshot.parts {
        println!("{}/{}  {} rows  {} bytes", part.table, part.name, part.rows, part.bytes);
    }
}
