//! Where in a YAML file a dotted path stands.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use yaml_rust2::{
    parser::{Event, Parser},
    scanner::ScanError,
};

use super::Fault;
use crate::input_error;

/// Blocks in one another, at most. Ours need seven.
pub const DEEPEST: usize = 32;

/// Characters of a dotted path, at most.
pub const LONGEST: usize = 1000;

/// Lines of the keys of one file, and of the file that it extends.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    file: PathBuf,
    lines: HashMap<String, usize>,
    extended: Option<Box<Lines>>,
}

impl Lines {
    /// Reads the positions event by event, before anything else is made of the text: however deep it is nested, this takes
    /// no stack.
    ///
    /// # Errors
    /// The line, and what is wrong there: the text is no YAML, keys are not names, or they stand too deep.
    pub fn of(text: &str, file: &Path) -> Result<Self, (usize, String)> {
        Ok(Self { file: file.to_path_buf(), lines: positions(text)?, extended: None })
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

/// A mapping or list that is open where the reader stands.
enum Block {
    /// With the path of the key whose value comes next; none where a key comes next.
    Mapping { path: String, key: Option<String> },
    /// With the number of the next item.
    List { path: String, next: usize },
}

/// Lines of all paths, or the line of what cannot be read and why.
fn positions(text: &str) -> Result<HashMap<String, usize>, (usize, String)> {
    let mut parser = Parser::new_from_str(text);
    let (mut lines, mut open) = (HashMap::new(), Vec::new());
    loop {
        let (event, mark) = parser.next_token().map_err(|error| (error.marker().line(), reason(&error)))?;
        let line = mark.line();
        match (event, open.last_mut()) {
            (Event::StreamEnd, _) => return Ok(lines),
            (Event::MappingEnd | Event::SequenceEnd, _) => _ = open.pop(),
            (Event::Scalar(name, ..), Some(Block::Mapping { path, key: key @ None })) => {
                let full = if path.is_empty() { name } else { format!("{path}.{name}") };
                if full.len() > LONGEST {
                    return Err((line, format!("the names of keys are too long: {LONGEST} characters at most")));
                }
                lines.insert(full.clone(), line);
                *key = Some(full);
            }
            (event @ (Event::MappingStart(..) | Event::SequenceStart(..)), block) => {
                let path = place(block, line, &mut lines)?;
                if open.len() == DEEPEST {
                    return Err((line, too_deep()));
                }
                open.push(match event {
                    Event::MappingStart(..) => Block::Mapping { path, key: None },
                    _ => Block::List { path, next: 0 },
                });
            }
            (Event::Scalar(..) | Event::Alias(_), block) => _ = place(block, line, &mut lines)?,
            _ => {}
        }
    }
}

fn too_deep() -> String {
    format!("nested too deep: {DEEPEST} blocks in one another at most")
}

/// Why the text is no YAML. (The scanner looks ahead, and so comes upon its own limit first.)
fn reason(error: &ScanError) -> String {
    if error.info().contains("recursion limit") { too_deep() } else { error.info().into() }
}

/// The path of a value that stands in a block.
fn place(
    block: Option<&mut Block>,
    line: usize,
    lines: &mut HashMap<String, usize>,
) -> Result<String, (usize, String)> {
    match block {
        None => Ok(String::new()),
        Some(Block::Mapping { key, .. }) => key.take().ok_or_else(|| (line, "a key is a name".into())),
        Some(Block::List { path, next }) => {
            let item = format!("{path}[{next}]");
            *next += 1;
            lines.insert(item.clone(), line);
            Ok(item)
        }
    }
}
