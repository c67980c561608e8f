//! Which colour a curve has: its method's, the same in all pictures.

use crate::{
    plots::LineStyle,
    spec::{Experiment, Family, Ink, PlannedRun, Predictor, Projector, RunSpec, Turns},
};

/// The colours of contrastive losses without a projector.
const LOSSES: [(&str, Ink); 9] = [
    ("nt_xent", Ink::Vermilion),
    ("asymmetric_nt_xent", Ink::Vermilion),
    ("dcl", Ink::Wine),
    ("siglip", Ink::Indigo),
    ("spectral", Ink::Olive),
    ("alignment_uniformity", Ink::Brown),
    ("sigreg", Ink::Purple),
    ("barlow_twins", Ink::Teal),
    ("vicreg", Ink::Grey),
];

/// The colours that a second arm of a method takes, those that are no method's or seldom one's first.
const SPARE: [Ink; 14] = [
    Ink::Black,
    Ink::Teal,
    Ink::Wine,
    Ink::Olive,
    Ink::Indigo,
    Ink::Brown,
    Ink::Purple,
    Ink::Grey,
    Ink::Sky,
    Ink::Orange,
    Ink::Pink,
    Ink::Green,
    Ink::Vermilion,
    Ink::Blue,
];

/// The colour of a method: of its family and head where two views attract each other, of its loss where samples also
/// repel. A loss that the table lacks is black.
pub fn hue(spec: &RunSpec) -> Ink {
    let loss = spec.loss.kind();
    match spec.model.family {
        Family::SimSiam => Ink::Pink,
        Family::NonContrastive => match (&spec.train.turns, &spec.model.predictor) {
            (Turns::Ema { .. }, _) => Ink::Sky,
            (_, Predictor::None | Predictor::Idle { .. }) => Ink::Blue,
            _ => Ink::Green,
        },
        Family::Contrastive if loss.ends_with("nt_xent") && spec.model.projector != Projector::None => Ink::Orange,
        Family::Contrastive => LOSSES.iter().find(|(name, _)| *name == loss).map_or(Ink::Black, |(_, ink)| *ink),
    }
}

/// The colours of an experiment's arms, by their place. A colour that the file gives an arm comes first, then that of its
/// method; arms whose method's colour another arm has take those that are left.
pub fn arm_hues(experiment: &Experiment, curves: &[PlannedRun]) -> Vec<Ink> {
    let arms = curves.iter().map(|run| run.arm + 1).max().unwrap_or(0);
    let asked = |arm: usize| experiment.look.get(experiment.arms.get_index(arm)?.0)?.color;
    let method = |arm: usize| curves.iter().find(|run| run.arm == arm).map_or(Ink::Black, |run| hue(&run.spec));
    let mut hues: Vec<Option<Ink>> = (0..arms).map(asked).collect();
    for arm in 0..arms {
        let ink = method(arm);
        if hues[arm].is_none() && !hues.contains(&Some(ink)) {
            hues[arm] = Some(ink);
        }
    }
    for arm in 0..arms {
        if hues[arm].is_none() {
            let left = SPARE.into_iter().find(|ink| !hues.contains(&Some(*ink)));
            hues[arm] = left.or_else(|| Some(method(arm)));
        }
    }
    hues.into_iter().flatten().collect()
}

/// The look of a curve: the colour says the method, dash and shade say the point of the grid, of so many.
pub fn style(hues: &[Ink], run: &PlannedRun, points: usize) -> LineStyle {
    let ink = hues.get(run.arm).copied().unwrap_or(Ink::Black);
    LineStyle::dashed(ink as usize, run.point).shaded(run.point, points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{plots::COLORS, spec::Overrides};

    #[test]
    fn an_ink_is_its_place_in_the_palette() {
        assert!(Ink::ALL.iter().enumerate().all(|(place, ink)| *ink as usize == place));
        assert_eq!(Ink::ALL.len(), COLORS);
    }

    /// Arms of one method differ; a method has its colour wherever it stands.
    #[test]
    fn a_method_has_one_colour() {
        let folder = tempfile::tempdir().unwrap();
        let hues = |arms: &str| {
            let file = folder.path().join("x.yaml");
            std::fs::write(&file, format!("{{title: t, seeds: 1, arms: {{{arms}}}}}")).unwrap();
            let (experiment, runs) = crate::spec::plan_file(&file, &Overrides::default()).unwrap();
            arm_hues(&experiment, &runs)
        };
        assert_eq!(hues("A: {method: ncl}, B: {method: cl}"), [Ink::Blue, Ink::Vermilion]);
        assert_eq!(hues("B: {method: cl}, A: {method: ncl}"), [Ink::Vermilion, Ink::Blue]);
        let all = "A: {method: cl}, B: {method: cl, train: {lr: 1}}, C: {method: ncl}, D: {method: simsiam}";
        assert_eq!(hues(all), [Ink::Vermilion, Ink::Black, Ink::Blue, Ink::Pink]);
        let asked = "A: {method: cl}, B: {method: ncl}}, look: {A: {color: blue}";
        assert_eq!(hues(asked)[0], Ink::Blue);
        assert_ne!(hues(asked)[1], Ink::Blue);
        let table1 = "SimCLR: {method: simplified-simclr}, SimSiam: {method: simplified-simsiam}, BYOL: {method: byol}";
        assert_eq!(hues(table1), [Ink::Orange, Ink::Pink, Ink::Sky]);
    }
}
