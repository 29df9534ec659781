//! Charts as data: drawn on the screen and written as SVG from the same description.
//!
//! Promises: what is exported is what is shown; series differ by colour and by name; a chart has a name in the accessibility tree;
//! the same data give the same SVG bytes.
//!
//! Read next: `../shell/theme.rs` (the colours).

use std::fmt::Write as _;

use eframe::egui::{self, Color32, Sense, WidgetInfo};
use egui_plot::{AxisHints, Bar, BarChart, Legend, Line, Plot, PlotPoint, PlotPoints, PlotResponse, Points, uniform_grid_spacer};

use super::{text, time_axis};
use crate::data::export::html_text;
use crate::shell::theme;

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mark {
    /// Joined points.
    Line,
    /// Dots of this radius.
    Dots(f32),
    /// Bars of this width, in units of x.
    Bars(f64),
}

/// Named points.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// How it is drawn.
    pub mark: Mark,
    /// Points in order.
    pub points: Vec<[f64; 2]>,
    /// Colour; by number where there is none.
    pub colour: Option<Color32>,
}

impl Series {
    /// A series in the colour of its number.
    #[must_use]
    pub fn new(name: &str, mark: Mark, points: Vec<[f64; 2]>) -> Self {
        Self { name: name.to_owned(), mark, points, colour: None }
    }

    /// In this colour.
    #[must_use]
    pub fn colour(mut self, colour: Color32) -> Self {
        self.colour = Some(colour);
        self
    }
}

/// A chart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chart {
    /// Name, also of the exported file.
    pub name: String,
    /// What x is.
    pub x: String,
    /// What y is.
    pub y: String,
    /// What is drawn, first below.
    pub series: Vec<Series>,
    /// x is a time in seconds since 1970.
    pub x_is_time: bool,
    /// Words below bars, by place.
    pub words: Vec<String>,
}

