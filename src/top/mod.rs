//! The live picture in a terminal: what is wrong, who must act, what was not seen.
//!
//! Input: the API of a running daemon, or captures; and keys. Output: a screen, or one picture as text where
//! standard output is no terminal. Both sources give the same [`Picture`]; [`State`] is what keys make of
//! it, and [`draw`] shows that: neither touches a terminal, file, socket or clock. It changes nothing at the
//! daemon, keeps a bounded number of flows, and lets no control character from the wire reach the terminal.

mod capture;
mod daemon;
mod details;
mod filter;
mod page;
mod picture;
mod screen;
mod state;
mod terminal;
mod words;

pub use capture::{Gathering, about};
pub use daemon::{Address, AddressError, Daemon, DaemonError};
pub use picture::{Flow, Picture, Summary};
pub use screen::{Look, draw};
pub use state::{Action, Key, State, View};
pub use terminal::{once, run};

/// What a source tells of itself.
#[derive(Debug)]
pub enum Update {
    /// All of it, anew.
    Picture(Box<Picture>),
    /// It does not answer; why.
    Trouble(String),
}
