//! Cards: the text of an entity's file, in and out. `docs/cards.md` is the format in prose.
//!
//! Pure but for [`kept`] and [`place`]: a text is parsed, rendered, spliced and compared without a
//! disk, a clock or a type guessed from how a value looks.

mod body;
pub mod edit;
mod fault;
pub mod kept;
mod normal;
pub mod place;
mod projection;
pub mod quiet;
mod render;
mod rev;
mod scalar;
mod splice;
pub mod tags;
mod text;
mod tree;
mod yaml;

pub use edit::{Basis, Edit, Held, Taken, edits, tag_edits};
pub use fault::{CardError, CardFault};
pub use normal::{same, shown};
pub use projection::Projection;
pub use render::render;
pub use rev::{Rev, rev};
pub use splice::{Unfit, splice};
pub use text::{CardText, PassedOver, parse, parse_as};

/// Bytes of a card's file.
pub const CARD_BYTES_MAX: usize = 8 * 1024 * 1024;
