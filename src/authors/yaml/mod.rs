//! YAML as the authors' yacs reads it, by PyYAML's `safe_load`: YAML 1.1 with its anchors, merge keys and tags.

mod scalar;
mod tag;

use std::collections::HashMap;

use serde_json::Value;
use yaml_rust2::{
    Event,
    parser::{Parser, Tag},
    scanner::{Marker, ScanError, TScalarStyle},
};

use self::{
    scalar::scalar,
    tag::{mismatch, own},
};

/// A line, counted from 1, and what is wrong there.
pub type Fault = (usize, String);

/// How deep nodes may nest; Python gives up at a few hundred.
const DEEPEST: usize = 64;

/// Nodes of a file, each alias counted as what it stands for.
const MOST_NODES: usize = 100_000;

/// What a file says.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// None, a truth value, an int, a finite float or a string.
    Scalar(Value),
    /// A float that is infinite or not a number.
    NonFinite(f64),
    /// A Python value that no configuration of yacs holds: a date, a set.
    Foreign(&'static str),
    /// A list.
    List(Vec<Node>),
    /// Keys with their lines and values; of a key that occurs twice, the later value counts.
    Map(Vec<(String, usize, Node)>),
}

/// Reads the one document of a text; none where there is nothing.
///
/// # Errors
/// Where PyYAML stops: no YAML, several documents, unknown tags and anchors. Also where nodes nest too deep, are too many, or
/// contain themselves.
pub fn load(text: &str) -> Result<Option<Node>, Fault> {
    let mut composer = Composer { parser: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    let mut document = None;
    loop {
        match composer.next()? {
            (Event::StreamStart | Event::DocumentEnd | Event::Nothing, _) => {}
            (Event::StreamEnd, _) => return Ok(document),
            (Event::DocumentStart, mark) if document.is_some() => {
                return Err((
                    mark.line(),
                    "expected one YAML document, as the authors' yacs does, and found several".into(),
                ));
            }
            (Event::DocumentStart, _) => {
                let (event, mark) = composer.next()?;
                document = Some(composer.node(event, mark, 0)?);
            }
            (_, mark) => return Err((mark.line(), "expected the start of a document".into())),
        }
    }
}

struct Composer<'a> {
    parser: Parser<std::str::Chars<'a>>,
    /// Finished nodes by their anchor.
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

/// A key of a mapping: its text, and whether it is the merge key.
struct Key {
    text: String,
    merges: bool,
}

impl Composer<'_> {
    fn next(&mut self) -> Result<(Event, Marker), Fault> {
        self.parser.next_token().map_err(|error: ScanError| (error.marker().line(), error.info().to_string()))
    }

    fn count(&mut self, nodes: usize, mark: Marker) -> Result<(), Fault> {
        self.nodes += nodes;
        let few = self.nodes <= MOST_NODES;
        if few { Ok(()) } else { Err((mark.line(), format!("more than {MOST_NODES} nodes"))) }
    }

    fn node(&mut self, event: Event, mark: Marker, depth: usize) -> Result<Node, Fault> {
        let fail = |message: String| (mark.line(), message);
        if depth > DEEPEST {
            return Err(fail(format!("more than {DEEPEST} lists and mappings in one another")));
        }
        let (anchor, node) = match event {
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| fail("an alias within the node that it stands for".into()))?;
                self.count(node.size(), mark)?;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, mark)?;
                (anchor, scalar(text, style, tag.as_ref()).map_err(fail)?)
            }
            Event::SequenceStart(anchor, tag) => {
                self.count(1, mark)?;
                (anchor, self.list(tag.as_ref(), mark, depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                self.count(1, mark)?;
                (anchor, self.map(tag.as_ref(), mark, depth)?)
            }
            _ => return Err(fail("expected a value".into())),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, tag: Option<&Tag>, mark: Marker, depth: usize) -> Result<Node, Fault> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => break,
                (event, mark) => items.push(self.node(event, mark, depth + 1)?),
            }
        }
        match own(tag).map_err(|message| (mark.line(), message))? {
            None | Some("seq") => Ok(Node::List(items)),
            Some("omap" | "pairs") => Ok(Node::Foreign("a list of pairs")),
            Some(other) => Err((mark.line(), mismatch(other, "a list"))),
        }
    }

    fn map(&mut self, tag: Option<&Tag>, mark: Marker, depth: usize) -> Result<Node, Fault> {
        let (mut merged, mut entries) = (Vec::new(), Vec::new());
        loop {
            let (event, mark) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.key(event, mark, depth)?;
            let (event, value_mark) = self.next()?;
            let value = self.node(event, value_mark, depth + 1)?;
            if key.merges {
                merged.extend(merge(value).map_err(|message| (value_mark.line(), message))?);
            } else {
                entries.push((key.text, mark.line(), value));
            }
        }
        match own(tag).map_err(|message| (mark.line(), message))? {
            None | Some("map") => Ok(Node::Map(merged.into_iter().chain(entries).collect())),
            Some("set") => Ok(Node::Foreign("a set")),
            Some(other) => Err((mark.line(), mismatch(other, "a mapping"))),
        }
    }

    fn key(&mut self, event: Event, mark: Marker, depth: usize) -> Result<Key, Fault> {
        let merges = match &event {
            Event::Scalar(text, TScalarStyle::Plain, _, None) => text == "<<",
            Event::Scalar(.., Some(tag)) => own(Some(tag)) == Ok(Some("merge")),
            _ => false,
        };
        if let (true, Event::Scalar(text, ..)) = (merges, &event) {
            return Ok(Key { text: text.clone(), merges });
        }
        let text = match &event {
            Event::Scalar(text, ..) => Some(text.clone()),
            _ => None,
        };
        match (self.node(event, mark, depth + 1)?, text) {
            (Node::Scalar(Value::String(text)), _) | (_, Some(text)) => Ok(Key { text, merges }),
            (Node::Scalar(value), None) => Ok(Key { text: value.to_string(), merges }),
            _ => Err((mark.line(), "a key is a name, not a list or a mapping".into())),
        }
    }
}

