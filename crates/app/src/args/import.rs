//! What `cocli import` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    pub(crate) what: ImportVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportVerb {
    /// A table with a header line.
    Csv(ImportCsv),
    /// A table of companies that was exported from Google Maps.
    GoogleMaps(ImportFile),
    /// Contacts: vCard 2.1, 3.0 or 4.0.
    Vcard(ImportFile),
    /// A whole home of the Python program: a folder, or a bucket as s3://BUCKET/PREFIX.
    Cocli(ImportFile),
}

#[derive(Debug, Args)]
pub(crate) struct ImportCsv {
    #[command(flatten)]
    pub(crate) file: ImportFile,
    /// Which field a column becomes; `COLUMN=` leaves it out (default: as the last time for a table with these columns, else by the column's name).
    #[arg(long, value_name = "COLUMN=FIELD")]
    pub(crate) map: Vec<String>,
    /// Bring the rows in as people.
    #[arg(long)]
    pub(crate) people: bool,
    /// A column that names people, as `Jane Doe (CEO) John Roe (CFO)`: they come in as well, each with the company of the row.
    #[arg(long, value_name = "COLUMN", conflicts_with = "people")]
    pub(crate) people_in: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ImportFile {
    /// What to read; `-` is standard input, of tables and contacts.
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) manner: Manner,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Manner {
    /// Replace values that are there; else only empty fields are filled.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}
