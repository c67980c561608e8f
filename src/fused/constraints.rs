//! What may be done to the parameters after a step.

use std::ops::Range;

use ndarray::{ArrayViewMut2, Axis};

use super::parameters::Parameters;
use crate::{
    kernels::{view, view_mut},
    linalg,
    spec::{
        Normalization, Part, Predictor, TrainSpec, Turns,
        layout::{Kind, Site},
    },
};

impl Parameters {
    /// EMA target, then unit rows or columns, then clamped biases: the order of the authors' `alternate_train`. Then a
    /// predictor in closed form.
    pub fn constrain(&mut self, train: &TrainSpec, predictor: Predictor) {
        if let Turns::Ema { decay } = train.turns {
            self.follow(decay);
        }
        for (parameter, place) in self.places.iter().filter(|(parameter, _)| parameter.kind == Kind::Weight) {
            let by = match parameter.site.part {
                Part::Encoder | Part::Target => train.normalize_encoder,
                Part::Predictor => train.normalize_predictor,
                Part::Projector => Normalization::None,
            };
            if let [rows, columns] = parameter.shape[..] {
                normalize(view_mut(&mut self.values[place.clone()], rows, columns), by);
            }
        }
        if let Some(limit) = train.clamp_bias {
            let biases = self.places.iter().filter(|(parameter, _)| parameter.is_encoder_bias());
            for (_, place) in biases {
                clamp(&mut self.values[place.clone()], limit as f32);
            }
        }
        if let Predictor::Direct { power, epsilon, .. } = predictor {
            self.predict_directly(power, epsilon);
        }
    }

    /// The predictor from the second moment of what it is given: the same eigenvectors, eigenvalues `(s_j / s_1)^power +
    /// epsilon`.
    fn predict_directly(&mut self, power: f64, epsilon: f64) {
        let site = Site::first(Part::Predictor);
        let [weight, moment] = [Kind::Weight, Kind::Moment].map(|kind| self.place(site, kind));
        let (weight, moment) = weight.zip(moment).expect("a predictor in closed form has both");
        let m = moment.len().isqrt();
        let moment = view(&self.values[moment], m, m).mapv(f64::from);
        let predictor = linalg::map_eigenvalues(&moment, |value, largest| {
            if largest > 0.0 { (value.max(0.0) / largest).powf(power) + epsilon } else { epsilon }
        });
        self.values[weight].iter_mut().zip(&predictor).for_each(|(weight, &value)| *weight = value as f32);
    }

    /// BYOL's target: `W^t <- decay W^t + (1 - decay) W^o`, and the same for the bias.
    fn follow(&mut self, decay: f64) {
        for (parameter, target) in &self.places {
            if parameter.site.part == Part::Target && matches!(parameter.kind, Kind::Weight | Kind::Bias) {
                let online = self.place(parameter.twin(), parameter.kind).expect("the encoders are twins");
                follow(&mut self.values, target.clone(), online, decay);
            }
        }
    }
}

/// `target <- decay target + (1 - decay) online`
fn follow(values: &mut [f32], target: Range<usize>, online: Range<usize>, decay: f64) {
    for (target, online) in target.zip(online) {
        values[target] = decay as f32 * values[target] + (1.0 - decay) as f32 * values[online];
    }
}

/// Clamps to `[-limit, limit]`.
fn clamp(values: &mut [f32], limit: f32) {
    for value in values {
        *value = value.clamp(-limit, limit);
    }
}

/// Scales the weight `(m, p)` in place. As in the authors' code, nothing guards against a zero norm.
fn normalize(mut w: ArrayViewMut2<f32>, by: Normalization) {
    match by {
        Normalization::None => {}
        Normalization::Rows => unit_lanes(&mut w, Axis(0)),
        Normalization::Columns => unit_lanes(&mut w, Axis(1)),
        Normalization::CrossedColumns => {
            let lengths: Vec<f32> = w.columns().into_iter().map(|column| length(column.iter())).collect();
            for (mut row, length) in w.rows_mut().into_iter().zip(lengths) {
                row /= length;
            }
        }
    }
}

/// Divides every row (axis 0) or column (axis 1) by its length.
fn unit_lanes(w: &mut ArrayViewMut2<f32>, axis: Axis) {
    for mut lane in w.axis_iter_mut(axis) {
        let length = length(lane.iter());
        lane /= length;
    }
}

fn length<'a>(values: impl Iterator<Item = &'a f32>) -> f32 {
    values.map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt() as f32
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn normalized(by: Normalization) -> Array2<f32> {
        let mut w = array![[3.0, 4.0], [4.0, 3.0], [0.0, 12.0]];
        normalize(w.view_mut(), by);
        w
    }

    #[test]
    fn rows_and_columns_have_unit_length() {
        assert_eq!(normalized(Normalization::None), array![[3.0, 4.0], [4.0, 3.0], [0.0, 12.0]]);
        assert_eq!(normalized(Normalization::Rows), array![[0.6, 0.8], [0.8, 0.6], [0.0, 1.0]]);
        let columns = array![[3.0 / 5.0, 4.0 / 13.0], [4.0 / 5.0, 3.0 / 13.0], [0.0, 12.0 / 13.0]];
        assert_eq!(normalized(Normalization::Columns), columns);
    }

    /// The authors divide entry (j, i) by the norm of column j.
    #[test]
    fn crossed_columns() {
        let mut w = array![[3.0, 1.0], [4.0, 0.0]];
        normalize(w.view_mut(), Normalization::CrossedColumns);
        assert_eq!(w, array![[3.0 / 5.0, 1.0 / 5.0], [4.0, 0.0]]);
    }

    #[test]
    fn averages_and_bounds() {
        let mut w = [0.5, -1.0, 4.0];
        follow(&mut w, 1..2, 2..3, 0.75);
        assert_eq!(w, [0.5, 0.25, 4.0]);
        clamp(&mut w, 0.5);
        assert_eq!(w, [0.5, 0.25, 0.5]);
    }
}
