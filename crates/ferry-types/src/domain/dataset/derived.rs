//! Finds the edits that a corrected copy of a text makes of it. The copy may have other delimiters, quotes and line
//! ends, columns in another order, and further ones: spreadsheets save it like that.

use csv::ByteRecord;

use super::alignment::{Pair, align};
use super::bytes::text_of;
use super::edits::{Edit, EditError, MAX_EDITS};
use super::opening::Opening;
use super::records::{Records, is_blank};
use super::report::excerpt;
use super::schema::Table;

/// The edits of a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Derived {
    /// The edits, by row.
    pub edits: Vec<Edit>,
    /// The columns of the copy that the text does not have.
    pub left_out: Vec<String>,
}

/// The edits that give `text` the cells of `copy`. Columns are those of the same name, where both have a header; cells
/// of a column that the copy does not have stay as they are.
pub fn derived(table: Table, text: &str, copy: &str) -> Result<Derived, EditError> {
    let (text, copy) = (Rows::of(table, text), Rows::of(table, copy));
    let (columns, left_out) = Columns::of(text.header.as_ref(), copy.header.as_ref());
    let (before, after) = (text.keys(|row| columns.own(row)), copy.keys(|row| columns.picked(row)));
    let mut derivation = Derivation { table, edits: Vec::new(), count: 0 };
    // The rows of both that come next.
    let (mut next, mut next_of_copy) = (0, 0);
    for Pair { before, after } in align(&before.rows(), &after.rows()) {
        let equal = match (before, after) {
            (Some(row), _) => row - next,
            (None, row) => row.map_or(0, |row| row - next_of_copy),
        };
        (next, next_of_copy) = (next + equal, next_of_copy + equal);
        let cells = after.map(|row| columns.picked(&copy.record(row)));
        match (before, cells) {
            (Some(row), Some(mut cells)) => {
                let record = text.record(row);
                // Spreadsheets leave out what is empty at the end of a row.
                let rest = columns.is_unnamed.then(Vec::new);
                cells.resize(cells.len().max(record.len()), rest);
                derivation.change(row as u64 + 1, &record, cells);
            }
            (Some(row), None) => derivation.push(Edit::Delete { table, row: row as u64 + 1 }),
            (None, cells) => derivation.insert(next as u64, cells.unwrap_or_default()),
        }
        next += usize::from(before.is_some());
        next_of_copy += usize::from(after.is_some());
    }
    if derivation.count > MAX_EDITS {
        return Err(EditError::TooMany(derivation.count));
    }
    Ok(Derived { edits: derivation.edits, left_out })
}

/// The columns of a copy, by those of the text.
struct Columns {
    /// The cell of the copy for each cell of the text.
    of_copy: Vec<Option<usize>>,
    /// True without names: then every cell is that of the same place.
    is_unnamed: bool,
}

/// A cell of the copy; none if the copy does not have its column.
type Cell = Option<Vec<u8>>;

impl Columns {
    /// The columns, and the names of those that only the copy has.
    fn of(text: Option<&ByteRecord>, copy: Option<&ByteRecord>) -> (Self, Vec<String>) {
        let (Some(text), Some(copy)) = (text, copy) else {
            return (Self { of_copy: Vec::new(), is_unnamed: true }, Vec::new());
        };
        let name = |cell: &[u8]| cell.trim_ascii().to_ascii_lowercase();
        let mut rest: Vec<Option<Vec<u8>>> = copy.iter().map(|cell| Some(name(cell))).collect();
        let mut of_copy: Vec<Option<usize>> = Vec::new();
        for cell in text {
            let found = rest.iter().position(|other| other.as_ref() == Some(&name(cell)));
            of_copy.push(found.inspect(|found| rest[*found] = None));
        }
        // A column whose name was corrected is in its place.
        if text.len() == copy.len() {
            for (at, cell) in of_copy.iter_mut().enumerate().filter(|(_, cell)| cell.is_none()) {
                *cell = rest[at].take().map(|_| at);
            }
        }
        let left_out =
            rest.iter().zip(copy).filter(|(rest, name)| rest.is_some() && !name.is_empty());
        let left_out = left_out.map(|(_, name)| excerpt(name)).collect();
        (Self { of_copy, is_unnamed: false }, left_out)
    }

    /// The cells of a row of the text that a copy may change.
    fn own(&self, row: &ByteRecord) -> Vec<Cell> {
        let has = |at: usize| match self.of_copy.get(at) {
            Some(of_copy) => of_copy.is_some(),
            None => self.is_unnamed,
        };
        row.iter().enumerate().map(|(at, cell)| has(at).then(|| cell.to_vec())).collect()
    }

