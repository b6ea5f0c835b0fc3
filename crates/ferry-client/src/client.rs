//! The requests of the client.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::ClientError;
use super::sending::{self, ClientRequest, RequestSender};
use ferry_types::contract::{
    AccountView, AccountsView, AuditView, BulkActionRequest, BulkActionView, ChecksView,
    CorrectRequest, CorrectView, CountView, CreatedKeyView, KeyRequest, KeysView, ProcessesView,
    ResubmitRequest, RevokedKeyView, RowsOnly, RowsView, SettingsView, SubmissionPage,
    SubmissionRequest, SubmissionResponse, SubmissionView, ValidateRequest, ValidateView,
    WhoamiView,
};
use ferry_types::domain::dataset::{Difference, Table};
use ferry_types::domain::feedback::FeedbackItem;
use ferry_types::domain::submission::{State, WaitReason, WebhookState};
use ferry_types::domain::{SubmissionId, Timestamp};

/// Longest wait of one request.
const ONE_WAIT: Duration = Duration::from_secs(30);

/// The submissions to list.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// In one of these states; any if empty.
    pub states: Vec<State>,
    /// With exactly this name.
    pub name: Option<String>,
    /// Of one of these accounts; of all that the key sees if empty.
    pub accounts: Vec<String>,
    /// With all of these labels.
    pub labels: Vec<(String, String)>,
    /// Accepted at this time or later.
    pub created_after: Option<Timestamp>,
    /// Accepted before this time.
    pub created_before: Option<Timestamp>,
    /// With a webhook in this state. Where few are, a page may be short, or empty, although more follow.
    pub webhook: Option<WebhookState>,
    /// Unfinished or held, and waiting for this reason. Where few are, a page may be short, or empty, although more follow.
    pub waiting_for: Option<WaitReason>,
    /// Revisions of this submission.
    pub revision_of: Option<SubmissionId>,
    /// Maximum number of submissions in the page.
    pub limit: Option<usize>,
    /// The `next_cursor` of an earlier page.
    pub cursor: Option<String>,
}

impl ListQuery {
    fn filters(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        pairs.extend(self.states.iter().map(|state| ("state", state.to_string())));
        pairs.extend(self.name.iter().map(|name| ("name", name.clone())));
        pairs.extend(self.accounts.iter().map(|account| ("account", account.clone())));
        pairs.extend(self.labels.iter().map(|(key, value)| ("label", format!("{key}={value}"))));
        let text = |time: &Timestamp| time.to_rfc3339();
        pairs.extend(self.created_after.iter().map(|time| ("created_after", text(time))));
        pairs.extend(self.created_before.iter().map(|time| ("created_before", text(time))));
        pairs.extend(self.webhook.iter().map(|state| ("webhook", state.to_string())));
        let reason = self.waiting_for.iter();
        pairs.extend(reason.map(|reason| ("waiting_for", reason.to_string())));
        pairs.extend(self.revision_of.iter().map(|id| ("revision_of", id.to_string())));
        pairs
    }
}

/// A result or a dataset, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultBody {
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// The body.
    pub bytes: Vec<u8>,
}

/// A client of a server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) sender: RequestSender,
}

impl Client {
    /// A client of the server at `url`, such as `http://127.0.0.1:8600`.
    ///
    /// ```
    /// use ferry_client::Client;
    ///
    /// let client = Client::new("https://ferry.example.com")?.with_key("ferry_…").with_max_attempts(3);
    /// assert!(Client::new("ferry.example.com").is_err(), "the URL has no scheme");
    /// # Ok::<(), ferry_client::ClientError>(())
    /// ```
    pub fn new(url: &str) -> Result<Self, ClientError> {
        Ok(Self { sender: RequestSender::new(url)? })
    }

