//! How arms look in pictures of curves.

use serde::Deserialize;

/// An arm in pictures of curves.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmLook {
    /// Its text in legends, in place of its name.
    pub label: Option<String>,
    /// Its colour, in place of its method's.
    pub color: Option<Ink>,
}

/// The colours of curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ink {
    /// `#0072b2`
    Blue,
    /// `#d55e00`
    Vermilion,
    /// `#009e73`
    Green,
    /// `#cc79a7`
    Pink,
    /// `#e69f00`
    Orange,
    /// `#56b4e9`
    Sky,
    /// `#1a1a1a`
    Black,
    /// `#882255`
    Wine,
    /// `#332288`
    Indigo,
    /// `#999933`
    Olive,
    /// `#8c564b`
    Brown,
    /// `#888888`
    Grey,
    /// `#44aa99`
    Teal,
    /// `#7b3294`
    Purple,
}

impl Ink {
    /// Every colour, in the order of the palette: an ink is its index there.
    pub const ALL: [Self; 14] = [
        Self::Blue,
        Self::Vermilion,
        Self::Green,
        Self::Pink,
        Self::Orange,
        Self::Sky,
        Self::Black,
        Self::Wine,
        Self::Indigo,
        Self::Olive,
        Self::Brown,
        Self::Grey,
        Self::Teal,
        Self::Purple,
    ];
}
