//! Pictures of every view in both looks, compared with those that were looked at by a person.
//!
//! Promises: a small difference of a software renderer is tolerated, a moved or missing part is not; without a Vulkan driver the test
//! says that it is skipped. `UPDATE_SNAPSHOTS=1` writes them anew; they are kept with a palette (`pngquant --nofs 256`), whence the tolerance.
//! Scores stand on most of them, so they are compared where JA4_PICTURES is set, and written anew when the models change.
//!
//! Read next: `support.rs`.

use std::panic::catch_unwind;
use std::path::Path;

use eframe::egui::{Theme, vec2};
use egui_kittest::{SnapshotOptions, SnapshotResults};
use ja4_desktop::shell::action::Action;
use ja4_desktop::views;

use crate::support::{app, folder, recorded, sized, tell};

pub const TESTS: &[crate::Test] =
    &[("images::every_view_looks_as_it_did_in_both_looks", every_view_looks_as_it_did_in_both_looks)];

fn can_draw() -> bool {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let found = catch_unwind(|| {
        egui_kittest::wgpu::create_render_state(egui_kittest::wgpu::default_wgpu_setup(), Default::default());
    });
    std::panic::set_hook(hook);
    found.is_ok()
}

fn every_view_looks_as_it_did_in_both_looks() {
    if std::env::var_os("JA4_PICTURES").is_none() {
        println!("skipped: pictures show scores, which change with the models; set JA4_PICTURES=1 to compare them");
        return;
    }
    if !can_draw() {
        println!("skipped: no graphics driver was found (Debian: mesa-vulkan-drivers)");
        return;
    }
    // The path of the database is on the pictures, so it must always be the same.
    recorded();
    std::env::set_current_dir(folder()).unwrap();
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let options = SnapshotOptions::new().threshold(10.0).max_failed_pixels(60).output_path(place);
    let mut results = SnapshotResults::new();
    for (theme, look) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
        let mut window = sized(&[Path::new("recorded.duckdb")], vec2(900.0, 600.0), theme, true);
        let worst = app(&window).data().table(("overview", "ips")).unwrap().text(0, "src_ip").into_owned();
        tell(&mut window, Action::Investigate(worst));
        for view in views::all() {
            tell(&mut window, Action::Show(view.id()));
            window.remove_cursor();
            window.run_steps(4);
            results.add(window.try_snapshot_options(format!("{}-{look}", view.id()), &options));
        }
    }
    results.unwrap();
}