    /// With an API key.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.sender.key = Some(key.to_owned());
        self
    }

    /// Trusts the certificates in this text of PEM as well as those that the machine trusts: for a server
    /// with a certificate of one's own.
    pub fn with_authority(mut self, pem: &[u8]) -> Result<Self, ClientError> {
        self.sender.trust(pem)?;
        Ok(self)
    }

    /// Makes so many attempts at a request before it gives up; 5 unless said otherwise.
    #[must_use]
    pub fn with_max_attempts(mut self, max_attempts: u32) -> Self {
        self.sender.max_attempts = max_attempts.max(1);
        self
    }

    /// Submits a dataset; the submission is durable when this returns. A request without an idempotency
    /// key gets one.
    pub async fn submit(
        &self,
        request: &SubmissionRequest,
    ) -> Result<SubmissionResponse, ClientError> {
        let key = request.idempotency_key.clone();
        self.send_submission("/v1/submissions", request, key).await
    }

    /// Submits a corrected dataset under the name of an earlier submission, which it overwrites.
    pub async fn resubmit(
        &self,
        id: SubmissionId,
        request: &ResubmitRequest,
    ) -> Result<SubmissionResponse, ClientError> {
        let path = format!("/v1/submissions/{id}/resubmit");
        self.send_submission(&path, request, request.idempotency_key.clone()).await
    }

    /// Validates a dataset; nothing is stored.
    pub async fn validate(&self, request: &ValidateRequest) -> Result<ValidateView, ClientError> {
        self.post("/v1/validate", request, sending::new_key()).await
    }

    /// Rows of a dataset with the feedback about their cells, from a data row on; only those with feedback,
    /// if that is asked for.
    pub async fn rows(
        &self,
        id: SubmissionId,
        table: Table,
        from: u64,
        only: Option<RowsOnly>,
    ) -> Result<RowsView, ClientError> {
        let mut pairs = vec![("table", table.to_string()), ("from", from.to_string())];
        pairs.extend(only.map(|only| ("only", only.to_string())));
        self.query(&format!("/v1/submissions/{id}/rows"), &pairs).await
    }

    /// Checks edits of a dataset, and unless it is a dry run, submits the revision. The same edits of the
    /// same `base` are accepted once.
    ///
    /// ```no_run
    /// use ferry_types::contract::{CorrectRequest, RowsOnly};
    /// use ferry_types::domain::dataset::{Edit, Table};
    ///
    /// # async fn example(client: ferry_client::Client) -> Result<(), ferry_client::ClientError> {
    /// # let id = ferry_types::domain::SubmissionId::new(ferry_types::domain::timestamp(0), 0);
    /// let table = Table::Data;
    /// let page = client.rows(id, table, 1, Some(RowsOnly::Feedback)).await?;
    /// let unknown = page.rows.iter().filter(|row| row.cells[0] == "UNKNOWN-7");
    /// let edits = unknown.map(|row| {
    ///     let value = "SITE-7".to_owned();
    ///     Edit::Set { table, row: row.row, cell: 0, value }
    /// });
    /// let request = CorrectRequest { edits: edits.collect(), ..CorrectRequest::default() };
    /// let corrected = client.correct(id, &request).await?;
    /// println!("{} cells differ", corrected.changed_cells);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn correct(
        &self,
        id: SubmissionId,
        request: &CorrectRequest,
    ) -> Result<CorrectView, ClientError> {
        let path = format!("/v1/submissions/{id}/correct");
        self.post(&path, request, sending::new_key()).await
    }

    /// The differences between the dataset of a submission and that of a later one, such as its revision;
    /// rows are listed behind the first `from`.
    pub async fn compare(
        &self,
        id: SubmissionId,
        later: SubmissionId,
        from: u64,
    ) -> Result<Difference, ClientError> {
        let path = format!("/v1/submissions/{id}/compare/{later}");
        self.query(&path, &[("from", from.to_string())]).await
    }

    /// A submission as it is.
    pub async fn get(&self, id: SubmissionId) -> Result<SubmissionView, ClientError> {
        self.read(&format!("/v1/submissions/{id}"), &[]).await
    }

    /// A submission when it is final or held, or as it is after `limit`.
    ///
    /// ```no_run
    /// # async fn example(client: ferry_client::Client) -> Result<(), ferry_client::ClientError> {
    /// # let request = ferry_types::contract::SubmissionRequest::default();
    /// let id = client.submit(&request).await?.submission.id;
    /// let submission = client.wait(id, std::time::Duration::from_secs(600)).await?;
    /// if !submission.state.is_final() {
    ///     println!("`{}` is still {}", submission.name, submission.state);
    /// }
    /// for item in client.feedback(id).await? {
    ///     println!("{item}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait(
        &self,
        id: SubmissionId,
        limit: Duration,
    ) -> Result<SubmissionView, ClientError> {
        let until = tokio::time::Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            let wait = format!("{}ms", left.min(ONE_WAIT).as_millis());
            let view: SubmissionView =
                self.read(&format!("/v1/submissions/{id}"), &[("wait", &wait)]).await?;
            let is_final = view.state.is_final() && !view.refetching;
            let is_settled = is_final || view.state == State::Held;
            if is_settled || left.is_zero() {
                return Ok(view);
            }
            // A server that is busy or stops responds before the time is over.
            tokio::time::sleep(Duration::from_millis(50).min(left)).await;
        }
    }

    /// Submissions, newest first.
    ///
    /// ```no_run
    /// use ferry_client::ListQuery;
    /// use ferry_types::domain::submission::State;
    ///
    /// # async fn example(client: ferry_client::Client) -> Result<(), ferry_client::ClientError> {
    /// let mut query = ListQuery { states: vec![State::Held], ..ListQuery::default() };
    /// loop {
    ///     let page = client.list(&query).await?;
    ///     page.submissions.iter().for_each(|held| println!("{} {}", held.id, held.name));
    ///     query.cursor = page.next_cursor;
    ///     if query.cursor.is_none() {
    ///         return Ok(());
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn list(&self, query: &ListQuery) -> Result<SubmissionPage, ClientError> {
        let mut pairs = query.filters();
        pairs.extend(query.limit.iter().map(|limit| ("limit", limit.to_string())));
        pairs.extend(query.cursor.iter().map(|cursor| ("cursor", cursor.clone())));
        self.query("/v1/submissions", &pairs).await
    }

    /// The number of submissions that match; limit and cursor do not matter.
    pub async fn count(&self, query: &ListQuery) -> Result<CountView, ClientError> {
        self.query("/v1/submissions/count", &query.filters()).await
    }

    /// Plans an action on all submissions that match; with `pinned`, does its next batch. A batch whose
    /// response was lost may have been done.
    ///
    /// ```no_run
    /// use ferry_types::contract::{OperatorAction, BulkActionRequest};
    ///
    /// # async fn example(client: ferry_client::Client) -> Result<(), ferry_client::ClientError> {
    /// let mut request = BulkActionRequest::new(OperatorAction::Retry);
    /// let plan = client.bulk_action(&request).await?;
    /// println!("{} failed submissions are retried", plan.changed);
    /// request.pinned = plan.pinned;
    /// while request.pinned.is_some() {
    ///     request.pinned = client.bulk_action(&request).await?.pinned;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn bulk_action(
        &self,
        request: &BulkActionRequest,
    ) -> Result<BulkActionView, ClientError> {
        self.post("/v1/bulk-actions", request, sending::new_key()).await
    }

    /// A stored result.
    ///
    /// ```no_run
    /// # async fn example(client: ferry_client::Client) -> Result<(), ferry_client::ClientError> {
    /// # let id = ferry_types::domain::SubmissionId::new(ferry_types::domain::timestamp(0), 0);
    /// let result = client.result(id, "tableofresultids").await?;
    /// println!("{}", String::from_utf8_lossy(&result.bytes));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn result(&self, id: SubmissionId, key: &str) -> Result<ResultBody, ClientError> {
        self.bytes(&["v1", "submissions", &id.to_string(), "results", key]).await
    }

    /// The dataset as it was submitted.
    pub async fn data(&self, id: SubmissionId) -> Result<ResultBody, ClientError> {
        self.bytes(&["v1", "submissions", &id.to_string(), "data"]).await
    }

    /// The events of the dataset as they were submitted; an error if there are none.
    pub async fn event_data(&self, id: SubmissionId) -> Result<ResultBody, ClientError> {
        self.bytes(&["v1", "submissions", &id.to_string(), "event-data"]).await
    }

    /// The accounts that the key sees, and what stops them.
    pub async fn accounts(&self) -> Result<AccountsView, ClientError> {
        self.read("/v1/accounts", &[]).await
    }

    /// An account, and what stops it.
    pub async fn account(&self, name: &str) -> Result<AccountView, ClientError> {
        let url = self.sender.url_of(&["v1", "accounts", name]);
        self.sender.send(&ClientRequest::get(url)).await?.json()
    }

    /// The feedback with the rows that it means; empty if the submission is completed.
    pub async fn feedback(&self, id: SubmissionId) -> Result<Vec<FeedbackItem>, ClientError> {
        self.read(&format!("/v1/submissions/{id}/feedback"), &[]).await
    }

    /// The same as CSV with a header, for spreadsheets.
    pub async fn feedback_csv(&self, id: SubmissionId) -> Result<ResultBody, ClientError> {
        let mut url = self.sender.url_of(&["v1", "submissions", &id.to_string(), "feedback"]);
        url.set_query(Some("as=csv"));
        self.bytes_at(url).await
    }

    /// The API keys of the server, without what they are.
    pub async fn keys(&self) -> Result<KeysView, ClientError> {
        self.read("/v1/keys", &[]).await
    }

    /// Creates an API key, which is in this response and nowhere else.
    pub async fn create_key(&self, request: &KeyRequest) -> Result<CreatedKeyView, ClientError> {
        self.post("/v1/keys", request, sending::new_key()).await
    }

    /// Revokes an API key.
    pub async fn revoke_key(&self, name: &str) -> Result<RevokedKeyView, ClientError> {
        let url = self.sender.url_of(&["v1", "keys", name]);
        self.sender.send(&ClientRequest::delete(url)).await?.json()
    }

    /// The newest records of the audit log of the server, or those before the `next_cursor` of an earlier
    /// response.
    pub async fn audit(&self, cursor: Option<&str>) -> Result<AuditView, ClientError> {
        let query: Vec<(&str, &str)> =
            cursor.map(|cursor| ("cursor", cursor)).into_iter().collect();
        self.read("/v1/audit", &query).await
    }

    /// The checks of the server and its store.
    pub async fn checks(&self) -> Result<ChecksView, ClientError> {
        self.read("/v1/checks", &[]).await
    }

    /// The servers and workers that use the store.
    pub async fn processes(&self) -> Result<ProcessesView, ClientError> {
        self.read("/v1/processes", &[]).await
    }

    /// The settings of the server, without secrets.
    pub async fn settings(&self) -> Result<SettingsView, ClientError> {
        self.read("/v1/settings", &[]).await
    }

    /// The caller as the server knows it.
    pub async fn whoami(&self) -> Result<WhoamiView, ClientError> {
        self.read("/v1/whoami", &[]).await
    }

    /// Fetches results or feedback of a final submission again; [`Client::wait`] returns when that ended.
    pub async fn refetch(&self, id: SubmissionId) -> Result<SubmissionView, ClientError> {
        let url = self.sender.url(&format!("/v1/submissions/{id}/refetch"));
        let request = ClientRequest::post(url, Vec::new(), sending::new_key());
        self.sender.send(&request).await?.json()
    }

    async fn query<T: DeserializeOwned>(
        &self,
        path: &str,
        pairs: &[(&str, String)],
    ) -> Result<T, ClientError> {
        let pairs: Vec<(&str, &str)> =
            pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.read(path, &pairs).await
    }

    async fn bytes(&self, path: &[&str]) -> Result<ResultBody, ClientError> {
        self.bytes_at(self.sender.url_of(path)).await
    }

    async fn bytes_at(&self, url: reqwest::Url) -> Result<ResultBody, ClientError> {
        let response = self.sender.send(&ClientRequest::get(url)).await?;
        Ok(ResultBody { content_type: response.content_type, bytes: response.body })
    }

    async fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        let mut url = self.sender.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.sender.send(&ClientRequest::get(url)).await?.json()
    }

    async fn send_submission(
        &self,
        path: &str,
        request: &(impl Serialize + Sync),
        key: Option<String>,
    ) -> Result<SubmissionResponse, ClientError> {
        self.post(path, request, key.unwrap_or_else(sending::new_key)).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        request: &(impl Serialize + Sync),
        key: String,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(request)
            .map_err(|error| ClientError::Invalid(format!("the request: {error}")))?;
        self.sender.send(&ClientRequest::post(self.sender.url(path), body, key)).await?.json()
    }
}
