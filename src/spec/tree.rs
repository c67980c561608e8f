//! Settings before they have types: YAML mappings laid over one another.

use indexmap::IndexMap;
use serde_yaml::{Mapping, Value};

/// Lays `over` onto `base`.
///
/// Mappings merge key by key; everything else is replaced. A block with a `kind` may be given by the kind alone
/// (`latents: one_hot`), and naming another kind starts the block afresh, since the keys of one kind mean nothing to
/// another.
pub fn merge(base: &mut Value, over: &Value) {
    let Value::Mapping(base_map) = base else {
        *base = over.clone();
        return;
    };
    let over = match over {
        Value::Mapping(map) => map.clone(),
        Value::String(kind) if base_map.contains_key("kind") => kind_alone(kind),
        other => {
            *base = other.clone();
            return;
        }
    };
    let renamed = matches!((base_map.get("kind"), over.get("kind")), (Some(was), Some(is)) if was != is);
    if renamed {
        *base_map = over;
        return;
    }
    for (key, value) in over {
        match base_map.get_mut(&key) {
            Some(slot) => merge(slot, &value),
            None => {
                base_map.insert(key, value);
            }
        }
    }
}

fn kind_alone(kind: &str) -> Mapping {
    Mapping::from_iter([(Value::from("kind"), Value::from(kind))])
}

/// The mapping that sets one dotted path: `data.p`, 50 gives `{data: {p: 50}}`.
pub fn at_path(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, key| Value::Mapping(Mapping::from_iter([(Value::from(key), inner)])))
}

/// The value at a dotted path.
pub fn get<'a>(tree: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(tree, |node, key| node.get(key))
}

/// A scalar as it would be written on the command line.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Mapping(map) => map.get("kind").map_or_else(|| inline(value), plain),
        _ => inline(value),
    }
}

/// The leaves of settings by dotted path. A list is a leaf.
pub fn leaves(tree: &serde_json::Value) -> IndexMap<String, serde_json::Value> {
    fn collect(path: &str, value: &serde_json::Value, into: &mut IndexMap<String, serde_json::Value>) {
        let serde_json::Value::Object(entries) = value else {
            into.insert(path.into(), value.clone());
            return;
        };
        for (key, value) in entries {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            collect(&path, value, into);
        }
    }
    let mut found = IndexMap::new();
    collect("", tree, &mut found);
    found
}

fn inline(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> Value {
        serde_yaml::from_str(text).unwrap()
    }

    #[test]
    fn merging_keeps_what_is_not_named() {
        let mut base = yaml("{a: 1, b: {c: 2, d: 3}}");
        merge(&mut base, &yaml("{b: {c: 5}, e: 6}"));
        assert_eq!(base, yaml("{a: 1, b: {c: 5, d: 3}, e: 6}"));
    }

    #[test]
    fn another_kind_starts_its_block_afresh() {
        let mut base = yaml("{z: {kind: symmetric, sparsity: 0.3}}");
        merge(&mut base, &yaml("{z: one_hot}"));
        assert_eq!(base, yaml("{z: {kind: one_hot}}"));
        merge(&mut base, &yaml("{z: {sign: random}}"));
        assert_eq!(base, yaml("{z: {kind: one_hot, sign: random}}"));
    }

    #[test]
    fn paths_reach_into_blocks() {
        let mut base = yaml("{data: {p: 50, d: 10}}");
        merge(&mut base, &at_path("data.p", yaml("20")));
        assert_eq!(base, yaml("{data: {p: 20, d: 10}}"));
        assert_eq!(get(&base, "data.d"), Some(&yaml("10")));
        assert_eq!(get(&base, "data.q"), None);
    }
}
