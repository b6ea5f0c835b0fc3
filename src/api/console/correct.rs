//! Corrects a dataset on a page. The edits travel with the form, so that nothing lies on the server before
//! they are submitted.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::body::{json_within, receive};
use super::super::body_memory::MemoryPermit;
use super::super::content::{loaded, reserve};
use super::super::correct::{MOST_VALUES, Revising};
use super::super::dataset::{Parts, multipart};
use super::super::error::ApiError;
use super::super::found::Found;
use super::super::loaded::Loaded;
use super::super::query::Query;
use super::super::shared::Shared;
use super::super::submit::may_be_revised;
use super::form::is_form;
use super::reader::Reader;
use super::respond::{page_with, see};
use super::typed::Typed;
use crate::console::{CorrectPage, Correcting, CorrectionCheck, GridView, replace};
use crate::content_type::content_type;
use crate::pipeline::{SourceLabels, decode};
use ferry_store::{SubmissionDetail, compute};
use ferry_types::contract::{ProblemKind, SubmissionView};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::dataset::{Edit, EditError, Edits, Table, derived};

/// The largest form, and the most fields of it.
const LARGEST: u64 = 8 << 20;
const MOST_FIELDS: usize = 40_000;

/// The most fields beside files.
const MOST_BESIDE_FILES: usize = 8;

/// The rows that a link opens.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Opened {
    table: Option<Table>,
    from: Option<u64>,
    #[serde(default)]
    all: bool,
}

/// A form of the page as its browser sent it.
#[derive(Debug)]
pub(in crate::api) struct Sent {
    edits: Vec<Edit>,
    base: Option<SubmissionId>,
    is_checked: bool,
    shown: GridView,
    typed: Typed,
    replacements: BTreeMap<String, String>,
    /// The corrected copies of the dataset and of its events, whose edits take the place of all others.
    copies: Option<(Vec<u8>, Option<Vec<u8>>)>,
    _memory: MemoryPermit,
}

/// A submission with its dataset and feedback.
struct Opening {
    found: SubmissionDetail,
    loaded: Arc<Loaded>,
}

impl FromRequest<Arc<Shared>> for Sent {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        if let Ok(boundary) = multer::parse_boundary(content_type(&parts.headers)) {
            let received = receive(shared, &parts, body, shared.parts.limits.raw_body()).await?;
            let form = multipart(received.bytes, boundary, MOST_BESIDE_FILES, 1).await?;
            return read_copies(form, received.memory);
        }
        is_form(&parts.headers)?;
        let limit = LARGEST.min(shared.parts.limits.json_body());
        let received = receive(shared, &parts, body, limit).await?;
        let (bytes, memory) = (received.bytes, received.memory);
        compute(bytes.len() as u64, move || read(&bytes, memory)).await
    }
}

/// Reads the form of corrected copies.
fn read_copies(form: Parts, memory: MemoryPermit) -> Result<Sent, ApiError> {
    let mut sent = Sent::new(memory);
    "check".clone_into(&mut sent.typed.act);
    let base = form.others.iter().find(|(name, _)| name == "base");
    sent.base = base.and_then(|(_, value)| value.parse().ok());
    // A file that was not chosen is an empty one.
    let chosen = |file: Option<Vec<u8>>| file.filter(|bytes| !bytes.is_empty());
    let (data, events) = (chosen(form.data), chosen(form.event_data));
    if data.is_none() && events.is_none() {
        return Err(ApiError::field("data", "choose a file"));
    }
    sent.copies = Some((data.unwrap_or_default(), events));
    Ok(sent)
}

