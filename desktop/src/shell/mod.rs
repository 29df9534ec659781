//! Everything around the views: window, tabs, search, time, commands, settings, jobs, cases.
//!
//! Promises: a view never touches another; what a view wants done it says as an [`action::Action`]; everything can be done by keyboard.
//!
//! Read next: [`app`], [`action`], [`search`].

mod act;
pub mod action;
pub mod app;
pub mod bar;
pub mod brush;
pub mod case;
pub mod compile;
pub mod custody;
pub mod decide;
pub mod dialogs;
pub mod docking;
pub mod focus;
pub mod follow;
pub mod jobs;
pub mod keys;
pub mod palette;
pub mod scope;
pub mod screenshots;
pub mod search;
pub mod settings;
mod tab_button;
pub mod tabs;
pub mod theme;
