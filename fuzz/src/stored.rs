//! Bytes of servers: stored records, and streams of events.

/// A value that a Redis server has; the first byte says which.
pub fn stored(data: &[u8]) {
    if let Some((kind, bytes)) = data.split_first() {
        ferry_store::redis::read_stored(*kind, bytes);
    }
}

/// A location of a store: its password is never shown.
pub fn location(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let url = text.replace("PASSWORD", "s3cret-7f3a");
    let shown = match ferry_store::redis::RedisAddress::new(&url) {
        Ok(address) => format!("{address:?}"),
        Err(error) => error,
    };
    assert!(!shown.contains("s3cret-7f3a") || !is_password(&url), "{url}: {shown}");
}

/// True if the only secret is where a password is.
fn is_password(url: &str) -> bool {
    let user = url.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
    let is_only = url.matches("s3cret-7f3a").count() == 1;
    is_only && user.is_some_and(|(user, _)| user.ends_with(":s3cret-7f3a"))
}

/// A stream of events, cut at each byte of the first line: the messages are the same as without a cut.
pub fn stream(data: &[u8]) {
    let whole = ferry_client::read_stream(&[data]);
    let (one, other) = data.split_at(data.len() / 2);
    let cut = ferry_client::read_stream(&[one, other]);
    assert_eq!(whole, cut);
    let bytes: Vec<&[u8]> = data.chunks(1).collect();
    assert_eq!(whole, ferry_client::read_stream(&bytes));
}
