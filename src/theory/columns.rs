//! Geometry of U, the matrices with unit columns: a product of spheres, among them the permutation matrices.

use ndarray::{Array2, Axis};

use crate::{linalg::assignment, random::Draws};

/// Scales every column of `weight` to unit length. Columns of zeros stay.
pub fn normalize_columns(weight: &mut Array2<f64>) {
    normalize(weight, Axis(1));
}

/// Scales every row of `weight` to unit length. Rows of zeros stay.
pub fn normalize_rows(weight: &mut Array2<f64>) {
    normalize(weight, Axis(0));
}

fn normalize(weight: &mut Array2<f64>, axis: Axis) {
    for mut lane in weight.axis_iter_mut(axis) {
        let length = lane.dot(&lane).sqrt();
        if length > 0.0 {
            lane /= length;
        }
    }
}

/// `weight` with unit columns.
pub fn with_unit_columns(mut weight: Array2<f64>) -> Array2<f64> {
    normalize_columns(&mut weight);
    weight
}

/// The part of `direction` tangent to U at `weight`: every column loses its component along the weight's own column.
pub fn tangent(weight: &Array2<f64>, mut direction: Array2<f64>) -> Array2<f64> {
    for (mut column, normal) in direction.columns_mut().into_iter().zip(weight.columns()) {
        let along = column.dot(&normal);
        column.scaled_add(-along, &normal);
    }
    direction
}

/// A basis of the space tangent to U at `weight`, orthonormal, `m - 1` matrices for each of the columns.
pub fn tangent_basis(weight: &Array2<f64>) -> Vec<Array2<f64>> {
    let (rows, columns) = weight.dim();
    let mut basis = vec![];
    for j in 0..columns {
        // Householder's reflection that maps the axis nearest to the column onto it maps the other axes to its tangents.
        let column = weight.column(j);
        let pivot = (0..rows).max_by(|&a, &b| column[a].abs().total_cmp(&column[b].abs())).unwrap_or(0);
        let mut normal = column.to_owned();
        normal[pivot] += column[pivot].signum();
        let square = normal.dot(&normal);
        for axis in (0..rows).filter(|&axis| axis != pivot) {
            let mut direction = Array2::zeros((rows, columns));
            let mut image = direction.column_mut(j);
            image[axis] = 1.0;
            image.scaled_add(-2.0 * normal[axis] / square, &normal);
            basis.push(direction);
        }
    }
    basis
}

/// The length of a matrix as a vector.
pub fn frobenius(matrix: &Array2<f64>) -> f64 {
    matrix.iter().map(|entry| entry * entry).sum::<f64>().sqrt()
}

/// A uniformly random matrix of U, `(m, d)`.
pub fn random_signed(shape: (usize, usize), draws: &mut impl Draws) -> Array2<f64> {
    with_unit_columns(Array2::from_shape_simple_fn(shape, || draws.normal()))
}

/// A uniformly random matrix of U without negative entries, `(m, d)`.
pub fn random_non_negative(shape: (usize, usize), draws: &mut impl Draws) -> Array2<f64> {
    random_signed(shape, draws).mapv_into(f64::abs)
}

/// Complete collapse: all columns equal, and all entries equal.
pub fn collapsed(d: usize) -> Array2<f64> {
    Array2::from_elem((d, d), (d as f64).sqrt().recip())
}

/// The matrix whose column `j` is the axis `order[j]`.
pub fn permutation(order: &[usize]) -> Array2<f64> {
    let d = order.len();
    Array2::from_shape_fn((d, d), |(i, j)| f64::from(u8::from(order[j] == i)))
}

/// The permutation matrix nearest to a weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// The row that each column is matched with: see [`permutation`].
    pub order: Vec<usize>,
    /// Frobenius distance.
    pub distance: f64,
}

/// Finds the permutation matrix nearest to a square `weight`: an assignment problem, since
/// `|W - P|^2 = |W|^2 + d - 2 <W, P>`.
pub fn nearest_permutation(weight: &Array2<f64>) -> Nearest {
    let order = assignment(&weight.t().to_owned()).unwrap_or_default();
    let distance = frobenius(&(weight - &permutation(&order)));
    Nearest { order, distance }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{native::Key, permuted};

    #[test]
    fn the_nearest_permutation_is_the_best_of_all() {
        for seed in 0..20 {
            let weight = random_signed((4, 4), &mut Key::from_seed(seed).stream());
            let nearest = nearest_permutation(&weight);
            assert!((frobenius(&(&weight - &permutation(&nearest.order))) - nearest.distance).abs() < 1e-15);
            let mut orders = 0;
            for code in 0..256usize {
                let order: Vec<usize> = (0..4).map(|j| code >> (2 * j) & 3).collect();
                if (0..4).all(|i| order.contains(&i)) {
                    orders += 1;
                    assert!(frobenius(&(&weight - &permutation(&order))) > nearest.distance - 1e-9);
                }
            }
            assert_eq!(orders, 24);
        }
    }

    #[test]
    fn a_permutation_is_nearest_to_itself() {
        let order = permuted(&mut Key::from_seed(3).stream(), &(0..9).collect::<Vec<_>>());
        assert_eq!(nearest_permutation(&permutation(&order)), Nearest { order, distance: 0.0 });
    }

    #[test]
    fn tangent_bases_are_orthonormal_and_tangent() {
        for weight in [random_signed((6, 5), &mut Key::from_seed(1).stream()), permutation(&[2, 0, 1])] {
            let basis = tangent_basis(&weight);
            let (m, d) = weight.dim();
            assert_eq!(basis.len(), d * (m - 1));
            for (i, a) in basis.iter().enumerate() {
                assert!(frobenius(&(a - &tangent(&weight, a.clone()))) < 1e-14);
                for (j, b) in basis.iter().enumerate() {
                    let expected = f64::from(u8::from(i == j));
                    assert!(((a * b).sum() - expected).abs() < 1e-14);
                }
            }
        }
    }

    #[test]
    fn random_matrices_have_unit_columns() {
        let weight = random_non_negative((7, 7), &mut Key::from_seed(5).stream());
        assert!(weight.iter().all(|&entry| entry >= 0.0));
        assert!(weight.columns().into_iter().all(|column| (column.dot(&column) - 1.0).abs() < 1e-15));
        assert_eq!(with_unit_columns(Array2::zeros((2, 2))), Array2::<f64>::zeros((2, 2)));
    }
}
