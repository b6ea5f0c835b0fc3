//! The datasets of the demonstration.

use ferry_types::contract::SubmissionRequest;

const GOOD: &str = include_str!("../../../examples/good.csv");
const WITH_EVENTS: &str = include_str!("../../../examples/with-events.csv");
const EVENTS: &str = include_str!("../../../examples/with-events.events.csv");

/// A dataset with references that the Platform does not know.
pub(super) const REJECTED: &str = include_str!("../../../examples/rejected.csv");

/// The same, corrected.
pub(super) const CORRECTED: &str = include_str!("../../../examples/rejected.corrected.csv");

/// The example datasets; the last one is rejected.
pub(super) fn examples() -> [SubmissionRequest; 3] {
    let events = Some(EVENTS.to_owned());
    [
        dataset("good", GOOD),
        SubmissionRequest { event_data: events, ..dataset("with-events", WITH_EVENTS) },
        dataset("faulty", REJECTED),
    ]
}

/// A dataset without events.
pub(super) fn dataset(name: &str, data: &str) -> SubmissionRequest {
    SubmissionRequest {
        name: name.to_owned(),
        data: data.to_owned(),
        ..SubmissionRequest::default()
    }
}

/// A few valid rows, other ones for each number.
pub(super) fn made_up(number: u64) -> String {
    let mut data = "Reference,StartDate,StartTime,EndDate,EndTime\n".to_owned();
    for row in 1..=3 + number % 5 {
        let (day, hour) = (1 + (number + row) % 28, row % 24);
        data += &format!(
            "A{number:04}-{row},{day:02}/03/2026,{hour:02}:00,{day:02}/03/2026,{hour:02}:45\n"
        );
    }
    data
}
