use std::str::FromStr;

use anyhow::Result;

use crate::input_error;

/// Epochs by number, from 1 on as in `metrics.csv`: `1`, `1..5` (both ends included), `last`, several with commas between
/// them, or `none`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epochs(Vec<[End; 2]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Number(usize),
    Last,
}

impl FromStr for End {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.trim() {
            "last" => Ok(Self::Last),
            number => number.parse().map(Self::Number).map_err(|_| ()),
        }
    }
}

impl FromStr for Epochs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(vec![]));
        }
        let range = |part: &str| -> Result<[End; 2], ()> {
            let (first, last) = part.split_once("..").unwrap_or((part, part));
            Ok([first.parse()?, last.parse()?])
        };
        let ranges = text.split(',').map(range).collect::<Result<_, ()>>();
        ranges.map(Self).map_err(|()| {
            format!(
                "`{text}` names no epochs; valid: 1, 1..5 (both ends included), last, none, or several: 1,10..20,last"
            )
        })
    }
}

impl Epochs {
    /// In ascending order, each once, for a run of so many epochs.
    ///
    /// # Errors
    /// An epoch that the run does not have.
    pub fn of(&self, trained: usize) -> Result<Vec<usize>> {
        let number = |end: &End| match *end {
            End::Number(number) => number,
            End::Last => trained,
        };
        let mut epochs = Vec::new();
        for [first, last] in &self.0 {
            let (first, last) = (number(first), number(last));
            if first < 1 || last < first || last > trained {
                let named = if first == last { first.to_string() } else { format!("{first}..{last}") };
                return Err(input_error!("--epochs: the run has the epochs 1 to {trained}, not {named}"));
            }
            epochs.extend(first..=last);
        }
        epochs.sort_unstable();
        epochs.dedup();
        Ok(epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_epochs() {
        let of = |text: &str| text.parse::<Epochs>().unwrap().of(10).map_err(|error| error.to_string());
        assert_eq!(of("last"), Ok(vec![10]));
        assert_eq!(of("9..last,1,9"), Ok(vec![1, 9, 10]));
        assert_eq!(of("none"), Ok(vec![]));
        for (wrong, named) in [("0", "not 0"), ("11", "not 11"), ("3..2", "not 3..2"), ("5..99", "not 5..99")] {
            assert!(of(wrong).unwrap_err().ends_with(named), "{wrong}");
        }
        for wrong in ["", "first", "1..", "1;2", "-1"] {
            assert!(wrong.parse::<Epochs>().is_err(), "{wrong}");
        }
    }
}
