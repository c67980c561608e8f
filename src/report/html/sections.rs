//! A figure or a sweep: its pictures, checks, settings and runs.

use maud::{Markup, html};

use super::{verdicts::badge, words::markdown};
use crate::{
    claims::Outcome,
    figures::{distribution_figure, effects_figure, fit_figure, map_figure, settings},
    report::{Variant, chart::chart, marks, model::Figure},
    spec::PlannedRun,
};

/// A figure with its protocols side by side.
pub fn figure_section(figure: &Figure) -> Markup {
    html! {
        section.figure id=(figure.name()) {
            h3 { (figure.variants[0].entry.experiment.title) }
            p { (figure.variants[0].entry.experiment.claim) }
            div.variants { @for variant in &figure.variants { div { (variant_body(variant)) } } }
        }
    }
}

/// A figure under one protocol.
pub fn variant_body(variant: &Variant) -> Markup {
    let experiment = &variant.entry.experiment;
    html! {
        h4 { (experiment.protocol) }
        p.settings { (settings(&variant.entry.curves)) }
        @if let Some(finding) = &experiment.finding { (markdown(finding)) }
        @if let Some(chart) = chart(&variant.entry) { (chart) } @else { p { "No run is recorded." } }
        @if variant.is_run() { (checks(&variant.outcomes)) }
        (specs(variant))
    }
}

/// A sweep that explains something.
pub fn sweep_section(variant: &Variant) -> Markup {
    let entry = &variant.entry;
    let experiment = &entry.experiment;
    html! {
        h3 id=(experiment.name) { (experiment.title) }
        @if let Some(finding) = &experiment.finding { (markdown(finding)) }
        p.settings { (settings(&entry.curves)) "; " (variant.runs().count()) " runs" }
        @if let Some(design) = &experiment.design { (marks::dots(&effects_figure(entry, design, "min_cosine"))) }
        @if let Some(map) = &experiment.map { (marks::maps(&map_figure(entry, map))) }
        @if let Some(fit) = &experiment.fit { (marks::dots(&fit_figure(entry, fit))) }
        @if !experiment.distribution.is_empty() { (marks::dots(&distribution_figure(entry, &experiment.distribution))) }
        @if !experiment.panels.is_empty() {
            @if let Some(chart) = chart(entry) { (chart) }
        }
        (checks(&variant.outcomes))
        (specs(variant))
    }
}

fn checks(outcomes: &[Outcome]) -> Markup {
    html! {
        @if !outcomes.is_empty() {
            div.scroll tabindex="0" {
                table.checks {
                    thead { tr { th { "claim" } th { "curve" } th { "measured" } th { "compared with" } th { "seeds" } th { "verdict" } } }
                    tbody {
                        @for outcome in outcomes {
                            @for (place, check) in outcome.checks.iter().enumerate() {
                                tr {
                                    @if place == 0 {
                                        td rowspan=(outcome.checks.len()) { (outcome.claim.says) br; small { (outcome.measured()) } }
                                    }
                                    td data-label="curve" { (check.label) }
                                    td.nowrap data-label="measured" { (check.measured()) }
                                    td data-label="compared with" { (check.compared()) }
                                    td data-label="seeds" { (check.value.n) }
                                    td data-label="verdict" { (badge(check.verdict)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The settings and the runs of every curve.
fn specs(variant: &Variant) -> Markup {
    let entry = &variant.entry;
    let yaml = |run: &PlannedRun| serde_yaml::to_string(&*run.spec).unwrap_or_default();
    html! {
        details.specs {
            summary { "settings and runs (" code { (entry.experiment.name) ".yaml" } ")" }
            @for curve in &entry.curves {
                details {
                    summary { @if curve.label.is_empty() { (entry.experiment.name) } @else { (curve.label) } }
                    ul.runs {
                        @for run in entry.runs(&curve.label) {
                            li id=(format!("{}/{}", run.plan.experiment, run.plan.id)) {
                                code { (run.plan.id) } ": seed " (run.plan.spec.seed) ", "
                                (format!("{:.0} s", run.summary.wall_seconds))
                            }
                        }
                    }
                    @if entry.curves.len() <= 12 { pre { (yaml(curve)) } }
                }
            }
        }
    }
}
