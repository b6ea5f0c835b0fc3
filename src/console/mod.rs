//! The pages of the web console: what they say, made of the views of `contract`, and the files that a
//! browser loads beside them. It knows nothing of HTTP.

mod account;
mod acts;
mod assets;
mod audit;
mod bulk;
mod compare;
mod correct;
mod events;
mod feedback;
mod frame;
mod grid;
mod held;
mod keys;
mod list;
mod new;
mod overview;
mod rehearse;
mod rows;
mod simple;
mod submission;
mod system;
mod text;
mod verdict;
mod webhooks;

pub(crate) use account::AccountPage;
pub(crate) use assets::asset;
pub(crate) use audit::{AuditFilters, AuditPage};
pub(crate) use bulk::{BulkPlanPage, BulkReceipt, BulkReceiptPage};
pub(crate) use compare::{ComparePage, Compared};
pub(crate) use correct::{CorrectPage, Correcting, Outcome, replace, set_cell};
pub(crate) use events::{Change, EventFilters, EventsPage};
pub(crate) use feedback::FeedbackPage;
pub(crate) use frame::{Frame, Preferences, Viewer};
pub(crate) use grid::GridView;
pub(crate) use held::{HeldPage, Text};
pub(crate) use keys::KeysPage;
pub(crate) use list::{Filters, ListPage};
pub(crate) use new::{NewFields, NewPage, Verdict, fingerprint};
pub(crate) use overview::{AccountsPage, OverviewPage};
pub(crate) use rehearse::RehearsePage;
pub(crate) use rows::{RowsPage, RowsView, SeenRows, Source, may_be_table, preview};
pub(crate) use simple::{LoginPage, PreferencesPage, ProblemPage};
pub(crate) use submission::{Detail, SubmissionPage};
pub(crate) use system::SystemPage;
pub(crate) use webhooks::{WebhookFilters, WebhooksPage};