fn read(bytes: &[u8], memory: MemoryPermit) -> Result<Sent, ApiError> {
    let mut sent = Sent::new(memory);
    for (count, (name, value)) in form_urlencoded::parse(bytes).enumerate() {
        if count == MOST_FIELDS {
            return Err(ApiError::invalid(format!("more than {MOST_FIELDS} fields")));
        }
        let is_known = match &*name {
            "edits" => {
                sent.edits = json_within(value.as_bytes(), MOST_VALUES)?;
                true
            }
            "base" => {
                sent.base = value.parse().ok();
                sent.base.is_some()
            }
            "checked" => {
                sent.is_checked = value == "yes";
                true
            }
            "shown" => {
                let shown = view(&value);
                sent.shown = shown.unwrap_or(sent.shown);
                shown.is_some()
            }
            "act" => {
                sent.typed.act = value.into_owned();
                true
            }
            name => field(&mut sent, name, value.into_owned()).is_some(),
        };
        if !is_known {
            return Err(ApiError::invalid("a field of the form: it is of another page"));
        }
    }
    Ok(sent)
}

/// The rows that `TABLE-FROM-feedback` or `TABLE-FROM-all` means.
fn view(text: &str) -> Option<GridView> {
    let parts: Vec<&str> = text.split('-').collect();
    let [table, from, which] = *parts else { return None };
    let all = which == "all";
    let from = from.parse().ok().filter(|from| *from > 0)?;
    Some(GridView { table: table.parse().ok()?, from, all })
}

fn field(sent: &mut Sent, name: &str, value: String) -> Option<()> {
    let Some(key) = name.strip_prefix("replace-") else { return sent.typed.take(name, value) };
    // An empty field replaces nothing.
    if !value.is_empty() {
        sent.replacements.insert(key.to_owned(), value);
    }
    Some(())
}

impl Sent {
    fn new(memory: MemoryPermit) -> Self {
        Self {
            edits: Vec::new(),
            base: None,
            is_checked: false,
            shown: GridView { table: Table::Data, from: 1, all: false },
            typed: Typed::default(),
            replacements: BTreeMap::new(),
            copies: None,
            _memory: memory,
        }
    }

    /// The edits with what was typed on the page.
    fn edits(&self, loaded: &Loaded) -> Result<Edits, ApiError> {
        let mut edits =
            Edits::of(self.edits.clone()).map_err(|error| ApiError::field("edits", error))?;
        self.typed.add_to(&mut edits, &loaded.payload);
        replace(&mut edits, &loaded.items, &self.replacements);
        self.typed.act_on_row(&mut edits);
        Ok(edits)
    }

    /// The rows to show next.
    fn shown(&self) -> GridView {
        self.typed.act.strip_prefix("show-").and_then(view).unwrap_or(self.shown)
    }
}

/// The edits that copies make of the dataset, and the columns that it does not have.
async fn of_copies(
    shared: &Shared,
    reader: &Reader,
    loaded: Arc<Loaded>,
    (data, events): (Vec<u8>, Option<Vec<u8>>),
) -> Result<(Edits, Vec<String>), ApiError> {
    let copied = data.len() + events.as_ref().map_or(0, Vec::len);
    // The rows of both are compared in a form of their own.
    let bytes = loaded.payload.bytes().saturating_add(copied as u64);
    let _memory = reserve(shared, &reader.caller, bytes)?;
    let found = compute(bytes, move || {
        let (data, events) =
            decode(data, events, &SourceLabels::default()).map_err(ApiError::dataset)?;
        let (payload, data) = (&loaded.payload, Some(data));
        let data = data.filter(|copy| !copy.is_empty());
        let texts = [
            (Table::Data, Some(&payload.data), data),
            (Table::Events, payload.event_data.as_ref(), events),
        ];
        let (mut edits, mut left_out) = (Vec::new(), Vec::new());
        for (table, text, copy) in texts {
            let Some(copy) = copy else { continue };
            let none = || ApiError::field("event_data", "the submission has no event data");
            let found =
                derived(table, text.ok_or_else(none)?, &copy).map_err(|error| too_many(&error))?;
            edits.extend(found.edits);
            left_out.extend(found.left_out);
        }
        Ok::<_, ApiError>((Edits::of(edits).map_err(|error| too_many(&error))?, left_out))
    });
    found.await
}

