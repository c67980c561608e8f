use std::fmt;

/// The span counts as found from this overlap of the learnt span with the dictionary's.
const SPANNED: f64 = 0.8;

/// What a run found, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// Neither atoms nor their span.
    Nothing,
    /// The space that the atoms span, and fewer than half of the atoms: the rest are at the chance level.
    Span,
    /// At least half of the atoms, all but this many.
    AllBut(usize),
    /// Every atom.
    All,
}

impl Finding {
    /// Of a run with this many of all atoms [found](super::FOUND), and this overlap of the spans
    /// ([`Recovery`](super::Recovery)), if there is a span to be found.
    pub fn of(found: usize, atoms: usize, span_overlap: Option<f64>) -> Self {
        match atoms.saturating_sub(found) {
            0 => Self::All,
            missing if 2 * found >= atoms => Self::AllBut(missing),
            _ if span_overlap.is_some_and(|overlap| overlap >= SPANNED) => Self::Span,
            _ => Self::Nothing,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.pad("nothing"),
            Self::Span => f.pad("the span"),
            Self::AllBut(missing) => f.pad(&format!("all but {missing}")),
            Self::All => f.pad("all"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_in_words() {
        let words = |found, overlap| Finding::of(found, 10, Some(overlap)).to_string();
        assert_eq!(words(10, 0.2), "all");
        assert_eq!((words(9, 0.9), words(5, 0.1)), ("all but 1".into(), "all but 5".into()));
        assert_eq!((words(4, 0.9), words(0, 0.8)), ("the span".into(), "the span".into()));
        assert_eq!((words(4, 0.5), words(0, 0.79)), ("nothing".into(), "nothing".into()));
        assert_eq!(Finding::of(4, 10, None), Finding::Nothing);
    }
}
