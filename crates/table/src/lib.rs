//! Entities and state lines as Parquet tables that any engine reads. This room touches nothing: bytes
//! go into the [`std::io::Write`] that the caller opens for each part.
//!
//! [`Table`] is one of any columns. [`Tables`] takes entities and winners in the order of their targets, and holds no more of them than
//! [`Limits::buffered_bytes`], so a million need no more memory than a thousand. There is a table for
//! each [`Kind`](cocli_core::Kind) and one of all winners; which columns it has follows from
//! [`cocli_core::schema`]:
//!
//! | table | key | columns |
//! | --- | --- | --- |
//! | `companies`, `people` | `target`, `slug` | the schema's fields, then those of every entity |
//! | `notes`, `meetings` | `target`, `parent`, `id` | the schema's fields, then those of every entity |
//! | `datagrams` | `target`, `field` | `value`, `at`, `node`, `causality` |
//!
//! - Text, addresses, numbers of telephones and bodies are UTF-8; whole numbers `INT64`; numbers
//!   `DOUBLE`; times `TIMESTAMP` in microseconds, UTC; sets and lists `LIST<UTF8>`; maps
//!   `MAP<UTF8, UTF8>`. Every column may be null.
//! - Of every entity: `_odd` are the values that do not read as their column's type (which is null
//!   there), `other` the fields that the schema does not know, both `MAP<UTF8, UTF8>`; `updated_at`
//!   and `updated_by` are of the greatest stamp, that of a removed field too.
//! - `slug` is the target's. A field `slug` that says something else is odd.
//! - `datagrams` are the winners of the state, not the history, which is in the journals. `value` is
//!   in the canonical form of a record (a text with a line break is in quotes), null where the field
//!   is removed; `causality` is null where the writer did not say.
//! - Rows are sorted by target. The footer tells by `cocli.version`, `cocli.rules`, `cocli.digest` and
//!   `cocli.manifest` what the tables were made of.

mod cell;
mod column;
mod error;
mod part;
mod row;
mod shape;
mod single;
mod tables;

pub use cell::Cell;
pub use error::TableError;
pub use part::{Meta, PartInfo, part_name};
pub use row::{Rows, winner};
pub use shape::{ColumnSpec, DATAGRAMS, Form, beside_fields, names, of_winners, shapes};
pub use single::Table;
pub use tables::{Limits, Tables};