fn too_many(error: &EditError) -> ApiError {
    let what = format!("{error}; `ferry resubmit ID FILE` submits the file as it is");
    ApiError::field("data", what)
}

async fn load(
    shared: &Shared,
    reader: &Reader,
    found: SubmissionDetail,
) -> Result<Opening, ApiError> {
    may_be_revised(&found.submission)?;
    let loaded = loaded(shared, &reader.caller, &found.submission).await?;
    Ok(Opening { found, loaded })
}

/// Shows the dataset as it was submitted.
pub(in crate::api) async fn form(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    Found(found): Found,
    Query(opened): Query<Opened>,
) -> Result<Response, ApiError> {
    let base = found.submission.id;
    let opening = load(&shared, &reader, found).await?;
    let table = opened.table.unwrap_or(Table::Data);
    // Where no row has feedback, all are shown.
    let all = opened.all || opening.loaded.items.iter().all(|item| item.locations.is_empty());
    let shown = GridView { table, from: opened.from.unwrap_or(1).max(1), all };
    Ok(show(&reader, opening, (Edits::default(), Vec::new()), (base, shown), CorrectionCheck::None)
        .await)
}

/// Takes what was typed, and shows, checks or submits it.
pub(in crate::api) async fn act(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    Found(found): Found,
    mut sent: Sent,
) -> Result<Response, ApiError> {
    let (id, caller) = (found.submission.id, &reader.caller);
    let opening = load(&shared, &reader, found).await?;
    let loaded = &opening.loaded;
    let (edits, left_out) = match sent.copies.take() {
        Some(copies) => of_copies(&shared, &reader, loaded.clone(), copies).await?,
        None => (sent.edits(loaded)?, Vec::new()),
    };
    let revising = Revising {
        earlier: opening.found.submission.clone(),
        edits: edits.clone(),
        base: sent.base.unwrap_or(id),
    };
    // What was typed since the check is checked before it is submitted.
    let is_submitted = sent.typed.act == "submit" && sent.is_checked && edits.list() == sent.edits;
    let outcome = match &*sent.typed.act {
        "submit" if is_submitted => match revising.submit(&shared, caller).await {
            Ok((_, view)) => {
                let revision = view.submission.map_or(id, |revision| revision.id);
                return Ok(see(&format!("/console/submissions/{id}/compare/{revision}")));
            }
            Err(error) => CorrectionCheck::Invalid(error.problem),
        },
        "submit" | "check" => match revising.check(&shared, caller).await {
            Ok(view) => CorrectionCheck::Ready(Box::new(view)),
            Err(error) => CorrectionCheck::Invalid(error.problem),
        },
        _ => CorrectionCheck::None,
    };
    let base = match &outcome {
        // It was shown now, and may be replaced.
        CorrectionCheck::Invalid(problem) => problem.submission.unwrap_or(revising.base),
        _ => revising.base,
    };
    Ok(show(&reader, opening, (edits, left_out), (base, sent.shown()), outcome).await)
}

async fn show(
    reader: &Reader,
    Opening { found, loaded }: Opening,
    (edits, left_out): (Edits, Vec<String>),
    (base, shown): (SubmissionId, GridView),
    outcome: CorrectionCheck,
) -> Response {
    let frame = reader.frame().of("Submissions");
    let shown = compute(loaded.payload.bytes(), move || {
        let view = SubmissionView::new(found.submission, found.waiting_for);
        let one = Correcting {
            view: &view,
            payload: &loaded.payload,
            items: &loaded.items,
            edits: &edits,
            left_out: &left_out,
            base: base.to_string(),
            shown,
            bookmarks: loaded.bookmarks(shown.table),
            outcome,
        };
        let status = match &one.outcome {
            CorrectionCheck::Invalid(problem)
                if problem.kind() == Some(ProblemKind::StateConflict) =>
            {
                StatusCode::CONFLICT
            }
            _ => StatusCode::OK,
        };
        page_with(status, &CorrectPage::new(frame, &one))
    });
    shown.await
}
