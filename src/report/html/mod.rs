//! The report as HTML: pages that ask the network for nothing and can be read without scripts.

mod front;
mod page;
mod sections;
mod verdicts;
mod words;

pub use front::front;

use maud::{Markup, html};

use self::{
    page::{Entry, contents, controls, page},
    sections::{figure_section, sweep_section, variant_body},
    verdicts::verdicts,
    words::markdown,
};
use super::{Report, Variant, chart::chart, markdown::EXPLANATION, runs};
use crate::spec::Experiment;

/// Everything on one page.
pub fn render(report: &Report) -> String {
    let protocols = report.protocols();
    let body = html! {
        (first_picture(report, |name| format!("#{name}")))
        @if let Some(summary) = &report.summary { section.summary #summary { (markdown(summary)) } }
        (verdicts(report, &protocols))
        @if !report.sweeps.is_empty() {
            h2 #explanations { "What explains the misses" }
            p { (EXPLANATION) }
            @for sweep in report.explanations() { section.figure { (sweep_section(sweep)) } }
            @if !report.planned().is_empty() {
                p { "Stated in advance and not run yet:" }
                ul { @for title in report.planned() { li { (title) } } }
            }
        }
        h2 #figures { "Figure by figure" }
        @for figure in &report.figures { (figure_section(figure)) }
        (provenance(report))
    };
    let mut entries = Vec::new();
    entries.extend(report.summary.as_ref().map(|_| Entry::new("#summary", "In short")));
    entries.push(Entry::new("#verdicts", "Verdicts"));
    let titled = |variant: &Variant| {
        let Experiment { name, title, .. } = &variant.entry.experiment;
        Entry::new(&format!("#{name}"), title)
    };
    if !report.sweeps.is_empty() {
        entries.push(Entry::new("#explanations", "What explains the misses"));
        entries.extend(report.explanations().map(|sweep| titled(sweep).within()));
    }
    entries.push(Entry::new("#figures", "Figure by figure"));
    entries.extend(report.figures.iter().map(|figure| titled(&figure.variants[0]).within()));
    entries.push(Entry::new("#provenance", "Where the numbers come from"));
    page(report.title(), about(), controls(), contents(&entries), body)
}

/// The title of the first page.
const TITLE: &str = "Does the paper reproduce?";

/// The curves of the first figure that compares methods, or of the first that has any, for the first screen.
fn first_picture(report: &Report, address: impl Fn(&str) -> String) -> Markup {
    let shown = || report.figures.iter().flat_map(|figure| figure.variants.iter().find(|variant| variant.is_run()));
    let several = |variant: &&Variant| variant.entry.experiment.arms.len() > 1;
    let chosen = shown().find(several).or_else(|| shown().next());
    let drawn = chosen.and_then(|variant| Some((variant, chart(&variant.entry)?)));
    html! {
        @if let Some((variant, chart)) = drawn {
            @let experiment = &variant.entry.experiment;
            section.first {
                (chart)
                p.note { a href=(address(&experiment.name)) { (experiment.title) } ": " (experiment.protocol) "." }
            }
        }
    }
}

/// A page for every figure and every sweep that has runs, by name.
pub fn pages(report: &Report) -> Vec<(String, String)> {
    let title = |(name, variants): (String, Vec<&Variant>)| (name, variants[0].entry.experiment.title.clone());
    let all: Vec<(String, String)> = shown(report).into_iter().map(title).collect();
    let one = |(name, variants): (String, Vec<&Variant>)| {
        let experiment = &variants[0].entry.experiment;
        let body = html! {
            section.figure id=(name) {
                @match variants.as_slice() {
                    [sweep] if report.sweeps.iter().any(|other| std::ptr::eq(other, *sweep)) => { (sweep_section(sweep)) }
                    _ => {
                        p { (experiment.claim) }
                        div.variants { @for variant in &variants { div { (variant_body(variant)) } } }
                    }
                }
            }
        };
        let back = html! { p { a href="../reproduction.html" { (TITLE) } } };
        let mut entries = vec![Entry::new("../reproduction.html", TITLE)];
        entries.extend(all.iter().map(|(name, title)| Entry::new(&format!("{name}.html"), title)));
        let text = page(&experiment.title, back, controls(), contents(&entries), body);
        (name, text)
    };
    shown(report).into_iter().map(one).collect()
}

/// What has runs: a figure with its protocols, a sweep alone.
fn shown(report: &Report) -> Vec<(String, Vec<&Variant>)> {
    let figures = report.figures.iter().map(|figure| figure.variants.iter().collect::<Vec<_>>());
    let sweeps = report.sweeps.iter().map(|sweep| vec![sweep]);
    let named = figures.chain(sweeps).filter_map(|mut variants| {
        let name = variants.first()?.entry.experiment.name.clone();
        variants.retain(|variant| variant.is_run());
        (!variants.is_empty()).then_some((name, variants))
    });
    named.collect()
}

fn about() -> Markup {
    html! {
        p {
            "Pokle, Tian, Li and Risteski, "
            a href="https://arxiv.org/abs/2203.15702" { "Contrasting the landscape of contrastive and non-contrastive learning" }
            " (AISTATS 2022), claim by claim."
        }
    }
}

fn provenance(report: &Report) -> Markup {
    html! {
        h2 #provenance { "Where the numbers come from" }
        ul { @for line in runs::provenance(report.variants().flat_map(Variant::runs)) { li { (line) } } }
        p {
            "Every run with its final values is a line of " code { "reproduction-runs.csv" } "; "
            code { "landscape config FILE --seeds N" } " prints all of its settings, "
            code { "landscape run FILE --seeds N" } " does it again."
        }
    }
}
