//! The command palette: everything that can be done, found by typing a few letters of it.
//!
//! Promises: what a button does can be done here; the order of equally good matches is that of the list.
//!
//! Read next: `keys.rs`, `action.rs`.

use eframe::egui::{self, Id, Key, Modifiers, RichText};

use super::action::Action;
use super::docking::Docking;
use super::keys;
use super::settings::Settings;
use crate::views::View;

/// State while it is open.
#[derive(Debug, Default)]
pub struct Palette {
    text: String,
    chosen: usize,
}

/// An entry: words, keys, action.
type Entry = (String, String, Action);

impl Palette {
    /// Shows it; gives what was chosen, or `Some(None)` when it was left.
    pub fn show(&mut self, ctx: &egui::Context, views: &[Box<dyn View>], settings: &Settings) -> Option<Option<Action>> {
        let entries = matching(&entries(ctx, views, settings), &self.text);
        let (down, up, enter) = ctx.input_mut(|input| {
            let mut take = |key: Key| input.consume_key(Modifiers::NONE, key);
            (take(Key::ArrowDown), take(Key::ArrowUp), take(Key::Enter))
        });
        let last = entries.len().saturating_sub(1);
        self.chosen = if down { self.chosen + 1 } else { self.chosen }.min(last);
        self.chosen = if up { self.chosen.saturating_sub(1) } else { self.chosen };
        let mut done = enter.then(|| entries.get(self.chosen).map(|entry| entry.2.clone()));
        let modal = egui::Modal::new(Id::unique("palette")).show(ctx, |ui| {
            ui.set_width((ctx.content_rect().width() - 60.0).clamp(200.0, 480.0));
            let edit = egui::TextEdit::singleline(&mut self.text).desired_width(f32::INFINITY).hint_text("what to do");
            let response = ui.add(edit).accessible_name("Command");
            response.request_focus();
            if response.changed() {
                self.chosen = 0;
            }
            egui::ScrollArea::vertical().max_height(340.0).show(ui, |ui| {
                for (at, (words, shortcut, action)) in entries.iter().enumerate() {
                    let button =
                        egui::Button::selectable(at == self.chosen, words.as_str()).right_text(RichText::new(shortcut).weak());
                    let response = ui.add_sized([ui.available_width(), 22.0], button);
                    if at == self.chosen && (down || up) {
                        response.scroll_to_me(None);
                    }
                    if response.clicked() {
                        done = Some(Some(action.clone()));
                    }
                }
                if entries.is_empty() {
                    ui.weak("nothing is called that");
                }
            });
        });
        if done.is_none() && modal.should_close() {
            done = Some(None);
        }
        done
    }
}

fn entries(ctx: &egui::Context, views: &[Box<dyn View>], settings: &Settings) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    for shortcut in keys::SHORTCUTS {
        let action = (shortcut.action)();
        if !matches!(action, Action::Show(_) | Action::Palette) {
            all.push((shortcut.what.to_owned(), ctx.format_shortcut(&shortcut.keys), action));
        }
    }
    for view in views {
        let keys = keys::SHORTCUTS.iter().find(|shortcut| matches!((shortcut.action)(), Action::Show(id) if id == view.id()));
        let keys = keys.map(|shortcut| ctx.format_shortcut(&shortcut.keys)).unwrap_or_default();
        all.push((format!("Show {}", view.title()), keys, Action::Show(view.id())));
        all.push((format!("Close {}", view.title()), String::new(), Action::CloseView(view.id())));
    }
    for (what, docking) in [("to the right", Docking::Right), ("below", Docking::Below), ("back among the tabs", Docking::Tabs)] {
        all.push((format!("This view {what}"), String::new(), Action::Dock(docking)));
    }
    all.push(("Save the case as an HTML report".to_owned(), String::new(), Action::SaveReport));
    all.push(("Follow a running ja4-lab live".to_owned(), String::new(), Action::AskFollow));
    all.push(("Look at all time".to_owned(), String::new(), Action::Span(None)));
    all.push(("Clear the search".to_owned(), String::new(), Action::Search(String::new())));
    for saved in &settings.saved {
        all.push((format!("Search {}", saved.name), String::new(), Action::Search(saved.text.clone())));
    }
    for path in &settings.recent {
        all.push((format!("Open {path}"), String::new(), Action::Open(path.into())));
    }
    all
}

/// Entries that hold the letters in order; those that hold them together come first.
fn matching(entries: &[Entry], text: &str) -> Vec<Entry> {
    let needle = text.trim().to_lowercase();
    let together = |entry: &&Entry| entry.0.to_lowercase().contains(&needle);
    let scattered = |entry: &&Entry| {
        let mut left = needle.chars().filter(|c| !c.is_whitespace()).peekable();
        entry.0.to_lowercase().chars().for_each(|c| {
            left.next_if_eq(&c);
        });
        left.peek().is_none()
    };
    let mut found: Vec<Entry> = entries.iter().filter(together).cloned().collect();
    found.extend(entries.iter().filter(|entry| !together(entry) && scattered(entry)).cloned());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_order_find_a_command() {
        let entry = |words: &str| (words.to_owned(), String::new(), Action::Refresh);
        let all = [entry("Show Sessions"), entry("Save the case"), entry("Show Scores")];
        let found: Vec<String> = matching(&all, "sc").into_iter().map(|entry| entry.0).collect();
        assert_eq!(found, ["Show Scores", "Save the case"]);
        assert_eq!(matching(&all, "").len(), 3);
        assert!(matching(&all, "xyz").is_empty());
    }
}
