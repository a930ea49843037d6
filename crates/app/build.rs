//! Packs the demo's table: in the program it takes a quarter of what it does as text.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

const TABLE: &str = "../../examples/listed-companies.csv";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={TABLE}");
    let packed = zstd::bulk::compress(&fs::read(TABLE)?, 19)?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("listed-companies.csv.zst"), packed)?;
    Ok(())
}
