//! Keyboard shortcuts: one list that acts, and that help and the command palette print.
//!
//! Promises: no shortcut acts while a text is being typed, except those with Ctrl; the list is the only place where keys are bound.
//!
//! Read next: `palette.rs`, `app.rs`.

use eframe::egui::{Context, Key, KeyboardShortcut, Modifiers};

use super::action::Action;
use super::docking::Docking;

/// A shortcut with what it does.
pub struct Shortcut {
    /// Keys.
    pub keys: KeyboardShortcut,
    /// What it does, for people.
    pub what: &'static str,
    /// What it does.
    pub action: fn() -> Action,
}

const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn alt(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::ALT, key)
}

/// Every shortcut of the window; tables have their own, see [`GRID`].
pub const SHORTCUTS: &[Shortcut] = &[
    Shortcut { keys: ctrl(Key::K), what: "Command palette", action: || Action::Palette },
    Shortcut { keys: ctrl(Key::F), what: "Search", action: || Action::FocusSearch },
    Shortcut { keys: ctrl(Key::O), what: "Open a database, capture or log", action: || Action::AskOpen },
    Shortcut { keys: ctrl(Key::R), what: "Read everything again", action: || Action::Refresh },
    Shortcut { keys: ctrl(Key::Period), what: "Stop what is being asked", action: || Action::Stop },
    Shortcut { keys: ctrl(Key::Z), what: "Take the last decision back", action: || Action::Undo },
    Shortcut { keys: ctrl(Key::S), what: "Save the case", action: || Action::SaveCase },
    Shortcut { keys: ctrl(Key::P), what: "Save the window as PNG", action: || Action::SavePicture },
    Shortcut { keys: ctrl(Key::D), what: "Next look (system, light, dark)", action: || Action::NextLook },
    Shortcut { keys: ctrl(Key::Plus), what: "Larger", action: || Action::Zoom(1) },
    Shortcut { keys: ctrl(Key::Equals), what: "Larger", action: || Action::Zoom(1) },
    Shortcut { keys: ctrl(Key::Minus), what: "Smaller", action: || Action::Zoom(-1) },
    Shortcut { keys: ctrl(Key::Num0), what: "Size as it was", action: || Action::Zoom(0) },
    Shortcut { keys: ctrl(Key::Num1), what: "Overview", action: || Action::Show("overview") },
    Shortcut { keys: ctrl(Key::Num2), what: "Sessions", action: || Action::Show("sessions") },
    Shortcut { keys: ctrl(Key::Num3), what: "Investigation", action: || Action::Show("investigation") },
    Shortcut { keys: ctrl(Key::Num4), what: "Traffic", action: || Action::Show("traffic") },
    Shortcut { keys: ctrl(Key::Num5), what: "Tuning", action: || Action::Show("tuning") },
    Shortcut { keys: ctrl(Key::Num6), what: "Classification", action: || Action::Show("classification") },
    Shortcut { keys: ctrl(Key::Num7), what: "SQL console", action: || Action::Show("sql") },
    Shortcut { keys: ctrl(Key::Num8), what: "Replay", action: || Action::Show("replay") },
    Shortcut { keys: alt(Key::ArrowRight), what: "Wider view", action: || Action::Dock(Docking::Width(1)) },
    Shortcut { keys: alt(Key::ArrowLeft), what: "Narrower view", action: || Action::Dock(Docking::Width(-1)) },
    Shortcut { keys: alt(Key::ArrowDown), what: "Taller view", action: || Action::Dock(Docking::Height(1)) },
    Shortcut { keys: alt(Key::ArrowUp), what: "Shorter view", action: || Action::Dock(Docking::Height(-1)) },
    Shortcut { keys: KeyboardShortcut::new(Modifiers::NONE, Key::F1), what: "Help", action: || Action::Show("help") },
];

/// Keys of a table that has the focus.
pub const GRID: &[(&str, &str)] = &[
    ("↑ ↓ ← →", "move the cursor"),
    ("Page Up, Page Down, Home, End", "move by pages"),
    ("Enter, double click", "open the row"),
    ("+ or I", "only rows with this value"),
    ("- or X", "no rows with this value"),
    ("S", "sort by this column: downwards, upwards, not"),
    ("[ ]", "narrower, wider column"),
    ("Ctrl+C", "copy the cell"),
    ("right click", "the same as a menu"),
    ("Tab", "leave the table"),
];

/// What was pressed.
#[must_use]
pub fn pressed(ctx: &Context) -> Vec<Action> {
    let typing = ctx.egui_wants_keyboard_input();
    let mut actions = Vec::new();
    ctx.input_mut(|input| {
        for shortcut in SHORTCUTS {
            let acts = !typing || shortcut.keys.modifiers.command || shortcut.keys.logical_key == Key::F1;
            // Undo of a text that is being typed belongs to the text.
            let text_undo = typing && shortcut.keys.logical_key == Key::Z;
            if acts && !text_undo && input.consume_shortcut(&shortcut.keys) {
                actions.push((shortcut.action)());
            }
        }
    });
    actions
}
