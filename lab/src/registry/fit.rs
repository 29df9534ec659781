//! Fitting a version: a run over stored sessions whose models are kept with a manifest of what they learned from.
//!
//! Promises: a fit without sessions keeps nothing; the working folder is removed whatever happens. Read next: `mod.rs`,
//! `crate::retrain` (who fits without being asked).

use ja4_replay::store::Store;

use super::{DataWindow, Manifest, Registry, files_in};
use crate::cycle::{self, CyclePlan, CycleReport};
use crate::error::LabError;

impl Registry {
    /// Runs `plan` over `store` and keeps its models as a version called `name`; its id, or `None` where there was no session.
    ///
    /// # Errors
    /// What the run refuses, or the file system's refusal.
    pub fn fit(
        &self,
        store: &dyn Store,
        plan: &CyclePlan,
        name: &str,
        note: &str,
        created_ns: i64,
    ) -> Result<(Option<String>, CycleReport), LabError> {
        let folder = std::env::temp_dir().join(format!("ja4-lab-fit-{}-{created_ns}", std::process::id()));
        let report = cycle::run(store, &CyclePlan { save: Some(folder.clone()), ..plan.clone() });
        let files = report.as_ref().is_ok_and(|report| report.sessions > 0).then(|| files_in(&folder));
        let _ = std::fs::remove_dir_all(&folder);
        let report = report?;
        let Some(files) = files else { return Ok((None, report)) };
        let manifest = Manifest {
            name: name.to_owned(),
            note: note.to_owned(),
            created_ns,
            data: DataWindow {
                from_ms: plan.from_ms.unwrap_or_default(),
                to_ms: plan.to_ms.unwrap_or_default(),
                sessions: report.sessions,
                baseline: report.baseline,
                features_digest: report.features_digest.clone(),
            },
            settings: serde_json::to_value(&plan.settings).unwrap_or_default(),
            seed: plan.settings.seed,
            metrics: shares(plan, &report),
            ..Manifest::default()
        };
        Ok((Some(self.add(manifest, &files?)?), report))
    }
}

/// Shares of the sessions, by name. A run that only fitted knows of no anomaly.
fn shares(plan: &CyclePlan, report: &CycleReport) -> std::collections::BTreeMap<String, f64> {
    let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let share = |part: u64| number(part) / number(report.sessions);
    let mut shares = std::collections::BTreeMap::from([("baseline_share".to_owned(), share(report.baseline))]);
    if !plan.fit_only {
        shares.insert("anomalous_share".to_owned(), share(report.anomalies));
    }
    shares
}
