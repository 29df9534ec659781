//! A chart as pixels, without a window or a graphics card: laid out by egui in a context of its own, its triangles filled here.
//!
//! Promises: what is exported is what [`Chart::show`] draws; the same chart gives the same pixels; nothing is drawn outside the picture.
//!
//! Read next: `chart.rs`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use eframe::egui::epaint::{ImageData, Primitive, TextureId, Vertex};
use eframe::egui::{self, Color32, ColorImage, Mesh, Pos2, RawInput, Rect, Vec2, vec2};
use image::{Rgba, RgbaImage};

use super::chart::Chart;
use crate::shell::theme;

/// Points of the picture; each is [`SCALE`] pixels wide.
const SIZE: Vec2 = vec2(860.0, 420.0);
const SCALE: f32 = 2.0;

/// Writes a chart as PNG.
///
/// # Errors
/// The file system's refusal, as a sentence.
pub fn save(path: &Path, chart: &Chart, dark: bool) -> Result<(), String> {
    let picture = draw(chart, dark);
    crate::data::export::write_whole(path, |out| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png).map_err(std::io::Error::other)?;
        out.write_all(bytes.get_ref())
    })
}

/// The pixels of a chart.
#[must_use]
pub fn draw(chart: &Chart, dark: bool) -> RgbaImage {
    let ctx = egui::Context::default();
    theme::install(&ctx);
    ctx.set_theme(if dark { egui::Theme::Dark } else { egui::Theme::Light });
    let mut canvas = Canvas::new();
    // Sizes of axes settle after a few frames; the last one is drawn.
    for nth in 0..4 {
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, SIZE)),
            time: Some(f64::from(nth) * 10.0),
            ..RawInput::default()
        };
        ctx.set_pixels_per_point(SCALE);
        let output = ctx.run_ui(input, |ui| {
            egui::CentralPanel::default().show(ui, |ui| {
                ui.heading(super::text::cut(&chart.name, 100));
                chart.show(ui, ui.available_height());
            });
        });
        // A hash map decides no order, not even that of textures.
        let changed: BTreeMap<_, _> = output.textures_delta.set.iter().collect();
        for (id, deltas) in changed {
            for delta in deltas {
                let ImageData::Color(image) = &delta.image;
                canvas.texture(*id, image, delta.pos);
            }
        }
        if nth == 3 {
            for clipped in ctx.tessellate(output.shapes, SCALE) {
                if let Primitive::Mesh(mesh) = &clipped.primitive {
                    canvas.mesh(mesh, clipped.clip_rect);
                }
            }
        }
    }
    canvas.pixels
}

/// Pixels, and the textures that triangles take theirs from.
struct Canvas {
    pixels: RgbaImage,
    textures: BTreeMap<TextureId, Arc<ColorImage>>,
}

impl Canvas {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a constant size")]
    fn new() -> Self {
        let (width, height) = ((SIZE.x * SCALE) as u32, (SIZE.y * SCALE) as u32);
        Self { pixels: RgbaImage::from_pixel(width, height, Rgba([0, 0, 0, 255])), textures: BTreeMap::new() }
    }

    /// Takes a texture, or a part of one.
    fn texture(&mut self, id: TextureId, image: &Arc<ColorImage>, at: Option<[usize; 2]>) {
        let Some([left, top]) = at else {
            self.textures.insert(id, Arc::clone(image));
            return;
        };
        let Some(whole) = self.textures.get_mut(&id).map(Arc::make_mut) else { return };
        let [width, height] = image.size;
        for y in 0..height {
            for x in 0..width {
                let from = image.pixels.get(y * width + x).copied();
                let place = (top + y) * whole.size[0] + left + x;
                if let (Some(slot), Some(pixel)) = (whole.pixels.get_mut(place), from) {
                    *slot = pixel;
                }
            }
        }
    }

    fn mesh(&mut self, mesh: &Mesh, clip: Rect) {
        let texture = self.textures.get(&mesh.texture_id).cloned();
        for corners in mesh.indices.chunks_exact(3) {
            let corner = |nth: usize| corners.get(nth).and_then(|index| mesh.vertices.get(*index as usize)).copied();
            if let (Some(a), Some(b), Some(c)) = (corner(0), corner(1), corner(2)) {
                self.triangle([a, b, c], clip, texture.as_deref());
            }
        }
    }

    /// Fills a triangle: every pixel whose centre is inside, an edge between two triangles belonging to one of them.
    fn triangle(&mut self, corners: [Vertex; 3], clip: Rect, texture: Option<&ColorImage>) {
        let scaled = corners.map(|vertex| vertex.pos.to_vec2() * SCALE);
        let area = cross(scaled[1] - scaled[0], scaled[2] - scaled[0]);
        if area == 0.0 || !area.is_finite() {
            return;
        }
        let order = if area > 0.0 { [0, 1, 2] } else { [0, 2, 1] };
        let (points, vertices) = (order.map(|nth| scaled[nth]), order.map(|nth| corners[nth]));
        let area = area.abs();
        let picture = Rect::from_min_size(Pos2::ZERO, vec2(self.pixels.width() as f32, self.pixels.height() as f32));
        let hull = Rect::from_points(&points.map(Vec2::to_pos2));
        let bounds = hull.intersect(Rect::from_min_max(clip.min * SCALE, clip.max * SCALE)).intersect(picture);
        if !bounds.is_positive() {
            return;
        }
        for y in pixels(bounds.min.y, bounds.max.y) {
            for x in pixels(bounds.min.x, bounds.max.x) {
                let centre = vec2(x as f32 + 0.5, y as f32 + 0.5);
                if !clip.contains((centre / SCALE).to_pos2()) {
                    continue;
                }
                let mut weights = [0.0; 3];
                let inside = (0..3).all(|nth| {
                    let (from, to) = (points[(nth + 1) % 3], points[(nth + 2) % 3]);
                    let edge = to - from;
                    let side = cross(edge, centre - from);
                    weights[nth] = side / area;
                    // The usual rule of graphics cards: edges on the left and on top belong to the triangle.
                    side > 0.0 || side == 0.0 && (edge.y < 0.0 || edge.y == 0.0 && edge.x > 0.0)
                });
                if inside {
                    self.blend(x, y, shade(&vertices, weights, texture));
                }
            }
        }
    }

