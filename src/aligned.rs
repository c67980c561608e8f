//! Text in aligned columns: the one printer of tables for a terminal.

/// On which side the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Lines of cells in columns as wide as their widest cell, two blanks apart, each column on its side. Lines may have fewer
/// cells than others.
pub fn columns<L: AsRef<[C]>, C: AsRef<str>>(lines: &[L], side: impl Fn(usize) -> Side) -> String {
    let cells = |line: &L| line.as_ref().iter().map(|cell| cell.as_ref().chars().count()).collect::<Vec<_>>();
    let widths = lines.iter().map(cells).fold(Vec::new(), |widest: Vec<usize>, line| {
        let width = |at: usize| widest.get(at).copied().unwrap_or(0).max(line.get(at).copied().unwrap_or(0));
        (0..widest.len().max(line.len())).map(width).collect()
    });
    let line = |line: &L| {
        let cells = line.as_ref().iter().zip(&widths).enumerate().map(|(at, (cell, &width))| match side(at) {
            Side::Left => format!("{:width$}", cell.as_ref()),
            Side::Right => format!("{:>width$}", cell.as_ref()),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string() + "\n"
    };
    lines.iter().map(line).collect()
}

/// The first column on the left, all others on the right.
pub fn first_left(column: usize) -> Side {
    if column == 0 { Side::Left } else { Side::Right }
}

/// Rows under a header; columns of numbers on the right, others on the left.
pub fn table<H: AsRef<str>, C: AsRef<str>>(header: &[H], rows: &[Vec<C>]) -> String {
    let is_number = |at: usize| !rows.is_empty() && rows.iter().all(|row| is_number(row[at].as_ref()));
    let sides: Vec<Side> = (0..header.len()).map(|at| if is_number(at) { Side::Right } else { Side::Left }).collect();
    let head: Vec<&str> = header.iter().map(AsRef::as_ref).collect();
    let rows = rows.iter().map(|row| row.iter().map(AsRef::as_ref).collect());
    columns(&std::iter::once(head).chain(rows).collect::<Vec<Vec<&str>>>(), |at| sides[at])
}

/// Every line so many blanks further in.
pub fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

/// Whether a cell stands in a column of numbers: a number, perhaps a percentage or with a unit behind it, or nothing.
fn is_number(cell: &str) -> bool {
    let number = |word: &str| word.trim_end_matches('%').parse::<f64>().is_ok();
    matches!(cell, "" | "-") || cell.split(' ').next().is_some_and(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_on_the_right() {
        let rows = [vec!["a", "1.5", "1 of 10"], vec!["long", "-", "10 of 10"]];
        assert_eq!(
            table(&["name", "n", "found"], &rows),
            "name    n     found\na     1.5   1 of 10\nlong    -  10 of 10\n"
        );
        assert_eq!(table(&["name", "n"], &[] as &[Vec<&str>]), "name  n\n");
    }

    #[test]
    fn lines_may_be_short_and_are_indented() {
        let lines = [vec!["a", "12", "x"], vec!["äöü"], vec!["", "3"]];
        assert_eq!(columns(&lines, first_left), "a    12  x\näöü\n      3\n");
        assert_eq!(indented("a\n b\n", 2), "  a\n   b\n");
    }
}
