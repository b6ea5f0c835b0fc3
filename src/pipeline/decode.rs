//! Makes a request of a dataset for the intake: bytes that should be text, and the
//! correction of an earlier submission.

use super::intake::SourceLabels;
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::dataset::{Report, Table, check};
use ferry_types::domain::submission::Submission;

/// The texts as they are, or what is wrong where they are not UTF-8.
pub fn decode(
    data: Vec<u8>,
    events: Option<Vec<u8>>,
    labels: &SourceLabels,
) -> Result<(String, Option<String>), Vec<Report>> {
    let data = String::from_utf8(data);
    let events = events.map(String::from_utf8).transpose();
    match (data, events) {
        (Ok(data), Ok(events)) => Ok((data, events)),
        (data, events) => {
            let bytes =
                data.map_or_else(std::string::FromUtf8Error::into_bytes, String::into_bytes);
            let mut reports = vec![check(Table::Data, &labels.data, &bytes).0];
            if let Err(error) = events {
                reports.push(check(Table::Events, &labels.events, error.as_bytes()).0);
            }
            Err(reports)
        }
    }
}

/// As the earlier one was, with other texts and the right to overwrite.
pub fn revision(
    earlier: Submission,
    data: String,
    event_data: Option<String>,
) -> SubmissionRequest {
    let earlier = earlier.into_parts();
    SubmissionRequest {
        name: earlier.name,
        data,
        event_data,
        account: Some(earlier.account),
        overwrite: true,
        result_keys: earlier.result_keys,
        priority: earlier.priority,
        labels: earlier.labels,
        webhook_url: earlier.webhook.map(|webhook| webhook.url),
        ..SubmissionRequest::default()
    }
}
