use std::fmt;

/// The kind of a picture's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileFormat {
    /// Pixels.
    #[default]
    Png,
    /// Lines and text, for browsers.
    Svg,
    /// The same as a page, for papers.
    Pdf,
}

impl FileFormat {
    /// The kinds with their names, which are the files' endings.
    pub const NAMES: [(Self, &'static str); 3] = [(Self::Png, "png"), (Self::Svg, "svg"), (Self::Pdf, "pdf")];

    /// The kind of a file name's ending, in any case.
    pub fn of_ending(ending: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, name)| ending.eq_ignore_ascii_case(name)).map(|(format, _)| format)
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(format, _)| format == self).map_or("", |(_, name)| name);
        f.pad(name)
    }
}
