//! Settings of the autoencoder: `AutoencoderParams` (unchecked builder) → `check()` → `Autoencoder`, which fits.

use crate::error::{ModelError, Result};

/// Unchecked settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AutoencoderParams {
    hidden: Option<usize>,
    bottleneck: Option<usize>,
    batch_rows: usize,
    max_epochs: usize,
    patience_epochs: usize,
    learning_rate: f64,
}

impl Default for AutoencoderParams {
    fn default() -> Self {
        Self { hidden: None, bottleneck: None, batch_rows: 256, max_epochs: 60, patience_epochs: 5, learning_rate: 2e-3 }
    }
}

impl AutoencoderParams {
    /// Width of the outer hidden layers, 1 to 1,024; default: twice the columns, held between 8 and 64.
    pub fn hidden(mut self, width: usize) -> Self {
        self.hidden = Some(width);
        self
    }

    /// Width of the middle layer, 1 to 1,024; default: a quarter of the columns, held between 2 and 16.
    pub fn bottleneck(mut self, width: usize) -> Self {
        self.bottleneck = Some(width);
        self
    }

    /// Rows per step, 1 to 65,536; default 256.
    pub fn batch_rows(mut self, rows: usize) -> Self {
        self.batch_rows = rows;
        self
    }

    /// Passes over the table at most, 1 to 10,000; default 60. A pass over more than 262,144 rows takes a sample of that size.
    pub fn max_epochs(mut self, epochs: usize) -> Self {
        self.max_epochs = epochs;
        self
    }

    /// Passes without improvement on the held-out tenth before stopping, 1 to 10,000; default 5.
    pub fn patience_epochs(mut self, epochs: usize) -> Self {
        self.patience_epochs = epochs;
        self
    }

    /// Adam's step size, above 0 up to 1; default 0.002.
    pub fn learning_rate(mut self, rate: f64) -> Self {
        self.learning_rate = rate;
        self
    }

    /// Refuses what cannot be fitted.
    ///
    /// # Errors
    /// [`ModelError::Setting`] naming the setting and its range.
    pub fn check(self) -> Result<Autoencoder> {
        let width = |width: Option<usize>| width.is_none_or(|width| (1..=1_024).contains(&width));
        let epochs = |epochs| (1..=10_000).contains(&epochs);
        let rate = self.learning_rate;
        let checks = [
            ("hidden", self.hidden.unwrap_or(0).to_string(), width(self.hidden), "between 1 and 1024"),
            ("bottleneck", self.bottleneck.unwrap_or(0).to_string(), width(self.bottleneck), "between 1 and 1024"),
            ("batch_rows", self.batch_rows.to_string(), (1..=65_536).contains(&self.batch_rows), "between 1 and 65536"),
            ("max_epochs", self.max_epochs.to_string(), epochs(self.max_epochs), "between 1 and 10000"),
            ("patience_epochs", self.patience_epochs.to_string(), epochs(self.patience_epochs), "between 1 and 10000"),
            ("learning_rate", rate.to_string(), rate > 0.0 && rate <= 1.0, "above 0, at most 1"),
        ];
        match checks.into_iter().find(|check| !check.2) {
            Some((setting, value, _, range)) => Err(ModelError::Setting { voice: "autoencoder", setting, value, range }),
            None => Ok(Autoencoder(self)),
        }
    }
}

/// Checked settings; `fit` them by [`crate::Fit`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Autoencoder(AutoencoderParams);

impl Autoencoder {
    /// Layer widths for a table of `columns` columns, input and output included.
    pub fn widths(&self, columns: usize) -> [usize; 5] {
        let hidden = self.0.hidden.unwrap_or_else(|| (2 * columns).clamp(8, 64));
        let bottleneck = self.0.bottleneck.unwrap_or_else(|| (columns / 4).clamp(2, 16));
        [columns, hidden, bottleneck, hidden, columns]
    }

    /// Rows per step.
    pub fn batch_rows(&self) -> usize {
        self.0.batch_rows
    }

    /// Passes at most.
    pub fn max_epochs(&self) -> usize {
        self.0.max_epochs
    }

    /// Passes without improvement before stopping.
    pub fn patience_epochs(&self) -> usize {
        self.0.patience_epochs
    }

    /// Adam's step size.
    pub fn learning_rate(&self) -> f32 {
        self.0.learning_rate as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_kept_and_widths_follow_the_columns() {
        let checked = AutoencoderParams::default().check().unwrap();
        assert_eq!(checked.widths(80), [80, 64, 16, 64, 80]);
        assert_eq!(checked.widths(1), [1, 8, 2, 8, 1]);
        for bad in [
            AutoencoderParams::default().hidden(0),
            AutoencoderParams::default().bottleneck(9_999),
            AutoencoderParams::default().batch_rows(0),
            AutoencoderParams::default().max_epochs(0),
            AutoencoderParams::default().learning_rate(f64::NAN),
        ] {
            assert!(bad.check().is_err_and(|error| error.to_string().contains("must be")));
        }
    }
}
