//! The tags of YAML that the authors' loader knows.

use yaml_rust2::parser::Tag;

/// The prefix of YAML's own tags, which `!!` is short for.
const OWN: &str = "tag:yaml.org,2002:";

/// The tags that `safe_load` knows, without their prefix; `merge` is for keys.
const KNOWN: [&str; 13] =
    ["null", "bool", "int", "float", "binary", "timestamp", "omap", "pairs", "set", "str", "seq", "map", "merge"];

/// The name of one of YAML's own tags; none where there is no tag, or one that says nothing.
pub fn own(tag: Option<&Tag>) -> Result<Option<&str>, String> {
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

/// What is wrong with a tag that stands before another kind of node.
pub fn mismatch(tag: &str, is: &str) -> String {
    format!("the tag `!!{tag}` does not fit {is}")
}
