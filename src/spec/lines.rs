//! Where in a YAML file a dotted path stands.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use marked_yaml::{LoadError, Node, Span, loader};

use super::Fault;
use crate::input_error;

/// Lines of the keys of one file, and of the file that it extends.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    file: PathBuf,
    lines: HashMap<String, usize>,
    extended: Option<Box<Lines>>,
}

impl Lines {
    /// Reads the positions; a file that is not YAML has none (its own error names the line).
    pub fn of(text: &str, file: &Path) -> Self {
        let mut lines = HashMap::new();
        let root: Result<Node, LoadError> = loader::parse_yaml(0, text);
        if let Ok(root) = root {
            collect(&root, "", &mut lines);
        }
        Self { file: file.to_path_buf(), lines, extended: None }
    }

    /// These lines for keys that stand in this file, and those of the file that it extends for the rest.
    pub fn over(self, extended: Self) -> Self {
        Self { extended: Some(Box::new(extended)), ..self }
    }

    /// The fault as an error that names the file, and the line if the path is found under one of the `roots`. A path
    /// that the files do not contain is looked for block by block, outwards.
    pub fn fault(&self, fault: Fault, roots: &[&str]) -> anyhow::Error {
        let mut path = fault.path.as_str();
        loop {
            if let Some((file, line)) = roots.iter().find_map(|root| self.find(&format!("{root}{path}"))) {
                return input_error!("{}:{line}: {}", file.display(), fault.message);
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return input_error!("{}: {}", self.file.display(), fault.message),
            }
        }
    }

    /// The file itself, and what it extends.
    pub fn files(&self) -> Vec<&Path> {
        let extended = self.extended.iter().flat_map(|lines| lines.files());
        std::iter::once(self.file.as_path()).chain(extended).collect()
    }

    fn find(&self, path: &str) -> Option<(&Path, usize)> {
        let here = self.lines.get(path).map(|line| (self.file.as_path(), *line));
        here.or_else(|| self.extended.as_ref()?.find(path))
    }
}

fn collect(node: &Node, path: &str, lines: &mut HashMap<String, usize>) {
    match node {
        Node::Mapping(mapping) => {
            for (key, value) in mapping.iter() {
                let full = if path.is_empty() { key.as_str().to_string() } else { format!("{path}.{}", key.as_str()) };
                if let Some(line) = start(key.span()) {
                    lines.insert(full.clone(), line);
                }
                collect(value, &full, lines);
            }
        }
        Node::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                let full = format!("{path}[{index}]");
                if let Some(line) = start(item.span()) {
                    lines.insert(full.clone(), line);
                }
                collect(item, &full, lines);
            }
        }
        Node::Scalar(_) => {}
    }
}

fn start(span: &Span) -> Option<usize> {
    span.start().map(|marker| marker.line())
}
