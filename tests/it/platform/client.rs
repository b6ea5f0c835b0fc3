//! A client of the Platform whose requests are all permitted.

use std::ops::Deref;
use std::sync::Arc;

use ferry::boot_clock::BootClock;
use ferry::platform::{
    AccountConfig, InvalidAccountError, Limits, Platform, PlatformParts, Unguarded, Upload, Wires,
};
use ferry_types::clock::Clock;
use ferry_types::domain::outcome::{Content, PlatformError, Status};

/// A client over HTTP.
#[derive(Debug)]
pub(super) struct Client(Platform);

impl Client {
    pub(super) fn new(
        account: AccountConfig,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, InvalidAccountError> {
        let wires = Wires::http(&account, &limits)?;
        let (monotonic, metrics) = (Arc::new(BootClock), Arc::default());
        Platform::new(PlatformParts { account, limits, wires, clock, monotonic, metrics }).map(Self)
    }

    pub(super) async fn upload(&self, upload: Upload<'_>) -> Result<String, PlatformError> {
        Ok(self.0.upload(upload, &Unguarded).await?.processing_token)
    }

    pub(super) async fn status(&self, token: &str) -> Result<Status, PlatformError> {
        Ok(self.0.status(token, &Unguarded).await?)
    }

    pub(super) async fn feedback(&self, token: &str) -> Result<Content, PlatformError> {
        Ok(self.0.feedback(token, &Unguarded).await?)
    }

    pub(super) async fn result(&self, token: &str, key: &str) -> Result<Content, PlatformError> {
        Ok(self.0.result(token, key, false, &Unguarded).await?)
    }
}

impl Deref for Client {
    type Target = Platform;

    fn deref(&self) -> &Platform {
        &self.0
    }
}
