//! What `cocli export` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(subcommand)]
    pub(crate) what: ExportVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExportVerb {
    /// One row a company, with its e-mail addresses and those of its people; of a campaign its members.
    Leads {
        #[command(flatten)]
        rows: ExportRows,
        /// Companies without an e-mail address, too.
        #[arg(long)]
        all: bool,
    },
    /// Companies, with every field of the schema.
    Companies(ExportRows),
    /// People, with every field of the schema.
    People(ExportRows),
    /// The value of every field, who wrote it, and when.
    Datagrams(ExportTo),
}

#[derive(Debug, Args)]
pub(crate) struct ExportRows {
    /// Only those whose field has exactly this value; a set counts when it holds it; `FIELD=` is those
    /// without one.
    #[arg(long = "where", value_name = "FIELD=VALUE")]
    pub(crate) filter: Vec<String>,
    #[command(flatten)]
    pub(crate) to: ExportTo,
}

#[derive(Debug, Args)]
pub(crate) struct ExportTo {
    /// The format (default: from the suffix of `--output`, else csv).
    #[arg(long)]
    pub(crate) format: Option<ExportFormat>,
    /// Where to (default: standard output). An export that breaks off leaves the file as it was.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// In csv texts as they are: a program reads it, and no spreadsheet that takes some for formulas.
    #[arg(long)]
    pub(crate) raw: bool,
    /// These columns alone, in this order; fields of your own as well.
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Csv,
    Usv,
    Jsonl,
    Xlsx,
    Parquet,
    Vcf,
}
