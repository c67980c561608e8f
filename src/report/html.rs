//! The report as one page: no request to the network, readable without scripts.

use std::path::Path;

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use pulldown_cmark::{CowStr, Event, Parser, Tag, html::push_html};

use super::{
    Report, Variant,
    chart::{MEASURES, chart},
    front,
    markdown::{EXPLANATION, LEGEND, METHOD, symbol},
    marks,
    model::{Figure, Row},
    runs,
};
use crate::{
    claims::{Outcome, RegisteredCheck, Ruling, Rulings, Verdict, tally},
    figures::{distribution_figure, effects_figure, fit_figure, map_figure, settings},
    metrics::column_name,
    spec::PlannedRun,
};

/// Everything on one page.
pub fn render(report: &Report) -> String {
    let protocols = report.protocols();
    let body = html! {
        @if let Some(summary) = &report.summary { section.summary { (markdown(summary)) } }
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
    page("Does the paper reproduce?", html! { (about()) (controls()) }, body)
}

/// The first page: what was found, where to read on, every registered claim.
///
/// # Errors
/// The summary names a claim that is not registered.
pub fn front(report: &Report, rulings: &Rulings) -> Result<String> {
    let summary = report.summary.as_deref().map(|summary| front::fill(summary, rulings)).transpose()?;
    let contents = html! {
        nav.contents {
            b { "Figure by figure" }
            ul {
                @for (name, variants) in shown(report) {
                    li { a href=(format!("reproduction/{name}.html")) { (variants[0].entry.experiment.title) } }
                }
            }
        }
    };
    let body = html! {
        @if let Some(summary) = &summary { section.summary { (markdown(summary)) } }
        (contents)
        h2 #claims { "Every registered claim" }
        (marks::dots(&front::picture(rulings)))
        p { (rulings.tally()) "." }
        div.scroll { (registered(rulings)) }
        @for table in front::tables(rulings) {
            h2 { (table.source) ", cell by cell" }
            p.note { "Measured (published; difference)." }
            div.scroll {
                table {
                    thead { tr { th {} @for column in &table.columns { th { (column_name(column)) } } } }
                    tbody {
                        @for (label, cells) in &table.rows {
                            tr { td { (label) } @for cell in cells { td.nowrap { @if let Some(cell) = cell { (front::cell_text(cell)) } } } }
                        }
                    }
                }
            }
        }
        (markdown(front::METHOD))
        (provenance(report))
    };
    let theme = html! { div #controls hidden { button #theme type="button" { "dark / light" } } };
    Ok(page("Does the paper reproduce?", html! { (about()) (theme) }, body))
}

/// A page for every figure and every sweep that has runs, by name.
pub fn pages(report: &Report) -> Vec<(String, String)> {
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
        let back = html! { p { a href="../reproduction.html" { "Does the paper reproduce?" } } (controls()) };
        let text = page(&experiment.title, back, body);
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

/// Every claim with its ruling and numbers.
fn registered(rulings: &Rulings) -> Markup {
    html! {
        table.verdicts {
            thead { tr { th { "ruling" } th { "claim" } th { "where" } th { "asked" } th { "measured" } } }
            tbody {
                @for ruled in &rulings.claims {
                    tr id=(ruled.claim.id) {
                        td.nowrap { span class=(format!("badge {}", ruling_class(ruled.ruling()))) { (front::mark(ruled.ruling())) " " (ruled.ruling()) } }
                        td { (ruled.claim.says) }
                        td { a href=(format!("reproduction/{}.html", stem(&ruled.claim.experiment))) { (ruled.claim.source) } }
                        td { (ruled.asks) }
                        td.nowrap { @for check in &ruled.checks { (check_text(check)) br; } }
                    }
                }
            }
        }
    }
}

/// `sp 0.1: 0.402 [0.361, 0.443], n = 10`
fn check_text(check: &RegisteredCheck) -> String {
    let label = if check.label.is_empty() { String::new() } else { format!("{}: ", check.label) };
    if check.value.is_finite() {
        format!("{label}{:.3} [{:.3}, {:.3}], n = {}", check.value, check.low, check.high, check.seeds)
    } else {
        format!("{label}not run ({} seeds)", check.seeds)
    }
}

fn ruling_class(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Holds => "yes",
        Ruling::Fails => "no",
        Ruling::Undecided | Ruling::TooImprecise | Ruling::NotRun => "open",
    }
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
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

/// A page that needs nothing else.
fn page(title: &str, head: Markup, body: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                header { h1 { (title) } (head) }
                main { (body) }
                script { (PreEscaped(include_str!("script.js"))) }
            }
        }
    };
    page.into_string()
}