impl Chart {
    /// Shows it, as high as said; gives the plot's answer (where the pointer is, what was clicked).
    pub fn show(&self, ui: &mut egui::Ui, height: f32) -> PlotResponse<Option<PlotPoint>> {
        let dark = ui.visuals().dark_mode;
        let (time, words) = (self.x_is_time, self.words.clone());
        let mut plot = Plot::new(&self.name)
            .height(height)
            // Dragged and double-clicked, with nothing to press: no stop of the Tab key.
            .sense(Sense::CLICK | Sense::DRAG)
            .allow_scroll(false)
            .allow_boxed_zoom(true)
            // Lines that help the eye, and do not compete with the data.
            .grid_color(ui.visuals().weak_text_color().gamma_multiply(0.6))
            .y_axis_label(self.y.clone());
        let mut axis = AxisHints::new_x().label(self.x_name());
        axis = axis.formatter(move |mark, _| label(mark.value, time.then_some(mark.step_size), &words));
        if time {
            axis = axis.label_spacing(egui::Rangef::new(48.0, 56.0));
            plot = plot.x_grid_spacer(uniform_grid_spacer(|input| time_axis::steps(&input)));
        }
        plot = plot.custom_x_axes(vec![axis]);
        if self.series.len() > 1 {
            plot = plot.legend(Legend::default());
        }
        let series = self.series.clone();
        let response = plot.show(ui, move |ui| {
            for (nth, one) in series.into_iter().enumerate() {
                let colour = one.colour.unwrap_or_else(|| theme::series(dark, nth));
                match one.mark {
                    Mark::Line => {
                        ui.line(Line::new(one.name, PlotPoints::from(one.points)).color(colour).width(1.8).allow_band(false))
                    }
                    Mark::Dots(radius) => {
                        ui.points(Points::new(one.name, PlotPoints::from(one.points)).color(colour).radius(radius))
                    }
                    Mark::Bars(width) => {
                        let bars = one.points.iter().map(|[x, y]| Bar::new(*x, *y).width(width)).collect();
                        ui.bar_chart(BarChart::new(one.name, bars).color(colour));
                    }
                }
            }
            ui.pointer_coordinate()
        });
        let (name, points) = (&self.name, self.series.iter().map(|one| one.points.len()).sum::<usize>());
        response.response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, format!("Chart {name}, {points} points")));
        response
    }

    /// What x is, with the days where it is a time.
    fn x_name(&self) -> String {
        let xs = self.series.iter().flat_map(|one| one.points.iter().map(|point| point[0]));
        if self.x_is_time { time_axis::name(&self.x, xs) } else { self.x.clone() }
    }

    /// The chart as an SVG of its own.
    #[must_use]
    pub fn to_svg(&self, dark: bool) -> String {
        let (width, height) = (860.0, 420.0);
        let (left, top, right, bottom) = (70.0, 44.0, 20.0, 56.0);
        let ground = if dark { "#14171c" } else { "#ffffff" };
        let ink = if dark { "#d6dbe3" } else { "#1c2128" };
        let bounds = Bounds::of(&self.series);
        let x = |value: f64| left + (value - bounds.x.0) / (bounds.x.1 - bounds.x.0) * (width - left - right);
        let y = |value: f64| height - bottom - (value - bounds.y.0) / (bounds.y.1 - bounds.y.0) * (height - top - bottom);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\" \
             fill=\"{ink}\" role=\"img\" aria-label=\"{name}\">\n<title>{name}</title>\n<rect width=\"{width}\" height=\"{height}\" \
             fill=\"{ground}\"/>\n<text x=\"{left}\" y=\"22\" font-size=\"15\">{name}</text>\n",
            name = html_text(&self.name)
        );
        for step in 0..=4 {
            let share = f64::from(step) / 4.0;
            let (value_x, value_y) =
                (bounds.x.0 + share * (bounds.x.1 - bounds.x.0), bounds.y.0 + share * (bounds.y.1 - bounds.y.0));
            let _ = writeln!(
                out,
                "<line x1=\"{left}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"{ink}\" stroke-opacity=\"0.15\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                width - right,
                y(value_y),
                y(value_y),
                left - 6.0,
                y(value_y) + 4.0,
                html_text(&label(value_y, None, &[])),
                x(value_x),
                height - bottom + 18.0,
                html_text(&label(value_x, self.x_is_time.then_some((bounds.x.1 - bounds.x.0) / 4.0), &self.words)),
            );
        }
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            width / 2.0,
            height - 12.0,
            html_text(&self.x_name())
        );
        let _ = writeln!(
            out,
            "<text x=\"16\" y=\"{:.1}\" transform=\"rotate(-90 16 {:.1})\" text-anchor=\"middle\">{}</text>",
            height / 2.0,
            height / 2.0,
            html_text(&self.y)
        );
        for (nth, one) in self.series.iter().enumerate() {
            let colour = hex(one.colour.unwrap_or_else(|| theme::series(dark, nth)));
            let points: Vec<(f64, f64)> = one
                .points
                .iter()
                .filter(|point| point.iter().all(|value| value.is_finite()))
                .map(|[a, b]| (x(*a), y(*b)))
                .collect();
            match one.mark {
                Mark::Line => {
                    let path: Vec<String> = points.iter().map(|(a, b)| format!("{a:.1},{b:.1}")).collect();
                    let _ = writeln!(
                        out,
                        "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\" points=\"{}\"/>",
                        path.join(" ")
                    );
                }
                Mark::Dots(radius) => {
                    for (a, b) in &points {
                        let _ = writeln!(
                            out,
                            "<circle cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"{radius}\" fill=\"{colour}\" fill-opacity=\"0.8\"/>"
                        );
                    }
                }
                Mark::Bars(bar) => {
                    let wide = ((x(bounds.x.0 + bar) - x(bounds.x.0)) * 0.95).max(1.0);
                    for (a, b) in &points {
                        let (from, to) = (b.min(y(0.0)), b.max(y(0.0)));
                        let _ = writeln!(
                            out,
                            "<rect x=\"{:.1}\" y=\"{from:.1}\" width=\"{wide:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>",
                            a - wide / 2.0,
                            to - from
                        );
                    }
                }
            }
            let _ = writeln!(
                out,
                "<rect x=\"{:.1}\" y=\"30\" width=\"10\" height=\"10\" fill=\"{colour}\"/><text x=\"{:.1}\" y=\"39\">{}</text>",
                left + 150.0 * f64::from(u32::try_from(nth).unwrap_or(0)),
                left + 14.0 + 150.0 * f64::from(u32::try_from(nth).unwrap_or(0)),
                html_text(&one.name)
            );
        }
        out.push_str("</svg>\n");
        out
    }
}

