//! What the simulator makes of a dataset: its feedback, or its results.

use chrono::NaiveDate;
use csv::StringRecord;

/// What comes of a dataset.
#[derive(Debug)]
pub(super) enum ValidationResult {
    /// The body of `tableofresultids`.
    Results(String),
    /// The lines of the feedback.
    Feedback(String),
}

impl ValidationResult {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Results(text) | Self::Feedback(text) => text.len(),
        }
    }
}

/// Validates a dataset that was uploaded as `name`.
pub(super) fn judge(name: &str, data: &str, event_data: Option<&str>) -> ValidationResult {
    let mut feedback = faults(data, 5, check_row);
    if let Some(events) = event_data {
        feedback += &faults(events, 7, check_event);
    }
    if feedback.is_empty() {
        ValidationResult::Results(expected_results(name, data))
    } else {
        ValidationResult::Feedback(feedback)
    }
}

/// The body of `tableofresultids` for a dataset: derived from its rows, so that a test can tell
/// whether the rows arrived as they were.
pub fn expected_results(name: &str, data: &str) -> String {
    let mut table = "Reference,ResultId\n".to_owned();
    for (row, record) in rows(data) {
        let mut hash = Fnv::new();
        hash.add(name.as_bytes());
        hash.add(&row.to_le_bytes());
        record.iter().for_each(|field| hash.add(field.as_bytes()));
        table += &format!("{},{:016x}\n", record.get(0).unwrap_or_default(), hash.0);
    }
    table
}

/// Rows with their numbers, which count from 1 and count the header, too.
fn rows(text: &str) -> impl Iterator<Item = (u64, StringRecord)> {
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
        .collect::<Vec<_>>()
        .into_iter()
}

type RowError = (String, &'static str);

fn faults(text: &str, columns: usize, check: fn(&StringRecord) -> Vec<RowError>) -> String {
    let mut feedback = String::new();
    for (row, record) in rows(text) {
        let complaints = if record.len() < columns {
            vec![(record.get(0).unwrap_or_default().to_owned(), "too few columns")]
        } else {
            check(&record)
        };
        for (value, message) in complaints {
            feedback += &format!("{row}|{value}|{message}\n");
        }
    }
    feedback
}

fn check_row(record: &StringRecord) -> Vec<RowError> {
    let mut complaints = check_times(record);
    if record[0].trim().is_empty() {
        complaints.push((String::new(), "a reference is required"));
    }
    if record[0].starts_with("UNKNOWN") {
        complaints.push((record[0].to_owned(), "unknown reference"));
    }
    complaints
}

fn check_event(record: &StringRecord) -> Vec<RowError> {
    let mut complaints = check_times(record);
    if !matches!(record[6].trim(), "0" | "1" | "2") {
        complaints.push((record[6].to_owned(), "time reference must be 0, 1 or 2"));
    }
    complaints
}

fn check_times(record: &StringRecord) -> Vec<RowError> {
    let mut complaints = Vec::new();
    for column in [1, 3] {
        let date = record[column].trim();
        if date.len() != 10 || NaiveDate::parse_from_str(date, "%d/%m/%Y").is_err() {
            complaints.push((record[column].to_owned(), "not a date"));
        }
    }
    for column in [2, 4] {
        let time = record[column].trim();
        if time.len() != 5 || chrono::NaiveTime::parse_from_str(time, "%H:%M").is_err() {
            complaints.push((record[column].to_owned(), "not a time"));
        }
    }
    complaints
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
        let ValidationResult::Feedback(feedback) =
            judge("trips", include_str!("../../../examples/rejected.csv"), None)
        else {
            panic!("`rejected.csv` was accepted");
        };
        assert_eq!(feedback, "3|UNKNOWN-7|unknown reference\n5|UNKNOWN-9|unknown reference\n");
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
