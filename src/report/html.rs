//! The report as one page: no request to the network, readable without scripts.

use std::path::Path;

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html::push_html};

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
    spec::{Experiment, PlannedRun},
};

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
    page(TITLE, about(), controls(), contents(&entries), body)
}

/// The title of the first page.
const TITLE: &str = "Does the paper reproduce?";

/// A line of the contents.
struct Entry {
    address: String,
    text: String,
    /// Whether it belongs to the one before that is not.
    within: bool,
}

impl Entry {
    fn new(address: &str, text: &str) -> Self {
        Self { address: address.into(), text: text.into(), within: false }
    }

    fn within(self) -> Self {
        Self { within: true, ..self }
    }
}

/// What is on the page and beside it; open beside the text where there is room, closed above it where there is not.
fn contents(entries: &[Entry]) -> Markup {
    html! {
        nav #contents {
            details {
                summary { "Contents" }
                ol {
                    @for Entry { address, text, within } in entries {
                        li.within[*within] { a href=(address) { (text) } }
                    }
                }
            }
        }
    }
}

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

/// The first page: what was found, where to read on, every registered claim.
///
/// # Errors
/// The summary names a claim that is not registered.
pub fn front(report: &Report, rulings: &Rulings) -> Result<String> {
    let summary = report.summary.as_deref().map(|summary| front::fill(summary, rulings)).transpose()?;
    let body = html! {
        (first_picture(report, |name| format!("reproduction/{name}.html")))
        @if let Some(summary) = &summary { section.summary #summary { (markdown(summary)) } }
        h2 #claims { "Every registered claim" }
        (marks::dots(&front::picture(rulings)))
        p { (rulings.tally()) "." }
        div.scroll tabindex="0" { (registered(rulings)) }
        @for (place, table) in front::tables(rulings).iter().enumerate() {
            h2 id=(format!("table-{place}")) { (table.source) ", cell by cell" }
            p.note { "Measured (published; difference)." }
            div.scroll tabindex="0" {
                table {
                    thead { tr { th {} @for column in &table.columns { th { (column_name(column)) } } } }
                    tbody {
                        @for (label, cells) in &table.rows {
                            tr {
                                td { (label) }
                                @for (column, cell) in table.columns.iter().zip(cells) {
                                    td.nowrap data-label=(column_name(column)) { @if let Some(cell) = cell { (front::cell_text(cell)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
        section #method { (markdown(front::METHOD)) }
        (provenance(report))
    };
    let mut entries = Vec::new();
    entries.extend(summary.as_ref().map(|_| Entry::new("#summary", "In short")));
    entries.push(Entry::new("#claims", "Every registered claim"));
    for (place, table) in front::tables(rulings).iter().enumerate() {
        entries.push(Entry::new(&format!("#table-{place}"), &format!("{}, cell by cell", table.source)).within());
    }
    entries.push(Entry::new("#method", "How it was decided"));
    entries.push(Entry::new("#provenance", "Where the numbers come from"));
    let pages = shown(report);
    if let Some((first, _)) = pages.first() {
        entries.push(Entry::new(&format!("reproduction/{first}.html"), "Figure by figure"));
    }
    for (name, variants) in &pages {
        entries.push(Entry::new(&format!("reproduction/{name}.html"), &variants[0].entry.experiment.title).within());
    }
    Ok(page(TITLE, about(), controls(), contents(&entries), body))
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
                        td data-label="where" { a href=(format!("reproduction/{}.html", stem(&ruled.claim.experiment))) { (ruled.claim.source) } }
                        td data-label="asked" { (ruled.asks) }
                        td.nowrap data-label="measured" { @for check in &ruled.checks { (check_text(check)) br; } }
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

/// A page that needs nothing else: under its head the controls, which stay in sight, then contents beside the body.
fn page(title: &str, head: Markup, controls: Markup, contents: Markup, body: Markup) -> String {
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
                (controls)
                div.page {
                    (contents)
                    main { (body) }
                }
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
        div.scroll tabindex="0" { (glance(report, protocols)) }
        div.scroll tabindex="0" {
            table.verdicts {
                thead { tr { th { "where" } th { "claim" } @for protocol in protocols { th { (protocol) } } } }
                tbody {
                    @for figure in &report.figures {
                        @for Row { says, source, outcomes } in figure.rows(protocols) {
                            tr {
                                td { a href=(format!("#{}", figure.name())) { (source) } }
                                td { (says) }
                                @for (protocol, outcome) in protocols.iter().zip(&outcomes) { (verdict_cell(protocol, *outcome)) }
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

fn verdict_cell(protocol: &str, outcome: Option<&Outcome>) -> Markup {
    html! {
        @match outcome {
            None => td data-label=(protocol) { "-" },
            Some(outcome) => td data-label=(protocol) { (badge(outcome.verdict)) " " span.numbers { (outcome.numbers()) } },
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

/// An experiment's own words. They are text from a file: no markup of theirs becomes part of the page, and no link runs
/// anything. Tables are those of Markdown, each cell with the name of its column for pages too narrow for rows.
fn markdown(text: &str) -> Markup {
    let events: Vec<Event> = Parser::new_ext(text, Options::ENABLE_TABLES).map(tame).collect();
    let mut names: Vec<String> = Vec::new();
    let mut tables = Vec::new();
    let (mut in_head, mut column) = (false, 0);
    for event in events {
        match &event {
            Event::Start(Tag::Table(_)) => tables.push(Event::Html("<div class=\"scroll\" tabindex=\"0\">".into())),
            Event::Start(Tag::TableHead) => {
                in_head = true;
                names.clear();
            }
            Event::End(TagEnd::TableHead) => in_head = false,
            Event::Start(Tag::TableRow) => column = 0,
            Event::Start(Tag::TableCell) if in_head => names.push(String::new()),
            Event::Text(text) | Event::Code(text) if in_head => {
                names.iter_mut().last().into_iter().for_each(|name| name.push_str(text));
            }
            _ => {}
        }
        match event {
            Event::Start(Tag::TableCell) if !in_head => {
                let name = names.get(column).map_or("", String::as_str);
                let cell = if column == 0 {
                    html! { (PreEscaped("<td>")) }
                } else {
                    label(name)
                };
                tables.push(Event::Html(cell.into_string().into()));
                column += 1;
            }
            Event::End(TagEnd::TableCell) if !in_head => tables.push(Event::Html("</td>".into())),
            Event::End(TagEnd::Table) => tables.extend([event, Event::Html("</div>\n".into())]),
            other => tables.push(other),
        }
    }
    let mut out = String::new();
    push_html(&mut out, tables.into_iter());
    PreEscaped(out)
}

/// The beginning of a cell that says its column's name.
fn label(name: &str) -> Markup {
    let whole = html! { td data-label=(name) {} }.into_string();
    PreEscaped(whole.trim_end_matches("</td>").to_string())
}

/// Markup as text, and links that lead somewhere.
fn tame(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(markup) | Event::InlineHtml(markup) => Event::Text(markup),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: harmless(dest_url), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Image { link_type, dest_url: harmless(dest_url), title, id })
        }
        other => other,
    }
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
        let table = shown("| a | <b>c</b> |\n| --- | --- |\n| *x* | <i>y</i> |\n");
        assert!(table.contains("<div class=\"scroll\"") && table.contains("<td><em>x</em></td>"), "{table}");
        assert!(table.contains("data-label=\"&lt;b&gt;c&lt;/b&gt;\">&lt;i&gt;y&lt;/i&gt;</td>"), "{table}");
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
