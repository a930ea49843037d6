//! What `cocli sql` takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// The query; `-`, or none where standard input is no terminal, reads it from there. Without any: DuckDB's shell.
    #[arg(allow_hyphen_values = true)]
    pub(crate) query: Option<String>,
    /// How rows are printed (default: table on a terminal, else csv; `--json` stands for json, one object a line).
    #[arg(long, value_enum)]
    pub(crate) format: Option<SqlFormat>,
    /// Write the rows into this file (`-`: standard output). With Parquet the query is one SELECT.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Make the tables of the checkpoint where some are in use: what a daemon has done after it compacted.
    #[arg(long, hide = true)]
    pub(crate) keep: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SqlFormat {
    Table,
    Csv,
    Json,
    Parquet,
}
