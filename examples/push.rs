//! Hands a dataset over from another Rust service, with plain apalis-redis:
//! `REDIS_URL=redis://127.0.0.1:6379/0 cargo run --example push -- march examples/good.csv`.
//!
//! Of Ferry such a service needs only the crate `ferry-types`.

use apalis::prelude::TaskSink;
use apalis_redis::{Config, RedisStorage};
use ferry_types::contract::SubmissionRequest;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("usage: push NAME FILE".into());
    };
    #[expect(clippy::disallowed_methods, reason = "this is another service, not Ferry")]
    let url = std::env::var("REDIS_URL").unwrap_or("redis://127.0.0.1:6379/0".to_owned());
    let connection = apalis_redis::connect(url.as_str()).await?;
    // The namespace of the store, in braces, and `intake`.
    let config = Config::default().queue("{ferry}:intake");
    let mut requests = RedisStorage::new(connection).with_config(config);
    let data = std::fs::read_to_string(file)?;
    requests.push(SubmissionRequest { name, data, ..SubmissionRequest::default() }).await?;
    Ok(())
}
