//! The button of a tab: its title, and a cross that closes it, named after the view.
//!
//! Promises: Tab comes by each tab once; Enter brings it to the front, Delete closes it; the cross is for the pointer and for screen readers.
//!
//! Read next: `tabs.rs` (who shows it).

use std::sync::Arc;

use eframe::egui::{
    self, Align2, Color32, CursorIcon, Galley, Key, Modifiers, Response, Role, Sense, Stroke, StrokeKind, WidgetInfo,
};

/// Side of the cross with room around it, and room on both sides of the title, in points.
const CROSS: f32 = 16.0;
const MARGIN: f32 = 8.0;

/// Colours of a tab, and whether it is in front.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Ground.
    pub ground: Color32,
    /// Letters.
    pub ink: Color32,
    /// Border.
    pub border: Stroke,
    /// In front of the others.
    pub active: bool,
    /// It follows the pointer, so its place stays empty.
    pub dragged: bool,
}

/// Shows the tab of `title`; gives its answer, and whether it is to be closed.
pub fn show(ui: &mut egui::Ui, id: egui::Id, title: &str, name: &str, look: &Look) -> (Response, bool) {
    let font = egui::TextStyle::Button.resolve(ui.style());
    let galley = ui.fonts_mut(|fonts| fonts.layout_no_wrap(title.to_owned(), font, look.ink));
    let wide = galley.size().x + CROSS + 3.0 * MARGIN;
    let (_, area) = ui.allocate_space(egui::vec2(wide, ui.available_height()));
    let tab = ui.interact(area, id, Sense::click_and_drag()).on_hover_cursor(CursorIcon::Default);
    tab.widget_info(|| WidgetInfo::selected(Role::Button, true, look.active, format!("{name} tab")));
    // A tab that came to the front is scrolled to, however it came there.
    let was = ui.data_mut(|data| std::mem::replace(data.get_temp_mut_or_default::<bool>(id.with("front")), look.active));
    if look.active && !was {
        tab.scroll_to_me_animation(None, egui::style::ScrollAnimation::none());
    }
    let deleted = tab.has_focus() && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Delete));
    let place =
        egui::Rect::from_center_size(area.right_center() - egui::vec2(MARGIN + CROSS / 2.0, 0.0), egui::Vec2::splat(CROSS));
    let cross = ui.interact(place, id.with("close"), Sense::CLICK);
    cross.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Close {name}")));
    if ui.is_rect_visible(area) && !look.dragged {
        paint(ui, area, galley, look, &cross);
    }
    let closed = cross.clicked() || tab.clicked_by(egui::PointerButton::Middle) || deleted;
    (tab, closed)
}

fn paint(ui: &egui::Ui, area: egui::Rect, galley: Arc<Galley>, look: &Look, cross: &Response) {
    let painter = ui.painter();
    painter.rect(area.shrink(0.5), 0.0, look.ground, look.border, StrokeKind::Inside);
    if look.active {
        // The tab in front is one with what it shows.
        painter.hline(area.x_range(), area.bottom(), Stroke::new(look.border.width + 1.0, look.ground));
    }
    let left = Align2::LEFT_CENTER.align_size_within_rect(galley.size(), area.shrink(MARGIN)).min;
    painter.galley(left, galley, look.ink);
    let visuals = ui.style().interact(cross);
    if cross.hovered() {
        painter.rect_filled(cross.rect, 3.0, visuals.weak_bg_fill);
    }
    let lines = cross.rect.shrink(4.5);
    let stroke = Stroke::new(1.2, if cross.hovered() { visuals.fg_stroke.color } else { look.ink.gamma_multiply(0.7) });
    painter.line_segment([lines.left_top(), lines.right_bottom()], stroke);
    painter.line_segment([lines.right_top(), lines.left_bottom()], stroke);
}
