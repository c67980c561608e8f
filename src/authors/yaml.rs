//! YAML as the authors' yacs reads it, by PyYAML's `safe_load`: YAML 1.1 with its anchors, merge keys and tags.

use std::collections::HashMap;

use serde_json::{Number, Value};
use yaml_rust2::{
    Event,
    parser::{Parser, Tag},
    scanner::{Marker, ScanError, TScalarStyle},
};

/// A line, counted from 1, and what is wrong there.
pub type Fault = (usize, String);

/// How deep nodes may nest; Python gives up at a few hundred.
const DEEPEST: usize = 64;

/// Nodes of a file, each alias counted as what it stands for.
const MOST_NODES: usize = 100_000;

/// The prefix of YAML's own tags, which `!!` is short for.
const OWN: &str = "tag:yaml.org,2002:";

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
    /// Keys with their lines and values; of two that are alike, the later one counts.
    Map(Vec<(String, usize, Node)>),
}

/// Reads the one document of a text; none where there is nothing.
///
/// # Errors
/// Where PyYAML stops: no YAML, several documents, unknown tags and anchors. Also where nodes nest too deep, are too many, or
/// hold themselves.
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

/// The tags that `safe_load` knows, without their prefix; `merge` is one of keys.
const KNOWN: [&str; 13] =
    ["null", "bool", "int", "float", "binary", "timestamp", "omap", "pairs", "set", "str", "seq", "map", "merge"];

/// The name of one of YAML's own tags; none without a tag, or with one that says nothing.
fn own(tag: Option<&Tag>) -> Result<Option<&str>, String> {
    let Some(tag) = tag else { return Ok(None) };
    let name = match (tag.handle.as_str(), tag.suffix.as_str()) {
        ("", "!") | ("!", "") => return Ok(None),
        (OWN, name) => Some(name),
        ("", name) => name.strip_prefix(OWN),
        _ => None,
    };
    match name.filter(|name| KNOWN.contains(name)) {
        Some(name) => Ok(Some(name)),
        None => Err(format!("the authors' loader knows no tag `{}{}`", tag.handle.replace(OWN, "!!"), tag.suffix)),
    }
}

fn mismatch(tag: &str, is: &str) -> String {
    format!("the tag `!!{tag}` does not fit {is}")
}

fn scalar(text: String, style: TScalarStyle, tag: Option<&Tag>) -> Result<Node, String> {
    let wrong = |tag: &str| format!("`{text}` is no value of the tag `!!{tag}`");
    match own(tag)? {
        None if style == TScalarStyle::Plain && text == "=" => Err("the authors' loader has no value for `=`".into()),
        None if style == TScalarStyle::Plain => Ok(plain(&text)),
        None | Some("str") => Ok(Node::Scalar(text.into())),
        Some("null") => Ok(Node::Scalar(Value::Null)),
        Some("bool") => truth(&text.to_lowercase()).map(Node::Scalar).ok_or_else(|| wrong("bool")),
        Some("int") => integer(&text).map(Node::Scalar).ok_or_else(|| wrong("int")),
        Some("float") => float(&text).ok_or_else(|| wrong("float")),
        Some("timestamp") if is_date(&text) => Ok(Node::Foreign("a date")),
        Some("binary") => Ok(Node::Foreign("bytes")),
        Some(other) => Err(mismatch(other, "a scalar")),
    }
}