    /// The cells of a row of the copy, in the order of the text.
    fn picked(&self, row: &ByteRecord) -> Vec<Cell> {
        let get = |at: usize| row.get(at).unwrap_or_default().to_vec();
        let named = self.of_copy.iter().map(|of_copy| of_copy.map(get));
        let others = self.of_copy.len()..if self.is_unnamed { row.len() } else { 0 };
        named.chain(others.map(|at| Some(get(at)))).collect()
    }
}

/// The edits that were found, of which only so many are remembered as are allowed.
struct Derivation {
    table: Table,
    edits: Vec<Edit>,
    count: usize,
}

impl Derivation {
    fn push(&mut self, edit: Edit) {
        self.count += 1;
        if self.count <= MAX_EDITS {
            self.edits.push(edit);
        }
    }

    fn insert(&mut self, after: u64, cells: Vec<Cell>) {
        let cells = cells.into_iter().map(|cell| lossy(&cell.unwrap_or_default())).collect();
        self.push(Edit::Insert { table: self.table, after, cells });
    }

    fn change(&mut self, row: u64, record: &ByteRecord, cells: Vec<Cell>) {
        let table = self.table;
        if cells.iter().skip(record.len()).flatten().any(|cell| !cell.is_empty()) {
            // No cell can be added to a row: another one takes its place.
            let own = |(at, cell): (usize, Cell)| cell.or_else(|| Some(record.get(at)?.to_vec()));
            let cells = cells.into_iter().enumerate().map(own).collect();
            self.push(Edit::Delete { table, row });
            self.insert(row, cells);
            return;
        }
        for (at, (cell, own)) in cells.into_iter().zip(record).enumerate() {
            if let Some(cell) = cell.filter(|cell| cell != own) {
                self.push(Edit::Set { table, row, cell: at, value: lossy(&cell) });
            }
        }
    }
}

fn lossy(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).into_owned()
}

/// The rows of a text.
struct Rows<'a> {
    delimiter: u8,
    header: Option<ByteRecord>,
    spans: Vec<&'a [u8]>,
}

impl<'a> Rows<'a> {
    fn of(table: Table, text: &'a str) -> Self {
        let bytes = text_of(text.as_bytes());
        let opening = Opening::of(table, bytes);
        let mut records = Records::new(bytes, opening.start, opening.delimiter);
        let (mut header, mut spans, mut record) = (None, Vec::new(), ByteRecord::new());
        while let Some(span) = records.read(&mut record) {
            if is_blank(&record) {
                continue;
            }
            if opening.has_header && header.is_none() {
                header = Some(record.clone());
            } else {
                spans.push(&bytes[span]);
            }
        }
        Self { delimiter: opening.delimiter, header, spans }
    }

    fn record(&self, row: usize) -> ByteRecord {
        let mut record = ByteRecord::new();
        Records::new(self.spans[row], 0, self.delimiter).read(&mut record);
        record
    }

    /// The rows in a form in which the same cells are the same bytes.
    fn keys(&self, cells: impl Fn(&ByteRecord) -> Vec<Cell>) -> Keys {
        let mut keys = Keys { bytes: Vec::new(), ends: Vec::with_capacity(self.spans.len()) };
        for row in 0..self.spans.len() {
            let mut cells = cells(&self.record(row));
            while cells.last().is_some_and(|cell| cell.as_ref().is_none_or(Vec::is_empty)) {
                cells.pop();
            }
            for cell in cells {
                let cell = cell.unwrap_or_default();
                // What stands between cells stands in none.
                keys.bytes.extend(cell.iter().map(|byte| if *byte == b',' { 0x1f } else { *byte }));
                keys.bytes.push(b',');
            }
            keys.ends.push(keys.bytes.len());
        }
        keys
    }
}

