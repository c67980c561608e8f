//! Where in a YAML file a dotted path stands.

use std::{collections::HashMap, path::Path};

use marked_yaml::{LoadError, Node, Span, loader};

use super::Fault;
use crate::input_error;

/// Lines of the keys of one file.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    file: String,
    lines: HashMap<String, usize>,
}

impl Lines {
    /// Reads the positions; a file that is not YAML has none (its own error names the line).
    pub fn of(text: &str, file: &Path) -> Self {
        let mut lines = HashMap::new();
        let root: Result<Node, LoadError> = loader::parse_yaml(0, text);
        if let Ok(root) = root {
            collect(&root, "", &mut lines);
        }
        Self { file: file.display().to_string(), lines }
    }

    /// The fault as an error that names the file, and the line if the path is found under one of the `roots`. A path
    /// that the file does not hold is looked for block by block, outwards.
    pub fn fault(&self, fault: Fault, roots: &[&str]) -> anyhow::Error {
        let mut path = fault.path.as_str();
        loop {
            if let Some(line) = roots.iter().find_map(|root| self.lines.get(&format!("{root}{path}"))) {
                return input_error!("{}:{line}: {}", self.file, fault.message);
            }
            match path.rsplit_once('.') {
                Some((block, _)) => path = block,
                None => return input_error!("{}: {}", self.file, fault.message),
            }
        }
    }
}

fn collect(node: &Node, path: &str, lines: &mut HashMap<String, usize>) {
    let Node::Mapping(mapping) = node else { return };
    for (key, value) in mapping.iter() {
        let full = if path.is_empty() { key.as_str().to_string() } else { format!("{path}.{}", key.as_str()) };
        if let Some(line) = start(key.span()) {
            lines.insert(full.clone(), line);
        }
        collect(value, &full, lines);
    }
}

fn start(span: &Span) -> Option<usize> {
    span.start().map(|marker| marker.line())
}
