use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error};

/// Seeds of an experiment: `7`, `1..5` (both ends included), `[1, 4, 9]`, or `1,4,9` on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(pub Vec<u64>);

/// Seeds of one experiment, at most.
const MOST: usize = 100_000;

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let too_many = || format!("`{text}` names more than {MOST} seeds");
        let number = |part: &str| part.trim().parse::<u64>();
        let wrong = || format!("`{text}` is not a set of seeds; valid: 7, 1..5 (both ends included) or 1,4,9");
        let mut seeds = Vec::new();
        for part in text.split(',') {
            match part.split_once("..") {
                Some((first, last)) => {
                    let (first, last) = number(first).ok().zip(number(last).ok()).ok_or_else(wrong)?;
                    if last < first {
                        return Err(wrong());
                    }
                    if last - first >= (MOST - seeds.len()) as u64 {
                        return Err(too_many());
                    }
                    seeds.extend(first..=last);
                }
                None if seeds.len() == MOST => return Err(too_many()),
                None => seeds.push(number(part).map_err(|_| wrong())?),
            }
        }
        Ok(Self(seeds))
    }
}

impl fmt::Display for Seeds {
    /// In the notation of the command line, with consecutive seeds as ranges.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = self.0.chunk_by(|a, b| a.checked_add(1) == Some(*b));
        let written = ranges.map(|range| match range {
            [first, .., last] => format!("{first}..{last}"),
            _ => range[0].to_string(),
        });
        f.write_str(&written.collect::<Vec<_>>().join(","))
    }
}

impl<'de> Deserialize<'de> for Seeds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            One(u64),
            List(Vec<u64>),
            Text(String),
        }
        match Written::deserialize(deserializer)
            .map_err(|_| D::Error::custom("seeds are a number, a list of numbers or a range such as 1..5"))?
        {
            Written::One(seed) => Ok(Self(vec![seed])),
            Written::List(seeds) if (1..=MOST).contains(&seeds.len()) => Ok(Self(seeds)),
            Written::List(seeds) if seeds.len() > MOST => Err(D::Error::custom(format_args!("more than {MOST} seeds"))),
            Written::List(_) => Err(D::Error::custom("there must be at least one seed")),
            Written::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_seeds() {
        assert_eq!("1..5".parse(), Ok(Seeds(vec![1, 2, 3, 4, 5])));
        assert_eq!("7".parse(), Ok(Seeds(vec![7])));
        assert_eq!("1,3..4".parse(), Ok(Seeds(vec![1, 3, 4])));
        for written in ["7", "1..5", "1,3..4,9,8"] {
            assert_eq!(written.parse::<Seeds>().unwrap().to_string(), written);
        }
        for wrong in ["", "5..1", "a", "1..", "1;2", "0..18446744073709551615"] {
            assert!(wrong.parse::<Seeds>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn seeds_are_counted() {
        assert_eq!("1..100000".parse::<Seeds>().unwrap().0.len(), MOST);
        for many in ["0..100000", "1..60000,1..60000", "1..100000,7", "1..1000000"] {
            assert!(many.parse::<Seeds>().unwrap_err().contains("more than 100000 seeds"), "{many}");
        }
    }
}
