//! Command lines, split into flags as Python's argparse does.

use anyhow::Result;

use crate::{input_error, spec::nearest};

/// One flag: its name, the placeholder of its value (none for a switch), and its line of help.
pub struct Flag {
    /// Without the leading dashes.
    pub name: &'static str,
    /// Placeholder of its value; none for a switch.
    pub value: Option<&'static str>,
    /// Its line of help, with the default in brackets.
    pub help: &'static str,
}

/// A flag that takes a value.
pub const fn flag(name: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { name, value: Some(value), help }
}

/// A flag that takes none.
pub const fn switch(name: &'static str, help: &'static str) -> Flag {
    Flag { name, value: None, help }
}

/// A flag and its value, as given.
pub struct Given {
    /// The flag's name, without dashes and in full.
    pub name: &'static str,
    /// Its value as typed; empty for a switch.
    pub value: String,
}

/// Splits a command line as argparse does: `--flag value`, `--flag=value`, unambiguous prefixes, the last one wins.
///
/// # Errors
/// Input errors: an unknown or ambiguous flag, a missing or surplus value.
pub fn split(arguments: &[String], theirs: &'static [Flag], ours: &'static [Flag]) -> Result<Vec<Given>> {
    let mut given = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(body) = argument.strip_prefix("--") else {
            return Err(input_error!("unexpected argument `{argument}`: flags begin with --"));
        };
        let (name, inline) = body.split_once('=').map_or((body, None), |(name, value)| (name, Some(value)));
        let flag = find(name, theirs, ours)?;
        let value = match (flag.value, inline) {
            (None, None) => String::new(),
            (None, Some(_)) => return Err(input_error!("--{}: takes no value", flag.name)),
            (Some(_), Some(value)) => value.to_string(),
            (Some(what), None) => match rest.clone().next() {
                Some(value) if !looks_like_flag(value) => {
                    rest.next();
                    value.clone()
                }
                _ => return Err(input_error!("--{}: expected a value, {what}", flag.name)),
            },
        };
        given.push(Given { name: flag.name, value });
    }
    Ok(given)
}

/// argparse takes whatever starts with a dash for a flag, unless it is a negative number of the form `-\d+` or
/// `-\d*\.\d+`; `-1e-3` is not one (write `--bias_val=-1e-3`).
fn looks_like_flag(argument: &str) -> bool {
    let Some(number) = argument.strip_prefix('-').filter(|rest| !rest.is_empty()) else { return false };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or(("", number));
    let is_number = digits(whole) && digits(fraction) && !fraction.is_empty();
    !is_number && !argument.contains(' ')
}

/// The flag with this full name or prefix. A prefix that is unambiguous among their flags stays so beside ours.
fn find(name: &str, theirs: &'static [Flag], ours: &'static [Flag]) -> Result<&'static Flag> {
    let all = || theirs.iter().chain(ours);
    if let Some(flag) = all().find(|flag| flag.name == name) {
        return Ok(flag);
    }
    let begun = |flags: &'static [Flag]| -> Vec<&'static Flag> {
        flags.iter().filter(|flag| !name.is_empty() && flag.name.starts_with(name)).collect()
    };
    let candidates = [begun(theirs), begun(ours)].into_iter().find(|flags| !flags.is_empty()).unwrap_or_default();
    match candidates[..] {
        [flag] => Ok(flag),
        [] => {
            let hint = nearest(name, all().map(|flag| flag.name));
            let hint = hint.map(|near| format!(" (did you mean `--{near}`?)")).unwrap_or_default();
            Err(input_error!("unknown flag `--{name}`{hint}; --help lists all"))
        }
        _ => {
            let names: Vec<String> = candidates.iter().map(|flag| format!("--{}", flag.name)).collect();
            Err(input_error!("`--{name}` is short for several flags: {}", names.join(", ")))
        }
    }
}

impl Given {
    fn wrong(&self, what: &str) -> anyhow::Error {
        input_error!("--{} {}: {what}", self.name, self.value)
    }

    /// The scripts' `str2bool`.
    pub fn bool(&self) -> Result<bool> {
        match self.value.to_lowercase().as_str() {
            "yes" | "true" | "t" | "y" | "1" => Ok(true),
            "no" | "false" | "f" | "n" | "0" => Ok(false),
            _ => Err(self.wrong("a truth value is needed: yes, true, t, y, 1, no, false, f, n or 0")),
        }
    }

    /// Python's `float()`, finite values only.
    pub fn float(&self) -> Result<f64> {
        let text = self.value.trim().replace('_', "");
        let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
        value.ok_or_else(|| self.wrong("a number is needed"))
    }

    /// Python's `int()`, not negative.
    pub fn int(&self) -> Result<usize> {
        let text = self.value.trim().replace('_', "");
        text.parse().map_err(|_| self.wrong("a whole number of at least 0 is needed"))
    }

    /// A value of ours.
    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self) -> Result<T> {
        self.value.parse().map_err(|error| self.wrong(&format!("{error}")))
    }
}
