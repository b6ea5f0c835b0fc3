//! Acts on one submission for a person.

use redis::Value;

use super::fault::Fault;
use super::scripts::{Call, Script};
use super::{RedisStore, read, values};
use crate::domain::SubmissionId;
use crate::store::{Found, StoreError};

impl RedisStore {
    /// What a script says that acts on one submission for a person.
    pub(super) async fn operate(
        &self,
        id: SubmissionId,
        script: &Script,
        call: Call,
        refused: impl Fn(&str, &str) -> String,
    ) -> Result<Found, StoreError> {
        let found = async {
            let mut items = values::array(self.run(script, call).await?)?.into_iter();
            let mut next = || items.next().unwrap_or(Value::BulkString(Vec::new()));
            match values::text(next())?.as_str() {
                "missing" => Err(Fault::not_found(id)),
                "done" => {
                    let (now, shown) = (next(), next());
                    read::found(id, now, shown, &self.health)?.ok_or_else(|| Fault::not_found(id))
                }
                word => Err(Fault::not_allowed(refused(word, &values::text(next())?))),
            }
        };
        self.at(found.await)
    }
}
