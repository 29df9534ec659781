//! `ja4-desktop`: a window on a database, on captures and on logs.
//!
//! Promises: it holds no data of its own (what is shown is asked of the store), never blocks a frame on a query, shows hostile text
//! escaped, and works without any network.
//!
//! Read next: [`shell`] (window, search, time, commands), [`views`] (the screens), [`data`] (questions and answers), [`widgets`].

pub mod data;
pub mod shell;
pub mod views;
pub mod widgets;

pub use shell::app::{App, Start};
