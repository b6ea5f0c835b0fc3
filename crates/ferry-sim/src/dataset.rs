//! Verdicts on datasets: results, or feedback.

use chrono::NaiveDate;
use csv::StringRecord;

use super::reply::{Defect, RowError};

/// The verdict on a dataset.
#[derive(Debug)]
pub(super) enum ValidationResult {
    /// The body of `tableofresultids`.
    Results(String),
    /// The errors about an invalid one.
    Feedback(Vec<RowError>),
}

impl ValidationResult {
    /// Memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Results(text) => text.len(),
            Self::Feedback(row_errors) => {
                let values: usize = row_errors.iter().map(|row_error| row_error.value.len()).sum();
                values + size_of::<RowError>() * row_errors.len()
            }
        }
    }
}

/// Validates a dataset that was uploaded as `name`.
pub(super) fn judge(name: &str, data: &str, event_data: Option<&str>) -> ValidationResult {
    let rows = rows(data);
    let mut row_errors = row_errors(&rows, 5, check_row);
    if let Some(events) = event_data {
        row_errors.extend(self::row_errors(&self::rows(events), 7, check_event));
    }
    if row_errors.is_empty() {
        ValidationResult::Results(results(name, &rows))
    } else {
        ValidationResult::Feedback(row_errors)
    }
}

/// A verdict that finds the reference of the first row unknown; none without a row.
pub(super) fn reject_first_row(data: &str) -> Option<ValidationResult> {
    let (row, record) = rows(data).into_iter().next()?;
    let value = record.get(0).unwrap_or_default().to_owned();
    Some(ValidationResult::Feedback(vec![RowError { row, value, about: Defect::UnknownReference }]))
}

/// The body of `tableofresultids` for a dataset: derived from its rows, so that a test notices
/// rows that did not arrive as they were.
pub fn expected_results(name: &str, data: &str) -> String {
    results(name, &rows(data))
}

fn results(name: &str, rows: &[Row]) -> String {
    let mut table = "Reference,ResultId\n".to_owned();
    for (row, record) in rows {
        let mut hash = Fnv::new();
        hash.add(name.as_bytes());
        hash.add(&row.to_le_bytes());
        record.iter().for_each(|field| hash.add(field.as_bytes()));
        table += &format!("{},{:016x}\n", record.get(0).unwrap_or_default(), hash.0);
    }
    table
}

/// A row with its number, which counts from 1 and counts the header, too.
type Row = (u64, StringRecord);

fn rows(text: &str) -> Vec<Row> {
    let reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let numbered = reader.into_records().map_while(Result::ok).zip(1..);
    let is_header = |row: u64, record: &StringRecord| {
        row == 1
            && record.get(0).is_some_and(|field| field.trim().eq_ignore_ascii_case("reference"))
    };
    numbered
        .filter(move |(record, row)| !is_header(*row, record))
        .map(|(record, row)| (row, record))
        .collect()
}

type CellError = (String, Defect);

fn row_errors(
    rows: &[Row],
    columns: usize,
    check: fn(&StringRecord) -> Vec<CellError>,
) -> Vec<RowError> {
    let mut row_errors = Vec::new();
    for (row, record) in rows {
        let errors = if record.len() < columns {
            vec![(record.get(0).unwrap_or_default().to_owned(), Defect::TooFewColumns)]
        } else {
            check(record)
        };
        let errors = errors.into_iter();
        row_errors.extend(errors.map(|(value, about)| RowError { row: *row, value, about }));
    }
    row_errors
}

fn check_row(record: &StringRecord) -> Vec<CellError> {
    let mut errors = check_times(record);
    if record[0].trim().is_empty() {
        errors.push((String::new(), Defect::NoReference));
    }
    if record[0].starts_with("UNKNOWN") {
        errors.push((record[0].to_owned(), Defect::UnknownReference));
    }
    errors
}

fn check_event(record: &StringRecord) -> Vec<CellError> {
    let mut errors = check_times(record);
    if !matches!(record[6].trim(), "0" | "1" | "2") {
        errors.push((record[6].to_owned(), Defect::TimeReference));
    }
    errors
}

fn check_times(record: &StringRecord) -> Vec<CellError> {
    let mut errors = Vec::new();
    for column in [1, 3] {
        let date = record[column].trim();
        if date.len() != 10 || NaiveDate::parse_from_str(date, "%d/%m/%Y").is_err() {
            errors.push((record[column].to_owned(), Defect::NotADate));
        }
    }
    for column in [2, 4] {
        let time = record[column].trim();
        if time.len() != 5 || chrono::NaiveTime::parse_from_str(time, "%H:%M").is_err() {
            errors.push((record[column].to_owned(), Defect::NotATime));
        }
    }
    errors
}

pub(super) fn hash(text: &str) -> u64 {
    let mut hash = Fnv::new();
    hash.add(text.as_bytes());
    hash.0
}

/// The 64-bit FNV-1a hash: the same in every version of this program, unlike the standard one.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_are_judged_as_their_readme_says() {
        let ValidationResult::Feedback(row_errors) =
            judge("trips", include_str!("../../../examples/rejected.csv"), None)
        else {
            panic!("`rejected.csv` was accepted");
        };
        let found: Vec<(u64, &str)> =
            row_errors.iter().map(|row_error| (row_error.row, row_error.value.as_str())).collect();
        assert_eq!(found, [(3, "UNKNOWN-7"), (5, "UNKNOWN-9")]);
        assert!(row_errors.iter().all(|row_error| row_error.about == Defect::UnknownReference));
        for (data, events) in [
            (include_str!("../../../examples/rejected.corrected.csv"), None),
            (include_str!("../../../examples/good.csv"), None),
            (
                include_str!("../../../examples/with-events.csv"),
                Some(include_str!("../../../examples/with-events.events.csv")),
            ),
        ] {
            assert!(matches!(judge("trips", data, events), ValidationResult::Results(_)));
        }
    }
}
