//! Python literals, as the authors' YAML files have them in strings.
//!
//! Values are JSON's: Python's tuples and lists both become arrays, and ints and floats are told apart as JSON's
//! numbers are.

use serde_json::{Map, Number, Value};

/// How deep brackets may nest; Python gives up near 100 as well.
const DEPTH: usize = 64;

fn integer(negative: bool, digits: &str, radix: u32) -> Option<Value> {
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i64::from_str_radix(digits, radix).ok()?;
    Some(Value::from(if negative { -value } else { value }))
}

/// A finite float; none of their settings can use any other.
fn float(text: &str) -> Option<Value> {
    Number::from_f64(text.parse().ok()?).map(Value::Number)
}

/// Python's `ast.literal_eval` for numbers, strings, `None`, `True`, `False`, tuples, lists and dictionaries; `None` for
/// anything else.
pub fn python_literal(text: &str) -> Option<Value> {
    let mut parser = Parser { rest: text.trim_start_matches([' ', '\t']) };
    let value = parser.sequence(0, "")?;
    parser.rest.is_empty().then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_blanks();
        let found = self.rest.strip_prefix(token);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// Values up to `close`: a single one stands for itself, or for a tuple if a comma follows it.
    fn sequence(&mut self, depth: usize, close: &str) -> Option<Value> {
        let (values, commas) = self.values(depth, close)?;
        match (values.len(), commas) {
            (1, 0) => values.into_iter().next(),
            (0, _) if close.is_empty() => None,
            _ => Some(Value::Array(values)),
        }
    }

    fn at_end(&mut self, close: &str) -> bool {
        if close.is_empty() {
            self.skip_blanks();
            self.rest.is_empty()
        } else {
            self.eat(close)
        }
    }

    fn values(&mut self, depth: usize, close: &str) -> Option<(Vec<Value>, usize)> {
        let (mut values, mut commas) = (Vec::new(), 0);
        while !self.at_end(close) {
            if values.len() > commas {
                return None;
            }
            values.push(self.value(depth)?);
            if self.eat(",") {
                commas += 1;
            }
        }
        Some((values, commas))
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        if self.eat("(") {
            return self.sequence(depth + 1, ")");
        }
        if self.eat("[") {
            return self.values(depth + 1, "]").map(|(values, _)| Value::Array(values));
        }
        if self.eat("{") {
            return self.dictionary(depth + 1);
        }
        match self.rest.chars().next()? {
            quote @ ('\'' | '"') => self.string(quote),
            first if first.is_alphabetic() => self.word(),
            _ => self.number(),
        }
    }

    fn dictionary(&mut self, depth: usize) -> Option<Value> {
        let mut map = Map::new();
        while !self.eat("}") {
            let key = self.value(depth)?;
            if !self.eat(":") {
                return None;
            }
            map.insert(key.as_str().map_or_else(|| key.to_string(), Into::into), self.value(depth)?);
            if !self.eat(",") {
                return self.eat("}").then_some(Value::Object(map));
            }
        }
        Some(Value::Object(map))
    }

    /// A string without escapes, since none of theirs has any.
    fn string(&mut self, quote: char) -> Option<Value> {
        let (text, rest) = self.rest[1..].split_once(quote)?;
        self.rest = rest;
        (!text.contains(['\\', '\n'])).then(|| Value::from(text))
    }

    fn take(&mut self, mut belongs: impl FnMut(char) -> bool) -> &str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        token
    }

    fn word(&mut self) -> Option<Value> {
        match self.take(|c| c.is_alphanumeric() || c == '_') {
            "None" => Some(Value::Null),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Value> {
        let mut negative = false;
        let mut signs = 0;
        loop {
            match () {
                () if self.eat("-") => negative = !negative,
                () if self.eat("+") => {}
                () => break,
            }
            signs += 1;
            if signs > DEPTH {
                return None;
            }
        }
        let mut previous = ' ';
        let is_hexadecimal = self.rest.starts_with("0x") || self.rest.starts_with("0X");
        let token = self.take(|c| {
            let exponent_sign = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E') && !is_hexadecimal;
            previous = c;
            c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || exponent_sign
        });
        python_number(negative, token)
    }
}

fn python_number(negative: bool, token: &str) -> Option<Value> {
    let underscores_stand_between = !token.starts_with('_')
        && !token.ends_with('_')
        && !token.contains("__")
        && !token.contains("_.")
        && !token.contains("._");
    if !underscores_stand_between {
        return None;
    }
    let token = token.replace('_', "").to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = token.strip_prefix(prefix) {
            return integer(negative, digits, radix);
        }
    }
    if !token.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if token.bytes().all(|b| b.is_ascii_digit()) {
        let leading_zero = token.len() > 1 && token.starts_with('0') && token.bytes().any(|b| b != b'0');
        return if leading_zero { None } else { integer(negative, &token, 10) };
    }
    float(&if negative { format!("-{token}") } else { token })
}

/// A value as Python prints it.
pub fn python_text(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) if number.is_f64() => python_float(number.as_f64().unwrap_or(f64::NAN)),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `repr` of a Python float: the shortest digits that read back, in scientific notation below 1e-4 and from 1e16.
pub fn python_float(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value:?}").to_lowercase();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = value.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn literals_are_pythons() {
        for (text, value) in [
            ("(1, 1.25, 1.5, 2,)", Some(json!([1, 1.25, 1.5, 2]))),
            ("(1.25, )", Some(json!([1.25]))),
            ("(None,)", Some(json!([null]))),
            ("(0.5)", Some(json!(0.5))),
            ("()", Some(json!([]))),
            ("[0.1, -2e-3]", Some(json!([0.1, -0.002]))),
            ("1, 2", Some(json!([1, 2]))),
            ("1e-4", Some(json!(0.0001))),
            ("None", Some(json!(null))),
            ("  True", Some(json!(true))),
            ("'a'", Some(json!("a"))),
            ("{'a': (1,)}", Some(json!({"a": [1]}))),
            ("0x1F", Some(json!(31))),
            ("1_0", Some(json!(10))),
            ("--1", Some(json!(1))),
            ("(1 2)", None),
            ("(1,,)", None),
            ("(,)", None),
            ("007", None),
            ("a", None),
            ("", None),
            ("(", None),
            ("1__0", None),
            ("encoder_pre_activation", None),
        ] {
            assert_eq!(python_literal(text), value, "{text}");
        }
        assert_eq!(python_literal(&"(".repeat(100_000)), None);
    }

    #[test]
    fn numbers_are_printed_as_python_does() {
        for (value, text) in [
            (0.1, "0.1"),
            (1.0, "1.0"),
            (1e-5, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e-4, "0.0001"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (0.0, "0.0"),
            (-2.5, "-2.5"),
        ] {
            assert_eq!(python_float(value), text);
        }
        assert_eq!(python_text(&json!(1)), "1");
        assert_eq!(python_text(&json!(null)), "None");
    }
}
