//! The first page where claims are registered.

use std::path::Path;

use anyhow::Result;
use maud::{Markup, html};

use super::{
    TITLE, about, first_picture,
    page::{Entry, contents, controls, page},
    provenance, shown,
    words::markdown,
};
use crate::{
    claims::{RegisteredCheck, Ruling, Rulings},
    metrics::column_name,
    report::{Report, front, marks},
};

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
