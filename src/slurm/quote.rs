//! Puts what users write into a script: into its shell lines, and into its `#SBATCH` lines, which sbatch reads by rules
//! of its own.

use anyhow::Result;

use crate::input_error;

/// Refuses anything that would end its line and begin another line of the script.
pub fn one_line(what: &str, text: &str) -> Result<()> {
    if text.chars().any(char::is_control) {
        return Err(input_error!("{what}: {text:?} has a control character in it, which a script cannot hold"));
    }
    Ok(())
}

/// A value of an `#SBATCH` line. There, as in a shell, spaces end a value and `#` begins a comment, unless they are quoted.
pub fn directive(value: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-+=./:,@%".contains(c);
    if value.chars().all(plain) {
        return value.into();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A word of a shell command.
pub fn word(word: &str) -> Result<String> {
    let quoted = shlex::try_quote(word);
    quoted.map(Into::into).map_err(|error| input_error!("`{word}` cannot be written in a script: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_directives_are_quoted_as_sbatch_reads_them() {
        assert_eq!(directive("/home/me/a-b_c.d"), "/home/me/a-b_c.d");
        assert_eq!(directive("/home/me/a b"), r#""/home/me/a b""#);
        assert_eq!(directive(r#"a"b\c"#), r#""a\"b\\c""#);
        assert_eq!(directive("a#b"), r#""a#b""#);
    }

    #[test]
    fn a_value_stays_on_its_line() {
        assert!(one_line("--name", "a b").is_ok());
        for text in ["a\nb", "a\rb", "\0", "a\u{85}b"] {
            assert!(one_line("--name", text).is_err(), "{text:?}");
        }
    }
}