/// What the reader can choose; scripts show it.
fn controls() -> Markup {
    html! {
        div #controls hidden {
            fieldset {
                legend { "Curves" }
                @for (place, measure) in MEASURES.iter().enumerate() {
                    label { input type="radio" name="measure" value=(measure) checked[place == 0]; (column_name(measure)) }
                }
            }
            fieldset {
                legend { "Show" }
                label { input #seeds type="checkbox"; "each seed" }
                label { input #bands type="checkbox" checked; "± 1 std" }
            }
            button #theme type="button" { "dark / light" }
        }
    }
}

fn verdicts(report: &Report, protocols: &[&str]) -> Markup {
    html! {
        h2 #verdicts { "Verdicts" }
        ul { @for protocol in protocols { li { b { (protocol) } ": " (tally(report.verdicts(protocol).into_iter())) } } }
        p.note { "At a glance, one mark for each claim:" }
        div.scroll { (glance(report, protocols)) }
        div.scroll {
            table.verdicts {
                thead { tr { th { "where" } th { "claim" } @for protocol in protocols { th { (protocol) } } } }
                tbody {
                    @for figure in &report.figures {
                        @for Row { says, source, outcomes } in figure.rows(protocols) {
                            tr {
                                td { a href=(format!("#{}", figure.name())) { (source) } }
                                td { (says) }
                                @for outcome in &outcomes { (verdict_cell(*outcome)) }
                            }
                        }
                    }
                }
            }
        }
        dl.key {
            @for (verdict, meaning) in LEGEND { dt { (badge(verdict)) } dd { (meaning) } }
        }
        p.note { (METHOD) }
    }
}

/// A row for each figure, with a mark for each of its claims.
fn glance(report: &Report, protocols: &[&str]) -> Markup {
    html! {
        table.glance {
            thead { tr { th { "where" } @for protocol in protocols { th { (protocol) } } } }
            tbody {
                @for figure in &report.figures {
                    @let rows = figure.rows(protocols);
                    tr {
                        td { a href=(format!("#{}", figure.name())) { (figure.source()) } }
                        @for place in 0..protocols.len() {
                            td {
                                @for row in &rows {
                                    @if let Some(outcome) = row.outcomes[place] {
                                        span class=(format!("badge {}", class(outcome.verdict)))
                                            title=(format!("{}: {}", row.says, outcome.verdict)) { (symbol(outcome.verdict)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn verdict_cell(outcome: Option<&Outcome>) -> Markup {
    html! {
        @match outcome {
            None => td { "-" },
            Some(outcome) => td { (badge(outcome.verdict)) " " span.numbers { (outcome.numbers()) } },
        }
    }
}

/// The class of its colour.
fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Reproduced => "yes",
        Verdict::Direction => "direction",
        Verdict::Undecided | Verdict::NotRun => "open",
        Verdict::NotReproduced | Verdict::Diverged => "no",
    }
}

fn badge(verdict: Verdict) -> Markup {
    html! { span class=(format!("badge {}", class(verdict))) { (symbol(verdict)) " " (verdict) } }
}

fn figure_section(figure: &Figure) -> Markup {
    html! {
        section.figure id=(figure.name()) {
            h3 { (figure.variants[0].entry.experiment.title) }
            p { (figure.variants[0].entry.experiment.claim) }
            div.variants { @for variant in &figure.variants { div { (variant_body(variant)) } } }
        }
    }
}

fn variant_body(variant: &Variant) -> Markup {
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

fn sweep_section(variant: &Variant) -> Markup {
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
            div.scroll {
                table.checks {
                    thead { tr { th { "claim" } th { "curve" } th { "measured" } th { "compared with" } th { "seeds" } th { "verdict" } } }
                    tbody {
                        @for outcome in outcomes {
                            @for (place, check) in outcome.checks.iter().enumerate() {
                                tr {
                                    @if place == 0 {
                                        td rowspan=(outcome.checks.len()) { (outcome.claim.says) br; small { (outcome.measured()) } }
                                    }
                                    td { (check.label) }
                                    td.nowrap { (check.measured()) }
                                    td { (check.compared()) }
                                    td { (check.value.n) }
                                    td { (badge(check.verdict)) }
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

/// An experiment's own words. They are text from a file: no markup of theirs becomes part of the page, and no link runs
/// anything.
fn markdown(text: &str) -> Markup {
    let tame = Parser::new(text).map(|event| match event {
        Event::Html(markup) | Event::InlineHtml(markup) => Event::Text(markup),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: harmless(dest_url), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Image { link_type, dest_url: harmless(dest_url), title, id })
        }
        other => other,
    });
    let mut out = String::new();
    push_html(&mut out, tame);
    PreEscaped(out)
}

/// Where a link may lead: to the web, to another place of the page, to a file beside it.
fn harmless(address: CowStr) -> CowStr {
    // A browser passes over control characters and spaces before a scheme, and over line ends within.
    let bare: String = address.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
    let scheme = bare.split(['/', '#', '?']).next().and_then(|start| start.split_once(':'));
    match scheme {
        Some((scheme, _)) if !["http", "https", "mailto"].contains(&scheme.to_ascii_lowercase().as_str()) => "#".into(),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_file_are_words_on_the_page() {
        let shown = |text: &str| markdown(text).into_string();
        assert_eq!(shown("*so* `it` is"), "<p><em>so</em> <code>it</code> is</p>\n");
        assert!(shown("[a](https://arxiv.org/abs/1) [b](#fig2) [c](plots/a.png)").contains("href=\"plots/a.png\""));
        let hostile = "<script>alert(1)</script>\n\nx <img src=x onerror=alert(1)> [y](javascript:alert(1)) \
                       [z](<java\tscript:alert(1)>) ![i](data:text/html,x) <JAVASCRIPT:alert(1)> [w]( vbscript:x)";
        let page = shown(hostile);
        for markup in
            ["<script", "<img src=x", "\"javascript", "\"java\tscript", "\"JAVASCRIPT", "\"data", "\"vbscript"]
        {
            assert!(!page.contains(markup), "{markup}: {page}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    }
}
