//! Why a table could not be written.

use std::io;

use cocli_core::Target;
use parquet::errors::ParquetError;

/// What was written so far is no table: its files have no footer yet.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The caller has no writer for a part.
    #[error("cannot open {table}/{part}: {source}")]
    Open {
        /// Of which table.
        table: &'static str,
        /// The name of its file.
        part: String,
        /// What the caller said.
        source: io::Error,
    },
    /// The writer of a part took no more bytes.
    #[error("cannot write {table}/{part}: {source}")]
    Write {
        /// Of which table.
        table: &'static str,
        /// The name of its file.
        part: String,
        /// Of the writer, or of the format.
        source: ParquetError,
    },
    /// Rows are sorted, so they have to come so.
    #[error("{target} came behind {before}: expected targets in the order of their bytes")]
    Order {
        /// What came.
        target: Target,
        /// What had come.
        before: String,
    },
}
