//! Where the keyboard is: a ring around the control that has it, and controls out of sight are scrolled to.
//!
//! Promises: whatever control Tab comes by is seen and marked, in every view and dialog, though no view knows of it; whoever points
//! and clicks sees no ring.
//!
//! Read next: `keys.rs` (what keys do).

use eframe::egui::accesskit::{Action, ActionRequest, TreeId};
use eframe::egui::{Context, Event, Id, Key, LayerId, Order, Stroke, StrokeKind};

use super::theme;

/// Remembered between frames.
#[derive(Debug, Default)]
pub struct Focus {
    by_keyboard: bool,
    last: Option<Id>,
    reveal: Option<Id>,
}

impl Focus {
    /// Before a frame is laid out: notes whether keys or the pointer lead, and scrolls to what the last frame found out of sight.
    pub fn begin(&mut self, ctx: &Context) {
        ctx.input_mut(|input| {
            for event in &input.events {
                match event {
                    Event::Key { key: Key::Tab, pressed: true, .. } => self.by_keyboard = true,
                    Event::PointerButton { pressed: true, .. } => self.by_keyboard = false,
                    _ => {}
                }
            }
            if let Some(id) = self.reveal.take() {
                // What a screen reader would ask for; every scroll area obeys it.
                input.events.push(Event::AccessKitActionRequest(ActionRequest {
                    action: Action::ScrollIntoView,
                    target_tree: TreeId::ROOT,
                    target_node: id.accesskit_id(),
                    data: None,
                }));
            }
        });
    }

    /// After a frame was laid out: marks the control, and asks for another frame where a part of it cannot be seen.
    pub fn end(&mut self, ctx: &Context) {
        let focused = ctx.memory(|memory| memory.focused()).filter(|_| self.by_keyboard);
        let moved = focused != self.last;
        self.last = focused;
        let Some(response) = focused.and_then(|id| ctx.read_response(id)) else { return };
        let (whole, seen) = (response.rect, response.interact_rect);
        if moved && (seen.width() + 1.0 < whole.width() || seen.height() + 1.0 < whole.height()) {
            self.reveal = focused;
            ctx.request_repaint();
        }
        if seen.is_positive() {
            let dark = ctx.global_style().visuals.dark_mode;
            let painter = ctx.layer_painter(LayerId::new(Order::Foreground, Id::unique("focus ring")));
            painter.rect_stroke(seen.expand(1.0), 4.0, Stroke::new(2.0, theme::series(dark, 1)), StrokeKind::Outside);
        }
    }
}
