//! Expected gradient descent against the closed form.

use anyhow::Result;

use super::{
    Check, Options, Report, Table,
    dynamics::{ClosedForm, Step, outside_span},
    options::{Population, Schedule},
    relative_difference, seen,
};
use crate::{
    plots::{Curve, Panel, Scale},
    theory::style,
};

/// How far expected gradient descent is from theory, at some steps.
struct Deviation {
    /// Of `W^o_t M` from the closed form, relative.
    closed_form: Vec<f64>,
    /// Of `W^o_t M` from the span, relative.
    span: Vec<f64>,
}

/// About thirty steps, evenly spaced on a logarithmic axis, the last one among them.
fn recorded(steps: usize) -> Vec<usize> {
    let mut recorded: Vec<usize> =
        (0..=30).map(|i| (steps as f64).powf(f64::from(i) / 30.0).round() as usize).collect();
    recorded.dedup();
    recorded
}

/// Follows every schedule from every start and tabulates; the panels of a figure.
pub fn study(options: &Options, report: &mut Report) -> Result<Vec<Panel>> {
    report.begin("expected gradient descent");
    let Population { steps, schedules } = &options.population;
    let recorded = recorded(*steps);
    let follow = |schedule: &Schedule, i: u64, in_turns: bool| {
        let source = options.source(schedule.noise);
        let moment = source.moment();
        let mut encoders = options.start(i);
        let (online, target) = seen(&encoders, &source);
        let mut closed = ClosedForm::default();
        let mut deviation = Deviation { closed_form: vec![], span: vec![] };
        for t in 0..*steps {
            let step = Step { rate: schedule.rate.at(t), decay: schedule.decay.at(t) };
            if in_turns {
                encoders.step_in_turns(&moment, step)
            } else {
                encoders.step(&moment, step)
            }
            closed.advance(step.decay, source.mixing(step.rate));
            if recorded.binary_search(&(t + 1)).is_ok() {
                let found = encoders.online.dot(&source.dictionary);
                deviation.closed_form.push(relative_difference(&found, &closed.online(&online, &target)));
                deviation.span.push(outside_span(&found, &online, &target));
            }
        }
        deviation
    };
    let found: Vec<Vec<Deviation>> =
        schedules.iter().map(|schedule| options.for_starts(|i| follow(schedule, i, false))).collect();
    let in_turns: Vec<Deviation> =
        schedules.iter().flat_map(|schedule| options.for_starts(|i| follow(schedule, i, true))).collect();

    let mut table = Table::new(&[
        "schedule",
        "start",
        "step",
        "relative_difference_from_closed_form",
        "relative_residual_outside_span",
    ]);
    for (schedule, of_schedule) in schedules.iter().zip(&found) {
        for (i, deviation) in of_schedule.iter().enumerate() {
            for (k, step) in recorded.iter().enumerate() {
                table.push(&[&schedule.label, &i, step, &deviation.closed_form[k], &deviation.span[k]]);
            }
        }
    }
    report.table("population", &table)?;
    let largest = |values: &mut dyn Iterator<Item = &f64>| values.fold(0.0, |largest: f64, value| largest.max(*value));
    let all = || found.iter().flatten();
    report.checks.extend([
        Check::at_most(
            format!("W^o M against the closed form over {steps} steps, largest relative difference"),
            largest(&mut all().flat_map(|d| &d.closed_form)),
            1e-10,
        ),
        Check::at_most(
            "W^o M outside of its start's span, largest share",
            largest(&mut all().flat_map(|d| &d.span)),
            1e-10,
        ),
        Check::at_most("the same with updates in turns", largest(&mut in_turns.iter().flat_map(|d| &d.span)), 1e-10),
    ]);
    let apart = in_turns.iter().filter_map(|d| d.closed_form.last()).fold(f64::INFINITY, |a: f64, b| a.min(*b));
    report.observe(
        "updates in turns: smallest relative difference from the closed form at the end",
        format!("{apart:.3}"),
    );
    Ok(panels(options, &found))
}

fn panels(options: &Options, found: &[Vec<Deviation>]) -> Vec<Panel> {
    let Population { steps, schedules } = &options.population;
    let curves = |of: fn(&Deviation) -> &Vec<f64>| {
        let curve = |(i, (schedule, starts)): (usize, (&Schedule, &Vec<Deviation>))| Curve {
            label: schedule.label.clone(),
            style: style(i),
            x: recorded(*steps).into_iter().map(|step| step as f64).collect(),
            // An error of exactly zero still needs a place on the logarithmic axis.
            runs: starts.iter().map(|start| of(start).iter().map(|value| value.max(1e-17)).collect()).collect(),
        };
        schedules.iter().zip(found).enumerate().map(curve).collect()
    };
    let panel = |title: &str, y_label: &str, curves| Panel {
        title: title.into(),
        x_label: "step".into(),
        y_label: y_label.into(),
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        y_range: Some((1e-17, 1e-10)),
        curves,
        ..Panel::default()
    };
    vec![
        panel("Relative difference from the closed form", "relative difference", curves(|d| &d.closed_form)),
        panel("Share outside of the start's span", "relative residual", curves(|d| &d.span)),
    ]
}
