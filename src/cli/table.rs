//! How the commands print their lists.

/// Rows under a header, columns as wide as their widest cell; columns of numbers to the right.
pub fn aligned<H: AsRef<str>, C: AsRef<str>>(header: &[H], rows: &[Vec<C>]) -> String {
    let cells = |place: usize| rows.iter().map(move |row| row[place].as_ref());
    let width = |text: &str| text.chars().count();
    let columns: Vec<(usize, bool)> = (0..header.len())
        .map(|place| {
            let widest = cells(place).map(width).max().unwrap_or(0).max(width(header[place].as_ref()));
            (widest, cells(place).all(is_number) && !rows.is_empty())
        })
        .collect();
    let line = |row: Vec<&str>| {
        let cells = row.into_iter().zip(&columns).map(|(cell, &(width, number))| match number {
            true => format!("{cell:>width$}"),
            false => format!("{cell:width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string() + "\n"
    };
    let head = line(header.iter().map(AsRef::as_ref).collect());
    rows.iter().fold(head, |text, row| text + &line(row.iter().map(AsRef::as_ref).collect()))
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
    fn numbers_stand_to_the_right() {
        let rows = [vec!["a", "1.5", "1 of 10"], vec!["long", "-", "10 of 10"]];
        assert_eq!(
            aligned(&["name", "n", "found"], &rows),
            "name    n     found\na     1.5   1 of 10\nlong    -  10 of 10\n"
        );
    }
}
