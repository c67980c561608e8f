//! Scalars as PyYAML resolves and constructs them: what is a number, a truth value, a date, and what is text.

use serde_json::{Number, Value};
use yaml_rust2::{parser::Tag, scanner::TScalarStyle};

use super::{
    Node,
    tag::{mismatch, own},
};

/// The value of a scalar: its tag decides, or how it is spelt.
pub fn scalar(text: String, style: TScalarStyle, tag: Option<&Tag>) -> Result<Node, String> {
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
fn plain(text: &str) -> Node {
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
    let number = if looks_like_integer(text) {
        integer(text).map(Node::Scalar)
    } else if looks_like_float(text) {
        float(text)
    } else {
        None
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

/// Whether text consists of digits and underscores, and begins with a digit.
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

/// `2026-11-30`, perhaps followed by a time.
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
}
