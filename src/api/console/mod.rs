//! The console over HTTP: sessions, and pages and acts on top of the handlers of the API. Whatever a
//! page shows or does, the same functions did for `/v1`.

pub(super) mod acts;
pub(super) mod administration;
mod attachment;
pub(super) mod bulk;
pub(super) mod compare;
pub(super) mod correct;
pub(super) mod door;
pub(super) mod events;
pub(super) mod files;
pub(super) mod form;
pub(super) mod held;
pub(super) mod login;
pub(super) mod mode;
pub(super) mod new;
mod new_form;
pub(super) mod news;
pub(super) mod overview;
pub(super) mod progress;
pub(super) mod reader;
pub(super) mod rehearse;
pub(super) mod respond;
pub(super) mod rows;
pub(super) mod session;
mod several;
pub(super) mod submissions;
mod typed;
pub(super) mod webhooks;
