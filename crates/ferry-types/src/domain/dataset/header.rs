//! Recognizes a header line and says what is wrong with it.

use csv::ByteRecord;

use super::blank;
use super::forms;
use super::report::{Kind, excerpt};
use super::schema::{Column, Table};

/// Positions of the required columns.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The required columns, of the table that the header speaks of.
    pub(super) columns: &'static [Column],
    /// The cell of each required column; none if the header lacks it.
    pub(super) cells: Vec<Option<usize>>,
    /// Number of cells that a row needs.
    pub(super) width: usize,
}

impl Layout {
    /// As the Platform wants it.
    pub(super) fn of(table: Table) -> Self {
        let width = table.columns().len();
        Self { columns: table.columns(), cells: (0..width).map(Some).collect(), width }
    }

    /// The name of the required column that stands in `cell`.
    pub(super) fn name(&self, cell: usize) -> Option<&'static str> {
        let position = self.cells.iter().position(|position| *position == Some(cell))?;
        Some(self.columns[position].name)
    }
}

/// Something wrong with a header.
#[derive(Debug)]
pub(super) struct HeaderError {
    pub(super) kind: Kind,
    pub(super) column: Option<&'static str>,
    pub(super) value: Option<String>,
    pub(super) message: String,
    pub(super) expected: String,
}

/// True if the first record of a text is a header, right or wrong, and not a row.
///
/// A name of the schema makes a header, but a row may have such a word as its reference. So a cell
/// behind the first one that begins with a digit, as dates and times do, outweighs a single name.
pub(super) fn is_header(record: &ByteRecord) -> bool {
    let names = record.iter().filter(|cell| is_known(cell)).count();
    let others = || record.iter().skip(1).map(blank::trim);
    let has_digits = others().any(|cell| forms::look(cell).first().is_some_and(u8::is_ascii_digit));
    let words = others().filter(|cell| !cell.is_empty()).count();
    names > 1 || (!has_digits && (names == 1 || words > 1))
}

/// Reads a header: where its columns stand, and what is wrong with it.
pub(super) fn read(table: Table, record: &ByteRecord) -> (Layout, Vec<HeaderError>) {
    if begins_with(table, record) {
        return (Layout::of(table), Vec::new());
    }
    if begins_with(table.other(), record) {
        return (Layout::of(table.other()), vec![other_table(table)]);
    }
    let (cells, mut faults) = locate(table, record);
    let found: Vec<_> = cells.iter().flatten().collect();
    let is_shifted = faults.is_empty() && found.iter().enumerate().any(|(at, cell)| at != **cell);
    if is_shifted || !found.is_sorted() {
        faults.push(column_order(table, record));
    }
    let width = found.into_iter().max().map_or(0, |last| last + 1);
    (Layout { columns: table.columns(), cells, width }, faults)
}

/// The cell of each column, and the columns whose names are unknown or missing.
fn locate(table: Table, record: &ByteRecord) -> (Vec<Option<usize>>, Vec<HeaderError>) {
    let columns = table.columns();
    let find = |column: &Column| record.iter().position(|cell| is_name(column.name, cell));
    let mut cells: Vec<_> = columns.iter().map(find).collect();
    let (mut unknown, mut missing) = (Vec::new(), Vec::new());
    for (position, column) in columns.iter().enumerate() {
        if cells[position].is_some() {
            continue;
        }
        let cell = record.get(position).filter(|cell| place_of(table, cell).is_none());
        // A shorter header lacks a column, rather than having all that follow misspelled.
        if let Some(cell) = cell.filter(|_| record.len() >= columns.len()) {
            cells[position] = Some(position);
            unknown.push((column, cell, position));
        } else {
            missing.push(column.name);
        }
    }
    let mut faults = Vec::new();
    match *unknown {
        [] => {}
        [(column, cell, position)] => faults.push(unknown_column(column, cell, position)),
        _ => faults.push(unknown_columns(unknown[0].0, table, record)),
    }
    if !missing.is_empty() {
        faults.push(missing_columns(&missing, table));
    }
    (cells, faults)
}

/// True if the cell is a name of either schema.
pub(super) fn is_known(cell: &[u8]) -> bool {
    [Table::Data, Table::Events].iter().any(|table| place_of(*table, cell).is_some())
}

/// True if the record begins with the whole header of the table.
pub(super) fn begins_with(table: Table, record: &ByteRecord) -> bool {
    let columns = table.columns();
    record.len() >= columns.len()
        && columns.iter().zip(record).all(|(column, cell)| is_name(column.name, cell))
}

fn is_name(name: &str, cell: &[u8]) -> bool {
    blank::trim(cell).eq_ignore_ascii_case(name.as_bytes())
}

fn place_of(table: Table, cell: &[u8]) -> Option<usize> {
    table.columns().iter().position(|column| is_name(column.name, cell))
}

fn other_table(table: Table) -> HeaderError {
    HeaderError {
        kind: Kind::OtherTable,
        column: None,
        value: None,
        message: format!("the header is that of {}, not of {table}", table.other()),
        expected: format!("`{}`", table.header()),
    }
}

fn unknown_column(column: &Column, cell: &[u8], position: usize) -> HeaderError {
    let value = excerpt(cell);
    HeaderError {
        kind: Kind::UnknownColumn,
        column: Some(column.name),
        message: format!("column {} of the header is `{value}`", position + 1),
        value: Some(value),
        expected: format!("`{}`", column.name),
    }
}

/// A header in another language, or in names of its own, is one error and not five.
fn unknown_columns(first: &Column, table: Table, record: &ByteRecord) -> HeaderError {
    let header = header_text(record);
    HeaderError {
        kind: Kind::UnknownColumn,
        column: Some(first.name),
        message: format!("the header `{header}` has other column names"),
        value: Some(header),
        expected: format!("`{}`, or no header", table.header()),
    }
}

fn missing_columns(names: &[&'static str], table: Table) -> HeaderError {
    let message = match names {
        [_] => "the column is missing from the header".to_owned(),
        _ => format!("the columns `{}` are missing from the header", names.join("`, `")),
    };
    HeaderError {
        kind: Kind::MissingColumn,
        column: names.first().copied(),
        value: None,
        message,
        expected: format!("`{}`", table.header()),
    }
}

fn header_text(record: &ByteRecord) -> String {
    excerpt(&record.iter().collect::<Vec<_>>().join(&b','))
}

fn column_order(table: Table, record: &ByteRecord) -> HeaderError {
    let header = header_text(record);
    HeaderError {
        kind: Kind::ColumnOrder,
        column: None,
        message: format!("the header `{header}` has its columns in another order"),
        value: Some(header),
        expected: format!("it to begin with `{}`", table.header()),
    }
}
