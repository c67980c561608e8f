//! docs/architecture.md says which room knows which; the code says it too, and here they must agree.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

type Rooms = BTreeMap<String, BTreeSet<String>>;

/// The table of rooms, in its order: the room, and those that it knows.
fn documented() -> Vec<(String, BTreeSet<String>)> {
    let text = fs::read_to_string("docs/architecture.md").unwrap();
    let table = text.lines().skip_while(|line| !line.starts_with("| room | holds | knows |")).skip(2);
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_string).collect::<Vec<_>>();
    table
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
            let knows = cells.last().map(|cell| quoted(cell)).unwrap_or_default();
            (quoted(cells[0]).remove(0), knows.into_iter().collect())
        })
        .collect()
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Every room with the rooms that its code names; its tests may name any.
fn built() -> Rooms {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let room_of = |path: &Path| {
        let first = path.strip_prefix("src").unwrap().iter().next().unwrap();
        Path::new(first).file_stem().unwrap().to_str().unwrap().to_string()
    };
    let rooms: BTreeSet<String> =
        files.iter().map(|path| room_of(path)).filter(|room| room != "lib" && room != "main").collect();
    let mut out: Rooms = rooms.iter().map(|room| (room.clone(), BTreeSet::new())).collect();
    for path in &files {
        let Some(knows) = out.get_mut(&room_of(path)) else { continue };
        let text = fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap().split("#[cfg(all(test").next().unwrap();
        knows.extend(named(code).into_iter().filter(|word| rooms.contains(word)));
    }
    out.iter_mut().for_each(|(room, knows)| _ = knows.remove(room));
    out
}

/// The first words of every path that begins at the crate's root.
fn named(code: &str) -> Vec<String> {
    let without_comments: String =
        code.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    without_comments.split("crate::").skip(1).flat_map(first_words).collect()
}

/// `{engine::{Batch, Engine}, spec::RunSpec}` and `spec::RunSpec` alike.
fn first_words(path: &str) -> Vec<String> {
    let word = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let Some(list) = path.strip_prefix('{') else { return vec![word(path)] };
    let (mut depth, mut words, mut fresh) = (0, Vec::new(), true);
    for (place, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                words.push(word(&list[place..]));
                fresh = false;
            }
            _ => {}
        }
    }
    // `Device` is re-exported by the crate, as the only word of its room.
    words.into_iter().map(|word: String| if word == "Device" { "device".into() } else { word }).collect()
}

#[test]
fn every_room_knows_what_the_page_says() {
    let (documented, built) = (documented(), built());
    for (room, knows) in &documented {
        let code = built.get(room).unwrap_or_else(|| panic!("docs/architecture.md has a room `{room}`, src has none"));
        assert_eq!(knows, code, "what `{room}` knows: docs/architecture.md on the left, the code on the right");
    }
    let missing: Vec<_> = built.keys().filter(|room| !documented.iter().any(|(name, _)| name == *room)).collect();
    assert!(missing.is_empty(), "docs/architecture.md says nothing of {missing:?}");
}

#[test]
fn no_two_rooms_know_each_other() {
    let documented = documented();
    for (place, (room, knows)) in documented.iter().enumerate() {
        for other in knows {
            let above = documented[..place].iter().any(|(name, _)| name == other);
            assert!(above, "`{room}` knows `{other}`, which does not stand above it");
        }
    }
}

#[test]
fn the_reader_of_imports_reads_them() {
    let code = "use crate::{\n    Device,\n    engine::{Batch, Engine},\n    spec::RunSpec,\n};\nuse crate::data::x; // crate::plots\n";
    assert_eq!(named(code), ["device", "engine", "spec", "data"]);
}
