use ndarray::{Array, Dimension};

/// The plane through three points of a space of matrices or vectors, with Euclidean distances as coordinates.
#[derive(Clone, Debug)]
pub struct Plane<D: Dimension> {
    origin: Array<f64, D>,
    /// Orthonormal: towards the second point, and from there towards the third.
    axes: [Array<f64, D>; 2],
    /// Where the three points lie; the first is the origin.
    pub marked: [(f64, f64); 3],
}

impl<D: Dimension> Plane<D> {
    /// `None` if the points lie on one line.
    pub fn through([origin, second, third]: [Array<f64, D>; 3]) -> Option<Self> {
        let dot = |a: &Array<f64, D>, b: &Array<f64, D>| (a * b).sum();
        let unit = |v: Array<f64, D>| {
            let length = dot(&v, &v).sqrt();
            (length > 0.0).then(|| v / length)
        };
        let (second, third) = (second - &origin, third - &origin);
        let x = unit(second.clone())?;
        let along = dot(&third, &x);
        let beside = &third - &(&x * along);
        // If the third point lies on the line, what rounding leaves of it is no direction.
        let off_the_line = dot(&beside, &beside) > 1e-18 * dot(&third, &third);
        let y = unit(beside).filter(|_| off_the_line)?;
        let marked = [(0.0, 0.0), (dot(&second, &x), 0.0), (along, dot(&third, &y))];
        Some(Self { origin, axes: [x, y], marked })
    }

    /// The point at coordinates x and y.
    pub fn at(&self, x: f64, y: f64) -> Array<f64, D> {
        let mut point = self.origin.clone();
        point.scaled_add(x, &self.axes[0]);
        point.scaled_add(y, &self.axes[1]);
        point
    }

    /// `points` positions along either axis, around the three points, with a margin on all sides given as a share of
    /// what they span.
    pub fn grid(&self, points: usize, margin: f64) -> [Vec<f64>; 2] {
        let axis = |of: fn(&(f64, f64)) -> f64| {
            let ends = self.marked.iter().map(of).fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
            let margin = margin * (ends.1 - ends.0);
            evenly(ends.0 - margin, ends.1 + margin, points)
        };
        [axis(|point| point.0), axis(|point| point.1)]
    }
}

/// `points` numbers from `low` to `high`, evenly spaced.
pub fn evenly(low: f64, high: f64, points: usize) -> Vec<f64> {
    (0..points).map(|i| low + (high - low) * i as f64 / (points - 1) as f64).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;

    #[test]
    fn a_plane_holds_its_points() {
        let points = [array![[1.0, 0.0], [0.0, 1.0]], array![[0.0, 2.0], [0.5, 0.0]], array![[3.0, 1.0], [1.0, -1.0]]];
        let plane = Plane::through(points.clone()).unwrap();
        for (point, (x, y)) in points.iter().zip(plane.marked) {
            assert!((plane.at(x, y) - point).iter().all(|difference| difference.abs() < 1e-14));
        }
        let length = |point: &ndarray::Array2<f64>| (point * point).sum().sqrt();
        assert!((plane.marked[1].0 - length(&(&points[1] - &points[0]))).abs() < 1e-14);
        let [xs, ys] = plane.grid(5, 0.5);
        assert!(xs.len() == 5 && xs[0] < 0.0 && ys[4] > plane.marked[2].1);
        assert!((length(&(plane.at(xs[1], ys[0]) - plane.at(xs[0], ys[0]))) - (xs[1] - xs[0])).abs() < 1e-14);
    }

    #[test]
    fn a_line_is_no_plane() {
        let on_line = |t: f64| Array1::from(vec![1.0 + t, 2.0 - 3.0 * t, t / 3.0]);
        assert!(Plane::through([0.0, 1.0, 0.7].map(on_line)).is_none());
        assert!(Plane::through([0.0, 0.0, 0.7].map(on_line)).is_none());
    }
}
