//! Settings of the ensemble: which voices, how many labels make a meta-learner, what false-positive rate is borne.

use crate::autoencoder::{Autoencoder, AutoencoderParams};
use crate::eif::{Eif, EifParams};
use crate::error::{ModelError, Result};
use crate::gbdt::{Boosted, BoostedParams};

/// Unchecked settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EnsembleParams {
    eif: EifParams,
    autoencoder: Option<AutoencoderParams>,
    boosted: Option<BoostedParams>,
    target_fpr: f64,
    meta_min_labels: usize,
    weights: [f64; 3],
}

impl Default for EnsembleParams {
    fn default() -> Self {
        Self {
            eif: EifParams::default(),
            autoencoder: Some(AutoencoderParams::default()),
            boosted: Some(BoostedParams::default()),
            target_fpr: 0.01,
            meta_min_labels: 1_000,
            weights: [0.2, 0.2, 0.6],
        }
    }
}

impl EnsembleParams {
    /// Settings of the forest, which is always a member.
    pub fn eif(mut self, params: EifParams) -> Self {
        self.eif = params;
        self
    }

    /// Settings of the autoencoder; `None` leaves it out.
    pub fn autoencoder(mut self, params: Option<AutoencoderParams>) -> Self {
        self.autoencoder = params;
        self
    }

    /// Settings of the boosted trees; `None` leaves them out. They join only when there are labels of both classes.
    pub fn boosted(mut self, params: Option<BoostedParams>) -> Self {
        self.boosted = params;
        self
    }

    /// Share of normal rows that may be called anomalous, above 0 and below 1; default 0.01.
    pub fn target_fpr(mut self, rate: f64) -> Self {
        self.target_fpr = rate;
        self
    }

    /// Labels from which on a meta-learner replaces the fixed weights; default 1,000, at least 100.
    pub fn meta_min_labels(mut self, labels: usize) -> Self {
        self.meta_min_labels = labels;
        self
    }

    /// Fixed weights of forest, autoencoder and boosted trees, each 0 or more, not all 0; default 0.2, 0.2, 0.6.
    /// They are scaled to sum to 1 over the voices present.
    pub fn weights(mut self, weights: [f64; 3]) -> Self {
        self.weights = weights;
        self
    }

    /// Refuses what cannot be fitted.
    ///
    /// # Errors
    /// [`ModelError::Setting`] naming the setting and its range, of a voice's too.
    pub fn check(self) -> Result<Ensemble> {
        let refuse = |setting, value: String, range| Err(ModelError::Setting { voice: "ensemble", setting, value, range });
        if !(self.target_fpr > 0.0 && self.target_fpr < 1.0) {
            return refuse("target_fpr", self.target_fpr.to_string(), "above 0 and below 1");
        }
        if self.meta_min_labels < 100 {
            return refuse("meta_min_labels", self.meta_min_labels.to_string(), "at least 100");
        }
        let [eif, autoencoder, boosted] = self.weights;
        let sound = self.weights.iter().all(|weight| (0.0..=1e6).contains(weight));
        // The forest is the only voice that is always there.
        if !(sound && eif > 0.0) {
            return refuse("weights", format!("[{eif}, {autoencoder}, {boosted}]"), "0 or more, that of the forest above 0");
        }
        Ok(Ensemble {
            eif: self.eif.check()?,
            autoencoder: self.autoencoder.map(AutoencoderParams::check).transpose()?,
            boosted: self.boosted.map(BoostedParams::check).transpose()?,
            target_fpr: self.target_fpr,
            meta_min_labels: self.meta_min_labels,
            weights: self.weights,
        })
    }
}

/// Checked settings; fit them by [`crate::Fit`] or [`Ensemble::fit_on`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ensemble {
    pub(super) eif: Eif,
    pub(super) autoencoder: Option<Autoencoder>,
    pub(super) boosted: Option<Boosted>,
    pub(super) target_fpr: f64,
    pub(super) meta_min_labels: usize,
    pub(super) weights: [f64; 3],
}
