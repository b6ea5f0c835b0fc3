//! Submits a dataset from a page: as a file or as text, checked at once. What is wrong can be corrected in
//! its rows; the text with the corrections travels with the form.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::super::caller::Caller;
use super::super::correct;
use super::super::error::ApiError;
use super::super::shared::Shared;
use super::super::submit;
use super::super::validate;
use super::new_form::{SHOWN, Sent, prepared, shown};
use super::reader::Reader;
use super::respond::{page, see};
use super::several;
use crate::console::{NewFields, fingerprint};
use crate::pipeline::{Prepared, SourceLabels, decode};
use ferry_store::{Payload, compute};
use ferry_types::contract::ValidateView;
use ferry_types::domain::dataset::Edits;

/// A dataset without errors: checked, or ready to be accepted.
enum Valid {
    Checked(ValidateView),
    Prepared(Box<Prepared>),
}

/// Shows the empty form.
pub(in crate::api) async fn form(State(shared): State<Arc<Shared>>, reader: Reader) -> Response {
    let fields = NewFields { key: shared.request_id(), ..NewFields::default() };
    page(&shown(&shared, &reader, fields, None))
}

/// Checks the dataset, or submits it.
pub(in crate::api) async fn act(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    mut sent: Sent,
) -> Response {
    if !sent.more.is_empty() {
        return several::act(&shared, &reader, sent).await;
    }
    let (of, who, bytes) = (shared.clone(), reader.caller.clone(), sent.data.len() as u64);
    let (found, sent) = compute(bytes, move || (valid(&of, &who, &mut sent), sent)).await;
    let outcome = match found {
        Ok(Valid::Prepared(prepared)) => {
            match submit::accept(&shared, &reader.caller, (*prepared, None), None).await {
                Ok(accepted) => return see(&format!("/console/submissions/{}", accepted.id())),
                Err(error) => Err(error),
            }
        }
        Ok(Valid::Checked(view)) => Ok(view),
        Err(error) => Err(error),
    };
    // The texts count until the page is written.
    let Sent { fields, memory: _memory, .. } = sent;
    page(&shown(&shared, &reader, fields, Some(outcome)))
}

fn valid(shared: &Shared, caller: &Caller, sent: &mut Sent) -> Result<Valid, ApiError> {
    let names = SourceLabels::default();
    let texts = (std::mem::take(&mut sent.data), sent.events.take());
    sent.fields.choose_again = true;
    let (data, event_data) = match decode(texts.0, texts.1, &names) {
        Ok(texts) => texts,
        Err(reports) => return Ok(Valid::Checked(validate::view(reports))),
    };
    let payload = corrected(sent, Payload { data, event_data })?;
    sent.fields.show(&payload, SHOWN);
    let Payload { data, event_data } = payload;
    if sent.typed.act == "submit" {
        let fields = (sent.fields.key.clone(), &sent.fields);
        return prepared(shared, caller, fields, (data, event_data)).map(Valid::Prepared);
    }
    let reports = shared.parts.intake.validate(&data, event_data.as_deref(), &names)?;
    Ok(Valid::Checked(validate::view(reports)))
}

/// The dataset with what was typed into its rows, if they are those of this dataset.
fn corrected(sent: &Sent, payload: Payload) -> Result<Payload, ApiError> {
    if sent.fields.rows_of != fingerprint(&payload) {
        return Ok(payload);
    }
    let mut edits = Edits::default();
    sent.typed.add_to(&mut edits, &payload);
    sent.typed.act_on_row(&mut edits);
    Ok(correct::corrected(&payload, &edits).map_err(correct::invalid_edits)?.payload)
}