impl Node {
    fn size(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Self::Map(entries) => 1 + entries.iter().map(|(_, _, value)| value.size()).sum::<usize>(),
            Self::Scalar(_) | Self::NonFinite(_) | Self::Foreign(_) => 1,
        }
    }
}

/// What a merge key brings, which the mapping's own keys replace; of several mappings, the first counts most.
fn merge(value: Node) -> Result<Vec<(String, usize, Node)>, String> {
    let wrong = "a mapping or a list of mappings is needed to be merged";
    match value {
        Node::Map(entries) => Ok(entries),
        Node::List(maps) => {
            let each = maps.into_iter().rev().map(|map| match map {
                Node::Map(entries) => Ok(entries),
                _ => Err(wrong.to_string()),
            });
            Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
        }
        _ => Err(wrong.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn loaded(text: &str) -> Vec<(String, Node)> {
        match load(text).unwrap() {
            Some(Node::Map(entries)) => entries.into_iter().map(|(key, _, value)| (key, value)).collect(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn anchors_merges_and_tags() {
        let number = |value: i64| Node::Scalar(value.into());
        let text = "a: &x 1\nb: *x\nc: &y [*x, 2]\nd: *y\n";
        let list = || Node::List(vec![number(1), number(2)]);
        let expected = [("a", number(1)), ("b", number(1)), ("c", list()), ("d", list())];
        assert_eq!(loaded(text), expected.map(|(key, value)| (key.to_string(), value)));
        // Own keys come last, and so does the first of several mappings.
        let text = "x: 0\n<<: [{x: 1, y: 1}, {x: 2, y: 2, z: 2}]\n";
        let last = |key: &str| loaded(text).into_iter().rfind(|(other, _)| other == key).unwrap().1;
        assert_eq!([last("x"), last("y"), last("z")], [0, 1, 2].map(number));
        assert_eq!(loaded("'<<': 1"), [("<<".to_string(), number(1))], "quoted, it is a name");
        for (text, value) in [
            ("!!int '3'", number(3)),
            ("!!float 3", Node::Scalar(json!(3.0))),
            ("!!str 3", Node::Scalar("3".into())),
            ("! 3", number(3)),
            ("!!bool on", Node::Scalar(true.into())),
            ("!!null x", Node::Scalar(Value::Null)),
            ("!!set {a, b}", Node::Foreign("a set")),
            ("!<tag:yaml.org,2002:int> 0x10", number(16)),
            ("!!float .inf", Node::NonFinite(f64::INFINITY)),
        ] {
            assert_eq!(loaded(&format!("a: {text}"))[0].1, value, "{text}");
        }
        assert_eq!(load("").unwrap(), None);
        assert_eq!(load("# nothing\n---\n").unwrap(), Some(Node::Scalar(Value::Null)));
    }

    #[test]
    fn what_pyyaml_stops_at() {
        for (text, says) in [
            ("a: *x", "anchor"),
            ("a: 1\n---\nb: 2", "expected one YAML document"),
            ("a: !!python/tuple [1]", "knows no tag"),
            ("a: !foo 1", "knows no tag `!foo`"),
            ("a: !!int x", "no value of the tag `!!int`"),
            ("a: !!int [1]", "does not fit a list"),
            ("a: =", "no value"),
            ("<<: 3", "to be merged"),
            ("a: [", ""),
            ("? [a]\n: 1", "a key is a name"),
        ] {
            let (line, message) = load(text).unwrap_err();
            assert!(line > 0 && message.contains(says), "{text}: {line}: {message}");
        }
        assert!(load("a: &x [*x]").is_err(), "a list cannot hold itself");
        let bomb = (1..30)
            .fold("a0: &a0 [x, x]\n".to_string(), |text, i| format!("{text}a{i}: &a{i} [*a{0}, *a{0}]\n", i - 1));
        assert!(load(&bomb).unwrap_err().1.contains("nodes"));
        for piece in ["[", "{a: ", "- ", "? "] {
            assert!(load(&format!("a:\n{}", piece.repeat(10_000))).is_err(), "{piece}");
        }
    }
}
