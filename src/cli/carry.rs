//! `--wait`: runs the workers in this process until some submissions are settled.

use std::time::Duration;

use clap::Args;

use super::failure::{Exit, Failure};
use super::follow::follow;
use super::progress::Progress;
use super::ui::Ui;
use super::{show, signals, values};
use crate::app::App;
use crate::domain::SubmissionId;

/// Whether to wait, and for how long.
#[derive(Debug, Args)]
pub(super) struct Waiting {
    /// Carry it in this process and wait for the answer, for at most DURATION if one is given.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
        default_missing_value = "max", value_parser = limit)]
    wait: Option<Limit>,
}

#[derive(Debug, Clone, Copy)]
struct Limit(Option<Duration>);

fn limit(text: &str) -> Result<Limit, String> {
    if text == "max" { Ok(Limit(None)) } else { values::span(text).map(|span| Limit(Some(span))) }
}

impl Waiting {
    pub(super) fn is_wanted(&self) -> bool {
        self.wait.is_some()
    }

    /// Said before anything is accepted: to wait, there must be somebody to carry.
    pub(super) fn check(&self, app: &App) -> Result<(), Failure> {
        if self.is_wanted() { require_account(app) } else { Ok(()) }
    }
}

/// Without an account nothing can be carried.
pub(super) fn require_account(app: &App) -> Result<(), Failure> {
    if app.config.accounts.is_empty() {
        return Err(Failure::usage(
            "no account is configured, and so nothing can be carried".to_owned(),
        )
        .hint(
            "set FERRY_TOKEN_URL, FERRY_API_URL, FERRY_CLIENT_ID, FERRY_CLIENT_SECRET and \
                 FERRY_API_KEY; or rehearse with `ferry simulate`, which prints such lines",
        ));
    }
    Ok(())
}

/// Carries `ids`, and whatever else is due in the store meanwhile; prints what became of them.
pub(super) async fn carry(
    app: App,
    ids: &[SubmissionId],
    waiting: &Waiting,
    ui: &Ui,
) -> Result<Exit, Failure> {
    signals::listen(app.shutdown.clone(), ui)?;
    let workers = app.workers()?;
    let shutdown = app.shutdown.clone();
    let limit = waiting.wait.and_then(|limit| limit.0);
    let stop = async {
        let over = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => ui.note("the limit of --wait is reached: whoever carries the store goes on with it"),
            () = shutdown.draining() => {}
        }
    };
    let follower = async {
        let mut progress = Progress::new(ui, app.clock.clone(), Some(ids.len() as u64));
        let views = follow(app.store.as_ref(), ids, |view| progress.seen(view), stop).await;
        shutdown.drain();
        views
    };
    let (ended, views) = tokio::join!(workers.run(), follower);
    ended.map_err(|error| Failure::new(Exit::Failed, error.into()))?;
    let views = views?;
    for view in &views {
        show::view(view, app.clock.now(), ui)?;
    }
    Ok(Exit::of(&views))
}
