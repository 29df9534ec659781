//! Pictures of every view in both looks, compared with those that were looked at by a person.
//!
//! Promises: a small difference of a software renderer is tolerated, a moved or missing part is not; without a Vulkan driver the test
//! says that it is skipped. The scores on them are made from the sessions' names, so that a better model changes few pictures: those of
//! the views that show the models themselves. [`RENEW`] writes all anew.
//!
//! Read next: `support.rs`.

use std::panic::catch_unwind;
use std::path::Path;

use eframe::egui::{Theme, vec2};
use egui_kittest::{SnapshotOptions, SnapshotResults};
use ja4_desktop::shell::action::Action;
use ja4_desktop::views;

use ja4_replay::store::{self, OpenOptions, Statement};

use crate::support::{app, copy, folder, settle, sized, tell};

pub const TESTS: &[crate::Test] =
    &[("images::every_view_looks_as_it_did_in_both_looks", every_view_looks_as_it_did_in_both_looks)];

/// How the pictures are made anew.
const RENEW: &str = "if what you see is what you want: UPDATE_SNAPSHOTS=1 cargo test --release --workspace --test it -- images, \
    look at what changed, then optipng -o2 desktop/tests/snapshots/*.png";

/// Scores that follow from the sessions' names alone.
const PLAIN: &str = "UPDATE ja4_processing.ml_all_scores SET
    score = CAST('0x' || substr(md5(session_id), 1, 4) AS BIGINT) / 65536.0,
    score_eif = CAST('0x' || substr(md5(session_id), 5, 4) AS BIGINT) / 65536.0,
    score_autoencoder = CAST('0x' || substr(md5(session_id), 9, 4) AS BIGINT) / 65536.0,
    score_boosted = CAST('0x' || substr(md5(session_id), 13, 4) AS BIGINT) / 65536.0,
    threshold = 0.75, agreement = 1, population_share = 0.5, model_id = '0123456789abcdef', scored_run = '0123456789abcdef',
    reason = 'gap mean 12 ms (people: 900 ms to 30 s)', explanation = '[]', label = -1, label_source = ''";
const VERDICTS: &str = "UPDATE ja4_processing.ml_all_scores SET anomaly = CASE WHEN score >= 0.75 THEN 1 ELSE 0 END,
    severity = CASE WHEN score >= 0.95 THEN 'critical' WHEN score >= 0.9 THEN 'high' WHEN score >= 0.85 THEN 'medium'
      WHEN score >= 0.75 THEN 'low' ELSE 'none' END";
const NO_CAMPAIGNS: &str = "DELETE FROM ja4_processing.campaign_members";

/// The recorded set with such scores, as `name.duckdb`.
fn plain_scores(name: &str) {
    let store = store::open(&copy(name), &OpenOptions::default()).unwrap();
    for text in [
        PLAIN,
        VERDICTS,
        NO_CAMPAIGNS,
        "DELETE FROM ja4_processing.campaigns",
        "DELETE FROM ja4_processing.ml_performance_metrics",
    ] {
        store.change(&Statement::shared(text), &[]).unwrap();
    }
    store.checkpoint().unwrap();
}

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
    if !can_draw() {
        println!("skipped: no graphics driver was found (Debian: mesa-vulkan-drivers)");
        return;
    }
    // The path of the database is on the pictures, so it must always be the same.
    plain_scores("pictures");
    std::env::set_current_dir(folder()).unwrap();
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let options = SnapshotOptions::new().threshold(10.0).max_failed_pixels(60).output_path(place);
    let mut results = SnapshotResults::new();
    for (theme, look) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
        let mut window = sized(&[Path::new("pictures.duckdb")], vec2(900.0, 600.0), theme, true);
        let worst = app(&window).data().table(("overview", "ips")).unwrap().text(0, "src_ip").into_owned();
        tell(&mut window, Action::Investigate(worst));
        for view in views::all() {
            tell(&mut window, Action::Show(view.id()));
            settle(&mut window);
            window.remove_cursor();
            window.run_steps(4);
            results.add(window.try_snapshot_options(format!("{}-{look}", view.id()), &options));
        }
    }
    if let Err(different) = results.into_result() {
        let names: Vec<String> = different.into_inner().iter().map(ToString::to_string).collect();
        panic!("{} pictures differ:\n{}\n{RENEW}", names.len(), names.join("\n"));
    }
}
