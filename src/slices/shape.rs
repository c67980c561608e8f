use std::str::FromStr;

use anyhow::Result;

use crate::input_error;

/// The part of a loss surface that is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The line from the start to the end of each run.
    Path,
    /// The line through the ends of two runs.
    Line,
    /// The plane through three points: the ends of three runs, or the start of the first and the ends of two.
    Plane,
    /// A plane through the end of each run along two random directions with every neuron's weights as long as the run's
    /// own (Li et al., "Visualizing the loss landscape of neural nets", NeurIPS 2018).
    Random,
}

impl Shape {
    /// Every shape with its name.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Path, "path"), (Self::Line, "line"), (Self::Plane, "plane"), (Self::Random, "random")];

    /// Its name as a flag's value.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(shape, _)| *shape == self).map_or("", |(_, name)| name)
    }

    /// The shape asked for or, without one, what suits the number of runs: a path for one, a line for two, a plane for
    /// three.
    ///
    /// # Errors
    /// [`InputError`](crate::spec::InputError) if the shape needs another number of runs.
    pub fn of(asked: Option<Self>, runs: usize) -> Result<Self> {
        let shape = asked.unwrap_or(match runs {
            2 => Self::Line,
            3 => Self::Plane,
            _ => Self::Path,
        });
        match (shape, runs) {
            (Self::Line, 2) | (Self::Plane, 2 | 3) | (Self::Path | Self::Random, 1..) => Ok(shape),
            (Self::Line, _) => Err(input_error!("a line needs two runs, not {runs}")),
            (Self::Plane, _) => Err(input_error!("a plane needs two or three runs, not {runs}")),
            _ => Err(input_error!("name at least one run")),
        }
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.iter().find(|(_, name)| *name == text);
        named
            .map(|(shape, _)| *shape)
            .ok_or_else(|| format!("`{text}` is not a shape; valid: path, line, plane, random"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_runs_decides() {
        for (runs, shape) in [(1, Shape::Path), (2, Shape::Line), (3, Shape::Plane), (5, Shape::Path)] {
            assert_eq!(Shape::of(None, runs).unwrap(), shape);
        }
        assert_eq!(Shape::of(Some(Shape::Plane), 2).unwrap(), Shape::Plane);
        assert!(Shape::of(Some(Shape::Line), 3).unwrap_err().to_string().contains("two runs, not 3"));
        assert!(Shape::of(Some(Shape::Plane), 1).is_err());
        for (shape, name) in Shape::ALL {
            assert_eq!(name.parse(), Ok(shape));
        }
        assert!("circle".parse::<Shape>().is_err());
    }
}
