//! Shows rows of a submitted dataset, with the feedback about their cells.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;

use super::caller::Caller;
use super::content;
use super::error::ApiError;
use super::found::Found;
use super::json::Json;
use super::loaded::Loaded;
use super::params::{FirstRow, RowCount};
use super::query::Query;
use super::shared::Shared;
use ferry_store::compute;
use ferry_types::contract::{CellFeedback, RowView, RowsOnly, RowsView};
use ferry_types::domain::dataset::{ShownRow, Table, marked_window};
use ferry_types::domain::feedback::marks;

/// The rows to show.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RowsQuery {
    /// The CSV text of the dataset; `data` if left out.
    table: Option<Table>,
    /// The first data row, from 1.
    #[serde(default)]
    from: FirstRow,
    /// Maximum number of rows; fewer are shown where they are large.
    #[serde(default)]
    count: RowCount,
    /// Only the rows that feedback items may mean.
    only: Option<RowsOnly>,
}

/// Shows rows of a dataset.
pub(super) async fn rows(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Found(found): Found,
    Query(query): Query<RowsQuery>,
) -> Result<Json<RowsView>, ApiError> {
    let table = query.table.unwrap_or(Table::Data);
    let bytes = found.submission.payload_bytes;
    let loaded = content::loaded(&shared, &caller, &found.submission).await?;
    let id = found.submission.id;
    let view = compute(bytes, move || {
        let text = match table {
            Table::Data => Some(loaded.payload.data.as_str()),
            Table::Events => loaded.payload.event_data.as_deref(),
        };
        let text = text.ok_or_else(|| content::no_events(id))?;
        Ok::<RowsView, ApiError>(view(table, text, &loaded, &query))
    });
    view.await.map(Json)
}

fn view(table: Table, text: &str, loaded: &Loaded, query: &RowsQuery) -> RowsView {
    let items = &loaded.items;
    let marks = marks(items, table);
    let of: Option<BTreeSet<u64>> = query.only.map(|_| marks.keys().copied().collect());
    let (rows, bookmarks) = ((query.from.0, query.count.0), loaded.bookmarks(table));
    let window = marked_window(table, text, rows, of.as_ref(), &mut bookmarks.lock());
    let row = |shown: ShownRow| RowView {
        feedback: marks.get(&shown.row).map_or_else(Vec::new, |marks| {
            let feedback = marks.iter().map(|mark| CellFeedback {
                cell: mark.cell,
                message: items[mark.item].message.clone(),
                candidates: mark.candidates,
            });
            feedback.collect()
        }),
        row: shown.row,
        line: shown.line,
        cells: shown.cells,
        shortened: shown.shortened,
        omitted: shown.omitted,
    };
    RowsView {
        table,
        columns: window.columns,
        rows: window.rows.into_iter().map(row).collect(),
        next: window.next,
    }
}
