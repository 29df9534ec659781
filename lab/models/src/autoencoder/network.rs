//! Dense layers: forward pass, gradients of Huber's loss, Adam.
//!
//! All weights lie in one vector, layer after layer, each as a row-major `inputs × outputs` block followed by its
//! biases. Hidden layers end in softsign, x / (1 + |x|), the last is linear: a saturating layer cannot carry a value
//! far outside the training range through to the output, a rectifier can, and anomalies would be reproduced well.
//! Checked against finite differences in the tests below.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, Axis};

use crate::rng::Rng;

/// Errors beyond this pull with constant force (Huber's loss), so that the few strange rows of a training table do not
/// get to shape the network.
const FAR: f32 = 0.3;

/// Widths and weights.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Network {
    pub(super) widths: Vec<usize>,
    pub(super) weights: Vec<f32>,
}

/// Buffers of one thread for one chunk of rows.
#[derive(Default)]
pub(super) struct Scratch {
    /// Outputs of every layer, the input first.
    activations: Vec<Vec<f32>>,
    delta: Vec<f32>,
    delta_below: Vec<f32>,
}

impl Network {
    /// Normal weights of variance 2 / inputs, zero biases.
    pub(super) fn random(widths: &[usize], rng: &mut Rng) -> Self {
        let mut weights = Vec::with_capacity(Self::weight_count(widths));
        for pair in widths.windows(2) {
            let deviation = (2.0 / pair[0] as f64).sqrt();
            weights.extend((0..pair[0] * pair[1]).map(|_| (rng.normal() * deviation) as f32));
            weights.extend((0..pair[1]).map(|_| 0.0));
        }
        Self { widths: widths.to_vec(), weights }
    }

    /// Weights and biases of a network of these widths.
    pub(super) fn weight_count(widths: &[usize]) -> usize {
        widths.windows(2).map(|pair| pair[0] * pair[1] + pair[1]).sum()
    }

    /// Reconstruction of the rows (row-major), left in `scratch` and returned.
    pub(super) fn forward<'a>(&self, rows: &[f32], scratch: &'a mut Scratch) -> &'a [f32] {
        let count = rows.len() / self.widths[0];
        scratch.activations.resize(self.widths.len(), Vec::new());
        scratch.activations[0].clear();
        scratch.activations[0].extend_from_slice(rows);
        let mut offset = 0;
        for (layer, pair) in self.widths.windows(2).enumerate() {
            let (weights, biases) = self.layer(offset, pair);
            offset += weights.len() + biases.len();
            let (below, above) = scratch.activations.split_at_mut(layer + 1);
            let output = &mut above[0];
            output.clear();
            (0..count).for_each(|_| output.extend_from_slice(biases));
            multiply(1.0, &view(&below[layer], count), &view(weights, pair[0]), 1.0, output, count);
            if layer + 2 < self.widths.len() {
                output.iter_mut().for_each(|value| *value /= 1.0 + value.abs());
            }
        }
        &scratch.activations[self.widths.len() - 1]
    }

    /// Gradient of `scale · Σ huber(reconstruction − row)` over the rows, written to `gradient`; huber(e) is e² up to
    /// `FAR` and goes on as a straight line.
    pub(super) fn gradient(&self, rows: &[f32], scale: f32, scratch: &mut Scratch, gradient: &mut Vec<f32>) {
        self.forward(rows, scratch);
        let count = rows.len() / self.widths[0];
        let Scratch { activations, delta, delta_below } = scratch;
        gradient.clear();
        gradient.resize(self.weights.len(), 0.0);
        let last = self.widths.len() - 1;
        delta.clear();
        delta.extend(activations[last].iter().zip(rows).map(|(out, row)| 2.0 * scale * (out - row).clamp(-FAR, FAR)));
        let mut end = self.weights.len();
        for layer in (0..last).rev() {
            let (inputs, outputs) = (self.widths[layer], self.widths[layer + 1]);
            let start = end - inputs * outputs - outputs;
            let (weight_slots, bias_slots) = gradient[start..end].split_at_mut(inputs * outputs);
            let (below, above) = (view(&activations[layer], count), view(delta, count));
            multiply(1.0, &below.t(), &above, 0.0, weight_slots, inputs);
            above.axis_iter(Axis(0)).for_each(|row| add(bias_slots, row));
            if layer > 0 {
                delta_below.clear();
                delta_below.resize(count * inputs, 0.0);
                let (weights, _) = self.layer(start, &[inputs, outputs]);
                multiply(1.0, &above, &view(weights, inputs).t(), 0.0, delta_below, count);
                let slopes = activations[layer].iter().map(|&out| (1.0 - out.abs()) * (1.0 - out.abs()));
                delta_below.iter_mut().zip(slopes).for_each(|(delta, slope)| *delta *= slope);
                std::mem::swap(delta, delta_below);
            }
            end = start;
        }
    }

    fn layer(&self, offset: usize, widths: &[usize]) -> (&[f32], &[f32]) {
        let size = widths[0] * widths[1];
        (&self.weights[offset..offset + size], &self.weights[offset + size..offset + size + widths[1]])
    }
}