    /// Lays a colour (its alpha multiplied in) over a pixel.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
    fn blend(&mut self, x: u32, y: u32, over: [f32; 4]) {
        let Some(pixel) = self.pixels.get_pixel_mut_checked(x, y) else { return };
        let left = 1.0 - over[3] / 255.0;
        for (slot, value) in pixel.0.iter_mut().zip(over).take(3) {
            *slot = (value + f32::from(*slot) * left).round().clamp(0.0, 255.0) as u8;
        }
    }
}

fn cross(a: Vec2, b: Vec2) -> f32 {
    a.x * b.y - a.y * b.x
}

/// Pixels whose centre may lie between.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounds lie within the picture")]
fn pixels(from: f32, to: f32) -> std::ops::Range<u32> {
    from.floor().max(0.0) as u32..to.ceil().max(0.0) as u32
}

/// Colour of the vertices, mixed, times the texture's at that place.
fn shade(vertices: &[Vertex; 3], weights: [f32; 3], texture: Option<&ColorImage>) -> [f32; 4] {
    let mix = |of: &dyn Fn(&Vertex) -> f32| vertices.iter().zip(weights).map(|(vertex, weight)| of(vertex) * weight).sum::<f32>();
    let uv = vec2(mix(&|vertex| vertex.uv.x), mix(&|vertex| vertex.uv.y));
    let ink = texture.map_or([255.0; 4], |texture| sample(texture, uv));
    std::array::from_fn(|part| mix(&|vertex| f32::from(vertex.color.to_array()[part])) * ink[part] / 255.0)
}

/// A texture between its four nearest pixels.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the texture's size")]
fn sample(texture: &ColorImage, uv: Vec2) -> [f32; 4] {
    let [width, height] = texture.size;
    let at = |x: f32, y: f32| {
        let (x, y) = (x.clamp(0.0, width as f32 - 1.0) as usize, y.clamp(0.0, height as f32 - 1.0) as usize);
        texture.pixels.get(y * width + x).copied().unwrap_or(Color32::TRANSPARENT).to_array().map(f32::from)
    };
    let (x, y) = (uv.x * width as f32 - 0.5, uv.y * height as f32 - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (right, low) = (x - left, y - top);
    let corners = [
        (at(left, top), (1.0 - right) * (1.0 - low)),
        (at(left + 1.0, top), right * (1.0 - low)),
        (at(left, top + 1.0), (1.0 - right) * low),
        (at(left + 1.0, top + 1.0), right * low),
    ];
    std::array::from_fn(|part| corners.iter().map(|(colour, weight)| colour[part] * weight).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::widgets::chart::{Mark, Series};

    #[test]
    fn a_chart_has_its_colours_in_its_picture() {
        let ink = Color32::from_rgb(230, 10, 20);
        let chart = Chart {
            name: "Bars".to_owned(),
            series: vec![Series::new("bars", Mark::Bars(1.0), vec![[0.0, 2.0], [1.0, 4.0]]).colour(ink)],
            ..Chart::default()
        };
        let picture = draw(&chart, false);
        assert_eq!((picture.width(), picture.height()), (1720, 840));
        // Bars are filled lightly: what counts is that red leads.
        let near = |pixel: &Rgba<u8>| {
            pixel.0[0] > 140 && pixel.0[0] > pixel.0[1].saturating_add(25) && pixel.0[0] > pixel.0[2].saturating_add(25)
        };
        let red = picture.pixels().filter(|pixel| near(pixel)).count();
        assert!(red > 50_000, "{red} pixels have the colour of the bars");
        // The higher bar is on the right: more of its colour there.
        let right = picture.enumerate_pixels().filter(|(x, _, pixel)| *x > 860 && near(pixel)).count();
        assert!(right > red / 2, "{right} of {red}");
        // Letters of the name are darker than the ground, which is light.
        let dark = picture.enumerate_pixels().filter(|(_, y, pixel)| *y < 60 && pixel.0[0] < 110).count();
        assert!(dark > 100, "{dark} pixels of the name");
        assert_eq!(picture, draw(&chart, false));
        assert!(draw(&chart, true).get_pixel(3, 3).0[0] < 80, "the dark look is dark");
    }

    #[test]
    fn a_picture_is_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        save(&path, &Chart::default(), true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap().get(..4), Some(&b"\x89PNG"[..]));
    }
}
