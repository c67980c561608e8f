//! Words from files, as HTML.

use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html::push_html};

/// An experiment's own words. They come from a file: none of their markup becomes part of the page, and no link runs
/// anything. Tables are Markdown's; each cell bears the name of its column, for pages too narrow for rows.
pub fn markdown(text: &str) -> Markup {
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

/// The beginning of a cell that bears its column's name.
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
    // Browsers ignore control characters and spaces before a scheme, and line ends within it.
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
