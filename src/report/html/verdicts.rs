//! Verdicts: at a glance, claim by claim, and as badges.

use maud::{Markup, html};

use crate::{
    claims::{Outcome, Verdict, tally},
    report::{
        Report,
        markdown::{LEGEND, METHOD, symbol},
        model::Row,
    },
};

/// All of the report's verdicts, under each of its protocols.
pub fn verdicts(report: &Report, protocols: &[&str]) -> Markup {
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

pub fn badge(verdict: Verdict) -> Markup {
    html! { span class=(format!("badge {}", class(verdict))) { (symbol(verdict)) " " (verdict) } }
}