struct Bounds {
    x: (f64, f64),
    y: (f64, f64),
}

impl Bounds {
    fn of(series: &[Series]) -> Self {
        let mut bounds = Self { x: (f64::INFINITY, f64::NEG_INFINITY), y: (f64::INFINITY, f64::NEG_INFINITY) };
        for one in series {
            for [x, y] in one.points.iter().filter(|point| point.iter().all(|value| value.is_finite())) {
                let half = if let Mark::Bars(width) = one.mark { width / 2.0 } else { 0.0 };
                bounds.x = (bounds.x.0.min(x - half), bounds.x.1.max(x + half));
                bounds.y = (bounds.y.0.min(*y), bounds.y.1.max(*y));
            }
            if matches!(one.mark, Mark::Bars(_)) {
                bounds.y.0 = bounds.y.0.min(0.0);
            }
        }
        let widen = |(low, high): (f64, f64)| match (low.is_finite() && high.is_finite(), high > low) {
            (false, _) => (0.0, 1.0),
            (true, true) => (low, high),
            (true, false) => (low - 0.5, high + 0.5),
        };
        Self { x: widen(bounds.x), y: widen(bounds.y) }
    }
}

/// A value on an axis; of a time axis where the step of its lines (seconds) is given.
fn label(value: f64, time_step: Option<f64>, words: &[String]) -> String {
    if let Some(step) = time_step {
        return time_axis::label(value, step);
    }
    if !words.is_empty() {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a short list; negative saturates to 0"
        )]
        let place = value.round() as usize;
        let near = (value - value.round()).abs() < 0.01 && value > -0.01;
        return if near { words.get(place).map(|word| text::cut(word, 18)).unwrap_or_default() } else { String::new() };
    }
    crate::data::table::short(value)
}

fn hex(colour: Color32) -> String {
    format!("#{:02x}{:02x}{:02x}", colour.r(), colour.g(), colour.b())
}

/// A line so small that it fits a row: `values` from left to right, between their least and greatest.
pub fn sparkline(ui: &mut egui::Ui, name: &str, values: &[f64]) {
    let (response, painter) = ui.allocate_painter(egui::vec2(120.0, 18.0), Sense::hover());
    let area = response.rect.shrink(2.0);
    let high = values.iter().copied().fold(f64::EPSILON, f64::max);
    let step = area.width() / (values.len().max(2) - 1) as f32;
    #[allow(clippy::cast_possible_truncation, reason = "pixels")]
    let point = |(at, value): (usize, &f64)| {
        egui::pos2(area.left() + at as f32 * step, area.bottom() - (value / high) as f32 * area.height())
    };
    let points: Vec<egui::Pos2> = values.iter().enumerate().map(point).collect();
    painter.line(points, egui::Stroke::new(1.5, theme::series(ui.visuals().dark_mode, 0)));
    response.widget_info(|| {
        WidgetInfo::labeled(
            egui::Role::Image,
            true,
            format!("{name}: {} values up to {}", values.len(), crate::data::table::short(high)),
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_svg_holds_what_was_drawn_and_nothing_acts() {
        let chart = Chart {
            name: "a <b> & \u{202e}c".to_owned(),
            series: vec![
                Series::new("line", Mark::Line, vec![[0.0, 1.0], [1.0, f64::NAN], [2.0, 3.0]]),
                Series::new("bars", Mark::Bars(1.0), vec![[0.0, 2.0]]),
                Series::new("dots", Mark::Dots(2.0), vec![[1.0, 1.0]]),
            ],
            ..Chart::default()
        };
        let svg = chart.to_svg(false);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("a &lt;b&gt; &amp; \\u{202e}c") && !svg.contains("NaN"));
        assert_eq!((svg.matches("<polyline").count(), svg.matches("<circle").count()), (1, 1));
        assert_eq!(svg, chart.to_svg(false));
        assert!(Chart::default().to_svg(true).contains("</svg>"));
    }
}
