//! Core and store as one machine: a local change, a reading, a card edited by hand, a range from a
//! peer. Faces (commands, screens, web) call this room and render what it returns.

pub mod change;
pub mod config;
pub mod import;
pub mod replica;
pub mod slug;
