//! How long a frame takes: a table of 1,000,000 rows, scrolled, typed into and sorted; and the time to the first frame.
//!
//! Promises: layout and tessellation are measured, painting is not; figures are printed, not asserted, because they are a machine's.
//! Run with `cargo test --release --workspace --test it -- --ignored frames`.
//!
//! Read next: `docs/DESKTOP.md`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{self, Event, Modifiers, MouseWheelUnit, Pos2, RawInput, Rect, vec2};
use ja4_desktop::data::table::{Column, Table};
use ja4_desktop::shell::theme;
use ja4_desktop::widgets::grid::{Grid, GridState};
use ja4_desktop::{App, Start};

use crate::support::{folder, recorded};

pub const TESTS: &[crate::Test] = &[("frames::a_million_rows", a_million_rows), ("frames::the_first_frame", the_first_frame)];

const ROWS: usize = 1_000_000;
const FRAMES: usize = 400;

fn million() -> Table {
    let text = |of: &dyn Fn(usize) -> String| Column::Text((0..ROWS).map(of).collect());
    let share = |row: usize, prime: usize| f64::from(u32::try_from(row * prime % 9_973).unwrap()) / 9_973.0;
    Table::new(
        ROWS,
        vec![
            ("score", Column::Float((0..ROWS).map(|row| share(row, 7)).collect())),
            ("severity", text(&|row| ["none", "low", "medium", "high", "critical"][row % 5].to_owned())),
            ("src_ip", text(&|row| format!("10.{}.{}.{}", row % 200, row / 200 % 250, row / 50_000))),
            ("host", text(&|row| format!("shop-{}.example", row % 40))),
            ("hits", Column::Int((0..ROWS).map(|row| i64::try_from(row * 31 % 5_000).unwrap()).collect())),
            ("ua_family", text(&|row| ["chrome", "curl", "firefox"][row % 3].to_owned())),
            ("ja4", text(&|row| format!("t13d1516h2_8daaf6152771_{:012x}", row % 3_000))),
            (
                "first_ns",
                Column::Int((0..ROWS).map(|row| 1_790_000_000_000_000_000 + i64::try_from(row).unwrap() * 1_000_000).collect()),
            ),
            (
                "reason",
                text(&|row| {
                    format!("Claims chrome with the TLS stack of curl; gap mean {} ms (people: 900 ms to 30 s)", row % 977)
                }),
            ),
        ],
    )
}

fn frame(ctx: &egui::Context, events: Vec<Event>, time: f64, mut ui: impl FnMut(&mut egui::Ui)) -> Duration {
    let input = RawInput {
        screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(1280.0, 800.0))),
        time: Some(time),
        events,
        ..RawInput::default()
    };
    #[allow(clippy::disallowed_methods, reason = "a benchmark needs a clock")]
    let begin = Instant::now();
    let output = ctx.run_ui(input, |place| ui(place));
    let shapes = ctx.tessellate(output.shapes, output.pixels_per_point);
    std::hint::black_box(shapes);
    begin.elapsed()
}

fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a short list"
    )]
    let place = ((times.len() - 1) as f64 * share) as usize;
    times[place]
}

fn a_million_rows() {
    let table = Arc::new(million());
    let ctx = egui::Context::default();
    theme::install(&ctx);
    let mut state = GridState::default();
    let mut draw = |ui: &mut egui::Ui| {
        Grid::new("Sessions", &table, &[]).show(ui, &mut state);
    };
    let pointer = Event::PointerMoved(Pos2::new(500.0, 400.0));
    for nth in 0..20 {
        frame(&ctx, vec![pointer.clone()], f64::from(nth) / 60.0, &mut draw);
    }
    let mut scrolling = Vec::new();
    for nth in 0..FRAMES {
        let wheel = Event::MouseWheel {
            unit: MouseWheelUnit::Line,
            delta: vec2(0.0, -40.0),
            phase: egui::TouchPhase::Move,
            modifiers: Modifiers::NONE,
            source: egui::MouseWheelSource::Wheel,
        };
        let time = 1.0 + f64::from(u32::try_from(nth).unwrap()) / 60.0;
        scrolling.push(frame(&ctx, vec![wheel], time, &mut draw));
    }
    // Into the search field of the table, then letters; finding runs beside the frames.
    let mut typing = Vec::new();
    let click = |pressed: bool| Event::PointerButton {
        pos: Pos2::new(180.0, 12.0),
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    frame(&ctx, vec![Event::PointerMoved(Pos2::new(180.0, 12.0)), click(true)], 10.0, &mut draw);
    frame(&ctx, vec![click(false)], 10.1, &mut draw);
    for nth in 0..FRAMES {
        let letters = ["s", "h", "o", "p", "-", "1"];
        let event = if nth % 7 == 6 {
            Event::Key { key: egui::Key::Backspace, physical_key: None, pressed: true, repeat: false, modifiers: Modifiers::NONE }
        } else {
            Event::Text(letters[nth % 6].to_owned())
        };
        typing.push(frame(&ctx, vec![event], 11.0 + f64::from(u32::try_from(nth).unwrap()) / 60.0, &mut draw));
    }
    for (name, times) in [("scrolling", &mut scrolling), ("typing", &mut typing)] {
        println!(
            "{name} in {ROWS} rows, 1280x800: p50 {:?}, p95 {:?}, worst {:?}",
            percentile(times, 0.5),
            percentile(times, 0.95),
            percentile(times, 1.0)
        );
    }
}

fn the_first_frame() {
    let path = recorded().to_path_buf();
    #[allow(clippy::disallowed_methods, reason = "a benchmark needs a clock")]
    let begin = Instant::now();
    let ctx = egui::Context::default();
    let settings = folder().join("first.json");
    let mut app = App::new(&ctx, Start { paths: vec![path], settings: Some(settings), ..Start::default() });
    let made = begin.elapsed();
    let first = frame(&ctx, Vec::new(), 0.0, |ui| app.frame(ui));
    println!("first frame: {:?} after the start of the program's own code, of it {first:?} for the frame", made + first);
    let mut frames = 0;
    while app.data().table(("overview", "figures")).is_none() && frames < 5_000 {
        frames += 1;
        frame(&ctx, Vec::new(), f64::from(frames) / 60.0, |ui| app.frame(ui));
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("overview filled: {:?} after the start, recorded set", begin.elapsed());
}