/// Kingma and Ba 2015, with their constants.
pub(super) struct Adam {
    rate: f32,
    step: i32,
    mean: Vec<f32>,
    square: Vec<f32>,
}

impl Adam {
    pub(super) fn new(rate: f32, weights: usize) -> Self {
        Self { rate, step: 0, mean: vec![0.0; weights], square: vec![0.0; weights] }
    }

    pub(super) fn update(&mut self, weights: &mut [f32], gradient: &[f32]) {
        const BETA_1: f32 = 0.9;
        const BETA_2: f32 = 0.999;
        const EPSILON: f32 = 1e-8;
        self.step = self.step.saturating_add(1);
        let rate = self.rate * (1.0 - BETA_2.powi(self.step)).sqrt() / (1.0 - BETA_1.powi(self.step));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((weight, &slope), (mean, square)) in weights.iter_mut().zip(gradient).zip(moments) {
            *mean = BETA_1 * *mean + (1.0 - BETA_1) * slope;
            *square = BETA_2 * *square + (1.0 - BETA_2) * slope * slope;
            *weight -= rate * *mean / (square.sqrt() + EPSILON);
        }
    }
}

fn add(sums: &mut [f32], row: ArrayView1<'_, f32>) {
    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
}

/// A row-major slice as a matrix of `rows` rows; an empty matrix should lengths not agree, which they always do.
fn view(values: &[f32], rows: usize) -> ArrayView2<'_, f32> {
    let shape = (rows, values.len().checked_div(rows).unwrap_or(0));
    ArrayView2::from_shape(shape, values).unwrap_or_else(|_| ArrayView2::from(&[[]; 0]))
}

/// `out = alpha · a · b + beta · out`.
fn multiply(alpha: f32, a: &ArrayView2<'_, f32>, b: &ArrayView2<'_, f32>, beta: f32, out: &mut [f32], rows: usize) {
    let shape = (rows, out.len().checked_div(rows).unwrap_or(0));
    if let Ok(mut out) = ArrayViewMut2::from_shape(shape, out) {
        general_mat_mul(alpha, a, b, beta, &mut out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradient_equals_finite_differences() {
        let mut rng = Rng::stream(3, 0);
        let mut network = Network::random(&[3, 5, 2, 5, 3], &mut rng);
        network.weights.iter_mut().for_each(|weight| *weight += rng.normal() as f32 * 0.1);
        let rows: Vec<f32> = (0..12).map(|_| rng.normal() as f32).collect();
        let mut scratch = Scratch::default();
        let mut loss = |network: &Network| -> f64 {
            let out = network.forward(&rows, &mut scratch).to_vec();
            let huber = |e: f64| if e < f64::from(FAR) { e * e } else { f64::from(FAR) * (2.0 * e - f64::from(FAR)) };
            out.iter().zip(&rows).map(|(a, b)| huber(f64::from(a - b).abs())).sum()
        };
        let mut gradient = Vec::new();
        network.gradient(&rows, 1.0, &mut Scratch::default(), &mut gradient);
        for (at, &computed) in gradient.iter().enumerate() {
            let mut moved = network.clone();
            moved.weights[at] += 1e-2;
            let up = loss(&moved);
            moved.weights[at] -= 2e-2;
            let slope = (up - loss(&moved)) / 2e-2;
            assert!((slope - f64::from(computed)).abs() < 0.05 + 0.02 * slope.abs(), "weight {at}: {slope} {computed}");
        }
    }

    #[test]
    fn adam_finds_the_minimum_of_a_parabola() {
        let mut weights = [5.0f32, -3.0];
        let mut adam = Adam::new(0.1, 2);
        for _ in 0..500 {
            let gradient = [2.0 * (weights[0] - 1.0), 8.0 * (weights[1] - 2.0)];
            adam.update(&mut weights, &gradient);
        }
        assert!((weights[0] - 1.0).abs() < 1e-2 && (weights[1] - 2.0).abs() < 1e-2, "{weights:?}");
    }
}