/// Rows in a form that can be compared, one behind the other.
struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    fn rows(&self) -> Vec<&[u8]> {
        let begins = std::iter::once(&0).chain(&self.ends);
        begins.zip(&self.ends).map(|(begin, end)| &self.bytes[*begin..*end]).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::{Edits, edited, window};
    use super::*;

    const TABLE: Table = Table::Data;
    const HEADER: &str = "Reference,StartDate,StartTime,EndDate,EndTime";

    /// The text with the edits of the copy in it.
    fn with(text: &str, copy: &str) -> String {
        let edits = Edits::of(derived(TABLE, text, copy).unwrap().edits).unwrap();
        edited(TABLE, text, edits.of_text(TABLE)).unwrap().text
    }

    #[test]
    fn a_copy_that_a_spreadsheet_saved_changes_the_cells_that_were_edited_alone() {
        let text = format!("{HEADER},Note\n\"A\",1,2,3,4,\"x, y\"\nB,1,2,3,4,\nC,1,2,3,4, z \n");
        let copy = format!("\u{feff}{};Note\r\n", HEADER.replace(',', ";"))
            + "A;1;2;3;4;x, y\r\nB7;1;2;3;4\r\n\"C\";1;2;3;4; z \r\n";
        let found = derived(TABLE, &text, &copy).unwrap();
        let edit = Edit::Set { table: TABLE, row: 2, cell: 0, value: "B7".to_owned() };
        assert_eq!(found, Derived { edits: vec![edit], left_out: Vec::new() });
        assert_eq!(with(&text, &copy), text.replace("\nB,", "\nB7,"));
    }

    #[test]
    fn columns_are_those_of_the_same_name_and_others_are_left_out_or_left_as_they_are() {
        let text = format!("{HEADER},Note\nA,1,2,3,4,n\nB,1,2,3,4,m\n");
        let copy = "Feedback,EndTime,Reference,StartDate,StartTime,EndDate\n\
                    unknown,4,A7,1,2,3\n,5,B,1,2,3\n";
        let found = derived(TABLE, &text, copy).unwrap();
        assert_eq!(found.left_out, ["Feedback"]);
        let changed = text.replace("\nA,", "\nA7,").replace("4,m", "5,m");
        assert_eq!(with(&text, copy), changed);
    }

    #[test]
    fn rows_are_deleted_and_inserted_where_they_stand() {
        let text = format!("{HEADER}\nA,1,2,3,4\nB,1,2,3,4\nC,1,2,3,4\nD,1,2,3,4\n");
        let copy = format!("{HEADER}\nA,1,2,3,4\nN,5,6,7,8\nB,1,2,3,4\nD,1,2,3,4\nE,9,9,9,9\n");
        assert_eq!(with(&text, &copy), copy);
        let same = text.replace('\n', "\r\n");
        assert_eq!(derived(TABLE, &text, &same).unwrap(), Derived::default());
        // A row that lacks a cell.
        let (short, whole) = (format!("{HEADER}\nA,1,2,3\n"), format!("{HEADER}\nA,1,2,3,4\n"));
        assert_eq!(with(&short, &whole), whole);
    }

    #[test]
    fn more_edits_than_are_allowed_are_invalid_with_their_number() {
        let rows = |day: u32| (0..5000).map(move |n| format!("R{n},{day},{day},{day},{day}\n"));
        let text = |day| format!("{HEADER}\n{}", rows(day).collect::<String>());
        let allowed = derived(TABLE, &text(1), &text(2)).and_then(|_| derived(TABLE, "", ""));
        assert_eq!(allowed, Ok(Derived::default()), "20,000 are allowed");
        let more = text(2).replace("R7,", "X7,");
        assert_eq!(derived(TABLE, &text(1), &more), Err(EditError::TooMany(20_001)));
    }

    /// Rows of which many are equal.
    fn rows() -> impl Strategy<Value = Vec<[String; 5]>> {
        vec(
            [0..4_u32, 0..2, 0..2, 0..2, 0..9].prop_map(|cells: [u32; 5]| {
                let [reference, rest @ ..] = cells;
                let rest = rest.map(|cell| format!("0{}/03/2025", cell + 1));
                let [a, b, c, d] = rest;
                [format!("r, \"{reference}\""), a, b, c, d]
            }),
            0..12,
        )
    }

    fn written(rows: &[[String; 5]], delimiter: &str) -> String {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let row = |cells: &[String; 5]| cells.each_ref().map(quoted).join(delimiter) + "\n";
        HEADER.replace(',', delimiter) + "\n" + &rows.iter().map(row).collect::<String>()
    }

    proptest! {
        #[test]
        fn the_edits_of_a_copy_give_its_rows(before in rows(), after in rows()) {
            let changed = with(&written(&before, ","), &written(&after, ";"));
            let found = window(TABLE, &changed, 1, 100, None).rows;
            let found: Vec<Vec<String>> = found.into_iter().map(|row| row.cells).collect();
            prop_assert_eq!(found, after.into_iter().map(Vec::from).collect::<Vec<_>>());
        }
    }
}
