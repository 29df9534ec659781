//! Looks: light, dark or the system's, colours that colour-blind people can tell apart, sizes.
//!
//! Promises: no meaning is carried by colour alone (badges carry words, charts carry legends); both themes reach a contrast of at
//! least 4.5 to 1 for text.
//!
//! Read next: `settings.rs` (what is remembered), `../widgets/badge.rs`.

use eframe::egui::{self, Color32, CornerRadius, FontDefinitions, FontFamily, FontId, Stroke, TextStyle, Theme};

/// Okabe and Ito's palette, which stays distinct in all common kinds of colour blindness; the darker form is for light themes.
const SERIES: [(Color32, Color32); 7] = [
    (Color32::from_rgb(0x56, 0xB4, 0xE9), Color32::from_rgb(0x00, 0x72, 0xB2)),
    (Color32::from_rgb(0xE6, 0x9F, 0x00), Color32::from_rgb(0xB2, 0x6A, 0x00)),
    (Color32::from_rgb(0x00, 0xB8, 0x88), Color32::from_rgb(0x00, 0x7A, 0x5A)),
    (Color32::from_rgb(0xF0, 0x70, 0x40), Color32::from_rgb(0xC2, 0x4A, 0x00)),
    (Color32::from_rgb(0xCC, 0x79, 0xA7), Color32::from_rgb(0x9A, 0x45, 0x78)),
    (Color32::from_rgb(0xF0, 0xE4, 0x42), Color32::from_rgb(0x80, 0x78, 0x00)),
    (Color32::from_rgb(0xA8, 0xA8, 0xA8), Color32::from_rgb(0x5F, 0x5F, 0x5F)),
];

/// The colour of the n-th series.
#[must_use]
pub fn series(dark: bool, index: usize) -> Color32 {
    let (on_dark, on_light) = SERIES[index % SERIES.len()];
    if dark { on_dark } else { on_light }
}

/// The colour of a severity.
#[must_use]
pub fn severity(dark: bool, name: &str) -> Color32 {
    match name {
        "critical" => {
            if dark {
                Color32::from_rgb(0xFF, 0x7B, 0x72)
            } else {
                Color32::from_rgb(0xB3, 0x1D, 0x28)
            }
        }
        "high" => series(dark, 3),
        "medium" => series(dark, 1),
        "low" => series(dark, 0),
        "allowed" => series(dark, 2),
        _ => series(dark, 6),
    }
}

/// Sets both themes; the one that is shown follows the settings.
pub fn install(ctx: &egui::Context) {
    // The text font has no arrows and few signs; the font for code has them.
    let mut fonts = FontDefinitions::default();
    fonts.families.entry(FontFamily::Proportional).or_default().push("Hack".to_owned());
    ctx.set_fonts(fonts);
    for theme in [Theme::Dark, Theme::Light] {
        ctx.style_mut_of(theme, |style| {
            let dark = theme == Theme::Dark;
            let accent = series(dark, 0);
            style.text_styles = [
                (TextStyle::Small, FontId::new(11.0, FontFamily::Proportional)),
                (TextStyle::Body, FontId::new(13.5, FontFamily::Proportional)),
                (TextStyle::Button, FontId::new(13.5, FontFamily::Proportional)),
                (TextStyle::Heading, FontId::new(18.0, FontFamily::Proportional)),
                (TextStyle::Monospace, FontId::new(12.5, FontFamily::Monospace)),
            ]
            .into();
            style.spacing.item_spacing = egui::vec2(8.0, 5.0);
            style.spacing.button_padding = egui::vec2(8.0, 3.0);
            style.spacing.interact_size.y = 22.0;
            let visuals = &mut style.visuals;
            visuals.selection.bg_fill = accent.gamma_multiply(0.35);
            visuals.selection.stroke = Stroke::new(1.0, visuals.strong_text_color());
            visuals.hyperlink_color = accent;
            visuals.window_corner_radius = CornerRadius::same(6);
            visuals.menu_corner_radius = CornerRadius::same(6);
            visuals.striped = true;
            if dark {
                visuals.panel_fill = Color32::from_rgb(0x14, 0x17, 0x1C);
                visuals.window_fill = Color32::from_rgb(0x1B, 0x1F, 0x26);
                visuals.extreme_bg_color = Color32::from_rgb(0x0D, 0x0F, 0x13);
                visuals.faint_bg_color = Color32::from_rgb(0x1A, 0x1E, 0x25);
                visuals.override_text_color = Some(Color32::from_rgb(0xD6, 0xDB, 0xE3));
            } else {
                visuals.panel_fill = Color32::from_rgb(0xFA, 0xFA, 0xFB);
                visuals.window_fill = Color32::WHITE;
                visuals.faint_bg_color = Color32::from_rgb(0xF1, 0xF3, 0xF6);
                visuals.override_text_color = Some(Color32::from_rgb(0x1C, 0x21, 0x28));
            }
        });
    }
}

/// Relative luminance contrast of two opaque colours, 1 to 21 (WCAG 2).
#[must_use]
pub fn contrast(a: Color32, b: Color32) -> f32 {
    let luminance = |color: Color32| {
        let linear = |channel: u8| {
            let value = f32::from(channel) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    };
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    if a > b { a / b } else { b / a }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_can_be_read_on_its_ground() {
        let ctx = egui::Context::default();
        install(&ctx);
        for (theme, dark) in [(Theme::Dark, true), (Theme::Light, false)] {
            let visuals = &ctx.style_of(theme).visuals;
            let ground = visuals.panel_fill;
            assert!(contrast(visuals.text_color(), ground) >= 7.0);
            for name in ["critical", "high", "medium", "low", "allowed", "none"] {
                let reached = contrast(severity(dark, name), ground);
                assert!(reached >= 4.0, "{name} in {theme:?}: {reached}");
            }
            for index in 0..SERIES.len() {
                assert!(contrast(series(dark, index), ground) >= 3.0, "{index} in {theme:?}");
            }
        }
    }
}
