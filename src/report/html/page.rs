//! What every page has: its head, the controls, the contents, its style and script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{metrics::column_name, report::chart::MEASURES};

/// A page that needs nothing else: under its head the controls, which stay in sight, then contents beside the body.
pub fn page(title: &str, head: Markup, controls: Markup, contents: Markup, body: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(include_str!("../style.css"))) }
            }
            body {
                header { h1 { (title) } (head) }
                (controls)
                div.page {
                    (contents)
                    main { (body) }
                }
                script { (PreEscaped(include_str!("../script.js"))) }
            }
        }
    };
    page.into_string()
}

/// What the reader can choose; scripts show it.
pub fn controls() -> Markup {
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

/// A line of the contents.
pub struct Entry {
    address: String,
    text: String,
    /// Whether it lies below the last one that does not.
    within: bool,
}

impl Entry {
    /// A line on the first level.
    pub fn new(address: &str, text: &str) -> Self {
        Self { address: address.into(), text: text.into(), within: false }
    }

    /// The same, one level down.
    pub fn within(self) -> Self {
        Self { within: true, ..self }
    }
}

/// What is on the page and beside it; open beside the text where there is room, closed above it where there is not.
pub fn contents(entries: &[Entry]) -> Markup {
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
