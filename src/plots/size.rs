use std::{fmt, str::FromStr};

/// Width and height of a picture, in pixels of its PNG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// From 300 to 8000.
    pub width: u32,
    /// The same; painting a picture takes 48 bytes for each of its pixels.
    pub height: u32,
}

/// As many pixels as the largest picture of usual width has.
const MOST_PIXELS: u32 = 1600 * 8000;

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sides = text.split_once('x').and_then(|(w, h)| Some((w.trim().parse().ok()?, h.trim().parse().ok()?)));
        match sides {
            Some((width, height))
                if [width, height].iter().all(|side| (300..=8000).contains(side)) && width * height <= MOST_PIXELS =>
            {
                Ok(Self { width, height })
            }
            _ => Err(format!(
                "`{text}` is not a size; valid: width x height in pixels, each from 300 to 8000, such as 1600x900"
            )),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_two_numbers_within_reason() {
        assert_eq!("1600x900".parse(), Ok(Size { width: 1600, height: 900 }));
        assert_eq!("800 x 600".parse::<Size>().unwrap().to_string(), "800x600");
        for wrong in ["", "x", "1600", "1600x", "1600x9", "8000x8000", "99999999999x900", "-800x600", "1e3x900"] {
            assert!(wrong.parse::<Size>().unwrap_err().contains("1600x900"), "{wrong}");
        }
    }
}