/// What PyYAML makes of a plain scalar: YAML 1.1, in which `yes` is a truth value, `1:30` is 90 and `1e-3` is a string.
pub fn plain(text: &str) -> Node {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Node::Scalar(Value::Null),
        _ if is_date(text) => return Node::Foreign("a date"),
        _ => {}
    }
    let lower = text.to_lowercase();
    let spelt = [&lower, &lower.to_uppercase(), &capitalised(&lower)].into_iter().any(|spelling| spelling == text);
    if let Some(value) = truth(&lower).filter(|_| spelt) {
        return Node::Scalar(value);
    }
    let number = match () {
        () if looks_like_integer(text) => integer(text).map(Node::Scalar),
        () if looks_like_float(text) => float(text),
        () => None,
    };
    number.unwrap_or_else(|| Node::Scalar(text.into()))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn truth(lower: &str) -> Option<Value> {
    match lower {
        "yes" | "true" | "on" => Some(true.into()),
        "no" | "false" | "off" => Some(false.into()),
        _ => None,
    }
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Whether text is one digit or more, and underscores, the first of them a digit.
fn digits(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

/// Whether text is one or two digits below 60.
fn sixtieth(text: &str) -> bool {
    let short = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    short && (text.len() == 1 || text.as_bytes()[0] < b'6')
}

/// Decimal, `0x`, `0b`, octal with a leading zero, or in base 60 with colons.
fn looks_like_integer(text: &str) -> bool {
    let (_, body) = sign(text);
    let of = |rest: &str, valid: fn(&u8) -> bool| !rest.is_empty() && rest.bytes().all(|b| b == b'_' || valid(&b));
    match body.as_bytes() {
        [b'0'] => true,
        [b'0', b'x', ..] => of(&body[2..], u8::is_ascii_hexdigit),
        [b'0', b'b', ..] => of(&body[2..], |b| matches!(b, b'0' | b'1')),
        [b'0', ..] => of(&body[1..], |b| matches!(b, b'0'..=b'7')),
        _ => {
            let mut parts = body.split(':');
            parts.next().is_some_and(digits) && parts.all(sixtieth)
        }
    }
}

/// A float needs a point, and its exponent a sign; `-.5` is text.
fn looks_like_float(text: &str) -> bool {
    let (_, body) = sign(text);
    if matches!(body, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = body.split_once(['e', 'E']).map_or((body, None), |(m, e)| (m, Some(e)));
    let is_exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']);
        digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    });
    let Some((whole, fraction)) = mantissa.split_once('.') else { return false };
    let is_fraction = fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let mut parts = whole.split(':');
    let is_whole = match parts.next() {
        Some("") => whole.is_empty() && text.starts_with('.') && digits(fraction),
        first => first.is_some_and(digits),
    };
    let sixtieths: Vec<&str> = parts.collect();
    is_whole
        && is_fraction
        && is_exponent
        && sixtieths.iter().all(|part| sixtieth(part))
        && (sixtieths.is_empty() || exponent.is_none())
}

/// An int as PyYAML constructs it.
fn integer(text: &str) -> Option<Value> {
    let plain = text.replace('_', "");
    let (negative, body) = sign(&plain);
    let magnitude = match body.as_bytes() {
        [b'0'] => 0,
        [b'0', b'b', ..] => i64::from_str_radix(&body[2..], 2).ok()?,
        [b'0', b'x', ..] => i64::from_str_radix(&body[2..], 16).ok()?,
        [b'0', ..] => i64::from_str_radix(body, 8).ok()?,
        [first, ..] if first.is_ascii_digit() => {
            body.split(':').try_fold(0_i64, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))?
        }
        _ => return None,
    };
    Some(Value::from(if negative { -magnitude } else { magnitude }))
}

/// A float as PyYAML constructs it.
fn float(text: &str) -> Option<Node> {
    let plain = text.replace('_', "").to_lowercase();
    let (negative, body) = sign(&plain);
    let magnitude = match body {
        ".inf" => f64::INFINITY,
        ".nan" => f64::NAN,
        _ if body.contains(':') => {
            body.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))?
        }
        _ if body.starts_with(|c: char| c.is_ascii_digit() || c == '.') => body.parse().ok()?,
        "inf" | "infinity" => f64::INFINITY,
        "nan" => f64::NAN,
        _ => return None,
    };
    let value = if negative { -magnitude } else { magnitude };
    Some(Number::from_f64(value).map_or(Node::NonFinite(value), |number| Node::Scalar(Value::Number(number))))
}

/// `2026-11-30`, perhaps with a time behind it.
fn is_date(text: &str) -> bool {
    let number = |part: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    let (date, time) = match text.find(['T', 't', ' ', '\t']) {
        Some(at) => (&text[..at], Some(text[at + 1..].trim_start())),
        None => (text, None),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let alone = number(month, 2..=2) && number(day, 2..=2);
    let with_time = |time: &str| {
        let clock = time.split(['Z', '+', '-', ' ', '.']).next().unwrap_or_default();
        let parts: Vec<&str> = clock.split(':').collect();
        matches!(parts[..], [h, m, s] if number(h, 1..=2) && number(m, 2..=2) && number(s, 2..=2))
    };
    number(year, 4..=4) && number(month, 1..=2) && number(day, 1..=2) && time.map_or(alone, with_time)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_are_pyyamls() {
        for (text, value) in [
            ("3000", json!(3000)),
            ("0.005", json!(0.005)),
            ("1e-3", json!("1e-3")),
            ("1.5e-3", json!(0.0015)),
            ("1.5e3", json!("1.5e3")),
            ("-1_000", json!(-1000)),
            ("010", json!(8)),
            ("08", json!("08")),
            ("0x1F", json!(31)),
            ("-0b101", json!(-5)),
            ("1:30", json!(90)),
            ("1:60", json!("1:60")),
            ("1:30.5", json!(90.5)),
            ("Yes", json!(true)),
            ("yEs", json!("yEs")),
            ("off", json!(false)),
            ("~", json!(null)),
            ("None", json!("None")),
            ("(1, 2)", json!("(1, 2)")),
            (".5", json!(0.5)),
            ("-.5", json!("-.5")),
            (".", json!(".")),
            ("1.", json!(1.0)),
            ("+12.5", json!(12.5)),
            ("inf", json!("inf")),
            ("2001-1-1", json!("2001-1-1")),
        ] {
            assert_eq!(plain(text), Node::Scalar(value), "{text}");
        }
        assert_eq!(plain("-.Inf"), Node::NonFinite(f64::NEG_INFINITY));
        assert!(matches!(plain(".nan"), Node::NonFinite(value) if value.is_nan()));
        assert_eq!(plain("-.nan"), Node::Scalar("-.nan".into()));
        assert_eq!(plain("2001-01-01"), Node::Foreign("a date"));
        assert_eq!(plain("2001-1-1 10:00:00"), Node::Foreign("a date"));
    }

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
