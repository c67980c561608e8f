//! Text to trees: the one reader of YAML, of experiments, options, recorded settings and `--set` alike.
//!
//! Keys are names, however they are spelt (`1e5` is one); anchors and merge keys (`<<`) work, tags and numbers that are not
//! finite are refused, and so is text that is nested or long beyond all use.

use std::{fmt, fs::File, io::Read, path::Path};

use anyhow::Result;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_yaml::{Mapping, Value};

use super::Lines;
use crate::input_error;

/// Most bytes of a file. The largest of our own has seven thousand.
const MOST_BYTES: u64 = 1 << 20;

/// Reads a file, with the lines of its keys; an empty one is an empty mapping.
pub fn read(path: &Path, what: &str) -> Result<(Value, Lines)> {
    let unread = |error: std::io::Error| input_error!("cannot read {what} {}: {error}", path.display());
    let mut bytes = Vec::new();
    File::open(path).map_err(unread)?.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(input_error!("{what} {} has more than {MOST_BYTES} bytes", path.display()));
    }
    let text = String::from_utf8(bytes).map_err(|_| input_error!("{what} {} is not UTF-8 text", path.display()))?;
    let name = path.display().to_string();
    let lines = Lines::of(&text, path).map_err(|(line, message)| input_error!("{name}:{line}: {message}"))?;
    let tree = tree(&text).map_err(|message| input_error!("{name}: {message}"))?;
    Ok((if tree.is_null() { Value::Mapping(Mapping::new()) } else { tree }, lines))
}

/// Reads a piece of text that is no file of its own, such as the value of a flag; says what is wrong with it.
pub fn parse(text: &str) -> Result<Value, String> {
    Lines::of(text, Path::new("")).map_err(|(line, message)| format!("line {line}: {message}"))?;
    tree(text)
}

fn tree(text: &str) -> Result<Value, String> {
    let Tree(mut tree) = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    tree.apply_merge().map_err(|error| error.to_string())?;
    Ok(tree)
}

/// A [`Value`] whose keys are text.
struct Tree(Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Builder).map(Tree)
    }
}

struct Builder;

impl<'de> Visitor<'de> for Builder {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a mapping, a list, a number, text, true, false or null, without a tag")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        match value.is_finite() {
            true => Ok(value.into()),
            false => Err(E::custom(format_args!("{value} is not a finite number"))),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Tree(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Sequence(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Mapping::new();
        while let Some(key) = entries.next_key::<String>()? {
            let Tree(value) = entries.next_value()?;
            if map.contains_key(key.as_str()) {
                return Err(A::Error::custom(format_args!("the key `{key}` stands there twice")));
            }
            map.insert(key.into(), value);
        }
        Ok(Value::Mapping(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_names_as_they_are_spelt() {
        let tree = parse("{1e5: 1, 25921e05: 2, 007: 3, true: 4, ~: 5}").unwrap();
        for (key, value) in [("1e5", 1), ("25921e05", 2), ("007", 3), ("true", 4), ("~", 5)] {
            assert_eq!(tree[key], Value::from(value), "{key}");
        }
    }

    #[test]
    fn anchors_and_merge_keys_work() {
        let tree = parse("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n").unwrap();
        assert_eq!(tree["b"], parse("{x: 1, y: 3}").unwrap());
    }

    #[test]
    fn what_has_no_use_is_refused() {
        for (text, says) in [
            ("{a: .nan}", "not a finite number"),
            ("{a: [1, -.inf]}", "not a finite number"),
            ("{a: !x 1}", "without a tag"),
            ("{a: 1, a: 2}", "`a` stands there twice"),
            ("{[1]: 2}", "line 1: "),
            ("a: 1\n---\nb: 2", "more than one document"),
            ("{a: ", "line 2: "),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(says), "{text}: {message}");
        }
    }

    #[test]
    fn depth_costs_no_stack_and_no_time() {
        let start = std::time::Instant::now();
        for piece in ["[", "{a: ", "- ", "? ", "[{a: "] {
            for closed in ["", "]", "}", "}]"] {
                let text = piece.repeat(100_000) + "1" + &closed.repeat(100_000);
                let message = parse(&text).unwrap_err();
                assert!(message.starts_with("line 1: "), "{piece}{closed}: {message}");
                let says = if piece == "? " { "a key is a name" } else { "too deep" };
                assert!(message.contains(says), "{piece}{closed}: {message}");
            }
        }
        let indented: String = (0..1000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert!(parse(&indented).unwrap_err().starts_with("line 33: "), "{:?}", parse(&indented));
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }
}
